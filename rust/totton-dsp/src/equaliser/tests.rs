use super::*;
use crate::{DesignSpec, Error, Filter, Origin, Phase, design};

const AUTOEQ: &str = "\
Preamp: -6.6 dB
Filter 1: ON LSC Fc 105 Hz Gain 6.5 dB Q 0.70
Filter 2: ON PK Fc 2114 Hz Gain -4.3 dB Q 1.50
Filter 3: OFF PK Fc 60 Hz Gain 9 dB Q 1
Filter 4: ON HSC Fc 10000 Hz Gain -2.0 dB Q 0.70
# the end
";

fn impulse(ratio: u32, taps: usize) -> Filter {
    let mut values = vec![0.0; taps];
    values[0] = 1.0;
    let origin = Origin::Imported { source: "impulse".into() };
    Filter::new(44_100, ratio, Phase::Minimum, origin, values).unwrap()
}

/// The biquad of the cookbook, run over `taps` samples of an impulse.
fn cookbook(band: &Band, rate: f64, input: &[f64]) -> Vec<f64> {
    let w0 = std::f64::consts::TAU * band.frequency_hz / rate;
    let (cosine, alpha) = (w0.cos(), w0.sin() / (2.0 * band.q));
    let a = 10f64.powf(band.gain_db / 40.0);
    let root = 2.0 * a.sqrt() * alpha;
    let ([b0, b1, b2], [a0, a1, a2]) = match band.shape {
        Shape::Peaking => (
            [1.0 + alpha * a, -2.0 * cosine, 1.0 - alpha * a],
            [1.0 + alpha / a, -2.0 * cosine, 1.0 - alpha / a],
        ),
        Shape::LowPass => {
            let b = (1.0 - cosine) / 2.0;
            ([b, 2.0 * b, b], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha])
        }
        Shape::HighPass => {
            let b = (1.0 + cosine) / 2.0;
            ([b, -2.0 * b, b], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha])
        }
        Shape::Notch => ([1.0, -2.0 * cosine, 1.0], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]),
        Shape::BandPass => ([alpha, 0.0, -alpha], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]),
        Shape::LowShelf => {
            let (p, m) = (a + 1.0, a - 1.0);
            (
                [
                    a * (p - m * cosine + root),
                    2.0 * a * (m - p * cosine),
                    a * (p - m * cosine - root),
                ],
                [p + m * cosine + root, -2.0 * (m + p * cosine), p + m * cosine - root],
            )
        }
        Shape::HighShelf => {
            let (p, m) = (a + 1.0, a - 1.0);
            (
                [
                    a * (p + m * cosine + root),
                    -2.0 * a * (m + p * cosine),
                    a * (p + m * cosine - root),
                ],
                [p - m * cosine + root, 2.0 * (m - p * cosine), p - m * cosine - root],
            )
        }
    };
    let (mut s1, mut s2) = (0.0, 0.0);
    let step = |x: &f64| {
        let y = (b0 * x + s1) / a0;
        (s1, s2) = (b1 * x - a1 * y + s2, b2 * x - a2 * y);
        y
    };
    input.iter().map(step).collect()
}

#[test]
fn an_autoeq_file_is_read() {
    let equaliser = Equaliser::parse(AUTOEQ, "a.txt").unwrap();
    assert_eq!(equaliser.preamp_db, -6.6);
    assert_eq!(equaliser.bands.len(), 3, "the one that is off does not count");
    assert_eq!(
        equaliser.bands[0],
        Band { shape: Shape::LowShelf, frequency_hz: 105.0, gain_db: 6.5, q: 0.7 }
    );
}

#[test]
fn every_band_is_the_biquad_of_the_cookbook() {
    for shape in [
        Shape::Peaking,
        Shape::LowShelf,
        Shape::HighShelf,
        Shape::LowPass,
        Shape::HighPass,
        Shape::Notch,
        Shape::BandPass,
    ] {
        for (frequency_hz, gain_db, q) in [(1000.0, 6.0, 0.7), (300.0, -12.0, 3.0)] {
            let band = Band { shape, frequency_hz, gain_db, q };
            let equaliser = Equaliser { bands: vec![band], ..Equaliser::default() };
            let filter = impulse(2, 65_536);
            let found = equaliser.apply(&filter).unwrap();
            let wanted = cookbook(&band, 88_200.0, filter.taps());
            for (n, (found, wanted)) in found.taps().iter().zip(&wanted).enumerate() {
                assert!((found - wanted).abs() < 1e-10, "{band:?} tap {n}: {found} {wanted}");
            }
        }
    }
}

#[test]
fn bands_multiply_in_any_order_of_the_text() {
    let equaliser = Equaliser::parse(AUTOEQ, "a.txt").unwrap();
    let filter = impulse(4, 100_000);
    let found = equaliser.apply(&filter).unwrap();
    let preamp = 10f64.powf(-6.6 / 20.0);
    let mut wanted: Vec<f64> = filter.taps().iter().map(|tap| tap * preamp).collect();
    for band in equaliser.bands.iter().rev() {
        wanted = cookbook(band, 176_400.0, &wanted);
    }
    for (found, wanted) in found.taps().iter().zip(&wanted) {
        assert!((found - wanted).abs() < 1e-10, "{found} {wanted}");
    }
    let Origin::Equalised { bands, .. } = found.header().origin else { panic!("not told") };
    assert_eq!((bands, found.header().phase), (3, Phase::Minimum));
}

#[test]
fn a_filter_of_several_pieces_is_folded_as_a_whole() {
    let equaliser = Equaliser::parse(AUTOEQ, "a.txt").unwrap();
    let mut state = 1u64;
    let noise = (0..300_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 11) as f64 / 2f64.powi(52) - 1.0
    });
    let origin = Origin::Imported { source: "noise".into() };
    let filter = Filter::new(44_100, 2, Phase::Unknown, origin, noise.collect()).unwrap();
    let found = equaliser.apply(&filter).unwrap();
    let preamp = 10f64.powf(-6.6 / 20.0);
    let mut wanted: Vec<f64> = filter.taps().iter().map(|tap| tap * preamp).collect();
    for band in &equaliser.bands {
        wanted = cookbook(band, 88_200.0, &wanted);
    }
    for (n, (found, wanted)) in found.taps().iter().zip(&wanted).enumerate() {
        assert!((found - wanted).abs() < 1e-9, "tap {n}: {found} {wanted}");
    }
}

#[test]
fn a_long_filter_keeps_its_length_and_a_short_one_grows() {
    let equaliser = Equaliser::parse(AUTOEQ, "a.txt").unwrap();
    let long = design(&DesignSpec { taps: 300_000, ..DesignSpec::default() }, &mut |_, _| {});
    assert_eq!(equaliser.apply(&long.unwrap()).unwrap().taps().len(), 300_000);
    assert!(equaliser.apply(&impulse(16, 100)).unwrap().taps().len() > 1000);
}

#[test]
fn a_graphic_curve_has_its_gains_and_no_pre_ringing() {
    let text = "GraphicEQ: 20 3; 100 3; 1000 -6.0; 5000 2; 20000 -1";
    let equaliser = Equaliser::parse(text, "a.txt").unwrap();
    let found = equaliser.apply(&impulse(1, 32_768)).unwrap();
    for (hz, wanted) in [(30.0, 3.0), (1000.0, -6.0), (5000.0, 2.0), (316.227_766, -1.5)] {
        let step = std::f64::consts::TAU * hz / 44_100.0;
        let (mut re, mut im) = (0.0, 0.0);
        for (n, tap) in found.taps().iter().enumerate() {
            let (sine, cosine) = (step * n as f64).sin_cos();
            re += tap * cosine;
            im -= tap * sine;
        }
        let gain = 20.0 * re.hypot(im).log10();
        assert!((gain - wanted).abs() < 0.02, "{gain} dB at {hz} Hz");
    }
    let energy: f64 = found.taps().iter().map(|tap| tap * tap).sum();
    let first: f64 = found.taps()[..30].iter().map(|tap| tap * tap).sum();
    assert!(first > 0.9 * energy, "minimum phase starts at once");
}

#[test]
fn every_error_names_the_line() {
    for (text, reason) in [
        ("Preamp: -3 dB\nFilter 1: ON PK Fc 100 Hz Gain 3 dB", "line 2: filter PK has no Q"),
        ("Filter: ON XX Fc 100 Hz", "line 1: filter `XX` is not supported"),
        ("\nFilter: YES PK", "line 2: `YES`: expected is ON or OFF"),
        ("Filter: ON PK Fc abc Hz Gain 3 dB Q 1", "line 1: Fc `abc`"),
        ("Filter: ON PK Fc 100 Hz Gain 3 dB Q 0", "line 1: Q `0`: accepted"),
        ("Filter: ON PK Fc 100 Hz Gain 3 dB Q 1 T60 7 ms", "line 1: `T60`"),
        ("Channel: L", "line 1: `Channel` is not supported"),
        ("nonsense", "line 1: `nonsense` is no setting"),
        ("GraphicEQ: 20 1; 10 2", "line 1: 10 Hz does not rise"),
        ("Preamp: NaN dB", "line 1: preamp `NaN`"),
    ] {
        let error = Equaliser::parse(text, "my.txt").unwrap_err().to_string();
        assert!(error.starts_with("my.txt: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn what_is_accepted_in_parts_is_within_bounds_as_a_whole() {
    let refused = |text: &str| Equaliser::parse(text, "eq").unwrap_err().to_string();
    let error = refused("Preamp: 60 dB\nPreamp: 60 dB");
    assert!(error.contains("line 2") && error.contains("120 dB"), "{error}");
    let error = refused("Preamp: -100 dB\nFilter: ON None\nPreamp: -21 dB");
    assert!(error.contains("line 3") && error.contains("-121 dB"), "{error}");
    assert_eq!(Equaliser::parse("Preamp: 6\nPreamp: -8", "eq").unwrap().preamp_db, -2.0);
    // The quality of a bandwidth is one that could be written.
    let error = refused("Filter: ON PK Fc 100 Hz Gain 1 dB BW Oct 0.001");
    assert!(error.contains("bandwidth `0.001`"), "{error}");
    for octaves in ["0.0015", "10"] {
        let text = format!("Filter: ON PK Fc 100 Hz Gain 1 dB BW Oct {octaves}");
        let q = Equaliser::parse(&text, "eq").unwrap().bands[0].q;
        assert!((0.01..=1000.0).contains(&q), "{octaves}: {q}");
    }
}

#[test]
fn bands_beyond_the_input_are_refused() {
    let text = "Filter: ON PK Fc 23000 Hz Gain 3 dB Q 1";
    let equaliser = Equaliser::parse(text, "a.txt").unwrap();
    assert!(equaliser.apply(&impulse(2, 100)).is_err());
}

#[test]
fn the_range_of_gains_has_what_any_frequency_gets() {
    let text = "Preamp: -3 dB\nFilter 1: ON PK Fc 1000 Hz Gain 6 dB Q 8\n\
                Filter 2: ON LSC Fc 100 Hz Gain -10 dB Q 0.7\nGraphicEQ: 20 0; 5000 0; 10000 2; 20000 -4";
    let equaliser = Equaliser::parse(text, "mine").unwrap();
    let (low, high) = equaliser.gain_range_db(44_100.0);
    assert!((low + 13.0).abs() < 0.1, "the shelf: {low}");
    assert!((high - 3.0).abs() < 0.1, "the bell: {high}");
    let folded = equaliser.apply(&impulse(1, 32_768)).unwrap();
    let loudest = crate::Measurement::new(&folded).figures();
    assert!(loudest.ripple_db > 10.0, "{loudest:?}");
    assert_eq!(Equaliser::default().gain_range_db(44_100.0), (0.0, 0.0));
    let removes = Equaliser::parse("Filter: ON NO Fc 50 Hz Q 30", "mine").unwrap();
    assert!(removes.gain_range_db(44_100.0).0 < -100.0);
}

#[test]
fn folding_ends_soon_when_it_is_told_to_stop() {
    let bands = "Filter: ON PK Fc 100 Hz Gain -1 dB Q 1\n".repeat(200);
    let equaliser = Equaliser::parse(&bands, "many").unwrap();
    let mut asked = 0;
    let stopped = equaliser.apply_while(&impulse(16, 1 << 20), 44_100, &mut || {
        asked += 1;
        asked < 3
    });
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    assert_eq!(asked, 3);
}

#[test]
fn more_gain_than_anything_can_have_is_refused_before_any_work() {
    let bands = "Filter: ON PK Fc 1000 Hz Gain 60 dB Q 1\n".repeat(200);
    let error = Equaliser::parse(&bands, "loud").unwrap().check(44_100).unwrap_err().to_string();
    assert!(error.contains("12000 dB") && error.contains("up to 240 dB"), "{error}");
}
