//! The command line of totton-audio-slot.

use std::process::Command;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::loader::{BootLoader, Start, Status};
use crate::platform::{LoaderKind, Lock, Machine, boot_loader};
use crate::slot::Slot;

/// The two system slots, a and b: which one runs, which one is tried next, which is good.
#[derive(Debug, Parser)]
#[command(name = "totton-audio-slot", version)]
pub struct Cli {
    #[command(subcommand)]
    word: Word,

    /// Print what would be written, and write nothing
    #[arg(long, global = true)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// What is known, for people
    Status {
        /// for programs
        #[arg(long)]
        json: bool,
    },
    /// a or b: the slot that runs
    Current,
    /// b or a: where an update is written
    Other,
    /// Exit status 0 if the running slot is on trial, 1 if not
    Trial,
    /// Prints the slot that was tried in vain, if one was
    Failed,
    /// SLOT is about to be overwritten: nothing starts it from now on
    Open { slot: Slot },
    /// Start SLOT next, on trial: three starts at most, then this slot again
    Try { slot: Slot },
    /// A system has started: called early in each start, by totton-audio-slot-start.service
    Start,
    /// The running slot is good
    Confirm,
    /// Versions of what an update may leave as it is, in SWUpdate's form
    Versions,
}

#[derive(Serialize)]
struct StatusReport {
    loader: LoaderKind,
    on_trial: bool,
    #[serde(flatten)]
    status: Status,
}

/// What the program ends with.
const OK: u8 = 0;
const NO: u8 = 1;

impl Cli {
    /// The exit status.
    pub fn run(&self, machine: &Machine) -> Result<u8> {
        match &self.word {
            Word::Current => println!("{}", machine.running()?),
            Word::Other => println!("{}", machine.running()?.other()),
            Word::Status { json } => {
                let status = self.loader(machine)?.status()?;
                if *json {
                    let report = StatusReport {
                        loader: machine.loader()?,
                        on_trial: status.on_trial(),
                        status,
                    };
                    let text = serde_json::to_string_pretty(&report).map_err(|error| {
                        Error::Read { what: "the status".to_owned(), source: error.into() }
                    })?;
                    println!("{text}");
                } else {
                    print!("{status}");
                }
            }
            Word::Trial => {
                return Ok(if self.loader(machine)?.status()?.on_trial() { OK } else { NO });
            }
            Word::Failed => {
                if let Some(lost) = self.loader(machine)?.status()?.lost {
                    println!("{}", lost.slot);
                }
            }
            Word::Versions => {
                for (name, version) in self.loader(machine)?.versions()? {
                    println!("{name} {version}");
                }
            }
            Word::Open { slot } => self.change(machine, |loader| loader.open(*slot))?,
            Word::Try { slot } => self.change(machine, |loader| loader.try_slot(*slot))?,
            Word::Confirm => self.change(machine, |loader| loader.confirm())?,
            Word::Start => self.start(machine)?,
        }
        Ok(OK)
    }

    fn loader(&self, machine: &Machine) -> Result<Box<dyn BootLoader>> {
        boot_loader(machine, self.dry_run)
    }

    fn change<T>(
        &self,
        machine: &Machine,
        command: impl FnOnce(&mut dyn BootLoader) -> Result<T>,
    ) -> Result<T> {
        // What the system lacks is told before a lock is.
        machine.running()?;
        let _lock = if self.dry_run { None } else { Some(Lock::take(machine)?) };
        command(self.loader(machine)?.as_mut())
    }

    fn start(&self, machine: &Machine) -> Result<()> {
        let running = match machine.running() {
            Err(Error::NoSlots) => {
                println!("this system has no slots");
                return Ok(());
            }
            running => running?,
        };
        match self.change(machine, |loader| loader.start())? {
            Start::Good => println!("slot {running} runs"),
            Start::OnTrial => println!("slot {running} runs, on trial"),
            Start::TrialOver(outcome) => {
                println!("<4>{outcome}; slot {running}, the one before it, runs again");
            }
            Start::TryAgain(slot) => {
                println!("<4>slot {slot} did not come up, and is started once more");
                self.restart()?;
            }
            Start::GoBackTo(slot) => {
                println!("<4>slot {slot} was confirmed just before the power was cut: back to it");
                self.restart()?;
            }
        }
        Ok(())
    }

    fn restart(&self) -> Result<()> {
        if self.dry_run {
            println!("dry run: the box restarts");
            return Ok(());
        }
        let failed = |source| Error::Write { what: "the wish to restart".to_owned(), source };
        let status =
            Command::new("systemctl").args(["--no-block", "reboot"]).status().map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        Err(failed(std::io::Error::other(format!("systemctl reboot: {status}"))))
    }
}
