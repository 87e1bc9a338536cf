//! Looking after the open stream: is it whole, has the host another rate, what does the status
//! tell of it.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use log::Level;
use totton_protocol::State;

use super::facts::engine_facts;
use super::{Phase, Plan, Supervisor};
use crate::audio::realtime;
use crate::audio::stream::{Loss, Part};
use crate::config::CaptureRate;

/// How often the status is written anew.
const REPORT: Duration = Duration::from_millis(100);

/// How often the host's rate is looked at where its card does not tell of every change.
const LOOK: Duration = Duration::from_millis(50);

impl Supervisor {
    /// Looks after the open stream.
    pub(super) fn watch_stream(&mut self) {
        let now = Instant::now();
        let Phase::Streaming(running) = &mut self.phase else { return };
        if let Some(loss) = running.stream.loss() {
            return self.lose(&loss);
        }
        running.turn(now, self.board.flow());
        let due = now >= running.next_report;
        let ours = match &self.renewal {
            Some(renewal) => renewal.choice.key.0,
            None => running.stream.input().rate,
        };
        if let Some(rate) = self.other_rate(now, ours) {
            return self.switch_rate(rate);
        }
        if due {
            self.report_stream(now);
        }
    }

    /// Notes that a part of the stream could not go on, and closes the rest.
    fn lose(&mut self, loss: &Loss) {
        let kind = match loss.part {
            Part::Capture => loss.error.fault_of_input(),
            Part::Playback => loss.error.fault_of_dac(),
            Part::Engine => loss.error.fault(),
        };
        let message = format!("The {:?} side is lost: {}", loss.part, loss.error);
        self.board.fault_strikes(kind, &message);
        self.close();
    }

    /// The rate in Hz that the host has settled on, where it is followed and the stream has
    /// another, `ours`.
    fn other_rate(&mut self, now: Instant, ours: u32) -> Option<u32> {
        let Plan { config, devices, .. } = &mut self.plan;
        let Phase::Streaming(running) = &mut self.phase else { return None };
        if config.capture.rate != CaptureRate::Auto {
            return None;
        }
        let flow = self.board.flow();
        let changed = flow.rate_changed.load(Relaxed) || flow.rate_is_foreign.load(Relaxed);
        let seen = if changed {
            // A card that is gone shows at the next read.
            devices.input_rate(&config.capture).ok().flatten()
        } else if now >= running.next_look {
            running.next_look = now + LOOK;
            devices.rate_to_look_at(&config.capture).or(Some(ours))
        } else {
            Some(ours)
        };
        let playing = running.stream.input().rate;
        flow.rate_is_foreign.store(seen.is_some_and(|rate| rate != playing), Relaxed);
        self.host.settled(now, seen).filter(|rate| *rate != ours)
    }

    /// Puts on the board what there is to tell of the stream.
    fn report_stream(&mut self, now: Instant) {
        let Phase::Streaming(running) = &mut self.phase else { return };
        running.next_report = now + REPORT;
        let host_volume = self.plan.devices.host_volume(&self.plan.config.capture);
        let (input, output) = (running.stream.input(), running.stream.output());
        let flow = self.board.flow();
        let load = self.load.load(now, input.rate, flow);
        {
            let mut facts = self.board.facts();
            let preparing = facts.engine.as_mut().and_then(|engine| engine.preparing.take());
            let engine = engine_facts(&self.plan.config, &running.filter, load);
            let prepared_bytes = self.plan.filters.kept_bytes() as u64;
            facts.engine = Some(totton_protocol::Engine { preparing, prepared_bytes, ..engine });
        }
        let (drift, latency) = (running.follower.to_message(), running.latency());
        let (state, message) = if flow.input_idle.load(Relaxed) {
            (State::Idle, format!("The computer sends no sound to {}", input.name))
        } else {
            let message = format!(
                "{} at {} Hz to {} at {} Hz, {}",
                input.name,
                input.rate,
                output.name,
                output.rate,
                output.format.name()
            );
            (State::Streaming, message + &self.board.who_renders())
        };
        let ends = (Some(input.to_message()), Some(output.to_message()));
        self.tell_with(state, &message, Level::Info, |facts| {
            (facts.input, facts.output) = ends;
            (facts.drift, facts.latency) = (Some(drift), latency);
            facts.host_volume = host_volume;
            facts.real_time = realtime::granted();
        });
        self.board.apply_sound();
    }

    /// Follows the host to another rate in Hz. The new engine is made while the
    /// old stream fades out and its DAC plays what it holds.
    fn switch_rate(&mut self, rate: u32) {
        log::info!("The computer has changed its rate to {rate} Hz");
        self.board.flow().rate_switches.fetch_add(1, Relaxed);
        if let Phase::Streaming(running) = &self.phase {
            running.stream.fade();
        }
        self.renew(Some(rate), None);
    }
}
