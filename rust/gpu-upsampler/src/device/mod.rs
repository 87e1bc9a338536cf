//! The sound devices, behind traits so that tests can stand in for them.
//!
//! - [`alsa`]: the real ones
//! - [`dac`]: how a DAC is told from another, and what it can do
//!
//! Every call returns within its `timeout`, or soon: the audio threads look
//! between calls whether they should end.

pub mod alsa;
pub mod dac;

use std::time::Duration;

use totton_protocol::{DriftMethod, HostVolume};

use self::dac::Dac;
use crate::config::{Capture, Playback};
use crate::error::Error;
use crate::sample::SampleFormat;

/// What an open device agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// ALSA name.
    pub name: String,
    /// Frames per second (Hz).
    pub rate: u32,
    pub channels: usize,
    pub format: SampleFormat,
    /// Bits of a sample that the device uses: the upper ones, at most those of the format.
    pub significant_bits: u32,
    /// Frames in one period.
    pub period_frames: usize,
    /// Frames in the whole buffer.
    pub buffer_frames: usize,
}

impl Layout {
    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.channels * self.format.bytes()
    }

    /// Frames that an output holds before it starts, where so much sound is wanted: a device whose
    /// buffer came out smaller than asked for still has to start. Whoever reckons with what the
    /// DAC holds takes it from here.
    pub fn prefill_frames(&self, wanted: Duration) -> usize {
        let frames = (wanted.as_secs_f64() * f64::from(self.rate)) as usize;
        frames.min(self.buffer_frames.saturating_sub(self.period_frames)).max(1)
    }

    /// The same as a time.
    pub fn prefill(&self, wanted: Duration) -> Duration {
        Duration::from_secs_f64(self.prefill_frames(wanted) as f64 / f64::from(self.rate.max(1)))
    }

    /// The same, for a message.
    pub fn to_message(&self) -> totton_protocol::Device {
        let frames = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        totton_protocol::Device {
            name: self.name.clone(),
            rate: self.rate,
            channels: frames(self.channels),
            format: self.format.name().to_owned(),
            significant_bits: self.significant_bits,
            period_frames: frames(self.period_frames),
            buffer_frames: frames(self.buffer_frames),
        }
    }
}

/// An open input.
pub trait CaptureDevice: Send {
    fn layout(&self) -> &Layout;

    /// Starts it: from now on it must be read, or it overruns.
    ///
    /// # Errors
    /// When it went away meanwhile.
    fn start(&mut self) -> Result<(), Error>;

    /// Waits at most `timeout`, then fills `bytes` with whole frames as far as
    /// they have come; tells how many frames. 0: nothing came.
    ///
    /// # Errors
    /// [`Error::Xrun`] when frames were lost; the device runs again already.
    /// [`Error::RateChanged`] while the host plays at another rate.
    /// Any other error ends the use of this device.
    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize, Error>;
}

/// An open output. It starts by itself once it holds the prefill.
pub trait PlaybackDevice: Send {
    fn layout(&self) -> &Layout;

    /// Waits at most `timeout` for room, then takes whole frames from `bytes`
    /// as far as there is room; tells how many frames. 0: no room came.
    ///
    /// # Errors
    /// [`Error::Xrun`] when the device ran dry; it is ready for a new prefill
    /// and took nothing. Any other error ends the use of this device.
    fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<usize, Error>;

    /// Frames written and not yet played.
    fn queued_frames(&mut self) -> usize;

    /// Plays what was written, for at most `timeout`; the last `silent` frames need not be heard.
    fn drain(&mut self, timeout: Duration, silent: usize);
}

/// Makes the clock of an input run faster or slower. Dropping it lets the clock go.
pub trait ClockSteering: Send {
    /// What is steered.
    fn method(&self) -> DriftMethod;

    /// Has the input run at 1 + `correction` times its nominal rate from now on;
    /// to be called again and again, since some hosts forget it when they pause.
    ///
    /// # Errors
    /// When the control does not take it.
    fn steer(&mut self, correction: f64) -> Result<(), Error>;
}

/// The machine's sound devices.
pub trait AudioDevices: Send {
    /// The rate in Hz that the input delivers now; `None` while its host sends nothing.
    ///
    /// # Errors
    /// When the input is absent or does not tell its rate.
    fn input_rate(&mut self, config: &Capture) -> Result<Option<u32>, Error>;

    /// The rate in Hz that the host streams at into the open input, where nothing but a look tells
    /// that it has changed; `None` where the input's own thread hears of it.
    fn rate_to_look_at(&mut self, _config: &Capture) -> Option<u32> {
        None
    }

    /// The volume control that the computer has on the input; `None` where there is none.
    fn host_volume(&mut self, _config: &Capture) -> Option<HostVolume> {
        None
    }

    /// Opens the input at `rate` Hz.
    ///
    /// # Errors
    /// When it is absent, busy, or refuses what the configuration asks for.
    fn open_capture(
        &mut self,
        config: &Capture,
        rate: u32,
    ) -> Result<Box<dyn CaptureDevice>, Error>;

    /// What steers the clock of the input, where it has such a control.
    fn steering(&mut self, config: &Capture) -> Option<Box<dyn ClockSteering>>;

    /// The DACs that are there now.
    fn dacs(&mut self) -> Vec<Dac>;

    /// The DAC to use; what it can do is known.
    ///
    /// # Errors
    /// When there is none, or it is in use by another program.
    fn find_playback(&mut self, config: &Playback) -> Result<Dac, Error>;

    /// Opens the DAC called `name` at `rate` Hz for `channels` channels.
    ///
    /// # Errors
    /// When it is absent, busy, or refuses what the configuration asks for.
    fn open_playback(
        &mut self,
        config: &Playback,
        name: &str,
        rate: u32,
        channels: usize,
    ) -> Result<Box<dyn PlaybackDevice>, Error>;
}
