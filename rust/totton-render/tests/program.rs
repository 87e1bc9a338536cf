//! The program as a new user meets it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use totton_dsp::sample::{Encoding, SampleFormat};
use totton_dsp::{DesignSpec, Filter, Phase, design};
use totton_render::Source;
use totton_render::wav::{Spec, Writer};

/// A folder of its own, with its own cache.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Noise of two channels.
    fn sound(&self, name: &str, rate: u32, frames: usize) -> PathBuf {
        let mut state = 1u64;
        let mut noise = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / 2f64.powi(25) - 0.25
        };
        let planes: Vec<Vec<f64>> = (0..2).map(|_| (0..frames).map(&mut noise).collect()).collect();
        let encoding = Encoding::Integer(SampleFormat::S24In3);
        let spec = Spec { rate, channels: 2, encoding };
        let mut writer = Writer::create(&self.at(name), true, spec, None).unwrap();
        writer.write(&planes, frames).unwrap();
        writer.finish().unwrap();
        self.at(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_totton-render"));
        command.current_dir(self.0.path()).env("XDG_CACHE_HOME", self.at("cache"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command().args(line.split_whitespace()).output().unwrap()
    }

    fn good(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        text(&output.stdout)
    }

    /// What a run says that fails; nothing is left behind.
    fn refused(&self, line: &str) -> String {
        let before = self.names();
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        assert_eq!(self.names(), before, "{line}");
        assert!(output.stdout.is_empty());
        text(&output.stderr)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn planes(file: &Path) -> (u32, Vec<Vec<f64>>) {
    let mut source = Source::open(file).unwrap();
    let frames = source.frames_left().unwrap() as usize;
    let mut planes = vec![vec![0.0; frames]; source.channels()];
    assert_eq!(source.read(&mut planes, frames).unwrap(), frames);
    (source.rate(), planes)
}

#[test]
fn a_file_in_one_command_with_a_filter_that_is_kept() {
    let place = Place::new();
    place.sound("in.wav", 44_100, 1000);
    let said = place.good("in.wav out.wav --taps 4000 --phase linear --rate 176400");
    assert_eq!(said, "out.wav: 4000 frames at 176400 Hz, 0 samples limited to full scale\n");
    let (rate, found) = planes(&place.at("out.wav"));
    assert_eq!((rate, found[0].len()), (176_400, 4000));

    // What the box would play: the same design by the other crate, the convolution written out.
    let spec = DesignSpec { taps: 4000, ratio: 4, phase: Phase::Linear, ..DesignSpec::default() };
    let taps = design(&spec, &mut |_, _| {}).unwrap();
    let (_, input) = planes(&place.at("in.wav"));
    for (found, input) in found.iter().zip(&input) {
        for (n, found) in found.iter().enumerate().step_by(7) {
            let wanted: f64 =
                (0..=n / 4).map(|m| input[m] * taps.taps().get(n - 4 * m).unwrap_or(&0.0)).sum();
            assert!((found - wanted).abs() < 2f64.powi(-31), "{n}: {found}, {wanted}");
        }
    }

    let kept = fs::read_dir(place.at("cache/totton-audio")).unwrap().next().unwrap().unwrap();
    let first = kept.metadata().unwrap().modified().unwrap();
    place.good("in.wav again.wav --taps 4000 --phase linear --rate 176400");
    assert_eq!(kept.metadata().unwrap().modified().unwrap(), first, "it was designed again");
    let same = fs::read(place.at("again.wav")).unwrap() == fs::read(place.at("out.wav")).unwrap();
    assert!(same, "a kept filter is the designed one");
}

#[test]
fn without_a_wish_it_is_the_products_filter() {
    let place = Place::new();
    let mut impulse = vec![0.0; 64];
    impulse[0] = 0.5;
    let spec = Spec { rate: 96_000, channels: 1, encoding: Encoding::F64 };
    let mut writer = Writer::create(&place.at("in.wav"), true, spec, None).unwrap();
    writer.write(&[impulse], 64).unwrap();
    writer.finish().unwrap();
    place.good("in.wav out.wav --format f64");
    let (rate, found) = planes(&place.at("out.wav"));
    assert_eq!(rate, 768_000);
    // As `totton-filter design` makes it without options, but for the rate.
    let name = format!("minimum-640000-48000-x16-v{}.filter", env!("CARGO_PKG_VERSION"));
    let filter = Filter::load(&place.at("cache/totton-audio").join(name)).unwrap();
    let default = DesignSpec::default();
    assert_eq!((filter.taps().len(), filter.ratio()), (default.taps, default.ratio as usize));
    for (found, tap) in found[0].iter().zip(filter.taps().iter().step_by(2)) {
        assert!((found - 0.5 * tap).abs() < 1e-13, "{found}, {tap}");
    }
}

#[test]
fn a_filter_file_and_an_equaliser() {
    let place = Place::new();
    let spec = DesignSpec { taps: 4000, ratio: 4, ..DesignSpec::default() };
    design(&spec, &mut |_, _| {}).unwrap().save(&place.at("my.filter")).unwrap();
    let mut impulse = vec![0.0; 8192];
    impulse[0] = 0.25;
    // Twice the rate that the filter was made for: the equaliser's frequencies stay.
    let sound = Spec { rate: 88_200, channels: 1, encoding: Encoding::F64 };
    let mut writer = Writer::create(&place.at("in.wav"), true, sound, None).unwrap();
    writer.write(&[impulse], 8192).unwrap();
    writer.finish().unwrap();
    fs::write(place.at("eq.txt"), "Filter 1: ON PK Fc 3000 Hz Gain -12 dB Q 1\n").unwrap();
    let output =
        place.run("in.wav out.wav --filter my.filter --eq eq.txt --rate 176400 --format f64");
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stderr).contains("made for 44100 Hz"), "{output:?}");
    let (rate, found) = planes(&place.at("out.wav"));
    let gain_db = |hz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, value) in found[0].iter().enumerate() {
            let angle = std::f64::consts::TAU * hz / f64::from(rate) * n as f64;
            (re, im) = (re + value * angle.cos(), im - value * angle.sin());
        }
        20.0 * (f64::hypot(re, im) / 0.25 / 2.0).log10()
    };
    assert!((gain_db(3000.0) + 12.0).abs() < 0.05, "{}", gain_db(3000.0));
    assert!(gain_db(100.0).abs() < 0.05, "{}", gain_db(100.0));

    fs::write(place.at("eq.txt"), "Preamp: -6 dB\nFilter 1: ON XX Fc 1000 Hz\n").unwrap();
    let error = place.refused("in.wav new.wav --filter my.filter --eq eq.txt");
    assert!(error.contains("eq.txt: line 2"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let place = Place::new();
    place.sound("in.wav", 44_100, 100);
    fs::write(place.at("there.wav"), "mine").unwrap();
    fs::write(place.at("text.wav"), "no sound").unwrap();
    for (line, parts) in [
        ("absent.wav out.wav", &["cannot read absent.wav", "No such file"][..]),
        (". out.wav", &["cannot read .", "Is a directory"]),
        ("text.wav out.wav", &["text.wav cannot be used", "neither WAV", "ffmpeg"]),
        ("in.wav there.wav", &["there.wav is already there", "--force"]),
        ("in.wav .", &["it is a folder"]),
        ("in.wav no/where/out.wav", &["no/where/out.wav", "its folder is not there"]),
        ("in.wav out.flac", &["out.flac", "name it .wav"]),
        ("in.wav out.wav --rate 96000", &["96000 Hz cannot be made of 44100 Hz", "88200"]),
        ("in.wav out.wav --rate 22050", &["22050 Hz cannot be made of 44100 Hz", "44100"]),
        ("in.wav out.wav --filter absent.filter", &["absent.filter", "No such file"]),
        ("in.wav out.wav --filter in.wav", &["not a filter file", "totton-filter"]),
        ("in.wav out.wav --taps 100", &["more taps"]),
        ("in.wav out.wav --taps 4000 --rate 88200 --eq absent.txt", &["absent.txt"]),
        ("in.wav out.wav --taps 4000 --rate 88200 --block 100", &["powers of two"]),
    ] {
        let said = place.refused(line);
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("totton-render: "), "{line}: {said}");
        for part in parts {
            assert!(last.contains(part), "{line}: {said}");
        }
        assert!(!place.at("out.wav").exists());
        // The kept designs.
        let _ = fs::create_dir(place.at("cache"));
    }
    assert_eq!(fs::read(place.at("there.wav")).unwrap(), b"mine");
    place.good("in.wav there.wav --force --taps 4000 --rate 88200");
    assert_eq!(planes(&place.at("there.wav")).1[0].len(), 200);
    // Before the command line is understood: 2.
    for line in ["in.wav", "in.wav out.wav --taps 100 --filter f", "in.wav out.wav --phase odd"] {
        assert_eq!(place.run(line).status.code(), Some(2), "{line}");
    }
}

#[test]
fn through_pipes() {
    let place = Place::new();
    let input = fs::read(place.sound("in.wav", 48_000, 5000)).unwrap();
    place.good("in.wav out.wav --taps 4000 --rate 96000");
    let wanted = planes(&place.at("out.wav"));
    let piped = |input: Vec<u8>| {
        let mut command = place.command();
        command.args("- - --taps 4000 --rate 96000".split_whitespace());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
        let told = text(&output.stderr);
        assert!(told.contains("-: 10000 frames at 96000 Hz"), "{told}");
        fs::write(place.at("piped.wav"), &output.stdout).unwrap();
        (planes(&place.at("piped.wav")), output.stdout)
    };
    let (found, bytes) = piped(input.clone());
    assert_eq!(found, wanted);
    assert_eq!(&bytes[..4], b"RIFF");
    let stated = hound::WavReader::new(&bytes[..]).unwrap().duration();
    assert_eq!(stated, 10_000, "another program knows the length");
    // As a program writes that does not know the length yet.
    let mut unknown = input;
    let at = unknown.windows(4).position(|name| name == b"data").unwrap();
    unknown[at + 4..at + 8].fill(0xff);
    assert_eq!(piped(unknown).0, wanted);
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let place = Place::new();
    place.sound("in.wav", 44_100, 20_000);
    fs::write(place.at("out.wav"), "before").unwrap();
    let filter = "--taps 4000 --rate 176400";
    // The filter is kept before: this is about the sound.
    place.good(&format!("in.wav fits.wav {filter}"));
    let before = place.names();
    let mut command = place.command();
    command.args(format!("in.wav out.wav --force {filter}").split_whitespace());
    // SAFETY: both calls are async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            signal(Signal::SIGXFSZ, SigHandler::SigIgn)?;
            setrlimit(Resource::RLIMIT_FSIZE, 100_000, 100_000)?;
            Ok(())
        });
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("cannot write out.wav: File too large"), "{output:?}");
    assert_eq!(fs::read(place.at("out.wav")).unwrap(), b"before");
    assert_eq!(place.names(), before);

    let said = place.refused(&format!("in.wav /dev/full {filter}"));
    assert!(said.contains("cannot write /dev/full: No space left on device"), "{said}");
}

#[test]
fn interrupted_it_leaves_nothing() {
    let place = Place::new();
    let input = fs::read(place.sound("in.wav", 44_100, 50_000)).unwrap();
    let filter = "--taps 4000 --rate 88200";
    place.good(&format!("in.wav fits.wav {filter}"));
    fs::write(place.at("out.wav"), "before").unwrap();
    let before = place.names();
    for sent in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = place.command();
        command.args(format!("- out.wav --force {filter}").split_whitespace());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Not all: it waits for the rest.
        stdin.write_all(&input[..200_000]).unwrap();
        let started = Instant::now();
        while place.names() == before {
            assert!(started.elapsed() < Duration::from_secs(60), "it does not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
        let part: Vec<_> =
            place.names().into_iter().filter(|name| !before.contains(name)).collect();
        assert!(part[0].starts_with(".out.wav.") && part[0].ends_with(".part"), "{part:?}");
        kill(Pid::from_raw(child.id() as i32), sent).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        // The rest comes: it sees the end that was asked for, and does not finish. It may have
        // closed the pipe before.
        let _ = stdin.write_all(&input[200_000..]);
        drop(stdin);
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        assert_eq!(fs::read(place.at("out.wav")).unwrap(), b"before");
        assert_eq!(place.names(), before);
    }
}

#[test]
fn without_a_place_to_keep_designs_it_renders_all_the_same() {
    let place = Place::new();
    place.sound("in.wav", 44_100, 100);
    let render = |name: &str, value: &Path| {
        let mut command = place.command();
        command.env_remove("XDG_CACHE_HOME").env_remove("HOME").env(name, value);
        command.args("in.wav out.wav --force --taps 4000 --rate 88200".split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        text(&output.stderr)
    };
    assert_eq!(render("OTHER", Path::new("/")), "");
    let said = render("XDG_CACHE_HOME", &place.at("in.wav"));
    assert!(said.contains("the filter cannot be kept: Not a directory"), "{said}");
    let said = render("HOME", &place.at("home"));
    assert!(said.contains("home/.cache/totton-audio/minimum-4000-44100-x2-"), "{said}");
    assert!(place.at("home/.cache/totton-audio").is_dir());
}
