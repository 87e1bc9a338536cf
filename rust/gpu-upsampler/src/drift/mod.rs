//! The two clocks: the host's, by which sound comes in, and the DAC's, by which it
//! goes out. What comes in is made to follow what goes out.
//!
//! - [`controller`]: the control law
//! - [`reserve`]: where the sound under way is to wait
//!
//! The input's card may have a control that steers ([`ClockSteering`]): a gadget asks
//! its host to send faster or slower, a loopback card runs faster or slower. Where there is none
//! the stream has a [`resampler`].

pub mod controller;
pub(crate) mod resampler;
pub(crate) mod reserve;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use totton_protocol::{Drift, DriftMethod};

use self::controller::Controller;
use self::reserve::Reserve;
use crate::audio::flow::Flow;
use crate::device::ClockSteering;

/// How often the correction is worked out anew.
const INTERVAL: Duration = Duration::from_millis(100);

/// Keeps the level of one stream.
pub(crate) struct Follower {
    controller: Controller,
    steering: Option<Box<dyn ClockSteering>>,
    reserve: Reserve,
    /// Looks at the level since the last correction.
    sum: f64,
    looks: u32,
    due: Instant,
    /// Xruns so far: each leaves the level somewhere else.
    gaps: u64,
    faulty: bool,
}

impl Follower {
    /// Steers `steering`, if there is one, so that the DAC's reserve is that of
    /// `reserve`; `learned` is the correction that was last needed between the two clocks.
    pub(crate) fn new(
        steering: Option<Box<dyn ClockSteering>>,
        reserve: Reserve,
        learned: f64,
        now: Instant,
    ) -> Self {
        let controller = Controller::new(reserve.whole_seconds(), learned);
        let due = now + INTERVAL;
        Self { controller, steering, reserve, sum: 0.0, looks: 0, due, gaps: 0, faulty: false }
    }

    /// Looks at the level; to be called several times in each [`INTERVAL`].
    pub(crate) fn turn(&mut self, now: Instant, flow: &Flow) {
        let Some(level) = flow.level.seconds().filter(|_| !flow.is_idle()) else {
            if self.controller.level().is_some() {
                self.controller.resume();
                (self.sum, self.looks) = (0.0, 0);
            }
            return;
        };
        let gaps = flow.capture_xruns.load(Relaxed) + flow.playback_xruns.load(Relaxed);
        if gaps != std::mem::replace(&mut self.gaps, gaps) {
            // Led back slowly, as at a start: the clocks have not changed.
            self.controller.resume();
            (self.sum, self.looks) = (0.0, 0);
        }
        self.sum += level;
        self.looks += 1;
        if now < self.due {
            return;
        }
        // A machine that stood still owes no more than one correction.
        let dt = (INTERVAL + now.duration_since(self.due)).as_secs_f64().min(1.0);
        self.due = now + INTERVAL;
        let correction = self.controller.update(self.sum / f64::from(self.looks), dt);
        (self.sum, self.looks) = (0.0, 0);
        if let Some(steering) = &mut self.steering {
            match steering.steer(correction) {
                Ok(()) => self.faulty = false,
                // A card that has gone shows at the next read; said once.
                Err(error) if !self.faulty => {
                    log::warn!("The input's clock cannot be steered: {error}");
                    self.faulty = true;
                }
                Err(_) => {}
            }
        }
    }

    /// The correction that these two clocks need.
    pub(crate) fn learned(&self) -> f64 {
        self.controller.learned()
    }

    /// For the telemetry.
    pub(crate) fn to_message(&self) -> Drift {
        let steered = self.steering.is_some();
        let level = self.controller.level().unwrap_or(self.controller.target());
        Drift {
            method: self.steering.as_ref().map_or(DriftMethod::Nothing, |s| s.method()),
            correction_ppm: if steered { self.controller.correction() * 1e6 } else { 0.0 },
            level_seconds: self.reserve.of_dac(level),
            target_seconds: self.reserve.of_dac(self.controller.target()),
        }
    }

    /// Sound under way as last smoothed, in seconds.
    pub(crate) fn level(&self) -> Option<f64> {
        self.controller.level()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::error::Error;

    /// Notes what it is told.
    struct Notes(Arc<Mutex<Vec<f64>>>);

    impl ClockSteering for Notes {
        fn method(&self) -> DriftMethod {
            DriftMethod::GadgetPitch
        }

        fn steer(&mut self, correction: f64) -> Result<(), Error> {
            self.0.lock().unwrap().push(correction);
            Ok(())
        }
    }

    /// 100 ms of captured sound and `played` seconds of played sound, both at this moment.
    fn level(flow: &Flow, played: f64) {
        flow.level.captured(4_410, 44_100);
        flow.level.played((played * 44_100.0) as u64 + 1, 1, 44_100);
    }

    #[test]
    fn a_pause_steers_nothing_and_a_gap_is_led_back_slowly() {
        let told = Arc::new(Mutex::new(vec![]));
        let reserve =
            Reserve { dac: Duration::from_millis(80), held: Duration::ZERO, block: Duration::ZERO };
        let start = Instant::now();
        let steering = Box::new(Notes(Arc::clone(&told)));
        let mut follower = Follower::new(Some(steering), reserve, 100e-6, start);
        let flow = Flow::default();
        let mut now = start;
        let mut turns = |follower: &mut Follower, flow: &Flow, count: usize| {
            for _ in 0..count {
                now += Duration::from_millis(20);
                follower.turn(now, flow);
            }
        };
        turns(&mut follower, &flow, 50);
        assert!(told.lock().unwrap().is_empty(), "the DAC does not play yet");
        level(&flow, 0.02);
        turns(&mut follower, &flow, 50);
        let seen = told.lock().unwrap().len();
        assert!((8..=12).contains(&seen), "{seen} in a second");
        assert!(told.lock().unwrap().iter().all(|c| (c - 100e-6).abs() < 30e-6), "{told:?}");

        flow.input_idle.store(true, Relaxed);
        turns(&mut follower, &flow, 50);
        assert_eq!(told.lock().unwrap().len(), seen, "the host pauses");
        flow.input_idle.store(false, Relaxed);

        // A gap leaves 40 ms less under way: no more than the lead of 200 ppm is asked for.
        flow.playback_xruns.store(1, Relaxed);
        level(&flow, 0.06);
        turns(&mut follower, &flow, 100);
        let last = told.lock().unwrap().last().copied().unwrap();
        assert!((last - 300e-6).abs() < 30e-6, "{last}");
        assert_eq!(follower.to_message().method, DriftMethod::GadgetPitch);
    }
}
