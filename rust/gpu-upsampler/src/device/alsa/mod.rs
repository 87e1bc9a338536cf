//! The real sound devices, through alsa-lib.
//!
//! - [`capture`], [`playback`]: the open devices
//! - [`card`]: whether a card is there
//! - [`control`]: what the input's card tells of its host, and its clock
//! - [`significant`]: how many bits of a sample a device uses
//! - [`volume`]: the volume control that the computer has on the input
//! - [`dac`]: which DACs there are, and what they can do
//! - [`messages`]: what alsa-lib says beside its error codes
//!
//! Everything is opened non-blocking: a blocking open waits for a busy device
//! for as long as it is busy, a blocking read for as long as the host is silent.

mod capture;
mod card;
mod control;
mod dac;
mod messages;
mod playback;
mod significant;
mod volume;

use std::thread;
use std::time::{Duration, Instant};

use alsa::pcm::{Access, Format, HwParams, PCM};
use alsa::{Direction, ValueOr};
use totton_protocol::HostVolume;

use crate::config;
use crate::device::dac::Dac;
use crate::device::{AudioDevices, CaptureDevice, ClockSteering, Layout, PlaybackDevice};
use crate::error::Error;
use crate::sample::SampleFormat;

use control::HostRate;
use dac::Dacs;
use messages::Listening;
use volume::VolumeControl;

/// The machine's ALSA cards.
#[derive(Default)]
pub struct AlsaDevices {
    host_rate: Option<HostRate>,
    dacs: Dacs,
    /// Looked for when the input is opened.
    volume: Option<VolumeControl>,
}

impl AlsaDevices {
    /// Access to the cards.
    pub fn new() -> Self {
        Self::default()
    }
}

impl AudioDevices for AlsaDevices {
    fn input_rate(&mut self, config: &config::Capture) -> Result<Option<u32>, Error> {
        let _listening = Listening::begin();
        if let config::CaptureRate::Fixed(rate) = config.rate {
            card::check_present(&config.device, Direction::Capture)?;
            return Ok(Some(rate));
        }
        let mut host = match self.host_rate.take() {
            Some(host) if host.device() == config.device => host,
            _ => HostRate::open(&config.device)?,
        };
        let rate = host.rate()?;
        // Kept only while it works: after the card has gone its handle is of no more use.
        self.host_rate = Some(host);
        Ok(rate)
    }

    fn rate_to_look_at(&mut self, config: &config::Capture) -> Option<u32> {
        if self.host_rate.as_ref().is_some_and(HostRate::is_gadget) {
            // A card that is gone shows at the next read.
            return self.input_rate(config).ok().flatten();
        }
        None
    }

    fn host_volume(&mut self, _: &config::Capture) -> Option<HostVolume> {
        let _listening = Listening::begin();
        let volume = self.volume.as_ref().and_then(VolumeControl::read);
        if volume.is_none() {
            self.volume = None;
        }
        volume
    }

    fn open_capture(
        &mut self,
        config: &config::Capture,
        rate: u32,
    ) -> Result<Box<dyn CaptureDevice>, Error> {
        let _listening = Listening::begin();
        let device = capture::AlsaCapture::open(config, rate)?;
        self.volume = VolumeControl::open(&config.device);
        Ok(Box::new(device))
    }

    fn steering(&mut self, config: &config::Capture) -> Option<Box<dyn ClockSteering>> {
        let _listening = Listening::begin();
        let steering = control::Steering::open(&config.device)?;
        Some(Box::new(steering))
    }

    fn dacs(&mut self) -> Vec<Dac> {
        let _listening = Listening::begin();
        self.dacs.list()
    }

    fn find_playback(&mut self, config: &config::Playback) -> Result<Dac, Error> {
        let _listening = Listening::begin();
        self.dacs.find(&config.device)
    }

    fn open_playback(
        &mut self,
        config: &config::Playback,
        name: &str,
        rate: u32,
        channels: usize,
    ) -> Result<Box<dyn PlaybackDevice>, Error> {
        let _listening = Listening::begin();
        let device = playback::AlsaPlayback::open(config, name, rate, channels)?;
        // It is opened last: both ends are there.
        messages::forget();
        Ok(Box::new(device))
    }
}

/// What a device is asked for.
struct Wanted<'a> {
    rate: u32,
    channels: usize,
    formats: &'a [SampleFormat],
    period: Duration,
    buffer: Duration,
}

fn alsa_format(format: SampleFormat) -> Format {
    match format {
        SampleFormat::S16 => Format::S16LE,
        SampleFormat::S24In3 => Format::S243LE,
        SampleFormat::S24 => Format::S24LE,
        SampleFormat::S32 => Format::S32LE,
    }
}

/// Opens the device `name` and agrees with it on what is `wanted`.
fn open(name: &str, direction: Direction, wanted: &Wanted) -> Result<(PCM, Layout), Error> {
    // alsa-lib prints to stderr when it opens what is absent, and the daemon looks for absent
    // devices several times a second.
    card::check_present(name, direction)?;
    let pcm = PCM::new(name, direction, true).map_err(|source| open_error(name, source))?;
    let layout = {
        let failed = |source| Error::Alsa { device: name.to_owned(), source };
        let params = HwParams::any(&pcm).map_err(failed)?;
        let format = agree(name, &params, wanted)?;
        let microseconds = |d: Duration| u32::try_from(d.as_micros()).unwrap_or(u32::MAX);
        params
            .set_period_time_near(microseconds(wanted.period), ValueOr::Nearest)
            .map_err(failed)?;
        params
            .set_buffer_time_near(microseconds(wanted.buffer), ValueOr::Nearest)
            .map_err(failed)?;
        pcm.hw_params(&params).map_err(|source| open_error(name, source))?;
        let frames = |frames: alsa::pcm::Frames| usize::try_from(frames).unwrap_or(0);
        Layout {
            name: name.to_owned(),
            rate: wanted.rate,
            channels: wanted.channels,
            format,
            significant_bits: significant::bits(&pcm, format, wanted.rate, wanted.channels),
            period_frames: frames(params.get_period_size().map_err(failed)?),
            buffer_frames: frames(params.get_buffer_size().map_err(failed)?),
        }
    };
    Ok((pcm, layout))
}

/// Sets access, channels, rate and format; tells which format it became.
fn agree(name: &str, params: &HwParams, wanted: &Wanted) -> Result<SampleFormat, Error> {
    let refused = |what, wanted: String, accepted: String| Error::DeviceRefused {
        device: name.to_owned(),
        what,
        wanted,
        accepted,
    };
    let failed = |source| Error::Alsa { device: name.to_owned(), source };
    params.set_access(Access::RWInterleaved).map_err(failed)?;
    // Sound is never resampled behind our back, not even by a plug device.
    params.set_rate_resample(false).map_err(failed)?;
    let channels = u32::try_from(wanted.channels).unwrap_or(u32::MAX);
    if params.set_channels(channels).is_err() {
        let accepted = range(params.get_channels_min(), params.get_channels_max());
        return Err(refused("the number of channels", channels.to_string(), accepted));
    }
    // Before the format: some DACs offer their highest rates in one format only.
    if params.set_rate(wanted.rate, ValueOr::Nearest).is_err() {
        let accepted = format!("{} Hz", range(params.get_rate_min(), params.get_rate_max()));
        return Err(refused("the rate", format!("{} Hz", wanted.rate), accepted));
    }
    let format = wanted
        .formats
        .iter()
        .find(|format| params.test_format(alsa_format(**format)).is_ok())
        .ok_or_else(|| {
            let names: Vec<_> = wanted.formats.iter().map(|format| format.name()).collect();
            refused("the formats", names.join(", "), offered_formats(params))
        })?;
    params.set_format(alsa_format(*format)).map_err(failed)?;
    Ok(*format)
}

fn range(low: alsa::Result<u32>, high: alsa::Result<u32>) -> String {
    match (low, high) {
        (Ok(low), Ok(high)) if low == high => low.to_string(),
        (Ok(low), Ok(high)) => format!("{low} to {high}"),
        _ => "none".to_owned(),
    }
}

fn offered_formats(params: &HwParams) -> String {
    let all = [
        Format::S16LE,
        Format::S243LE,
        Format::S24LE,
        Format::S32LE,
        Format::FloatLE,
        Format::Float64LE,
        Format::U8,
        Format::DSDU32BE,
    ];
    let offered: Vec<String> = all
        .into_iter()
        .filter(|format| params.test_format(*format).is_ok())
        .map(|format| format.to_string())
        .collect();
    if offered.is_empty() { "none known here".to_owned() } else { offered.join(", ") }
}

/// Why a device cannot be opened.
fn open_error(name: &str, source: alsa::Error) -> Error {
    let device = name.to_owned();
    match source.errno() {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => {
            Error::DeviceAbsent { device, hint: "no such sound card or device now".to_owned() }
        }
        libc::EBUSY | libc::EAGAIN => Error::DeviceBusy { device },
        _ => Error::Alsa { device, source },
    }
}

/// What an error of a running device means. An xrun is not told apart here.
fn running_error(name: &str, source: alsa::Error) -> Error {
    let device = name.to_owned();
    match source.errno() {
        // EBADFD: the card is being torn down; ENOTTY: its file has been replaced by the kernel's
        // stand-in for a disconnected card.
        libc::ENODEV | libc::ENXIO | libc::ENOTTY | libc::EBADFD => Error::DeviceGone { device },
        _ => Error::Alsa { device, source },
    }
}

/// How long a device that wakes up with the machine may take.
const WAKING: Duration = Duration::from_secs(1);

/// Wakes a PCM that was suspended with the machine, as alsa-lib wants it: asked until it is awake,
/// and prepared anew where the hardware cannot go on.
fn resume(pcm: &PCM) -> alsa::Result<()> {
    let deadline = Instant::now() + WAKING;
    while Instant::now() < deadline {
        match pcm.resume() {
            Ok(()) => return Ok(()),
            Err(error) if error.errno() == libc::EAGAIN => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(_) => break,
        }
    }
    pcm.prepare()
}

fn timeout_ms(timeout: Duration) -> Option<u32> {
    Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1))
}
