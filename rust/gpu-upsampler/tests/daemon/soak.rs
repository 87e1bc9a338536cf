//! Many faults and commands at random, from a printed seed, each accounted for.
//!
//! `SOAK_SECONDS` says how long (20 without it, as in every run of the tests; 3600 for
//! an hour), `SOAK_SEED` repeats a run:
//!
//! ```text
//! SOAK_SECONDS=3600 cargo test -p gpu-upsampler --release --test daemon soak -- --nocapture
//! ```

use std::time::{Duration, Instant, SystemTime};

use totton_protocol::{Command, FaultKind, Headroom, Limiter, Settings, Sound, State, Status};

use crate::double::Machine;
use crate::running::{Running, Setup};

/// From this length on the memory must be flat: before, buffers still find their sizes.
const FLAT_FROM: Duration = Duration::from_secs(600);

/// Numbers at random: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What was done on purpose.
#[derive(Debug, Default, PartialEq, Eq)]
struct Planned {
    capture_xruns: u64,
    playback_xruns: u64,
    dac_losses: u64,
    input_losses: u64,
    rate_switches: u64,
}

fn count(status: &Status, kind: FaultKind) -> u64 {
    status.faults.iter().find(|fault| fault.kind == kind).map_or(0, |fault| fault.count)
}

fn seen(status: &Status) -> Planned {
    Planned {
        capture_xruns: status.counters.capture_xruns,
        playback_xruns: status.counters.playback_xruns,
        dac_losses: count(status, FaultKind::DacLost),
        input_losses: count(status, FaultKind::InputLost),
        rate_switches: status.counters.rate_switches,
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn soak() {
    let length = Duration::from_secs(number("SOAK_SECONDS", 20));
    let seed = number("SOAK_SEED", {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into()
    });
    println!("SOAK_SEED={seed} SOAK_SECONDS={}", length.as_secs());
    let mut random = Random(seed);
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let (started, mut planned, mut steps) = (Instant::now(), Planned::default(), 0u64);
    let mut early_memory = None;
    while started.elapsed() < length {
        steps += 1;
        let what = random.below(7);
        match what {
            0 => {
                let xruns = 1 + random.below(3);
                daemon.machine.world().capture_xruns = xruns as u32;
                planned.capture_xruns += xruns;
            }
            1 => {
                let xruns = 1 + random.below(3);
                daemon.machine.world().playback_xruns = xruns as u32;
                planned.playback_xruns += xruns;
            }
            2 => {
                daemon.machine.world().dac_present = false;
                planned.dac_losses += 1;
                daemon.until_state(State::WaitingForDac);
                daemon.machine.world().dac_present = true;
            }
            3 => {
                daemon.machine.world().input_present = false;
                planned.input_losses += 1;
                daemon.until_state(State::WaitingForInput);
                daemon.machine.world().input_present = true;
            }
            4 => {
                let now = daemon.status().input.unwrap().rate;
                let rates = [44_100, 48_000, 88_200, 96_000].map(|rate| (rate != now, rate));
                let others: Vec<u32> =
                    rates.into_iter().filter_map(|(other, rate)| other.then_some(rate)).collect();
                let rate = others[random.below(3) as usize];
                daemon.machine.world().host_rate = Some(rate);
                planned.rate_switches += 1;
                daemon.until_status("the new rate", |status| {
                    status.input.as_ref().is_some_and(|input| input.rate == rate)
                });
            }
            5 => {
                let sound = Sound {
                    gain_db: -(random.below(60) as f64),
                    mono: random.below(2) == 1,
                    balance: random.below(3) as f64 - 1.0,
                    limiter: (random.below(2) == 1).then(Limiter::default),
                    headroom: [Headroom::Off, Headroom::WorstCase][random.below(2) as usize],
                    ..Sound::default()
                };
                let settings = Box::new(Settings { sound, ..Settings::default() });
                let answer = daemon.client.settings(Command::ReplaceSettings { settings }).unwrap();
                assert_eq!(answer.0.sound, sound);
            }
            _ => {
                for _ in 0..100 {
                    daemon.client.call(Command::Status).unwrap();
                    daemon.client.ask(Command::Spectrum).unwrap();
                }
            }
        }
        daemon.until_state(State::Streaming);
        daemon.until_status(&format!("step {steps}, kind {what}: {planned:?}"), |status| {
            seen(status) == planned && status.faults.iter().all(|fault| !fault.active)
        });
        let before = daemon.status().counters.output_frames;
        daemon.until_status("sound goes on", |s| s.counters.output_frames > before + 10_000);
        // What the double keeps of the sound is no leak of the daemon's.
        daemon.machine.world().played.clear();
        if early_memory.is_none() && started.elapsed() > length / 3 {
            early_memory = Some(resident_kilobytes());
        }
    }
    let status = daemon.status();
    assert_eq!(status.counters.input_pauses, 0, "no unplanned silence");
    let memory = (early_memory.unwrap_or_else(resident_kilobytes), resident_kilobytes());
    println!("{steps} steps, {planned:?}, resident {memory:?} kB");
    if length >= FLAT_FROM {
        let growth = memory.1 as f64 / memory.0 as f64 - 1.0;
        assert!(growth < 0.01, "resident memory grew by {:.2} %", growth * 100.0);
    }
}
