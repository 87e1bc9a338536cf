//! What a Jetson Orin keeps, as the slot logic sees it: each write is one step.

use std::io;

use totton_audio_slot::Slot;
use totton_audio_slot::orin::{Board, Register, Trial, Variable};

/// The firmware of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chain {
    Old,
    New,
    /// A capsule was interrupted: its first stage is invalid.
    Half,
}

impl Chain {
    pub const NEW: u32 = 2;

    pub fn version(self) -> Option<u32> {
        match self {
            Chain::Old => Some(1),
            Chain::New => Some(Chain::NEW),
            Chain::Half => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capsule {
    None,
    /// On the way to the ESP, or refused by the firmware: not signed by the right key.
    Bad,
    Good,
}

pub fn index(slot: Slot) -> usize {
    slot.number().into()
}

/// Everything that a restart keeps; a power cut takes the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chip {
    /// `RootfsStatusSlotX` is 0xFF.
    pub unbootable: [bool; 2],
    pub next: Option<Slot>,
    pub chain_status: Option<u8>,
    pub capsule_flag: bool,
    pub good: Option<u8>,
    pub trial: Option<Trial>,
    /// As it is encoded.
    pub outcome: Option<[u8; 4]>,
    pub firmware: [Option<u32>; 2],
    /// One for any number.
    pub way_out: u8,
    pub register: u32,
    /// The chain that the boot configuration table names.
    pub table: Slot,
    pub chains: [Chain; 2],
    pub placed: Capsule,
    /// In `/run`: a restart takes it.
    pub brought: Capsule,
    /// The slot whose kernel was started last.
    pub root: Slot,
}

impl Chip {
    pub fn new() -> Self {
        Chip {
            unbootable: [false; 2],
            next: None,
            chain_status: None,
            capsule_flag: false,
            good: None,
            trial: None,
            outcome: None,
            firmware: [None; 2],
            way_out: 0,
            register: Register::CLEAR,
            table: Slot::A,
            chains: [Chain::Old; 2],
            placed: Capsule::None,
            brought: Capsule::None,
            root: Slot::A,
        }
    }

    pub fn unbootable(&self, slot: Slot) -> bool {
        self.unbootable[index(slot)]
    }

    pub fn chain(&self, slot: Slot) -> Chain {
        self.chains[index(slot)]
    }

    /// The chain that comes up: the boot ROM takes the other one if the one named is not whole.
    pub fn runs(&self) -> Slot {
        match self.chain(self.table) {
            Chain::Half => self.table.other(),
            _ => self.table,
        }
    }

    pub fn read(&self, variable: Variable) -> Option<Vec<u8>> {
        let number = |value: u32| value.to_le_bytes().to_vec();
        match variable {
            Variable::Status(slot) => Some(number(if self.unbootable(slot) { 0xFF } else { 0 })),
            Variable::ChainCurrent => Some(number(self.runs().number().into())),
            Variable::ChainNext => self.next.map(|slot| number(slot.number().into())),
            Variable::ChainStatus => self.chain_status.map(|status| number(status.into())),
            Variable::OsIndications => {
                Some(if self.capsule_flag { 4_u64 } else { 0 }.to_le_bytes().to_vec())
            }
            Variable::Good => self.good.map(|mask| vec![mask]),
            Variable::Trial => self.trial.map(Trial::encode),
            Variable::Outcome => self.outcome.map(|bytes| bytes.to_vec()),
            Variable::Firmware(slot) => self.firmware[index(slot)].map(number),
            Variable::WayOut => (self.way_out > 0).then(|| number(self.way_out.into())),
        }
    }

    pub fn set(&mut self, variable: Variable, value: Option<&[u8]>) {
        let number = || value.map(|bytes| u32::from_le_bytes(bytes.try_into().expect("UINT32")));
        match variable {
            Variable::Status(slot) => self.unbootable[index(slot)] = number() == Some(0xFF),
            Variable::ChainCurrent => panic!("the firmware's own"),
            Variable::ChainNext => self.next = number().and_then(Slot::from_number),
            Variable::ChainStatus => self.chain_status = number().map(|status| status as u8),
            Variable::OsIndications => {
                self.capsule_flag = value.is_some_and(|bytes| bytes[0] & 4 != 0);
            }
            Variable::Good => self.good = value.map(|bytes| bytes[0]),
            Variable::Trial => {
                self.trial = value.map(|bytes| Trial::decode(bytes).expect("a trial"))
            }
            Variable::Outcome => self.outcome = value.map(|bytes| bytes.try_into().expect("four")),
            Variable::Firmware(slot) => self.firmware[index(slot)] = number(),
            Variable::WayOut => self.way_out = number().unwrap_or(0) as u8,
        }
    }
}

/// A step of a command: what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Variable(Variable),
    Register,
    Capsule,
}

impl Write {
    pub fn name(self) -> &'static str {
        match self {
            Write::Variable(variable) => variable.name(),
            Write::Register => "the register",
            Write::Capsule => "the capsule on the ESP",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Open,
    Try,
    Start,
    Confirm,
}

/// What becomes of a write. All but `Done` is a fault put back: the program is told, and reads
/// back, that it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Done,
    Dropped,
    /// Done when the command is over.
    Late,
    /// The program is told that it failed.
    Fails,
    /// Another number than the one that was to be written.
    Number(u32),
}

/// Which write of which command, with its number, in which running slot.
pub type Fault = fn(Word, Write, Option<u32>, Slot) -> Fate;

/// The chip while a command runs, with what it was after each write.
pub struct Session {
    pub chip: Chip,
    pub trail: Vec<(&'static str, Chip)>,
    word: Word,
    fault: Option<Fault>,
    /// What the program believes that it wrote.
    believed: Vec<(Variable, Option<Vec<u8>>)>,
    believed_register: Option<u32>,
    late: Vec<(Write, Option<Vec<u8>>)>,
    /// Writes that are done before `fault` comes to pass.
    spared: usize,
    /// This write is said to be done, and is not: not even a read-back sees it.
    pub forgets: Option<Write>,
}

impl Session {
    pub fn new(chip: Chip, word: Word, fault: Option<Fault>) -> Self {
        Session {
            chip,
            trail: Vec::new(),
            word,
            fault,
            believed: Vec::new(),
            believed_register: None,
            late: Vec::new(),
            spared: 0,
            forgets: None,
        }
    }

    /// Whatever is written after `spared` writes meets the fault.
    pub fn failing_after(chip: Chip, fault: Fault, spared: usize) -> Self {
        Session { spared, ..Session::new(chip, Word::Start, Some(fault)) }
    }

    fn fate(&self, write: Write, value: Option<&[u8]>) -> Fate {
        let number = value.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let fault = self.fault.filter(|_| self.trail.len() >= self.spared);
        fault.map_or(Fate::Done, |fault| fault(self.word, write, number, self.chip.root))
    }

    fn step(&mut self, write: Write) {
        self.trail.push((write.name(), self.chip));
    }

    fn apply(&mut self, write: Write, value: Option<&[u8]>) {
        match (write, value) {
            (Write::Variable(variable), value) => self.chip.set(variable, value),
            (Write::Register, Some(bits)) => {
                self.chip.register = u32::from_le_bytes(bits.try_into().expect("a register"));
            }
            _ => unreachable!("the capsule is never late"),
        }
        self.step(write);
    }

    fn change(&mut self, write: Write, value: Option<&[u8]>) -> io::Result<()> {
        let believe = |session: &mut Self| match write {
            Write::Variable(variable) => {
                session.believed.retain(|(known, _)| *known != variable);
                session.believed.push((variable, value.map(<[u8]>::to_vec)));
            }
            _ => session.believed_register = value.map(number),
        };
        if self.forgets == Some(write) {
            return Ok(());
        }
        match self.fate(write, value) {
            Fate::Done => {
                if let Write::Variable(variable) = write {
                    self.believed.retain(|(known, _)| *known != variable);
                }
                self.apply(write, value);
            }
            Fate::Dropped => believe(self),
            Fate::Late => {
                believe(self);
                self.late.push((write, value.map(<[u8]>::to_vec)));
            }
            Fate::Fails => return Err(io::Error::other("no")),
            Fate::Number(other) => {
                believe(self);
                self.apply(write, Some(&other.to_le_bytes()));
            }
        }
        Ok(())
    }

    /// The command is over.
    pub fn finish(&mut self) {
        for (write, value) in std::mem::take(&mut self.late) {
            self.apply(write, value.as_deref());
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

impl Board for &mut Session {
    fn running(&self) -> Slot {
        self.chip.root
    }

    fn read(&self, variable: Variable) -> io::Result<Option<Vec<u8>>> {
        let believed = self.believed.iter().find(|(known, _)| *known == variable);
        Ok(believed.map_or_else(|| self.chip.read(variable), |(_, value)| value.clone()))
    }

    fn write(&mut self, variable: Variable, value: &[u8]) -> io::Result<()> {
        self.change(Write::Variable(variable), Some(value))
    }

    fn delete(&mut self, variable: Variable) -> io::Result<()> {
        self.change(Write::Variable(variable), None)
    }

    fn register(&self) -> io::Result<u32> {
        Ok(self.believed_register.unwrap_or(self.chip.register))
    }

    fn set_register(&mut self, bits: u32) -> io::Result<()> {
        self.change(Write::Register, Some(&bits.to_le_bytes()))
    }

    fn firmware_version(&self) -> Option<u32> {
        self.chip.chain(self.chip.runs()).version()
    }

    fn capsule_brought(&self) -> bool {
        self.chip.brought != Capsule::None
    }

    fn place_capsule(&mut self) -> io::Result<()> {
        for placed in [Capsule::Bad, self.chip.brought] {
            self.chip.placed = placed;
            self.step(Write::Capsule);
        }
        Ok(())
    }

    fn capsule_placed(&self) -> bool {
        self.chip.placed != Capsule::None
    }

    fn remove_capsule(&mut self) -> io::Result<()> {
        if self.fate(Write::Capsule, None) == Fate::Fails {
            return Err(io::Error::other("no"));
        }
        self.chip.placed = Capsule::None;
        self.step(Write::Capsule);
        Ok(())
    }
}
