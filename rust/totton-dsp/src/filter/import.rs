//! Taps from files of other programs: WAV, raw floating point and text.

use std::path::Path;

use super::MAX_TAPS;
use crate::Error;

/// Reads taps by the file's extension: `f64` and `f32` (raw, little endian),
/// `wav` (one channel; 16, 24 or 32-bit integers become -1 to 1, 32 or 64-bit
/// floating point is taken as it is) or `txt` (one number a line; what follows
/// `#` is a comment).
///
/// `output_rate_hz` is the rate that a WAV file must have.
///
/// # Errors
///
/// [`Error::Io`] or [`Error::Import`], naming the file.
pub fn read_taps(path: &Path, output_rate_hz: u32) -> Result<Vec<f64>, Error> {
    let bad = |reason: String| Error::Import { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    parse_taps(&bytes, &extension, output_rate_hz).map_err(bad)
}

/// Reads taps from the bytes of a file whose extension is `extension`, in lower case; the
/// rest as [`read_taps`].
///
/// # Errors
///
/// The reason.
pub fn parse_taps(bytes: &[u8], extension: &str, output_rate_hz: u32) -> Result<Vec<f64>, String> {
    let taps = match extension {
        "f64" => raw::<8>(bytes, f64::from_le_bytes),
        "f32" => raw::<4>(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
        "txt" => text(bytes),
        "wav" => wav(bytes, output_rate_hz),
        other => Err(format!("`.{other}` is not known; accepted are .f64, .f32, .wav and .txt")),
    }?;
    if taps.is_empty() || taps.len() > MAX_TAPS {
        return Err(format!("{} taps; accepted is 1 to {MAX_TAPS}", taps.len()));
    }
    Ok(taps)
}

fn raw<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f64) -> Result<Vec<f64>, String> {
    let (values, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("{} bytes, not a multiple of {N}; the file was cut", bytes.len()));
    }
    Ok(values.iter().map(|value| read(*value)).collect())
}

fn text(bytes: &[u8]) -> Result<Vec<f64>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut taps = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let value = line.split('#').next().unwrap_or_default().trim();
        if value.is_empty() {
            continue;
        }
        let tap = value.parse();
        taps.push(tap.map_err(|_| format!("line {}: `{value}` is not a number", number + 1))?);
    }
    Ok(taps)
}

fn wav(bytes: &[u8], output_rate_hz: u32) -> Result<Vec<f64>, String> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err("not a RIFF WAVE file".into());
    }
    let (mut rest, mut format) = (&bytes[12..], None);
    while let Some((head, body)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let chunk = body.get(..length).ok_or_else(|| {
            format!("chunk `{}` is cut short", String::from_utf8_lossy(&head[..4]))
        })?;
        match &head[..4] {
            b"fmt " => format = Some(wav_format(chunk, output_rate_hz)?),
            b"data" => {
                let (tag, bits) = format.ok_or("samples before the format")?;
                return wav_samples(chunk, tag, bits);
            }
            _ => {}
        }
        rest = body.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    Err("no samples in it".into())
}

/// The format tag and the bits of a sample.
fn wav_format(chunk: &[u8], output_rate_hz: u32) -> Result<(u16, u16), String> {
    const EXTENSIBLE: u16 = 0xFFFE;
    let word = |at: usize| match chunk.get(at..at + 2) {
        Some(bytes) => Ok(u16::from_le_bytes([bytes[0], bytes[1]])),
        None => Err("the format chunk is cut short".to_owned()),
    };
    let channels = word(2)?;
    if channels != 1 {
        return Err(format!("{channels} channels; taps have one"));
    }
    let rate = u32::from(word(4)?) | u32::from(word(6)?) << 16;
    if rate != output_rate_hz {
        return Err(format!(
            "its rate is {rate} Hz, but taps run at the input rate times the ratio, \
             {output_rate_hz} Hz"
        ));
    }
    let tag = match word(0)? {
        EXTENSIBLE => word(24)?,
        tag => tag,
    };
    Ok((tag, word(14)?))
}

fn wav_samples(data: &[u8], tag: u16, bits: u16) -> Result<Vec<f64>, String> {
    const INTEGER: u16 = 1;
    const FLOAT: u16 = 3;
    match (tag, bits) {
        (INTEGER, 16) => raw::<2>(data, |s| f64::from(i16::from_le_bytes(s)) / 32_768.0),
        (INTEGER, 24) => raw::<3>(data, |[a, b, c]| {
            f64::from(i32::from_le_bytes([0, a, b, c])) / 2_147_483_648.0
        }),
        (INTEGER, 32) => raw::<4>(data, |s| f64::from(i32::from_le_bytes(s)) / 2_147_483_648.0),
        (FLOAT, 32) => raw::<4>(data, |s| f64::from(f32::from_le_bytes(s))),
        (FLOAT, 64) => raw::<8>(data, f64::from_le_bytes),
        _ => Err(format!(
            "format {tag} with {bits} bits; accepted are 16, 24 and 32-bit integers and 32 and 64-bit floating point"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn wav_file(channels: u16, rate: u32, tag: u16, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut format = Vec::new();
        format.extend(tag.to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate.to_le_bytes());
        format.extend((rate * u32::from(bits / 8)).to_le_bytes());
        format.extend((bits / 8).to_le_bytes());
        format.extend(bits.to_le_bytes());
        let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        bytes.extend(format);
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn raw_and_text_taps_are_taken_as_they_are() {
        let values = [1.0, -0.1, 1e-30];
        let bytes: Vec<u8> = values.iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
        let (_folder, path) = written("a.f64", &bytes);
        assert_eq!(read_taps(&path, 1).unwrap(), values);
        let (_folder, path) = written("a.F32", &0.1f32.to_le_bytes());
        assert_eq!(read_taps(&path, 1).unwrap(), [f64::from(0.1f32)]);
        let (_folder, path) = written("a.txt", b"# taps\n1\n\n -0.1 # two\n1e-30");
        assert_eq!(read_taps(&path, 1).unwrap(), values);
    }

    #[test]
    fn wav_samples_are_scaled_to_full_scale() {
        let cases: [(u16, u16, &[u8], f64); 5] = [
            (1, 16, &[0, 0xC0], -0.5),
            (1, 24, &[0, 0, 0x40], 0.5),
            (1, 32, &[0, 0, 0, 0x80], -1.0),
            (3, 32, &1.5f32.to_le_bytes(), 1.5),
            (3, 64, &0.1f64.to_le_bytes(), 0.1),
        ];
        for (tag, bits, data, wanted) in cases {
            let (_folder, path) = written("a.wav", &wav_file(1, 705_600, tag, bits, data));
            assert_eq!(read_taps(&path, 705_600).unwrap(), [wanted], "{tag} {bits}");
        }
    }

    #[test]
    fn bad_files_are_refused_with_the_reason() {
        let cases: [(&str, Vec<u8>, &str); 7] = [
            ("a.f64", vec![0; 9], "not a multiple of 8"),
            ("a.txt", b"1\nx\n".to_vec(), "line 2: `x`"),
            ("a.txt", b"# none\n".to_vec(), "0 taps"),
            ("a.mp3", vec![], "`.mp3` is not known"),
            ("a.wav", wav_file(2, 705_600, 3, 32, &[0; 4]), "2 channels"),
            ("a.wav", wav_file(1, 44_100, 3, 32, &[0; 4]), "its rate is 44100 Hz"),
            ("a.wav", wav_file(1, 705_600, 2, 4, &[0; 4]), "format 2"),
        ];
        for (name, bytes, reason) in cases {
            let (_folder, path) = written(name, &bytes);
            let error = read_taps(&path, 705_600).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(name), "{error}");
        }
    }
}
