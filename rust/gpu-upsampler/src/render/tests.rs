use std::path::Path;

use totton_dsp::{Filter, Origin, Phase};

use super::*;
use crate::backend::{BackendName, resolve};
use crate::sample::SampleFormat;
use crate::wav::Reader;

fn filter(file: &Path, ratio: u32, taps: Vec<f64>) {
    let origin = Origin::Imported { source: "test".to_owned() };
    Filter::new(44_100, ratio, Phase::Unknown, origin, taps).unwrap().save(file).unwrap();
}

fn sound(file: &Path, encoding: Encoding, planes: &[Vec<f64>]) {
    let spec = Spec { rate: 44_100, channels: planes.len(), encoding };
    let mut writer = Writer::create(file, spec).unwrap();
    writer.write(planes, planes[0].len()).unwrap();
    writer.finish().unwrap();
}

fn planes_of(file: &Path) -> Vec<Vec<f64>> {
    let mut reader = Reader::open(file).unwrap();
    let frames = reader.frames_left().unwrap() as usize;
    let mut planes = vec![vec![0.0; frames]; reader.spec().channels];
    assert_eq!(reader.read(&mut planes, frames).unwrap(), frames);
    planes
}

/// From `in.wav` to `out.wav`, through `taps.filter`.
fn job(folder: &Path) -> Job {
    Job {
        input: folder.join("in.wav"),
        output: folder.join("out.wav"),
        filter: Some(folder.join("taps.filter")),
        equaliser: None,
        block_frames: Some(64),
        precision: Some(config::Precision::F64),
        backend: None,
        encoding: Encoding::F64,
    }
}

fn run(job: &Job) -> Result<Summary, String> {
    render(job, || unreachable!("all is given"), |_| ()).map_err(|error| error.to_string())
}

#[test]
fn the_first_frame_is_the_first_tap_and_no_frame_is_added() {
    let folder = tempfile::tempdir().unwrap();
    // An impulse of 0.5 through the taps 1, 2, 3, 4, 5 at the ratio 2.
    filter(&folder.path().join("taps.filter"), 2, vec![1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut impulse = vec![0.0; 100];
    impulse[0] = 0.5;
    sound(&folder.path().join("in.wav"), Encoding::F64, &[impulse]);
    let job = job(folder.path());
    let mut heard = vec![];
    let summary = render(&job, || unreachable!("all is given"), |p| heard.push(p)).unwrap();
    assert_eq!(summary, Summary { frames: 200, rate: 88_200, clipped_samples: 0 });
    let total = Some(100);
    assert_eq!(heard, [Progress { done: 64, total }, Progress { done: 100, total }]);
    let planes = planes_of(&job.output);
    assert_eq!(planes[0].len(), 200);
    for (i, expected) in [0.5, 1.0, 1.5, 2.0, 2.5, 0.0, 0.0].into_iter().enumerate() {
        assert!((planes[0][i] - expected).abs() < 1e-14, "{i}: {}", planes[0][i]);
    }
}

#[test]
fn floating_point_is_the_engines_own_and_integers_are_that_rounded() {
    let folder = tempfile::tempdir().unwrap();
    // Twice the level: beyond full scale in floating point, limited in integers.
    filter(&folder.path().join("taps.filter"), 1, vec![2.0]);
    let left: Vec<f64> = (0..500).map(|n| 0.6 * (f64::from(n) * 0.11).sin()).collect();
    let right = left.iter().map(|x| 0.5 * x).collect();
    let input = [left, right];
    sound(&folder.path().join("in.wav"), Encoding::F64, &input);
    let mut job = job(folder.path());
    let clipping = input[0].iter().filter(|x| x.abs() >= 0.5).count() as u64;
    for encoding in [
        Encoding::F64,
        Encoding::F32,
        Encoding::Integer(SampleFormat::S32),
        Encoding::Integer(SampleFormat::S24In3),
        Encoding::Integer(SampleFormat::S16),
    ] {
        job.encoding = encoding;
        let summary = run(&job).unwrap();
        let (unit, top, most) = match encoding {
            Encoding::F64 => (0.0, f64::MAX, 1e-14),
            Encoding::F32 => (0.0, f64::MAX, 1e-7),
            Encoding::Integer(format) => {
                let unit = 2f64.powi(1 - format.bits() as i32);
                let dithered = format.bits() <= 24;
                (unit, 1.0 - unit, unit * if dithered { 1.5 } else { 0.501 })
            }
        };
        let clipped = if unit > 0.0 { clipping } else { 0 };
        assert_eq!(summary.clipped_samples, clipped, "{encoding:?}");
        let found = planes_of(&job.output);
        let mut rounded_away = 0;
        for (found, input) in found.iter().zip(&input) {
            for (found, input) in found.iter().zip(input) {
                let wanted = if unit > 0.0 { (2.0 * input).clamp(-1.0, top) } else { 2.0 * input };
                assert!((found - wanted).abs() <= most, "{encoding:?}: {found} for {wanted}");
                rounded_away += usize::from((found - wanted).abs() > 0.5001 * unit);
            }
        }
        let dithered = matches!(encoding, Encoding::Integer(format) if format.bits() <= 24);
        let integer = unit > 0.0;
        assert!(!integer || dithered == (rounded_away > 50), "{encoding:?}: {rounded_away}");
    }
}

#[test]
fn flac_and_wav_of_one_sound_render_alike() {
    let folder = tempfile::tempdir().unwrap();
    filter(&folder.path().join("taps.filter"), 2, vec![1.0, 0.5, -0.25, 0.125]);
    let flac = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stereo-16.flac");
    let mut reader = crate::flac::Reader::open(&flac).unwrap();
    let mut planes = vec![vec![0.0; 700]; 2];
    assert_eq!(reader.read(&mut planes, 700).unwrap(), 700);
    sound(&folder.path().join("in.wav"), Encoding::Integer(SampleFormat::S16), &planes);
    let of_wav = job(folder.path());
    let of_flac = Job { input: flac, output: folder.path().join("flac.wav"), ..job(folder.path()) };
    let summary = run(&of_wav).unwrap();
    assert_eq!(summary.frames, 1400);
    assert_eq!(run(&of_flac).unwrap(), summary);
    assert_eq!(planes_of(&of_flac.output), planes_of(&of_wav.output));
}

#[test]
fn an_equaliser_is_in_the_filter_and_its_errors_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    filter(&folder.path().join("taps.filter"), 1, vec![1.0]);
    let mut impulse = vec![0.0; 4096];
    impulse[0] = 1.0;
    sound(&folder.path().join("in.wav"), Encoding::F64, &[impulse]);
    let eq = folder.path().join("eq.txt");
    std::fs::write(&eq, "Preamp: -6 dB\nFilter 1: ON PK Fc 1000 Hz Gain 6 dB Q 1\n").unwrap();
    let job = Job { equaliser: Some(eq.clone()), ..job(folder.path()) };
    run(&job).unwrap();
    // The response at 1 kHz and at 0 Hz, by its definition.
    let taps = planes_of(&job.output).swap_remove(0);
    let level = |hz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, tap) in taps.iter().enumerate() {
            let (sine, cosine) = (std::f64::consts::TAU * hz / 44_100.0 * n as f64).sin_cos();
            (re, im) = (re + tap * cosine, im - tap * sine);
        }
        20.0 * f64::hypot(re, im).log10()
    };
    assert!(level(1000.0).abs() < 1e-6, "{}", level(1000.0));
    assert!((level(0.0) + 6.0).abs() < 1e-6, "{}", level(0.0));

    std::fs::write(&eq, "Preamp: -6 dB\nFilter 1: ON XX Fc 1000 Hz\n").unwrap();
    let error = run(&job).unwrap_err();
    assert!(error.contains("eq.txt: line 2"), "{error}");
}

#[test]
fn what_cannot_be_rendered_says_why_and_leaves_the_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name| folder.path().join(name);
    filter(&place("taps.filter"), 2, vec![1.0]);
    sound(&place("in.wav"), Encoding::F32, &[vec![0.5; 1000]]);
    std::fs::write(place("out.wav"), "before").unwrap();
    let refused = |change: fn(&mut Job, &Path), reason: &str| {
        let mut job = job(folder.path());
        change(&mut job, folder.path());
        let error = run(&job).unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert_eq!(std::fs::read(place("out.wav")).unwrap(), b"before");
    };
    // Where there is a GPU nothing is wrong with asking for it.
    if let BackendName { name: "cpu", reason: Some(missing) } = resolve(config::Backend::Auto) {
        refused(|job, _| job.backend = Some(config::Backend::Cuda), &missing);
    }
    refused(|job, _| job.block_frames = Some(100), "powers of two from 16");
    refused(|job, to| job.input = to.join("taps.filter"), "taps.filter cannot be used");
    refused(|job, to| job.filter = Some(to.join("in.wav")), "not a filter file");
    let mut cut = std::fs::read(place("in.wav")).unwrap();
    cut.truncate(cut.len() - 400);
    std::fs::write(place("in.wav"), cut).unwrap();
    refused(|_, _| (), "100 frames are missing");
}

#[test]
fn a_file_may_be_rendered_into_itself() {
    let folder = tempfile::tempdir().unwrap();
    filter(&folder.path().join("taps.filter"), 2, vec![1.0, 1.0]);
    sound(&folder.path().join("in.wav"), Encoding::F64, &[vec![0.25; 300]]);
    let job = Job { output: folder.path().join("in.wav"), ..job(folder.path()) };
    run(&job).unwrap();
    assert!(planes_of(&job.output)[0].iter().all(|x| (x - 0.25).abs() < 1e-15));
    assert_eq!(planes_of(&job.output)[0].len(), 600);
}
