//! What the audio threads tell, and are told, without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use totton_dsp::engine::{Report, Watch};
use totton_protocol::{Counters, Levels};

use crate::config::MAX_CHANNELS;
use crate::drift::level::Level;

/// Counters, levels and wishes, shared by the audio threads and the rest of
/// the daemon. Lives as long as the daemon, across streams.
#[derive(Default)]
pub struct Flow {
    pub(crate) input_frames: AtomicU64,
    pub(crate) output_frames: AtomicU64,
    pub(crate) capture_xruns: AtomicU64,
    pub(crate) playback_xruns: AtomicU64,
    pub(crate) clipped_samples: AtomicU64,
    pub(crate) input_pauses: AtomicU64,
    pub(crate) stream_starts: AtomicU64,
    pub(crate) reloads: AtomicU64,
    /// Times that the host changed its rate and the stream followed.
    pub(crate) rate_switches: AtomicU64,
    /// Times that another engine was faded in.
    pub(crate) filter_swaps: AtomicU64,
    /// Turns of the capture loop: it turns also while nothing comes in.
    pub(crate) capture_turns: AtomicU64,
    /// Nanoseconds that the engine computed, and the input frames it did meanwhile.
    pub(crate) engine_nanoseconds: AtomicU64,
    pub(crate) engine_frames: AtomicU64,
    /// The input device is open and sends nothing.
    pub(crate) input_idle: AtomicBool,
    /// The host sends, and at another rate than the stream's.
    pub(crate) rate_changed: AtomicBool,
    /// Sound under way.
    pub(crate) level: Level,
    /// Frames waiting in the playback device's buffer.
    pub(crate) queued_frames: AtomicU64,
    /// Peaks since the last look: bits of non-negative `f64`, which order as integers do.
    input_peaks: [AtomicU64; MAX_CHANNELS],
    output_peaks: [AtomicU64; MAX_CHANNELS],
    /// Bits of the gain in dB.
    gain_db: AtomicU64,
    mute: AtomicBool,
    /// The running engine, where there is more to tell of it; never the audio threads' business.
    engine: Mutex<Observed>,
}

/// An engine that is looked at, and what the engines before it came to.
#[derive(Default)]
struct Observed {
    watch: Option<Arc<dyn Watch>>,
    gpu_blocks: u64,
    gpu_faults: u64,
}

/// Which side of the engine a level is of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Input,
    Output,
}

impl Flow {
    /// Whether the open input sends nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.input_idle.load(Relaxed)
    }

    /// The gain that is asked for, in dB.
    pub fn gain_db(&self) -> f64 {
        f64::from_bits(self.gain_db.load(Relaxed))
    }

    /// Asks for a gain in dB; the playback thread ramps to it.
    pub fn set_gain_db(&self, gain_db: f64) {
        self.gain_db.store(gain_db.to_bits(), Relaxed);
    }

    /// Whether silence is asked for.
    pub fn mute(&self) -> bool {
        self.mute.load(Relaxed)
    }

    /// Asks for silence, or for sound again; the playback thread ramps to it.
    pub fn set_mute(&self, mute: bool) {
        self.mute.store(mute, Relaxed);
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
            ..Counters::default()
        }
    }

    fn peaks(&self, side: Side) -> &[AtomicU64; MAX_CHANNELS] {
        match side {
            Side::Input => &self.input_peaks,
            Side::Output => &self.output_peaks,
        }
    }

    /// Notes the peaks of the first `frames` frames.
    pub(crate) fn meter(&self, side: Side, planes: &[Vec<f64>], frames: usize) {
        for (peak, plane) in self.peaks(side).iter().zip(planes) {
            let highest = plane[..frames].iter().map(|sample| sample.abs().to_bits()).max();
            peak.fetch_max(highest.unwrap_or(0), Relaxed);
        }
    }

    /// The peaks since the last call, for the channels of each side; starts the next measurement.
    pub fn take_levels(&self, input_channels: usize, output_channels: usize) -> Levels {
        let take = |side, channels| {
            self.peaks(side).iter().take(channels).map(|p| dbfs(p.swap(0, Relaxed))).collect()
        };
        Levels {
            input_peak_dbfs: take(Side::Input, input_channels),
            output_peak_dbfs: take(Side::Output, output_channels),
            ..Levels::default()
        }
    }
}

fn dbfs(bits: u64) -> f64 {
    let peak = f64::from_bits(bits);
    if peak.is_finite() && peak > 0.0 {
        (20.0 * peak.log10()).max(Levels::SILENCE_DBFS)
    } else if peak == 0.0 {
        Levels::SILENCE_DBFS
    } else {
        // What is not finite goes to the DAC as full scale at most.
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_highest_since_the_last_look() {
        let flow = Flow::default();
        flow.meter(Side::Output, &[vec![0.1, -1.0], vec![0.0, 0.0]], 2);
        flow.meter(Side::Output, &[vec![0.5], vec![0.0]], 1);
        let levels = flow.take_levels(2, 2);
        assert_eq!(levels.output_peak_dbfs, [0.0, Levels::SILENCE_DBFS]);
        assert_eq!(flow.take_levels(2, 2).output_peak_dbfs, [Levels::SILENCE_DBFS; 2]);
    }
}
