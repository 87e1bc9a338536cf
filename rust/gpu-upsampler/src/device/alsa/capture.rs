//! The input.

use std::time::Duration;

use alsa::Direction;
use alsa::pcm::{PCM, State};

use super::control::HostRate;
use super::{Wanted, messages, open, resume, running_error, timeout_ms};
use crate::config;
use crate::device::{CaptureDevice, Layout};
use crate::error::Error;

pub(super) struct AlsaCapture {
    pcm: PCM,
    layout: Layout,
    /// Where the rate is the host's choice: what tells it.
    host: Option<HostRate>,
}

impl AlsaCapture {
    pub(super) fn open(config: &config::Capture, rate: u32) -> Result<Self, Error> {
        let wanted = Wanted {
            rate,
            channels: config.channels,
            formats: &config.formats,
            period: config.period,
            buffer: config.buffer,
        };
        let (pcm, layout) = open(&config.device, Direction::Capture, &wanted)?;
        let host = match config.rate {
            config::CaptureRate::Auto => Some(HostRate::open(&config.device)?),
            config::CaptureRate::Fixed(_) => None,
        };
        Ok(Self { pcm, layout, host })
    }

    /// Sorts an error; after an xrun the device runs again.
    fn fault(&self, error: alsa::Error) -> Error {
        let device = || self.layout.name.clone();
        match error.errno() {
            libc::EPIPE => match self.pcm.prepare().and_then(|()| self.pcm.start()) {
                Ok(()) => Error::Xrun { device: device() },
                Err(error) => running_error(&self.layout.name, error),
            },
            // The machine slept. What was recorded meanwhile is lost just the same.
            libc::ESTRPIPE => {
                let runs = || self.pcm.state() == State::Running;
                let start = |()| if runs() { Ok(()) } else { self.pcm.start() };
                match resume(&self.pcm).and_then(start) {
                    Ok(()) => Error::Xrun { device: device() },
                    Err(error) => running_error(&self.layout.name, error),
                }
            }
            _ if self.pcm.state() == State::Disconnected => Error::DeviceGone { device: device() },
            // A loopback card stops our end when its player has another rate, and refuses to start
            // it until the player has ours again.
            _ if self.host.is_some() && self.pcm.state() != State::Running => {
                match self.pcm.prepare().and_then(|()| self.pcm.start()) {
                    Ok(()) => Error::Xrun { device: device() },
                    Err(error) if error.errno() == libc::EIO => self.rate_changed(),
                    Err(error) => running_error(&self.layout.name, error),
                }
            }
            _ => running_error(&self.layout.name, error),
        }
    }

    fn rate_changed(&self) -> Error {
        Error::RateChanged { device: self.layout.name.clone() }
    }

    fn host_has_another_rate(&mut self) -> bool {
        let ours = self.layout.rate;
        self.host.as_mut().is_some_and(|host| host.is_other_than(ours))
    }
}

impl CaptureDevice for AlsaCapture {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn start(&mut self) -> Result<(), Error> {
        messages::listen();
        self.pcm.start().map_err(|source| running_error(&self.layout.name, source))
    }

    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize, Error> {
        messages::listen();
        self.pcm.wait(timeout_ms(timeout)).map_err(|error| self.fault(error))?;
        // Asked even when nothing was signalled: less than a period may have come.
        let frames = self.pcm.io_bytes().readi(bytes);
        match frames {
            // Asked after the frames have been taken, so that none of another rate gets through.
            Ok(_) if self.host_has_another_rate() => Err(self.rate_changed()),
            Ok(frames) => Ok(frames),
            Err(error) if error.errno() == libc::EAGAIN => Ok(0),
            Err(error) => Err(self.fault(error)),
        }
    }
}
