//! Opening a stream: every step from "is there a DAC?" to running threads.

use std::sync::Arc;

use totton_dsp::{Engine, Filter};
use totton_protocol::{CardDevice, FaultKind, State};

use super::prepare::{Key, Made};
use crate::audio::flow::Flow;
use crate::audio::realtime::Favour;
use crate::audio::stream::{Parts, Stream};
use crate::config::{self, Capture, Config, DriftChoice};
use crate::device::dac::Dac;
use crate::device::{AudioDevices, CaptureDevice, ClockSteering, PlaybackDevice};
use crate::drift::resampler::ByResampler;
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter};

/// Makes an engine; a parameter so that a test can put another in its place.
pub type EngineBuilder = Arc<
    dyn Fn(&config::Engine, &Arc<Filter>, usize) -> Result<Box<dyn Engine>, Error> + Send + Sync,
>;

/// A stream that has been opened.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) filter: LoadedFilter,
    pub(super) stands_in: bool,
    /// What the engine delays its output by, in input frames.
    pub(super) engine_frames: usize,
}

/// Why there is no stream.
pub(super) struct Missing {
    pub(super) state: State,
    /// What is missing, in words.
    pub(super) message: String,
    /// What is at fault. `None`: everything is there, and the host does not play.
    pub(super) fault: Option<FaultKind>,
}

impl Missing {
    fn new(state: State, fault: FaultKind, error: &Error) -> Self {
        let message = match state {
            State::WaitingForInput => format!("Waiting for the input: {error}"),
            State::WaitingForDac => format!("Waiting for the DAC: {error}"),
            _ => error.to_string(),
        };
        Self { state, message, fault: Some(fault) }
    }

    fn input(error: Error) -> Self {
        Self::new(State::WaitingForInput, error.fault_of_input(), &error)
    }

    fn dac(error: Error) -> Self {
        Self::new(State::WaitingForDac, error.fault_of_dac(), &error)
    }

    pub(super) fn engine(error: Error) -> Self {
        Self::new(State::Starting, error.fault(), &error)
    }
}

/// What a stream is going to be.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) dac: Dac,
    /// What its engine must be for.
    pub(super) key: Key,
}

/// The two ends of a stream.
pub(super) struct Ends {
    capture: Box<dyn CaptureDevice>,
    playback: Box<dyn PlaybackDevice>,
}

/// Finds what there is for an input of the rate `rate`, as
/// [`AudioDevices::input_rate`] tells it.
pub(super) fn choose(
    config: &Config,
    filters: &FilterSet,
    devices: &mut dyn AudioDevices,
    rate: Result<Option<u32>, Error>,
) -> Result<Choice, Missing> {
    // Both ends are looked at, so that the message names everything that is missing.
    let (dac, rate) = match (devices.find_playback(&config.playback), rate) {
        (Ok(dac), Ok(Some(rate))) => (dac, rate),
        (Ok(_), Ok(None)) => {
            return Err(Missing {
                state: State::Idle,
                message: format!("The computer sends no sound to {}", config.capture.device),
                fault: None,
            });
        }
        (Ok(_), Err(error)) => return Err(Missing::input(error)),
        (Err(error), Ok(_)) => return Err(Missing::dac(error)),
        (Err(no_dac), Err(no_input)) => {
            let mut missing = Missing::dac(no_dac);
            missing.message = format!("{}; and the input: {no_input}", missing.message);
            return Err(missing);
        }
    };
    let accepted = |rate| dac.rates().contains(&rate);
    let ratio = filters.ratio(config, rate, accepted).map_err(|error| match error {
        Error::NoRate { wanted } => Missing::dac(Error::DeviceRefused {
            device: dac.name.clone(),
            what: "the rate",
            wanted,
            accepted: dac.rates_in_words(),
        }),
        other => Missing::engine(other),
    })?;
    Ok(Choice { dac, key: (rate, ratio) })
}

impl Choice {
    /// Opens both ends.
    pub(super) fn ends(
        &self,
        config: &Config,
        devices: &mut dyn AudioDevices,
    ) -> Result<Ends, Missing> {
        let channels = config.capture.channels;
        let (rate, ratio) = self.key;
        let rate_out = rate.saturating_mul(ratio as u32);
        // The DAC after the input: where the input is refused again and again, no DAC's relay
        // clicks.
        let capture = devices.open_capture(&config.capture, rate).map_err(Missing::input)?;
        let playback = devices
            .open_playback(&config.playback, &self.dac.name, rate_out, channels)
            .map_err(Missing::dac)?;
        Ok(Ends { capture, playback })
    }
}

/// What follows the drift of the input's clock against that of the DAC called `dac`.
pub(super) fn steering(
    config: &Capture,
    dac: &str,
    devices: &mut dyn AudioDevices,
    flow: &Arc<Flow>,
) -> Option<Box<dyn ClockSteering>> {
    let resampler = || -> Box<dyn ClockSteering> { Box::new(ByResampler::new(flow)) };
    // One card has one clock.
    let card = |name: &str| CardDevice::spelled(name).map(|address| address.card);
    let same_card = || card(&config.device).is_some_and(|input| card(dac) == Some(input));
    match config.drift {
        DriftChoice::None => None,
        DriftChoice::Resample => Some(resampler()),
        DriftChoice::Auto => devices.steering(config).or_else(|| (!same_card()).then(resampler)),
    }
}

/// Starts a stream, with a resampler if `resample` says so.
pub(super) fn start(
    Ends { capture, playback }: Ends,
    Made { filter, engine, stands_in, .. }: Made,
    resample: bool,
    config: &Config,
    flow: &Arc<Flow>,
) -> Result<Opened, Missing> {
    let engine_frames = engine.latency_frames();
    let parts = Parts {
        capture,
        engine,
        playback,
        prefill: config.playback.prefill,
        resample,
        favour: Favour::of(&config.realtime),
    };
    let stream = Stream::start(parts, flow).map_err(Missing::engine)?;
    Ok(Opened { stream, filter, stands_in, engine_frames })
}
