//! The two clocks: the host's, by which sound comes in, and the DAC's, by which it
//! goes out. What comes in is made to follow what goes out.
//!
//! - [`controller`]: the control law
//! - [`level`]: how much sound is under way
//!
//! The input's card has the control that steers ([`ClockSteering`]): a gadget asks
//! its host to send faster or slower, a loopback card runs faster or slower.

pub mod controller;
pub mod level;

use std::time::{Duration, Instant};

use totton_protocol::{Drift, DriftMethod};

use self::controller::Controller;
use self::level::Reserve;
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
        Self { controller, steering, reserve, sum: 0.0, looks: 0, due, faulty: false }
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
