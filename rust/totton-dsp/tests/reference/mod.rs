//! Convolution by its definition, summed in double-double arithmetic (106 bits):
//! wide enough that the reference has no error of its own.

use totton_dsp::{Engine, Filter, Reblock};

/// An unevaluated sum of two `f64` (T. J. Dekker 1971; D. E. Knuth, TAOCP 2, 4.2.2).
#[derive(Clone, Copy, Default)]
pub struct Wide {
    high: f64,
    low: f64,
}

impl Wide {
    /// Adds the exact product of two numbers.
    pub fn add_product(self, a: f64, b: f64) -> Self {
        let product = a * b;
        let rest = a.mul_add(b, -product);
        let sum = self.high + product;
        let part = sum - self.high;
        let error = (self.high - (sum - part)) + (product - part);
        let low = self.low + error + rest;
        let high = sum + low;
        Self { high, low: low - (high - sum) }
    }

    pub fn minus(self, value: f64) -> f64 {
        (self.high - value) + self.low
    }
}

/// A repeatable source of numbers (xorshift64*).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }
    /// From -1 to 1.
    pub fn sample(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Signals of `frames` frames, with their names.
pub fn signals(frames: usize) -> Vec<(&'static str, Vec<f64>)> {
    let mut random = Random(1);
    let mut impulse = vec![0.0; frames];
    impulse[frames / 5] = 1.0;
    let sweep = |n: usize| {
        let t = n as f64 / frames as f64;
        (std::f64::consts::TAU * 0.24 * frames as f64 * t * t).sin()
    };
    let square = |n: usize| if (n / 50).is_multiple_of(2) { 1.0 } else { -1.0 };
    vec![
        ("impulse", impulse),
        ("sweep", (0..frames).map(sweep).collect()),
        ("noise", (0..frames).map(|_| random.sample()).collect()),
        ("square", (0..frames).map(square).collect()),
        ("subnormal", (0..frames).map(|_| random.sample() * 1e-310).collect()),
    ]
}

/// The last channel of an engine that hears `input` in every channel.
pub fn render(engine: &mut dyn Engine, input: &[f64]) -> Vec<f64> {
    let mut output = Vec::new();
    let channels = engine.channels();
    let mut stream = Reblock::new(engine);
    let mut sink = |blocks: &[Vec<f64>]| output.extend_from_slice(&blocks[channels - 1]);
    stream.process(&vec![input; channels], &mut sink);
    stream.finish(&mut sink);
    output
}

/// RMS of the error over some output frames, in dBFS (1.0 is full scale).
pub fn error_dbfs(filter: &Filter, input: &[f64], output: &[f64]) -> f64 {
    let ratio = filter.ratio();
    assert_eq!(output.len(), input.len() * ratio);
    let mut random = Random(7);
    let (mut sum, count) = (0.0, 400);
    for _ in 0..count {
        let n = random.below(output.len());
        let (frame, phase) = (n / ratio, n % ratio);
        let branch = filter.taps().iter().skip(phase).step_by(ratio);
        let wanted = branch
            .zip(input[..=frame].iter().rev())
            .fold(Wide::default(), |wide, (tap, x)| wide.add_product(*tap, *x));
        sum += wanted.minus(output[n]).powi(2);
    }
    10.0 * (sum / f64::from(count)).max(1e-60).log10()
}
