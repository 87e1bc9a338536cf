//! NEON; every aarch64 processor has it.

use std::arch::aarch64::*;

use super::{Kernel, Vector};

macro_rules! vector {
    (
        $(#[$doc:meta])* $name:ident($register:ty), $scalar:ty, $lanes:literal,
        $set:ident, $load:ident, $store:ident, $add:ident, $sub:ident,
        $mul:ident, $fma:ident, $fms:ident, |$v:ident, $to:ident| $wide:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name($register);

        // SAFETY (all blocks): NEON is part of the target; the caller of each
        // method says that the pointers are valid; see `Vector`.
        impl Vector for $name {
            type Scalar = $scalar;
            const LANES: usize = $lanes;
            const TILE: usize = 4;

            #[inline(always)]
            unsafe fn run<K: Kernel<Self>>(kernel: K) {
                // SAFETY: as above.
                unsafe { kernel.run() }
            }
            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                // SAFETY: as above.
                Self(unsafe { $set(value) })
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: as above.
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: as above.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn store_wide(self, $to: *mut f64) {
                let $v = self.0;
                // SAFETY: as above.
                unsafe { $wide }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn mul_acc(self, a: Self, b: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $fma(self.0, a.0, b.0) })
            }
            #[inline(always)]
            unsafe fn mul_dec(self, a: Self, b: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $fms(self.0, a.0, b.0) })
            }
        }
    };
}

vector!(
    /// 4 lanes of `f32`.
    F32x4(float32x4_t), f32, 4,
    vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, vsubq_f32, vmulq_f32, vfmaq_f32, vfmsq_f32,
    |v, to| {
        vst1q_f64(to, vcvt_f64_f32(vget_low_f32(v)));
        vst1q_f64(to.add(2), vcvt_high_f64_f32(v));
    }
);

vector!(
    /// 2 lanes of `f64`.
    F64x2(float64x2_t), f64, 2,
    vdupq_n_f64, vld1q_f64, vst1q_f64, vaddq_f64, vsubq_f64, vmulq_f64, vfmaq_f64, vfmsq_f64,
    |v, to| vst1q_f64(to, v)
);
