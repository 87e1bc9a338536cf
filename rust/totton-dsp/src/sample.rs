//! ALSA's integer sample formats, to and from `f64` at full scale ±1.
//!
//! An integer sample `s` of `b` bits is `s / 2^(b-1)`, exactly. Back, a value is
//! dithered as [`crate::dither`] says, rounded to the nearest integer (ties to
//! even), limited to full scale, and what had to be limited is counted. NaN
//! becomes silence and is counted too, so nothing but numbers within range ever
//! reaches a DAC. A value that the format holds exactly stays as it is, without
//! dither: silence is digital silence. Where a device uses only the upper bits of its
//! format, the value is rounded to those.
//!
//! The format is looked at once a call; the loops inside know it at compile time.

use serde::Deserialize;

use crate::dither::{self, Dither};

/// A sample format that the daemon captures and plays, by ALSA's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum SampleFormat {
    /// 16 bits, little endian.
    #[serde(rename = "S16_LE")]
    S16,
    /// 24 bits in three bytes, little endian.
    #[serde(rename = "S24_3LE")]
    S24In3,
    /// 24 bits in the low three of four bytes, little endian.
    #[serde(rename = "S24_LE")]
    S24,
    /// 32 bits, little endian.
    #[serde(rename = "S32_LE")]
    S32,
}

impl SampleFormat {
    /// ALSA's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::S16 => "S16_LE",
            Self::S24In3 => "S24_3LE",
            Self::S24 => "S24_LE",
            Self::S32 => "S32_LE",
        }
    }

    /// Significant bits of one sample.
    pub fn bits(self) -> u32 {
        match self {
            Self::S16 => S16::BITS,
            Self::S24In3 => S24In3::BITS,
            Self::S24 => S24::BITS,
            Self::S32 => S32::BITS,
        }
    }

    /// Bytes that one sample takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::S16 => S16::BYTES,
            Self::S24In3 => S24In3::BYTES,
            Self::S24 => S24::BYTES,
            Self::S32 => S32::BYTES,
        }
    }
}

/// One integer format: how its bytes hold a number.
trait Codec {
    const BYTES: usize;
    /// Significant bits.
    const BITS: u32;
    fn get(bytes: &[u8]) -> i32;
    fn put(sample: i32, bytes: &mut [u8]);
}

struct S16;
impl Codec for S16 {
    const BYTES: usize = 2;
    const BITS: u32 = 16;
    fn get(b: &[u8]) -> i32 {
        i32::from(i16::from_le_bytes([b[0], b[1]]))
    }
    fn put(sample: i32, b: &mut [u8]) {
        b.copy_from_slice(&sample.to_le_bytes()[..2]);
    }
}

struct S24In3;
impl Codec for S24In3 {
    const BYTES: usize = 3;
    const BITS: u32 = 24;
    fn get(b: &[u8]) -> i32 {
        i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8
    }
    fn put(sample: i32, b: &mut [u8]) {
        b.copy_from_slice(&sample.to_le_bytes()[..3]);
    }
}

struct S24;
impl Codec for S24 {
    const BYTES: usize = 4;
    const BITS: u32 = 24;
    fn get(b: &[u8]) -> i32 {
        // ALSA leaves the top byte undefined.
        i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8
    }
    fn put(sample: i32, b: &mut [u8]) {
        b.copy_from_slice(&sample.to_le_bytes());
    }
}

struct S32;
impl Codec for S32 {
    const BYTES: usize = 4;
    const BITS: u32 = 32;
    fn get(b: &[u8]) -> i32 {
        i32::from_le_bytes([b[0], b[1], b[2], b[3]])
    }
    fn put(sample: i32, b: &mut [u8]) {
        b.copy_from_slice(&sample.to_le_bytes());
    }
}

/// Takes interleaved frames apart: `planes[c][i]` becomes channel `c` of frame `i`.
///
/// `bytes` holds whole frames of `planes.len()` channels; each plane is at
/// least as long as there are frames. Returns the number of frames.
pub fn decode(format: SampleFormat, bytes: &[u8], planes: &mut [Vec<f64>]) -> usize {
    match format {
        SampleFormat::S16 => decode_as::<S16>(bytes, planes),
        SampleFormat::S24In3 => decode_as::<S24In3>(bytes, planes),
        SampleFormat::S24 => decode_as::<S24>(bytes, planes),
        SampleFormat::S32 => decode_as::<S32>(bytes, planes),
    }
}

fn decode_as<C: Codec>(bytes: &[u8], planes: &mut [Vec<f64>]) -> usize {
    let frame = C::BYTES * planes.len();
    let scale = 1.0 / f64::from(1u32 << (C::BITS - 1));
    for (channel, plane) in planes.iter_mut().enumerate() {
        for (out, frame) in plane.iter_mut().zip(bytes.chunks_exact(frame)) {
            *out = f64::from(C::get(&frame[channel * C::BYTES..][..C::BYTES])) * scale;
        }
    }
    bytes.len() / frame
}

/// Puts `frames` frames together from `planes` into `bytes`, which must be as
/// long as the frames are. Returns how many samples had to be limited.
pub fn encode(
    format: SampleFormat,
    planes: &[Vec<f64>],
    frames: std::ops::Range<usize>,
    bytes: &mut [u8],
    dither: &mut Dither,
) -> u64 {
    match format {
        SampleFormat::S16 => encode_as::<S16>(planes, frames, bytes, dither),
        SampleFormat::S24In3 => encode_as::<S24In3>(planes, frames, bytes, dither),
        SampleFormat::S24 => encode_as::<S24>(planes, frames, bytes, dither),
        SampleFormat::S32 => encode_as::<S32>(planes, frames, bytes, dither),
    }
}

fn encode_as<C: Codec>(
    planes: &[Vec<f64>],
    frames: std::ops::Range<usize>,
    bytes: &mut [u8],
    dither: &mut Dither,
) -> u64 {
    match dither.bits(C::BITS) {
        // As a constant, for the loops inside.
        bits if bits == C::BITS => encode_upper::<C>(planes, frames, bytes, dither, C::BITS),
        bits => encode_upper::<C>(planes, frames, bytes, dither, bits),
    }
}

/// Rounds to `bits`, the upper ones of the format; the others are zero.
#[inline(always)]
fn encode_upper<C: Codec>(
    planes: &[Vec<f64>],
    frames: std::ops::Range<usize>,
    bytes: &mut [u8],
    dither: &mut Dither,
    bits: u32,
) -> u64 {
    let frame = C::BYTES * planes.len();
    let lower = C::BITS - bits;
    let mut limited = 0;
    for (channel, plane) in planes.iter().enumerate() {
        let values = plane[frames.clone()].iter().zip(bytes.chunks_exact_mut(frame));
        let mut put = |frame: &mut [u8], (sample, is_limited): (i32, bool)| {
            limited += u64::from(is_limited);
            C::put(sample << lower, &mut frame[channel * C::BYTES..][..C::BYTES]);
        };
        match dither.channel(channel) {
            Some(state) => {
                for (value, frame) in values {
                    put(frame, quantise_dithered(*value, dither::next(state), bits));
                }
            }
            None => values.for_each(|(value, frame)| put(frame, quantise(*value, bits))),
        }
    }
    limited
}

/// As [`quantise`], with a noise in units of the last place. What the noise
/// alone takes beyond full scale is limited but not counted: nothing clipped.
#[inline(always)]
fn quantise_dithered(value: f64, noise: f64, bits: u32) -> (i32, bool) {
    let unit = 1.0 / (1u64 << (bits - 1)) as f64;
    // The sum ends at the last place; what is unchanged by it drops no bit.
    let anchor = anchor(bits);
    let noise = if value + anchor - anchor == value { 0.0 } else { noise * unit };
    match quantise(value + noise, bits) {
        (sample, true) => (sample, quantise(value, bits).1),
        within => within,
    }
}

/// The integer of `bits` bits nearest to `value`, ties to even, and whether it had to be limited.
///
/// One addition rounds: 1.5 * 2^52 units of the last place are so large that
/// the sum's mantissa ends at that place, and the addition rounds to nearest
/// even, once, as IEEE 754 has it. The rest is integer arithmetic; a processor
/// without rounding or saturating conversions (or an emulated one) loses nothing.
#[inline(always)]
fn quantise(value: f64, bits: u32) -> (i32, bool) {
    const MAGNITUDE: u64 = !(1 << 63);
    let top = i64::from(i32::MAX >> (32 - bits));
    // NaN and the infinities have larger bits than any number.
    if value.to_bits() & MAGNITUDE < 2f64.to_bits() {
        let anchor = anchor(bits);
        let rounded = (value + anchor).to_bits() as i64 - anchor.to_bits() as i64;
        let sample = rounded.clamp(-top - 1, top);
        (sample as i32, sample != rounded)
    } else if value.is_nan() {
        (0, true)
    } else {
        (if value > 0.0 { top } else { -top - 1 } as i32, true)
    }
}

/// See [`quantise`]: any sum with it below 2 in magnitude ends at the last place of `bits` bits.
#[inline(always)]
fn anchor(bits: u32) -> f64 {
    1.5 * (1u64 << (53 - bits)) as f64
}

/// How samples lie in a file: the integer formats, and floating point as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Integer(SampleFormat),
    /// 32-bit floating point, little endian.
    F32,
    /// 64-bit floating point, little endian.
    F64,
}

impl From<SampleFormat> for Encoding {
    fn from(format: SampleFormat) -> Self {
        Self::Integer(format)
    }
}

impl Encoding {
    /// Bytes that one sample takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Integer(format) => format.bytes(),
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The dither that an output of `channels` channels needs; for floating point that is none.
    #[must_use]
    pub fn dither(self, channels: usize) -> Dither {
        match self {
            Self::Integer(format) => Dither::to_bits(format.bits(), channels),
            Self::F32 | Self::F64 => Dither::none(channels),
        }
    }

    /// As [`decode`].
    pub fn decode(self, bytes: &[u8], planes: &mut [Vec<f64>]) -> usize {
        let frame = self.bytes() * planes.len();
        let each = |planes: &mut [Vec<f64>], get: fn(&[u8]) -> f64| {
            for (channel, plane) in planes.iter_mut().enumerate() {
                for (out, frame) in plane.iter_mut().zip(bytes.chunks_exact(frame)) {
                    *out = get(&frame[channel * self.bytes()..]);
                }
            }
            bytes.len() / frame
        };
        match self {
            Self::Integer(format) => decode(format, bytes, planes),
            Self::F32 => each(planes, |b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
            Self::F64 => each(planes, |b| {
                f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
            }),
        }
    }

    /// As [`encode`]; floating point is neither dithered nor limited.
    pub fn encode(
        self,
        planes: &[Vec<f64>],
        frames: std::ops::Range<usize>,
        bytes: &mut [u8],
        dither: &mut Dither,
    ) -> u64 {
        let frame = self.bytes() * planes.len();
        let mut each = |put: fn(f64, &mut [u8])| {
            for (channel, plane) in planes.iter().enumerate() {
                for (value, frame) in
                    plane[frames.clone()].iter().zip(bytes.chunks_exact_mut(frame))
                {
                    put(*value, &mut frame[channel * self.bytes()..][..self.bytes()]);
                }
            }
            0
        };
        match self {
            Self::Integer(format) => encode(format, planes, frames, bytes, dither),
            Self::F32 => each(|value, b| b.copy_from_slice(&(value as f32).to_le_bytes())),
            Self::F64 => each(|value, b| b.copy_from_slice(&value.to_le_bytes())),
        }
    }
}

#[cfg(test)]
mod tests;
