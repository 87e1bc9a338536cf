use super::board::{Board, Variable};
use super::notes::{Good, Trial};
use super::register::Register;
use crate::error::{Error, Result};
use crate::loader::{BootLoader, Outcome, Reason, Start, Status, TRIES, Tries};
use crate::slot::Slot;

/// `RootfsStatusSlotX` of a slot that may start, and of one that may not.
const BOOTABLE: u32 = 0;
const UNBOOTABLE: u32 = 0xFF;
/// `BootChainFwStatus`: the chain is marked as failed (`STATUS_ERROR_BOOT_CHAIN_IS_FAILED`).
const CHAIN_IS_FAILED: u32 = 19;
/// Bit of `OsIndications` (UEFI 2.10, 8.5.4): a capsule is on the disk.
const FILE_CAPSULE: u64 = 4;

/// The slots of a Jetson Orin.
#[derive(Clone, Debug)]
pub struct Orin<B> {
    board: B,
}

impl<B: Board> Orin<B> {
    pub fn new(board: B) -> Self {
        Orin { board }
    }

    pub fn board(&self) -> &B {
        &self.board
    }

    pub fn into_board(self) -> B {
        self.board
    }

    fn read(&self, variable: Variable) -> Result<Option<Vec<u8>>> {
        self.board.read(variable).map_err(|source| Error::Read {
            what: format!("EFI variable {}", variable.name()),
            source,
        })
    }

    /// None also for a variable of another size.
    fn number(&self, variable: Variable) -> Result<Option<u32>> {
        Ok(self.read(variable)?.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes))
    }

    /// Writes a variable where it has another value, and reads it back.
    fn keep(&mut self, variable: Variable, value: &[u8]) -> Result<()> {
        if self.read(variable)?.as_deref() == Some(value) {
            return Ok(());
        }
        let what = || format!("EFI variable {}", variable.name());
        self.board
            .write(variable, value)
            .map_err(|source| Error::Write { what: what(), source })?;
        let found = self.read(variable)?;
        if found.as_deref() == Some(value) {
            return Ok(());
        }
        let found = found.map_or("nothing".to_owned(), |bytes| format!("{bytes:02x?}"));
        Err(Error::NotKept { what: what(), wanted: format!("{value:02x?}"), found })
    }

    fn keep_number(&mut self, variable: Variable, value: u32) -> Result<()> {
        self.keep(variable, &value.to_le_bytes())
    }

    fn delete(&mut self, variable: Variable) -> Result<()> {
        if self.read(variable)?.is_none() {
            return Ok(());
        }
        let what = || format!("EFI variable {}", variable.name());
        self.board.delete(variable).map_err(|source| Error::Write { what: what(), source })?;
        match self.read(variable)? {
            None => Ok(()),
            Some(bytes) => Err(Error::NotKept {
                what: what(),
                wanted: "nothing".to_owned(),
                found: format!("{bytes:02x?}"),
            }),
        }
    }

    fn register(&self) -> Result<u32> {
        let what = || "the firmware's retry register".to_owned();
        self.board.register().map_err(|source| Error::Read { what: what(), source })
    }

    fn set_register(&mut self, bits: u32) -> Result<()> {
        if self.register()? == bits {
            return Ok(());
        }
        let what = || "the firmware's retry register".to_owned();
        self.board.set_register(bits).map_err(|source| Error::Write { what: what(), source })?;
        let found = self.register()?;
        if found == bits {
            return Ok(());
        }
        Err(Error::NotKept {
            what: what(),
            wanted: format!("{bits:#010x}"),
            found: format!("{found:#010x}"),
        })
    }

    fn trial(&self) -> Result<Option<Trial>> {
        Ok(self.read(Variable::Trial)?.as_deref().and_then(Trial::decode))
    }

    /// The slots that were confirmed. Nothing kept (a new board, or one whose variables were
    /// lost): the running slot, unless it is on trial, and the other one if the firmware
    /// would start it.
    fn good(&self) -> Result<Good> {
        if let Some(good) = self.read(Variable::Good)?.as_deref().and_then(Good::decode) {
            return Ok(good);
        }
        let trial = self.trial()?.map(|trial| trial.slot);
        let mut good = Good::NONE;
        for slot in Slot::BOTH {
            let starts =
                slot == self.running() || self.number(Variable::Status(slot))? != Some(UNBOOTABLE);
            if starts && trial != Some(slot) {
                good = good.with(slot);
            }
        }
        Ok(good)
    }

    /// The other slot, `slot`, can be written or tried now.
    fn may_change(&self, slot: Slot) -> Result<()> {
        let running = self.running();
        if slot == running {
            return Err(Error::Running(running));
        }
        let on_trial = self.trial()?.is_some_and(|trial| trial.slot == running);
        if on_trial && !self.good()?.has(running) {
            return Err(Error::OnTrial(running));
        }
        Ok(())
    }

    /// `slot` is good no longer: the firmware does not start it by itself.
    fn no_longer_good(&mut self, slot: Slot) -> Result<()> {
        let good = self.good()?.without(slot);
        self.keep(Variable::Good, &good.encode())?;
        self.keep_number(Variable::Status(slot), UNBOOTABLE)
    }

    /// The running slot has all its starts again.
    fn verify(&mut self) -> Result<()> {
        self.keep_number(Variable::Status(self.running()), BOOTABLE)?;
        self.set_register(Register::CLEAR)
    }

    /// The next start is one of `slot`, and the one after it of the running slot, whatever
    /// becomes of it: without the register, too.
    fn arm(&mut self, slot: Slot) -> Result<()> {
        let running = self.running();
        self.keep_number(Variable::Status(running), BOOTABLE)?;
        self.keep_number(Variable::Status(slot), UNBOOTABLE)?;
        self.delete(Variable::ChainStatus)?;
        self.set_register(Register::one_start_of_the_other(running).bits())?;
        if self.board.capsule_placed() {
            // The firmware changes chains with the capsule, and refuses it beside a wish to.
            self.delete(Variable::ChainNext)?;
            let indications = self
                .read(Variable::OsIndications)?
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u64::from_le_bytes);
            self.keep(Variable::OsIndications, &(indications | FILE_CAPSULE).to_le_bytes())
        } else {
            self.keep_number(Variable::ChainNext, slot.number().into())
        }
    }

    /// The firmware went back to the running slot while `trial` is not over.
    fn come_back(&mut self, trial: Trial) -> Result<Start> {
        let chain = self.number(Variable::ChainStatus)?;
        let reason = match chain {
            Some(CHAIN_IS_FAILED) => Reason::Firmware,
            _ if trial.left == 0 => Reason::Starts,
            _ => {
                // Counted before it is given: no start is given twice.
                let rest = Trial { left: trial.left - 1, ..trial };
                self.keep(Variable::Trial, &rest.encode())?;
                self.arm(trial.slot)?;
                return Ok(Start::TryAgain(trial.slot));
            }
        };
        let outcome = Outcome { slot: trial.slot, reason, reached: trial.reached };
        self.keep(Variable::Outcome, &outcome.encode())?;
        self.remove_capsule()?;
        self.delete(Variable::ChainStatus)?;
        self.delete(Variable::Trial)?;
        Ok(Start::TrialOver(outcome))
    }

    fn remove_capsule(&mut self) -> Result<()> {
        if !self.board.capsule_placed() {
            return Ok(());
        }
        let what = "the capsule on the ESP".to_owned();
        self.board.remove_capsule().map_err(|source| Error::Write { what, source })
    }
}

impl<B: Board> BootLoader for Orin<B> {
    fn running(&self) -> Slot {
        self.board.running()
    }

    fn status(&self) -> Result<Status> {
        let (good, trial) = (self.good()?, self.trial()?);
        let tries = |slot| match trial {
            _ if good.has(slot) => Tries::Good,
            Some(trial) if trial.slot == slot => Tries::Trial(trial.left),
            _ => Tries::NotGood,
        };
        let running = self.running();
        let pending = trial.filter(|trial| trial.slot != running).map(|trial| trial.slot);
        let next = match self.number(Variable::ChainNext)?.and_then(Slot::from_number) {
            Some(next) => next,
            None if self.board.capsule_placed() => pending.unwrap_or(running),
            None if matches!(tries(running), Tries::Trial(_)) => running.other(),
            None => running,
        };
        Ok(Status {
            running,
            next,
            a: tries(Slot::A),
            b: tries(Slot::B),
            lost: self.read(Variable::Outcome)?.as_deref().and_then(Outcome::decode),
            recoveries: self.number(Variable::WayOut)?.unwrap_or(0),
        })
    }

    fn open(&mut self, slot: Slot) -> Result<()> {
        self.may_change(slot)?;
        // A trial that was asked for and has not begun must not begin now.
        self.delete(Variable::ChainNext)?;
        self.remove_capsule()?;
        self.no_longer_good(slot)?;
        self.verify()?;
        self.delete(Variable::Trial)?;
        self.delete(Variable::Outcome)
    }

    fn try_slot(&mut self, slot: Slot) -> Result<()> {
        self.may_change(slot)?;
        self.delete(Variable::ChainNext)?;
        self.remove_capsule()?;
        self.no_longer_good(slot)?;
        self.delete(Variable::Outcome)?;
        if self.board.capsule_brought() {
            // What its firmware will be is known when it runs.
            self.delete(Variable::Firmware(slot))?;
            let what = "the capsule on the ESP".to_owned();
            self.board.place_capsule().map_err(|source| Error::Write { what, source })?;
        }
        let trial = Trial { slot, left: TRIES - 1, reached: 0 };
        self.keep(Variable::Trial, &trial.encode())?;
        self.arm(slot)
    }

    fn start(&mut self) -> Result<Start> {
        let running = self.running();
        let good = self.good()?;
        let trial = self.trial()?;
        self.delete(Variable::WayOut)?;
        if let Some(trial) = trial.filter(|trial| trial.slot == running && !good.has(running)) {
            let trial = Trial { reached: trial.reached.saturating_add(1), ..trial };
            self.keep(Variable::Trial, &trial.encode())?;
            return Ok(Start::OnTrial);
        }
        self.verify()?;
        // Where nothing was kept yet.
        self.keep(Variable::Good, &good.encode())?;
        match trial {
            Some(trial) if trial.slot == running => {
                // Confirmed, but for the last step.
                self.delete(Variable::Trial)?;
            }
            Some(trial) if good.has(trial.slot) => {
                self.keep_number(Variable::Status(trial.slot), BOOTABLE)?;
                self.delete(Variable::ChainStatus)?;
                self.keep_number(Variable::ChainNext, trial.slot.number().into())?;
                self.delete(Variable::Trial)?;
                return Ok(Start::GoBackTo(trial.slot));
            }
            Some(trial) => return self.come_back(trial),
            None => {}
        }
        self.delete(Variable::ChainStatus)?;
        Ok(Start::Good)
    }

    fn confirm(&mut self) -> Result<()> {
        let running = self.running();
        // First that it is good: with the power cut after it, the slot before goes back to it.
        let good = self.good()?.with(running);
        self.keep(Variable::Good, &good.encode())?;
        self.verify()?;
        self.delete(Variable::ChainStatus)?;
        if let Some(version) = self.board.firmware_version() {
            self.keep_number(Variable::Firmware(running), version)?;
        }
        if self.trial()?.is_some_and(|trial| trial.slot == running) {
            self.delete(Variable::Trial)?;
        }
        Ok(())
    }

    fn versions(&self) -> Result<Vec<(&'static str, String)>> {
        // Unknown counts as different: the firmware is then written anew.
        let firmware = self.number(Variable::Firmware(self.running().other()))?.unwrap_or(0);
        Ok(vec![("totton-firmware", firmware.to_string())])
    }
}
