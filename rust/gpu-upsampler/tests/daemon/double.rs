//! Sound devices whose clock, content and faults a test controls.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use gpu_upsampler::Error;
use gpu_upsampler::config::{Capture, Playback};
use gpu_upsampler::device::dac::{Capabilities, Dac, OUTPUT_RATES};
use gpu_upsampler::device::{AudioDevices, CaptureDevice, ClockSteering, Layout, PlaybackDevice};
use gpu_upsampler::sample::SampleFormat;
use totton_protocol::{DriftMethod, HostVolume};

pub const INPUT: &str = "input";
pub const DAC: &str = "dac";

/// What the machine is like; tests change it while the daemon runs.
pub struct World {
    pub input_present: bool,
    pub dac_present: bool,
    pub dac_busy: bool,
    /// The rates that the DAC accepts.
    pub dac_rates: Vec<u32>,
    /// The bits of a sample that it uses; `None`: all that the format has.
    pub dac_bits: Option<u32>,
    /// What its buffer holds.
    pub dac_buffer: Duration,
    /// The rate that the host has chosen; `None`: it sends nothing.
    pub host_rate: Option<u32>,
    /// Nothing but a look tells that it has changed, as with a gadget in the middle of a stream.
    pub rate_is_looked_at: bool,
    /// What the host sends, as bytes of the capture format; silence afterwards or nothing.
    pub sent: Vec<u8>,
    pub silence_afterwards: bool,
    /// Everything that the DAC took since it was last opened.
    pub played: Vec<u8>,
    /// What it took the time before.
    pub played_before: Vec<u8>,
    /// When it last took a frame, and when the first of the present opening.
    pub last_write: Instant,
    pub first_write: Option<Instant>,
    pub capture_xruns: u32,
    pub playback_xruns: u32,
    /// What the opening of the input takes.
    pub opening: Duration,
    /// Device calls that come back only after a minute.
    pub stuck: bool,
    /// How much faster than sound the clocks of both devices run.
    pub speed: f64,
    /// How much faster still the input's clock runs, 1e-6 for 1 ppm: by itself, and as asked.
    pub drift: f64,
    pub correction: f64,
    /// Whether it can be asked.
    pub steerable: bool,
    /// Whether what is played is kept.
    pub remembers: bool,
    /// What the host has set on the input's card.
    pub host_volume: Option<HostVolume>,
    /// Frames in the DAC's buffer after the last write.
    pub queued_frames: usize,
    /// The fewest since a test set it.
    pub fewest_queued: usize,
    /// Frames of silence that it need not play when it was last closed.
    pub silent_at_end: usize,
    position: usize,
}

/// The machine: a handle for the test and for the daemon.
#[derive(Clone)]
pub struct Machine(Arc<Mutex<World>>);

impl Machine {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            input_present: true,
            dac_present: true,
            dac_busy: false,
            dac_rates: OUTPUT_RATES.to_vec(),
            dac_bits: None,
            dac_buffer: Duration::from_millis(200),
            host_rate: Some(44_100),
            rate_is_looked_at: false,
            sent: vec![],
            silence_afterwards: true,
            played: vec![],
            played_before: vec![],
            last_write: Instant::now(),
            first_write: None,
            capture_xruns: 0,
            playback_xruns: 0,
            opening: Duration::ZERO,
            stuck: false,
            speed: 1.0,
            drift: 0.0,
            correction: 0.0,
            steerable: true,
            remembers: true,
            host_volume: None,
            queued_frames: 0,
            fewest_queued: 0,
            silent_at_end: 0,
            position: 0,
        })))
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn stay_if_stuck(&self) {
        if self.world().stuck {
            thread::sleep(Duration::from_secs(60));
        }
    }
}

/// A clock that ticks off frames.
struct Clock {
    last: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { last: Instant::now() }
    }

    /// Frames of `rate` Hz times `speed` since the last call.
    fn tick(&mut self, rate: u32, speed: f64) -> f64 {
        let passed = self.last.elapsed();
        self.last += passed;
        passed.as_secs_f64() * f64::from(rate) * speed
    }
}

fn layout(name: &str, rate: u32, channels: usize, config: &[SampleFormat]) -> Layout {
    Layout {
        name: name.to_owned(),
        rate,
        channels,
        format: config[0],
        significant_bits: config[0].bits(),
        period_frames: rate as usize / 200,
        buffer_frames: rate as usize / 10,
    }
}

impl AudioDevices for Machine {
    fn input_rate(&mut self, _: &Capture) -> Result<Option<u32>, Error> {
        let world = self.world();
        if world.input_present {
            Ok(world.host_rate)
        } else {
            Err(Error::DeviceAbsent { device: INPUT.to_owned(), hint: "unplugged".to_owned() })
        }
    }

    fn rate_to_look_at(&mut self, _: &Capture) -> Option<u32> {
        let world = self.world();
        world.host_rate.filter(|_| world.rate_is_looked_at)
    }

    fn host_volume(&mut self, _: &Capture) -> Option<HostVolume> {
        self.world().host_volume
    }

    fn open_capture(
        &mut self,
        config: &Capture,
        rate: u32,
    ) -> Result<Box<dyn CaptureDevice>, Error> {
        let opening = self.world().opening;
        thread::sleep(opening);
        self.world().position = 0;
        let layout = layout(INPUT, rate, config.channels, &config.formats);
        let clock = Clock::new();
        Ok(Box::new(Input { machine: self.clone(), layout, clock, due: 0.0, started: false }))
    }

    fn steering(&mut self, _: &Capture) -> Option<Box<dyn ClockSteering>> {
        let steerable = self.world().steerable;
        steerable.then(|| Box::new(Steering(self.clone())) as Box<dyn ClockSteering>)
    }

    fn dacs(&mut self) -> Vec<Dac> {
        let world = self.world();
        let capabilities = Capabilities {
            rates: world.dac_rates.clone(),
            formats: vec![SampleFormat::S32],
            channels: 2..=2,
        };
        let dac = Dac {
            name: DAC.to_owned(),
            description: "A DAC".to_owned(),
            usb: None,
            capabilities: Some(capabilities),
        };
        if world.dac_present { vec![dac] } else { vec![] }
    }

    fn find_playback(&mut self, _: &Playback) -> Result<Dac, Error> {
        let absent =
            || Error::DeviceAbsent { device: DAC.to_owned(), hint: "unplugged".to_owned() };
        self.dacs().pop().ok_or_else(absent)
    }

    fn open_playback(
        &mut self,
        config: &Playback,
        name: &str,
        rate: u32,
        channels: usize,
    ) -> Result<Box<dyn PlaybackDevice>, Error> {
        let mut world = self.world();
        if world.dac_busy {
            return Err(Error::DeviceBusy { device: name.to_owned() });
        }
        world.played_before = std::mem::take(&mut world.played);
        world.first_write = None;
        let mut layout = layout(name, rate, channels, &config.formats);
        layout.buffer_frames = (world.dac_buffer.as_secs_f64() * f64::from(rate)) as usize;
        layout.significant_bits = world.dac_bits.unwrap_or(layout.significant_bits);
        let prefill = layout.prefill_frames(config.prefill) as f64;
        let (machine, clock) = (self.clone(), Clock::new());
        Ok(Box::new(Output { machine, layout, clock, queued: 0.0, prefill, started: false }))
    }
}

struct Steering(Machine);

impl ClockSteering for Steering {
    fn method(&self) -> DriftMethod {
        DriftMethod::GadgetPitch
    }

    fn steer(&mut self, correction: f64) -> Result<(), Error> {
        self.0.world().correction = correction;
        Ok(())
    }
}

impl Drop for Steering {
    fn drop(&mut self) {
        self.0.world().correction = 0.0;
    }
}

struct Input {
    machine: Machine,
    layout: Layout,
    clock: Clock,
    /// Frames that have come and not been read.
    due: f64,
    started: bool,
}

impl CaptureDevice for Input {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn start(&mut self) -> Result<(), Error> {
        self.started = true;
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize, Error> {
        assert!(self.started, "read before it was started");
        self.machine.stay_if_stuck();
        thread::sleep(timeout.min(Duration::from_millis(2)));
        let mut world = self.machine.world();
        if !world.input_present {
            return Err(Error::DeviceGone { device: INPUT.to_owned() });
        }
        if world.host_rate.is_some_and(|rate| rate != self.layout.rate) && !world.rate_is_looked_at
        {
            return Err(Error::RateChanged { device: INPUT.to_owned() });
        }
        if world.capture_xruns > 0 {
            world.capture_xruns -= 1;
            return Err(Error::Xrun { device: INPUT.to_owned() });
        }
        let speed = world.speed * (1.0 + world.drift + world.correction);
        self.due += self.clock.tick(self.layout.rate, speed);
        let frame = self.layout.frame_bytes();
        let wanted = (self.due as usize).min(bytes.len() / frame);
        let left = &world.sent[world.position..];
        let count = if left.is_empty() && world.silence_afterwards && world.host_rate.is_some() {
            bytes[..wanted * frame].fill(0);
            wanted
        } else {
            let count = wanted.min(left.len() / frame);
            bytes[..count * frame].copy_from_slice(&left[..count * frame]);
            world.position += count * frame;
            count
        };
        // What a host does not send does not pile up.
        self.due = if count == 0 { 0.0 } else { self.due - count as f64 };
        drop(world);
        if count == 0 {
            thread::sleep(timeout.saturating_sub(Duration::from_millis(2)));
        }
        Ok(count)
    }
}

struct Output {
    machine: Machine,
    layout: Layout,
    clock: Clock,
    queued: f64,
    prefill: f64,
    started: bool,
}

impl PlaybackDevice for Output {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<usize, Error> {
        self.machine.stay_if_stuck();
        let free = self.layout.buffer_frames - self.queued_frames();
        if free < self.layout.period_frames {
            thread::sleep(timeout.min(Duration::from_millis(2)));
        }
        let mut world = self.machine.world();
        if !world.dac_present {
            return Err(Error::DeviceGone { device: DAC.to_owned() });
        }
        if world.playback_xruns > 0 {
            world.playback_xruns -= 1;
            return Err(Error::Xrun { device: DAC.to_owned() });
        }
        let frame = self.layout.frame_bytes();
        let count = free.min(bytes.len() / frame);
        if world.remembers {
            world.played.extend_from_slice(&bytes[..count * frame]);
        }
        self.queued += count as f64;
        self.started |= self.queued >= self.prefill;
        if count > 0 {
            world.last_write = Instant::now();
            world.first_write.get_or_insert(Instant::now());
        }
        world.queued_frames = self.queued as usize;
        Ok(count)
    }

    fn queued_frames(&mut self) -> usize {
        let mut world = self.machine.world();
        let ticked = self.clock.tick(self.layout.rate, world.speed);
        if self.started {
            self.queued = (self.queued - ticked).max(0.0);
        }
        world.fewest_queued = world.fewest_queued.min(self.queued as usize);
        self.queued as usize
    }

    fn drain(&mut self, _: Duration, silent: usize) {
        self.machine.stay_if_stuck();
        self.machine.world().silent_at_end = silent;
    }
}
