//! An engine that renders on the GPU while it can, and on the CPU whenever it cannot.
//!
//! The CPU engine listens to every block, which costs its transforms of the input
//! alone, so its state is always that of an engine that rendered everything: when
//! the GPU fails in a block, that same block is the CPU's, to the bit.
//!
//! The other way takes longer: a GPU that was lost has to hear as much input as the
//! filter is long. It does so while the CPU renders, then takes over between two
//! blocks. The two differ by their rounding alone, so nothing is faded.
//!
//! Where all that both remember is silence, so is the output, and neither computes: the GPU gets
//! only one block in [`AWAKE`], so that it stays awake and one that has died is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use totton_dsp::engine::{Backend, Watch};
use totton_dsp::{CpuEngine, Engine, Filter, Precision};

use crate::device::Device;
use crate::health::{Health, Stand};
use crate::patience::Patience;
use crate::worker::{Block, Job, News, Opener, Worker};
use crate::{Error, priority};

/// Blocks that may be under way: one, and what the GPU's thread has not yet taken.
const BLOCKS: usize = 4;

/// Room for news: every block, and what may come between two blocks.
const NEWS: usize = BLOCKS + 8;

/// Of so many blocks of silence the GPU gets one.
const AWAKE: u64 = 8;

/// How long dropping an engine waits for the GPU's thread.
const FAREWELL: Duration = Duration::from_millis(500);

/// After so long on the GPU its earlier lateness is forgotten.
const PROVEN: Duration = Duration::from_secs(60);

/// Who renders, as the audio thread sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Cpu,
    /// The GPU must hear so many more blocks.
    Joining {
        left: usize,
    },
    Gpu,
}

/// An engine on the GPU with the CPU in reserve.
///
/// The real-time contract of [`Engine`] holds but for one thing: `process` waits for
/// the GPU's thread, at most [`Patience::block`].
pub struct Failover {
    cpu: CpuEngine,
    jobs: Producer<Job>,
    news: Consumer<News>,
    worker: JoinHandle<()>,
    wake: Thread,
    stop: Arc<AtomicBool>,
    health: Arc<Health>,
    patience: Patience,
    /// Blocks that are not under way.
    blocks: Vec<Block>,
    mode: Mode,
    /// Of the thread that runs this; the GPU's thread takes it over.
    priority: Arc<AtomicI32>,
    prioritised: bool,
    /// Partitions of the convolver that is there, if one is.
    convolver: Option<usize>,
    number: u64,
    retry_at: Option<Instant>,
    back_off: Duration,
    rendering_since: Option<Instant>,
    /// Frames of silence at the end of the input, and after how many the GPU remembers nothing
    /// else.
    silent: usize,
    memory: usize,
}

impl Failover {
    /// An engine on the device that `open` makes. Waits for it at most
    /// [`Patience::start`].
    ///
    /// # Errors
    /// [`Error::Engine`] when there cannot be a CPU engine of this shape either,
    /// [`Error::Thread`]. What is wrong with the GPU is told by [`Engine::watch`].
    pub fn start<D: Device + 'static>(
        open: Opener<D>,
        filter: &Arc<Filter>,
        channels: usize,
        block: usize,
        precision: Precision,
        patience: Patience,
    ) -> Result<Self, Error> {
        let cpu = CpuEngine::new(filter, channels, block, precision)?;
        let frames = block * cpu.ratio();
        let blocks = (0..BLOCKS).map(|_| Block {
            number: 0,
            caller: None,
            input: vec![vec![0.0; block]; channels],
            output: vec![vec![0.0; frames]; channels],
        });
        let (jobs, given) = RingBuffer::new(2 * BLOCKS);
        let (told, news) = RingBuffer::new(NEWS);
        let (attempted, attempt) = mpsc::sync_channel(1);
        let (health, stop) = (Arc::new(Health::default()), Arc::new(AtomicBool::new(false)));
        let priority = Arc::new(AtomicI32::new(0));
        let worker = Worker {
            open,
            filter: Arc::clone(filter),
            channels,
            block,
            precision,
            patience,
            jobs: given,
            news: told,
            health: Arc::clone(&health),
            stop: Arc::clone(&stop),
            priority: Arc::clone(&priority),
            attempted,
        };
        let worker = thread::Builder::new()
            .name("gpu".to_owned())
            .spawn(move || worker.run())
            .map_err(Error::Thread)?;
        let mut engine = Self {
            cpu,
            jobs,
            news,
            wake: worker.thread().clone(),
            worker,
            stop,
            health,
            patience,
            blocks: blocks.collect(),
            mode: Mode::Cpu,
            priority,
            prioritised: false,
            convolver: None,
            number: 0,
            retry_at: None,
            back_off: patience.back_off,
            rendering_since: None,
            silent: 0,
            // Its partitions, the two blocks of a window, and two more.
            memory: filter.taps().len().div_ceil(filter.ratio()) + 4 * block,
        };
        let _ = attempt.recv_timeout(patience.start);
        engine.read_news();
        if engine.convolver.is_some() {
            // Neither has heard anything: they agree.
            engine.enter(Mode::Gpu);
        }
        Ok(engine)
    }

    fn enter(&mut self, mode: Mode) {
        self.mode = mode;
        self.rendering_since = (mode == Mode::Gpu).then(Instant::now);
        self.health.set_stand(match mode {
            Mode::Gpu => Stand::Rendering,
            Mode::Joining { .. } => Stand::Joining,
            Mode::Cpu if self.retry_at.is_some() => Stand::Late,
            Mode::Cpu if self.convolver.is_some() => Stand::Preparing,
            Mode::Cpu => Stand::Failed,
        });
    }

    /// Takes all news; tells whether the block `number` has been rendered, and then
    /// keeps it as the last of [`Failover::blocks`]; or that it will not be.
    fn read_news(&mut self) -> Option<bool> {
        let mut answer = None;
        while let Ok(news) = self.news.pop() {
            match news {
                News::Ready { partitions } => {
                    self.convolver = Some(partitions);
                    self.retry_at = None;
                }
                News::Lost => {
                    self.convolver = None;
                    self.retry_at = None;
                    self.enter(Mode::Cpu);
                }
                News::Rendered(block) => {
                    let asked = block.number == self.number;
                    self.blocks.push(block);
                    if asked {
                        answer = Some(true);
                    }
                }
                News::Back(block) => {
                    if block.number == self.number && self.mode == Mode::Gpu {
                        answer = Some(false);
                    }
                    self.blocks.push(block);
                }
            }
        }
        answer
    }

    /// Gives the GPU's thread the input, or tells that it is too far behind.
    fn send(&mut self, input: &[&[f64]], job: fn(Block) -> Job, caller: bool) -> bool {
        let Some(mut block) = self.blocks.pop() else { return false };
        block.number = self.number;
        block.caller = caller.then(thread::current);
        for (to, from) in block.input.iter_mut().zip(input) {
            to.copy_from_slice(from);
        }
        match self.jobs.push(job(block)) {
            Ok(()) => {
                self.wake.unpark();
                true
            }
            Err(rtrb::PushError::Full(Job::Render(block) | Job::Listen(block))) => {
                self.blocks.push(block);
                false
            }
            Err(_) => false,
        }
    }

    /// Asks the GPU's thread to forget all input.
    fn send_reset(&mut self) -> bool {
        let sent = self.jobs.push(Job::Reset).is_ok();
        self.wake.unpark();
        sent
    }

    /// Whether the GPU can begin to listen: it is there, idle, and its time has come.
    fn may_join(&self) -> bool {
        self.convolver.is_some()
            && self.blocks.len() == BLOCKS
            && self.retry_at.is_none_or(|at| Instant::now() >= at)
    }

    /// The GPU kept somebody waiting, which counts as a fault.
    fn too_late(&mut self) {
        self.health.count_late();
        self.rest();
    }

    /// The GPU is left alone for a while.
    fn rest(&mut self) {
        if self.rendering_since.is_some_and(|since| since.elapsed() > PROVEN) {
            self.back_off = self.patience.back_off;
        }
        self.retry_at = Some(Instant::now() + self.back_off);
        self.back_off = (self.back_off * 2).min(self.patience.longest_back_off);
        self.enter(Mode::Cpu);
    }

    /// Waits for the block under way; false: it is the CPU's.
    fn await_block(&mut self) -> bool {
        let deadline = Instant::now() + self.patience.block;
        loop {
            if let Some(rendered) = self.read_news() {
                if !rendered {
                    self.convolver = None;
                    self.enter(Mode::Cpu);
                }
                return rendered;
            }
            if self.mode != Mode::Gpu || self.news.is_abandoned() {
                self.convolver = None;
                self.enter(Mode::Cpu);
                return false;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.too_late();
                return false;
            }
            thread::park_timeout(left);
        }
    }

    /// Takes a block while the GPU renders; tells whether only silence is left, and it may rest.
    fn may_rest(&mut self, input: &[&[f64]]) -> bool {
        let quiet = input.iter().all(|channel| channel.iter().all(|sample| *sample == 0.0));
        let block = self.cpu.block_frames();
        self.silent = if quiet { self.silent.saturating_add(block) } else { 0 };
        self.silent > self.memory && self.cpu.is_idle() && !self.number.is_multiple_of(AWAKE)
    }

    /// Sends a block to listen to; takes over once enough has been heard.
    fn join(&mut self, input: &[&[f64]], left: usize) {
        if !self.send(input, Job::Listen, false) {
            self.rest();
        } else if left <= 1 {
            self.enter(Mode::Gpu);
        } else {
            self.mode = Mode::Joining { left: left - 1 };
        }
    }
}

impl Engine for Failover {
    fn channels(&self) -> usize {
        self.cpu.channels()
    }
    fn ratio(&self) -> usize {
        self.cpu.ratio()
    }
    fn block_frames(&self) -> usize {
        self.cpu.block_frames()
    }
    fn latency_frames(&self) -> usize {
        self.cpu.latency_frames()
    }

    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
        self.number += 1;
        if !self.prioritised {
            self.priority.store(priority::of_this_thread(), Ordering::Relaxed);
            self.prioritised = true;
        }
        self.read_news();
        if self.mode == Mode::Cpu && self.may_join() && self.send_reset() {
            // One more than the partitions: a window is two blocks.
            let left = self.convolver.unwrap_or(0) + 1;
            self.retry_at = None;
            self.enter(Mode::Joining { left });
        }
        let may_rest = self.may_rest(input);
        match self.mode {
            Mode::Gpu if may_rest => {
                self.cpu.listen(input);
                self.cpu.render(output);
                self.health.count_block(Backend::Cuda);
                return;
            }
            Mode::Gpu => {
                let sent = self.send(input, Job::Render, true);
                // While the GPU computes.
                self.cpu.listen(input);
                if !sent {
                    self.too_late();
                } else if self.await_block()
                    && let Some(block) = self.blocks.last()
                {
                    for (to, from) in output.iter_mut().zip(&block.output) {
                        to.copy_from_slice(from);
                    }
                    self.health.count_block(Backend::Cuda);
                    return;
                }
            }
            Mode::Joining { left } => {
                self.cpu.listen(input);
                self.join(input, left);
            }
            Mode::Cpu => self.cpu.listen(input),
        }
        self.cpu.render(output);
        self.health.count_block(Backend::Cpu);
    }

    fn watch(&self) -> Option<Arc<dyn Watch>> {
        let health = Arc::clone(&self.health);
        Some(health)
    }

    fn reset(&mut self) {
        self.read_news();
        self.cpu.reset();
        if self.convolver.is_some() && self.retry_at.is_none() {
            // Both have heard nothing then: they agree at once.
            let mode = if self.send_reset() { Mode::Gpu } else { Mode::Cpu };
            self.enter(mode);
        }
    }
}

impl Drop for Failover {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wake.unpark();
        // A thread that a dead GPU holds is left behind: it owns all that the GPU may write to.
        let deadline = Instant::now() + FAREWELL;
        while !self.worker.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }
}
