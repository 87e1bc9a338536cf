use super::board::{Board, Variable};
use super::notes::{Good, Trial};
use super::register::Register;
use crate::error::{Error, Result};
use crate::loader::{BootLoader, Outcome, Reason, Start, Status, TRIES, Tries};
use crate::slot::Slot;

/// `RootfsStatusSlotX` of a slot that may start, and of one that may not.
const BOOTABLE: u32 = 0;
const UNBOOTABLE: u32 = 0xFF;
/// `BootChainFwStatus` after a change of chains. Any other value is why none was made: 12, the
/// chain did not come up; 19, it is marked as failed (other boards than an Orin do mark it).
const CHAIN_CHANGED: u32 = 0;
/// `Variable::Firmware`: a capsule was handed over, and no system of the slot has run since.
const BEING_WRITTEN: u32 = 0;
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

    /// The chain of the next start.
    fn next_chain(&self) -> Result<Slot> {
        let running = self.running();
        if self.indications()? & FILE_CAPSULE != 0 {
            return Ok(running.other());
        }
        let asked = self.number(Variable::ChainNext)?.and_then(Slot::from_number);
        let heard = self.read(Variable::ChainStatus)?.is_none();
        Ok(asked.filter(|_| heard).unwrap_or(running))
    }

    /// The launcher has a start left for the slot; to the best of what is known to somebody who may
    /// not read the register.
    fn starts(&self, slot: Slot) -> Result<bool> {
        match self.register().ok().and_then(Register::from_bits) {
            Some(register) => Ok(register.starts_left(slot) > 0),
            None => Ok(self.number(Variable::Status(slot))? != Some(UNBOOTABLE)),
        }
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
        if !self.good()?.has(running) {
            return Err(Error::OnTrial(running));
        }
        Ok(())
    }

    /// `slot` is good no longer, and nothing that was asked for of it comes to pass: the
    /// firmware does not start it. Before that the running slot is made sure of, whose
    /// confirmation may have been cut off.
    fn give_up(&mut self, slot: Slot) -> Result<()> {
        self.call_off()?;
        let good = self.good()?;
        self.verify(good)?;
        self.delete(Variable::Outcome)?;
        self.delete(Variable::Trial)?;
        self.keep_number(Variable::Status(slot), UNBOOTABLE)?;
        self.keep(Variable::Good, &good.without(slot).encode())
    }

    /// Each good slot has all its starts again, one that the firmware gave up as well.
    fn verify(&mut self, good: Good) -> Result<()> {
        for slot in Slot::BOTH.into_iter().filter(|slot| good.has(*slot)) {
            self.keep_number(Variable::Status(slot), BOOTABLE)?;
        }
        self.set_register(Register::CLEAR)
    }

    /// The next start is one of `slot`, and the one after it of the running slot, whatever
    /// becomes of it: without the register, too.
    fn arm(&mut self, slot: Slot, capsule: bool) -> Result<()> {
        let running = self.running();
        self.keep_number(Variable::Status(running), BOOTABLE)?;
        self.keep_number(Variable::Status(slot), UNBOOTABLE)?;
        self.delete(Variable::ChainStatus)?;
        self.set_register(Register::one_start_of_the_other(running).bits())?;
        if capsule {
            // The firmware changes chains with the capsule, and refuses it beside a wish to.
            self.delete(Variable::ChainNext)?;
            self.indicate_capsule(true)
        } else {
            self.keep_number(Variable::ChainNext, slot.number().into())
        }
    }

    fn indications(&self) -> Result<u64> {
        let bytes = self.read(Variable::OsIndications)?.and_then(|bytes| bytes.try_into().ok());
        Ok(bytes.map_or(0, u64::from_le_bytes))
    }

    fn indicate_capsule(&mut self, yes: bool) -> Result<()> {
        let old = self.indications()?;
        let new = if yes { old | FILE_CAPSULE } else { old & !FILE_CAPSULE };
        if new == old { Ok(()) } else { self.keep(Variable::OsIndications, &new.to_le_bytes()) }
    }

    /// The firmware went back to the running slot while `trial` is not over.
    fn come_back(&mut self, trial: Trial, good: Good) -> Result<Start> {
        let slot = trial.slot;
        let confirmed = good.has(slot);
        let heard = self.read(Variable::ChainNext)?.is_none()
            && self.number(Variable::ChainStatus)?.is_none_or(|chain| chain == CHAIN_CHANGED);
        // A chain that may be half-written is not changed to: a capsule has to mend it.
        let whole = self.number(Variable::Firmware(slot))? != Some(BEING_WRITTEN);
        // Counted before it is given: no start is given twice.
        if confirmed && trial.back < TRIES {
            self.keep(Variable::Trial, &Trial { back: trial.back + 1, ..trial }.encode())?;
            self.delete(Variable::ChainStatus)?;
            self.keep_number(Variable::ChainNext, slot.number().into())?;
            return Ok(Start::GoBackTo(slot));
        }
        if !confirmed && whole && trial.left > 0 {
            self.keep(Variable::Trial, &Trial { left: trial.left - 1, ..trial }.encode())?;
            self.arm(slot, false)?;
            return Ok(Start::TryAgain(slot));
        }
        let reason = if whole && heard { Reason::Starts } else { Reason::Firmware };
        let outcome = Outcome { slot, reason, reached: trial.reached };
        self.keep(Variable::Outcome, &outcome.encode())?;
        self.delete(Variable::ChainNext)?;
        self.delete(Variable::ChainStatus)?;
        self.delete(Variable::Trial)?;
        Ok(Start::TrialOver(outcome))
    }

    /// No change of slots that was asked for comes to pass.
    fn call_off(&mut self) -> Result<()> {
        self.delete(Variable::ChainNext)?;
        self.indicate_capsule(false)?;
        if !self.board.capsule_placed() {
            return Ok(());
        }
        let what = "the capsule on the ESP".to_owned();
        self.board.remove_capsule().map_err(|source| Error::Write { what, source })
    }

    /// The running slot's firmware has brought up its system.
    fn note_firmware(&mut self) -> Result<()> {
        let note = Variable::Firmware(self.running());
        match self.board.firmware_version() {
            Some(version) => self.keep_number(note, version),
            None => self.delete(note),
        }
    }
}

impl<B: Board> BootLoader for Orin<B> {
    fn running(&self) -> Slot {
        self.board.running()
    }

    fn status(&self) -> Result<Status> {
        let (good, trial) = (self.good()?, self.trial()?);
        let running = self.running();
        let chain = self.next_chain()?;
        let tries = |slot| match trial {
            _ if good.has(slot) => Tries::Good,
            // The one that it is given now has been counted.
            Some(trial) if trial.slot == slot && slot == chain && slot != running => {
                Tries::Trial(trial.left + 1)
            }
            Some(trial) if trial.slot == slot => Tries::Trial(trial.left),
            _ => Tries::NotGood,
        };
        let other = chain.other();
        let next = if self.starts(chain)? {
            chain
        } else if self.starts(other)? {
            other
        } else {
            // Through recovery, and the way out of it.
            if good.has(chain) { chain } else { other }
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
        self.give_up(slot)
    }

    fn try_slot(&mut self, slot: Slot) -> Result<()> {
        self.may_change(slot)?;
        let capsule = self.board.capsule_brought();
        if !capsule && self.number(Variable::Firmware(slot))? == Some(BEING_WRITTEN) {
            return Err(Error::Refused(format!(
                "slot {slot}: its firmware may be written in part only; install an update, which brings it"
            )));
        }
        self.give_up(slot)?;
        if capsule {
            self.keep_number(Variable::Firmware(slot), BEING_WRITTEN)?;
            let what = "the capsule on the ESP".to_owned();
            self.board.place_capsule().map_err(|source| Error::Write { what, source })?;
        }
        let trial = Trial { slot, left: TRIES - 1, reached: 0, back: 0 };
        self.keep(Variable::Trial, &trial.encode())?;
        self.arm(slot, capsule)
    }

    fn start(&mut self) -> Result<Start> {
        let running = self.running();
        let good = self.good()?;
        let trial = self.trial()?;
        if !good.has(running) {
            // Not verified: whatever ends this start leads to the other slot.
            if let Some(trial) = trial.filter(|trial| trial.slot == running) {
                let reached = trial.reached.saturating_add(1);
                self.keep(Variable::Trial, &Trial { reached, ..trial }.encode())?;
            }
            self.note_firmware()?;
            return Ok(Start::OnTrial);
        }
        self.verify(good)?;
        // Where nothing was kept yet.
        self.keep(Variable::Good, &good.encode())?;
        self.note_firmware()?;
        self.delete(Variable::WayOut)?;
        match trial {
            Some(trial) if trial.slot != running => return self.come_back(trial, good),
            // Confirmed, but for the last step.
            Some(_) => self.delete(Variable::Trial)?,
            None => {}
        }
        self.delete(Variable::ChainStatus)?;
        Ok(Start::Good)
    }

    fn confirm(&mut self) -> Result<()> {
        let running = self.running();
        let (good, trial) = (self.good()?, self.trial()?);
        self.note_firmware()?;
        let pending = trial.filter(|trial| trial.slot != running);
        if good.has(running) && pending.is_some() && self.next_chain()? != running {
            // The register is set for the other slot.
            return Ok(());
        }
        // First that it is good: with the power cut after it, the slot before goes back to it.
        let good = good.with(running);
        self.keep(Variable::Good, &good.encode())?;
        self.verify(good)?;
        self.delete(Variable::ChainStatus)?;
        if pending.is_none() { self.delete(Variable::Trial) } else { Ok(()) }
    }

    fn versions(&self) -> Result<Vec<(&'static str, String)>> {
        // Unknown counts as different: the firmware is then written anew.
        let firmware = self.number(Variable::Firmware(self.running().other()))?.unwrap_or(0);
        Ok(vec![("totton-firmware", firmware.to_string())])
    }
}
