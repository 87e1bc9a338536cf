//! What the audio threads tell, and are told, without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use totton_dsp::engine::{Report, Watch};
use totton_protocol::{Counters, Levels, Promptness};

use super::gain::wishes::Wishes;
use super::level::Level;
use super::meter::{Blocks, Meter};
use super::ring::FrameWriter;
use super::tap::Taps;
use crate::promptness::{BOUNDS, Classes};

/// Counters, levels and wishes, shared by the audio threads and the rest of
/// the daemon. Lives as long as the daemon, across streams.
#[derive(Default)]
pub struct Flow {
    pub(crate) input_frames: AtomicU64,
    pub(crate) output_frames: AtomicU64,
    pub(crate) capture_xruns: AtomicU64,
    pub(crate) playback_xruns: AtomicU64,
    pub(crate) clipped_samples: AtomicU64,
    pub(crate) input_full_scale_samples: AtomicU64,
    pub(crate) limited_samples: AtomicU64,
    pub(crate) settings_writes: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) refused_requests: AtomicU64,
    /// From requests to their answers; volume and mute apart.
    pub(crate) answers: Classes,
    pub(crate) volume_answers: Classes,
    /// Turns of the supervisor.
    pub(crate) turns: Classes,
    pub(crate) input_pauses: AtomicU64,
    pub(crate) stream_starts: AtomicU64,
    pub(crate) reloads: AtomicU64,
    /// Times that the host changed its rate and the stream followed.
    pub(crate) rate_switches: AtomicU64,
    /// Times that another engine was faded in.
    pub(crate) filter_swaps: AtomicU64,
    /// Turns of the capture loop: it turns also while nothing comes in.
    pub(crate) capture_turns: AtomicU64,
    /// Turns of the threads that serve the sockets.
    pub(crate) control_turns: AtomicU64,
    pub(crate) telemetry_turns: AtomicU64,
    /// Nanoseconds that the engine computed, and the input frames it did meanwhile.
    pub(crate) engine_nanoseconds: AtomicU64,
    pub(crate) engine_frames: AtomicU64,
    /// The input device is open and sends nothing.
    pub(crate) input_idle: AtomicBool,
    /// The host sends, and at another rate than the stream's.
    pub(crate) rate_changed: AtomicBool,
    /// The supervisor has seen the host at another rate than the stream's.
    pub(crate) rate_is_foreign: AtomicBool,
    /// Sound under way.
    pub(crate) level: Level,
    /// How much faster the input is made to run by the stream's resampler, 1e-6 for 1 ppm.
    pub(crate) resampling: Correction,
    /// Frames waiting in the playback device's buffer.
    pub(crate) queued_frames: AtomicU64,
    /// The rings before and after the engine.
    pub(crate) to_engine: Gauge,
    pub(crate) from_engine: Gauge,
    pub(crate) input_meter: Meter,
    pub(crate) output_meter: Meter,
    pub(crate) blocks: Blocks,
    /// The same, for the flight recorder.
    pub(crate) recorded_blocks: Blocks,
    /// What the gain chain is asked for.
    pub wishes: Wishes,
    /// The running engine, where there is more to tell of it; never the audio threads' business.
    engine: Mutex<Observed>,
    /// Where the open stream can be listened to; the audio threads hold their own.
    taps: Mutex<Option<Taps>>,
}

/// An engine that is looked at, and what the engines before it came to.
#[derive(Default)]
struct Observed {
    watch: Option<Arc<dyn Watch>>,
    gpu_blocks: u64,
    gpu_faults: u64,
}

/// A correction of a rate that one thread sets and another reads.
#[derive(Debug, Default)]
pub(crate) struct Correction(AtomicU64);

impl Correction {
    pub(crate) fn set(&self, correction: f64) {
        self.0.store(correction.to_bits(), Relaxed);
    }

    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// How full a ring is.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    pub(crate) level: AtomicU64,
    pub(crate) capacity: AtomicU64,
}

impl Gauge {
    pub(crate) fn note(&self, ring: &FrameWriter) {
        self.level.store(ring.level() as u64, Relaxed);
        self.capacity.store((ring.level() + ring.space()) as u64, Relaxed);
    }
}

impl Flow {
    /// Whether the open input sends nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.input_idle.load(Relaxed)
    }

    /// Shows where the open stream can be listened to; `None`: there is none any more.
    pub(crate) fn show(&self, taps: Option<Taps>) {
        *self.taps.lock().unwrap_or_else(PoisonError::into_inner) = taps;
    }

    /// Where the open stream can be listened to.
    pub(crate) fn taps(&self) -> Option<Taps> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at another engine from now on, or at none.
    pub(crate) fn observe(&self, watch: Option<Arc<dyn Watch>>) {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = engine.watch.take().map(|watch| watch.report()) {
            engine.gpu_blocks += report.gpu_blocks;
            engine.gpu_faults += report.gpu_faults;
        }
        engine.watch = watch;
    }

    /// What the running engine tells; `None`: the processor alone computes, or nothing does.
    pub(crate) fn engine_report(&self) -> Option<Report> {
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = engine.watch.as_ref()?.report();
        report.gpu_blocks += engine.gpu_blocks;
        report.gpu_faults += engine.gpu_faults;
        Some(report)
    }

    /// Blocks that GPUs rendered, and their faults, since the daemon started.
    fn gpu_counts(&self) -> (u64, u64) {
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let now = engine.watch.as_ref().map(|watch| watch.report());
        let now = now.map_or((0, 0), |report| (report.gpu_blocks, report.gpu_faults));
        (engine.gpu_blocks + now.0, engine.gpu_faults + now.1)
    }

    /// The events so far.
    pub fn counters(&self) -> Counters {
        let (gpu_blocks, gpu_faults) = self.gpu_counts();
        Counters {
            gpu_blocks,
            gpu_faults,
            input_frames: self.input_frames.load(Relaxed),
            output_frames: self.output_frames.load(Relaxed),
            capture_xruns: self.capture_xruns.load(Relaxed),
            playback_xruns: self.playback_xruns.load(Relaxed),
            clipped_samples: self.clipped_samples.load(Relaxed),
            stream_starts: self.stream_starts.load(Relaxed),
            reloads: self.reloads.load(Relaxed),
            input_pauses: self.input_pauses.load(Relaxed),
            rate_switches: self.rate_switches.load(Relaxed),
            filter_swaps: self.filter_swaps.load(Relaxed),
            input_full_scale_samples: self.input_full_scale_samples.load(Relaxed),
            limited_samples: self.limited_samples.load(Relaxed),
            settings_writes: self.settings_writes.load(Relaxed),
            requests: self.requests.load(Relaxed),
            refused_requests: self.refused_requests.load(Relaxed),
        }
    }

    /// How soon was done what others wait for.
    pub fn promptness(&self) -> Promptness {
        Promptness {
            bounds_seconds: BOUNDS.iter().map(Duration::as_secs_f64).collect(),
            answers: self.answers.to_message(),
            volume_answers: self.volume_answers.to_message(),
            turns: self.turns.to_message(),
        }
    }

    /// The levels since the last call, for the channels of each side; starts the next measurement.
    pub fn take_levels(&self, input_channels: usize, output_channels: usize) -> Levels {
        let (input_peak_dbfs, input_rms_dbfs) = self.input_meter.take(input_channels);
        let (output_peak_dbfs, output_rms_dbfs) = self.output_meter.take(output_channels);
        Levels { input_peak_dbfs, output_peak_dbfs, input_rms_dbfs, output_rms_dbfs }
    }
}
