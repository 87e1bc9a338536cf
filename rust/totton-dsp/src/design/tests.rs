use super::*;
use realfft::RealFftPlanner;

fn magnitude_db(taps: &[f64], ratio: f64) -> Vec<f64> {
    let length = (16 * taps.len()).next_power_of_two();
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(length);
    let mut time = vec![0.0; length];
    time[..taps.len()].copy_from_slice(taps);
    let mut bins = fft.make_output_vec();
    fft.process(&mut time, &mut bins).unwrap();
    bins.iter().map(|bin| 20.0 * (bin.norm() / ratio).max(1e-300).log10()).collect()
}

fn spec(phase: Phase) -> DesignSpec {
    DesignSpec { taps: 16_000, phase, attenuation_db: 170.0, ..DesignSpec::default() }
}

/// The linear phase that the minimum phase of [`spec`] is made of.
fn prototype() -> DesignSpec {
    let spec = spec(Phase::Linear);
    DesignSpec { attenuation_db: spec.attenuation_db + PROTOTYPE_MARGIN_DB, ..spec }
}

/// Largest passband deviation and highest stopband level, in dB.
fn quality(filter: &Filter) -> (f64, f64) {
    let Origin::Kaiser { passband_hz, stopband_hz, .. } = filter.header().origin else {
        panic!("designed filters say so");
    };
    let rate = f64::from(filter.header().output_rate_hz());
    let db = magnitude_db(filter.taps(), filter.ratio() as f64);
    let hz = |bin: usize| bin as f64 * 0.5 * rate / (db.len() - 1) as f64;
    let (mut ripple, mut stop) = (0.0f64, f64::NEG_INFINITY);
    for (bin, &level) in db.iter().enumerate() {
        if hz(bin) <= passband_hz {
            ripple = ripple.max(level.abs());
        } else if hz(bin) >= stopband_hz {
            stop = stop.max(level);
        }
    }
    (ripple, stop)
}

#[test]
fn linear_phase_reaches_its_attenuation_and_is_symmetric() {
    let filter = design(&spec(Phase::Linear), &mut |_, _| {}).unwrap();
    let (ripple, stop) = quality(&filter);
    assert!(stop < -168.0, "stopband {stop} dB");
    assert!(ripple < 1e-7, "ripple {ripple} dB");
    let taps = filter.taps();
    assert!((0..taps.len()).all(|n| taps[n] == taps[taps.len() - 1 - n]));
    assert!((filter.header().dc_gain - 1.0).abs() < 1e-12);
}

#[test]
fn minimum_phase_keeps_the_magnitude() {
    let linear = design(&prototype(), &mut |_, _| {}).unwrap();
    let minimum = design(&spec(Phase::Minimum), &mut |_, _| {}).unwrap();
    let (ripple, stop) = quality(&minimum);
    assert!(stop < -164.0, "stopband {stop} dB");
    assert!(ripple < 5e-5, "ripple {ripple} dB");
    let (a, b) = (magnitude_db(linear.taps(), 16.0), magnitude_db(minimum.taps(), 16.0));
    let worst = a
        .iter()
        .zip(&b)
        .filter(|(level, _)| **level > -100.0)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(worst < 0.01, "magnitudes differ by {worst} dB above -100 dB");
}

#[test]
fn minimum_phase_packs_the_energy_first() {
    // Of all filters of one magnitude, the partial energy of the minimum-phase
    // one is the largest at every length.
    let linear = design(&prototype(), &mut |_, _| {}).unwrap();
    let minimum = design(&spec(Phase::Minimum), &mut |_, _| {}).unwrap();
    let (mut of_linear, mut of_minimum) = (0.0, 0.0);
    for (a, b) in linear.taps().iter().zip(minimum.taps()) {
        of_linear += a * a;
        of_minimum += b * b;
        assert!(of_minimum >= of_linear * (1.0 - 1e-5));
    }
    assert!((of_minimum / of_linear - 1.0).abs() < 1e-5, "the energies must agree");
}

#[test]
fn minimum_phase_of_a_known_response_is_exact() {
    // (1 - 0.5 z)(1 + 0.25 z): one zero outside the unit circle comes inside.
    let maximum = [-0.5, 0.875, 0.25];
    let found = minimum_phase::from_linear(
        &maximum,
        minimum_phase::Wanted { taps: 3, attenuation_db: 300.0, linear_part: 0.0 },
        &mut |_| {},
    );
    let wanted = [1.0, -0.25, -0.125];
    for (found, wanted) in found.taps.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-12, "{found} for {wanted}");
    }
}

#[test]
fn mixed_phase_delays_by_its_linear_part_and_keeps_the_magnitude() {
    let mut delays = Vec::new();
    for linear_part in [0.1, 0.5, 0.9] {
        let spec = DesignSpec { linear_part, ..spec(Phase::Mixed) };
        let filter = design(&spec, &mut |_, _| {}).unwrap();
        let (ripple, stop) = quality(&filter);
        assert!(stop < -160.0, "{linear_part}: stopband {stop} dB");
        assert!(ripple < 1e-4, "{linear_part}: ripple {ripple} dB");
        delays.push(crate::Measurement::new(&filter).figures().delay_1k_seconds * 705_600.0);
    }
    let half = 16_000.0 / 2.0;
    for (delay, least) in delays.iter().zip([0.1, 0.5, 0.9]) {
        assert!(*delay >= least * half * 2.0 / 3.0 && *delay <= half, "{delays:?}");
    }
    assert!(delays.is_sorted(), "{delays:?}");
}

#[test]
fn every_polyphase_branch_has_unit_gain() {
    for phase in [Phase::Linear, Phase::Minimum] {
        let filter = design(&spec(phase), &mut |_, _| {}).unwrap();
        for branch in 0..16 {
            let sum: f64 = filter.taps().iter().skip(branch).step_by(16).sum();
            assert!((sum - 1.0).abs() < 1e-7, "{phase} branch {branch}: {sum}");
        }
    }
}

#[test]
fn too_few_taps_are_refused_with_advice() {
    let spec = DesignSpec { taps: 64, ..DesignSpec::default() };
    let error = design(&spec, &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("use more taps"), "{error}");
}

#[test]
fn the_cepstrum_aliases_below_the_stopband() {
    for attenuation_db in [90.0, 140.0, 180.0, 200.0] {
        for phase in [Phase::Minimum, Phase::Mixed] {
            let spec = DesignSpec { attenuation_db, ..spec(phase) };
            let (_, report) = design_with_report(&spec, &mut |_, _| {}).unwrap();
            let aliasing = report.cepstrum_aliasing_db.unwrap();
            assert!(aliasing < -attenuation_db, "{phase} {attenuation_db}: {aliasing:.1} dB");
        }
    }
    let (_, report) = design_with_report(&spec(Phase::Linear), &mut |_, _| {}).unwrap();
    assert_eq!(report.cepstrum_aliasing_db, None);
}

#[test]
fn the_stated_aliasing_is_no_less_than_what_a_longer_transform_changes() {
    let linear = kaiser::windowed_sinc(4000, 0.03, kaiser::beta(170.0));
    let wanted = minimum_phase::Wanted { taps: 4000, attenuation_db: 150.0, linear_part: 0.0 };
    let of = |fine| minimum_phase::with_lengths(&linear, wanted, fine, 1 << 14, &mut |_| {});
    let long = of(1 << 20);
    for bits in [15, 16, 17, 18] {
        let short = of(1 << bits);
        let change = change_db(&short.taps, &long.taps);
        // The rounding of the stopband's logarithm is no aliasing.
        let stated = short.aliasing_db.max(-205.0);
        assert!(change <= stated, "2^{bits}: {change:.1} of {stated:.1}");
    }
}

/// The energy of the difference of two responses over that of one, in dB.
fn change_db(a: &[f64], b: &[f64]) -> f64 {
    let energy: f64 = b.iter().map(|tap| tap * tap).sum();
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
    10.0 * (differences.sum::<f64>() / energy).log10()
}

/// What 16 million taps have: transforms of the logarithm that are not 100 but 8 times
/// as long as the filter, twice as long as those of the response.
#[test]
fn the_shortest_transform_is_enough_once_the_zeros_of_the_corner_are_taken_out() {
    let spec = spec(Phase::Minimum);
    let linear = design(&prototype(), &mut |_, _| {}).unwrap();
    let wanted = minimum_phase::Wanted {
        taps: spec.taps,
        attenuation_db: spec.attenuation_db,
        linear_part: 0.0,
    };
    // Where minimum_phase floors the magnitude: below what is wanted of the stopband.
    let floor = -(spec.attenuation_db + minimum_phase::FLOOR_BELOW_DB);
    for linear_part in [0.0, 0.3] {
        let wanted = minimum_phase::Wanted { linear_part, ..wanted };
        let of =
            |fine| minimum_phase::with_lengths(linear.taps(), wanted, fine, 1 << 16, &mut |_| {});
        let (short, long) = (of(1 << 17), of(1 << 21));
        assert!(short.aliasing_db < floor, "{linear_part}: {:.1} dB", short.aliasing_db);
        let change = change_db(&short.taps, &long.taps);
        assert!(change < floor, "{linear_part}: {change:.1} dB");
    }
}

#[test]
fn no_zero_of_a_minimum_phase_design_is_outside_the_unit_circle() {
    for attenuation_db in [100.0, 180.0] {
        let filter = design(&DesignSpec { attenuation_db, ..spec(Phase::Minimum) }, &mut |_, _| {});
        let filter = filter.unwrap();
        let figures = crate::Measurement::new(&filter).figures();
        assert_eq!(figures.zeros_outside, Some(0), "{attenuation_db} dB: {figures:?}");
        // One zero brought out: the polynomial in 1/z times (1 - 1.001 / z).
        let taps = filter.taps();
        let with = |n: usize| {
            let before = if n == 0 { 0.0 } else { taps[n - 1] };
            taps.get(n).unwrap_or(&0.0) - 1.001 * before
        };
        let taps = (0..=taps.len()).map(with).collect();
        let header = filter.header();
        let more = Filter::new(
            header.input_rate_hz,
            header.ratio,
            Phase::Unknown,
            header.origin.clone(),
            taps,
        );
        let figures = crate::Measurement::new(&more.unwrap()).figures();
        assert_eq!(figures.zeros_outside, Some(1), "{attenuation_db} dB: {figures:?}");
    }
}
