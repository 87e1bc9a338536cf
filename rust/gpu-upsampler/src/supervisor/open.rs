//! Opening a stream: every step from "is there a DAC?" to running threads.

use std::sync::Arc;

use totton_dsp::{Engine, Filter};
use totton_protocol::State;

use crate::audio::flow::Flow;
use crate::audio::stream::{Parts, Stream};
use crate::config::{self, Config};
use crate::device::AudioDevices;
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter};

/// Makes an engine; a parameter so that a test can put another in its place.
pub type EngineBuilder =
    Box<dyn Fn(&config::Engine, &Filter, usize) -> Result<Box<dyn Engine>, Error> + Send>;

/// A stream that has been opened.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) filter: LoadedFilter,
}

/// Why there is no stream.
pub(super) struct Missing {
    pub(super) state: State,
    /// What is missing, in words.
    pub(super) message: String,
    /// Nothing is at fault: everything is there, and the host does not play.
    pub(super) only_idle: bool,
}

impl Missing {
    fn new(state: State, error: &Error) -> Self {
        let message = match state {
            State::WaitingForInput => format!("Waiting for the input: {error}"),
            State::WaitingForDac => format!("Waiting for the DAC: {error}"),
            _ => error.to_string(),
        };
        Self { state, message, only_idle: false }
    }
}

/// Opens the stream that `config` describes.
pub(super) fn open(
    config: &Config,
    filters: &FilterSet,
    devices: &mut dyn AudioDevices,
    build_engine: &EngineBuilder,
    flow: &Arc<Flow>,
) -> Result<Opened, Missing> {
    let input = |error| Missing::new(State::WaitingForInput, &error);
    let dac = |error| Missing::new(State::WaitingForDac, &error);
    let engine = |error| Missing::new(State::Starting, &error);
    // Both ends are looked at, so that the message names everything that is missing.
    let found = devices.find_playback(&config.playback);
    let rate = devices.input_rate(&config.capture);
    let (found, rate) = match (found, rate) {
        (Ok(found), Ok(Some(rate))) => (found, rate),
        (Ok(_), Ok(None)) => {
            return Err(Missing {
                state: State::WaitingForInput,
                message: format!("The computer sends no sound to {}", config.capture.device),
                only_idle: true,
            });
        }
        (Ok(_), Err(error)) => return Err(input(error)),
        (Err(error), Ok(_)) => return Err(dac(error)),
        (Err(no_dac), Err(no_input)) => {
            let mut missing = dac(no_dac);
            missing.message = format!("{}; and the input: {no_input}", missing.message);
            return Err(missing);
        }
    };
    let filter =
        filters.choose(config, rate, |rate| found.rates().contains(&rate)).map_err(|error| {
            match error {
                Error::NoRate { wanted } => dac(Error::DeviceRefused {
                    device: found.name.clone(),
                    what: "the rate",
                    wanted,
                    accepted: found.rates_in_words(),
                }),
                other => engine(other),
            }
        })?;
    let rate_out = rate.saturating_mul(filter.filter.header().ratio);
    let channels = config.capture.channels;
    // The DAC after the input: where the input is refused again and again, no DAC's relay clicks.
    let capture = devices.open_capture(&config.capture, rate).map_err(input)?;
    let playback =
        devices.open_playback(&config.playback, &found.name, rate_out, channels).map_err(dac)?;
    let made = build_engine(&config.engine, &filter.filter, channels).map_err(engine)?;
    let parts = Parts {
        capture,
        engine: made,
        playback,
        prefill: config.playback.prefill,
        priority: config.realtime.priority,
    };
    let stream = Stream::start(parts, flow).map_err(engine)?;
    Ok(Opened { stream, filter })
}
