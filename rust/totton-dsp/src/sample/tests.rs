use super::*;

const ALL: [SampleFormat; 4] =
    [SampleFormat::S16, SampleFormat::S24In3, SampleFormat::S24, SampleFormat::S32];

fn rounded(format: SampleFormat, planes: &[Vec<f64>], bytes: &mut [u8]) -> u64 {
    encode(format, planes, 0..planes[0].len(), bytes, &mut Dither::none(planes.len()))
}

#[test]
fn every_format_comes_back_bit_for_bit() {
    for format in ALL {
        let top = i64::from(i32::MAX >> (32 - format.bits()));
        let samples = [-top - 1, -top, -1, 0, 1, 77, -12345, top - 1, top];
        let scale = 2f64.powi(format.bits() as i32 - 1);
        let left: Vec<f64> = samples.iter().map(|s| *s as f64 / scale).collect();
        let right: Vec<f64> = left.iter().rev().copied().collect();
        let planes = [left, right];
        let mut bytes = vec![0; samples.len() * 2 * format.bytes()];
        assert_eq!(rounded(format, &planes, &mut bytes), 0);
        let mut back = vec![vec![9.0; samples.len()]; 2];
        assert_eq!(decode(format, &bytes, &mut back), samples.len());
        assert_eq!(back, planes, "{format:?}");
    }
}

#[test]
fn rounding_is_to_nearest_even_once() {
    let mut state = 1u64;
    for step in 0..200_000u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        for bits in [16, 24, 32] {
            let scale = 2f64.powi(bits as i32 - 1);
            // Any number, one exactly between two samples, and its neighbours.
            let any = (state >> 11) as f64 / 2f64.powi(52) - 1.0;
            let tie = ((any * scale).floor() + 0.5) / scale;
            let near = [tie.next_up(), tie.next_down(), any, tie][(step % 4) as usize];
            let expected = (near * scale).round_ties_even();
            let (sample, limited) = quantise(near, bits);
            if !limited {
                assert_eq!(f64::from(sample), expected, "{near:e} at {bits} bits");
            }
            assert_eq!(limited, !(-scale..scale).contains(&expected), "{near:e}");
        }
    }
}

#[test]
fn the_bytes_are_alsas() {
    let planes = [vec![0.5], vec![-0.5]];
    let encoded = |format: SampleFormat| {
        let mut bytes = vec![0; 2 * format.bytes()];
        rounded(format, &planes, &mut bytes);
        bytes
    };
    assert_eq!(encoded(SampleFormat::S16), [0, 0x40, 0, 0xc0]);
    assert_eq!(encoded(SampleFormat::S24In3), [0, 0, 0x40, 0, 0, 0xc0]);
    assert_eq!(encoded(SampleFormat::S24), [0, 0, 0x40, 0, 0, 0, 0xc0, 0xff]);
    assert_eq!(encoded(SampleFormat::S32), [0, 0, 0, 0x40, 0, 0, 0, 0xc0]);
}

#[test]
fn the_undefined_byte_of_s24_is_ignored() {
    let mut planes = [vec![0.0]];
    decode(SampleFormat::S24, &[0, 0, 0x40, 0xab], &mut planes);
    assert_eq!(planes[0][0], 0.5);
}

#[test]
fn what_is_out_of_range_is_limited_and_counted() {
    let values = vec![1.0, -1.0, 1.5, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324];
    for format in ALL {
        let planes = [values.clone()];
        let mut bytes = vec![0; values.len() * format.bytes()];
        // -1 is full scale itself, the denormal is silence; the other six are limited.
        assert_eq!(rounded(format, &planes, &mut bytes), 6, "{format:?}");
        let mut back = [vec![9.0; values.len()]];
        decode(format, &bytes, &mut back);
        let top = 1.0 - 2f64.powi(1 - format.bits() as i32);
        assert_eq!(back[0], [top, -1.0, top, -1.0, top, -1.0, 0.0, 0.0], "{format:?}");
    }
}

#[test]
fn floating_point_is_neither_scaled_nor_limited() {
    let planes = [vec![1.5, -0.1], vec![0.25, -3e-300]];
    let mut bytes = [0; 32];
    assert_eq!(Encoding::F64.encode(&planes, 0..2, &mut bytes, &mut Dither::none(2)), 0);
    assert_eq!(bytes[8..16], 0.25f64.to_le_bytes());
    let mut back = [vec![0.0; 2], vec![0.0; 2]];
    assert_eq!(Encoding::F64.decode(&bytes, &mut back), 2);
    assert_eq!(back, planes);
    Encoding::F32.encode(&planes, 0..2, &mut bytes[..16], &mut Dither::none(2));
    Encoding::F32.decode(&bytes[..16], &mut back);
    assert_eq!(back, [vec![1.5, f64::from(-0.1f32)], vec![0.25, 0.0]]);
}

#[test]
fn a_range_takes_its_own_frames() {
    let planes = [vec![0.0, 0.25, 0.5]];
    let mut bytes = [0; 4];
    encode(SampleFormat::S16, &planes, 1..3, &mut bytes, &mut Dither::none(1));
    assert_eq!(bytes, [0, 0x20, 0, 0x40]);
}

fn dithered(format: SampleFormat, values: &[f64], cuts: &[usize]) -> (Vec<f64>, u64) {
    let mut dither = Encoding::from(format).dither(1);
    let planes = [values.to_vec()];
    let mut bytes = vec![0; values.len() * format.bytes()];
    let (mut from, mut limited) = (0, 0);
    for to in cuts.iter().copied().chain([values.len()]) {
        let part = &mut bytes[from * format.bytes()..to * format.bytes()];
        limited += encode(format, &planes, from..to, part, &mut dither);
        from = to;
    }
    let mut back = [vec![0.0; values.len()]];
    decode(format, &bytes, &mut back);
    let [back] = back;
    (back, limited)
}

#[test]
fn a_device_of_fewer_bits_gets_what_a_format_of_so_many_holds() {
    let values: Vec<f64> = (0..2000).map(|n| 1.1 * (n as f64 * 0.37).sin()).collect();
    let planes = [values.clone(), values];
    let encoded = |format: SampleFormat, bits| {
        let mut bytes = vec![0; 2000 * 2 * format.bytes()];
        let mut dither = Dither::to_bits(bits, 2);
        let limited = encode(format, &planes, 0..2000, &mut bytes, &mut dither);
        let mut back = vec![vec![0.0; 2000]; 2];
        decode(format, &bytes, &mut back);
        (limited, bytes, back)
    };
    for (wide, bits, narrow) in [
        (SampleFormat::S32, 24, SampleFormat::S24In3),
        (SampleFormat::S32, 16, SampleFormat::S16),
        (SampleFormat::S24In3, 16, SampleFormat::S16),
    ] {
        let ((limited, _, found), (expected, _, same)) =
            (encoded(wide, bits), encoded(narrow, bits));
        assert!(limited == expected && limited > 0, "{wide:?}: {limited}, {expected}");
        assert!(found == same, "{wide:?} of {bits} bits");
    }
    // Twenty bits have no format of their own: the lower twelve are zero, the rest is not.
    let (_, bytes, found) = encoded(SampleFormat::S32, 20);
    let samples: Vec<i32> =
        bytes.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect();
    assert!(samples.iter().all(|sample| sample & 0xfff == 0));
    assert!(samples.iter().any(|sample| sample & 0x1000 != 0));
    let near = |(found, value): (&f64, &f64)| {
        (found - value.clamp(-1.0, 1.0)).abs() < 1.6 * 2f64.powi(-19)
    };
    assert!(found[0].iter().zip(&planes[0]).all(near));
    // More bits than the format has are all of them.
    assert_eq!(encoded(SampleFormat::S16, 32).1.len(), 8000);
}

#[test]
fn dither_makes_the_error_independent_of_the_sound() {
    // Constants between two values of 16 bits: their mean is kept, and the
    // error's power is that of dither and rounding, a quarter of a unit squared.
    let unit = 2f64.powi(-15);
    for part in [0.1, 0.25, 0.5, 0.9] {
        let value = (1000.0 + part) * unit;
        let (found, _) = dithered(SampleFormat::S16, &vec![value; 200_000], &[]);
        let errors: Vec<f64> = found.iter().map(|x| (x - value) / unit).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let power = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
        assert!(mean.abs() < 5e-3, "{part}: mean {mean}");
        assert!((power - 0.25).abs() < 5e-3, "{part}: power {power}");
    }
}

#[test]
fn a_sound_below_the_last_place_survives_dither_alone() {
    // A third of a unit of 16 bits: rounded, it is silence.
    let sine = |n: usize| 0.3 * 2f64.powi(-15) * (n as f64 * 0.1).sin();
    let values: Vec<f64> = (0..200_000).map(sine).collect();
    let level = |found: &[f64]| {
        let product = found.iter().zip(&values).map(|(a, b)| a * b).sum::<f64>();
        product / values.iter().map(|x| x * x).sum::<f64>()
    };
    assert!((level(&dithered(SampleFormat::S16, &values, &[]).0) - 1.0).abs() < 0.03);
    let mut bytes = vec![0; values.len() * 2];
    rounded(SampleFormat::S16, std::slice::from_ref(&values), &mut bytes);
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn dither_does_not_depend_on_the_blocks_nor_touch_silence_nor_count_as_clipping() {
    let values: Vec<f64> = (0..1000).map(|n| (n as f64 * 0.37).sin()).collect();
    for format in [SampleFormat::S16, SampleFormat::S24, SampleFormat::S24In3] {
        let whole = dithered(format, &values, &[]);
        assert_eq!(whole, dithered(format, &values, &[1, 64, 65, 999]), "{format:?}");
        let exact = [0.0, -0.0, 0.5, -1.0, 2f64.powi(1 - format.bits() as i32)];
        assert_eq!(dithered(format, &exact, &[]).0, exact, "no bit is dropped");
        assert_eq!(dithered(format, &[1e-9 - 1.0; 100], &[]).1, 0, "the noise alone");
        assert_eq!(dithered(format, &[1.1; 100], &[]).1, 100);
    }
    let plain = dithered(SampleFormat::S32, &[0.3], &[]).0;
    assert_eq!(plain[0], (0.3f64 * 2f64.powi(31)).round() / 2f64.powi(31));
}

#[test]
fn a_file_is_dithered_where_bits_are_dropped_that_could_be_heard() {
    let on = |encoding: Encoding| encoding.dither(2).is_on();
    assert!(on(SampleFormat::S16.into()));
    assert!(on(SampleFormat::S24.into()));
    assert!(on(SampleFormat::S24In3.into()));
    assert!(!on(SampleFormat::S32.into()));
    assert!(!on(Encoding::F32) && !on(Encoding::F64));
}
