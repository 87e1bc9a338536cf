//! Run by totton-audio-health.service at each start: once the start has proved good, the slot is
//! confirmed. A slot on trial that does not get there is left: the box restarts.

use std::process::{Command, ExitCode};
use std::time::Duration;

use totton_audio_slot::error::{Error, Result};
use totton_audio_slot::health::{Health, Limits, Systemd, watch};
use totton_audio_slot::platform::{Machine, boot_loader};

/// What this program may not do itself: memory and variables of the board are that unit's.
const CONFIRM: &str = "totton-audio-slot-confirm.service";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("<3>{error}");
            ExitCode::FAILURE
        }
    }
}

/// Seconds; the variables are for tests.
fn seconds(name: &str, default: f64) -> Result<Duration> {
    let Ok(text) = std::env::var(name) else {
        return Ok(Duration::from_secs_f64(default));
    };
    text.parse()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or_else(|| Error::Refused(format!("{name}={text}: give a number of seconds")))
}

fn run() -> Result<bool> {
    let limits = Limits {
        hold: seconds("TOTTON_HEALTH_HOLD", 60.0)?,
        deadline: seconds("TOTTON_HEALTH_DEADLINE", 300.0)?,
        every: seconds("TOTTON_HEALTH_EVERY", 5.0)?,
    };
    let machine = Machine::here()?;
    match watch(&mut Systemd::of(&machine), &limits) {
        Health::Good => {
            println!(
                "healthy: gadget, sound and page up for {} s without a break",
                limits.hold.as_secs_f64()
            );
            confirm(&machine)
        }
        Health::Bad(problem) => Ok(give_up(&machine, limits.deadline.as_secs_f64(), &problem)),
    }
}

fn confirm(machine: &Machine) -> Result<bool> {
    let slot = match machine.running() {
        Err(Error::NoSlots) => {
            println!("this system has no slots: nothing to confirm");
            return Ok(true);
        }
        slot => slot?,
    };
    // Whether it is known or not, the slot is good.
    match boot_loader(machine, false).and_then(|loader| loader.status()) {
        Ok(status) => {
            if let Some(lost) = status.lost {
                println!("<4>{lost}; slot {slot}, the one before it, runs again");
            }
        }
        Err(error) => println!("<4>{error}"),
    }
    if !systemctl(&["start", CONFIRM]) {
        println!("<3>slot {slot} was not confirmed: journalctl -b -u {CONFIRM}");
        return Ok(false);
    }
    println!("slot {slot} confirmed");
    Ok(true)
}

/// Restarts a box whose slot is on trial, and returns false.
fn give_up(machine: &Machine, deadline: f64, problem: &str) -> bool {
    match boot_loader(machine, false).and_then(|loader| loader.status()) {
        Ok(status) if status.on_trial() => {
            println!(
                "<3>not healthy within {deadline} s ({problem}): this slot is on trial, starting anew"
            );
            systemctl(&["reboot"]);
        }
        Ok(_) | Err(Error::NoSlots) => println!("<3>not healthy within {deadline} s: {problem}"),
        Err(error) => println!("<3>not healthy within {deadline} s: {problem}; {error}"),
    }
    false
}

fn systemctl(words: &[&str]) -> bool {
    match Command::new("systemctl").args(words).status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("<3>systemctl {}: {error}", words.join(" "));
            false
        }
    }
}
