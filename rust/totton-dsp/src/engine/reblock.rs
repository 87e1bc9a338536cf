//! Any split of the input over an engine that wants whole blocks.

use super::{Engine, MAX_CHANNELS};

/// Gathers input of any length into the blocks of an engine.
///
/// The output does not depend on how the input is split. What has been put in
/// since the last whole block waits for more input, or for [`Reblock::finish`].
/// The real-time contract of [`Engine`] holds here too.
pub struct Reblock<E> {
    engine: E,
    /// One block of input for each channel.
    input: Vec<Vec<f64>>,
    /// One block of output for each channel.
    output: Vec<Vec<f64>>,
    waiting: usize,
}

impl<E: Engine> Reblock<E> {
    /// Takes over an engine.
    pub fn new(engine: E) -> Self {
        let (channels, frames) = (engine.channels(), engine.block_frames());
        Self {
            input: vec![vec![0.0; frames]; channels],
            output: vec![vec![0.0; frames * engine.ratio()]; channels],
            engine,
            waiting: 0,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Input frames that wait for their block to be whole.
    pub fn waiting_frames(&self) -> usize {
        self.waiting
    }

    /// Takes input, one slice of equal length for each channel, and gives
    /// `sink` every output block that becomes whole: one vector for each channel.
    ///
    /// # Panics
    ///
    /// When the slices are not one for each channel or differ in length.
    pub fn process(&mut self, input: &[&[f64]], mut sink: impl FnMut(&[Vec<f64>])) {
        assert_eq!(input.len(), self.engine.channels(), "input channels");
        let frames = input[0].len();
        assert!(input.iter().all(|samples| samples.len() == frames), "slices differ in length");
        let mut taken = 0;
        while taken < frames {
            let count = (frames - taken).min(self.engine.block_frames() - self.waiting);
            for (block, samples) in self.input.iter_mut().zip(input) {
                block[self.waiting..self.waiting + count]
                    .copy_from_slice(&samples[taken..taken + count]);
            }
            taken += count;
            self.waiting += count;
            if self.waiting == self.engine.block_frames() {
                self.run();
                sink(&self.output);
            }
        }
    }

    /// Fills the waiting block with silence and gives `sink` the output of the
    /// frames that waited; nothing when none did.
    pub fn finish(&mut self, sink: impl FnOnce(&[Vec<f64>])) {
        let frames = self.waiting * self.engine.ratio();
        if frames == 0 {
            return;
        }
        for block in &mut self.input {
            block[self.waiting..].fill(0.0);
        }
        self.run();
        let whole = self.engine.block_frames() * self.engine.ratio();
        self.output.iter_mut().for_each(|samples| samples.truncate(frames));
        sink(&self.output);
        // The capacity is still there: growing back does not allocate.
        self.output.iter_mut().for_each(|samples| samples.resize(whole, 0.0));
    }

    /// Forgets all input.
    pub fn reset(&mut self) {
        self.waiting = 0;
        self.engine.reset();
    }

    fn run(&mut self) {
        self.waiting = 0;
        // Slices of slices without an allocation: an engine has at most `MAX_CHANNELS`.
        let mut input: [&[f64]; MAX_CHANNELS] = [&[]; MAX_CHANNELS];
        let mut output: [&mut [f64]; MAX_CHANNELS] = std::array::from_fn(|_| Default::default());
        let channels = self.input.len();
        for (slot, samples) in input.iter_mut().zip(&self.input) {
            *slot = samples;
        }
        for (slot, samples) in output.iter_mut().zip(&mut self.output) {
            *slot = samples;
        }
        self.engine.process(&input[..channels], &mut output[..channels]);
    }
}
