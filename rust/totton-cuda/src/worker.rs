//! The GPU's thread: everything that talks to a driver is here, so that whatever a
//! driver does, nobody else waits for it.
//!
//! It makes the convolver, checks it, does what [`Job`]s say, and when anything fails
//! throws it away (which a dead GPU may make last for ever), waits a while, and
//! makes another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer};
use totton_dsp::Filter;

use crate::check::check;
use crate::convolver::Convolver;
use crate::device::Device;
use crate::health::Health;
use crate::patience::Patience;
use crate::{Error, priority};

/// How long the thread sleeps when there is nothing to do.
const IDLE: Duration = Duration::from_millis(200);

/// A convolver that lasted so long has made its earlier failures forgotten.
const PROVEN: Duration = Duration::from_secs(60);

/// A block on its way to the GPU and back. Its memory is never the GPU's: the
/// convolver copies, so a hung GPU can write to nothing that is still used.
pub(crate) struct Block {
    pub(crate) number: u64,
    /// Whom to wake when it is done.
    pub(crate) caller: Option<Thread>,
    /// One vector for each channel.
    pub(crate) input: Vec<Vec<f64>>,
    pub(crate) output: Vec<Vec<f64>>,
}

pub(crate) enum Job {
    /// Take the block's input and give its output.
    Render(Block),
    /// Take the block's input.
    Listen(Block),
    /// Forget all input.
    Reset,
}

pub(crate) enum News {
    /// A convolver waits for jobs; it has heard nothing.
    Ready {
        partitions: usize,
    },
    /// It is gone; jobs come back undone.
    Lost,
    Rendered(Block),
    /// Listened to, or come back undone.
    Back(Block),
}

/// Makes a device; called again after a failure.
pub type Opener<D> = Box<dyn FnMut() -> Result<D, Error> + Send>;

/// What the thread is made of.
pub(crate) struct Worker<D> {
    pub(crate) open: Opener<D>,
    pub(crate) filter: Arc<Filter>,
    pub(crate) channels: usize,
    pub(crate) block: usize,
    pub(crate) precision: totton_dsp::Precision,
    pub(crate) patience: Patience,
    pub(crate) jobs: Consumer<Job>,
    pub(crate) news: Producer<News>,
    pub(crate) health: Arc<Health>,
    pub(crate) stop: Arc<AtomicBool>,
    /// For the time in which a block is waited for.
    pub(crate) priority: Arc<AtomicI32>,
    /// Told once, when the first attempt has ended.
    pub(crate) attempted: SyncSender<()>,
}

impl<D: Device> Worker<D> {
    /// Runs until told to stop, or until nothing can be hoped for.
    pub(crate) fn run(mut self) {
        let mut back_off = self.patience.back_off;
        let mut counts = false;
        while !self.stopped() {
            let mut since = None;
            let ended = catch_unwind(AssertUnwindSafe(|| self.serve(&mut since)));
            let error = match ended {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                // The bindings panic when a library lacks a function.
                Err(panic) => Error::Staged(words(&*panic)),
            };
            priority::set_this_thread(0);
            counts |= since.is_some();
            if since.is_some() {
                self.tell(News::Lost);
            }
            self.give_back();
            if since.is_some_and(|since: Instant| since.elapsed() > PROVEN) {
                back_off = self.patience.back_off;
            }
            let last = error.is_final();
            let next =
                if last { String::new() } else { format!("; it is tried again in {back_off:?}") };
            log::warn!("the GPU does not compute: {error}{next}");
            self.health.set_failure(format!("{error}{next}"), counts);
            let _ = self.attempted.try_send(());
            if last {
                return;
            }
            self.sleep(back_off);
            back_off = (back_off * 2).min(self.patience.longest_back_off);
        }
    }

    /// One convolver's life; `since`: when it began to compute for others.
    fn serve(&mut self, since: &mut Option<Instant>) -> Result<(), Error> {
        let limit = self.patience.hung;
        let device = (self.open)()?;
        let name = device.description().name.clone();
        let mut convolver =
            Convolver::new(device, &self.filter, self.channels, self.block, self.precision)?;
        let time = check(&mut convolver, &self.filter, self.patience.period, limit)?;
        log::info!("{name}: {time:.0?} for a block of {:.1?}", self.patience.period);
        self.health.set_device(&name);
        *since = Some(Instant::now());
        self.tell(News::Ready { partitions: convolver.shape().partitions });
        let _ = self.attempted.try_send(());
        let mut priority = 0;
        while !self.stopped() {
            let wanted = self.priority.load(Ordering::Relaxed);
            if wanted != priority {
                priority = wanted;
                priority::set_this_thread(wanted);
            }
            match self.jobs.pop() {
                Ok(Job::Render(mut block)) => {
                    let done = convolver
                        .submit(&block.input)
                        .and_then(|()| convolver.wait(limit))
                        .and_then(|()| convolver.collect(&mut block.output));
                    self.answer(done, block, News::Rendered)?;
                }
                Ok(Job::Listen(block)) => {
                    let done = convolver.submit(&block.input).and_then(|()| convolver.wait(limit));
                    self.answer(done, block, News::Back)?;
                }
                Ok(Job::Reset) => convolver.reset(limit)?,
                // A job that comes before this line unparks, and parking returns at once.
                Err(_) if !self.jobs.is_abandoned() => thread::park_timeout(IDLE),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Sends a block back, and wakes who waits for it.
    fn answer(
        &mut self,
        done: Result<(), Error>,
        mut block: Block,
        news: fn(Block) -> News,
    ) -> Result<(), Error> {
        let caller = block.caller.take();
        match done {
            Ok(()) => self.tell(news(block)),
            Err(_) => self.tell(News::Back(block)),
        }
        if let Some(caller) = caller {
            caller.unpark();
        }
        done
    }

    fn tell(&mut self, news: News) {
        // There is room for every block and for every change between two of them.
        let told = self.news.push(news);
        debug_assert!(told.is_ok(), "room for news");
    }

    /// Sends what waits back undone.
    fn give_back(&mut self) {
        while let Ok(job) = self.jobs.pop() {
            if let Job::Render(block) | Job::Listen(block) = job {
                self.tell(News::Back(block));
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Sleeps, unless told to stop. Jobs that were under way come back undone.
    fn sleep(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while !self.stopped() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left.min(IDLE));
            self.give_back();
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
