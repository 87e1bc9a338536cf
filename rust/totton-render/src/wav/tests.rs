use std::io::Write;
use std::path::Path;

use totton_dsp::sample::SampleFormat;

use super::*;
use crate::output::Output;

const ALL: [Encoding; 5] = [
    Encoding::Integer(SampleFormat::S16),
    Encoding::Integer(SampleFormat::S24In3),
    Encoding::Integer(SampleFormat::S32),
    Encoding::F32,
    Encoding::F64,
];

fn sound(frames: usize) -> Vec<Vec<f64>> {
    let left: Vec<f64> = (0..frames).map(|i| (i % 64) as f64 / 64.0 - 0.5).collect();
    let right = left.iter().map(|v| -v / 2.0).collect();
    vec![left, right]
}

fn write(file: &Path, encoding: Encoding, limit: u64, frames: usize) {
    let spec = Spec { rate: 705_600, channels: 2, encoding };
    let mut writer =
        Writer::with_limit(Output::create(file, true).unwrap(), spec, None, limit).unwrap();
    assert_eq!(writer.write(&sound(frames), frames).unwrap(), 0);
    writer.finish().unwrap();
}

#[test]
fn every_encoding_comes_back_in_the_short_and_the_long_form() {
    let folder = tempfile::tempdir().unwrap();
    for encoding in ALL {
        for limit in [u64::from(u32::MAX), 100] {
            let file = folder.path().join("sound.wav");
            write(&file, encoding, limit, 333);
            let mut reader = Reader::open(&file).unwrap();
            assert_eq!(reader.spec(), Spec { rate: 705_600, channels: 2, encoding });
            assert_eq!(reader.frames_left(), Some(333));
            let mut planes = vec![vec![0.0; 1000]; 2];
            assert_eq!(reader.read(&mut planes, 1000).unwrap(), 333);
            assert_eq!(planes[1][..333], sound(333)[1]);
            assert_eq!(reader.read(&mut planes, 1000).unwrap(), 0);
        }
    }
}

#[test]
fn another_program_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.wav");
    write(&file, Encoding::Integer(SampleFormat::S24In3), u64::from(u32::MAX), 64);
    let mut reader = hound::WavReader::open(&file).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 705_600, 24));
    let samples: Vec<i32> = reader.samples().map(Result::unwrap).collect();
    assert_eq!(samples.len(), 128);
    assert_eq!(samples[..4], [-1 << 22, 1 << 21, -4_063_232, 2_031_616]);
}

#[test]
fn what_another_program_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&file, spec).unwrap();
    [16384i16, -32768, 1].into_iter().for_each(|s| writer.write_sample(s).unwrap());
    writer.finalize().unwrap();
    let mut planes = vec![vec![0.0; 8]];
    assert_eq!(Reader::open(&file).unwrap().read(&mut planes, 8).unwrap(), 3);
    assert_eq!(planes[0][..3], [0.5, -1.0, 1.0 / 32768.0]);
}

#[test]
fn what_is_no_wav_file_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.wav");
    let refusal = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        match Reader::open(&file) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it was taken"),
        }
    };
    assert!(refusal(b"OggS and so on").contains("sound.wav cannot be used: it is neither WAV"));
    assert!(refusal(b"Ogg").contains("ends within its header"));
    assert!(refusal(b"").contains("it is empty"));
    assert!(refusal(b"RIFF\0\0\0\0WAVEfmt ").contains("ends within its header"));
    write(&file, Encoding::F32, u64::from(u32::MAX), 10);
    let mut whole = std::fs::read(&file).unwrap();
    whole.truncate(whole.len() - 4);
    std::fs::write(&file, &whole).unwrap();
    let mut planes = vec![vec![0.0; 10]; 2];
    let error = Reader::open(&file).unwrap().read(&mut planes, 10).unwrap_err();
    assert!(error.to_string().contains("shorter than its header says"), "{error}");
}

/// A header chunk, padded to an even length.
fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// A `fmt ` chunk of two channels at 48 kHz; `more` follows the common part.
fn format(tag: u16, bits: u16, more: &[u8]) -> Vec<u8> {
    let frame = bits / 8 * 2;
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(2u16.to_le_bytes());
    body.extend(48_000u32.to_le_bytes());
    body.extend((48_000 * u32::from(frame)).to_le_bytes());
    body.extend(frame.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body.extend(more);
    chunk(b"fmt ", &body)
}

/// What follows the common part in an extensible header of some valid bits.
fn extension(kind: u16, valid: u16) -> Vec<u8> {
    let mut more = 22u16.to_le_bytes().to_vec();
    more.extend(valid.to_le_bytes());
    more.extend(0x3fu32.to_le_bytes());
    more.extend(kind.to_le_bytes());
    more.extend(SUBFORMAT);
    more
}

fn file_of(form: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = form.to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(b"WAVE");
    bytes.extend(chunks.concat());
    bytes
}

/// Both channels of all frames, or why not.
fn planes_of(content: &[u8]) -> Result<Vec<Vec<f64>>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.wav");
    std::fs::write(&file, content).unwrap();
    let mut reader = Reader::open(&file).map_err(|error| error.to_string())?;
    assert_eq!(reader.spec().rate, 48_000);
    let mut planes = vec![vec![0.0; 16]; 2];
    let frames = reader.read(&mut planes, 16).map_err(|error| error.to_string())?;
    planes.iter_mut().for_each(|plane| plane.truncate(frames));
    Ok(planes)
}

/// Two frames of 16 bits: 0.5, -0.5; 0.25, -1.
const SAMPLES: [u8; 8] = [0, 0x40, 0, 0xc0, 0, 0x20, 0, 0x80];

/// What it is, its form, its chunks.
type Case<'a> = (&'a str, &'a [u8; 4], &'a [Vec<u8>]);

#[test]
fn the_forms_of_other_programs_are_read() {
    let wanted = Ok(vec![vec![0.5, 0.25], vec![-0.5, -1.0]]);
    let data = chunk(b"data", &SAMPLES);
    let plain = format(PCM, 16, &[]);
    let odd = chunk(b"LIST", b"odd");
    let mut long = Vec::new();
    for size in [0u64, 8, 2] {
        long.extend(size.to_le_bytes());
    }
    long.extend(0u32.to_le_bytes());
    let long = chunk(b"ds64", &long);
    let mut unknown = data.clone();
    unknown[4..8].fill(0xff);
    let cases: [Case; 8] = [
        ("plain", b"RIFF", &[plain.clone(), data.clone()]),
        ("chunks of odd length", b"RIFF", &[odd.clone(), plain.clone(), odd, data.clone()]),
        ("format of 18 bytes", b"RIFF", &[format(PCM, 16, &[0, 0]), data.clone()]),
        (
            "extensible, 12 valid bits",
            b"RIFF",
            &[format(EXTENSIBLE, 16, &extension(PCM, 12)), data.clone()],
        ),
        ("length not known", b"RIFF", &[plain.clone(), unknown.clone()]),
        ("RF64", b"RF64", &[long.clone(), plain.clone(), unknown.clone()]),
        ("BW64", b"BW64", &[long.clone(), plain.clone(), unknown.clone()]),
        ("RF64 with a short length", b"RF64", &[long, plain.clone(), data]),
    ];
    for (name, form, chunks) in cases {
        assert_eq!(planes_of(&file_of(form, chunks)), wanted, "{name}");
    }
    // Half a frame at the end of data whose length nobody stated is none.
    let mut cut = file_of(b"RIFF", &[plain.clone(), unknown.clone()]);
    cut.extend([1, 2, 3]);
    assert_eq!(planes_of(&cut), wanted);
    // A chunk after the data is not sound.
    let after = file_of(b"RIFF", &[plain, chunk(b"data", &SAMPLES), chunk(b"id3 ", b"tags")]);
    assert_eq!(planes_of(&after), wanted);
}

#[test]
fn wide_samples_are_read_as_they_are() {
    let wide = |tag: u16, bits: u16, samples: &[u8]| {
        file_of(b"RIFF", &[format(tag, bits, &[]), chunk(b"data", samples)])
    };
    let bytes = |values: [f64; 2]| values.map(f64::to_le_bytes).concat();
    let floats = |values: [f32; 2]| values.map(f32::to_le_bytes).concat();
    // Beyond full scale, and below any integer's last place.
    assert_eq!(planes_of(&wide(FLOAT, 64, &bytes([1.5, -1e-300]))).unwrap()[0], [1.5]);
    assert_eq!(planes_of(&wide(FLOAT, 64, &bytes([1.5, -1e-300]))).unwrap()[1], [-1e-300]);
    assert_eq!(planes_of(&wide(FLOAT, 32, &floats([0.1, -2.0]))).unwrap()[0], [f64::from(0.1f32)]);
    let least = planes_of(&wide(PCM, 24, &[1, 0, 0, 0xff, 0xff, 0xff])).unwrap();
    assert_eq!(least, [[2f64.powi(-23)], [-2f64.powi(-23)]]);
    let least = planes_of(&wide(PCM, 32, &[1, 0, 0, 0, 0, 0, 0, 0x80])).unwrap();
    assert_eq!(least, [[2f64.powi(-31)], [-1.0]]);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let data = chunk(b"data", &SAMPLES);
    let mut other = extension(PCM, 16);
    other[12] ^= 1;
    let mut unknown = data.clone();
    unknown[4..8].fill(0xff);
    let mut frames = format(PCM, 16, &[]);
    frames[8 + 12] = 3;
    let cases: [Case; 7] = [
        ("neither WAV", b"RIFX", std::slice::from_ref(&data)),
        ("no fmt chunk before its data", b"RIFF", std::slice::from_ref(&data)),
        ("kind 1 with 8 bits", b"RIFF", &[format(PCM, 8, &[]), data.clone()]),
        ("kind 2 with 16 bits", b"RIFF", &[format(2, 16, &[]), data.clone()]),
        ("sub-format", b"RIFF", &[format(EXTENSIBLE, 16, &other), data.clone()]),
        ("its frames have 3 bytes", b"RIFF", &[frames, data.clone()]),
        ("no ds64 chunk", b"RF64", &[format(PCM, 16, &[]), unknown]),
    ];
    for (reason, form, chunks) in cases {
        let error = planes_of(&file_of(form, chunks)).unwrap_err();
        assert!(error.contains(reason) && error.contains("sound.wav"), "{error}");
    }
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let file = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let mut content = file_of(b"RIFF", &[format(PCM, 16, &[]), chunk(b"LIST", b"abc")]);
    content.extend(b"data\xff\xff\xff\xff");
    content.extend(SAMPLES);
    writer.write_all(&content).unwrap();
    drop(writer);
    let mut reader = Reader::open(Path::new(&file)).unwrap();
    assert_eq!(reader.frames_left(), None);
    let mut planes = vec![vec![0.0; 16]; 2];
    assert_eq!(reader.read(&mut planes, 16).unwrap(), 2);
    assert_eq!(planes[1][..2], [-0.5, -1.0]);
}

#[test]
fn an_unfinished_file_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.wav");
    std::fs::write(&file, "before").unwrap();
    let spec = Spec { rate: 44_100, channels: 2, encoding: Encoding::F32 };
    let mut writer = Writer::create(&file, true, spec, None).unwrap();
    writer.write(&sound(10), 10).unwrap();
    drop(writer);
    assert_eq!(std::fs::read(&file).unwrap(), b"before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_pipe_is_told_the_length_when_it_is_known() {
    for (frames, limit, stated) in
        [(Some(40), 1 << 20, Some(40)), (Some(40), 100, Some(40)), (None, 1 << 20, None)]
    {
        let (reader, pipe) = std::io::pipe().unwrap();
        let out = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&pipe));
        let spec = Spec { rate: 88_200, channels: 2, encoding: Encoding::F64 };
        let output = Output::create(Path::new(&out), false).unwrap();
        let mut writer = Writer::with_limit(output, spec, frames, limit).unwrap();
        writer.write(&sound(40), 40).unwrap();
        writer.finish().unwrap();
        drop(pipe);
        let file = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let mut reader = Reader::open(Path::new(&file)).unwrap();
        assert_eq!(reader.frames_left(), stated);
        let mut planes = vec![vec![0.0; 64]; 2];
        let found = reader.read(&mut planes, stated.map_or(64, |frames| frames as usize));
        assert_eq!(found.unwrap(), 40);
        assert_eq!(planes[0][..40], sound(40)[0]);
    }
}

#[test]
fn a_pipe_that_was_promised_more_is_an_error() {
    let spec = Spec { rate: 88_200, channels: 2, encoding: Encoding::F64 };
    let mut writer = Writer::create(Path::new("/dev/null"), false, spec, Some(41)).unwrap();
    writer.write(&sound(40), 40).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("/dev/null") && error.contains("656 bytes were promised"), "{error}");
}

#[test]
fn a_new_file_has_the_permissions_of_any_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |file: &Path| std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap());
    let (file, other) = (folder.path().join("sound.wav"), folder.path().join("other"));
    write(&file, Encoding::F32, 1 << 20, 10);
    std::fs::write(&other, "").unwrap();
    assert_eq!(mode(&file), mode(&other));
}
