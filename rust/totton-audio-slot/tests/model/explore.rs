//! An exhaustive search, breadth first: the first violation found has a shortest path.
//!
//! Not stateright: what is explored here is a program between two power cuts. One run of it
//! gives a successor after each of its writes, which do not fit "one action, one next state"
//! but by running it anew for each; and what must hold of a state is often where it leads when
//! it is left alone, which the search knows and a property of one state does not. Left over
//! would be a queue and a hash table, at the price of over forty crates, a web server among them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Debug};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::time::{Duration, Instant};

/// What happens between two states, in parts.
pub type Event = [&'static str; 3];

/// What is explored.
pub trait Model {
    type State: Copy + Eq + Hash + Debug;

    fn first(&self) -> Vec<Self::State>;

    /// Every state that may come after `state`, with what led to it.
    fn next(&self, state: &Self::State, out: &mut Vec<(Event, Self::State)>) -> Result<(), Broken>;

    /// The state after `state` if nothing disturbs the box. None: it has come to rest.
    fn alone(&self, state: &Self::State) -> Result<Option<Self::State>, Broken>;

    /// What must hold of a state, given where it comes to rest.
    fn holds(&self, state: &Self::State, rest: &Self::State) -> Result<(), Broken>;

    /// What must hold of a state of rest.
    fn rests(&self, rest: &Self::State) -> Result<(), Broken>;

    /// Whether a violation is looked for: the others are left aside.
    fn counts(&self, broken: &Broken) -> bool;

    /// Makes states equal that differ in nothing that matters.
    fn tidy(&self, state: &mut Self::State);

    /// One line.
    fn show(&self, state: &Self::State) -> String;
}

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

pub fn broken<T>(what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken(what.into()))
}

pub struct Found {
    pub states: usize,
    pub transitions: usize,
    pub depth: usize,
    pub took: Duration,
    pub violation: Option<Violation>,
}

pub struct Violation {
    pub what: String,
    /// What happened, and what it led to.
    pub path: Vec<(String, String)>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} transitions, depth {}, {:.1} s",
            self.states,
            self.transitions,
            self.depth,
            self.took.as_secs_f64()
        )?;
        match &self.violation {
            None => write!(f, ": closed, all invariants hold"),
            Some(violation) => write!(f, "\n{violation}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "VIOLATED: {}", self.what)?;
        for (number, (event, state)) in self.path.iter().enumerate() {
            writeln!(f, "{number:3} {event}\n      {state}")?;
        }
        Ok(())
    }
}

/// Not against an enemy, but fast: a state is a hundred bytes of small numbers.
#[derive(Default)]
struct Mix(u64);

impl Mix {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add((*byte).into());
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.add(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.add(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

struct Search<'m, M: Model> {
    model: &'m M,
    /// Where a state was first come to from, and by what.
    from: Map<M::State, Option<(M::State, Event)>>,
    rests: Map<M::State, M::State>,
    rested: Map<M::State, ()>,
}

impl<M: Model> Search<'_, M> {
    /// Where a state comes to rest.
    fn rest(&mut self, state: &M::State) -> Result<M::State, Broken> {
        let mut way = vec![*state];
        let rest = loop {
            let last = way[way.len() - 1];
            if let Some(rest) = self.rests.get(&last) {
                break *rest;
            }
            match self.model.alone(&last)? {
                None => break last,
                Some(next) if way.contains(&next) => {
                    return broken(format!(
                        "left alone, the box never comes to rest: {}",
                        self.model.show(&next)
                    ));
                }
                Some(next) => way.push(next),
            }
        };
        for state in way {
            self.rests.insert(state, rest);
        }
        Ok(rest)
    }

    fn check(&mut self, state: &M::State) -> Result<(), Broken> {
        let rest = self.rest(state)?;
        self.model.holds(state, &rest)?;
        if self.rested.insert(rest, ()).is_none() {
            self.model.rests(&rest)?;
        }
        Ok(())
    }

    /// The way to a state, and on from there if it is left alone.
    fn violation(&self, state: M::State, broken: Broken) -> Violation {
        let mut path = Vec::new();
        let mut at = state;
        while let Some(Some((before, event))) = self.from.get(&at) {
            path.push((event.concat(), self.model.show(&at)));
            at = *before;
        }
        path.push(("at first".to_owned(), self.model.show(&at)));
        path.reverse();
        let mut way = vec![state];
        while let Ok(Some(next)) = self.model.alone(&way[way.len() - 1]) {
            if way.contains(&next) {
                break;
            }
            path.push(("left alone".to_owned(), self.model.show(&next)));
            way.push(next);
        }
        Violation { what: broken.0, path }
    }
}

/// Explores until no new state is found, an invariant is broken, or there are `limit` states.
pub fn explore<M: Model>(model: &M, limit: usize) -> Found {
    let begin = Instant::now();
    let mut search =
        Search { model, from: Map::default(), rests: Map::default(), rested: Map::default() };
    let (mut depth, mut transitions) = (0, 0);
    let mut level = model.first();
    for state in &level {
        search.from.insert(*state, None);
    }
    let mut out = Vec::new();
    let mut violation = None;
    'levels: while !level.is_empty() {
        let mut following = Vec::new();
        for state in &level {
            if let Err(broken) = search.check(state)
                && model.counts(&broken)
            {
                violation = Some(search.violation(*state, broken));
                break 'levels;
            }
            out.clear();
            if let Err(broken) = model.next(state, &mut out)
                && model.counts(&broken)
            {
                violation = Some(search.violation(*state, broken));
                break 'levels;
            }
            transitions += out.len();
            // What goes well first: of two paths of the same length it is the plainer one.
            for (event, mut next) in out.drain(..).rev() {
                model.tidy(&mut next);
                if let Entry::Vacant(entry) = search.from.entry(next) {
                    entry.insert(Some((*state, event)));
                    following.push(next);
                }
            }
            assert!(search.from.len() < limit, "more than {limit} states: not closed");
        }
        depth += 1;
        level = following;
    }
    Found { states: search.from.len(), transitions, depth, took: begin.elapsed(), violation }
}
