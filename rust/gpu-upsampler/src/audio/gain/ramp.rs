//! A gain on its way: a step in gain would click.

/// How long a change of gain, mute, or a fade takes, in seconds.
pub const RAMP_SECONDS: f64 = 0.05;

/// The amplitude that `gain_db` decibels are.
pub fn amplitude(gain_db: f64) -> f64 {
    10f64.powf(gain_db / 20.0)
}

/// A gain on its way to its target, linear in amplitude.
#[derive(Debug, Clone)]
pub struct Ramp {
    current: f64,
    target: f64,
    step: f64,
    /// Frames until the target is reached.
    remaining: usize,
    length: usize,
}

impl Ramp {
    /// Silence, ready to ramp at `rate` Hz.
    pub fn from_silence(rate: u32) -> Self {
        let length = ((f64::from(rate) * RAMP_SECONDS) as usize).max(1);
        Self { current: 0.0, target: 0.0, step: 0.0, remaining: 0, length }
    }

    /// Sets out for `target`, unless already on the way there.
    pub fn aim(&mut self, target: f64) {
        if target != self.target {
            self.target = target;
            self.remaining = self.length;
            self.step = (target - self.current) / self.length as f64;
        }
    }

    /// Whether the gain is `gain` and stays so.
    pub fn rests_at(&self, gain: f64) -> bool {
        self.remaining == 0 && self.current == gain
    }

    /// Applies the gain to `samples`. At 0 dB they stay as they are, bit for bit.
    pub fn apply(&mut self, samples: &mut [f64]) {
        let ramped = samples.len().min(self.remaining);
        for (i, sample) in samples[..ramped].iter_mut().enumerate() {
            *sample *= self.current + self.step * (i + 1) as f64;
        }
        self.pass(ramped);
        if self.current != 1.0 {
            samples[ramped..].iter_mut().for_each(|sample| *sample *= self.current);
        }
    }

    /// Goes on as if it had been applied to `frames` frames.
    pub fn skip(&mut self, frames: usize) {
        self.pass(frames.min(self.remaining));
    }

    /// The gain for the next frame.
    pub fn next_gain(&mut self) -> f64 {
        if self.remaining > 0 {
            self.pass(1);
        }
        self.current
    }

    /// Goes on by `frames` frames, of those that remain.
    fn pass(&mut self, frames: usize) {
        self.remaining -= frames;
        self.current = if self.remaining == 0 {
            self.target
        } else {
            self.current + self.step * frames as f64
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_never_steps_more_than_its_slope() {
        let mut ramp = Ramp::from_silence(1000);
        let mut seen = vec![];
        for (block, target) in [(7, 1.0), (7, 1.0), (30, 0.25), (200, 1.0), (3, 0.0), (100, 0.0)] {
            ramp.aim(target);
            let mut samples = vec![1.0; block];
            ramp.apply(&mut samples);
            seen.extend_from_slice(&samples);
        }
        let steepest = seen.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        assert!(steepest <= 1.0 / 50.0 + 1e-12, "{steepest}");
        assert!(ramp.rests_at(0.0));
        assert!(seen.contains(&1.0));
    }

    #[test]
    fn unity_gain_leaves_every_bit() {
        let mut ramp = Ramp::from_silence(1000);
        ramp.aim(amplitude(0.0));
        ramp.apply(&mut [1.0; 100]);
        let odd = [0.1, -1.0 / 3.0, 1e-300, f64::MIN_POSITIVE];
        let mut samples = odd;
        ramp.apply(&mut samples);
        assert_eq!(samples, odd);
    }

    #[test]
    fn decibels_are_amplitude() {
        assert_eq!(amplitude(-20.0), 0.1);
        assert_eq!(amplitude(0.0), 1.0);
    }
}
