//! The control law: from the level of the sound under way to a correction of the
//! input's clock. Pure arithmetic, so that a test can run it for a month.
//!
//! The level L (seconds of sound between input and DAC) is the integral of the
//! difference of the clocks: dL/dt = u + d, with the drift d that nobody knows and
//! the correction u. A proportional-integral law u = -(Kp e + Ki ∫e) with
//! Kp = 2ω and Ki = ω² makes both poles real at ω (critical damping): a step of d
//! moves the level by d / (ω e) at the most, and it comes back without swinging.
//! CamillaDSP and alsaloop steer the same controls by PI laws; the level's
//! low-pass and the slow start are from PipeWire's and CamillaDSP's.

/// ω in radians per second: a step of 500 ppm moves the level by 3 ms, and is
/// forgotten after two minutes.
const OMEGA: f64 = 0.06;

/// Time constant of the level's low-pass in seconds: far below 1/ω.
const SMOOTHING: f64 = 1.5;

/// A deviation within this, in seconds, is left alone: the input's pitch is then
/// steady, and no host is told of every jitter.
const DEAD_BAND: f64 = 0.0005;

/// How fast the level is led from where it is to where it should be, in seconds a
/// second: the extra pitch of a start or of a pause is no more than this.
const LEAD: f64 = 200e-6;

/// The largest correction: two clocks at the edges of what USB allows (500 ppm
/// each), the lead, and something to spare.
const LIMIT: f64 = 1500e-6;

/// Follows the drift of one clock against another.
#[derive(Debug, Clone)]
pub struct Controller {
    target: f64,
    /// Low-passed level; `None` before the first.
    level: Option<f64>,
    /// Where the level is led to just now.
    aim: f64,
    /// The drift as learned.
    learned: f64,
    correction: f64,
}

impl Controller {
    /// Steers the level to `target` seconds; `learned` is the correction that was
    /// needed the last time between the same clocks, else 0.
    pub fn new(target: f64, learned: f64) -> Self {
        let learned = learned.clamp(-LIMIT, LIMIT);
        Self { target, level: None, aim: target, learned, correction: learned }
    }

    /// Takes the mean `level` in seconds over the last `dt` seconds; gives the
    /// correction: how much faster than nominal the input should run, 1e-6 for 1 ppm.
    pub fn update(&mut self, level: f64, dt: f64) -> f64 {
        let smooth = match self.level {
            Some(last) => last + (level - last) * (dt / (SMOOTHING + dt)),
            None => {
                self.aim = level;
                level
            }
        };
        self.level = Some(smooth);
        let lead = (self.target - self.aim).clamp(-LEAD * dt, LEAD * dt);
        self.aim += lead;
        let error = smooth - self.aim;
        let error = error - error.clamp(-DEAD_BAND, DEAD_BAND);
        let wanted = lead / dt + self.learned - 2.0 * OMEGA * error;
        self.correction = wanted.clamp(-LIMIT, LIMIT);
        // Against wind-up: at the limit only what leads away from it is learned.
        let step = -OMEGA * OMEGA * error * dt;
        if self.correction == wanted || step * wanted < 0.0 {
            self.learned = (self.learned + step).clamp(-LIMIT, LIMIT);
        }
        self.correction
    }

    /// After a pause or a gap: the level is wherever it is, what has been learned stays.
    pub fn resume(&mut self) {
        self.level = None;
        self.correction = self.learned;
    }

    /// The level as last smoothed, in seconds.
    pub fn level(&self) -> Option<f64> {
        self.level
    }

    /// What the level is steered to in the end, in seconds.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// The correction as last given.
    pub fn correction(&self) -> f64 {
        self.correction
    }

    /// The drift as learned.
    pub fn learned(&self) -> f64 {
        self.learned
    }
}

#[cfg(test)]
#[path = "simulation.rs"]
mod simulation;
