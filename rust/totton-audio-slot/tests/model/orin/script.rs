//! The shell script that was before, and NVIDIA's `nvbootctrl` under it.

use totton_audio_slot::loader::{BootLoader, Outcome, Reason, Start, Status, TRIES, Tries};
use totton_audio_slot::orin::{Board, Register, Trial, Variable};
use totton_audio_slot::{Error, Result, Slot};

use super::chip::{Chain, Session};

pub struct Script<'s> {
    pub session: &'s mut Session,
    /// CAP_SYS_RAWIO: `nvbootctrl verify` may open /dev/mem.
    pub rawio: bool,
}

impl Script<'_> {
    fn note(&self) -> Option<Slot> {
        self.session.chip.trial.map(|trial| trial.slot)
    }

    fn set(&mut self, variable: Variable, value: Option<&[u8]>) {
        let mut board = &mut *self.session;
        let done = match value {
            Some(value) => board.write(variable, value),
            None => board.delete(variable),
        };
        done.expect("no fault is put into the script");
    }
}

impl BootLoader for Script<'_> {
    fn running(&self) -> Slot {
        self.session.chip.root
    }

    fn status(&self) -> Result<Status> {
        let running = self.running();
        let tries = |slot| match self.note() {
            Some(trial) if trial == slot => Tries::Trial(0),
            _ => Tries::Good,
        };
        let lost = self.note().filter(|slot| *slot != running);
        Ok(Status {
            running,
            next: self.session.chip.next.unwrap_or(running),
            a: tries(Slot::A),
            b: tries(Slot::B),
            lost: lost.map(|slot| Outcome { slot, reason: Reason::Starts, reached: 0 }),
            recoveries: 0,
        })
    }

    fn open(&mut self, slot: Slot) -> Result<()> {
        if slot == self.running() { Err(Error::Running(slot)) } else { Ok(()) }
    }

    fn try_slot(&mut self, slot: Slot) -> Result<()> {
        if slot == self.running() {
            return Err(Error::Running(slot));
        }
        let trial = Trial { slot, left: TRIES, reached: 0, back: 0 };
        self.set(Variable::Trial, Some(&trial.encode()));
        let mut board = &mut *self.session;
        if board.capsule_brought() {
            board.place_capsule().expect("no fault");
            self.set(Variable::OsIndications, Some(&4_u64.to_le_bytes()));
        } else {
            let number = u32::from(slot.number()).to_le_bytes();
            self.set(Variable::ChainNext, Some(&number));
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Start> {
        Ok(Start::Good)
    }

    fn confirm(&mut self) -> Result<()> {
        let running = self.running();
        self.set(Variable::ChainStatus, None);
        if !self.rawio {
            return Err(Error::Refused("can not open /dev/mem".to_owned()));
        }
        (&mut &mut *self.session).set_register(Register::CLEAR).expect("no fault");
        self.set(Variable::Trial, None);
        let version = (&&mut *self.session).firmware_version().unwrap_or(Chain::NEW);
        self.set(Variable::Firmware(running), Some(&version.to_le_bytes()));
        Ok(())
    }

    fn versions(&self) -> Result<Vec<(&'static str, String)>> {
        let other = self.running().other();
        let firmware = self.session.chip.firmware[super::chip::index(other)].unwrap_or(0);
        Ok(vec![("totton-firmware", firmware.to_string())])
    }
}
