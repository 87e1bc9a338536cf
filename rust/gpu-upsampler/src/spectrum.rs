//! What sounds by frequency, computed while somebody asks: by a thread of its own, so that
//! neither the audio threads nor the other commands wait for it.
//!
//! Each request has the audio threads keep the sound up for two seconds more and this thread look
//! at it once, not oftener than [`INTERVAL`] and at most for a quarter of its time: on a slow
//! machine the spectrum comes more rarely. After two seconds without a request its memory is
//! freed, and the thread sleeps until the next one.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use totton_dsp::spectrum::{Analyser, BANDS, LOW_HZ, high_hz};
use totton_protocol::{Levels, Spectrum};

use crate::audio::flow::Flow;
use crate::audio::realtime;
use crate::audio::tap::{Heard, KEPT, Tap};

/// The least time between two looks.
const INTERVAL: Duration = Duration::from_millis(40);

/// Looking takes at most one part of so many of the time.
const SHARE: u32 = 4;

/// A place that no frame has passed for this long is silent.
const STILL: Duration = Duration::from_millis(250);

/// Input and output.
type Spectra = [Spectrum; 2];

/// What was seen last, and when.
type Newest = Mutex<Option<(Instant, Option<Spectra>)>>;

/// For those who ask.
pub(crate) struct Asker {
    flow: Arc<Flow>,
    asks: SyncSender<()>,
    newest: Arc<Newest>,
}

/// For the thread that looks.
pub(crate) struct Looker {
    flow: Arc<Flow>,
    asks: Receiver<()>,
    newest: Arc<Newest>,
}

/// Both ends; the looker ends when the asker is dropped.
pub(crate) fn ends(flow: &Arc<Flow>) -> (Asker, Looker) {
    let (ask, asks) = sync_channel(1);
    let newest = Arc::default();
    let asker = Asker { flow: Arc::clone(flow), asks: ask, newest: Arc::clone(&newest) };
    (asker, Looker { flow: Arc::clone(flow), asks, newest })
}

/// The thread that looks has died.
#[derive(Debug)]
pub(crate) struct Dead;

impl Asker {
    /// Has the sound looked at, and tells what was seen last of input and output: at first silence.
    /// `None`: no stream is open.
    pub(crate) fn ask(&self) -> Result<Option<Spectra>, Dead> {
        if let Err(TrySendError::Disconnected(())) = self.asks.try_send(()) {
            return Err(Dead);
        }
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(match newest {
            Some((at, spectra)) if at.elapsed() < KEPT => spectra,
            _ => self.flow.taps().map(|taps| [silence(&taps.input), silence(&taps.output)]),
        })
    }
}

impl Looker {
    /// Looks whenever it is asked to, until the asker is dropped.
    pub(crate) fn run(self) {
        realtime::stand_back();
        let mut sides: Option<[Side; 2]> = None;
        let mut due = Instant::now();
        loop {
            let asked = match &sides {
                Some(_) => self.asks.recv_timeout(KEPT),
                None => self.asks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match asked {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => {
                    sides = None;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now < due {
                continue;
            }
            let spectra = self.look(&mut sides, now);
            due = now + INTERVAL.max(now.elapsed() * SHARE);
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((Instant::now(), spectra));
        }
    }

    fn look(&self, sides: &mut Option<[Side; 2]>, now: Instant) -> Option<Spectra> {
        let Some(taps) = self.flow.taps() else {
            *sides = None;
            return None;
        };
        let known = sides.take().filter(|[_, output]| Arc::ptr_eq(&output.tap, &taps.output));
        let sides = sides.insert(
            known.unwrap_or_else(|| [taps.input, taps.output].map(|tap| Side::new(tap, now))),
        );
        Some(sides.each_mut().map(|side| side.look(now)))
    }
}

/// One side of the open stream.
struct Side {
    tap: Arc<Tap>,
    analyser: Analyser,
    planes: Vec<Vec<f32>>,
    /// Frames that have passed, and since when not one more.
    passed: (u64, Instant),
    spectrum: Spectrum,
}

impl Side {
    fn new(tap: Arc<Tap>, now: Instant) -> Self {
        let analyser = Analyser::new(tap.rate());
        let planes = vec![vec![0.0; analyser.frames()]; tap.channels()];
        let (passed, spectrum) = ((tap.written(), now), silence(&tap));
        Self { tap, analyser, planes, passed, spectrum }
    }

    fn look(&mut self, now: Instant) -> Spectrum {
        self.tap.ask();
        let passed = self.tap.written();
        if passed != self.passed.0 {
            self.passed = (passed, now);
        } else if now.duration_since(self.passed.1) >= STILL {
            self.tap.forget();
        }
        match self.tap.hear(&mut self.planes) {
            Heard::Sound => {
                let levels = self.analyser.levels(&self.planes).into_iter().map(rounded);
                self.spectrum.levels_dbfs = levels.collect();
            }
            Heard::TooFew => self.spectrum = silence(&self.tap),
            // The last look is as good as it gets.
            Heard::Overtaken => {}
        }
        self.spectrum.clone()
    }
}

/// To a hundredth: a message is to be short.
fn rounded(level: f64) -> f64 {
    (level * 100.0).round() / 100.0
}

fn silence(tap: &Tap) -> Spectrum {
    Spectrum {
        low_hz: LOW_HZ,
        high_hz: high_hz(tap.rate()),
        levels_dbfs: vec![Levels::SILENCE_DBFS; BANDS],
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::audio::tap::Taps;

    const RATE: u32 = 8000;

    /// A stream of a constant tone of 1 kHz at full scale, of as many frames as asked for.
    struct Stream {
        taps: Taps,
        frame: usize,
    }

    impl Stream {
        fn open(flow: &Flow) -> Self {
            let tap = || Arc::new(Tap::new(RATE, 1, totton_dsp::spectrum::frames(RATE), 80));
            let taps = Taps { input: tap(), output: tap() };
            flow.show(Some(taps.clone()));
            Self { taps, frame: 0 }
        }

        /// Ten milliseconds on the input, and on the output if that plays.
        fn play(&mut self, output: bool) {
            let sine = |frame: usize| (std::f64::consts::TAU * 0.125 * frame as f64).sin();
            let planes = [(self.frame..self.frame + 80).map(sine).collect()];
            self.frame += 80;
            self.taps.input.note(&planes, 80);
            if output {
                self.taps.output.note(&planes, 80);
            }
        }
    }

    fn loudest(spectrum: &Spectrum) -> f64 {
        spectrum.levels_dbfs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Plays and asks until `done`, for at most ten seconds.
    fn until(asker: &Asker, mut turn: impl FnMut(), done: impl Fn(&Option<Spectra>) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            turn();
            let spectra = asker.ask().unwrap();
            if done(&spectra) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain; the last is {spectra:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_spectrum_comes_while_a_stream_plays_and_silence_when_it_stands_still() {
        let flow = Arc::new(Flow::default());
        let (asker, looker) = ends(&flow);
        let thread = thread::spawn(|| looker.run());
        assert_eq!(asker.ask().unwrap(), None, "no stream is open");
        let mut stream = Stream::open(&flow);
        until(
            &asker,
            || stream.play(false),
            |spectra| {
                spectra.as_ref().is_some_and(|[input, output]| {
                    loudest(input).abs() < 0.1 && loudest(output) == Levels::SILENCE_DBFS
                })
            },
        );
        until(
            &asker,
            || (),
            |spectra| {
                spectra.as_ref().is_some_and(|[input, _]| loudest(input) == Levels::SILENCE_DBFS)
            },
        );
        until(
            &asker,
            || stream.play(true),
            |spectra| {
                spectra.as_ref().is_some_and(|[input, output]| {
                    loudest(input).abs() < 0.1 && loudest(output).abs() < 0.1
                })
            },
        );
        flow.show(None);
        until(&asker, || (), Option::is_none);
        drop(asker);
        thread.join().unwrap();
    }

    #[test]
    fn the_first_answer_after_a_pause_is_silence_not_what_was_seen_before_it() {
        let flow = Arc::new(Flow::default());
        let (asker, looker) = ends(&flow);
        let stream = Stream::open(&flow);
        let mut seen = silence(&stream.taps.input);
        seen.levels_dbfs.fill(-3.0);
        let before = Instant::now().checked_sub(KEPT).unwrap();
        *asker.newest.lock().unwrap() = Some((before, Some([seen.clone(), seen.clone()])));
        assert_eq!(loudest(&asker.ask().unwrap().unwrap()[0]), Levels::SILENCE_DBFS);
        *asker.newest.lock().unwrap() = Some((Instant::now(), Some([seen.clone(), seen])));
        assert_eq!(loudest(&asker.ask().unwrap().unwrap()[0]), -3.0);
        drop(looker);
        assert!(asker.ask().is_err(), "nobody looks any more");
    }
}
