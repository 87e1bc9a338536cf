//! The input.

use std::time::Duration;

use alsa::pcm::{PCM, State};
use alsa::poll::{Flags, poll, pollfd};
use alsa::{Direction, PollDescriptors};

use super::control::HostWatch;
use super::{Wanted, messages, open, resume, running_error, timeout_ms};
use crate::config;
use crate::device::{CaptureDevice, Layout};
use crate::error::Error;

pub(super) struct AlsaCapture {
    pcm: PCM,
    layout: Layout,
    /// Where the rate is the host's choice: what tells it.
    host: Option<HostWatch>,
    /// Become ready for frames of the PCM, or for what the host's control tells.
    ready: Vec<pollfd>,
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
            config::CaptureRate::Auto => Some(HostWatch::open(&config.device)?),
            config::CaptureRate::Fixed(_) => None,
        };
        let mut ready =
            pcm.get().map_err(|source| Error::Alsa { device: config.device.clone(), source })?;
        ready.extend(host.as_ref().and_then(HostWatch::events));
        Ok(Self { pcm, layout, host, ready })
    }

    /// Sorts an error; after an xrun the device runs again.
    fn fault(&mut self, error: alsa::Error) -> Error {
        let name = self.layout.name.clone();
        match error.errno() {
            libc::EPIPE => match self.pcm.prepare().and_then(|()| self.pcm.start()) {
                // What a host sends too fast for our rate was not for this stream.
                Ok(()) if self.looks_otherwise() => self.rate_changed(),
                Ok(()) => Error::Xrun { device: name },
                Err(error) => running_error(&self.layout.name, error),
            },
            // The machine slept. What was recorded meanwhile is lost just the same.
            libc::ESTRPIPE => {
                let runs = || self.pcm.state() == State::Running;
                let start = |()| if runs() { Ok(()) } else { self.pcm.start() };
                match resume(&self.pcm).and_then(start) {
                    Ok(()) => Error::Xrun { device: name },
                    Err(error) => running_error(&self.layout.name, error),
                }
            }
            _ if self.pcm.state() == State::Disconnected => Error::DeviceGone { device: name },
            // A loopback card stops our end when its player has another rate, and refuses to start
            // it until the player has ours again.
            _ if self.host.is_some() && self.pcm.state() != State::Running => {
                match self.pcm.prepare().and_then(|()| self.pcm.start()) {
                    Ok(()) => Error::Xrun { device: name },
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

    fn looks_otherwise(&mut self) -> bool {
        let ours = self.layout.rate;
        self.host.as_mut().is_some_and(|host| host.look(ours))
    }

    /// Waits until there is something to read, or the host's control tells of a change.
    fn wait(&mut self, timeout: Duration) -> alsa::Result<()> {
        if self.host.as_ref().and_then(HostWatch::events).is_none() {
            return self.pcm.wait(timeout_ms(timeout)).map(drop);
        }
        match poll(&mut self.ready, timeout_ms(timeout).unwrap_or(0).cast_signed()) {
            Err(error) if error.errno() != libc::EINTR => return Err(error),
            _ => {}
        }
        let broken = Flags::ERR | Flags::HUP | Flags::NVAL;
        match self.pcm.revents(&self.ready[..self.ready.len() - 1]) {
            // What is wrong alsa-lib knows.
            Ok(found) if found.intersects(broken) => self.pcm.wait(Some(0)).map(drop),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
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
        self.wait(timeout).map_err(|error| self.fault(error))?;
        // Asked even when nothing was signalled: less than a period may have come.
        let frames = self.pcm.io_bytes().readi(bytes);
        let frames = match frames {
            Ok(frames) => frames,
            Err(error) if error.errno() == libc::EAGAIN => 0,
            Err(error) => return Err(self.fault(error)),
        };
        // Asked after the frames have been taken, so that none of another rate gets through.
        if self.host_has_another_rate() { Err(self.rate_changed()) } else { Ok(frames) }
    }
}
