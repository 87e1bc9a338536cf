//! The controller on clocks made of numbers.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::Controller;

const TARGET: f64 = 0.1;
const DT: f64 = 0.1;

/// What steers, and how.
#[derive(Debug, Clone, Copy)]
struct Actuator {
    /// Steps that it can take.
    step: f64,
    /// Turns until what it is told is heard.
    delay: usize,
}

/// A gadget asks in millionths. The host hears that at its next feedback packet and obeys with what
/// it has not queued yet: milliseconds, and a tenth of a second where it queues much. A turn more
/// than that.
const GADGET: Actuator = Actuator { step: 1e-6, delay: 2 };
/// A loopback card takes its length of a frame anew with each period.
const LOOPBACK: Actuator = Actuator { step: 10e-6, delay: 1 };
/// The resampler has the next frames that come in at the new rate.
const RESAMPLER: Actuator = Actuator { step: 0.0, delay: 1 };

const ACTUATORS: [Actuator; 3] = [GADGET, LOOPBACK, RESAMPLER];

/// A pipe between two clocks, with what its measurement suffers from.
struct Pipe {
    controller: Controller,
    level: f64,
    /// As it is heard now.
    correction: f64,
    /// What the actuator has been told and is not heard yet.
    told: VecDeque<f64>,
    actuator: Actuator,
    random: u64,
}

impl Pipe {
    fn new(level: f64, actuator: Actuator) -> Self {
        let controller = Controller::new(TARGET, 0.0);
        let told = VecDeque::from(vec![0.0; actuator.delay]);
        Self { controller, level, correction: 0.0, told, actuator, random: 1 }
    }

    /// Uniform from -1 to 1.
    fn noise(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / 2f64.powi(52) - 1.0
    }

    /// One interval with the drift `drift` of the clocks.
    fn turn(&mut self, drift: f64) {
        let before = self.level;
        self.level += (self.correction + drift) * DT;
        // The mean of five looks, spread over the turn, at pointers that move in jiffies of 4 ms.
        let mean = (before + self.level) / 2.0;
        let seen = mean + 0.002 * self.noise() / 5f64.sqrt() * 3f64.sqrt();
        let wanted = self.controller.update(seen, DT);
        let step = self.actuator.step;
        self.told.push_back(if step > 0.0 { (wanted / step).round() * step } else { wanted });
        self.correction = self.told.pop_front().unwrap_or(wanted);
    }

    fn deviation(&self) -> f64 {
        (self.level - TARGET).abs()
    }
}

/// The largest deviation in seconds over `seconds`, and that over the last tenth of them.
fn run(pipe: &mut Pipe, seconds: f64, drift: impl Fn(f64) -> f64) -> (f64, f64) {
    let turns = (seconds / DT) as usize;
    let (mut all, mut last) = (0f64, 0f64);
    for turn in 0..turns {
        pipe.turn(drift(turn as f64 * DT));
        all = all.max(pipe.deviation());
        if turn > turns * 9 / 10 {
            last = last.max(pipe.deviation());
        }
    }
    (all, last)
}

#[test]
fn a_step_of_500_ppm_moves_the_level_by_milliseconds_and_is_forgotten() {
    for actuator in ACTUATORS {
        for drift in [500e-6, -500e-6] {
            let mut pipe = Pipe::new(TARGET, actuator);
            let (all, last) = run(&mut pipe, 600.0, |_| drift);
            assert!(all < 0.006, "{all}");
            assert!(last < 0.0015, "{last}");
            assert!((pipe.controller.learned() + drift).abs() < 20e-6);
        }
    }
}

#[test]
fn a_start_far_from_the_target_is_led_there_without_swinging() {
    for level in [0.06, 0.14] {
        let mut pipe = Pipe::new(level, GADGET);
        let (all, _) = run(&mut pipe, 100.0, |_| 0.0);
        assert!(all < 0.0401, "never further than at the start: {all}");
        let (_, last) = run(&mut pipe, 300.0, |_| 0.0);
        assert!(last < 0.0015, "{last}");
        assert!(pipe.controller.correction().abs() < 100e-6);
    }
}

#[test]
fn what_cannot_be_followed_does_not_wind_up() {
    let mut pipe = Pipe::new(TARGET, GADGET);
    run(&mut pipe, 100.0, |_| 2500e-6);
    assert!((pipe.controller.correction() + 1500e-6).abs() < 1e-9);
    // Back within what can be followed, it takes as long to come back as the surplus takes to
    // drain, and not longer.
    let surplus = pipe.deviation();
    run(&mut pipe, surplus / 1000e-6 + 200.0, |_| 300e-6);
    assert!(pipe.deviation() < 0.01, "{}", pipe.deviation());
}

#[test]
fn in_the_dead_band_the_pitch_does_not_move() {
    let mut pipe = Pipe::new(TARGET, GADGET);
    run(&mut pipe, 1000.0, |_| 120e-6);
    let mut corrections = vec![];
    for _ in 0..3000 {
        pipe.turn(120e-6);
        corrections.push(pipe.correction);
    }
    let moves = corrections.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let spread = corrections.iter().fold(0f64, |m, c| m.max((c + 120e-6).abs()));
    // Five minutes: in most turns nothing is told to the host, and never much.
    assert!(moves < 1500, "{moves} moves");
    assert!(spread < 60e-6, "{spread}");
}

/// Thirty days: crystals that warm and cool with the day, age, wander, and are
/// exchanged for others (another host, another DAC); pauses; all that can be steered.
#[test]
fn thirty_days_of_drift_stay_within_the_band() {
    const DAY: f64 = 86_400.0;
    let mut rows = String::from("days,drift_ppm,correction_ppm,level_ms\n");
    for actuator in ACTUATORS {
        let mut pipe = Pipe::new(TARGET, actuator);
        let (mut wander, mut base) = (0f64, 180e-6);
        let mut worst = 0f64;
        let mut quiet_worst = 0f64;
        let mut since_change = 0f64;
        for turn in 0..(30.0 * DAY / DT) as usize {
            let time = turn as f64 * DT;
            wander = (wander + 0.02e-6 * pipe.noise()) * 0.999_999;
            // Every seven hours another pair of crystals, up to 500 ppm to either side.
            if turn % 252_000 == 251_999 {
                base = 500e-6 * pipe.noise();
                since_change = 0.0;
            }
            // A pause every hour: the level comes back within 10 ms of where it was.
            if turn % 36_000 == 35_999 {
                pipe.level = TARGET + 0.01 * pipe.noise();
                pipe.controller.resume();
                since_change = 0.0;
            }
            let warmth = 15e-6 * (time / DAY * std::f64::consts::TAU).sin();
            let drift = base + warmth + wander;
            pipe.turn(drift);
            since_change += DT;
            worst = worst.max(pipe.deviation());
            if since_change > 300.0 {
                quiet_worst = quiet_worst.max(pipe.deviation());
            }
            if actuator.step == GADGET.step && turn % 6000 == 0 {
                let (drift, correction) = (drift * 1e6, pipe.correction * 1e6);
                let (days, level) = (time / DAY, pipe.level * 1e3);
                let _ = writeln!(rows, "{days:.4},{drift:.1},{correction:.1},{level:.3}");
            }
        }
        println!("{actuator:?}: worst {worst:.5} s, undisturbed {quiet_worst:.5} s");
        // The pauses themselves put the level up to 10 ms away; a change of clocks by up to
        // 1000 ppm moves it by 6 ms.
        assert!(worst < 0.016, "{worst}");
        assert!(quiet_worst < 0.002, "{quiet_worst}");
    }
    if let Some(folder) = std::env::var_os("TOTTON_ARTEFACTS") {
        std::fs::write(std::path::Path::new(&folder).join("drift-30-days.csv"), rows).unwrap();
    }
}
