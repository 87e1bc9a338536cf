//! What the slots are on a device: files of the kernel, EFI variables, a register, the ESP.

mod board;
mod efivars;
mod esp;
mod lock;
mod machine;
mod memory;

pub use board::OrinBoard;
pub use esp::EspDisk;
pub use lock::Lock;
pub use machine::{BROUGHT, LoaderKind, Machine};

use crate::dry_run::DryRun;
use crate::error::Result;
use crate::loader::BootLoader;
use crate::orin::Orin;
use crate::systemd_boot::SystemdBoot;

/// The boot loader of `machine`. With `dry_run` it prints what it would write.
pub fn boot_loader(machine: &Machine, dry_run: bool) -> Result<Box<dyn BootLoader>> {
    let running = machine.running()?;
    Ok(match (machine.loader()?, dry_run) {
        (LoaderKind::Orin, false) => Box::new(Orin::new(machine.board()?)),
        (LoaderKind::Orin, true) => Box::new(Orin::new(DryRun::new(machine.board()?))),
        (LoaderKind::SystemdBoot, false) => Box::new(SystemdBoot::new(machine.esp()?, running)),
        (LoaderKind::SystemdBoot, true) => {
            Box::new(SystemdBoot::new(DryRun::new(machine.esp()?), running))
        }
    })
}
