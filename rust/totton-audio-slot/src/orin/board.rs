//! What the slots of an Orin are made of.

use std::io;

use crate::slot::Slot;

/// An EFI variable that the slots are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// UINT32: 0, or 0xFF for a slot that does not start.
    Status(Slot),
    /// UINT32: the chain of this start. Volatile.
    ChainCurrent,
    /// UINT32: the chain that the next start changes to.
    ChainNext,
    /// UINT32: what became of the last change; while it is there, no other is made.
    ChainStatus,
    /// UINT64 of UEFI's: bit 2 has the firmware look for a capsule on the ESP.
    OsIndications,
    /// Ours: the slots that were confirmed.
    Good,
    /// Ours: the trial under way.
    Trial,
    /// Ours: how the last trial ended.
    Outcome,
    /// Ours, UINT32: the firmware version of a slot's chain.
    Firmware(Slot),
    /// UINT32 of the way out of recovery: how often it was taken in a row.
    WayOut,
}

impl Variable {
    const NVIDIA: &'static str = "781e084c-a330-417c-b678-38e696380cb9";
    const GLOBAL: &'static str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
    const OURS: &'static str = "3c1a9b57-0f4e-4d0b-9a71-7a0c2b6f51de";

    pub const ALL: [Variable; 12] = [
        Variable::Status(Slot::A),
        Variable::Status(Slot::B),
        Variable::ChainCurrent,
        Variable::ChainNext,
        Variable::ChainStatus,
        Variable::OsIndications,
        Variable::Good,
        Variable::Trial,
        Variable::Outcome,
        Variable::Firmware(Slot::A),
        Variable::Firmware(Slot::B),
        Variable::WayOut,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Variable::Status(Slot::A) => "RootfsStatusSlotA",
            Variable::Status(Slot::B) => "RootfsStatusSlotB",
            Variable::ChainCurrent => "BootChainFwCurrent",
            Variable::ChainNext => "BootChainFwNext",
            Variable::ChainStatus => "BootChainFwStatus",
            Variable::OsIndications => "OsIndications",
            Variable::Good => "TottonAudioGood",
            Variable::Trial => "TottonAudioTrial",
            Variable::Outcome => "TottonAudioOutcome",
            Variable::Firmware(Slot::A) => "TottonAudioFirmwareA",
            Variable::Firmware(Slot::B) => "TottonAudioFirmwareB",
            Variable::WayOut => "TottonAudioWayOut",
        }
    }

    pub fn guid(self) -> &'static str {
        match self {
            Variable::Status(_)
            | Variable::ChainCurrent
            | Variable::ChainNext
            | Variable::ChainStatus => Self::NVIDIA,
            Variable::OsIndications => Self::GLOBAL,
            _ => Self::OURS,
        }
    }
}

/// The firmware's memory, and the capsule for it. Each call that writes is one step: it is
/// done wholly or not at all, whenever the power is cut, but for the capsule's file.
pub trait Board {
    /// The mounted root file system's slot.
    fn running(&self) -> Slot;

    /// None: there is no such variable.
    fn read(&self, variable: Variable) -> io::Result<Option<Vec<u8>>>;
    /// Non-volatile, for boot services and the running system.
    fn write(&mut self, variable: Variable, value: &[u8]) -> io::Result<()>;
    fn delete(&mut self, variable: Variable) -> io::Result<()>;

    fn register(&self) -> io::Result<u32>;
    fn set_register(&mut self, bits: u32) -> io::Result<()>;

    /// The version of the firmware that runs, as the ESRT has it.
    fn firmware_version(&self) -> Option<u32>;
    /// An update has brought a capsule, which is not on the ESP yet.
    fn capsule_brought(&self) -> bool;
    /// Copies it to the ESP.
    fn place_capsule(&mut self) -> io::Result<()>;
    /// A capsule is on the ESP: the firmware has not taken it.
    fn capsule_placed(&self) -> bool;
    fn remove_capsule(&mut self) -> io::Result<()>;
}
