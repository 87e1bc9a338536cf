//! The device of tests: the kernels' own source, compiled for the processor when the
//! test starts, with rustfft for the transforms, and faults on order.
//!
//! It shows that the kernels and their layouts are right, and how the engine behaves
//! when a device fails. It shows nothing of a GPU's speed, nor of what happens
//! between threads.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use libloading::Library;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftDirection, FftNum, FftPlanner};
use totton_dsp::Precision;

use super::{
    Buffer, Description, Device, Direction, Kernel, Launch, Place, Plan, Program, Step, Transform,
};
use crate::Error;

/// How the device misbehaves; shared with the test that orders it.
#[derive(Debug, Default)]
pub struct Orders {
    /// Submissions that fail, from now on.
    pub failures: AtomicU64,
    /// Submissions that never end, from now on.
    pub hangs: AtomicU64,
    /// Microseconds that each submission takes at least.
    pub slowness: AtomicU64,
    /// Devices that cannot be made, from now on.
    pub refusals: AtomicU64,
    /// Submissions so far.
    pub submissions: AtomicU64,
}

impl Orders {
    /// Takes one of what was ordered.
    fn take(counter: &AtomicU64) -> bool {
        counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    }
}

/// The kernels of one precision.
struct Kernels(Vec<Library>);

type Entry = unsafe extern "C" fn(*const u64, *const u32);

impl Kernels {
    fn load(precision: Precision) -> Result<Self, String> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("kernels");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut libraries = vec![];
        for source in ["engine", "baseline"] {
            let to = std::env::temp_dir().join(format!(
                "totton-{source}-{}-{}.so",
                precision.bits(),
                std::process::id()
            ));
            let mut command = Command::new(&compiler);
            command.args(["-x", "c", "-std=c11", "-O3", "-march=native", "-ffp-contract=off"]);
            command.args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]);
            command.args(["-Wno-misleading-indentation", "-shared", "-fPIC"]);
            if precision == Precision::F64 {
                command.arg("-DREAL64");
            }
            command.arg(folder.join(source).with_extension("cu"));
            let done = command.arg("-o").arg(&to).arg("-lm").output();
            let done = done.map_err(|e| format!("{compiler} compiles the kernels: {e}"))?;
            if !done.status.success() {
                return Err(String::from_utf8_lossy(&done.stderr).into_owned());
            }
            // SAFETY: the library is ours and does nothing when it is loaded.
            let library = unsafe { Library::new(&to) };
            // Once it is loaded its file is not needed.
            let _ = std::fs::remove_file(&to);
            libraries.push(library.map_err(|e| e.to_string())?);
        }
        Ok(Self(libraries))
    }

    fn entry(&self, kernel: Kernel) -> Option<Entry> {
        let name = kernel.name();
        // SAFETY: the macro KERNEL of kernels/target.h gives every kernel this type.
        let found = self.0.iter().find_map(|library| unsafe { library.get::<Entry>(name).ok() });
        found.map(|symbol| *symbol)
    }
}

static F32: LazyLock<Result<Kernels, String>> = LazyLock::new(|| Kernels::load(Precision::F32));
static F64: LazyLock<Result<Kernels, String>> = LazyLock::new(|| Kernels::load(Precision::F64));

fn entry(kernel: Kernel, precision: Precision) -> Result<Entry, Error> {
    let kernels = match precision {
        Precision::F32 => &*F32,
        Precision::F64 => &*F64,
    };
    let kernels = kernels.as_ref().map_err(|reason| Error::Staged(reason.clone()))?;
    kernels
        .entry(kernel)
        .ok_or_else(|| Error::Staged(format!("the kernels have no {}", kernel.name())))
}

/// Memory of the device: on 16 bytes, as the kernels' types ask.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Cell([f64; 2]);

struct Memory {
    place: Place,
    bytes: usize,
    device: Vec<Cell>,
}

/// What a submission has come to.
enum Under {
    Nothing,
    Way { until: Instant },
    Hang,
}

/// The device.
pub struct HostDevice {
    description: Description,
    orders: Arc<Orders>,
    memories: Vec<Memory>,
    plans: Vec<Transform>,
    programs: Vec<Vec<Step>>,
    entries: HashMap<(Kernel, u32), Entry>,
    under: Under,
}

impl HostDevice {
    /// A device with `processors` multiprocessors, as far as layouts depend on them.
    ///
    /// # Errors
    /// [`Error::Staged`] when the kernels do not compile, or on order.
    pub fn new(processors: usize, orders: Arc<Orders>) -> Result<Self, Error> {
        if Orders::take(&orders.refusals) {
            return Err(Error::Staged("the device cannot be made, on order".to_owned()));
        }
        let mut entries = HashMap::new();
        for precision in [Precision::F32, Precision::F64] {
            for kernel in Kernel::ALL.iter().filter(|kernel| kernel.exists(precision)) {
                entries.insert((*kernel, precision.bits()), entry(*kernel, precision)?);
            }
        }
        let name = "the processor in a GPU's place".to_owned();
        Ok(Self {
            description: Description { name, processors },
            orders,
            memories: vec![],
            plans: vec![],
            programs: vec![],
            entries,
            under: Under::Nothing,
        })
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Clear(buffer) => self.memories[buffer.0].device.fill(Cell([0.0; 2])),
            Step::Copy { from, to } => {
                // In place: launches know the address.
                let content = self.memories[from.0].device.clone();
                self.memories[to.0].device.copy_from_slice(&content);
            }
            Step::Launch(Launch { kernel, precision, grid, arguments }) => {
                let entry = self.entries[&(*kernel, precision.bits())];
                // SAFETY: this crate made the launch, with the addresses of buffers
                // that live as long as the device.
                unsafe { entry(arguments.as_ptr(), grid.as_ptr()) };
            }
            Step::Transform { plan, from, to } => {
                let transform = self.plans[plan.0];
                let content = self.memories[from.0].device.clone();
                let to = &mut self.memories[to.0].device;
                match transform.precision {
                    Precision::F32 => transform_all::<f32>(&content, to, transform),
                    Precision::F64 => transform_all::<f64>(&content, to, transform),
                }
            }
        }
    }
}

/// The cells as numbers.
fn numbers<T: FftNum>(cells: &[Cell]) -> &[T] {
    // SAFETY: the cells are initialised and aligned for `f32` and `f64`, the only
    // types that are asked for, and every bit pattern is one of their values.
    unsafe {
        std::slice::from_raw_parts(cells.as_ptr().cast(), size_of_val(cells) / size_of::<T>())
    }
}

/// Transforms a batch.
fn transform_all<T: FftNum>(from: &[Cell], to: &mut [Cell], transform: Transform) {
    let Transform { direction, length, batch, .. } = transform;
    let (inverse, real_in, real_out) = match direction {
        Direction::Forward => (false, false, false),
        Direction::Inverse => (true, false, false),
        Direction::RealForward => (false, true, false),
        Direction::RealInverse => (true, false, true),
    };
    let half = length / 2 + 1;
    // Numbers of one transform on either side.
    let given = if real_in {
        length
    } else if real_out {
        2 * half
    } else {
        2 * length
    };
    let made = if real_out {
        length
    } else if real_in {
        2 * half
    } else {
        2 * length
    };
    let direction = if inverse { FftDirection::Inverse } else { FftDirection::Forward };
    let fft: Arc<dyn Fft<T>> = FftPlanner::new().plan_fft(length, direction);
    let from = &numbers::<T>(from)[..given * batch];
    let room = size_of_val(to) / size_of::<T>();
    assert!(made * batch <= room, "the batch fits");
    // SAFETY: as in `numbers`; the borrow is exclusive.
    let to = unsafe { std::slice::from_raw_parts_mut(to.as_mut_ptr().cast::<T>(), room) };
    for (from, to) in from.chunks_exact(given).zip(to.chunks_exact_mut(made)) {
        let complex = |n: usize| Complex::new(from[2 * n], from[2 * n + 1]);
        let mut values: Vec<Complex<T>> = (0..length)
            .map(|n| match direction {
                FftDirection::Forward if real_in => Complex::new(from[n], T::zero()),
                FftDirection::Inverse if real_out && n >= half => complex(length - n).conj(),
                _ => complex(n),
            })
            .collect();
        fft.process(&mut values);
        if real_out {
            to.iter_mut().zip(&values).for_each(|(to, value)| *to = value.re);
        } else {
            let pairs = to.chunks_exact_mut(2).zip(&values);
            pairs.for_each(|(to, value)| to.copy_from_slice(&[value.re, value.im]));
        }
    }
}

impl Device for HostDevice {
    fn description(&self) -> &Description {
        &self.description
    }

    fn allocate(&mut self, bytes: usize, place: Place) -> Result<Buffer, Error> {
        let device = vec![Cell([0.0; 2]); bytes.div_ceil(size_of::<Cell>())];
        self.memories.push(Memory { place, bytes, device });
        Ok(Buffer(self.memories.len() - 1))
    }

    fn address(&self, buffer: Buffer) -> u64 {
        self.memories[buffer.0].device.as_ptr() as u64
    }

    fn write(&mut self, buffer: Buffer, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let memory = &mut self.memories[buffer.0];
        if at + bytes.len() > memory.bytes {
            return Err(Error::Order("a write beyond its buffer"));
        }
        // SAFETY: the bytes fit, as was just seen, and any bytes are a cell.
        unsafe {
            let to = memory.device.as_mut_ptr().cast::<u8>().add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        Ok(())
    }

    fn staged(&mut self, buffer: Buffer) -> Result<&mut [f64], Error> {
        let memory = &mut self.memories[buffer.0];
        match (&self.under, memory.place) {
            (Under::Nothing, Place::Shared) => {
                let count = memory.bytes / size_of::<f64>();
                // SAFETY: so many initialised numbers, and the borrow is exclusive.
                Ok(unsafe {
                    std::slice::from_raw_parts_mut(memory.device.as_mut_ptr().cast(), count)
                })
            }
            (Under::Nothing, Place::Device) => Err(Error::Order("a buffer that is not shared")),
            _ => Err(Error::Order("a look at a buffer while a program is under way")),
        }
    }

    fn plan(&mut self, transform: Transform) -> Result<Plan, Error> {
        self.plans.push(transform);
        Ok(Plan(self.plans.len() - 1))
    }

    fn prepare(&mut self, steps: Vec<Step>) -> Result<Program, Error> {
        self.programs.push(steps);
        Ok(Program(self.programs.len() - 1))
    }

    fn submit(&mut self, program: Program) -> Result<(), Error> {
        if !matches!(self.under, Under::Nothing) {
            return Err(Error::Order("a submission while a program is under way"));
        }
        self.orders.submissions.fetch_add(1, Ordering::SeqCst);
        if Orders::take(&self.orders.failures) {
            return Err(Error::Staged("a submission fails, on order".to_owned()));
        }
        let started = Instant::now();
        let steps = std::mem::take(&mut self.programs[program.0]);
        steps.iter().for_each(|step| self.run(step));
        self.programs[program.0] = steps;
        let slowness = Duration::from_micros(self.orders.slowness.load(Ordering::SeqCst));
        self.under = if Orders::take(&self.orders.hangs) {
            Under::Hang
        } else {
            Under::Way { until: started + slowness }
        };
        Ok(())
    }

    fn is_done(&mut self) -> Result<bool, Error> {
        match self.under {
            Under::Nothing => Ok(true),
            Under::Hang => Ok(false),
            Under::Way { until } => {
                let done = Instant::now() >= until;
                if done {
                    self.under = Under::Nothing;
                }
                Ok(done)
            }
        }
    }
}
