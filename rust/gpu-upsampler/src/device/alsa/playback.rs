//! The DAC.

use std::thread;
use std::time::{Duration, Instant};

use alsa::Direction;
use alsa::pcm::{Frames, PCM, State};

use super::{Wanted, messages, open, resume, running_error, timeout_ms};
use crate::config;
use crate::device::{Layout, PlaybackDevice};
use crate::error::Error;

pub(super) struct AlsaPlayback {
    pcm: PCM,
    layout: Layout,
}

impl AlsaPlayback {
    pub(super) fn open(
        config: &config::Playback,
        name: &str,
        rate: u32,
        channels: usize,
    ) -> Result<Self, Error> {
        let wanted = Wanted {
            rate,
            channels,
            formats: &config.formats,
            period: config.period,
            buffer: config.buffer,
        };
        let (pcm, layout) = open(name, Direction::Playback, &wanted)?;
        let prefill = layout.prefill_frames(config.prefill);
        set_thresholds(&pcm, prefill, layout.period_frames)
            .map_err(|source| Error::Alsa { device: name.to_owned(), source })?;
        Ok(Self { pcm, layout })
    }

    /// Sorts an error; after an xrun the device waits for a new prefill.
    fn fault(&self, error: alsa::Error) -> Error {
        let device = || self.layout.name.clone();
        match error.errno() {
            libc::EPIPE => match self.pcm.prepare() {
                Ok(()) => Error::Xrun { device: device() },
                Err(error) => running_error(&self.layout.name, error),
            },
            // The machine slept.
            libc::ESTRPIPE => match resume(&self.pcm) {
                Ok(()) => Error::Xrun { device: device() },
                Err(error) => running_error(&self.layout.name, error),
            },
            _ if self.pcm.state() == State::Disconnected => Error::DeviceGone { device: device() },
            _ => running_error(&self.layout.name, error),
        }
    }
}

fn set_thresholds(pcm: &PCM, prefill: usize, period: usize) -> alsa::Result<()> {
    let params = pcm.sw_params_current()?;
    params.set_start_threshold(prefill as Frames)?;
    params.set_avail_min(period as Frames)?;
    pcm.sw_params(&params)
}

impl PlaybackDevice for AlsaPlayback {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<usize, Error> {
        messages::listen();
        self.pcm.wait(timeout_ms(timeout)).map_err(|error| self.fault(error))?;
        match self.pcm.io_bytes().writei(bytes) {
            Ok(frames) => Ok(frames),
            Err(error) if error.errno() == libc::EAGAIN => Ok(0),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn queued_frames(&mut self) -> usize {
        // An error here shows again, with its handling, at the next write.
        self.pcm.delay().map_or(0, |frames| usize::try_from(frames).unwrap_or(0))
    }

    fn drain(&mut self, timeout: Duration, silent: usize) {
        messages::listen();
        let deadline = Instant::now() + timeout;
        // Non-blocking: it answers EAGAIN at once and plays on.
        let _ = self.pcm.drain();
        while self.pcm.state() == State::Draining
            && self.queued_frames() > silent
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.pcm.drop();
    }
}
