//! Mono and crossfeed of the first two channels, at the input's rate.

use super::crossfeed::Crossfeed;
use super::ramp::Ramp;
use super::wishes::Wishes;

/// The mix and its memory.
#[derive(Debug)]
pub struct Mix {
    rate: u32,
    mono: Ramp,
    /// How much of the crossfeed is heard.
    feed: Ramp,
    crossfeed: Option<Running>,
}

#[derive(Debug)]
struct Running {
    settings: (f64, f64),
    crossfeed: Crossfeed,
}

impl Mix {
    /// No mix yet, for an input of `rate` Hz.
    pub fn new(rate: u32) -> Self {
        let ramp = Ramp::from_silence(rate);
        Self { rate, mono: ramp.clone(), feed: ramp, crossfeed: None }
    }

    /// Mixes the first two channels as `wishes` say; other numbers of channels stay as they are.
    /// Without a wish the samples stay as they are, bit for bit.
    pub fn apply(&mut self, planes: &mut [Vec<f64>], wishes: &Wishes) {
        let [left, right] = planes else { return };
        self.mono.aim(if wishes.mono() { 1.0 } else { 0.0 });
        self.choose_crossfeed(wishes.crossfeed());
        if self.mono.rests_at(0.0) && self.crossfeed.is_none() {
            return;
        }
        for (left, right) in left.iter_mut().zip(right.iter_mut()) {
            let half = 0.5 * self.mono.next_gain() * (*right - *left);
            (*left, *right) = (*left + half, *right - half);
            if let Some(running) = &mut self.crossfeed {
                let [fed_left, fed_right] = running.crossfeed.frame([*left, *right]);
                let feed = self.feed.next_gain();
                *left += feed * (fed_left - *left);
                *right += feed * (fed_right - *right);
            }
        }
    }

    /// Another crossfeed comes in once the running one has gone out.
    fn choose_crossfeed(&mut self, wanted: Option<(f64, f64)>) {
        let running = self.crossfeed.as_ref().map(|running| running.settings);
        if running == wanted {
            self.feed.aim(if wanted.is_some() { 1.0 } else { 0.0 });
        } else if self.feed.rests_at(0.0) {
            self.crossfeed = wanted.map(|settings| {
                let (cut_hz, feed_db) = settings;
                Running { settings, crossfeed: Crossfeed::new(cut_hz, feed_db, self.rate) }
            });
            self.feed.aim(if wanted.is_some() { 1.0 } else { 0.0 });
        } else {
            self.feed.aim(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use totton_protocol::Sound;

    use super::*;

    const RATE: u32 = 44_100;

    /// What comes out at the end of a second of a constant left and right.
    fn settled(mix: &mut Mix, wishes: &Wishes, input: [f64; 2]) -> [f64; 2] {
        let mut planes = vec![vec![]; 2];
        for _ in 0..100 {
            planes = input.map(|sample| vec![sample; 441]).to_vec();
            mix.apply(&mut planes, wishes);
        }
        [planes[0][440], planes[1][440]]
    }

    #[test]
    fn without_a_wish_every_bit_stays() {
        let (mut mix, wishes) = (Mix::new(RATE), Wishes::default());
        assert_eq!(settled(&mut mix, &wishes, [0.1, -1.0 / 3.0]), [0.1, -1.0 / 3.0]);
    }

    #[test]
    fn mono_is_the_mean_on_both_sides_and_ends_as_it_began() {
        let (mut mix, wishes) = (Mix::new(RATE), Wishes::default());
        wishes.set_sound(&Sound { mono: true, ..Sound::default() });
        assert_eq!(settled(&mut mix, &wishes, [0.5, -0.25]), [0.125, 0.125]);
        wishes.set_sound(&Sound::default());
        assert_eq!(settled(&mut mix, &wishes, [0.5, -0.25]), [0.5, -0.25]);
    }

    #[test]
    fn crossfeed_comes_changes_and_goes_without_a_step() {
        let (mut mix, wishes) = (Mix::new(RATE), Wishes::default());
        let (mut last, mut steepest) = (0.5, 0.0f64);
        for crossfeed in [
            None,
            Some(totton_protocol::Crossfeed::default()),
            Some(totton_protocol::Crossfeed { cut_hz: 650.0, feed_db: 9.5 }),
            None,
        ] {
            wishes.set_sound(&Sound { crossfeed, ..Sound::default() });
            for _ in 0..100 {
                let mut planes = vec![vec![0.5; 441], vec![-0.5; 441]];
                mix.apply(&mut planes, &wishes);
                for sample in &planes[0] {
                    steepest = steepest.max((sample - last).abs());
                    last = *sample;
                }
            }
            match crossfeed {
                // Of opposite sides the difference stays: its gain is (1 - r) / (1 + r), r the level.
                Some(crossfeed) => {
                    let r = 10f64.powf(-crossfeed.feed_db / 20.0);
                    assert!((last - 0.5 * (1.0 - r) / (1.0 + r)).abs() < 1e-4, "{last}");
                }
                None => assert_eq!(last, 0.5),
            }
        }
        // A ramp of 0.5 over 50 ms climbs 2.3e-4 a frame.
        assert!(steepest < 1e-3, "{steepest}");
    }
}
