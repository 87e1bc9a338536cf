//! What belongs to one open stream besides its threads.

use std::time::{Duration, Instant};

use totton_protocol::Latency;

use super::open::Opened;
use super::prepare::{Key, Made};
use crate::audio::flow::Flow;
use crate::audio::stream::{HOLD, Stream};
use crate::config::{Config, rate_family};
use crate::device::ClockSteering;
use crate::drift::Follower;
use crate::drift::reserve::Reserve;
use crate::error::Error;
use crate::filters::LoadedFilter;

/// Two engines run during a cross-fade: where one takes more than this part of the
/// time, the stream is opened anew instead.
const CROSSFADE_LOAD: f64 = 0.4;

/// The corrections that pairs of clocks were last found to need, so that the next
/// stream between them starts with it. A DAC has a crystal for each rate family.
#[derive(Default)]
pub(super) struct Memory(Vec<((String, u32), f64)>);

impl Memory {
    fn learned(&self, clocks: &(String, u32)) -> f64 {
        self.0.iter().find(|(known, _)| known == clocks).map_or(0.0, |(_, learned)| *learned)
    }

    fn remember(&mut self, clocks: (String, u32), learned: f64) {
        self.0.retain(|(known, _)| *known != clocks);
        self.0.push((clocks, learned));
    }
}

/// An open stream.
pub(super) struct Running {
    pub(super) stream: Stream,
    pub(super) filter: LoadedFilter,
    /// The filter stands in until the equaliser is folded in.
    pub(super) stands_in: bool,
    pub(super) follower: Follower,
    /// When the status is to be written anew.
    pub(super) next_report: Instant,
    /// When the host's rate is to be looked at.
    pub(super) next_look: Instant,
    reserve: Reserve,
    /// What resampler, engine and filter delay the sound by, in seconds.
    resampler_seconds: f64,
    engine_seconds: f64,
    filter_seconds: f64,
}

impl Running {
    pub(super) fn new(
        opened: Opened,
        config: &Config,
        steering: Option<Box<dyn ClockSteering>>,
        memory: &Memory,
        now: Instant,
    ) -> Self {
        let Opened { stream, filter, stands_in, engine_frames } = opened;
        let rate = f64::from(stream.input().rate);
        let reserve = Reserve {
            dac: stream.output().prefill(config.playback.prefill),
            held: HOLD,
            block: Duration::from_secs_f64(config.engine.block_frames as f64 / rate),
        };
        let learned = memory.learned(&clocks(&stream));
        Self {
            follower: Follower::new(steering, reserve, learned, now),
            next_report: now,
            next_look: now,
            reserve,
            resampler_seconds: stream.resampler_delay().as_secs_f64(),
            engine_seconds: engine_frames as f64 / rate,
            filter_seconds: peak_seconds(&filter, stream.output().rate),
            stream,
            filter,
            stands_in,
        }
    }

    /// What the engine is for.
    pub(super) fn key(&self) -> Key {
        (self.stream.input().rate, self.filter.filter.ratio())
    }

    /// Keeps what the stream has taught.
    pub(super) fn teach(&self, memory: &mut Memory) {
        memory.remember(clocks(&self.stream), self.follower.learned());
    }

    /// The regular work.
    pub(super) fn turn(&mut self, now: Instant, flow: &Flow) {
        self.stream.free_retired();
        self.follower.turn(now, flow);
    }

    /// Delay from the input to the DAC; `None` until the DAC has played for a moment.
    pub(super) fn latency(&self) -> Option<Latency> {
        let under_way = self.follower.level()?;
        let (input, block) = (self.reserve.held.as_secs_f64(), self.reserve.block.as_secs_f64());
        Some(Latency {
            input_seconds: self.resampler_seconds + input,
            block_seconds: block,
            engine_seconds: self.engine_seconds,
            filter_seconds: self.filter_seconds,
            output_seconds: under_way - input - block,
            total_seconds: self.resampler_seconds
                + under_way
                + self.engine_seconds
                + self.filter_seconds,
        })
    }

    /// Fades another engine, for the same rates, into the stream; `load` is the part of the time
    /// that the running one takes. Gives it back when two at once would be too slow.
    ///
    /// # Errors
    /// [`Error::Engine`] when that cannot be done: the stream must be opened anew.
    pub(super) fn crossfade(&mut self, made: Made, load: f64) -> Result<Option<Made>, Error> {
        if load > CROSSFADE_LOAD {
            log::info!(
                "two engines at a load of {load:.2} each would be too slow for a cross-fade"
            );
            return Ok(Some(made));
        }
        let (rate, rate_out) = (self.stream.input().rate, self.stream.output().rate);
        let Made { filter, engine, stands_in, .. } = made;
        let engine_frames = engine.latency_frames();
        let frames = filter.filter.taps().len().div_ceil(filter.filter.ratio());
        self.stream.swap_engine(engine, frames)?;
        self.engine_seconds = engine_frames as f64 / f64::from(rate);
        self.filter_seconds = peak_seconds(&filter, rate_out);
        (self.filter, self.stands_in) = (filter, stands_in);
        Ok(None)
    }
}

fn clocks(stream: &Stream) -> (String, u32) {
    (stream.output().name.clone(), rate_family(stream.output().rate))
}

/// What a filter delays a click by, in seconds.
fn peak_seconds(filter: &LoadedFilter, rate_out: u32) -> f64 {
    filter.peak as f64 / f64::from(rate_out)
}
