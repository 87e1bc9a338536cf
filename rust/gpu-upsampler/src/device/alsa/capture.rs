//! The input.

use std::time::Duration;

use alsa::Direction;
use alsa::pcm::{PCM, State};

use super::{Wanted, open, running_error, timeout_ms};
use crate::config;
use crate::device::{CaptureDevice, Layout};
use crate::error::Error;

pub(super) struct AlsaCapture {
    pcm: PCM,
    layout: Layout,
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
        Ok(Self { pcm, layout })
    }

    /// Sorts an error; after an xrun the device runs again.
    fn fault(&self, error: alsa::Error) -> Error {
        let device = || self.layout.name.clone();
        match error.errno() {
            // ESTRPIPE: the machine slept. What was recorded meanwhile is lost just the same.
            libc::EPIPE | libc::ESTRPIPE => {
                match self.pcm.prepare().and_then(|()| self.pcm.start()) {
                    Ok(()) => Error::Xrun { device: device() },
                    Err(error) => running_error(&self.layout.name, error),
                }
            }
            _ if self.pcm.state() == State::Disconnected => Error::DeviceGone { device: device() },
            _ => running_error(&self.layout.name, error),
        }
    }
}

impl CaptureDevice for AlsaCapture {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn start(&mut self) -> Result<(), Error> {
        self.pcm.start().map_err(|source| running_error(&self.layout.name, source))
    }

    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize, Error> {
        self.pcm.wait(timeout_ms(timeout)).map_err(|error| self.fault(error))?;
        // Asked even when nothing was signalled: less than a period may have come.
        match self.pcm.io_bytes().readi(bytes) {
            Ok(frames) => Ok(frames),
            Err(error) if error.errno() == libc::EAGAIN => Ok(0),
            Err(error) => Err(self.fault(error)),
        }
    }
}
