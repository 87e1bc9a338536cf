//! What happens to the box: the firmware's starts, the commands, people and faults.

use totton_audio_slot::loader::BootLoader;
use totton_audio_slot::orin::Orin;
use totton_audio_slot::{Result, Slot};

use super::chip::{Capsule, Chain, Chip, Fault, Session, Word, index};
use super::firmware::{End, Firmware, start_up};
use super::invariants;
use super::script::Script;
use super::world::{Content, Phase, Trial, Work, World, starts_left};
use crate::explore::{Broken, Event, Model, broken};

type Held<T> = std::result::Result<T, Broken>;

/// Whose program drives the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    Shipped,
    /// The shell script before it; whether it may open /dev/mem.
    Script {
        rawio: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct System {
    pub firmware: Firmware,
    pub logic: Logic,
    pub fault: Option<Fault>,
    /// Only violations with these words are looked for.
    pub only: &'static str,
    /// Nothing happens but whole starts, healthy minutes and warm restarts.
    pub calm: bool,
}

impl System {
    pub const SHIPPED: System = System {
        firmware: Firmware::ORIN,
        logic: Logic::Shipped,
        fault: None,
        only: "",
        calm: false,
    };

    pub fn with<T>(&self, session: &mut Session, f: impl Fn(&mut dyn BootLoader) -> T) -> T {
        match self.logic {
            Logic::Shipped => f(&mut Orin::new(session)),
            Logic::Script { rawio } => f(&mut Script { session, rawio }),
        }
    }

    /// Runs a command on the chip: what it was after each write, and the end.
    pub fn command<T>(
        &self,
        chip: Chip,
        word: Word,
        f: impl Fn(&mut dyn BootLoader) -> Result<T>,
    ) -> (Vec<(&'static str, Chip)>, Chip, Result<T>) {
        let mut session = Session::new(chip, word, self.fault);
        let result = self.with(&mut session, f);
        session.finish();
        (session.trail, session.chip, result)
    }

    /// What was only asked, changing nothing.
    pub fn ask<T>(&self, chip: Chip, f: impl Fn(&mut dyn BootLoader) -> T) -> T {
        let mut session = Session::new(chip, Word::Start, None);
        let answer = self.with(&mut session, f);
        assert!(session.trail.is_empty(), "a question wrote {:?}", session.trail);
        answer
    }
}

/// Collects the states after a command: cut off after each write, killed there, and done.
struct Branch<'a> {
    out: &'a mut Vec<(Event, World)>,
    word: &'static str,
}

impl Branch<'_> {
    fn cuts(&mut self, world: World, trail: &[(&'static str, Chip)], see: impl Fn(World) -> World) {
        for (what, chip) in trail {
            let at = see(world.with(*chip));
            self.out.push(([self.word, ", warm restart after ", what], at.cut(false)));
            self.out.push(([self.word, ", power cut after ", what], at.cut(true)));
            let killed = World { phase: Phase::Up(Work::None), ..at };
            self.out.push(([self.word, ", killed after ", what], killed));
        }
    }

    fn done(&mut self, failed: bool, world: World) {
        self.out.push(([self.word, if failed { ": error" } else { "" }, ""], world));
    }
}

impl System {
    fn off(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        let world = World { attempts: (world.attempts + 1).min(3), ..*world };
        let start = start_up(world.chip, self.firmware);
        if start.recovery && !world.fell {
            return broken("RECOVERY, and no confirmed slot was reset early three times in a row");
        }
        for (what, chip, _) in start.trail.iter().filter(|_| !self.calm) {
            let half = chip.chain(chip.table) == Chain::Half;
            if half && chip.table != world.chip.table && !world.fell {
                return broken("the firmware is told to change to a chain that is not whole");
            }
            let at = world.with(*chip);
            let early = Slot::BOTH.into_iter().any(|slot| {
                world.loyal(slot) && starts_left(chip, slot) < starts_left(&world.chip, slot)
            });
            out.push((["firmware, warm restart after ", what, ""], at.restart(early)));
            out.push((["firmware, power cut after ", what, ""], at.cut(true)));
        }
        match start.end {
            End::Kernel(Slot::A) => {
                out.push((
                    ["the firmware starts a", "", ""],
                    world.with(start.chip).kernel(Slot::A)?,
                ));
            }
            End::Kernel(Slot::B) => {
                out.push((
                    ["the firmware starts b", "", ""],
                    world.with(start.chip).kernel(Slot::B)?,
                ));
            }
            End::Recovery => return broken("the box ends in RECOVERY"),
            End::Endless => return broken("the firmware restarts for ever"),
        }
        Ok(())
    }

    fn start(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        let (trail, chip, result) = self.command(world.chip, Word::Start, |loader| loader.start());
        let mut branch = Branch { out, word: "start" };
        branch.cuts(*world, &trail, |at| at.going_back_ends(world));
        let world = world.with(chip).started(&result)?;
        branch.done(result.is_err(), world);
        Ok(())
    }

    fn confirm(&self, world: &World, out: &mut Vec<(Event, World)>) {
        let (trail, chip, result) =
            self.command(world.chip, Word::Confirm, |loader| loader.confirm());
        let mut branch = Branch { out, word: "a healthy minute, confirm" };
        branch.cuts(*world, &trail, |at| at.confirming(world));
        let done = world.with(chip).confirming(world);
        branch.done(result.is_err(), if result.is_ok() { done.settled() } else { done });
    }

    fn open(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        let other = world.root().other();
        let (trail, chip, result) =
            self.command(world.chip, Word::Open, |loader| loader.open(other));
        let mut branch = Branch { out, word: "open the other slot" };
        branch.cuts(*world, &trail, World::given_up);
        if result.is_err() {
            branch.done(true, world.with(chip));
            return Ok(());
        }
        if !world.confirmed(world.root()) {
            return broken("the only confirmed slot may be overwritten");
        }
        let phase = Phase::Up(Work::Opened);
        branch.done(false, World { phase, ..world.with(chip).given_up() }.settled());
        Ok(())
    }

    fn try_other(&self, world: &World, out: &mut Vec<(Event, World)>) {
        let other = world.root().other();
        let (trail, chip, result) =
            self.command(world.chip, Word::Try, |loader| loader.try_slot(other));
        let mut branch = Branch { out, word: "try the other slot" };
        if trail.is_empty() && result.is_err() {
            return;
        }
        // From the first write that ends the trial before it on, it is a new one.
        let told = |chip: &Chip| chip.trial.is_some() || chip.outcome.is_some();
        let old = trail.iter().take_while(|(_, chip)| told(chip)).count();
        let old = if told(&world.chip) { old } else { 0 };
        let trial = Some(Trial { slot: other, starts: 0 });
        branch.cuts(*world, &trail[..old], World::given_up);
        let world = World { trial, attempts: 0, ..*world };
        branch.cuts(world, &trail[old..], World::given_up);
        let work = if result.is_ok() { Work::Tried } else { Work::None };
        let done = World { phase: Phase::Up(work), ..world.with(chip).given_up() };
        branch.done(result.is_err(), if result.is_ok() { done.settled() } else { done });
    }

    fn write(world: &World, out: &mut Vec<(Event, World)>) {
        let other = world.root().other();
        let mut written = World { phase: Phase::Up(Work::Writing), trial: None, ..*world };
        written.contents[index(other)] = Content::Half;
        written.confirmed[index(other)] = false;
        out.push((["SWUpdate begins to write the other slot", "", ""], written));
    }

    fn complete(&self, world: &World, out: &mut Vec<(Event, World)>) {
        let wanted = self.wants_capsule(world);
        for (content, name) in [
            (Content::Good, "good"),
            (Content::Unhealthy, "unhealthy"),
            (Content::NoKernel, "no kernel"),
            (Content::Half, "hangs"),
        ] {
            let mut written = World { phase: Phase::Up(Work::Written), ..*world };
            written.contents[index(world.root().other())] = content;
            if !wanted {
                out.push((["the update is written: ", name, ""], written));
                continue;
            }
            written.chip.brought = Capsule::Good;
            out.push((["the update is written: ", name, ", with a capsule"], written));
            if content == Content::Good {
                written.chip.brought = Capsule::Bad;
                out.push((["the update is written: ", name, ", with a bad capsule"], written));
            }
        }
    }

    /// As `install-if-different` of the bundle has it.
    fn wants_capsule(&self, world: &World) -> bool {
        let versions = self.ask(world.chip, |loader| loader.versions()).expect("versions");
        versions[0].1 != Chain::NEW.to_string()
    }

    fn up(&self, world: &World, work: Work, out: &mut Vec<(Event, World)>) -> Held<()> {
        out.push((["warm restart", "", ""], world.cut(false)));
        if self.calm {
            self.confirm(world, out);
            return Ok(());
        }
        out.push((["power cut", "", ""], world.cut(true)));
        if work == Work::Leaves {
            return Ok(());
        }
        if world.content(world.root()) == Content::Good {
            self.confirm(world, out);
        }
        match work {
            Work::None | Work::Tried => {
                self.open(world, out)?;
                self.try_other(world, out);
            }
            Work::Opened => Self::write(world, out),
            Work::Writing => self.complete(world, out),
            Work::Written => self.try_other(world, out),
            Work::Leaves => {}
        }
        Ok(())
    }

    /// Runs a good update from a box at rest until it is at rest again.
    pub fn updated(&self, rest: &World) -> Held<World> {
        let mut out = Vec::new();
        self.open(rest, &mut out)?;
        let mut world = out.pop().expect("open").1;
        if world.phase != Phase::Up(Work::Opened) {
            return broken("no update can be installed: open fails");
        }
        Self::write(&world, &mut out);
        world = out.pop().expect("write").1;
        world.contents[index(world.root().other())] = Content::Good;
        if self.wants_capsule(&world) {
            world.chip.brought = Capsule::Good;
        }
        world.phase = Phase::Up(Work::Written);
        out.clear();
        self.try_other(&world, &mut out);
        world = match out.pop() {
            Some((_, world)) if world.phase == Phase::Up(Work::Tried) => world,
            _ => return broken("no update can be installed: try fails"),
        };
        for _ in 0..60 {
            match self.alone(&world)? {
                Some(next) => world = next,
                None => return Ok(world),
            }
        }
        broken("after an update the box never comes to rest")
    }
}

impl Model for System {
    type State = World;

    fn first(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn next(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        match world.phase {
            Phase::Off => self.off(world, out)?,
            Phase::Early => {
                if !self.calm {
                    out.push((["early warm restart", "", ""], world.cut(false)));
                    out.push((["early power cut", "", ""], world.cut(true)));
                }
                if matches!(world.content(world.root()), Content::Good | Content::Unhealthy) {
                    self.start(world, out)?;
                }
            }
            Phase::Up(work) => self.up(world, work, out)?,
        }
        Ok(())
    }

    fn alone(&self, world: &World) -> Held<Option<World>> {
        let mut out = Vec::new();
        let restart = world.cut(false);
        match (world.phase, world.content(world.root())) {
            (Phase::Off, _) => self.off(world, &mut out)?,
            (Phase::Early, Content::Good | Content::Unhealthy) => self.start(world, &mut out)?,
            (Phase::Early, _) => return Ok(Some(world.cut(true))),
            (Phase::Up(Work::Leaves | Work::Tried), _) => return Ok(Some(restart)),
            (Phase::Up(_), Content::Good) => {
                self.confirm(world, &mut out);
                let next = out.pop().expect("confirm").1;
                // Switched off and on some day: what was asked for comes to pass.
                let last = next.chip.trial.map(|_| restart);
                return Ok(if next == *world { last } else { Some(next) });
            }
            (Phase::Up(_), _) => {
                let on_trial = self.ask(world.chip, |loader| loader.status()).expect("status");
                return Ok(on_trial.on_trial().then_some(restart));
            }
        }
        Ok(out.pop().map(|(_, next)| next))
    }

    fn holds(&self, world: &World, rest: &World) -> Held<()> {
        invariants::holds(self, world, rest)
    }

    fn rests(&self, rest: &World) -> Held<()> {
        invariants::rests(self, rest)
    }

    fn counts(&self, broken: &Broken) -> bool {
        broken.0.contains(self.only)
    }

    fn tidy(&self, world: &mut World) {
        let chip = &mut world.chip;
        if chip.trial.is_none() && (chip.outcome.is_none() || world.phase == Phase::Off) {
            world.attempts = 3;
        }
        if world.phase == Phase::Off {
            chip.root = Slot::A;
        }
        // How often a slot was reached is told, and decides nothing.
        if let Some(trial) = chip.trial.as_mut() {
            trial.reached = 0;
        }
        if let Some([.., reached]) = chip.outcome.as_mut() {
            *reached = 0;
        }
    }

    fn show(&self, world: &World) -> String {
        invariants::show(world)
    }
}
