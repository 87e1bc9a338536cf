//! Changing the filter while the stream runs.

use super::{Engine, MAX_CHANNELS};
use crate::Filter;

/// An engine that can be replaced without a click.
///
/// The new engine first hears the input for a warm-up, so that its output is
/// what it would be had it always run; then its output fades in as the old one's
/// fades out, with gains that sum to 1 (`x^2 (3 - 2 x)` over the fade), which keeps
/// the level of what the two filters have in common and has no corner at its ends.
///
/// # Cost
///
/// During warm-up and fade both engines run: twice the work of a block and the
/// memory of both; as they share the caches, up to 3.3 times the time was measured. [`warm_up`] tells how long the warm-up must be. A sharp filter
/// rings long: one of 64,000 taps and minimum phase is down to -20 dB after a twentieth
/// of its length, to -100 dB after two thirds. `benches/start.rs` measures it.
///
/// # Who does what
///
/// The real-time contract of [`Engine`] holds for every method but
/// [`Crossfade::new`]: nothing is allocated, freed or locked. So another thread
/// loads the filter and makes the engine, and hands it over through a ring; and it
/// frees the old engine, which comes back through another one:
///
/// ```
/// # use totton_dsp::{CpuEngine, Crossfade, Engine, Filter, Origin, Phase, Precision};
/// # fn engine(gain: f64) -> Box<dyn Engine> {
/// #     let origin = Origin::Imported { source: "doc".into() };
/// #     let filter = Filter::new(44_100, 1, Phase::Minimum, origin, vec![gain]).unwrap();
/// #     Box::new(CpuEngine::new(&filter, 1, 16, Precision::F64).unwrap())
/// # }
/// // Rings of one place, made by whoever starts the threads.
/// let (mut prepared, mut arriving) = rtrb::RingBuffer::<Box<dyn Engine>>::new(1);
/// let (mut leaving, mut used) = rtrb::RingBuffer::<Box<dyn Engine>>::new(1);
///
/// // The control thread, whenever it likes:
/// assert!(prepared.push(engine(0.5)).is_ok());
///
/// // The engine thread, for each block:
/// let mut running = Crossfade::new(engine(1.0));
/// let mut output = [0.0; 16];
/// for _ in 0..5 {
///     if running.is_ready()
///         && let Ok(engine) = arriving.pop()
///         && let Err(refused) = running.switch_to(engine, 16, 32)
///     {
///         // Ready: only an engine of another shape is refused. Its maker drops it.
///         let _ = leaving.push(refused.engine);
///     }
///     running.process(&[&[1.0; 16]], &mut [&mut output]);
///     if !leaving.is_full() && let Some(old) = running.take_retired() {
///         let _ = leaving.push(old);
///     }
/// }
/// assert_eq!(output[15], 0.5);
///
/// // The control thread, now and then:
/// assert!(used.pop().is_ok(), "freed here");
/// ```
pub struct Crossfade {
    current: Box<dyn Engine>,
    incoming: Option<Incoming>,
    retired: Option<Box<dyn Engine>>,
    /// What the incoming engine gives, one block for each channel.
    output: Vec<Vec<f64>>,
    /// Its gain in one block.
    gains: Vec<f64>,
}

struct Incoming {
    engine: Box<dyn Engine>,
    /// Input frames still to hear before the fade.
    warm_up: usize,
    /// Output frames of the whole fade, and those behind.
    fade: usize,
    faded: usize,
}

/// Why an engine was not taken, and the engine.
pub struct Refused {
    pub engine: Box<dyn Engine>,
    pub reason: Refusal,
}

/// Why an engine was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Restart the stream to change these.
    #[error("it has other channels, another ratio or another block than the running engine")]
    Shape,
    /// See [`Crossfade::is_ready`].
    #[error("another engine is fading in, or the one before was not taken out yet")]
    Busy,
}

impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// Input frames after which what a filter still owes to earlier input is `rest_db`
/// below its energy: a warm-up for [`Crossfade::switch_to`]. -200 dB and the whole
/// filter differ by nothing that could be heard.
#[must_use]
pub fn warm_up(filter: &Filter, rest_db: f64) -> usize {
    let energy = |taps: &[f64]| taps.iter().map(|tap| tap * tap).sum::<f64>();
    let allowed = energy(filter.taps()) * 10f64.powf(rest_db / 10.0);
    let mut rest = 0.0;
    let audible = filter.taps().iter().rposition(|tap| {
        rest += tap * tap;
        rest > allowed
    });
    audible.map_or(0, |last| last + 1).div_ceil(filter.ratio())
}

impl Crossfade {
    /// Runs `engine`.
    #[must_use]
    pub fn new(engine: Box<dyn Engine>) -> Self {
        let frames = engine.block_frames() * engine.ratio();
        let output = vec![vec![0.0; frames]; engine.channels()];
        Self { current: engine, incoming: None, retired: None, output, gains: vec![0.0; frames] }
    }

    /// Starts to replace the running engine by `engine`: after `warm_up` input
    /// frames, rounded up to whole blocks, it fades in over `fade` input frames.
    /// An engine that was still warming up is retired.
    ///
    /// # Errors
    ///
    /// The engine back, when it has other channels, another ratio or another block
    /// than the running one, or when this is not the moment: see [`Crossfade::is_ready`].
    pub fn switch_to(
        &mut self,
        engine: Box<dyn Engine>,
        warm_up: usize,
        fade: usize,
    ) -> Result<(), Refused> {
        let shape =
            |engine: &dyn Engine| (engine.channels(), engine.ratio(), engine.block_frames());
        if shape(&*engine) != shape(&*self.current) {
            return Err(Refused { engine, reason: Refusal::Shape });
        }
        if !self.is_ready() {
            return Err(Refused { engine, reason: Refusal::Busy });
        }
        let fade = (fade * engine.ratio()).max(1);
        let incoming = Incoming { engine, warm_up, fade, faded: 0 };
        self.retired = self.incoming.replace(incoming).map(|incoming| incoming.engine);
        Ok(())
    }

    /// Whether [`Crossfade::switch_to`] may be called: no engine is fading in (to
    /// break that off would click), and none waits in [`Crossfade::take_retired`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.retired.is_none() && self.incoming.as_ref().is_none_or(|incoming| incoming.faded == 0)
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
        let (begin, step) = (incoming.faded as f64, 1.0 / incoming.fade as f64);
        for (frame, gain) in self.gains.iter_mut().enumerate() {
            let x = ((begin + frame as f64) * step).min(1.0);
            *gain = x * x * (3.0 - 2.0 * x);
        }
        for (output, fresh) in output.iter_mut().zip(&self.output) {
            for ((sample, fresh), gain) in output.iter_mut().zip(fresh).zip(&self.gains) {
                *sample += (fresh - *sample) * gain;
            }
        }
        incoming.faded += self.gains.len();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CpuEngine, DesignSpec, Origin, Phase, Precision, design};

    fn filter(ratio: u32, taps: Vec<f64>) -> Filter {
        let origin = Origin::Imported { source: "test".into() };
        Filter::new(44_100, ratio, Phase::Unknown, origin, taps).unwrap()
    }

    fn engine(gain: f64) -> Box<dyn Engine> {
        let filter = filter(1, vec![gain]);
        Box::new(CpuEngine::new(&filter, 1, 16, Precision::F64).unwrap())
    }

    fn block(fade: &mut Crossfade) -> f64 {
        let mut output = [0.0; 16];
        fade.process(&[&[1.0; 16]], &mut [&mut output]);
        output[15]
    }

    fn gain(engine: &mut dyn Engine) -> f64 {
        let mut output = [0.0; 16];
        engine.reset();
        engine.process(&[&[1.0; 16]], &mut [&mut output]);
        output[15]
    }

    #[test]
    fn an_engine_that_is_refused_comes_back() {
        let mut fade = Crossfade::new(engine(1.0));
        let other = CpuEngine::new(&filter(2, vec![1.0]), 1, 16, Precision::F64).unwrap();
        let refused = fade.switch_to(Box::new(other), 0, 0).unwrap_err();
        assert_eq!((refused.reason, refused.engine.ratio()), (Refusal::Shape, 2));
        assert!(refused.reason.to_string().contains("another ratio"));

        fade.switch_to(engine(2.0), 0, 64).unwrap();
        block(&mut fade);
        assert!(!fade.is_ready(), "to break off a fade would click");
        let mut refused = fade.switch_to(engine(3.0), 0, 64).unwrap_err();
        assert_eq!((refused.reason, gain(&mut refused.engine)), (Refusal::Busy, 3.0));
        for _ in 0..3 {
            block(&mut fade);
        }
        assert_eq!(block(&mut fade), 2.0);
        assert!(!fade.is_ready() && !fade.is_switching(), "the old engine waits to be taken");
        assert_eq!(gain(&mut fade.take_retired().unwrap()), 1.0);
        assert!(fade.is_ready());
    }

    #[test]
    fn a_later_engine_takes_the_place_of_one_that_warms_up() {
        let mut fade = Crossfade::new(engine(1.0));
        fade.switch_to(engine(2.0), 160, 16).unwrap();
        assert_eq!(block(&mut fade), 1.0);
        fade.switch_to(engine(3.0), 16, 16).unwrap();
        assert_eq!(gain(&mut fade.take_retired().unwrap()), 2.0);
        block(&mut fade);
        block(&mut fade);
        assert_eq!(block(&mut fade), 3.0);
        assert_eq!(gain(&mut fade.take_retired().unwrap()), 1.0);
    }

    #[test]
    fn an_old_engine_that_nobody_takes_stops_nothing() {
        let mut fade = Crossfade::new(engine(1.0));
        fade.switch_to(engine(2.0), 160, 16).unwrap();
        fade.switch_to(engine(3.0), 0, 16).unwrap();
        for _ in 0..10 {
            block(&mut fade);
        }
        assert_eq!(block(&mut fade), 3.0);
        assert_eq!(gain(&mut fade.take_retired().unwrap()), 2.0);
        block(&mut fade);
        assert_eq!(gain(&mut fade.take_retired().unwrap()), 1.0);
    }

    #[test]
    fn the_warm_up_is_what_the_filter_rings() {
        let taps = vec![1.0, 0.0, 0.0, 1e-5, 0.0, 1e-6, 0.0, 0.0, 0.0];
        assert_eq!(warm_up(&filter(2, taps.clone()), -200.0), 3, "six taps of two phases");
        assert_eq!(warm_up(&filter(2, taps), -110.0), 2);
        assert_eq!(warm_up(&filter(1, vec![0.0; 4]), -200.0), 0);
        let spec = DesignSpec { taps: 64_000, ..DesignSpec::default() };
        let minimum = design(&spec, &mut |_, _| {}).unwrap();
        let all = minimum.taps().len() / 16;
        assert!(warm_up(&minimum, -20.0) < all / 10, "{}", warm_up(&minimum, -20.0));
        assert!(warm_up(&minimum, -300.0) > all * 9 / 10);
    }
}
