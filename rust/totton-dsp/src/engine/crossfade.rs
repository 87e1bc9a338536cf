//! Changing the filter while the stream runs.

use super::{Engine, MAX_CHANNELS};
use crate::Error;

/// An engine that can be replaced without a click.
///
/// The new engine first hears the input for a warm-up, so that its output is
/// what it would be had it always run; then its output fades in as the old one's
/// fades out, with gains that sum to 1 (raised cosine), which keeps the level of
/// what the two filters have in common.
///
/// # Cost
///
/// During warm-up and fade both engines run: twice the time of a block, and the
/// memory of both. A warm-up of the filter's length in input frames,
/// `taps / ratio`, makes the new output exact; the energy of a minimum-phase
/// filter is nearly all in its first thousandth, so less will do there.
///
/// The real-time contract of [`Engine`] holds: nothing is allocated, and the old
/// engine is kept until another thread's turn to free it, see
/// [`Crossfade::take_retired`].
pub struct Crossfade {
    current: Box<dyn Engine>,
    incoming: Option<Incoming>,
    retired: Option<Box<dyn Engine>>,
    /// What the incoming engine gives, one block for each channel.
    output: Vec<Vec<f64>>,
}

struct Incoming {
    engine: Box<dyn Engine>,
    /// Input frames still to hear before the fade.
    warm_up: usize,
    /// Output frames of the whole fade, and those behind.
    fade: usize,
    faded: usize,
}

impl Crossfade {
    /// Runs `engine`.
    #[must_use]
    pub fn new(engine: Box<dyn Engine>) -> Self {
        let frames = engine.block_frames() * engine.ratio();
        let output = vec![vec![0.0; frames]; engine.channels()];
        Self { current: engine, incoming: None, retired: None, output }
    }

    /// Starts to replace the running engine by `engine`: after `warm_up` input
    /// frames, rounded up to whole blocks, it fades in over `fade` input frames.
    /// An engine that was still on its way in is retired.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the engines differ in channels, ratio or block, or
    /// when an engine waits in [`Crossfade::take_retired`]; then `engine` is lost.
    pub fn switch_to(
        &mut self,
        engine: Box<dyn Engine>,
        warm_up: usize,
        fade: usize,
    ) -> Result<(), Error> {
        let shape =
            |engine: &dyn Engine| (engine.channels(), engine.ratio(), engine.block_frames());
        let (found, running) = (shape(&*engine), shape(&*self.current));
        if found != running {
            return Err(Error::invalid(
                "channels, ratio, block",
                format!("{found:?}"),
                format!("the running engine has {running:?}; restart the stream to change them"),
            ));
        }
        if self.retired.is_some() {
            let accepted = "the engine replaced before must be taken first";
            return Err(Error::invalid("retired engines", 1, accepted));
        }
        let fade = (fade * engine.ratio()).max(1);
        let incoming = Incoming { engine, warm_up, fade, faded: 0 };
        self.retired = self.incoming.replace(incoming).map(|incoming| incoming.engine);
        Ok(())
    }

    /// Whether an engine is on its way in.
    #[must_use]
    pub fn is_switching(&self) -> bool {
        self.incoming.is_some()
    }

    /// The engine that was replaced; drop it where freeing memory may take time.
    pub fn take_retired(&mut self) -> Option<Box<dyn Engine>> {
        self.retired.take()
    }
}

impl Engine for Crossfade {
    fn channels(&self) -> usize {
        self.current.channels()
    }
    fn ratio(&self) -> usize {
        self.current.ratio()
    }
    fn block_frames(&self) -> usize {
        self.current.block_frames()
    }
    fn latency_frames(&self) -> usize {
        self.current.latency_frames()
    }

    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
        self.current.process(input, output);
        let Some(incoming) = &mut self.incoming else { return };

        let mut slices: [&mut [f64]; MAX_CHANNELS] = std::array::from_fn(|_| Default::default());
        for (slot, samples) in slices.iter_mut().zip(&mut self.output) {
            *slot = samples;
        }
        incoming.engine.process(input, &mut slices[..input.len()]);
        if incoming.warm_up > 0 {
            incoming.warm_up = incoming.warm_up.saturating_sub(self.current.block_frames());
            return;
        }
        let step = std::f64::consts::PI / incoming.fade as f64;
        for (output, fresh) in output.iter_mut().zip(&self.output) {
            for (frame, (sample, fresh)) in output.iter_mut().zip(fresh).enumerate() {
                let position = (incoming.faded + frame).min(incoming.fade) as f64;
                let gain = 0.5 - 0.5 * (position * step).cos();
                *sample += (fresh - *sample) * gain;
            }
        }
        incoming.faded += output.first().map_or(0, |samples| samples.len());
        if incoming.faded >= incoming.fade
            && self.retired.is_none()
            && let Some(incoming) = self.incoming.take()
        {
            self.retired = Some(std::mem::replace(&mut self.current, incoming.engine));
        }
    }

    fn reset(&mut self) {
        self.current.reset();
        if let Some(incoming) = &mut self.incoming {
            incoming.engine.reset();
        }
    }
}
