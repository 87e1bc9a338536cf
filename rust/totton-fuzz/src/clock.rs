//! Orders to set the clock, from the page's service.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use totton_audio_clock::clock::Clock;
use totton_audio_clock::error::Error;
use totton_audio_clock::order::{LEAST, Orders, Outcome, PACE};
use totton_audio_clock::range::Range;

/// The date of the image, in seconds since 1970, and the last time that is believed.
const BUILT: u64 = 1_790_000_000;
const LAST: u64 = BUILT + 20 * 31_557_600;

/// Between two orders.
const STEP: Duration = Duration::from_secs(7);

/// Two clocks: the time of day, and the one that counts.
#[derive(Clone)]
struct Machine(Rc<Cell<(SystemTime, Duration)>>);

impl Clock for Machine {
    fn now(&self) -> SystemTime {
        self.0.get().0
    }

    fn counting(&self) -> Result<Duration, Error> {
        Ok(self.0.get().1)
    }

    fn set(&mut self, time: SystemTime) -> Result<(), Error> {
        self.0.set((time, self.0.get().1));
        Ok(())
    }

    fn trust(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Orders one after the other: whatever they say, the clock stays in its range, is set no
/// sooner than a minute after the last time, and by no less than a minute.
pub fn orders(bytes: &[u8]) {
    let seconds = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let machine = Machine(Rc::new(Cell::new((seconds(BUILT), Duration::ZERO))));
    let mut orders = Orders::new(machine.clone(), Range::beginning(seconds(BUILT)));
    let mut last: Option<Duration> = None;
    for text in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (now, counting) = machine.0.get();
        let (now, counting) = (now + STEP, counting + STEP);
        machine.0.set((now, counting));
        let outcome = orders.carry_out(text).expect("this machine refuses nothing");
        let line = outcome.line();
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
        let after = machine.0.get().0;
        if !matches!(outcome, Outcome::Set { .. }) {
            assert_eq!(after, now, "{outcome:?}");
            continue;
        }
        assert!((seconds(BUILT)..=seconds(LAST)).contains(&after), "{outcome:?}");
        let apart = after.duration_since(now).unwrap_or_else(|back| back.duration());
        assert!(apart >= LEAST, "{outcome:?}");
        assert!(last.is_none_or(|last| counting - last >= PACE), "{outcome:?}");
        last = Some(counting);
    }
}
