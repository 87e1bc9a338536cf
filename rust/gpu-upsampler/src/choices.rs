//! What there is to choose from, for the lists in messages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use totton_dsp::Filter;
use totton_protocol::text::bounded;
use totton_protocol::{Dac, FilterChoice, FilterFile, FilterPath};

use crate::config::Config;
use crate::device;

/// The most files that are looked at in one folder.
const MOST_FILES: usize = 1000;

/// The filters in the folders of `config`; the one that it names is in use.
pub fn filters(config: &Config) -> Vec<FilterChoice> {
    let mut choices: BTreeMap<String, Vec<FilterFile>> = BTreeMap::new();
    for folder in config.filter_folders() {
        // A folder that is absent has no filters.
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.sort();
        // What could not be chosen is not offered: a folder, a pipe, a name that no setting holds.
        files.retain(|file| {
            let named = file.to_str().is_some_and(|path| path.parse::<FilterPath>().is_ok());
            named && fs::metadata(file).is_ok_and(|metadata| metadata.is_file())
        });
        for file in files.iter().take(MOST_FILES) {
            let described = describe(file);
            choices.entry(template(file, &described)).or_default().push(described);
        }
    }
    let in_use = config.filter.template();
    choices
        .into_iter()
        .map(|(path, files)| FilterChoice {
            label: label(&path),
            in_use: path == in_use,
            files,
            path,
        })
        .collect()
}

fn describe(file: &Path) -> FilterFile {
    let mut described = FilterFile {
        file: file.display().to_string(),
        bytes: fs::metadata(file).map_or(0, |metadata| metadata.len()),
        ..FilterFile::default()
    };
    match Filter::peek(file) {
        Ok((header, taps)) => {
            described.input_rate = Some(header.input_rate_hz);
            described.ratio = Some(header.ratio);
            described.taps = Some(taps as u64);
            described.phase = Some(header.phase.to_string());
        }
        Err(error) => described.problem = Some(bounded(&error.to_string())),
    }
    described
}

/// The path with placeholders for what the header says.
fn template(file: &Path, described: &FilterFile) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let family = if name.contains("48000") { "48000" } else { "44100" };
    let ratio = described.ratio.map_or_else(String::new, |ratio| format!("x{ratio}."));
    let mut name = name.replacen(family, "{family}", 1);
    if !ratio.is_empty() {
        name = name.replacen(&ratio, "x{ratio}.", 1);
    }
    file.with_file_name(name).display().to_string()
}

/// `/a/linear-2m-{family}-x{ratio}.filter` → `linear-2m`.
fn label(path: &str) -> String {
    let name = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
    let short = name.replace("{family}", "").replace("x{ratio}", "");
    let short = short.trim_matches(['-', '_', '.', ' ']).replace("--", "-");
    if short.is_empty() { "standard".to_owned() } else { short }
}

/// The DACs `found`; `playing` is the ALSA name of the one that the stream plays to.
pub fn dacs(found: Vec<device::dac::Dac>, playing: Option<&str>) -> Vec<Dac> {
    let message = |dac: device::dac::Dac| {
        let capabilities = dac.capabilities.as_ref();
        Dac {
            // What is told apart by its USB identity keeps its name in any port.
            name: match &dac.usb {
                Some(usb) => usb.to_choice().to_string(),
                None => dac.name.clone(),
            },
            label: bounded(&dac.description),
            usb_id: dac.usb.as_ref().map(|usb| format!("{:04x}:{:04x}", usb.vendor, usb.product)),
            device: dac.name.clone(),
            rates: dac.rates().to_vec(),
            formats: capabilities
                .map(|c| c.formats.iter().map(|format| format.name().to_owned()).collect())
                .unwrap_or_default(),
            channels: capabilities.map_or(0, |c| u32::try_from(*c.channels.end()).unwrap_or(0)),
            in_use: playing == Some(dac.name.as_str()),
            problem: dac.capabilities.is_none().then(|| {
                format!("{} is in use by another program: what it can do is not known", dac.name)
            }),
        }
    };
    found.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use totton_dsp::{DesignSpec, design};

    use super::*;

    #[test]
    fn the_files_of_one_filter_are_one_choice_and_a_damaged_one_says_why() {
        let folder = tempfile::tempdir().unwrap();
        for (name, rate, ratio) in [
            ("44100-x16.filter", 44_100, 16),
            ("48000-x16.filter", 48_000, 16),
            ("long-44100-x8.filter", 44_100, 8),
        ] {
            let spec = DesignSpec {
                taps: 400,
                input_rate_hz: rate,
                ratio,
                attenuation_db: 60.0,
                ..DesignSpec::default()
            };
            design(&spec, &mut |_, _| {}).unwrap().save(&folder.path().join(name)).unwrap();
        }
        let cut = folder.path().join("cut-44100-x8.filter");
        let whole = fs::read(folder.path().join("long-44100-x8.filter")).unwrap();
        fs::write(&cut, &whole[..whole.len() - 9]).unwrap();
        fs::write(folder.path().join("readme.txt"), "no filter").unwrap();
        let path = folder.path().join("{family}-x{ratio}.filter");
        let text = format!("[filter]\npath = {path:?}\n");
        let config = Config::from_text(&text, Path::new("upsampler.toml")).unwrap();
        let found = filters(&config);
        let mut labels: Vec<_> =
            found.iter().map(|c| (c.label.as_str(), c.in_use, c.files.len())).collect();
        labels.sort_unstable();
        assert_eq!(labels, [("cut-x8", false, 1), ("long", false, 1), ("standard", true, 2)]);
        let cut = found.iter().flat_map(|c| &c.files).find(|f| f.file.contains("cut")).unwrap();
        assert!(cut.problem.as_ref().unwrap().contains("was cut short"), "{cut:?}");
        let long = found.iter().flat_map(|c| &c.files).find(|f| f.file.contains("long")).unwrap();
        assert_eq!((long.ratio, long.taps, long.input_rate), (Some(8), Some(400), Some(44_100)));
        assert_eq!(long.phase.as_deref(), Some("minimum"));
    }
}
