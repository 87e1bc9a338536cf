//! The board's thermometers (`/sys/class/thermal`).

use std::fs;
use std::path::Path;

use totton_protocol::Temperature;

/// Every zone that tells a temperature now, by name; none where the kernel knows of none.
#[must_use]
pub fn read(folder: &Path) -> Vec<Temperature> {
    zones(folder).into_iter().map(|zone| zone.temperature).collect()
}

/// A zone, and where it gets too warm.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    pub temperature: Temperature,
    /// The lowest trip point in degrees Celsius from which the kernel slows the board down
    /// (`passive`, `hot`) or switches it off (`critical`).
    pub limit: Option<f64>,
}

/// As [`read`], with the limits.
#[must_use]
pub fn zones(folder: &Path) -> Vec<Zone> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("thermal_zone"))
        .filter_map(|entry| zone(&entry.path()))
        .collect();
    found.sort_by(|a, b| a.temperature.name.cmp(&b.temperature.name));
    found
}

fn zone(path: &Path) -> Option<Zone> {
    let text = |file: &str| fs::read_to_string(path.join(file)).ok();
    // Millidegrees; a zone whose sensor is off answers with an error.
    let degrees = |file: &str| Some(text(file)?.trim().parse::<f64>().ok()? / 1000.0);
    let temperature =
        Temperature { name: text("type")?.trim().to_owned(), celsius: degrees("temp")? };
    let trips = (0..16).map_while(|number| {
        let kind = text(&format!("trip_point_{number}_type"))?;
        Some((kind, degrees(&format!("trip_point_{number}_temp"))))
    });
    let limit = trips
        .filter(|(kind, _)| matches!(kind.trim(), "passive" | "hot" | "critical"))
        // One that is switched off is at or below zero.
        .filter_map(|(_, celsius)| celsius.filter(|celsius| *celsius > 0.0))
        .reduce(f64::min);
    Some(Zone { temperature, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_and_those_that_do_not_answer_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for (zone, kind, temperature) in
            [("thermal_zone1", "gpu-thermal\n", "41500\n"), ("thermal_zone0", "cpu-thermal\n", "")]
        {
            let path = folder.path().join(zone);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("type"), kind).unwrap();
            fs::write(path.join("temp"), temperature).unwrap();
            for (number, kind, temperature) in [
                (0, "active\n", "30000\n"),
                (1, "critical\n", "104500\n"),
                (2, "passive\n", "99000\n"),
            ] {
                fs::write(path.join(format!("trip_point_{number}_type")), kind).unwrap();
                fs::write(path.join(format!("trip_point_{number}_temp")), temperature).unwrap();
            }
        }
        fs::create_dir(folder.path().join("cooling_device0")).unwrap();
        let gpu = Temperature { name: "gpu-thermal".into(), celsius: 41.5 };
        assert_eq!(read(folder.path()), std::slice::from_ref(&gpu));
        assert_eq!(zones(folder.path()), [Zone { temperature: gpu, limit: Some(99.0) }]);
        assert!(read(Path::new("/nonexistent")).is_empty());
    }
}
