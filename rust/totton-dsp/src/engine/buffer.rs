//! Sample buffers on cache lines.

use std::ops::{Deref, DerefMut};

use crate::simd::Sample;

const LINE_BYTES: usize = 64;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; LINE_BYTES / 8]);

/// Zeroed samples that start on a cache line.
pub struct Buffer<T> {
    lines: Vec<Line>,
    length: usize,
    kind: std::marker::PhantomData<T>,
}

impl<T: Sample> Buffer<T> {
    pub fn new(length: usize) -> Self {
        let lines = (length * size_of::<T>()).div_ceil(LINE_BYTES);
        let lines = vec![Line([0; LINE_BYTES / 8]); lines];
        Self { lines, length, kind: std::marker::PhantomData }
    }
}

impl<T: Sample> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `length` samples, are initialised, and
        // every bit pattern is a valid `f32` or `f64`; no other `Sample` exists.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T: Sample> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
