//! Butterflies over complex vectors, and the twiddle factors that they turn by.
//!
//! An element is `LANES` real parts, then `LANES` imaginary parts.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use crate::simd::{Sample, Vector};

/// Twiddle factors of one stage: for each butterfly `j`, the real and imaginary
/// parts of w^j, w^2j and so on below the radix.
pub(super) struct Stage<T> {
    pub(super) length: usize,
    pub(super) twiddles: Vec<T>,
}

impl<T: Sample> Stage<T> {
    pub(super) fn new(length: usize, radix: usize) -> Self {
        let mut twiddles = Vec::with_capacity(length / radix * (radix - 1) * 2);
        for j in 0..length / radix {
            for factor in 1..radix {
                let (sine, cosine) = turn(factor * j, length);
                twiddles.extend([T::narrow(cosine), T::narrow(sine)]);
            }
        }
        Self { length, twiddles }
    }
}

/// Sine and cosine of `index / length` turns, reduced to an eighth of a turn so
/// that they are as exact as the numbers allow.
pub(super) fn turn(index: usize, length: usize) -> (f64, f64) {
    let eighth = (8 * index / length) % 8;
    let rest = 8 * index % length;
    let angle = |part: usize| TAU / 8.0 * (part as f64 / length as f64);
    let (sine, cosine) = if eighth.is_multiple_of(2) {
        angle(rest).sin_cos()
    } else {
        angle(length - rest).sin_cos()
    };
    match eighth {
        0 => (sine, cosine),
        1 => (cosine, sine),
        2 => (cosine, -sine),
        3 => (sine, -cosine),
        4 => (-sine, -cosine),
        5 => (-cosine, -sine),
        6 => (-cosine, sine),
        _ => (-sine, cosine),
    }
}

/// A complex vector.
#[derive(Clone, Copy)]
pub(super) struct C<V> {
    re: V,
    im: V,
}

impl<V: Vector> C<V> {
    #[inline(always)]
    pub(super) unsafe fn load(from: *const V::Scalar) -> Self {
        // SAFETY: the caller gives one element.
        unsafe { Self { re: V::load(from), im: V::load(from.add(V::LANES)) } }
    }
    #[inline(always)]
    pub(super) unsafe fn store(self, to: *mut V::Scalar) {
        // SAFETY: the caller gives one element.
        unsafe {
            self.re.store(to);
            self.im.store(to.add(V::LANES));
        }
    }
    #[inline(always)]
    pub(super) unsafe fn add(self, other: Self) -> Self {
        // SAFETY: no memory is touched.
        unsafe { Self { re: self.re.add(other.re), im: self.im.add(other.im) } }
    }
    #[inline(always)]
    pub(super) unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: no memory is touched.
        unsafe { Self { re: self.re.sub(other.re), im: self.im.sub(other.im) } }
    }
    #[inline(always)]
    pub(super) unsafe fn times_i(self) -> Self {
        // SAFETY: no memory is touched.
        unsafe { Self { re: V::splat(V::Scalar::default()).sub(self.im), im: self.re } }
    }
    /// Times the two scalars at `w`.
    #[inline(always)]
    pub(super) unsafe fn times(self, w: *const V::Scalar) -> Self {
        // SAFETY: the caller gives two scalars.
        unsafe {
            let (re, im) = (V::splat(*w), V::splat(*w.add(1)));
            Self {
                re: self.re.mul(re).mul_dec(self.im, im),
                im: self.re.mul(im).mul_acc(self.im, re),
            }
        }
    }
}

/// Input `n` of a butterfly, turned: the inputs are `step` apart from `first` on,
/// the twiddle factors in order from `w` on. Functions, not closures: only what is
/// always inlined has the instruction set.
#[inline(always)]
pub(super) unsafe fn turned<V: Vector>(
    first: *const V::Scalar,
    step: usize,
    w: *const V::Scalar,
    n: usize,
) -> C<V> {
    // SAFETY: the caller gives the elements and the factors.
    unsafe { C::<V>::load(first.add(n * step)).times(w.add(2 * (n - 1))) }
}

/// The four inputs of butterfly `j` of a stage, turned.
#[inline(always)]
unsafe fn twiddled<V: Vector>(
    block: *const V::Scalar,
    stage: &Stage<V::Scalar>,
    j: usize,
) -> [C<V>; 4] {
    // SAFETY: `j` is below a quarter of the stage, so the elements are inside the
    // block and the table has six numbers from `6 * j` on.
    unsafe {
        let first = block.add(j * 2 * V::LANES);
        let step = stage.length / 4 * 2 * V::LANES;
        let w = stage.twiddles.as_ptr().add(6 * j);
        [
            C::load(first),
            turned(first, step, w, 1),
            turned(first, step, w, 2),
            turned(first, step, w, 3),
        ]
    }
}

/// The inverse transform of four values.
#[inline(always)]
pub(super) unsafe fn four<V: Vector>([a, b, c, d]: [C<V>; 4]) -> [C<V>; 4] {
    // SAFETY: no memory is touched.
    unsafe {
        let (ac_sum, ac_difference) = (a.add(c), a.sub(c));
        let (bd_sum, bd_difference) = (b.add(d), b.sub(d));
        let (re, im) = (bd_difference.re, bd_difference.im);
        [
            ac_sum.add(bd_sum),
            C { re: ac_difference.re.sub(im), im: ac_difference.im.add(re) },
            ac_sum.sub(bd_sum),
            C { re: ac_difference.re.add(im), im: ac_difference.im.sub(re) },
        ]
    }
}

/// Four values turned by 0 to 3 eighths: what a transform of eight values does
/// to the transform of its odd half.
#[inline(always)]
pub(super) unsafe fn eighths<V: Vector>([a, b, c, d]: [C<V>; 4]) -> [C<V>; 4] {
    // SAFETY: no memory is touched.
    unsafe {
        let half = V::splat(V::Scalar::narrow(FRAC_1_SQRT_2));
        let zero = V::splat(V::Scalar::default());
        [
            a,
            C { re: b.re.sub(b.im).mul(half), im: b.re.add(b.im).mul(half) },
            c.times_i(),
            C { re: zero.sub(d.re.add(d.im)).mul(half), im: d.re.sub(d.im).mul(half) },
        ]
    }
}

#[inline(always)]
pub(super) unsafe fn butterflies<V: Vector>(
    block: *mut V::Scalar,
    stage: &Stage<V::Scalar>,
    from: usize,
    to: usize,
) {
    let quarter = stage.length / 4;
    for j in from..to {
        // SAFETY: `j` is below `quarter`: everything is inside the block.
        unsafe {
            let values = four(twiddled::<V>(block, stage, j));
            for (n, value) in values.into_iter().enumerate() {
                value.store(block.add((j + n * quarter) * 2 * V::LANES));
            }
        }
    }
}

#[inline(always)]
pub(super) unsafe fn bottom4<V: Vector>(first: *mut V::Scalar, length: usize) {
    for start in (0..length).step_by(4) {
        // SAFETY: the caller gives `length` elements, a multiple of 4.
        unsafe {
            let at = |n: usize| first.add((start + n) * 2 * V::LANES);
            let values =
                four([C::<V>::load(at(0)), C::load(at(1)), C::load(at(2)), C::load(at(3))]);
            for (n, value) in values.into_iter().enumerate() {
                value.store(at(n));
            }
        }
    }
}

#[inline(always)]
pub(super) unsafe fn bottom8<V: Vector>(first: *mut V::Scalar, length: usize) {
    for start in (0..length).step_by(8) {
        // SAFETY: the caller gives `length` elements, a multiple of 8.
        unsafe {
            let at = |n: usize| first.add((start + n) * 2 * V::LANES);
            let even = four([C::<V>::load(at(0)), C::load(at(2)), C::load(at(4)), C::load(at(6))]);
            let odd = four([C::<V>::load(at(1)), C::load(at(3)), C::load(at(5)), C::load(at(7))]);
            for (n, (even, odd)) in even.into_iter().zip(eighths(odd)).enumerate() {
                even.add(odd).store(at(n));
                even.sub(odd).store(at(n + 4));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_exact_at_the_eighths() {
        assert_eq!(turn(0, 64), (0.0, 1.0));
        assert_eq!(turn(16, 64), (1.0, 0.0));
        assert_eq!(turn(32, 64), (0.0, -1.0));
        assert_eq!(turn(48, 64), (-1.0, 0.0));
        for index in 0..200 {
            let (sine, cosine) = (TAU * index as f64 / 64.0).sin_cos();
            let (s, c) = turn(index, 64);
            assert!((s - sine).abs() < 1e-14 && (c - cosine).abs() < 1e-14, "{index}");
        }
    }
}
