//! The lock-free ring between two audio threads: one lane a channel.
//!
//! Lanes keep the frames planar, as the engine wants them. The ends wake one
//! another by unparking, which is a system call only if the other end sleeps.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

/// Who sleeps at which end.
#[derive(Default)]
struct Ends {
    writer: OnceLock<Thread>,
    reader: OnceLock<Thread>,
}

fn wake(end: &OnceLock<Thread>) {
    if let Some(thread) = end.get() {
        thread.unpark();
    }
}

/// Sleeps until somebody wakes the thread of this end, or `timeout` passed.
fn wait(end: &OnceLock<Thread>, timeout: Duration) {
    if end.set(thread::current()).is_ok() {
        // Until now nobody knew whom to wake: what was to be waited for may be there already.
        return;
    }
    // A wake-up before this line is not lost: parking then returns at once.
    thread::park_timeout(timeout);
}

/// The end that frames go into.
pub struct FrameWriter {
    lanes: Vec<Producer<f64>>,
    ends: Arc<Ends>,
}

/// The end that frames come out of.
pub struct FrameReader {
    lanes: Vec<Consumer<f64>>,
    ends: Arc<Ends>,
}

/// A ring of `frames` frames of `channels` channels.
pub fn frame_ring(channels: usize, frames: usize) -> (FrameWriter, FrameReader) {
    let ends = Arc::new(Ends::default());
    let (writers, readers) = (0..channels).map(|_| RingBuffer::new(frames)).unzip();
    (FrameWriter { lanes: writers, ends: Arc::clone(&ends) }, FrameReader { lanes: readers, ends })
}

impl FrameWriter {
    /// Frames that can be written now.
    pub fn space(&self) -> usize {
        self.lanes.iter().map(Producer::slots).min().unwrap_or(0)
    }

    /// Frames written and not yet read.
    pub fn level(&self) -> usize {
        self.lanes.first().map_or(0, |lane| lane.buffer().capacity()) - self.space()
    }

    /// Writes as many of the frames `range` of `planes` as fit; tells how many.
    pub fn write(&mut self, planes: &[Vec<f64>], range: Range<usize>) -> usize {
        let frames = range.len().min(self.space());
        if frames > 0 {
            for (lane, plane) in self.lanes.iter_mut().zip(planes) {
                let all = lane.push_partial_slice(&plane[range.start..range.start + frames]);
                debug_assert!(all.1.is_empty(), "there was room for {frames} frames");
            }
            wake(&self.ends.reader);
        }
        frames
    }

    /// Ends the reader's wait though nothing was written: something else has changed.
    pub fn wake_reader(&self) {
        wake(&self.ends.reader);
    }

    /// Sleeps until the reader took something, or `timeout` passed.
    pub fn wait(&self, timeout: Duration) {
        wait(&self.ends.writer, timeout);
    }
}

impl FrameReader {
    /// Frames that can be read now.
    pub fn level(&self) -> usize {
        self.lanes.iter().map(Consumer::slots).min().unwrap_or(0)
    }

    /// Reads as many frames as there are into `range` of `planes`; tells how many.
    pub fn read(&mut self, planes: &mut [Vec<f64>], range: Range<usize>) -> usize {
        let frames = range.len().min(self.level());
        if frames > 0 {
            for (lane, plane) in self.lanes.iter_mut().zip(planes) {
                let all = lane.pop_partial_slice(&mut plane[range.start..range.start + frames]);
                debug_assert!(all.1.is_empty(), "there were {frames} frames");
            }
            wake(&self.ends.writer);
        }
        frames
    }

    /// Sleeps until the writer gave something, or `timeout` passed.
    pub fn wait(&self, timeout: Duration) {
        wait(&self.ends.reader, timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_from_another_thread() {
        const FRAMES: usize = 100_000;
        let (mut writer, mut reader) = frame_ring(2, 1000);
        let source = thread::spawn(move || {
            let left: Vec<f64> = (0..FRAMES).map(|i| i as f64).collect();
            let right: Vec<f64> = left.iter().map(|v| -v).collect();
            let planes = [left, right];
            let mut done = 0;
            while done < FRAMES {
                match writer.write(&planes, done..FRAMES.min(done + 333)) {
                    0 => writer.wait(Duration::from_millis(100)),
                    frames => done += frames,
                }
            }
        });
        let mut planes = [vec![0.0; FRAMES], vec![0.0; FRAMES]];
        let mut done = 0;
        while done < FRAMES {
            match reader.read(&mut planes, done..FRAMES.min(done + 777)) {
                0 => reader.wait(Duration::from_millis(100)),
                frames => done += frames,
            }
        }
        source.join().unwrap();
        for (i, (left, right)) in planes[0].iter().zip(&planes[1]).enumerate() {
            assert_eq!((*left, *right), (i as f64, -(i as f64)));
        }
    }

    #[test]
    fn what_came_before_the_first_wait_is_not_waited_for() {
        let (mut writer, mut reader) = frame_ring(1, 4);
        let mut planes = [vec![0.0; 4]];
        assert_eq!(reader.read(&mut planes, 0..4), 0);
        // Between the look and the wait.
        assert_eq!(writer.write(&[vec![1.0; 4]], 0..4), 4);
        let started = std::time::Instant::now();
        reader.wait(Duration::from_secs(60));
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(reader.read(&mut planes, 0..4), 4);
    }

    #[test]
    fn a_full_ring_takes_no_more() {
        let (mut writer, reader) = frame_ring(1, 4);
        let planes = [vec![1.0; 6]];
        assert_eq!(writer.write(&planes, 0..6), 4);
        assert_eq!(writer.write(&planes, 4..6), 0);
        assert_eq!((writer.level(), writer.space(), reader.level()), (4, 0, 4));
    }
}
