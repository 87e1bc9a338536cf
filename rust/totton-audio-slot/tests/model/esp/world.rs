//! The QEMU machine: its ESP, what lies in the slots, and what people and faults do.

use totton_audio_slot::loader::{BootLoader, Start};
use totton_audio_slot::systemd_boot::SystemdBoot;
use totton_audio_slot::{Result, Slot};

use super::fat::{Fault, Files, Kernel, Name, Session, Text, Word};
use super::script::Script;
use crate::explore::{Broken, Event, Model, broken};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Content {
    Good,
    Unhealthy,
    /// No unit is reached: no kernel that runs, or an interrupted update.
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Off,
    Early,
    Up(Work),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    None,
    Opened,
    Writing,
    Written,
    Tried,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    files: Files,
    contents: [Content; 2],
    phase: Phase,
    root: Slot,
    confirmed: [bool; 2],
    home: Slot,
    /// The slot on trial, how often it was started, and how often the box was.
    trial: Option<(Slot, u8, u8)>,
    /// It was healthy, had starts left, and was cut while it was confirmed.
    healthy: Option<Slot>,
}

#[derive(Clone, Copy, Debug)]
pub struct System {
    pub fault: Fault,
    /// The shell script that was before.
    pub script: bool,
    /// Only violations with these words are looked for.
    pub only: &'static str,
}

type Held<T> = std::result::Result<T, Broken>;
type Cuts = Vec<(&'static str, Files, bool)>;

fn index(slot: Slot) -> usize {
    slot.number().into()
}

impl World {
    fn content(&self, slot: Slot) -> Content {
        match self.files.kernels[index(slot)] {
            Kernel::Whole => self.contents[index(slot)],
            Kernel::Part | Kernel::None => Content::Dead,
        }
    }

    fn off(self) -> World {
        let mut world = World { phase: Phase::Off, ..self };
        world.files.brought = false;
        world
    }

    /// Confirmed as soon as its entry counts no more.
    fn confirming(mut self) -> World {
        let plain = self.files.get(Name::plain(self.root));
        if plain.is_some_and(|text| text != Text::Empty) {
            self.confirmed[index(self.root)] = true;
            self.home = self.root;
            self.trial = self.trial.filter(|(slot, ..)| *slot != self.root);
        }
        self
    }
}

impl System {
    fn command<T>(
        &self,
        world: &World,
        word: Word,
        f: impl Fn(&mut dyn BootLoader) -> Result<T>,
    ) -> (Cuts, Files, Result<T>) {
        let mut session = Session::new(world.files, word, self.fault);
        let result = if self.script {
            f(&mut Script { session: &mut session, running: world.root })
        } else {
            f(&mut SystemdBoot::new(&mut session, world.root))
        };
        (session.trail, session.files, result)
    }

    fn cuts(
        word: &'static str,
        trail: &Cuts,
        out: &mut Vec<(Event, World)>,
        see: impl Fn(Files) -> World,
    ) {
        for (what, files, whole) in trail {
            let at = see(*files);
            out.push(([word, ", cut at: ", what], at.off()));
            if *whole {
                let killed = World { phase: Phase::Up(Work::None), ..at };
                out.push(([word, ", killed after: ", what], killed));
            }
        }
    }

    fn boot(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        let Some((name, slot)) = world.files.chosen() else {
            return broken("no entry is left to start");
        };
        let mut world = World { healthy: None, ..*world };
        if let Some((.., attempts)) = &mut world.trial {
            *attempts = (*attempts + 1).min(3);
        }
        if let Name { left: Some(left @ 1..), had, .. } = name {
            let counted = Name { left: Some(left - 1), had: had + 1, ..name };
            let text = world.files.get(name).expect("chosen");
            // UEFI's FAT driver removes the old name, then makes the new one.
            world.files.delete(name);
            out.push((["cut while systemd-boot counts: no entry", "", ""], world.off()));
            world.files.put(counted, text);
            out.push((["cut after systemd-boot has counted", "", ""], world.off()));
        }
        match &mut world.trial {
            Some((trial, starts, _)) if *trial == slot => {
                *starts += 1;
                if *starts > 3 {
                    return broken(format!("slot {slot} is started a fourth time in its trial"));
                }
            }
            _ if !world.confirmed[index(slot)] => {
                return broken(format!("slot {slot} is started outside a trial"));
            }
            _ => {}
        }
        world.root = slot;
        world.phase = Phase::Early;
        let what = if slot == Slot::A { "systemd-boot starts a" } else { "systemd-boot starts b" };
        out.push(([what, "", ""], world));
        Ok(())
    }

    fn start(&self, world: &World, out: &mut Vec<(Event, World)>) {
        let (trail, files, result) = self.command(world, Word::Start, |loader| loader.start());
        Self::cuts("start", &trail, out, |files| World { files, ..*world });
        let _: Start = result.expect("start");
        out.push((["start", "", ""], World { files, phase: Phase::Up(Work::None), ..*world }));
    }

    fn confirm(&self, world: &World, out: &mut Vec<(Event, World)>) {
        let (trail, files, result) = self.command(world, Word::Confirm, |loader| loader.confirm());
        let counted = |(name, text): (Name, Text)| {
            name.slot == world.root
                && !name.aside
                && name.left.is_some_and(|left| left > 0)
                && text != Text::Empty
        };
        let tried = world.trial.is_some_and(|(slot, ..)| slot == world.root);
        let healthy = (tried && world.files.entries().any(counted)).then_some(world.root);
        let see = |files| World { files, ..*world }.confirming();
        Self::cuts("confirm", &trail, out, |files| World { healthy, ..see(files) });
        let ended = if result.is_ok() { "" } else { ": error" };
        out.push((["confirm", ended, ""], see(files)));
    }

    fn open(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        let other = world.root.other();
        let (trail, files, result) = self.command(world, Word::Open, |loader| loader.open(other));
        let see = |files| World { files, ..*world };
        Self::cuts("open", &trail, out, see);
        if result.is_ok() {
            if !world.confirmed[index(world.root)] {
                return broken("the only confirmed slot may be overwritten");
            }
            let opened = World { phase: Phase::Up(Work::Opened), home: world.root, ..see(files) };
            out.push((["open", "", ""], opened));
        }
        Ok(())
    }

    fn try_other(&self, world: &World, out: &mut Vec<(Event, World)>) {
        let other = world.root.other();
        let (trail, files, result) =
            self.command(world, Word::Try, |loader| loader.try_slot(other));
        if result.is_err() {
            return;
        }
        let see = |files: Files| {
            // As long as its entry is there, status tells of the trial before.
            let over = |(name, _): (Name, Text)| name.slot == other && name.left == Some(0);
            let attempts = if files.entries().any(over) { 3 } else { 0 };
            World { files, trial: Some((other, 0, attempts)), ..*world }
        };
        Self::cuts("try", &trail, out, see);
        let tried = World { phase: Phase::Up(Work::Tried), home: world.root, ..see(files) };
        out.push((["try", "", ""], tried));
    }

    fn up(&self, world: &World, work: Work, out: &mut Vec<(Event, World)>) -> Held<()> {
        out.push((["restart, or power cut", "", ""], world.off()));
        if world.content(world.root) == Content::Good {
            self.confirm(world, out);
        }
        let other = index(world.root.other());
        match work {
            Work::None | Work::Tried => {
                self.open(world, out)?;
                self.try_other(world, out);
            }
            Work::Opened => {
                let mut written = World { phase: Phase::Up(Work::Writing), trial: None, ..*world };
                written.contents[other] = Content::Dead;
                written.confirmed[other] = false;
                out.push((["SWUpdate begins to write the other slot", "", ""], written));
            }
            Work::Writing => {
                for (content, name) in [
                    (Content::Good, "good"),
                    (Content::Unhealthy, "unhealthy"),
                    (Content::Dead, "dead"),
                ] {
                    let mut written = World { phase: Phase::Up(Work::Written), ..*world };
                    written.contents[other] = content;
                    written.files.brought = true;
                    out.push((["the update is written: ", name, ""], written));
                }
            }
            Work::Written => self.try_other(world, out),
        }
        Ok(())
    }
}

impl Model for System {
    type State = World;

    fn first(&self) -> Vec<World> {
        vec![World {
            files: Files::new(),
            contents: [Content::Good; 2],
            phase: Phase::Off,
            root: Slot::A,
            confirmed: [true; 2],
            home: Slot::A,
            trial: None,
            healthy: None,
        }]
    }

    fn next(&self, world: &World, out: &mut Vec<(Event, World)>) -> Held<()> {
        match world.phase {
            Phase::Off => self.boot(world, out)?,
            Phase::Early => {
                out.push((["early restart, or power cut", "", ""], world.off()));
                if world.content(world.root) != Content::Dead {
                    self.start(world, out);
                }
            }
            Phase::Up(work) => self.up(world, work, out)?,
        }
        Ok(())
    }

    fn alone(&self, world: &World) -> Held<Option<World>> {
        let mut out = Vec::new();
        match (world.phase, world.content(world.root)) {
            (Phase::Off, _) => self.boot(world, &mut out)?,
            (Phase::Early, Content::Dead) => return Ok(Some(world.off())),
            (Phase::Early, _) => self.start(world, &mut out),
            (Phase::Up(Work::Tried), _) => return Ok(Some(world.off())),
            (Phase::Up(_), Content::Good) => {
                self.confirm(world, &mut out);
                let next = out.pop().expect("confirm").1;
                return Ok(Some(next).filter(|next| next != world));
            }
            (Phase::Up(_), _) => {
                let (_, _, status) = self.command(world, Word::Start, |loader| loader.status());
                return Ok(status.expect("status").on_trial().then(|| world.off()));
            }
        }
        Ok(out.pop().map(|(_, next)| next))
    }

    fn holds(&self, world: &World, rest: &World) -> Held<()> {
        let other = world.home.other();
        if rest.home != world.home && world.trial.is_none_or(|(slot, ..)| slot != other) {
            return broken(format!(
                "slot {}, confirmed last, is not the one that stays",
                world.home
            ));
        }
        if world.healthy.is_some_and(|slot| slot != rest.root) {
            return broken("an update is undone by a cut in its confirmation");
        }
        let Phase::Up(work) = world.phase else { return Ok(()) };
        let tried = world.root.other();
        if work == Work::Tried && world.content(tried) == Content::Good && rest.root != tried {
            return broken("a good update, left alone, was not confirmed");
        }
        let (_, _, status) = self.command(world, Word::Start, |loader| loader.status());
        let Ok(status) = status else { return broken("no status") };
        if world.files.chosen().is_some_and(|(_, slot)| slot != status.next) {
            return broken(format!("status says that slot {} is next", status.next));
        }
        if status.lost.is_some() && world.trial.is_some_and(|(.., attempts)| attempts < 3) {
            return broken("status says that a slot failed before its three starts");
        }
        Ok(())
    }

    fn rests(&self, rest: &World) -> Held<()> {
        let root = rest.root;
        if rest.content(root) != Content::Good || !rest.confirmed[index(root)] {
            return broken(format!(
                "the box comes to rest in slot {root}, which was not confirmed"
            ));
        }
        if rest.home != root {
            return broken(format!(
                "slot {}, confirmed last, is not the one that stays",
                rest.home
            ));
        }
        let (_, _, open) = self.command(rest, Word::Open, |loader| loader.open(root));
        let (_, _, tried) = self.command(rest, Word::Try, |loader| loader.try_slot(root));
        if open.is_ok() || tried.is_ok() {
            return broken("the running slot may be written");
        }
        self.update(rest)
    }

    fn counts(&self, broken: &Broken) -> bool {
        broken.0.contains(self.only)
    }

    fn tidy(&self, world: &mut World) {
        if world.phase != Phase::Off {
            world.healthy = None;
        }
        world.files.rank();
        if world.phase == Phase::Off {
            world.root = Slot::A;
        }
    }

    fn show(&self, world: &World) -> String {
        let names = |(name, text): (Name, _)| match text {
            Text::Empty => format!("{} (empty)", name.text()),
            Text::Whole { version, .. } => format!("{} (v{version})", name.text()),
        };
        let entries: Vec<String> = world.files.entries().map(names).collect();
        let phase = match world.phase {
            Phase::Off => "off".to_owned(),
            Phase::Early => format!("{} starts", world.root),
            Phase::Up(work) => format!("{} runs {work:?}", world.root).to_lowercase(),
        };
        format!(
            "{phase}; a {:?} b {:?}; {}",
            world.content(Slot::A),
            world.content(Slot::B),
            entries.join(", ")
        )
    }
}

impl System {
    /// A good update installed now is kept.
    fn update(&self, rest: &World) -> Held<()> {
        let mut out = Vec::new();
        self.open(rest, &mut out)?;
        let Some((_, mut world)) = out.pop().filter(|(_, at)| at.phase == Phase::Up(Work::Opened))
        else {
            return broken("no update can be installed: open fails");
        };
        let other = rest.root.other();
        world.contents[index(other)] = Content::Good;
        world.confirmed[index(other)] = false;
        world.files.brought = true;
        self.try_other(&world, &mut out);
        let Some((_, mut world)) = out.pop().filter(|(_, at)| at.phase == Phase::Up(Work::Tried))
        else {
            return broken("no update can be installed: try fails");
        };
        for _ in 0..60 {
            match self.alone(&world)? {
                Some(next) => world = next,
                None if world.root == other && world.home == other => return Ok(()),
                None => break,
            }
        }
        broken("an update installed now is not kept")
    }
}
