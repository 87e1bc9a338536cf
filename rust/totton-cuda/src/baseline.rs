//! Plain overlap-save at the output rate, to measure the engine against: one transform
//! that spans the filter, zeros between the input's frames, nothing cut. What the
//! product's ancestor did.

use std::time::Duration;

use realfft::RealFftPlanner;
use totton_dsp::{Filter, Precision};

use crate::Error;
use crate::device::launch::{HEADER, NEWEST, THREADS};
use crate::device::{Buffer, Device, Direction, Kernel, Launch, Place, Program, Step, Transform};
use crate::spectra;

/// A filter on a device, the plain way. It takes and gives what the convolver does.
pub struct Baseline<D> {
    device: D,
    input: Buffer,
    output: Buffer,
    program: Program,
    block: usize,
    ratio: usize,
    /// Input frames that the transform spans.
    frames: usize,
    next: usize,
}

impl<D: Device> Baseline<D> {
    /// Puts the filter's spectrum on the device.
    ///
    /// # Errors
    /// What the device refuses.
    pub fn new(
        mut device: D,
        filter: &Filter,
        channels: usize,
        block: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        let ratio = filter.ratio();
        let length = (filter.taps().len() + block * ratio).next_power_of_two().max(THREADS);
        let (frames, bins, count) = (length / ratio, length / 2 + 1, block * ratio);
        let real = precision.bits() as usize / 8;

        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        let (mut time, mut spectrum) = (transform.make_input_vec(), transform.make_output_vec());
        time[..filter.taps().len()].copy_from_slice(filter.taps());
        let done = transform.process(&mut time, &mut spectrum);
        debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
        let scale = 1.0 / length as f64;
        let mut bytes = vec![0; bins * 2 * real];
        for (to, value) in bytes.chunks_exact_mut(2 * real).zip(&spectrum) {
            spectra::write(to, precision, [value.re * scale, value.im * scale]);
        }
        let spectra = device.allocate(bytes.len(), Place::Device)?;
        device.write(spectra, 0, &bytes)?;

        let ring = device.allocate(channels * frames * real, Place::Device)?;
        let work = device.allocate(channels * length * real, Place::Device)?;
        let product = device.allocate(channels * bins * 2 * real, Place::Device)?;
        let input = device.allocate((HEADER + channels * block) * 8, Place::Shared)?;
        let control = device.allocate(HEADER * 8, Place::Device)?;
        let output = device.allocate(channels * count * 8, Place::Shared)?;
        let plan = |direction| Transform { direction, length, batch: channels, precision };
        let forward = device.plan(plan(Direction::RealForward))?;
        let inverse = device.plan(plan(Direction::RealInverse))?;

        let at = |buffer| device.address(buffer);
        let launch = |kernel, items: usize, addresses: &[u64], numbers: &[usize]| {
            let grid = [items.div_ceil(THREADS), channels, 1];
            Step::Launch(Launch::new(kernel, precision, grid, addresses, numbers))
        };
        let steps = vec![
            launch(Kernel::Take, block, &[at(input), at(control), at(ring)], &[block, frames]),
            launch(
                Kernel::Stuff,
                length,
                &[at(control), at(ring), at(work)],
                &[block, frames, ratio],
            ),
            Step::Transform { plan: forward, from: work, to: product },
            launch(Kernel::Product, bins, &[at(spectra), at(product)], &[bins]),
            Step::Transform { plan: inverse, from: product, to: work },
            launch(Kernel::Keep, count, &[at(work), at(output)], &[length, count]),
        ];
        let program = device.prepare(steps)?;
        Ok(Self { device, input, output, program, block, ratio, frames, next: 0 })
    }

    /// Convolves one block, waiting for it at most `limit`.
    ///
    /// # Errors
    /// When the device fails; [`Error::Hung`].
    pub fn process(
        &mut self,
        input: &[Vec<f64>],
        output: &mut [Vec<f64>],
        limit: Duration,
    ) -> Result<(), Error> {
        let staged = self.device.staged(self.input)?;
        staged[NEWEST] = self.next as f64;
        for (to, from) in staged[HEADER..].chunks_exact_mut(self.block).zip(input) {
            to.copy_from_slice(from);
        }
        self.next = (self.next + self.block) % self.frames;
        self.device.submit(self.program)?;
        crate::convolver::wait(&mut self.device, limit)?;
        let staged = self.device.staged(self.output)?;
        for (to, from) in output.iter_mut().zip(staged.chunks_exact(self.block * self.ratio)) {
            to.copy_from_slice(from);
        }
        Ok(())
    }
}
