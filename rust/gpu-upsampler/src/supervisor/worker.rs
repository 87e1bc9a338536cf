//! The thread that prepares: filters, equalisers and engines, one at a time.
//!
//! What a stream waits for goes before a change, a change before what may be needed later;
//! of each kind only the newest counts, and what it takes the place of is stopped. So memory for
//! work under way is that of one piece of work, whatever is asked.
//!
//! Where folding the equaliser in takes long, a stream first gets the filter without it, as low
//! as it will be with it ([`FilterSet::stand_in`](crate::filters::FilterSet::stand_in)).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::open::EngineBuilder;
use super::prepare::{Ahead, Change, Made, Need, Prepared, Task};
use super::{Event, tell_of_death};
use crate::error::Error;
use crate::filters::LoadedFilter;
use crate::threads;

/// How long the equaliser's filter may take before the stream begins without it.
const STAND_IN_AFTER: Duration = Duration::from_millis(300);

/// The way to the thread; it ends when this is dropped.
pub(super) struct Worker {
    desk: Arc<Desk>,
}

/// What is to be done.
#[derive(Default)]
struct Tasks {
    need: Option<Need>,
    files: Option<Task>,
    settings: Option<Task>,
    ahead: Option<Ahead>,
    /// The numbers of the newest changes, of files and of settings, wherever they are by now.
    newest: [u64; 2],
    /// What is not urgent waits: memory has no room for another engine just now.
    held: bool,
    ended: bool,
}

impl Tasks {
    /// Whether there is a change that may be got ready now.
    fn has_change(&self) -> bool {
        !self.held && (self.files.is_some() || self.settings.is_some())
    }

    /// Whether there is nothing that may be done now.
    fn is_idle(&self) -> bool {
        let waits = self.held && self.need.as_ref().is_none_or(|need| need.late);
        let need = self.need.is_some() && !waits;
        !need && !self.has_change() && (self.held || self.ahead.is_none())
    }
}

#[derive(Default)]
struct Desk {
    tasks: Mutex<Tasks>,
    changed: Condvar,
}

/// What is being done.
enum Job {
    Need(Need),
    Change(Box<Task>),
    Ahead(Ahead),
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most urgent job; waits for one. `None`: the end.
    fn take(&self) -> Option<Job> {
        let nothing = |tasks: &mut Tasks| tasks.is_idle() && !tasks.ended;
        let waited = self.changed.wait_while(self.lock(), nothing);
        let mut tasks = waited.unwrap_or_else(PoisonError::into_inner);
        if tasks.ended {
            return None;
        }
        let urgent = tasks.need.take_if(|need| !need.late).map(Job::Need);
        if tasks.held {
            return urgent;
        }
        urgent
            .or_else(|| tasks.files.take().map(|task| Job::Change(Box::new(task))))
            .or_else(|| tasks.settings.take().map(|task| Job::Change(Box::new(task))))
            .or_else(|| tasks.need.take().map(Job::Need))
            .or_else(|| tasks.ahead.take().map(Job::Ahead))
    }

    /// Whether an engine that a stream needs is still the one that it needs.
    fn still_needed(&self) -> bool {
        let tasks = self.lock();
        tasks.need.is_none() && !tasks.ended
    }

    /// The same, and no change goes before it.
    fn late_goes_on(&self) -> bool {
        let tasks = self.lock();
        tasks.need.is_none() && tasks.files.is_none() && tasks.settings.is_none() && !tasks.ended
    }

    /// Whether nothing goes before a change, or takes its place.
    fn change_goes_on(&self, change: &Change) -> bool {
        let tasks = self.lock();
        let newer = match change {
            Change::Settings(_) => &tasks.settings,
            Change::Files { .. } => &tasks.files,
        };
        let urgent = tasks.need.as_ref().is_some_and(|need| !need.late);
        newer.is_none() && !urgent && !tasks.ended
    }

    fn is_idle(&self) -> bool {
        let tasks = self.lock();
        let Tasks { need, files, settings, ahead, .. } = &*tasks;
        need.is_none()
            && files.is_none()
            && settings.is_none()
            && ahead.is_none()
            && !tasks.held
            && !tasks.ended
    }

    /// Puts a change that was stopped back, unless a newer one of its kind is there.
    fn put_back(&self, task: Task) {
        let mut tasks = self.lock();
        let place = place(&mut tasks, &task.change);
        if place.is_none() {
            *place = Some(task);
        } else {
            drop(tasks);
            task.refuse(Error::Superseded);
        }
    }
}

fn place<'a>(tasks: &'a mut Tasks, change: &Change) -> &'a mut Option<Task> {
    match change {
        Change::Settings(_) => &mut tasks.settings,
        Change::Files { .. } => &mut tasks.files,
    }
}

impl Worker {
    /// Starts the thread. `config_file` is what a reload reads, `build` makes engines, `events`
    /// hears what is ready.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub(super) fn start(
        config_file: PathBuf,
        build: EngineBuilder,
        events: Sender<Event>,
    ) -> Result<Self, Error> {
        let desk = Arc::<Desk>::default();
        let (died, over) = (tell_of_death(&events), Arc::clone(&desk));
        let bench = Bench { desk: Arc::clone(&desk), config_file, build, events };
        threads::vital("prepare", died, move || over.lock().ended, move || bench.work())?;
        Ok(Self { desk })
    }

    /// Has an engine made; what was needed before no longer is.
    pub(super) fn need(&self, need: Need) {
        self.desk.lock().need = Some(need);
        self.desk.changed.notify_one();
    }

    /// Has a change got ready; it takes the place of one of its kind that is not. One that is done
    /// anew is refused when there is a newer one, which may be under way.
    pub(super) fn change(&self, task: Task) {
        let mut tasks = self.desk.lock();
        let newest = &mut tasks.newest[usize::from(matches!(task.change, Change::Settings(_)))];
        if task.number < *newest {
            drop(tasks);
            return task.refuse(Error::Superseded);
        }
        *newest = task.number;
        let before = place(&mut tasks, &task.change).replace(task);
        drop(tasks);
        if let Some(before) = before {
            before.refuse(Error::Superseded);
        }
        self.desk.changed.notify_one();
    }

    /// Lets wait what is not urgent, or no longer.
    pub(super) fn hold(&self, held: bool) {
        let mut tasks = self.desk.lock();
        if tasks.held != held {
            tasks.held = held;
            self.desk.changed.notify_one();
        }
    }

    /// Has filters folded while there is nothing else to do.
    pub(super) fn ahead(&self, ahead: Ahead) {
        self.desk.lock().ahead = Some(ahead);
        self.desk.changed.notify_one();
    }
}

impl Drop for Worker {
    /// It is not waited for: a driver that does not come back must not hold the end up.
    fn drop(&mut self) {
        self.desk.lock().ended = true;
        self.desk.changed.notify_one();
    }
}

/// The thread's side.
struct Bench {
    desk: Arc<Desk>,
    config_file: PathBuf,
    build: EngineBuilder,
    events: Sender<Event>,
}

impl Bench {
    fn work(self) {
        while let Some(job) = self.desk.take() {
            match job {
                Job::Need(need) => self.engine(need),
                Job::Change(task) => self.change(*task),
                Job::Ahead(ahead) => self.fold_ahead(&ahead),
            }
        }
    }

    /// Nobody may be there to hear it: then this thread is about to end.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn engine(&self, mut need: Need) {
        let made = guarded(|| {
            let ((rate, ratio), filters) = (need.key, need.filters.clone());
            let started = Instant::now();
            let mut soon = || self.desk.still_needed() && started.elapsed() < STAND_IN_AFTER;
            let mut filter = Err(Error::Stopped);
            if !need.late {
                filter = filters.get_while(rate, ratio, &mut soon);
            }
            if matches!(filter, Err(Error::Stopped)) && self.desk.still_needed() {
                if !need.late
                    && let Some(filter) = filters.stand_in(rate, ratio)?
                {
                    let made = self.made(&need, filter, true)?;
                    self.tell(Event::Made(Box::new(Ok(made))));
                }
                need.late = true;
                filter = filters.get_while(rate, ratio, &mut || self.desk.late_goes_on());
            }
            self.made(&need, filter?, false)
        });
        match made {
            Err(Error::Stopped) => {
                if need.late {
                    self.desk.lock().need.get_or_insert(need);
                }
            }
            made => {
                self.tell(Event::Made(Box::new(made.map_err(|error| (need.generation, error)))))
            }
        }
    }

    fn made(&self, need: &Need, filter: LoadedFilter, stands_in: bool) -> Result<Made, Error> {
        let Need { key, config, generation, .. } = need;
        let engine = (self.build)(&config.engine, &filter.filter, config.capture.channels)?;
        Ok(Made { key: *key, generation: *generation, filter, engine, stands_in })
    }

    fn change(&self, task: Task) {
        let ready = guarded(|| {
            let mut ready = task.load(&self.config_file)?;
            if let Some(key) = task.now
                && !ready.same_filters
                && !ready.alone
                && ready.allows(key)
            {
                let (config, filters) = (ready.config.clone(), ready.filters.clone());
                let generation = task.generation + 1;
                let need = Need { key, config, filters, generation, late: false };
                let mut go_on = || self.desk.change_goes_on(&task.change);
                let filter = need.filters.get_while(key.0, key.1, &mut go_on)?;
                ready.made = Some(self.made(&need, filter, false)?);
            }
            Ok(ready)
        });
        match ready {
            Err(Error::Stopped) => self.desk.put_back(task),
            ready => self.tell(Event::Prepared(Box::new(Prepared { task, ready }))),
        }
    }

    fn fold_ahead(&self, ahead: &Ahead) {
        for (rate, ratio) in ahead.keys() {
            if !ahead.filters.has_room_for(rate, ratio) {
                return;
            }
            let folded = guarded(|| {
                ahead.filters.get_while(rate, ratio, &mut || self.desk.is_idle()).map(drop)
            });
            match folded {
                Ok(()) => {}
                Err(Error::Stopped) => {
                    // Later, unless there is something newer to do ahead.
                    let mut tasks = self.desk.lock();
                    tasks.ahead.get_or_insert_with(|| ahead.clone());
                    return;
                }
                Err(error) => log::warn!("not ready for inputs of {rate} Hz: {error}"),
            }
        }
    }
}

/// A panic becomes an error: whoever waits is told.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let reason = "getting it ready ended in a fault of this program; see the log".to_owned();
        Err(Error::Engine { reason })
    })
}
