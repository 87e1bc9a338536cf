//! The convolution on a device: polyphase, uniformly partitioned overlap-save at the
//! input rate, the filter's spectra resident.
//!
//! `kernels/engine.cu` has the steps and the layouts. A block is one submission of
//! one prepared program: the steps never change, what does travels ahead of the
//! input's samples.

use std::time::{Duration, Instant};

use totton_dsp::{Filter, Precision};

use crate::device::launch::{FRAMES, GAIN_FROM, GAIN_TO, HEADER, NEWEST, THREADS};
use crate::device::{Buffer, Device, Direction, Kernel, Launch, Place, Program, Step, Transform};
use crate::shape::Shape;
use crate::{Error, spectra};

/// How long the device is asked again and again before the asking thread sleeps.
const EAGER: Duration = Duration::from_micros(40);
/// How often [`Convolver::submit_multiply`] runs the multiply kernel: what a launch costs
/// is not its time.
pub const MULTIPLIES: usize = 10;

/// How long it sleeps between two questions.
const NAP: Duration = Duration::from_micros(50);

/// A filter on a device.
///
/// A call that fails leaves the state unknown: make a new one.
pub struct Convolver<D> {
    device: D,
    shape: Shape,
    input: Buffer,
    output: Buffer,
    block: Program,
    clear: Program,
    multiply: Program,
    /// The ring's slot of the newest spectrum.
    newest: usize,
    /// Linear; ramps within a block.
    gain: f64,
    wanted_gain: f64,
}

/// The device's memory.
struct Buffers {
    /// Of the filter.
    spectra: Buffer,
    /// The spectra of the input so far.
    ring: Buffer,
    /// The input of the block before.
    kept: Buffer,
    work: Buffer,
    sums: Buffer,
    input: Buffer,
    control: Buffer,
    output: Buffer,
}

impl Buffers {
    fn allocate(
        device: &mut impl Device,
        shape: &Shape,
        channels: usize,
        block: usize,
    ) -> Result<Self, Error> {
        let (complex, samples) = (shape.complex_bytes(), size_of::<f64>());
        let mut on_device = |bytes| device.allocate(bytes, Place::Device);
        let spectra = on_device(shape.filter_bytes())?;
        let ring = on_device(shape.ring_bytes())?;
        let kept = on_device(shape.pairs * block * complex)?;
        let work = on_device(shape.pairs * shape.length() * complex)?;
        let sums = on_device(shape.chunks * shape.sum_values() * complex)?;
        let control = on_device(HEADER * samples)?;
        let input = device.allocate((HEADER + channels * block) * samples, Place::Shared)?;
        let output = device.allocate(channels * block * shape.branches * samples, Place::Shared)?;
        Ok(Self { spectra, ring, kept, work, sums, input, control, output })
    }
}

/// The steps of a block, and that of them which multiplies.
fn steps(
    device: &mut impl Device,
    shape: &Shape,
    buffers: &Buffers,
    channels: usize,
    block: usize,
    precision: Precision,
) -> Result<(Vec<Step>, Step), Error> {
    let Buffers { spectra, ring, kept, work, sums, input, control, output } = *buffers;
    let transform =
        |direction, batch| Transform { direction, length: shape.length(), batch, precision };
    let forward = device.plan(transform(Direction::Forward, shape.pairs))?;
    let inverse = device.plan(transform(Direction::Inverse, shape.pairs * shape.branches))?;
    let at = |buffer| device.address(buffer);
    let launch = |kernel, grid, addresses: &[u64], numbers: &[usize]| {
        Step::Launch(Launch::new(kernel, precision, grid, addresses, numbers))
    };
    let frames = [block.div_ceil(THREADS), shape.pairs, 1];
    let multiply = launch(
        Kernel::multiply(shape.width),
        [shape.tiles(), shape.groups() * shape.pairs, shape.chunks],
        &[at(control), at(spectra), at(work), at(ring), at(sums)],
        &[block, shape.partitions, shape.branches, shape.pairs, shape.chunk],
    );
    let window = [at(input), at(control), at(kept), at(work)];
    let mut steps = vec![
        launch(Kernel::Window, frames, &window, &[block, channels]),
        Step::Transform { plan: forward, from: work, to: work },
        multiply.clone(),
    ];
    if shape.chunks > 1 {
        let count = shape.sum_values();
        let grid = [count.div_ceil(THREADS), 1, 1];
        steps.push(launch(Kernel::Sum, grid, &[at(sums)], &[count, shape.chunks]));
    }
    steps.extend([
        Step::Transform { plan: inverse, from: sums, to: sums },
        launch(
            Kernel::Finish,
            [block / FRAMES, shape.pairs, 1],
            &[at(control), at(sums), at(output)],
            &[block, shape.branches, channels],
        ),
    ]);
    Ok((steps, multiply))
}

impl<D: Device> Convolver<D> {
    /// Puts the filter's spectra on the device and prepares the programs.
    ///
    /// # Errors
    /// [`Error::Shape`], and whatever the device refuses.
    pub fn new(
        mut device: D,
        filter: &Filter,
        channels: usize,
        block: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        let processors = device.description().processors;
        let shape = Shape::new(filter, channels, block, precision, processors)?;
        let buffers = Buffers::allocate(&mut device, &shape, channels, block)?;
        for group in 0..shape.groups() {
            let bytes = spectra::group(filter, &shape, group);
            device.write(buffers.spectra, group * bytes.len(), &bytes)?;
        }
        let (steps, multiply) = steps(&mut device, &shape, &buffers, channels, block, precision)?;
        let block = device.prepare(steps)?;
        let clear = vec![Step::Clear(buffers.ring), Step::Clear(buffers.kept)];
        let clear = device.prepare(clear)?;
        let multiply = device.prepare(vec![multiply; MULTIPLIES])?;
        Ok(Self {
            device,
            shape,
            input: buffers.input,
            output: buffers.output,
            block,
            clear,
            multiply,
            newest: 0,
            gain: 1.0,
            wanted_gain: 1.0,
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Sets the gain (linear) that the next block ramps to.
    pub fn set_gain(&mut self, gain: f64) {
        self.wanted_gain = gain;
    }

    /// Starts a block: one slice of [`Shape::block`] samples for each channel.
    ///
    /// # Errors
    /// When the device has failed, or a block is under way.
    ///
    /// # Panics
    /// When the slices do not have that shape.
    pub fn submit(&mut self, input: &[Vec<f64>]) -> Result<(), Error> {
        assert_eq!(input.len(), self.shape.channels, "input channels");
        self.newest = (self.newest + self.shape.partitions - 1) % self.shape.partitions;
        let staged = self.device.staged(self.input)?;
        staged[NEWEST] = self.newest as f64;
        staged[GAIN_FROM] = self.gain;
        staged[GAIN_TO] = self.wanted_gain;
        for (to, from) in staged[HEADER..].chunks_exact_mut(self.shape.block).zip(input) {
            to.copy_from_slice(from);
        }
        self.gain = self.wanted_gain;
        self.device.submit(self.block)
    }

    /// Whether the device has done what was submitted last.
    ///
    /// # Errors
    /// When it has failed.
    pub fn is_done(&mut self) -> Result<bool, Error> {
        self.device.is_done()
    }

    /// Waits until the device has done what was submitted last.
    ///
    /// # Errors
    /// When it has failed, or [`Error::Hung`] after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        wait(&mut self.device, limit)
    }

    /// The output of the block: [`Shape::block`] times [`Shape::branches`] samples for
    /// each channel.
    ///
    /// # Errors
    /// [`Error::Order`] while the block is under way.
    ///
    /// # Panics
    /// When the slices do not have that shape.
    pub fn collect(&mut self, output: &mut [Vec<f64>]) -> Result<(), Error> {
        assert_eq!(output.len(), self.shape.channels, "output channels");
        let frames = self.shape.block * self.shape.branches;
        let staged = self.device.staged(self.output)?;
        for (to, from) in output.iter_mut().zip(staged.chunks_exact(frames)) {
            to.copy_from_slice(from);
        }
        Ok(())
    }

    /// Forgets all input; waits for the device.
    ///
    /// # Errors
    /// As [`Convolver::wait`].
    pub fn reset(&mut self, limit: Duration) -> Result<(), Error> {
        self.device.submit(self.clear)?;
        self.newest = 0;
        self.wait(limit)
    }

    /// Starts the multiply kernel alone, [`MULTIPLIES`] times, for measurements.
    ///
    /// # Errors
    /// As [`Convolver::submit`].
    pub fn submit_multiply(&mut self) -> Result<(), Error> {
        self.device.submit(self.multiply)
    }
}

/// Waits until a device has done what was submitted last: asks eagerly at first, then
/// sleeps between questions, so that a device that hangs costs no processor.
pub(crate) fn wait(device: &mut impl Device, limit: Duration) -> Result<(), Error> {
    let started = Instant::now();
    while !device.is_done()? {
        let waited = started.elapsed();
        if waited > limit {
            return Err(Error::Hung { waited });
        }
        if waited > EAGER {
            std::thread::sleep(NAP);
        } else {
            std::hint::spin_loop();
        }
    }
    Ok(())
}
