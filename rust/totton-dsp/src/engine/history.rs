//! The latest input of two channels as one complex signal.

use rustfft::num_complex::Complex;

use crate::simd::Sample;

/// Input beyond this magnitude is limited to it, so that no sum overflows: +240 dBFS.
const LARGEST: f64 = 1e12;

/// A ring of input frames; a power of two long.
pub struct History<T> {
    ring: Vec<Complex<T>>,
    /// Where the next frame goes.
    next: usize,
}

impl<T: Sample> History<T> {
    /// Remembers `frames` frames, a power of two and a multiple of the block.
    pub fn new(frames: usize) -> Self {
        debug_assert!(frames.is_power_of_two());
        Self { ring: vec![Complex::default(); frames], next: 0 }
    }

    /// Appends one block; without a second channel the imaginary part is 0.
    pub fn push(&mut self, first: &[f64], second: Option<&[f64]>) {
        let frames = &mut self.ring[self.next..self.next + first.len()];
        match second {
            Some(second) => {
                for (frame, (re, im)) in frames.iter_mut().zip(first.iter().zip(second)) {
                    *frame = Complex::new(accept(*re), accept(*im));
                }
            }
            None => {
                for (frame, re) in frames.iter_mut().zip(first) {
                    *frame = Complex::new(accept(*re), T::default());
                }
            }
        }
        self.next = (self.next + first.len()) % self.ring.len();
    }

    /// Copies the latest frames, the oldest of them first.
    pub fn copy_last(&self, to: &mut [Complex<T>]) {
        let start = (self.next + self.ring.len() - to.len()) % self.ring.len();
        let first = (self.ring.len() - start).min(to.len());
        let (head, tail) = to.split_at_mut(first);
        head.copy_from_slice(&self.ring[start..start + first]);
        tail.copy_from_slice(&self.ring[..tail.len()]);
    }

    /// Bytes of what is remembered.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.ring)
    }

    pub fn reset(&mut self) {
        self.ring.fill(Complex::default());
        self.next = 0;
    }
}

/// What a sample counts as: 0 when it is not finite or too small to matter.
#[inline(always)]
fn accept<T: Sample>(value: f64) -> T {
    let magnitude = value.abs();
    // Not a number compares false.
    if magnitude >= T::TINY && magnitude <= f64::MAX {
        T::narrow(value.clamp(-LARGEST, LARGEST))
    } else {
        T::default()
    }
}
