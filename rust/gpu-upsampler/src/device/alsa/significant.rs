//! How many bits of a sample a device uses, where its format has more.
//!
//! ALSA's drivers may say so (`msbits`). Of USB devices `/proc/asound` shows what the descriptor
//! says (`bBitResolution`), also where the driver does not hand it on.

use std::fs;
use std::ops::RangeInclusive;

use alsa::pcm::PCM;
use alsa::{Direction, Output};

use crate::sample::SampleFormat;

/// Fewer bits are not believed: descriptors are often wrong.
const FEWEST: u32 = 16;

/// The bits that `pcm`, which has been set up, uses of a sample: the upper ones.
pub(super) fn bits(pcm: &PCM, format: SampleFormat, rate: u32, channels: usize) -> u32 {
    let known = [told_by_alsa(pcm), told_by_usb(pcm, format, rate, channels)];
    fewest(known, format.bits())
}

fn fewest(known: [Option<u32>; 2], all: u32) -> u32 {
    let believed = known.into_iter().flatten().filter(|bits| (FEWEST..=all).contains(bits));
    believed.min().unwrap_or(all)
}

fn told_by_alsa(pcm: &PCM) -> Option<u32> {
    // The crate `alsa` does not have snd_pcm_hw_params_get_sbits; this text has its number.
    let mut setup = Output::buffer_open().ok()?;
    pcm.dump_hw_setup(&mut setup).ok()?;
    msbits(&setup.to_string())
}

fn msbits(setup: &str) -> Option<u32> {
    let number = |line: &str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "msbits").then(|| value.trim().parse().ok())?
    };
    setup.lines().find_map(number)
}

fn told_by_usb(pcm: &PCM, format: SampleFormat, rate: u32, channels: usize) -> Option<u32> {
    let info = pcm.info().ok()?;
    let file = format!("/proc/asound/card{}/stream{}", info.get_card(), info.get_device());
    // Only USB cards have it.
    let stream = fs::read_to_string(file).ok()?;
    usb_bits(&stream, info.get_stream(), format, rate, channels)
}

/// A setting of a USB device's interface, as far as it is told.
#[derive(Default)]
struct Setting {
    formats: Vec<String>,
    channels: Option<usize>,
    rates: Vec<RangeInclusive<u32>>,
    bits: Option<u32>,
}

impl Setting {
    fn fits(&self, format: SampleFormat, rate: u32, channels: usize) -> bool {
        self.formats.iter().any(|name| name == format.name())
            && self.channels == Some(channels)
            && self.rates.iter().any(|rates| rates.contains(&rate))
    }
}

/// The bits of the settings in `stream` that the driver may have chosen: the most, if they differ.
fn usb_bits(
    stream: &str,
    direction: Direction,
    format: SampleFormat,
    rate: u32,
    channels: usize,
) -> Option<u32> {
    let settings = settings(stream, direction);
    let fitting = settings.into_iter().filter(|setting| setting.fits(format, rate, channels));
    fitting.map(|setting| setting.bits).collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn settings(stream: &str, direction: Direction) -> Vec<Setting> {
    let heading = match direction {
        Direction::Playback => "Playback:",
        Direction::Capture => "Capture:",
    };
    let mut settings: Vec<Setting> = vec![];
    let mut of_direction = false;
    for line in stream.lines() {
        if !line.starts_with(' ') {
            of_direction = line == heading;
        }
        let line = line.trim();
        // `Altset = 1` tells which is running.
        if of_direction && line.starts_with("Altset ") && !line.contains('=') {
            settings.push(Setting::default());
        }
        if let (true, Some((name, value)), Some(setting)) =
            (of_direction, line.split_once(':'), settings.last_mut())
        {
            let value = value.trim();
            match name {
                "Format" => setting.formats = value.split(' ').map(str::to_owned).collect(),
                "Channels" => setting.channels = value.parse().ok(),
                "Rates" => setting.rates = rates(value),
                "Bits" => setting.bits = value.parse().ok(),
                _ => {}
            }
        }
    }
    settings
}

/// `44100, 48000` or `8000 - 96000 (continuous)`.
fn rates(text: &str) -> Vec<RangeInclusive<u32>> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let range = |part: &str| {
        let part = part.split('(').next()?;
        match part.split_once('-') {
            Some((low, high)) => Some(number(low)?..=number(high)?),
            None => number(part).map(|rate| rate..=rate),
        }
    };
    text.split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form in which snd-usb-audio shows it.
    const STREAM: &str = "\
A DAC at usb-0000:00:14.0-6, high speed : USB Audio

Playback:
  Status: Running
    Interface = 1
    Altset = 1
    Packet Size = 216
    Momentary freq = 48000 Hz (0x6.0000)
  Interface 1
    Altset 1
    Format: S32_LE
    Channels: 2
    Endpoint: 0x01 (1 OUT) (ASYNC)
    Rates: 44100, 48000, 88200, 96000
    Data packet interval: 125 us
    Bits: 24
    Channel map: FL FR
  Interface 1
    Altset 2
    Format: S16_LE
    Channels: 2
    Rates: 44100 - 96000 (continuous)
    Bits: 16
  Interface 1
    Altset 3
    Format: S32_LE DSD_U32_BE
    Channels: 2
    Rates: 88200, 176400
    Bits: 32
  Interface 1
    Altset 4
    Format: S32_LE
    Channels: 2
    Rates: 384000

Capture:
  Status: Stop
  Interface 2
    Altset 1
    Format: S32_LE
    Channels: 2
    Rates: 48000
    Bits: 20
";

    #[test]
    fn the_bits_are_those_of_the_setting_that_plays() {
        let bits =
            |format, rate, channels| usb_bits(STREAM, Direction::Playback, format, rate, channels);
        assert_eq!(bits(SampleFormat::S32, 48_000, 2), Some(24));
        assert_eq!(bits(SampleFormat::S16, 64_000, 2), Some(16));
        assert_eq!(bits(SampleFormat::S32, 88_200, 2), Some(32), "it may be either");
        for (rate, channels) in [(48_000, 4), (192_000, 2), (384_000, 2)] {
            assert_eq!(bits(SampleFormat::S32, rate, channels), None, "{rate} {channels}");
        }
        assert_eq!(usb_bits(STREAM, Direction::Capture, SampleFormat::S32, 48_000, 2), Some(20));
        assert_eq!(usb_bits("", Direction::Playback, SampleFormat::S32, 48_000, 2), None);
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        assert_eq!(fewest([None, None], 32), 32);
        assert_eq!(fewest([Some(32), Some(24)], 32), 24);
        assert_eq!(fewest([Some(20), None], 24), 20);
        assert_eq!(fewest([Some(0), Some(8)], 32), 32);
        assert_eq!(fewest([Some(32), None], 16), 16);
    }

    #[test]
    fn alsa_lib_tells_the_bits_of_a_device_that_is_set_up() {
        let setup = "  stream       : PLAYBACK\n  format       : S32_LE\n  msbits       : 24\n";
        assert_eq!(msbits(setup), Some(24));
        assert_eq!(msbits("  format : S32_LE\n"), None);
        for (format, alsa_format) in [
            (SampleFormat::S16, alsa::pcm::Format::S16LE),
            (SampleFormat::S24, alsa::pcm::Format::S24LE),
            (SampleFormat::S32, alsa::pcm::Format::S32LE),
        ] {
            let pcm = PCM::new("null", Direction::Playback, true).unwrap();
            let params = alsa::pcm::HwParams::any(&pcm).unwrap();
            params.set_access(alsa::pcm::Access::RWInterleaved).unwrap();
            params.set_channels(2).unwrap();
            params.set_rate(48_000, alsa::ValueOr::Nearest).unwrap();
            params.set_format(alsa_format).unwrap();
            pcm.hw_params(&params).unwrap();
            // Of the four bytes of S24 older versions of alsa-lib tell all 32 bits here.
            let told = told_by_alsa(&pcm).unwrap();
            assert!(
                [format.bits(), 8 * format.bytes() as u32].contains(&told),
                "{format:?}: {told}"
            );
            assert_eq!(bits(&pcm, format, 48_000, 2), format.bits());
        }
    }
}
