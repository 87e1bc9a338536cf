//! TPDF dither: the noise that makes the error of dropped bits independent of the sound.
//!
//! Each sample gets the sum of two independent uniform noises, each one unit of
//! the last place wide: then neither the mean nor the power of the total error
//! depends on the signal (S. P. Lipshitz, R. A. Wannamaker and J. Vanderkooy,
//! "Quantization and Dither: A Theoretical Survey", J. Audio Eng. Soc. 40, 1992).
//!
//! 16 and 24 bits are dithered, and so are as many bits of a larger format where the device uses
//! no more: the lower ones are then zero. 32 bits are not: rounding to them errs at
//! -197 dBFS, far below the noise of any converter, and exact rounding lets the
//! output be compared bit for bit.
//!
//! Each channel has its own noise, one value for each sample whatever the sample
//! is: how the sound is cut into blocks changes nothing, and the same sound from
//! the start gets the same noise.

/// The most bits that are dithered.
const MOST_BITS: u32 = 24;

/// The noise of a stream: one generator for each channel.
#[derive(Debug, Clone)]
pub struct Dither {
    states: Vec<u64>,
    on: bool,
    /// Bits to round to, where the format has more.
    most_bits: u32,
}

impl Dither {
    /// The dither of samples that keep their upper `significant_bits`; for more than 24 that is
    /// none, and they are still rounded to so many.
    #[must_use]
    pub fn to_bits(significant_bits: u32, channels: usize) -> Self {
        Self {
            states: (0..channels as u64).map(seed).collect(),
            on: significant_bits <= MOST_BITS,
            most_bits: significant_bits,
        }
    }

    /// None: the samples are rounded to the nearest.
    #[must_use]
    pub fn none(channels: usize) -> Self {
        Self { states: vec![0; channels], on: false, most_bits: u32::MAX }
    }

    /// Whether there is any noise.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The bits that samples of `format_bits` bits are rounded to.
    pub(crate) fn bits(&self, format_bits: u32) -> u32 {
        self.most_bits.min(format_bits)
    }

    /// The generator of a channel, when there is noise.
    pub(crate) fn channel(&mut self, channel: usize) -> Option<&mut u64> {
        if self.on { self.states.get_mut(channel) } else { None }
    }
}

/// Far apart for channels: SplitMix64 of the number.
fn seed(channel: u64) -> u64 {
    let mut z = (channel + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) | 1
}

/// The next noise, above -1 and below 1, triangular, in units of the last place.
/// (xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled", 2016.)
#[inline(always)]
pub(crate) fn next(state: &mut u64) -> f64 {
    let mut x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    let bits = x.wrapping_mul(0x2545_f491_4f6c_dd1d);
    // The halves are two independent uniform numbers of 32 bits.
    ((bits >> 32) as i64 - (bits & 0xffff_ffff) as i64) as f64 * 2f64.powi(-32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(channel: u64, count: usize) -> Vec<f64> {
        let mut state = seed(channel);
        (0..count).map(|_| next(&mut state)).collect()
    }

    fn mean(values: impl Iterator<Item = f64>, count: usize) -> f64 {
        values.sum::<f64>() / count as f64
    }

    #[test]
    fn the_noise_is_triangular_white_and_its_own_in_each_channel() {
        let count = 1 << 20;
        let (a, b) = (noise(0, count), noise(1, count));
        assert!(a.iter().all(|x| x.abs() < 1.0));
        assert!(mean(a.iter().copied(), count).abs() < 2e-3);
        // The variance of a triangle from -1 to 1.
        assert!((mean(a.iter().map(|x| x * x), count) - 1.0 / 6.0).abs() < 1e-3);
        // Half a triangle lies within 1 - 1/sqrt(2) of its middle.
        let inner = a.iter().filter(|x| x.abs() < 1.0 - 0.5f64.sqrt()).count();
        assert!((inner as f64 / count as f64 - 0.5).abs() < 2e-3);
        for lag in [1, 2, 3, 64] {
            let product = a.iter().zip(&a[lag..]).map(|(x, y)| x * y);
            assert!(mean(product, count - lag).abs() < 1e-3, "lag {lag}");
        }
        assert!(mean(a.iter().zip(&b).map(|(x, y)| x * y), count).abs() < 1e-3);
    }

    #[test]
    fn only_where_bits_are_dropped_that_could_be_heard() {
        assert!([16, 20, 24].into_iter().all(|bits| Dither::to_bits(bits, 2).is_on()));
        assert!(!Dither::to_bits(32, 2).is_on());
        assert!(!Dither::none(2).is_on());
    }
}
