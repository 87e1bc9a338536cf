//! What belongs to one open stream besides its threads.

use std::time::{Duration, Instant};

use totton_protocol::Latency;

use super::open::{EngineBuilder, Opened};
use crate::audio::flow::Flow;
use crate::audio::stream::{HOLD, Stream};
use crate::config::{Config, rate_family};
use crate::device::ClockSteering;
use crate::drift::Follower;
use crate::drift::reserve::Reserve;
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter};

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
    pub(super) follower: Follower,
    /// When the status is to be written anew.
    pub(super) next_report: Instant,
    reserve: Reserve,
    /// What engine and filter delay the sound by, in seconds.
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
        let Opened { stream, filter, engine_frames } = opened;
        let rate = f64::from(stream.input().rate);
        let reserve = Reserve {
            dac: config.playback.prefill,
            held: HOLD,
            block: Duration::from_secs_f64(config.engine.block_frames as f64 / rate),
        };
        let learned = memory.learned(&clocks(&stream));
        Self {
            follower: Follower::new(steering, reserve, learned, now),
            next_report: now,
            reserve,
            engine_seconds: engine_frames as f64 / rate,
            filter_seconds: peak_seconds(&filter, stream.output().rate),
            stream,
            filter,
        }
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
            input_seconds: input,
            block_seconds: block,
            engine_seconds: self.engine_seconds,
            filter_seconds: self.filter_seconds,
            output_seconds: under_way - input - block,
            total_seconds: under_way + self.engine_seconds + self.filter_seconds,
        })
    }

    /// Fades the filter that `filters` have for this stream into it; `load` is the
    /// part of the time that the running engine takes.
    ///
    /// # Errors
    /// [`Error::Engine`] when that cannot be done: the stream must be opened anew.
    pub(super) fn crossfade(
        &mut self,
        config: &Config,
        filters: &FilterSet,
        build: &EngineBuilder,
        load: f64,
    ) -> Result<(), Error> {
        if load > CROSSFADE_LOAD {
            let reason = format!("two engines at a load of {load:.2} each would be too slow");
            return Err(Error::Engine { reason });
        }
        let (rate, rate_out) = (self.stream.input().rate, self.stream.output().rate);
        let chosen = filters.choose(config, rate, |rate| rate == rate_out)?;
        let engine = build(&config.engine, &chosen.filter, config.capture.channels)?;
        let engine_frames = engine.latency_frames();
        let frames = chosen.filter.taps().len().div_ceil(chosen.filter.ratio());
        self.stream.swap_engine(engine, frames)?;
        self.engine_seconds = engine_frames as f64 / f64::from(rate);
        self.filter_seconds = peak_seconds(&chosen, rate_out);
        self.filter = chosen;
        Ok(())
    }
}

fn clocks(stream: &Stream) -> (String, u32) {
    (stream.output().name.clone(), rate_family(stream.output().rate))
}

/// Where the largest tap is: what a filter delays a click by, in seconds.
fn peak_seconds(filter: &LoadedFilter, rate_out: u32) -> f64 {
    let taps = filter.filter.taps().iter().enumerate();
    let largest = taps.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
    largest.map_or(0.0, |(index, _)| index as f64 / f64::from(rate_out))
}
