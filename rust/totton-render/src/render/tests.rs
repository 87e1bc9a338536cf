use std::path::Path;

use totton_dsp::sample::SampleFormat;
use totton_dsp::{CpuEngine, Filter, Origin, Phase, Precision};

use super::*;
use crate::wav::Reader;

fn filter(ratio: u32, taps: Vec<f64>) -> Filter {
    let origin = Origin::Imported { source: "test".to_owned() };
    Filter::new(44_100, ratio, Phase::Unknown, origin, taps).unwrap()
}

fn sound(file: &Path, encoding: Encoding, planes: &[Vec<f64>]) {
    let spec = Spec { rate: 44_100, channels: planes.len(), encoding };
    let mut writer = Writer::create(file, true, spec, None).unwrap();
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

/// Renders in blocks of 64 frames.
fn run(
    (input, target): (&Path, &Target),
    filter: &Filter,
    progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, String> {
    let mut source = Source::open(input).map_err(|error| error.to_string())?;
    let mut engine = CpuEngine::new(filter, source.channels(), 64, Precision::F64).unwrap();
    render(&mut source, &mut engine, target, progress).map_err(|error| error.to_string())
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn target(file: &Path, encoding: Encoding) -> Target {
    Target { file: file.to_owned(), replace: true, encoding }
}

#[test]
fn the_first_frame_is_the_first_tap_and_no_frame_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    // An impulse of 0.5 through the taps 1, 2, 3, 4, 5 at the ratio 2.
    let filter = filter(2, vec![1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut impulse = vec![0.0; 100];
    impulse[0] = 0.5;
    sound(&input, Encoding::F64, &[impulse]);
    let mut heard = vec![];
    let summary = run((&input, &target(&out, Encoding::F64)), &filter, |progress| {
        heard.push(progress);
        go_on(progress)
    });
    assert_eq!(summary, Ok(Summary { frames: 200, rate: 88_200, clipped_samples: 0 }));
    let total = Some(100);
    assert_eq!(heard, [Progress { done: 64, total }, Progress { done: 100, total }]);
    let planes = planes_of(&out);
    assert_eq!(planes[0].len(), 200);
    for (i, expected) in [0.5, 1.0, 1.5, 2.0, 2.5, 0.0, 0.0].into_iter().enumerate() {
        assert!((planes[0][i] - expected).abs() < 1e-14, "{i}: {}", planes[0][i]);
    }
}

#[test]
fn floating_point_is_the_engines_own_and_integers_are_that_rounded() {
    let folder = tempfile::tempdir().unwrap();
    // Twice the level: beyond full scale in floating point, limited in integers.
    let filter = filter(1, vec![2.0]);
    let left: Vec<f64> = (0..500).map(|n| 0.6 * (f64::from(n) * 0.11).sin()).collect();
    let right = left.iter().map(|x| 0.5 * x).collect();
    let input = [left, right];
    let (file, out) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    sound(&file, Encoding::F64, &input);
    let clipping = input[0].iter().filter(|x| x.abs() >= 0.5).count() as u64;
    for encoding in [
        Encoding::F64,
        Encoding::F32,
        Encoding::Integer(SampleFormat::S32),
        Encoding::Integer(SampleFormat::S24In3),
        Encoding::Integer(SampleFormat::S16),
    ] {
        let summary = run((&file, &target(&out, encoding)), &filter, go_on).unwrap();
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
        let found = planes_of(&out);
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
fn flac_and_wav_of_one_sound_render_alike_also_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let filter = filter(2, vec![1.0, 0.5, -0.25, 0.125]);
    let flac = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stereo-16.flac");
    let mut planes = vec![vec![0.0; 700]; 2];
    assert_eq!(Source::open(&flac).unwrap().read(&mut planes, 700).unwrap(), 700);
    let wav = folder.path().join("in.wav");
    sound(&wav, Encoding::Integer(SampleFormat::S16), &planes);
    let rendered = |input: &Path, out: &str| {
        let out = folder.path().join(out);
        let summary = run((input, &target(&out, Encoding::F64)), &filter, go_on).unwrap();
        assert_eq!(summary.frames, 1400);
        planes_of(&out)
    };
    let wanted = rendered(&wav, "wav.wav");
    assert_eq!(rendered(&flac, "flac.wav"), wanted);
    for file in [wav, flac] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, &std::fs::read(file).unwrap()).unwrap();
        drop(writer);
        let pipe = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        assert_eq!(rendered(Path::new(&pipe), "pipe.wav"), wanted);
    }
}

#[test]
fn what_fails_or_is_broken_off_leaves_the_output_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name| folder.path().join(name);
    let filter = filter(2, vec![1.0]);
    let (input, out) = (place("in.wav"), place("out.wav"));
    sound(&input, Encoding::F32, &[vec![0.5; 1000]]);
    std::fs::write(&out, "before").unwrap();
    let target = target(&out, Encoding::F64);
    let as_before = || {
        assert_eq!(std::fs::read(&out).unwrap(), b"before");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    };
    // In the middle, and after the last block.
    for last in [128, 1000] {
        let broken = run((&input, &target), &filter, |progress| {
            if progress.done < last { go_on(progress) } else { ControlFlow::Break(()) }
        });
        assert_eq!(broken.unwrap_err(), "interrupted: nothing was written");
        as_before();
    }
    let kept = Target { replace: false, ..target.clone() };
    let error = run((&input, &kept), &filter, go_on).unwrap_err();
    assert!(error.contains("out.wav is already there") && error.contains("--force"), "{error}");
    as_before();
    let mut cut = std::fs::read(&input).unwrap();
    cut.truncate(cut.len() - 400);
    std::fs::write(&input, cut).unwrap();
    let error = run((&input, &target), &filter, go_on).unwrap_err();
    assert!(error.contains("100 frames are missing"), "{error}");
    as_before();
}

#[test]
fn a_file_that_came_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    sound(&input, Encoding::F32, &[vec![0.5; 100]]);
    let kept = Target { replace: false, ..target(&out, Encoding::F64) };
    let error = run((&input, &kept), &filter(1, vec![1.0]), |progress| {
        std::fs::write(&out, "another's").unwrap();
        go_on(progress)
    });
    assert!(error.unwrap_err().contains("out.wav is already there"));
    assert_eq!(std::fs::read(&out).unwrap(), b"another's");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_file_may_be_rendered_into_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.wav");
    sound(&file, Encoding::F64, &[vec![0.25; 300]]);
    let target = target(&file, Encoding::F64);
    run((&file, &target), &filter(2, vec![1.0, 1.0]), go_on).unwrap();
    assert!(planes_of(&file)[0].iter().all(|x| (x - 0.25).abs() < 1e-15));
    assert_eq!(planes_of(&file)[0].len(), 600);
}
