//! What sounds by frequency.

use std::f64::consts::TAU;

use totton_protocol::{Answer, Command, Levels, Spectrum, State};

use crate::double::Machine;
use crate::running::{RATIO, Running, Setup, until, until_or};

/// A host that sends a sine on each side, frequency in Hz and level in dBFS, for `seconds`.
fn sines(tones: [(f64, f64); 2], seconds: f64) -> Vec<u8> {
    let sample = |(hz, dbfs): (f64, f64), frame: usize| {
        let sine = (TAU * hz / 44_100.0 * frame as f64).sin();
        (10f64.powf(dbfs / 20.0) * sine * f64::from(i32::MAX)) as i32
    };
    (0..(44_100.0 * seconds) as usize)
        .flat_map(|frame| tones.map(|tone| sample(tone, frame).to_le_bytes()))
        .flatten()
        .collect()
}

/// Input and output, as the daemon tells them.
fn ask(daemon: &Running) -> (Option<Spectrum>, Option<Spectrum>) {
    match daemon.client.ask(Command::Spectrum).unwrap() {
        Answer::Spectrum { input, output } => (input, output),
        other => panic!("{other:?}"),
    }
}

fn frequency(spectrum: &Spectrum, band: usize) -> f64 {
    let part = band as f64 / (spectrum.levels_dbfs.len() - 1) as f64;
    spectrum.low_hz * (spectrum.high_hz / spectrum.low_hz).powf(part)
}

/// The loudest band from `low` to `high` Hz: its frequency and its level.
fn loudest(spectrum: &Spectrum, low: f64, high: f64) -> (f64, f64) {
    let bands = spectrum.levels_dbfs.iter().enumerate();
    bands
        .map(|(band, level)| (frequency(spectrum, band), *level))
        .filter(|(hz, _)| (low..high).contains(hz))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .unwrap()
}

/// Waits for a pair of spectra that `is` so.
fn until_spectra(daemon: &Running, what: &str, is: impl Fn(&Spectrum, &Spectrum) -> bool) {
    let mut last = None;
    let found = until_or(|| {
        let (Some(input), Some(output)) = ask(daemon) else { return None };
        let found = is(&input, &output);
        last = Some((input, output));
        found.then_some(())
    });
    found.unwrap_or_else(|| panic!("waited in vain: {what}; the last is {last:?}"));
}

fn is_silent(spectrum: &Spectrum) -> bool {
    spectrum.levels_dbfs.iter().all(|level| *level == Levels::SILENCE_DBFS)
}

/// Whether a sine of this frequency and level stands there and nothing louder.
fn stands(spectrum: &Spectrum, (hz, dbfs): (f64, f64), low: f64, high: f64) -> bool {
    let (found, level) = loudest(spectrum, low, high);
    let spacing = frequency(spectrum, 1) / frequency(spectrum, 0);
    (level - dbfs).abs() < 0.5 && found.max(hz) / found.min(hz) < spacing
}

#[test]
fn a_sine_appears_at_its_frequency_with_its_level_on_both_sides() {
    let (low, high) = ((441.7, -6.0), (12_345.6, -40.0));
    let machine = Machine::new();
    machine.world().sent = sines([low, high], 60.0);
    let daemon = Running::start(machine, Setup::default());
    let both = |spectrum: &Spectrum, gain_db: f64| {
        let with_gain = |(hz, dbfs)| (hz, dbfs + gain_db);
        stands(spectrum, with_gain(low), 20.0, 3000.0)
            && stands(spectrum, with_gain(high), 3000.0, 22_000.0)
    };
    until_spectra(&daemon, "the sines", |input, output| both(input, 0.0) && both(output, 0.0));
    let (Some(input), Some(output)) = ask(&daemon) else { panic!("a stream is open") };
    assert_eq!(input.high_hz, 22_050.0);
    assert_eq!(output.high_hz, 22_050.0 * RATIO as f64);
    // The filter lets no image through: 100 dB below the sound that it is of.
    let (image, level) = loudest(&output, 25_000.0, f64::INFINITY);
    assert!(level < -100.0, "{level} dBFS at {image} Hz");
    // The volume is of the output only.
    daemon.client.call(Command::SetGain { gain_db: -20.0 }).unwrap();
    until_spectra(&daemon, "lower", |input, output| both(input, 0.0) && both(output, -20.0));
}

#[test]
fn full_scale_is_zero_and_what_is_cut_off_shows_as_it_is_heard() {
    let machine = Machine::new();
    // A square wave of full scale: its fundamental is louder than full scale by 4 / pi, and so
    // are the peaks that the filter makes of it.
    let (high, low) = (i32::MAX.to_le_bytes(), i32::MIN.to_le_bytes());
    let period: Vec<u8> = [high.repeat(2 * 20), low.repeat(2 * 20)].concat();
    machine.world().sent = period.repeat(44_100 / 40 * 60);
    let daemon = Running::start(machine, Setup::default());
    // As sampled, its fundamental is 2 / (20 * sin(pi / 40)).
    let amplitude: f64 = 2.0 / (20.0 * (std::f64::consts::PI / 40.0).sin());
    let fundamental = (44_100.0 / 40.0, 20.0 * amplitude.log10());
    until_spectra(&daemon, "the square wave", |input, output| {
        let (_, cut) = loudest(output, 20.0, 22_000.0);
        stands(input, fundamental, 20.0, 22_000.0) && cut > 1.0 && cut < fundamental.1
    });
    assert!(daemon.status().counters.clipped_samples > 0);
    // The filter lets nothing through there: it is the cutting off that one sees.
    until_spectra(&daemon, "the clipping", |_, output| {
        loudest(output, 30_000.0, 80_000.0).1 > -60.0
    });
}

#[test]
fn silence_is_silence_also_after_a_sound_and_while_the_computer_sends_nothing() {
    for silence_afterwards in [true, false] {
        let tone = (1000.0, -10.0);
        let machine = Machine::new();
        machine.world().sent = sines([tone, tone], 3.0);
        machine.world().silence_afterwards = silence_afterwards;
        let daemon = Running::start(machine, Setup::default());
        until_spectra(&daemon, "the sine", |input, output| {
            [input, output].into_iter().all(|side| stands(side, tone, 20.0, 22_000.0))
        });
        until_spectra(&daemon, "silence", |input, output| is_silent(input) && is_silent(output));
    }
}

#[test]
fn without_a_stream_there_is_no_spectrum_and_with_one_again_there_is() {
    let tone = (1000.0, -10.0);
    let machine = Machine::new();
    machine.world().sent = sines([tone, tone], 60.0);
    machine.world().dac_present = false;
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::WaitingForDac);
    assert_eq!(ask(&daemon), (None, None));
    daemon.machine.world().dac_present = true;
    until_spectra(&daemon, "the sine", |_, output| stands(output, tone, 20.0, 22_000.0));
    // Another rate is another stream.
    daemon.machine.world().host_rate = Some(96_000);
    let at = |hz: f64| (hz * 96_000.0 / 44_100.0, -10.0);
    until_spectra(&daemon, "at the new rate", |input, output| {
        input.high_hz == 48_000.0
            && output.high_hz == 48_000.0 * RATIO as f64
            && stands(output, at(1000.0), 20.0, 22_000.0)
    });
    daemon.machine.world().dac_present = false;
    until("no spectrum", || (ask(&daemon) == (None, None)).then_some(()));
}
