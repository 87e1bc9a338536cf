//! AVX2 with FMA, and AVX-512F. The narrow vectors serve ratios below 8 or 16.

use std::arch::x86_64::*;

use super::{Kernel, Vector};

/// One vector type. `$wide` stores the register `$v` as `f64` at `$to`.
macro_rules! vector {
    (
        $(#[$doc:meta])* $name:ident($register:ty), $scalar:ty, $lanes:literal, tile $tile:literal,
        $features:literal, $set:ident, $load:ident, $store:ident, $add:ident, $sub:ident,
        $mul:ident, $fmadd:ident, $fnmadd:ident, |$v:ident, $to:ident| $wide:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name($register);

        // SAFETY (all blocks): the caller of each method says that the processor
        // has the instruction set and that the pointers are valid; see `Vector`.
        impl Vector for $name {
            type Scalar = $scalar;
            const LANES: usize = $lanes;
            const TILE: usize = $tile;

            unsafe fn run<K: Kernel<Self>>(kernel: K) {
                #[target_feature(enable = $features)]
                fn enter<K: Kernel<$name>>(kernel: K) {
                    // SAFETY: the features are on here, so the processor has them.
                    unsafe { kernel.run() }
                }
                // SAFETY: as above.
                unsafe { enter(kernel) }
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
                Self(unsafe { $fmadd(a.0, b.0, self.0) })
            }
            #[inline(always)]
            unsafe fn mul_dec(self, a: Self, b: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $fnmadd(a.0, b.0, self.0) })
            }
        }
    };
}

vector!(
    /// 16 lanes of `f32`, AVX-512F.
    F32x16(__m512), f32, 16, tile 4, "avx512f,avx2,fma",
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps,
    _mm512_mul_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    |v, to| {
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)));
        _mm512_storeu_pd(to, _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
        _mm512_storeu_pd(to.add(8), _mm512_cvtps_pd(high));
    }
);

vector!(
    /// 8 lanes of `f64`, AVX-512F.
    F64x8(__m512d), f64, 8, tile 4, "avx512f,avx2,fma",
    _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_sub_pd,
    _mm512_mul_pd, _mm512_fmadd_pd, _mm512_fnmadd_pd,
    |v, to| _mm512_storeu_pd(to, v)
);

vector!(
    /// 8 lanes of `f32`, AVX2 and FMA.
    F32x8(__m256), f32, 8, tile 2, "avx2,fma",
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps,
    _mm256_mul_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps,
    |v, to| {
        _mm256_storeu_pd(to, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
        _mm256_storeu_pd(to.add(4), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(v)));
    }
);

vector!(
    /// 4 lanes of `f64`, AVX2 and FMA.
    F64x4(__m256d), f64, 4, tile 2, "avx2,fma",
    _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_sub_pd,
    _mm256_mul_pd, _mm256_fmadd_pd, _mm256_fnmadd_pd,
    |v, to| _mm256_storeu_pd(to, v)
);

vector!(
    /// 4 lanes of `f32`, AVX2 and FMA.
    F32x4(__m128), f32, 4, tile 2, "avx2,fma",
    _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, _mm_add_ps, _mm_sub_ps,
    _mm_mul_ps, _mm_fmadd_ps, _mm_fnmadd_ps,
    |v, to| _mm256_storeu_pd(to, _mm256_cvtps_pd(v))
);

vector!(
    /// 2 lanes of `f64`, AVX2 and FMA.
    F64x2(__m128d), f64, 2, tile 2, "avx2,fma",
    _mm_set1_pd, _mm_loadu_pd, _mm_storeu_pd, _mm_add_pd, _mm_sub_pd,
    _mm_mul_pd, _mm_fmadd_pd, _mm_fnmadd_pd,
    |v, to| _mm_storeu_pd(to, v)
);
