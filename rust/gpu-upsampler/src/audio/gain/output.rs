//! Volume, headroom, balance, mute and fades, then the limiter, at the output's rate.

use super::limiter::bend;
use super::ramp::Ramp;
use super::wishes::Wishes;

/// The end of the gain chain.
#[derive(Debug)]
pub struct Output {
    /// One for each channel.
    gains: Vec<Ramp>,
    /// How much of the limiter is heard, and its threshold as an amplitude.
    limiter: Ramp,
    threshold: f64,
}

impl Output {
    /// Silence, ready to fade in at `rate` Hz.
    pub fn from_silence(rate: u32, channels: usize) -> Self {
        let ramp = Ramp::from_silence(rate);
        Self { gains: vec![ramp.clone(); channels], limiter: ramp, threshold: 1.0 }
    }

    /// Whether the output is and stays silent.
    pub fn is_silent(&self) -> bool {
        self.gains.iter().all(|gain| gain.rests_at(0.0))
    }

    /// Does to the first `frames` frames what `wishes` say, or fades them out. Tells how many
    /// samples the limiter bent. At full volume and without a limiter every bit stays.
    pub fn apply(
        &mut self,
        planes: &mut [Vec<f64>],
        frames: usize,
        wishes: &Wishes,
        fade_out: bool,
    ) -> u64 {
        self.aim(wishes, fade_out);
        for (plane, gain) in planes.iter_mut().zip(&mut self.gains) {
            gain.apply(&mut plane[..frames]);
        }
        if self.limiter.rests_at(0.0) { 0 } else { self.limit(planes, frames) }
    }

    /// The same for `frames` frames of digital silence, which stay what they are.
    pub fn pass(&mut self, frames: usize, wishes: &Wishes, fade_out: bool) {
        self.aim(wishes, fade_out);
        self.gains.iter_mut().for_each(|gain| gain.skip(frames));
        self.limiter.skip(frames);
    }

    fn aim(&mut self, wishes: &Wishes, fade_out: bool) {
        let channels = self.gains.len();
        for (channel, gain) in self.gains.iter_mut().enumerate() {
            gain.aim(if fade_out { 0.0 } else { wishes.amplitude(channel, channels) });
        }
        match wishes.threshold() {
            Some(threshold) => {
                self.threshold = threshold;
                self.limiter.aim(1.0);
            }
            None => self.limiter.aim(0.0),
        }
    }

    fn limit(&mut self, planes: &mut [Vec<f64>], frames: usize) -> u64 {
        let mut limited = 0;
        for frame in 0..frames {
            let heard = self.limiter.next_gain();
            for plane in planes.iter_mut() {
                let sample = plane[frame];
                if sample.abs() > self.threshold {
                    plane[frame] += heard * (bend(sample, self.threshold) - sample);
                    limited += 1;
                }
            }
        }
        limited
    }
}

#[cfg(test)]
mod tests {
    use totton_protocol::{HostVolume, Limiter, Sound};

    use super::*;

    const RATE: u32 = 1000;

    /// A settled output of `sound` for full scale on both sides, and the samples bent.
    fn settled(wishes: &Wishes, level: f64) -> ([f64; 2], u64) {
        let mut output = Output::from_silence(RATE, 2);
        output.apply(&mut [vec![0.0; 200], vec![0.0; 200]], 200, wishes, false);
        let mut planes = [vec![level], vec![level]];
        let limited = output.apply(&mut planes, 1, wishes, false);
        ([planes[0][0], planes[1][0]], limited)
    }

    fn of(sound: Sound) -> [f64; 2] {
        let wishes = Wishes::default();
        wishes.set_sound(&sound);
        settled(&wishes, 1.0).0
    }

    #[test]
    fn balance_takes_away_from_the_other_side_only() {
        for (balance, expected) in [
            (0.0, [1.0, 1.0]),
            (0.25, [0.75, 1.0]),
            (-0.25, [1.0, 0.75]),
            (1.0, [0.0, 1.0]),
            (-1.0, [1.0, 0.0]),
        ] {
            assert_eq!(of(Sound { balance, ..Sound::default() }), expected);
        }
    }

    #[test]
    fn gains_add_up_in_decibels_and_any_mute_is_silence() {
        let wishes = Wishes::default();
        wishes.set_sound(&Sound { gain_db: -6.0, ..Sound::default() });
        wishes.set_headroom_db(-4.0);
        wishes.set_host(Some(HostVolume { volume_db: -10.0, mute: false }));
        assert!((settled(&wishes, 1.0).0[0] - 0.1).abs() < 1e-12);
        assert_eq!(wishes.gain().total_db, -20.0);
        wishes.set_host(Some(HostVolume { volume_db: 0.0, mute: true }));
        assert_eq!(settled(&wishes, 1.0).0, [0.0, 0.0]);
        wishes.set_host(None);
        assert!((settled(&wishes, 1.0).0[0] - 10f64.powf(-0.5)).abs() < 1e-12);
        wishes.set_sound(&Sound { mute: true, ..Sound::default() });
        assert_eq!(settled(&wishes, 1.0).0, [0.0, 0.0]);
    }

    #[test]
    fn passing_silence_is_as_computing_it() {
        let wishes = Wishes::default();
        wishes.set_sound(&Sound { limiter: Some(Limiter::default()), ..Sound::default() });
        let [mut computed, mut passed] = [(); 2].map(|()| Output::from_silence(RATE, 2));
        for step in 0..8 {
            wishes.set_headroom_db(-3.0 * f64::from(step % 3));
            let fade_out = step == 6;
            computed.apply(&mut [vec![0.0; 17], vec![0.0; 17]], 17, &wishes, fade_out);
            passed.pass(17, &wishes, fade_out);
            let [mut one, mut other] = [(); 2].map(|()| [vec![1.5; 5], vec![-0.5; 5]]);
            let limited = computed.apply(&mut one, 5, &wishes, fade_out);
            assert_eq!(passed.apply(&mut other, 5, &wishes, fade_out), limited);
            assert_eq!(one, other, "{step}");
        }
    }

    #[test]
    fn the_limiter_counts_what_it_bends() {
        let wishes = Wishes::default();
        wishes.set_sound(&Sound { limiter: Some(Limiter::default()), ..Sound::default() });
        let (loud, limited) = settled(&wishes, 1.5);
        assert!(loud[0] < 1.0 && loud[0] > 0.95 && limited == 2, "{loud:?} {limited}");
        assert_eq!(settled(&wishes, 0.5), ([0.5, 0.5], 0));
    }

    #[test]
    fn a_fade_out_ends_in_silence() {
        let (wishes, mut output) = (Wishes::default(), Output::from_silence(RATE, 2));
        let mut planes = [vec![1.0; 100], vec![1.0; 100]];
        output.apply(&mut planes, 100, &wishes, false);
        assert!(!output.is_silent() && planes[0][99] == 1.0);
        output.apply(&mut planes, 100, &wishes, true);
        assert!(output.is_silent() && planes[1][99] == 0.0);
    }
}
