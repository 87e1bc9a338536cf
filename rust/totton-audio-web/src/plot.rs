//! What a filter does, in points to draw: measured on its taps.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use realfft::RealFftPlanner;
use serde::Serialize;
use totton_dsp::Filter;
use utoipa::ToSchema;

use crate::problem::Problem;

/// The most taps that are plotted: twice the largest filter in use. The transform of twice as many
/// takes 300 MB, of the service's 512.
const TAPS: usize = 1 << 22;

/// Points of each curve.
const POINTS: usize = 400;

/// Plots that are remembered.
const REMEMBERED: usize = 8;

/// What a filter does.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Plot {
    /// Taps at the output rate.
    pub taps: usize,
    /// Rate in Hz that the input is to have.
    pub input_rate: u32,
    /// Rate of the output in Hz.
    pub output_rate: u32,
    /// `linear`, `minimum`, `mixed` or `unknown`.
    pub phase: String,
    /// The level from 0 Hz to the input's rate: triples of a frequency in Hz and the
    /// lowest and highest level near it in dB.
    pub response: Vec<[f64; 3]>,
    /// The same up to the end of the passband, to see its ripple.
    pub passband: Vec<[f64; 3]>,
    /// The taps around the largest: triples of a time in seconds from the largest tap
    /// and the lowest and highest value near it, the largest being 1.
    pub impulse: Vec<[f64; 3]>,
    /// Largest deviation from the gain at 0 Hz up to 20 kHz, in dB.
    pub ripple_db: f64,
    /// Highest level of the images, from the input's rate less 20 kHz on, in dB;
    /// none where the rates are the same.
    pub stopband_db: Option<f64>,
    /// Time of the largest tap in seconds.
    pub delay_seconds: f64,
}

/// Plots by file; a file that changed is measured anew.
#[derive(Default)]
pub struct Plots(Mutex<HashMap<PathBuf, (SystemTime, Plot)>>);

impl Plots {
    /// The plot of a file.
    ///
    /// # Errors
    /// 422 when the file is no filter or too long.
    pub fn of(&self, path: &Path) -> Result<Plot, Problem> {
        let unusable = |detail: String| Problem::not_accepted(detail, "Choose another filter.");
        let changed = std::fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .map_err(|error| unusable(format!("{}: {error}", path.display())))?;
        // Held while measuring: two at a time would take twice the memory.
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((at, plot)) = known.get(path)
            && *at == changed
        {
            return Ok(plot.clone());
        }
        // Before it is in memory: a filter may have many times as many.
        let (_, taps) = Filter::peek(path).map_err(|error| unusable(error.to_string()))?;
        if taps > TAPS {
            return Err(unusable(format!("{taps} taps; plotted are at most {TAPS}")));
        }
        let filter = Filter::load(path).map_err(|error| unusable(error.to_string()))?;
        let plot = measure(&filter)?;
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_owned(), (changed, plot.clone()));
        Ok(plot)
    }
}

fn measure(filter: &Filter) -> Result<Plot, Problem> {
    let (header, taps) = (filter.header(), filter.taps());
    let (input, output) = (f64::from(header.input_rate_hz), f64::from(header.output_rate_hz()));
    let length = (2 * taps.len()).next_power_of_two().max(1 << 15);
    let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
    let (mut time, mut bins) = (transform.make_input_vec(), transform.make_output_vec());
    time[..taps.len()].copy_from_slice(taps);
    transform
        .process(&mut time, &mut bins)
        .map_err(|error| Problem::failed(format!("the spectrum: {error}")))?;
    drop(time);
    let reference = if header.dc_gain.abs() > 1e-3 { header.dc_gain.abs() } else { 1.0 };
    let reference = reference * f64::from(header.ratio);
    let level = |bin: usize| 20.0 * (bins[bin].norm() / reference).max(1e-12).log10();
    let bin = |hz: f64| ((hz / output * length as f64).round() as usize).min(bins.len() - 1);
    let hz = |bin: usize| bin as f64 * output / length as f64;
    let curve = |to: f64| {
        let last = bin(to);
        spans(0, last + 1)
            .map(|(from, to)| {
                let (low, high) = extremes((from..to).map(level));
                [round(hz((from + to - 1) / 2), 1.0), round(low, 1e-5), round(high, 1e-5)]
            })
            .collect::<Vec<_>>()
    };
    let audible = 20_000.0_f64.min(0.45 * input);
    let ripple = (0..=bin(audible)).map(|bin| level(bin).abs()).fold(0.0, f64::max);
    let images = (bin(input - audible)..bins.len()).map(level);
    let (peak, largest) = taps.iter().enumerate().fold((0, 0.0), |best: (usize, f64), (n, tap)| {
        if tap.abs() > best.1.abs() { (n, *tap) } else { best }
    });
    // Twice thirty input frames show the shape around the peak.
    let around = 30 * header.ratio as usize;
    let (first, end) = (peak.saturating_sub(around), (peak + around).min(taps.len()));
    let impulse = spans(first, end)
        .map(|(from, to)| {
            let (low, high) = extremes(taps[from..to].iter().map(|tap| tap / largest));
            let middle = (from + to - 1) as f64 / 2.0 - peak as f64;
            [middle / output, round(low, 1e-5), round(high, 1e-5)]
        })
        .collect();
    Ok(Plot {
        taps: taps.len(),
        input_rate: header.input_rate_hz,
        output_rate: header.output_rate_hz(),
        phase: header.phase.to_string(),
        response: curve(input.min(output / 2.0)),
        passband: curve(audible),
        impulse,
        ripple_db: ripple,
        stopband_db: (header.ratio > 1).then(|| images.fold(f64::NEG_INFINITY, f64::max)),
        delay_seconds: peak as f64 / output,
    })
}

/// At most [`POINTS`] spans that cover `from..to`, none of them empty.
fn spans(from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
    let (count, points) = (to - from, POINTS.min(to - from));
    (0..points).map(move |n| (from + n * count / points, from + (n + 1) * count / points))
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

fn round(value: f64, step: f64) -> f64 {
    (value / step).round() * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use totton_dsp::{DesignSpec, design};

    #[test]
    fn a_plot_shows_what_the_filter_was_designed_for_and_follows_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.filter");
        let phase = totton_dsp::Phase::Linear;
        let spec =
            DesignSpec { taps: 16_001, phase, attenuation_db: 120.0, ..DesignSpec::default() };
        let filter = design(&spec, &mut |_, _| {}).unwrap();
        filter.save(&path).unwrap();
        let plots = Plots::default();
        let plot = plots.of(&path).unwrap();
        assert_eq!((plot.taps, plot.input_rate, plot.phase.as_str()), (16_001, 44_100, "linear"));
        assert!(plot.ripple_db < 0.01, "{}", plot.ripple_db);
        assert!(plot.stopband_db.unwrap() < -110.0, "{:?}", plot.stopband_db);
        assert_eq!(plot.response.len(), POINTS);
        assert!(plot.response[0][1].abs() < 1e-3 && plot.response[POINTS - 1][2] < -100.0);
        let top = plot.impulse.iter().map(|[.., high]| *high).fold(0.0, f64::max);
        assert_eq!(top, 1.0);
        assert!((plot.delay_seconds - 8000.0 / 705_600.0).abs() < 1e-12);
        std::fs::write(&path, b"no filter").unwrap();
        assert!(plots.of(&path).is_err());
    }
}
