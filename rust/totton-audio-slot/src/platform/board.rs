//! A Jetson Orin, as Linux shows it.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::efivars::EfiVars;
use super::esp::EspDisk;
use super::memory::Memory;
use crate::orin::{Board, Variable};
use crate::slot::Slot;

/// The firmware takes every file of this folder for a capsule (UEFI 2.10, 8.5.5).
const CAPSULE: &str = "EFI/UpdateCapsule/TEGRA_BL.Cap";
const BROUGHT: &str = "TEGRA_BL.Cap";

#[derive(Debug)]
pub struct OrinBoard {
    pub(super) running: Slot,
    pub(super) variables: EfiVars,
    pub(super) memory: Memory,
    pub(super) esp: EspDisk,
    /// The ESRT's version of the firmware.
    pub(super) versions: PathBuf,
}

impl Board for OrinBoard {
    fn running(&self) -> Slot {
        self.running
    }

    fn read(&self, variable: Variable) -> io::Result<Option<Vec<u8>>> {
        self.variables.read(variable.name(), variable.guid())
    }

    fn write(&mut self, variable: Variable, value: &[u8]) -> io::Result<()> {
        self.variables.write(variable.name(), variable.guid(), value)
    }

    fn delete(&mut self, variable: Variable) -> io::Result<()> {
        self.variables.delete(variable.name(), variable.guid())
    }

    fn register(&self) -> io::Result<u32> {
        self.memory.read()
    }

    fn set_register(&mut self, bits: u32) -> io::Result<()> {
        self.memory.write(bits)
    }

    fn firmware_version(&self) -> Option<u32> {
        fs::read_to_string(&self.versions).ok()?.trim().parse().ok()
    }

    fn capsule_brought(&self) -> bool {
        self.esp.brought(BROUGHT)
    }

    /// In place: the firmware looks for it only once it is told to, which comes after.
    fn place_capsule(&mut self) -> io::Result<()> {
        self.esp.copy(BROUGHT, CAPSULE)
    }

    fn capsule_placed(&self) -> bool {
        match self.esp.size(CAPSULE) {
            Ok(size) => size.is_some(),
            // Somebody who may not look at the ESP asks for the status.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => false,
            Err(error) => {
                eprintln!(
                    "totton-audio-slot: the ESP cannot be read, taken as one without a capsule: {error}"
                );
                false
            }
        }
    }

    fn remove_capsule(&mut self) -> io::Result<()> {
        self.esp.unlink(CAPSULE)
    }
}
