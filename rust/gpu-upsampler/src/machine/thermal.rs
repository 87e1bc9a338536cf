//! The board's thermometers (`/sys/class/thermal`).

use std::fs;
use std::path::Path;

use totton_protocol::Temperature;

/// Every zone that tells a temperature now, by name; none where the kernel knows of none.
pub fn read(folder: &Path) -> Vec<Temperature> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let zone = |path: &Path| {
        let text = |file: &str| fs::read_to_string(path.join(file)).ok();
        // Millidegrees; a zone whose sensor is off answers with an error.
        let millidegrees: f64 = text("temp")?.trim().parse().ok()?;
        Some(Temperature { name: text("type")?.trim().to_owned(), celsius: millidegrees / 1000.0 })
    };
    let mut found: Vec<Temperature> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("thermal_zone"))
        .filter_map(|entry| zone(&entry.path()))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_that_tell_a_temperature_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for (zone, name, temp) in [
            ("thermal_zone0", "gpu-thermal\n", Some("48312\n")),
            ("thermal_zone1", "cpu-thermal\n", Some("-500\n")),
            ("thermal_zone2", "off-thermal\n", None),
            ("cooling_device0", "fan\n", Some("1\n")),
        ] {
            let path = folder.path().join(zone);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("type"), name).unwrap();
            if let Some(temp) = temp {
                fs::write(path.join("temp"), temp).unwrap();
            }
        }
        let found: Vec<_> = read(folder.path()).into_iter().map(|t| (t.name, t.celsius)).collect();
        assert_eq!(found, [("cpu-thermal".into(), -0.5), ("gpu-thermal".into(), 48.312)]);
        assert!(read(Path::new("/nonexistent")).is_empty());
    }
}
