//! Overruns and underruns, told at most once a second each: the audio threads
//! count them, and have no time for the journal.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use totton_protocol::FaultKind;

use crate::board::Board;

const PAUSE: Duration = Duration::from_secs(1);

/// What has been told of.
#[derive(Debug, Default)]
pub(super) struct Xruns {
    capture: Told,
    playback: Told,
}

#[derive(Debug, Default)]
struct Told {
    count: u64,
    since: Option<Instant>,
}

impl Told {
    /// How many are to be told now, of `count` so far.
    fn due(&mut self, count: u64, now: Instant) -> Option<u64> {
        let new = count - self.count;
        if new == 0 || self.since.is_some_and(|since| now.duration_since(since) < PAUSE) {
            return None;
        }
        (self.count, self.since) = (count, Some(now));
        Some(new)
    }
}

impl Xruns {
    /// Tells `board`, and with it the journal, what has come.
    pub(super) fn tell(&mut self, board: &Board) {
        let (now, flow) = (Instant::now(), board.flow());
        if let Some(new) = self.capture.due(flow.capture_xruns.load(Relaxed), now) {
            let message = format!("the input's buffer ran over {new} times: sound was lost");
            board.note_faults(FaultKind::CaptureXrun, new, &message);
        }
        if let Some(new) = self.playback.due(flow.playback_xruns.load(Relaxed), now) {
            let message = format!("the DAC's buffer ran dry {new} times: a gap was heard");
            board.note_faults(FaultKind::PlaybackXrun, new, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_told_once_a_second_and_none_is_left_out() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.due(0, now), None);
        assert_eq!(told.due(1, now), Some(1));
        assert_eq!(told.due(5, now + PAUSE / 2), None);
        assert_eq!(told.due(7, now + PAUSE), Some(6));
        assert_eq!(told.due(7, now + PAUSE * 2), None);
    }
}
