//! Sound on its way, for whoever looks at it: the newest frames at one place of the flow.
//!
//! An audio thread writes, one other thread reads. The writer never waits: there is no lock, the
//! oldest frames are written over, and a reader who is overtaken meanwhile gets nothing. It writes
//! only while somebody asks, which is counted in frames, so no clock is read either.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long the sound is kept up for one who has asked.
pub(crate) const KEPT: Duration = Duration::from_secs(2);

/// The taps of an open stream.
#[derive(Clone)]
pub(crate) struct Taps {
    /// What comes from the host.
    pub(crate) input: Arc<Tap>,
    /// What goes to the DAC, before it is cut off at full scale and rounded.
    pub(crate) output: Arc<Tap>,
}

/// What a reader has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The newest frames, one after the other.
    Sound,
    /// Not so many have come since somebody asks.
    TooFew,
    /// The writer was faster.
    Overtaken,
}

/// The newest frames at one place.
pub(crate) struct Tap {
    rate: u32,
    channels: usize,
    /// Frames that are kept of each channel: a power of two.
    capacity: usize,
    /// Bits of `f32`, a lane for each channel; made by the first who asks.
    cells: OnceLock<Box<[AtomicU32]>>,
    /// Frames that are written or being written, and frames that are whole.
    begun: AtomicU64,
    written: AtomicU64,
    /// Frames for which the sound is still wanted.
    left: AtomicU64,
    /// The first frame of the present run. The reader's.
    since: AtomicU64,
}

impl Tap {
    /// A tap for sound of `rate` Hz that is noted in at most `burst` frames at a time and read in
    /// `frames`.
    pub(crate) fn new(rate: u32, channels: usize, frames: usize, burst: usize) -> Self {
        Self {
            rate,
            channels,
            // Time for the reader to copy: as long again as what it copies.
            capacity: (2 * frames + 2 * burst).next_power_of_two(),
            cells: OnceLock::new(),
            begun: AtomicU64::new(0),
            written: AtomicU64::new(0),
            left: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// Frames per second (Hz).
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Notes the first `frames` frames, if anybody asks: for the audio thread.
    pub(crate) fn note(&self, planes: &[Vec<f64>], frames: usize) {
        let left = self.left.load(Relaxed);
        if left == 0 {
            return;
        }
        let Some(cells) = self.cells.get() else { return };
        let from = self.written.load(Relaxed);
        let to = from + frames as u64;
        // Said before the first cell changes, for a reader who copies at this moment.
        self.begun.store(to, Relaxed);
        fence(Release);
        for (lane, plane) in cells.chunks_exact(self.capacity).zip(planes) {
            for (frame, sample) in (from..to).zip(plane) {
                lane[self.place(frame)].store((*sample as f32).to_bits(), Relaxed);
            }
        }
        self.written.store(to, Release);
        // It fails when somebody has asked anew in between: then it is theirs that counts.
        let _ =
            self.left.compare_exchange(left, left.saturating_sub(frames as u64), Release, Relaxed);
    }

    fn place(&self, frame: u64) -> usize {
        frame as usize & (self.capacity - 1)
    }

    /// Has the sound kept up for [`KEPT`] from now on. After a pause a new run begins.
    pub(crate) fn ask(&self) {
        self.cells.get_or_init(|| {
            let cells = self.capacity * self.channels;
            (0..cells).map(|_| AtomicU32::new(0)).collect()
        });
        if self.left.load(Acquire) == 0 {
            self.forget();
        }
        let frames = KEPT.as_secs_f64() * f64::from(self.rate);
        self.left.store(frames as u64, Release);
    }

    /// Begins a new run: what came until now does not belong to what comes.
    pub(crate) fn forget(&self) {
        self.since.store(self.written(), Relaxed);
    }

    /// Frames noted so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Acquire)
    }

    /// Copies the newest frames of the present run into `planes`, as many as each of them holds,
    /// limited to full scale as they are for the DAC.
    pub(crate) fn hear(&self, planes: &mut [Vec<f32>]) -> Heard {
        let frames = planes.first().map_or(0, Vec::len);
        let to = self.written();
        let (Some(cells), Some(from)) = (self.cells.get(), to.checked_sub(frames as u64)) else {
            return Heard::TooFew;
        };
        if from < self.since.load(Relaxed) {
            return Heard::TooFew;
        }
        for (lane, plane) in cells.chunks_exact(self.capacity).zip(planes) {
            for (frame, sample) in (from..to).zip(plane) {
                let bits = lane[self.place(frame)].load(Relaxed);
                *sample = f32::from_bits(bits).clamp(-1.0, 1.0);
            }
        }
        // If any cell was of a later write, that write's beginning is seen here.
        fence(Acquire);
        if self.begun.load(Relaxed) <= from + self.capacity as u64 {
            Heard::Sound
        } else {
            Heard::Overtaken
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    const RATE: u32 = 1000;

    fn count(from: usize, frames: usize) -> [Vec<f64>; 2] {
        let left: Vec<f64> = (from..from + frames).map(|n| n as f64 / 1e6).collect();
        let right = left.iter().map(|sample| -sample).collect();
        [left, right]
    }

    fn planes(frames: usize) -> [Vec<f32>; 2] {
        [vec![9.0; frames], vec![9.0; frames]]
    }

    #[test]
    fn nothing_is_kept_and_no_memory_taken_while_nobody_asks() {
        let tap = Tap::new(RATE, 2, 8, 4);
        tap.note(&count(0, 4), 4);
        assert!(tap.cells.get().is_none());
        assert_eq!((tap.written(), tap.hear(&mut planes(8))), (0, Heard::TooFew));
        tap.ask();
        // Two seconds later, by the frames, it is over.
        for _ in 0..1000 {
            tap.note(&count(0, 4), 4);
        }
        assert_eq!(tap.written(), 2 * u64::from(RATE));
    }

    #[test]
    fn the_newest_frames_are_heard_in_their_order() {
        let tap = Tap::new(RATE, 2, 8, 4);
        tap.ask();
        for from in (0..400).step_by(4) {
            tap.note(&count(from, 4), 4);
            let mut heard = planes(8);
            if from < 4 {
                assert_eq!(tap.hear(&mut heard), Heard::TooFew);
                continue;
            }
            assert_eq!(tap.hear(&mut heard), Heard::Sound);
            let narrow = |plane: Vec<f64>| plane.iter().map(|s| *s as f32).collect::<Vec<_>>();
            assert_eq!(heard, count(from - 4, 8).map(narrow));
        }
        tap.note(&[vec![1.5; 4], vec![-1.5; 4]], 4);
        let mut heard = planes(4);
        assert_eq!(tap.hear(&mut heard), Heard::Sound);
        assert_eq!(heard, [[1.0; 4], [-1.0; 4]], "as the DAC gets it");
    }

    #[test]
    fn what_came_before_a_pause_is_not_joined_to_what_comes_after_it() {
        let tap = Tap::new(RATE, 2, 8, 4);
        tap.ask();
        for _ in 0..501 {
            tap.note(&count(0, 4), 4);
        }
        tap.ask();
        assert_eq!(tap.hear(&mut planes(8)), Heard::TooFew);
        tap.note(&count(0, 4), 4);
        tap.ask();
        assert_eq!(tap.hear(&mut planes(8)), Heard::TooFew);
        tap.note(&count(4, 4), 4);
        assert_eq!(tap.hear(&mut planes(8)), Heard::Sound);
        tap.forget();
        assert_eq!(tap.hear(&mut planes(8)), Heard::TooFew);
    }

    #[test]
    fn a_reader_gets_frames_in_one_piece_or_none_however_fast_the_writer_is() {
        let (tap, ended) = (Tap::new(RATE, 2, 64, 16), AtomicBool::new(false));
        let mut whole = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut from = 0;
                while !ended.load(Relaxed) {
                    tap.ask();
                    tap.note(&count(from % 900_000, 16), 16);
                    from += 16;
                }
            });
            let mut heard = planes(64);
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while whole < 10_000 && std::time::Instant::now() < deadline {
                if tap.hear(&mut heard) != Heard::Sound {
                    continue;
                }
                whole += 1;
                let step = |pair: &[f32]| ((pair[1] - pair[0]) * 1e6).round();
                // One step back is where the count begins anew.
                let steps = heard[0].windows(2).map(step);
                assert!(steps.filter(|step| *step != 1.0).count() <= 1, "{heard:?}");
                assert!(heard[0].iter().zip(&heard[1]).all(|(left, right)| *left == -right));
            }
            ended.store(true, Relaxed);
        });
        assert!(whole > 100, "{whole}");
    }
}
