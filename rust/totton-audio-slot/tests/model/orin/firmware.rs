//! A start, as an Orin's firmware makes it: BootChainDxe, L4TLauncher's `ValidateRootfsStatus`,
//! capsules and our way out of recovery, in the steps between which the power can be cut.
//!
//! Read in edk2-nvidia bd49b331: `PlatformBm.c` (`HandleCapsules`, then `HandleBootChainUpdate`),
//! `BootChainDxe.c` (`BootChainExecuteUpdate`), `TegraFmp.c` (`FmpTegraCheckImage`,
//! `FmpTegraSetImage`), `L4TRootfsValidation.c`; edk2's `CapsuleOnDisk.c`. Left out:
//! `BootChainFwPrevious` and `BootChainFwResetCount`, which live within one change only, since
//! the firmware deletes them before any system runs; and that a chain is marked as failed, since
//! on an Orin `SetInactiveBootChainStatus` and `BootChainIsFailed` do nothing
//! (`T234ResourceConfig.c`): there the boot ROM goes back from a chain that is not whole.

use totton_audio_slot::Slot;
use totton_audio_slot::orin::Register;

use super::chip::{Capsule, Chain, Chip, index};

const IN_PROGRESS: u8 = 1;
const NO_OPERATION_REQUIRED: u8 = 2;
const CANCELED_FOR_FMP_CONFLICT: u8 = 3;
const BOOT_CHAIN_FAILED: u8 = 12;
const RETRY_COUNT_MAX: u8 = 3;

/// A firmware, and what stands beside it.
#[derive(Clone, Copy, Debug)]
pub struct Firmware {
    pub way_out: WayOut,
}

/// What the recovery partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    Nothing,
    Ours,
    /// Ours, with a fault: it does not look which slots are good.
    BothSlots,
}

impl Firmware {
    pub const ORIN: Firmware = Firmware { way_out: WayOut::Ours };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A kernel was started from the root of this slot.
    Kernel(Slot),
    /// The recovery partition was started, and nothing is in it.
    Recovery,
    /// It restarts for ever.
    Endless,
}

pub struct StartUp {
    /// What was written, the chip after it, and whether the recovery partition was started before.
    pub trail: Vec<(&'static str, Chip, bool)>,
    pub recovery: bool,
    pub chip: Chip,
    pub end: End,
}

/// From power on, or a restart, to a kernel.
pub fn start_up(chip: Chip, firmware: Firmware) -> StartUp {
    let chip = Chip { brought: Capsule::None, ..chip };
    let mut start = StartUp { trail: Vec::new(), recovery: false, chip, end: End::Endless };
    for _ in 0..12 {
        if let Some(end) = start.pass(firmware) {
            start.end = end;
            if let End::Kernel(slot) = end {
                start.chip.root = slot;
            }
            break;
        }
    }
    start
}

impl StartUp {
    fn step(&mut self, what: &'static str, change: impl FnOnce(&mut Chip)) {
        let before = self.chip;
        change(&mut self.chip);
        if self.chip != before {
            self.trail.push((what, self.chip, self.recovery));
        }
    }

    /// None: the firmware restarts.
    fn pass(&mut self, firmware: Firmware) -> Option<End> {
        if self.capsules() || self.change_chain() {
            return None;
        }
        match self.choose() {
            Choice::Start(slot) => Some(End::Kernel(slot)),
            Choice::Restart => None,
            Choice::Recovery => {
                self.recovery = true;
                let mask = self.chip.good.filter(|mask| (1..=3).contains(mask));
                match firmware.way_out {
                    WayOut::Nothing => return Some(End::Recovery),
                    WayOut::Ours => self.way_out(mask.unwrap_or(3)),
                    WayOut::BothSlots => self.way_out(3),
                }
                None
            }
        }
    }

    /// `HandleCapsules`. True: restart.
    fn capsules(&mut self) -> bool {
        if !self.chip.capsule_flag {
            return false;
        }
        self.step("capsule: flag cleared", |chip| chip.capsule_flag = false);
        let capsule = self.chip.placed;
        self.step("capsule: file removed", |chip| chip.placed = Capsule::None);
        if capsule != Capsule::Good {
            return true;
        }
        if self.chip.next.is_some() || self.chip.chain_status.is_some() {
            self.step("capsule: BootChainFwNext deleted", |chip| chip.next = None);
            self.step("capsule: refused", |chip| {
                chip.chain_status = Some(CANCELED_FOR_FMP_CONFLICT);
            });
            return true;
        }
        let other = self.chip.runs().other();
        self.step("capsule: chain invalid", |chip| chip.chains[index(other)] = Chain::Half);
        self.step("capsule: chain written", |chip| chip.chains[index(other)] = Chain::New);
        self.step("capsule: chain changed", |chip| chip.table = other);
        true
    }

    /// `BootChainExecuteUpdate`. True: restart.
    fn change_chain(&mut self) -> bool {
        let Some(next) = self.chip.next else { return false };
        let runs = self.chip.runs();
        let status = match self.chip.chain_status {
            Some(IN_PROGRESS) if runs == next => 0,
            Some(IN_PROGRESS) => BOOT_CHAIN_FAILED,
            Some(status) => status,
            None if next == runs => NO_OPERATION_REQUIRED,
            None => {
                self.step("BootChainFwStatus in progress", |chip| {
                    chip.chain_status = Some(IN_PROGRESS);
                });
                self.step("chain changed", |chip| chip.table = next);
                return true;
            }
        };
        self.step("BootChainFwStatus", |chip| chip.chain_status = Some(status));
        self.step("BootChainFwNext deleted", |chip| chip.next = None);
        false
    }

    /// `ValidateRootfsStatus`, with redundancy of boot and root.
    fn choose(&mut self) -> Choice {
        let slot = self.chip.runs();
        let full = |unbootable: bool| if unbootable { 0 } else { RETRY_COUNT_MAX };
        let unbootable = self.chip.unbootable;
        let counts = Register::from_bits(self.chip.register).unwrap_or(Register {
            slot,
            a: full(unbootable[0]),
            b: full(unbootable[1]),
        });
        self.step("register set up", |chip| chip.register = counts.bits());
        if unbootable == [true, true] {
            self.step("register cleared", |chip| chip.register = Register::CLEAR);
            return Choice::Recovery;
        }
        let less = |counts: Register, slot: Slot| match slot {
            Slot::A => Register { slot, a: counts.a - 1, ..counts },
            Slot::B => Register { slot, b: counts.b - 1, ..counts },
        };
        if counts.starts_left(slot) > 0 {
            self.step("start counted", |chip| chip.register = less(counts, slot).bits());
            return Choice::Start(slot);
        }
        let other = slot.other();
        let recovery = counts.starts_left(other) == 0;
        self.step("register written", |chip| {
            chip.register = if recovery { Register::CLEAR } else { less(counts, other).bits() };
        });
        for marked in Slot::BOTH.into_iter().filter(|marked| recovery || *marked == slot) {
            self.step("slot marked 0xFF", |chip| chip.unbootable[index(marked)] = true);
        }
        if recovery {
            return Choice::Recovery;
        }
        self.step("BootChainFwNext written", |chip| chip.next = Some(other));
        self.step("register cleared", |chip| chip.register = Register::CLEAR);
        self.step("BootChainFwStatus deleted", |chip| chip.chain_status = None);
        Choice::Restart
    }

    /// Ours, in the recovery partition.
    fn way_out(&mut self, mask: u8) {
        let good = |slot: Slot| mask & 1 << slot.number() != 0;
        self.step("way out: counted", |chip| chip.way_out = 1);
        for slot in Slot::BOTH.into_iter().filter(|slot| good(*slot)) {
            self.step("way out: slot may start", |chip| chip.unbootable[index(slot)] = false);
        }
        let runs = self.chip.runs();
        if !good(runs) {
            self.step("way out: BootChainFwStatus deleted", |chip| chip.chain_status = None);
            self.step("way out: BootChainFwNext", |chip| chip.next = Some(runs.other()));
        }
    }
}

enum Choice {
    Start(Slot),
    Restart,
    Recovery,
}
