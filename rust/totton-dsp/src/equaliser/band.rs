//! Parametric bands.
//!
//! Responses of R. Bristow-Johnson, "Cookbook formulae for audio equalizer
//! biquad filter coefficients". Those biquads are bilinear transforms of analogue
//! prototypes H(s), so on the unit circle they are H(j tan(w / 2) / tan(w0 / 2)):
//! that form is used here, because it loses no digits where w0 is a tiny part of
//! the rate, as 20 Hz of 705.6 kHz is.

use rustfft::num_complex::Complex;

/// What a band does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A bell of the band's gain.
    Peaking,
    /// The band's gain below the frequency.
    LowShelf,
    /// The band's gain above the frequency.
    HighShelf,
    /// Passes what is below, 12 dB an octave.
    LowPass,
    /// Passes what is above, 12 dB an octave.
    HighPass,
    /// Removes the frequency.
    Notch,
    /// Passes what is around the frequency.
    BandPass,
}

/// One parametric band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub shape: Shape,
    /// Centre or corner in Hz.
    pub frequency_hz: f64,
    /// Gain in dB; only peaking bands and shelves use it.
    pub gain_db: f64,
    /// Quality.
    pub q: f64,
}

impl Band {
    /// The response at a frequency, for a filter that runs at `rate_hz`.
    #[must_use]
    pub fn response(&self, frequency_hz: f64, rate_hz: f64) -> Complex<f64> {
        Tuned::new(self, rate_hz).response(turn(frequency_hz, rate_hz))
    }

    /// Seconds in which the band's ringing falls to 1/e.
    #[must_use]
    pub fn decay_seconds(&self) -> f64 {
        let a = 10f64.powf(self.gain_db / 40.0);
        // Poles: their frequency over the band's, and their quality.
        let (pole, q) = match self.shape {
            Shape::Peaking => (1.0, self.q * a),
            Shape::LowShelf => (1.0 / a.sqrt(), self.q),
            Shape::HighShelf => (a.sqrt(), self.q),
            _ => (1.0, self.q),
        };
        let radians = std::f64::consts::TAU * self.frequency_hz * pole;
        // Two real poles for a low quality: the slower one counts.
        if q >= 0.5 { 2.0 * q / radians } else { 1.0 / (radians * q) }
    }
}

/// Where a frequency lies in the bilinear transform of a filter that runs at `rate_hz`.
pub(super) fn turn(frequency_hz: f64, rate_hz: f64) -> f64 {
    (std::f64::consts::PI * frequency_hz / rate_hz).tan()
}

/// A band at one rate: what is the same for all frequencies is computed once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuned {
    shape: Shape,
    corner: f64,
    q: f64,
    /// The square root of the gain, and its square root.
    a: f64,
    root_a: f64,
}

impl Tuned {
    pub(super) fn new(band: &Band, rate_hz: f64) -> Self {
        let Band { shape, frequency_hz, gain_db, q } = *band;
        let a = 10f64.powf(gain_db / 40.0);
        Self { shape, corner: turn(frequency_hz, rate_hz), q, a, root_a: a.sqrt() }
    }

    /// The response where [`turn`] says.
    pub(super) fn response(&self, turn: f64) -> Complex<f64> {
        // At half the rate the tangent is infinite; far beyond the corner is enough.
        let ratio = (turn / self.corner).abs().min(1e15);
        self.prototype(Complex::new(0.0, ratio))
    }

    /// The analogue prototype with its corner at 1.
    fn prototype(&self, s: Complex<f64>) -> Complex<f64> {
        let a = self.a;
        let (ss, sq) = (s * s, s / self.q);
        let shelf = sq * self.root_a;
        match self.shape {
            Shape::Peaking => (ss + sq * a + 1.0) / (ss + sq / a + 1.0),
            Shape::LowShelf => (ss + shelf + a) * a / (ss * a + shelf + 1.0),
            Shape::HighShelf => (ss * a + shelf + 1.0) * a / (ss + shelf + a),
            Shape::LowPass => (ss + sq + 1.0).inv(),
            Shape::HighPass => ss / (ss + sq + 1.0),
            Shape::Notch => (ss + 1.0) / (ss + sq + 1.0),
            Shape::BandPass => sq / (ss + sq + 1.0),
        }
    }
}
