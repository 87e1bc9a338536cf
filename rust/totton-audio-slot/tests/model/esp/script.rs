//! The shell script that was before: what it did to the ESP, in its order.

use totton_audio_slot::loader::{BootLoader, Outcome, Reason, Start, Status, TRIES, Tries};
use totton_audio_slot::systemd_boot::Esp;
use totton_audio_slot::{Error, Result, Slot};

use super::fat::{Name, Session, Text};

pub struct Script<'s> {
    pub session: &'s mut Session,
    pub running: Slot,
}

fn path(name: Name) -> String {
    format!("loader/entries/{}", name.text())
}

impl Script<'_> {
    /// The plain one first, empty or not.
    fn entry(&self, slot: Slot) -> Option<Name> {
        self.session
            .files
            .entries()
            .map(|(name, _)| name)
            .find(|name| name.slot == slot && !name.aside)
    }

    fn left(&self, slot: Slot) -> Option<u8> {
        self.entry(slot).and_then(|name| name.left)
    }

    fn version(&self, name: Name) -> u8 {
        match self.session.files.get(name) {
            Some(Text::Whole { version, .. }) => version,
            _ => 0,
        }
    }
}

impl BootLoader for Script<'_> {
    fn running(&self) -> Slot {
        self.running
    }

    fn status(&self) -> Result<Status> {
        let tries = |slot| self.left(slot).map_or(Tries::Good, Tries::Trial);
        let other = self.running.other();
        let lost = (self.left(other) == Some(0)).then_some(other);
        Ok(Status {
            running: self.running,
            // It did not say.
            next: self.session.files.chosen().map_or(other, |(_, slot)| slot),
            a: tries(Slot::A),
            b: tries(Slot::B),
            lost: lost.map(|slot| Outcome { slot, reason: Reason::Starts, reached: 0 }),
            recoveries: 0,
        })
    }

    fn open(&mut self, slot: Slot) -> Result<()> {
        if slot == self.running { Err(Error::Running(slot)) } else { Ok(()) }
    }

    fn try_slot(&mut self, slot: Slot) -> Result<()> {
        if slot == self.running {
            return Err(Error::Running(slot));
        }
        // It did not look, which is a path of its own: left out here.
        if self.left(self.running).is_some() {
            return Err(Error::OnTrial(self.running));
        }
        let newest =
            self.session.files.entries().map(|(name, _)| self.version(name)).max().unwrap_or(0);
        let old = self.entry(slot);
        let new = Name { left: Some(TRIES), ..Name::plain(slot) };
        let aside = path(Name { aside: true, ..new });
        let text = super::fat::render(slot, newest + 1);
        let mut esp = &mut *self.session;
        let done = esp.write(&aside, text.as_bytes()).and_then(|()| esp.rename(&aside, &path(new)));
        done.expect("no fault");
        if let Some(old) = old.filter(|old| *old != new) {
            esp.remove(&path(old)).expect("no fault");
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Start> {
        Ok(Start::Good)
    }

    fn confirm(&mut self) -> Result<()> {
        if let Some(counted) = self.entry(self.running).filter(|name| name.left.is_some()) {
            let plain = path(Name::plain(self.running));
            (&mut *self.session).rename(&path(counted), &plain).expect("no fault");
        }
        Ok(())
    }

    fn versions(&self) -> Result<Vec<(&'static str, String)>> {
        Ok(Vec::new())
    }
}
