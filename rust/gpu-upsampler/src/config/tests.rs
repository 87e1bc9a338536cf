use totton_protocol::{Headroom, Sound};

use super::*;

const FILE: &str = "upsampler.toml";

fn refusal(text: &str) -> String {
    Config::from_text(text, Path::new(FILE)).unwrap_err().to_string()
}

#[test]
fn the_file_of_the_device_says_what_is_built_in() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/etc/totton-audio/upsampler.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(Config::from_text(&text, &file).unwrap(), Config::default());
    // Equal because it says so, not because it says nothing: every key of the raw types is there.
    let keys = text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count();
    assert_eq!(keys, 27);
}

#[test]
fn the_first_start_leaves_three_decibels_unless_the_configuration_says_otherwise() {
    let sound =
        |text: &str| Config::from_text(text, Path::new("upsampler.toml")).unwrap().output.sound();
    let default = Sound { headroom: Headroom::Fixed, headroom_db: 3.0, ..Sound::default() };
    assert_eq!(sound(""), default);
    assert_eq!(Sound::default(), default);
    let other = Sound { gain_db: -20.0, headroom: Headroom::Off, ..default };
    assert_eq!(sound("[output]\ngain_db = -20\nheadroom = \"off\""), other);
    // Only what has changed in the file counts.
    let (off, less) =
        ("[output]\nheadroom = \"off\"", "[output]\nheadroom = \"off\"\ngain_db = -9");
    let [before, now] = [off, less]
        .map(|text| Config::from_text(text, Path::new("upsampler.toml")).unwrap().output);
    let mut set_on_the_page = Sound { headroom: Headroom::WorstCase, mute: true, ..default };
    now.change(&mut set_on_the_page, &before);
    let expected = Sound { headroom: Headroom::WorstCase, mute: true, gain_db: -9.0, ..default };
    assert_eq!(set_on_the_page, expected);
}

#[test]
fn an_error_names_file_line_key_and_what_is_accepted() {
    for (text, parts) in [
        ("[capture]\nrate = 44000", &["line 2", "rate = 44000", "44100, 48000"][..]),
        ("[capture]\nrate = \"fast\"", &["line 2", "fast", "\"auto\" or one of 44100"]),
        ("[capture]\nchannels = 0", &["line 2", "channels", "0", "from 1 to 8"]),
        ("[capture]\nchannels = \"2\"", &["line 2", "string \"2\"", "from 1 to 8"]),
        ("[capture]\nformats = [\"S8\"]", &["S8", "S16_LE", "S24_3LE", "S24_LE", "S32_LE"]),
        ("[playback]\nformats = []", &["formats", "empty", "S32_LE"]),
        ("[engine]\nblock_frames = 1000", &["1000", "power of two from 64 to 65536"]),
        ("[engine]\nblock_frames = 8192", &["engine.block_frames", "8192", "185.8ms", "100ms"]),
        ("[engine]\nratio = 3", &["ratio", "3", "\"auto\" or one of 1, 2, 4, 8, 16"]),
        ("[engine]\nratio = \"most\"", &["ratio", "most", "\"auto\" or one of 1, 2, 4, 8, 16"]),
        ("[playback]\ndevice = \"usb:1\"", &["usb:1", "usb:VID:PID:SERIAL"]),
        ("[playback]\nmax_rate = 44000", &["max_rate", "44000", "from 44100 to 768000"]),
        ("[engine]\nbackend = \"opencl\"", &["opencl", "auto", "cpu", "cuda"]),
        ("[engine]\nprecision = \"f16\"", &["f16", "f32", "f64"]),
        ("[output]\ngain_db = 1.0", &["gain_db", "1", "-120 to 0", "dB"]),
        ("[filter]\npath = \"a{rate}.filter\"", &["{rate}", "{family}", "{ratio}"]),
        ("[realtime]\npriority = 99", &["99", "0 to 90"]),
        ("[playback]\nprefill_ms = 195", &["playback.prefill_ms", "195ms", "190ms"]),
        ("[capture]\nperiod_ms = 50", &["capture.period_ms", "50ms", "80ms"]),
        ("volume = 3", &["line 1", "volume", "capture", "playback"]),
        ("[capture]\ndevise = \"x\"", &["line 2", "devise", "device"]),
        ("[capture", &["line 1"]),
    ] {
        let message = refusal(text);
        assert!(message.contains(FILE), "{message}");
        for part in parts {
            assert!(message.contains(part), "{text:?} gives {message:?} without {part:?}");
        }
    }
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_build_without_cuda_refuses_to_insist_on_it() {
    let message = refusal("[engine]\nbackend = \"cuda\"");
    for part in ["engine.backend", "no CUDA engine", "\"cpu\""] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn fragments_override_single_keys_in_lexical_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let fragments = folder.path().join("upsampler.d");
    fs::create_dir(&fragments).unwrap();
    fs::write(&file, "[capture]\nrate = 48000\nchannels = 4\n").unwrap();
    fs::write(fragments.join("20-b.toml"), "[capture]\nrate = 96000\n").unwrap();
    fs::write(fragments.join("10-a.toml"), "[capture]\nrate = 44100\n[output]\nmute = true")
        .unwrap();
    fs::write(fragments.join("note.txt"), "not TOML").unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.capture.rate, CaptureRate::Fixed(96_000));
    assert_eq!((config.capture.channels, config.output.mute), (4, true));

    fs::write(fragments.join("30-c.toml"), "[capture]\nrate = 1\n").unwrap();
    let message = Config::load(&file).unwrap_err().to_string();
    assert!(message.contains("upsampler.d/30-c.toml"), "{message}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = Config::load(Path::new("/nonexistent/upsampler.toml")).unwrap_err();
    assert!(error.is_config() && error.to_string().contains("/nonexistent/upsampler.toml"));
}

#[test]
fn the_placeholders_of_the_filter_are_filled_in() {
    let text = "[filter]\npath = \"/f/{family}/x{ratio}.filter\"";
    let filter = Config::from_text(text, Path::new(FILE)).unwrap().filter;
    assert_eq!(filter.path(rate_family(88_200), 8), Path::new("/f/44100/x8.filter"));
    assert_eq!(filter.path(rate_family(192_000), 4), Path::new("/f/48000/x4.filter"));
}
