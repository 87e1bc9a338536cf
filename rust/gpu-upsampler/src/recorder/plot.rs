//! A table of the recorder as a picture.

use totton_dsp::measure::plot::{Chart, picture};

use super::COLUMNS;

/// Rows of a table: each column by its name.
struct Table<'a> {
    names: Vec<&'a str>,
    rows: Vec<Vec<f64>>,
}

impl<'a> Table<'a> {
    /// # Errors
    /// What is wrong, with the line.
    fn read(text: &'a str) -> Result<Self, String> {
        let mut lines = text.lines();
        let names: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
        let row = |(index, line): (usize, &str)| {
            let cells: Result<Vec<f64>, _> = line.split(',').map(str::parse).collect();
            match cells {
                Ok(cells) if cells.len() == names.len() => Ok(cells),
                _ => Err(format!("line {}: expected are {} numbers", index + 2, names.len())),
            }
        };
        let rows: Vec<_> = lines.enumerate().map(row).collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Err("nothing is recorded in it".to_owned());
        }
        Ok(Self { names, rows })
    }

    /// # Errors
    /// When there is no such column.
    fn column(&self, name: &str) -> Result<Vec<f64>, String> {
        let place = self.names.iter().position(|known| *known == name);
        let place = place.ok_or_else(|| {
            format!("it has no column {name}; a table of the recorder has {}", COLUMNS.join(", "))
        })?;
        Ok(self.rows.iter().map(|row| row[place]).collect())
    }
}

/// A picture (SVG) of a table, under a title.
///
/// # Errors
/// What is wrong with the table.
pub fn svg(title: &str, text: &str) -> Result<String, String> {
    let table = Table::read(text)?;
    let seconds: Vec<f64> = table.column("uptime_ms")?.iter().map(|ms| ms / 1000.0).collect();
    let (from, to) = (seconds[0], seconds[seconds.len() - 1].max(seconds[0] + 1.0));
    let rates = table.column("output_rate_hz")?;
    let per_second = |frames: &f64, rate: &f64| if *rate > 0.0 { frames / rate } else { 0.0 };
    let dac = table.column("dac_frames")?;
    let dac = dac.iter().zip(&rates).map(|(frames, rate)| 1000.0 * per_second(frames, rate));
    let increments = |name: &str| -> Result<Vec<f64>, String> {
        let counts = table.column(name)?;
        let before = std::iter::once(&counts[0]).chain(&counts);
        Ok(counts.iter().zip(before).map(|(now, before)| (now - before).max(0.0)).collect())
    };
    let xruns = increments("capture_xruns")?.into_iter().zip(increments("playback_xruns")?);
    let turns = table.column("longest_turn_us")?;
    let chart = |title, values: Vec<f64>, least: f64| {
        let (low, high) = values
            .iter()
            .fold((0.0f64, least), |(low, high), value| (low.min(*value), high.max(*value)));
        let points = seconds.iter().copied().zip(values).collect();
        Chart { title, x_label: "s", x_range: (from, to), y_range: (low, high), points }
    };
    let charts = [
        chart("The DAC's buffer, ms", dac.collect(), 100.0),
        chart("Sound under way, ms", table.column("level_ms")?, 100.0),
        chart("Slowest block, part of its time", table.column("load_highest")?, 1.0),
        chart("Correction of the input's clock, ppm", table.column("correction_ppm")?, 10.0),
        chart("Input's rate, Hz", table.column("input_rate_hz")?, 44_100.0),
        chart(
            "The supervisor's longest turn, ms",
            turns.iter().map(|us| us / 1000.0).collect(),
            20.0,
        ),
        chart("Gaps (xruns) in 0.1 s", xruns.map(|(one, other)| one + other).collect(), 1.0),
    ];
    Ok(picture(title, &charts))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::recorder::{Recorder, Sample};

    #[test]
    fn a_gap_is_seen_in_the_picture_and_what_is_no_table_is_told() {
        let recorder = Recorder::default();
        for n in 0..100 {
            recorder.note(&Sample {
                uptime: Duration::from_millis(100 * n),
                output_rate: 705_600,
                dac_frames: if n == 50 { 0 } else { 70_560 },
                playback_xruns: u32::from(n > 50),
                ..Sample::default()
            });
        }
        let drawn = svg("a report", &recorder.table()).unwrap();
        assert!(drawn.starts_with("<svg") && drawn.contains("a report"));
        // One point of the buffer at the bottom, and one gap at the top of its chart.
        assert_eq!(drawn.matches("<polyline").count(), 7);
        let buffer = drawn.split("<polyline").nth(1).unwrap();
        let heights: Vec<&str> =
            buffer.split(' ').filter_map(|point| Some(point.split_once(',')?.1)).collect();
        let lowest = heights.iter().filter(|y| **y == "314.0").count();
        assert_eq!(lowest, 1, "{heights:?}");
        for (bad, said) in [
            ("", "nothing is recorded"),
            ("a,b\n1,x\n", "line 2: expected are 2 numbers"),
            ("a,b\n1,2\n", "no column uptime_ms"),
        ] {
            assert!(svg("", bad).unwrap_err().contains(said), "{bad}");
        }
    }
}
