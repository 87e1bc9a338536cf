//! The soft limiter: a curve that leaves what is quiet alone and bends what is loud.
//!
//! Below the threshold `t` a sample stays as it is. Above, `|y| = t + (c - t)
//! tanh((|x| - t) / (c - t))`: the slope goes on from 1 at the threshold, and the
//! ceiling `c` is never exceeded. It has no memory, so it neither pumps nor
//! delays; at the output's rate, far above the sound's, its harmonics fold back
//! little.

/// The ceiling as an amplitude, -0.01 dBFS: what is rounded to 16 bits stays below full scale.
pub const CEILING: f64 = 0.998_849_37;

/// One sample bent; `threshold` is an amplitude below [`CEILING`].
#[inline]
pub fn bend(sample: f64, threshold: f64) -> f64 {
    let magnitude = sample.abs();
    if magnitude <= threshold {
        return sample;
    }
    let room = CEILING - threshold;
    (threshold + room * ((magnitude - threshold) / room).tanh()).copysign(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_samples_stay_bit_for_bit_and_loud_ones_stay_below_the_ceiling() {
        let threshold = 10f64.powf(-1.0 / 20.0);
        for step in 0..=4000 {
            let sample = f64::from(step - 2000) / 500.0;
            let bent = bend(sample, threshold);
            if sample.abs() <= threshold {
                assert_eq!(bent.to_bits(), sample.to_bits());
            }
            assert!(bent.abs() <= CEILING && bent.signum() == sample.signum(), "{sample}: {bent}");
            // Rising, and never steeper than the sound itself.
            let next = bend(sample + 1e-4, threshold);
            assert!(next >= bent && next - bent <= 1e-4 + 1e-12, "{sample}");
        }
        assert_eq!(bend(f64::INFINITY, threshold), CEILING);
    }
}
