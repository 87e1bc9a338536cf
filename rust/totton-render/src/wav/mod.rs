//! WAV files: PCM of 16, 24 and 32 bits, floating point of 32 and 64.
//!
//! - [`read`]: RIFF, RF64 and BW64, plain and extensible headers, chunks in any
//!   order, and data whose length nobody knew when the header was written
//! - [`write`]: extensible headers; RF64 where 4 GiB do not suffice (an hour of
//!   stereo at 705.6 kHz has 20 GB); into a pipe, with a length that nobody knows where
//!   the input's is not known
//!
//! The layout of the header is Microsoft's "Multiple channel audio data and WAVE
//! files"; the long forms are EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64).

pub mod read;
pub mod write;

pub use read::Reader;
pub use write::Writer;

use totton_dsp::sample::Encoding;

/// What the samples of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Frames per second (Hz).
    pub rate: u32,
    pub channels: usize,
    pub encoding: Encoding,
}

impl Spec {
    fn frame_bytes(&self) -> usize {
        self.channels * self.encoding.bytes()
    }
}

/// The length of data that a program writes which cannot go back to its header.
const UNKNOWN: u32 = u32::MAX;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// What follows the kind in the sub-format of an extensible header:
/// `KSDATAFORMAT_SUBTYPE_PCM` and `KSDATAFORMAT_SUBTYPE_IEEE_FLOAT`.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

#[cfg(test)]
mod tests;
