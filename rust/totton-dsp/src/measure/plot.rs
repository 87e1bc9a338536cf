//! The plots of a filter: magnitude, passband, phase, impulse and its envelope,
//! as one SVG picture.

use std::fmt::Write;

use rustfft::num_complex::Complex;

use super::Measurement;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 34.0;
/// Room below the axis of a chart.
const BOTTOM: f64 = 44.0;
/// Columns that a curve is drawn in; each shows the extremes of what it covers.
const COLUMNS: usize = 800;

/// One chart: a curve with its axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: &'static str,
    /// The unit of the values across.
    pub x_label: &'static str,
    pub x_range: (f64, f64),
    /// Values beyond it are drawn at its edges.
    pub y_range: (f64, f64),
    pub points: Vec<(f64, f64)>,
}

impl Measurement<'_> {
    /// The plots as SVG, under a title.
    #[must_use]
    pub fn svg(&self, title: &str) -> String {
        let half_output = 0.5 * self.rate() / 1000.0;
        let half_input = 0.5 * f64::from(self.filter.header().input_rate_hz) / 1000.0;
        let figures = self.figures();
        let peak = self.peak_index();
        let taps = self.filter.taps();
        let ms = 1000.0 / self.rate();
        let near = peak.saturating_sub(600)..(peak + 1400).min(taps.len());
        let ripple = (2.0 * figures.ripple_db).clamp(1e-9, 3.0);
        let edge = self.bin(figures.passband_hz);

        let charts = [
            Chart {
                title: "Magnitude, dB",
                x_label: "kHz",
                x_range: (0.0, half_output),
                y_range: (-220.0, 20.0),
                points: self.extremes(self.bins.len(), |bin| self.level_db(bin)),
            },
            Chart {
                title: "Magnitude in the passband, dB",
                x_label: "kHz",
                x_range: (0.0, figures.passband_hz / 1000.0),
                y_range: (-ripple, ripple),
                points: self.extremes(edge + 1, |bin| self.level_db(bin)),
            },
            Chart {
                title: "Phase after the delay of the largest tap, degrees",
                x_label: "kHz",
                x_range: (0.0, half_input),
                y_range: (-180.0, 180.0),
                points: self.extremes(self.bin(half_input * 1000.0) + 1, |bin| {
                    let turns = self.hz(bin) / self.rate() * peak as f64;
                    let angle = std::f64::consts::TAU * turns.fract();
                    (Complex::from_polar(1.0, angle) * self.bins[bin]).arg().to_degrees()
                }),
            },
            Chart {
                title: "Taps around the largest, which is 1",
                x_label: "ms",
                x_range: (near.start as f64 * ms, near.end as f64 * ms),
                y_range: (-1.0, 1.0),
                points: near.map(|n| (n as f64 * ms, taps[n] / taps[peak])).collect(),
            },
            Chart {
                title: "All taps, dB below the largest",
                x_label: "ms",
                x_range: (0.0, taps.len() as f64 * ms),
                y_range: (-240.0, 0.0),
                points: extremes(taps.len(), |n| {
                    let level = (taps[n] / taps[peak]).abs().max(1e-20);
                    (n as f64 * ms, 20.0 * level.log10())
                }),
            },
        ];
        picture(title, &charts)
    }

    fn extremes(&self, bins: usize, value: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
        extremes(bins, |bin| (self.hz(bin) / 1000.0, value(bin)))
    }
}

/// The lowest and the highest of what each column of the picture covers.
fn extremes(count: usize, value: impl Fn(usize) -> (f64, f64)) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let columns = COLUMNS.min(count);
    for column in 0..columns {
        let (from, to) = (column * count / columns, (column + 1) * count / columns);
        let covered = (from..to).map(&value);
        let start = (0.0, f64::INFINITY);
        let low = covered.clone().fold(start, |a, b| if b.1 < a.1 { b } else { a });
        let start = (0.0, f64::NEG_INFINITY);
        let high = covered.fold(start, |a, b| if b.1 > a.1 { b } else { a });
        if low.0 <= high.0 { points.extend([low, high]) } else { points.extend([high, low]) }
    }
    points.dedup();
    points
}

/// Charts, one below the other, as SVG, under a title.
#[must_use]
pub fn picture(title: &str, charts: &[Chart]) -> String {
    let (width, row) = (WIDTH + LEFT + 50.0, HEIGHT + TOP + BOTTOM);
    let height = 40.0 + row * charts.len() as f64;
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"18\">{title}</text>\n"
    );
    for (index, chart) in charts.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = chart.draw(&mut svg, 40.0 + row * index as f64);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Chart {
    fn draw(&self, svg: &mut String, top: f64) -> std::fmt::Result {
        let top = top + TOP;
        let ((x0, x1), (y0, y1)) = (self.x_range, self.y_range);
        let x = |value: f64| LEFT + (value - x0) / (x1 - x0) * WIDTH;
        let y = |value: f64| top + (y1 - value.clamp(y0, y1)) / (y1 - y0) * HEIGHT;
        writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\" font-size=\"14\">{}</text>",
            top - 10.0,
            self.title
        )?;
        for step in 0..=6 {
            let part = f64::from(step) / 6.0;
            let (at_x, at_y) = (x0 + (x1 - x0) * part, y0 + (y1 - y0) * part);
            let (px, py) = (x(at_x), y(at_y));
            writeln!(
                svg,
                "<path d=\"M{px:.1} {top}v{HEIGHT}M{LEFT} {py:.1}h{WIDTH}\" stroke=\"#ddd\"/>\n\
                 <text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} {}</text>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                top + HEIGHT + 18.0,
                number(at_x),
                self.x_label,
                LEFT - 6.0,
                py + 4.0,
                number(at_y),
            )?;
        }
        svg.push_str("<polyline fill=\"none\" stroke=\"#0b61a4\" stroke-width=\"1\" points=\"");
        for (px, py) in &self.points {
            write!(svg, "{:.1},{:.1} ", x(*px), y(*py))?;
        }
        svg.push_str("\"/>\n");
        Ok(())
    }
}

/// A number short enough for an axis.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        magnitude if magnitude < 0.01 => format!("{value:.1e}"),
        magnitude if magnitude < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}
