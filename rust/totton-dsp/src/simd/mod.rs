//! Vectors of samples: one interface over AVX-512, AVX2, NEON and plain Rust.
//!
//! A kernel is written once over [`Vector`] and runs inside [`Vector::run`],
//! which turns the instruction set on for everything that is inlined into it.
//! [`Isa::detect`] says what this processor has.
//!
//! - `x86`: AVX2 with FMA, and AVX-512F.
//! - `neon`: NEON on aarch64.
//! - [`plain`]: arrays that the compiler vectorises as far as its target allows.

#[cfg(target_arch = "aarch64")]
pub mod neon;
pub mod plain;
#[cfg(target_arch = "x86_64")]
pub mod x86;

use rustfft::FftNum;

/// The floating point of the samples, `f32` or `f64`.
pub trait Sample: FftNum + Default {
    /// Below this magnitude an input sample counts as 0, so that no product of it
    /// with a tap is subnormal and slow: -480 dBFS for `f32`, -3000 dBFS for `f64`.
    const TINY: f64;

    /// Rounds to this floating point.
    fn narrow(value: f64) -> Self;
}

impl Sample for f32 {
    const TINY: f64 = 1e-24;
    fn narrow(value: f64) -> Self {
        value as f32
    }
}

impl Sample for f64 {
    const TINY: f64 = 1e-150;
    fn narrow(value: f64) -> Self {
        value
    }
}

/// The instruction sets that there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// x86-64 with AVX-512F.
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// aarch64; every processor of it has NEON.
    Neon,
    /// No more than the compiler's target.
    Plain,
}

impl Isa {
    /// The best that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        if cfg!(target_arch = "aarch64") { Self::Neon } else { Self::Plain }
    }

    /// All that this processor can run, the best first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        match Self::detect() {
            Self::Avx512 => &[Self::Avx512, Self::Avx2, Self::Plain],
            Self::Avx2 => &[Self::Avx2, Self::Plain],
            Self::Neon => &[Self::Neon, Self::Plain],
            Self::Plain => &[Self::Plain],
        }
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Neon => "NEON",
            Self::Plain => "plain",
        })
    }
}

/// Work that runs inside [`Vector::run`].
pub trait Kernel<V: Vector> {
    /// Must be `#[inline(always)]`: the instruction set is on only for what is
    /// inlined into [`Vector::run`].
    ///
    /// # Safety
    ///
    /// The processor has the instruction set of `V`.
    unsafe fn run(self);
}

/// A vector of samples, one lane for each polyphase branch.
///
/// # Safety of the methods
///
/// Every unsafe method asks that the processor has the instruction set of the
/// type, and that pointers are valid for [`Vector::LANES`] samples; they need
/// the alignment of a sample only.
#[allow(clippy::missing_safety_doc)]
pub trait Vector: Copy + Send + Sync + 'static {
    /// What a lane holds.
    type Scalar: Sample;
    /// Lanes.
    const LANES: usize;
    /// Bins that the multiply-accumulate kernel keeps in registers, 2 or 4: four
    /// accumulators each, out of 16 or 32 registers.
    const TILE: usize;

    /// Runs a kernel with the instruction set of this type turned on.
    unsafe fn run<K: Kernel<Self>>(kernel: K);

    unsafe fn splat(value: Self::Scalar) -> Self;
    unsafe fn load(from: *const Self::Scalar) -> Self;
    unsafe fn store(self, to: *mut Self::Scalar);
    /// Stores the lanes as `f64`.
    unsafe fn store_wide(self, to: *mut f64);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self + a * b`.
    unsafe fn mul_acc(self, a: Self, b: Self) -> Self;
    /// `self - a * b`.
    unsafe fn mul_dec(self, a: Self, b: Self) -> Self;
}
