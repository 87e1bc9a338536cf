//! The configuration with the listeners' settings over it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as TextError, StrDeserializer};
use totton_protocol::Settings;
use totton_protocol::settings::OutOfRange;

use super::{Config, DATA_FILTERS, Filter, PlaybackChoice, raw};

/// Reads a text as the configuration's files are read.
fn read<'a, T: Deserialize<'a>>(key: &'static str, text: &'a str) -> Result<T, OutOfRange> {
    let deserializer: StrDeserializer<'a, TextError> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|error| OutOfRange {
        key,
        found: format!("{text:?}"),
        accepted: error.to_string(),
    })
}

impl Config {
    /// This configuration, with what `settings` choose instead.
    ///
    /// # Errors
    /// When a DAC's name or a filter's path cannot be one.
    pub fn with_settings(&self, settings: &Settings) -> Result<Self, OutOfRange> {
        let mut config = self.clone();
        if let Some(dac) = &settings.dac {
            config.playback.device = read::<PlaybackChoice>("dac", dac)?;
        }
        if let Some(path) = &settings.filter {
            let raw::FilterPath(template) = read("filter", path)?;
            let folders = self.filter_folders();
            let place = Path::new(&template).parent().unwrap_or(Path::new(""));
            if !folders.iter().any(|folder| folder == place) {
                let names: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
                return Err(OutOfRange {
                    key: "filter",
                    found: format!("{path:?}"),
                    accepted: format!("a file in {}", names.join(" or ")),
                });
            }
            config.filter = Filter { template };
        }
        Ok(config)
    }

    /// The folders that filters may be chosen from.
    pub fn filter_folders(&self) -> Vec<PathBuf> {
        let own = Path::new(&self.filter.template).parent().unwrap_or(Path::new("")).to_owned();
        let data = PathBuf::from(DATA_FILTERS);
        if own == data { vec![own] } else { vec![own, data] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_choose_instead_of_the_configuration_within_its_bounds() {
        let config = Config::default();
        assert_eq!(config.with_settings(&Settings::default()).unwrap(), config);
        let settings = Settings {
            dac: Some("usb:20b1:30d2".into()),
            filter: Some("/opt/totton_audio/data/filters/mine-{family}-x{ratio}.filter".into()),
            ..Settings::default()
        };
        let with = config.with_settings(&settings).unwrap();
        assert!(matches!(with.playback.device, PlaybackChoice::Usb(_)));
        let expected = Path::new("/opt/totton_audio/data/filters/mine-48000-x8.filter");
        assert_eq!(with.filter.path(48_000, 8), expected);
        for (settings, said) in [
            (Settings { dac: Some("usb:20b1".into()), ..Settings::default() }, "usb:VID:PID"),
            (
                Settings { filter: Some("/etc/shadow".into()), ..Settings::default() },
                "a file in /opt/totton_audio/filters or /opt/totton_audio/data/filters",
            ),
            (
                Settings {
                    filter: Some("/opt/totton_audio/filters/../x.filter".into()),
                    ..Settings::default()
                },
                "a file in",
            ),
            (
                Settings {
                    filter: Some("/opt/totton_audio/filters/{tap}.filter".into()),
                    ..Settings::default()
                },
                "placeholders",
            ),
        ] {
            let refused = config.with_settings(&settings).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
