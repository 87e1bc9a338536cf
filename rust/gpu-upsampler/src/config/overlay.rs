//! The configuration with the listeners' settings over it.

use std::path::{Path, PathBuf};

use totton_protocol::settings::OutOfRange;
use totton_protocol::text::quoted;
use totton_protocol::{DacChoice, Settings};

use super::{Config, DATA_FILTERS, Filter, PlaybackChoice};

impl From<&DacChoice> for PlaybackChoice {
    fn from(choice: &DacChoice) -> Self {
        match choice {
            DacChoice::Auto => Self::Auto,
            DacChoice::Usb(id) => Self::Usb(id.clone()),
            DacChoice::Card(device) => Self::Card(device.clone()),
        }
    }
}

impl Config {
    /// This configuration, with what `settings` choose instead.
    ///
    /// # Errors
    /// When the filter is in no folder that filters may be chosen from.
    pub fn with_settings(&self, settings: &Settings) -> Result<Self, OutOfRange> {
        let mut config = self.clone();
        if let Some(dac) = &settings.dac {
            config.playback.device = dac.into();
        }
        if let Some(path) = &settings.filter {
            let folders = self.filter_folders();
            if !folders.iter().any(|folder| folder == path.folder()) {
                let names: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
                return Err(OutOfRange {
                    key: "filter",
                    found: quoted(path.as_str()),
                    accepted: format!("a file in {}", names.join(" or ")),
                });
            }
            config.filter = Filter { template: path.as_str().to_owned() };
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
            dac: Some("usb:20b1:30d2".parse().unwrap()),
            filter: Some(
                "/opt/totton_audio/data/filters/mine-{family}-x{ratio}.filter".parse().unwrap(),
            ),
            ..Settings::default()
        };
        let with = config.with_settings(&settings).unwrap();
        assert!(matches!(with.playback.device, PlaybackChoice::Usb(_)));
        let expected = Path::new("/opt/totton_audio/data/filters/mine-48000-x8.filter");
        assert_eq!(with.filter.path(48_000, 8), expected);
        for elsewhere in
            ["/etc/x.filter", "/opt/totton_audio/filters/a/x.filter", "/opt/totton_audio/x.filter"]
        {
            let settings =
                Settings { filter: Some(elsewhere.parse().unwrap()), ..Settings::default() };
            let refused = config.with_settings(&settings).unwrap_err().to_string();
            let said = "a file in /opt/totton_audio/filters or /opt/totton_audio/data/filters";
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn a_plug_in_is_for_the_files_alone() {
        let choice = |name: &str| {
            let text = format!("[playback]\ndevice = {name:?}\n");
            Config::from_text(&text, Path::new("upsampler.toml")).unwrap().playback.device
        };
        for name in [
            "file:'|cat > /dev/null',raw",
            "null",
            "plughw:0,0",
            "plughw:CARD=D90,DEV=0",
            "mine",
            "D90",
            "sysdefault:CARD=D90",
            "hw:{card 0}",
            "hw:0,x",
            "iec958:CARD=D90,DEV=0",
            "dmix:D90",
        ] {
            assert_eq!(choice(name), PlaybackChoice::Named(name.to_owned()));
        }
        for name in ["hw:CARD=D90,DEV=0", "hw:D90", "hw:D90,0"] {
            let card = PlaybackChoice::Card("hw:D90,0".parse::<DacChoice>().map(card).unwrap());
            assert_eq!(choice(name), card, "{name}");
        }
    }

    fn card(choice: DacChoice) -> totton_protocol::CardDevice {
        let DacChoice::Card(device) = choice else { panic!("{choice}") };
        device
    }
}
