//! What comes out of the DAC.

use std::ops::ControlFlow;
use std::time::Duration;

use gpu_upsampler::sample::{Encoding, SampleFormat, decode};
use totton_dsp::{CpuEngine, Filter, Precision};
use totton_protocol::{Command, State};
use totton_render::wav::{Reader, Spec, Writer};
use totton_render::{Source, Target, render};

use crate::double::Machine;
use crate::running::{BLOCK, RATIO, Running, Setup, until};

/// Frames that the fade-in of 50 ms changes, at 44.1 kHz times the ratio.
const FADE_FRAMES: usize = 44_100 * RATIO / 20;

/// Stereo noise of a quarter of full scale (the filter overshoots), from a linear congruential generator.
fn noise(frames: usize) -> Vec<Vec<f64>> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from((state >> 33) as i32 - (1 << 30)) / 2f64.powi(32)
    };
    (0..2).map(|_| (0..frames).map(|_| next()).collect()).collect()
}

fn samples(format: SampleFormat, bytes: &[u8]) -> Vec<Vec<f64>> {
    let mut planes = vec![vec![0.0; bytes.len() / 2 / format.bytes()]; 2];
    decode(format, bytes, &mut planes);
    planes
}

#[test]
fn the_dac_gets_what_render_writes_bit_for_bit_in_every_format_and_with_fewer_bits() {
    for (input, output, dac_bits) in [
        (SampleFormat::S32, SampleFormat::S32, None),
        (SampleFormat::S16, SampleFormat::S24In3, None),
        (SampleFormat::S24In3, SampleFormat::S16, None),
        (SampleFormat::S32, SampleFormat::S32, Some(SampleFormat::S24In3)),
        (SampleFormat::S32, SampleFormat::S32, Some(SampleFormat::S16)),
    ] {
        // What a DAC gets that uses fewer bits is what a file of so many holds.
        let written = dac_bits.unwrap_or(output);
        // Blocks that are whole at the end: the last would wait for more input otherwise.
        let frames = BLOCK * 40;
        let planes = noise(frames);
        let mut sent = vec![0; frames * 2 * input.bytes()];
        // As the writer below dithers.
        let mut dither = Encoding::from(input).dither(2);
        gpu_upsampler::sample::encode(input, &planes, 0..frames, &mut sent, &mut dither);
        let machine = Machine::new();
        machine.world().sent = sent;
        machine.world().speed = 20.0;
        machine.world().dac_bits = dac_bits.map(SampleFormat::bits);
        let setup = Setup {
            capture: format!("rate = \"auto\"\nformats = [{:?}]", input.name()),
            config: format!("[playback]\nformats = [{:?}]", output.name()),
            ..Setup::default()
        };
        let daemon = Running::start(machine, setup);
        let bytes = frames * RATIO * 2 * output.bytes();
        let played = until("the DAC has it all", || {
            let played = &daemon.machine.world().played;
            (played.len() >= bytes).then(|| played[..bytes].to_vec())
        });

        let spec = Spec { rate: 44_100, channels: 2, encoding: Encoding::Integer(input) };
        let mut writer = Writer::create(&daemon.place("in.wav"), true, spec, None).unwrap();
        writer.write(&planes, frames).unwrap();
        writer.finish().unwrap();
        let mut source = Source::open(daemon.place("in.wav")).unwrap();
        let filter = Filter::load(&daemon.place("taps.filter")).unwrap();
        let mut engine = CpuEngine::new(&filter, 2, BLOCK, Precision::F64).unwrap();
        let encoding = Encoding::Integer(written);
        let target = Target { encoding, ..Target::new(daemon.place("out.wav")) };
        render(&mut source, &mut engine, &target, |_| ControlFlow::Continue(())).unwrap();
        let mut expected = vec![vec![0.0; frames * RATIO]; 2];
        Reader::open(&target.file).unwrap().read(&mut expected, frames * RATIO).unwrap();
        let played = samples(output, &played);
        for channel in 0..2 {
            assert!(
                played[channel][FADE_FRAMES..] == expected[channel][FADE_FRAMES..],
                "{input:?} to {output:?} of {} bits, channel {channel}",
                written.bits()
            );
            assert!(expected[channel][FADE_FRAMES..].iter().any(|s| *s != 0.0));
        }
        let status = daemon.status();
        let told = status.output.map(|output| (output.format, output.significant_bits));
        assert_eq!(told, Some((output.name().to_owned(), written.bits())));
        let counters = status.counters;
        let events = (counters.capture_xruns, counters.playback_xruns, counters.clipped_samples);
        assert_eq!(events, (0, 0, 0));
    }
}

/// A host that sends a constant: every step in the output is then the daemon's own.
fn constant(level: f64, seconds: f64) -> Vec<u8> {
    let sample = ((level * f64::from(i32::MAX)) as i32).to_le_bytes();
    sample.repeat((44_100.0 * seconds) as usize * 2)
}

fn left(bytes: &[u8]) -> Vec<f64> {
    samples(SampleFormat::S32, bytes).swap_remove(0)
}

fn steepest(samples: &[f64]) -> f64 {
    samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max)
}

#[test]
fn gain_mute_and_the_end_are_ramps() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, 60.0);
    let mut daemon = Running::start(machine, Setup::default());
    let last = |daemon: &Running| {
        let world = daemon.machine.world();
        left(&world.played[world.played.len().saturating_sub(8)..]).first().copied()
    };
    let until_level = |daemon: &Running, level: f64| {
        until(&format!("{level}"), || last(daemon).filter(|sample| (sample - level).abs() < 1e-3))
    };
    until_level(&daemon, 0.5);
    assert!(daemon.client.call(Command::SetMute { mute: true }).unwrap().sound.mute);
    until_level(&daemon, 0.0);
    daemon.client.call(Command::SetMute { mute: false }).unwrap();
    let status = daemon.client.call(Command::SetGain { gain_db: -20.0 }).unwrap();
    assert_eq!((status.sound.mute, status.sound.gain_db), (false, -20.0));
    until_level(&daemon, 0.05);
    daemon.client.call(Command::SetGain { gain_db: 0.0 }).unwrap();
    until_level(&daemon, 0.5);
    daemon.terminate();
    let played = left(&daemon.machine.world().played);
    assert!(played.last().unwrap().abs() < 1e-3, "faded out at the end");
    // The filter's own edge comes while the fade-in is still low. A ramp of 0.5 over 50 ms at
    // 176.4 kHz climbs 5.7e-5 a frame; a step of any of these would be 0.05 at the least.
    assert!(steepest(&played) < 1e-3, "{}", steepest(&played));
}

#[test]
fn what_is_too_loud_is_limited_and_counted() {
    let machine = Machine::new();
    // A filter overshoots on a square wave of full scale.
    let (high, low) = (i32::MAX.to_le_bytes(), i32::MIN.to_le_bytes());
    let period: Vec<u8> = [high.repeat(2 * 20), low.repeat(2 * 20)].concat();
    machine.world().sent = period.repeat(44_100 / 40 * 60);
    let daemon = Running::start(machine, Setup::default());
    let status = daemon.until_status("clipping", |status| status.counters.clipped_samples > 0);
    assert_eq!(status.state, State::Streaming);
}

#[test]
fn a_host_that_pauses_is_played_silence_and_heard_again() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, 0.5);
    machine.world().silence_afterwards = false;
    let daemon = Running::start(machine, Setup::default());
    let status = daemon.until_state(State::Idle);
    assert!(status.output.is_some(), "the DAC stays open");
    let played = status.counters.output_frames;
    let status = daemon.until_status("silence is played", |status| {
        status.counters.output_frames > played + 50_000
    });
    assert_eq!(status.counters.input_pauses, 1);
    let played = left(&daemon.machine.world().played);
    assert_eq!(played.last().copied(), Some(0.0));
    // The host stopped at half of full scale: faded over 5 ms that is 6e-4 a frame, cut off it
    // would be 0.05 and more.
    assert!(steepest(&played) < 1e-3, "{}", steepest(&played));
    // No more silence than is needed: what the host sends next is heard soon. The prefill of 100 ms
    // and a block, where the DAC's buffer would take twice that.
    let seconds = daemon.machine.world().queued_frames as f64 / (44_100.0 * RATIO as f64);
    assert!(seconds < 0.12, "{seconds} s of silence are queued");
    // And no less: what it sends next is as late as before, and the DAC has its reserve. On a busy
    // machine now and then a little less.
    let fewest = || {
        daemon.machine.world().fewest_queued = usize::MAX;
        std::thread::sleep(Duration::from_millis(50));
        daemon.machine.world().fewest_queued as f64 / (44_100.0 * RATIO as f64)
    };
    let mut seconds: Vec<f64> = (0..21).map(|_| fewest()).collect();
    seconds.sort_by(f64::total_cmp);
    assert!(seconds[10] > 0.1, "{seconds:?} s of silence are left");
    let more = constant(0.25, 60.0);
    daemon.machine.world().sent.extend_from_slice(&more);
    let status = daemon.until_state(State::Streaming);
    assert_eq!(status.counters.stream_starts, 1);
}

#[test]
fn a_change_of_rate_fades_out_and_in_and_is_soon_over() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, 60.0);
    let daemon = Running::start(machine, Setup::default());
    until("sound", || (daemon.machine.world().played.len() > 1_000_000).then_some(()));
    let started = std::time::Instant::now();
    daemon.machine.world().host_rate = Some(96_000);
    daemon.until_status("the new rate", |status| {
        status.input.as_ref().is_some_and(|input| input.rate == 96_000)
    });
    until("sound again", || (daemon.machine.world().played.len() > 1_000_000).then_some(()));
    let world = daemon.machine.world();
    let (old, new) = (left(&world.played_before), left(&world.played));
    for (name, played) in [("old", &old), ("new", &new)] {
        assert!(steepest(played) < 1e-3, "{name}: {}", steepest(played));
    }
    assert!(old.last().unwrap().abs() < 1e-3, "faded out");
    assert!(new.iter().any(|sample| *sample > 0.49), "and in again");
    let took = world.first_write.unwrap().duration_since(started);
    assert!(took < Duration::from_millis(250), "{took:?}");
}

#[test]
fn a_rate_that_nothing_tells_of_is_looked_at_beside_the_sound() {
    let machine = Machine::new();
    machine.world().rate_is_looked_at = true;
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    daemon.machine.world().host_rate = Some(96_000);
    let status = daemon.until_status("the new rate", |status| {
        status.input.as_ref().is_some_and(|input| input.rate == 96_000)
            && status.state == State::Streaming
    });
    assert_eq!(status.counters.rate_switches, 1);
    let before = status.counters.input_frames;
    daemon.until_status("it goes on", |s| s.counters.input_frames > before + 10_000);
}

#[test]
fn a_host_that_probes_rates_does_not_close_the_stream() {
    for rate_is_looked_at in [false, true] {
        probe_rates(rate_is_looked_at);
    }
}

fn probe_rates(rate_is_looked_at: bool) {
    let machine = Machine::new();
    machine.world().rate_is_looked_at = rate_is_looked_at;
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    for rate in [48_000, 96_000, 192_000, 48_000, 44_100] {
        daemon.machine.world().host_rate = Some(rate);
        std::thread::sleep(Duration::from_millis(25));
    }
    let before = daemon.status().counters.input_frames;
    let status = daemon.until_status("it goes on", |s| s.counters.input_frames > before + 10_000);
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
}

#[test]
fn a_new_filter_fades_into_the_running_stream() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, 60.0);
    let daemon = Running::start(machine, Setup::default());
    let until_level = |level: f64| {
        until(&format!("{level}"), || {
            let world = daemon.machine.world();
            let last = &world.played[world.played.len().saturating_sub(8)..];
            left(last).first().copied().filter(|sample| (sample - level).abs() < 1e-3)
        })
    };
    until_level(0.5);
    let file = daemon.place("taps.filter");
    let old = totton_dsp::Filter::load(&file).unwrap();
    let header = old.header();
    // Half as loud, and longer.
    let mut taps: Vec<f64> = old.taps().iter().map(|tap| tap * 0.5).collect();
    taps.resize(1600, 0.0);
    totton_dsp::Filter::new(44_100, header.ratio, header.phase, header.origin.clone(), taps)
        .unwrap()
        .save(&file)
        .unwrap();
    let status = daemon.client.call(Command::Reload).unwrap();
    assert_eq!((status.counters.reloads, status.counters.stream_starts), (1, 1));
    until_level(0.25);
    let status = daemon.until_status("it is told", |s| s.engine.as_ref().unwrap().taps == 1600);
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
    let played = left(&daemon.machine.world().played);
    // A quarter over 100 ms, as a raised cosine: 2.2e-5 a frame.
    assert!(steepest(&played) < 1e-3, "{}", steepest(&played));

    // A filter of another ratio cannot be faded in: the stream is opened anew.
    let text = std::fs::read_to_string(daemon.place("upsampler.toml")).unwrap();
    std::fs::write(daemon.place("upsampler.toml"), text.replace("ratio = 4", "ratio = 2")).unwrap();
    let status = daemon.client.call(Command::Reload).unwrap();
    assert_eq!((status.counters.reloads, status.counters.stream_starts), (2, 2));
}
