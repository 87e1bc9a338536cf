//! Vectors as arrays, for every processor and for ratios below the lanes of the others.

use super::{Kernel, Vector};

/// `N` lanes of `T`.
#[derive(Debug, Clone, Copy)]
pub struct Plain<T, const N: usize>([T; N]);

macro_rules! plain {
    ($scalar:ty) => {
        impl<const N: usize> Vector for Plain<$scalar, N> {
            type Scalar = $scalar;
            const LANES: usize = N;
            const TILE: usize = 2;

            #[inline(always)]
            unsafe fn run<K: Kernel<Self>>(kernel: K) {
                // SAFETY: nothing beyond the compiler's target is used.
                unsafe { kernel.run() }
            }
            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                Self([value; N])
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                // SAFETY: the caller gives N valid samples.
                Self(unsafe { from.cast::<[$scalar; N]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller gives room for N samples.
                unsafe { to.cast::<[$scalar; N]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            #[allow(clippy::unnecessary_cast)]
            unsafe fn store_wide(self, to: *mut f64) {
                for (lane, value) in self.0.iter().enumerate() {
                    // SAFETY: the caller gives room for N samples.
                    unsafe { to.add(lane).write(*value as f64) }
                }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] - other.0[lane]))
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
            }
            // Not `mul_add`: without the instruction it is a call of a slow function.
            #[inline(always)]
            unsafe fn mul_acc(self, a: Self, b: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] + a.0[lane] * b.0[lane]))
            }
            #[inline(always)]
            unsafe fn mul_dec(self, a: Self, b: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] - a.0[lane] * b.0[lane]))
            }
        }
    };
}

plain!(f32);
plain!(f64);
