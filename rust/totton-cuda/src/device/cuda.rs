//! An NVIDIA GPU, through the driver and cuFFT, both opened when they are asked for.
//!
//! A program is captured from a stream once and then launched as a graph. Shared memory
//! is pinned and mapped.
//!
//! - [`library`]: is everything there?
//! - `kernels`: ours, loaded
//! - `fft`: the transforms, by cuFFT

mod fft;
mod kernels;
pub mod library;

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::{CudaContext, CudaStream, sys};
use totton_dsp::Precision;

use self::fft::FftPlan;
use self::kernels::Kernels;
use self::library::driver;
use super::launch::THREADS;
use super::{Buffer, Description, Device, Launch, Place, Plan, Program, Step, Transform};
use crate::Error;

struct Memory {
    bytes: usize,
    device: sys::CUdeviceptr,
    /// Pinned and mapped; null for [`Place::Device`].
    host: *mut c_void,
}

/// A GPU.
pub struct CudaDevice {
    description: Description,
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    done: sys::CUevent,
    /// Timed, around each submission.
    began: sys::CUevent,
    under_way: bool,
    /// Memory was written outside of the stream, which does not wait for that by itself.
    unsettled: bool,
    memories: Vec<Memory>,
    plans: Vec<FftPlan>,
    graphs: Vec<(sys::CUgraph, sys::CUgraphExec)>,
    kernels: Kernels,
}

impl CudaDevice {
    /// Opens GPU number `ordinal`, with the kernels of `precision`.
    ///
    /// # Errors
    /// What is missing, or what the driver refuses.
    pub fn open(ordinal: usize, precision: Precision) -> Result<Self, Error> {
        let found = library::find()?;
        let context = driver("cuDevicePrimaryCtxRetain", CudaContext::new(ordinal))?;
        let name = driver("cuDeviceGetName", context.name())?;
        let (major, minor) = driver("cuDeviceGetAttribute", context.compute_capability())?;
        if major < 8 {
            return Err(Error::TooOld { device: name, major, minor });
        }
        use sys::CUdevice_attribute_enum as Attribute;
        let attribute = |attribute| driver("cuDeviceGetAttribute", context.attribute(attribute));
        let processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let stream = driver("cuStreamCreate", context.new_stream())?;
        let event = || {
            let flags = sys::CUevent_flags_enum::CU_EVENT_DEFAULT;
            driver("cuEventCreate", result::event::create(flags))
        };
        let mut device = Self {
            description: Description {
                name: format!("{name}, {found}"),
                processors: processors.max(1) as usize,
            },
            done: event()?,
            began: event()?,
            context,
            stream,
            under_way: false,
            unsettled: false,
            memories: vec![],
            plans: vec![],
            graphs: vec![],
            kernels: Kernels::default(),
        };
        device.kernels.load(precision, (major, minor))?;
        Ok(device)
    }

    /// Waits for what was written outside of the stream.
    fn settle(&mut self) -> Result<(), Error> {
        if self.unsettled {
            driver("cuCtxSynchronize", self.context.synchronize())?;
            self.unsettled = false;
        }
        Ok(())
    }

    /// Puts a step into the stream.
    fn enqueue(&self, step: &Step) -> Result<(), Error> {
        let stream = self.stream.cu_stream();
        let memory = |buffer: &Buffer| &self.memories[buffer.0];
        match step {
            Step::Clear(buffer) => {
                let Memory { bytes, device, .. } = memory(buffer);
                // SAFETY: the buffer has so many bytes.
                let cleared = unsafe { result::memset_d8_async(*device, 0, *bytes, stream) };
                driver("cuMemsetD8Async", cleared)
            }
            Step::Copy { from, to } => {
                let (from, to) = (memory(from), memory(to));
                if from.bytes != to.bytes {
                    return Err(Error::Order("a copy between buffers of different sizes"));
                }
                // SAFETY: both have so many bytes.
                let copied = unsafe {
                    result::memcpy_dtod_async(to.device, from.device, from.bytes, stream)
                };
                driver("cuMemcpyDtoDAsync", copied)
            }
            Step::Launch(Launch { kernel, precision, grid, arguments }) => {
                let function = self.kernels.get(*kernel, *precision)?;
                let [x, y, z] = *grid;
                // One parameter: the kernel's structure of arguments.
                let mut parameters = [arguments.as_ptr().cast_mut().cast::<c_void>()];
                // SAFETY: this crate made the launch: the structure is the kernel's, its
                // addresses are of buffers that live as long as the device. The driver
                // copies the structure before it returns.
                let launched = unsafe {
                    let block = (THREADS as u32, 1, 1);
                    result::launch_kernel(function, (x, y, z), block, 0, stream, &mut parameters)
                };
                driver("cuLaunchKernel", launched)
            }
            Step::Transform { plan, from, to } => {
                let (from, to) = (memory(from).device, memory(to).device);
                self.plans[plan.0].execute(from, to)
            }
        }
    }

    /// Does one step by itself and waits for it, for measurements: the time that the GPU
    /// spent on it. A copy within a graph is slower than one without.
    ///
    /// # Errors
    /// When the device fails, or [`Error::Order`] while a program is under way.
    pub fn time_step(&mut self, step: &Step) -> Result<std::time::Duration, Error> {
        if self.under_way {
            return Err(Error::Order("a step while a program is under way"));
        }
        driver("cuCtxSetCurrent", self.context.bind_to_thread())?;
        self.settle()?;
        let stream = self.stream.cu_stream();
        // SAFETY: events and stream live as long as the device.
        unsafe {
            driver("cuEventRecord", result::event::record(self.began, stream))?;
            self.enqueue(step)?;
            driver("cuEventRecord", result::event::record(self.done, stream))?;
        }
        driver("cuStreamSynchronize", self.stream.synchronize())?;
        self.time_on_device()
    }

    /// Time that the GPU itself spent on the last program, once it is done.
    ///
    /// # Errors
    /// [`Error::Order`] while it is under way.
    pub fn time_on_device(&self) -> Result<std::time::Duration, Error> {
        if self.under_way {
            return Err(Error::Order("the time of a program that is under way"));
        }
        library::elapsed(self.began, self.done)
    }
}

impl Device for CudaDevice {
    fn description(&self) -> &Description {
        &self.description
    }

    fn allocate(&mut self, bytes: usize, place: Place) -> Result<Buffer, Error> {
        driver("cuCtxSetCurrent", self.context.bind_to_thread())?;
        // In the list before anything else can fail, so that it is freed in any case.
        let index = self.memories.len();
        self.memories.push(Memory { bytes, device: 0, host: std::ptr::null_mut() });
        let memory = &mut self.memories[index];
        match place {
            Place::Shared => {
                // SAFETY: the memory is made zero at once; it was allocated to be mapped.
                unsafe {
                    let host = result::malloc_host(bytes, sys::CU_MEMHOSTALLOC_DEVICEMAP);
                    memory.host = driver("cuMemHostAlloc", host)?;
                    std::ptr::write_bytes(memory.host.cast::<u8>(), 0, bytes);
                    let found =
                        sys::cuMemHostGetDevicePointer_v2(&raw mut memory.device, memory.host, 0);
                    driver("cuMemHostGetDevicePointer", found.result())?;
                }
            }
            Place::Device => {
                // SAFETY: the memory is made zero at once; it has so many bytes.
                unsafe {
                    memory.device = driver("cuMemAlloc", result::malloc_sync(bytes))?;
                    driver("cuMemsetD8", result::memset_d8_sync(memory.device, 0, bytes))?;
                }
                self.unsettled = true;
            }
        }
        Ok(Buffer(index))
    }

    fn address(&self, buffer: Buffer) -> u64 {
        self.memories[buffer.0].device
    }

    fn write(&mut self, buffer: Buffer, at: usize, bytes: &[u8]) -> Result<(), Error> {
        driver("cuCtxSetCurrent", self.context.bind_to_thread())?;
        let memory = &self.memories[buffer.0];
        if at + bytes.len() > memory.bytes {
            return Err(Error::Order("a write beyond its buffer"));
        }
        self.unsettled = true;
        // SAFETY: the bytes fit.
        let written = unsafe { result::memcpy_htod_sync(memory.device + at as u64, bytes) };
        driver("cuMemcpyHtoD", written)
    }

    fn staged(&mut self, buffer: Buffer) -> Result<&mut [f64], Error> {
        if self.under_way {
            return Err(Error::Order("a look at a buffer while a program is under way"));
        }
        let memory = &self.memories[buffer.0];
        if memory.host.is_null() {
            return Err(Error::Order("a buffer that is not shared"));
        }
        let count = memory.bytes / size_of::<f64>();
        // SAFETY: pinned memory of so many initialised bytes, on a page; nothing is
        // under way that could write it, and the borrow of the device keeps it so.
        Ok(unsafe { std::slice::from_raw_parts_mut(memory.host.cast(), count) })
    }

    fn plan(&mut self, transform: Transform) -> Result<Plan, Error> {
        driver("cuCtxSetCurrent", self.context.bind_to_thread())?;
        self.plans.push(FftPlan::new(transform, self.stream.cu_stream())?);
        Ok(Plan(self.plans.len() - 1))
    }

    fn prepare(&mut self, steps: Vec<Step>) -> Result<Program, Error> {
        driver("cuCtxSetCurrent", self.context.bind_to_thread())?;
        self.settle()?;
        // Once for real: libraries load kernels when they are first used, which a
        // capture may not allow. All is zero still, so this changes nothing.
        steps.iter().try_for_each(|step| self.enqueue(step))?;
        driver("cuStreamSynchronize", self.stream.synchronize())?;
        // Only this thread uses the context.
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        driver("cuStreamBeginCapture", self.stream.begin_capture(mode))?;
        let enqueued = steps.iter().try_for_each(|step| self.enqueue(step));
        // The capture ends whatever happened in it.
        // SAFETY: the stream is capturing.
        let graph = unsafe { result::stream::end_capture(self.stream.cu_stream()) };
        enqueued?;
        let graph = driver("cuStreamEndCapture", graph)?;
        // SAFETY: the graph was just captured.
        let executable =
            unsafe { result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)) };
        let executable = match executable {
            Ok(executable) => executable,
            Err(error) => {
                // SAFETY: the graph is used nowhere.
                let _ = unsafe { result::graph::destroy(graph) };
                return driver("cuGraphInstantiateWithFlags", Err(error));
            }
        };
        self.graphs.push((graph, executable));
        // SAFETY: graph and stream are valid.
        let uploaded = unsafe { result::graph::upload(executable, self.stream.cu_stream()) };
        driver("cuGraphUpload", uploaded)?;
        Ok(Program(self.graphs.len() - 1))
    }

    fn submit(&mut self, program: Program) -> Result<(), Error> {
        if self.under_way {
            return Err(Error::Order("a submission while a program is under way"));
        }
        driver("cuCtxSetCurrent", self.context.bind_to_thread())?;
        self.settle()?;
        let stream = self.stream.cu_stream();
        // SAFETY: events, graph and stream live as long as the device.
        unsafe {
            driver("cuEventRecord", result::event::record(self.began, stream))?;
            let launched = result::graph::launch(self.graphs[program.0].1, stream);
            // Whatever comes now, the GPU may be at work.
            self.under_way = true;
            driver("cuGraphLaunch", launched)?;
            driver("cuEventRecord", result::event::record(self.done, stream))
        }
    }

    fn is_done(&mut self) -> Result<bool, Error> {
        if !self.under_way {
            return Ok(true);
        }
        // SAFETY: the event lives as long as the device.
        match unsafe { result::event::query(self.done) } {
            Ok(()) => {
                self.under_way = false;
                Ok(true)
            }
            Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_READY)) => Ok(false),
            Err(error) => driver("cuEventQuery", Err(error)),
        }
    }
}

impl Drop for CudaDevice {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        // What fails here has failed before; the context goes with the last reference.
        // SAFETY: everything was made by this device, is freed once, and nothing is
        // under way any more once the stream has been waited for.
        unsafe {
            let _ = result::stream::synchronize(self.stream.cu_stream());
            self.plans.clear();
            for (graph, executable) in self.graphs.drain(..) {
                let _ = result::graph::exec_destroy(executable);
                let _ = result::graph::destroy(graph);
            }
            for memory in self.memories.drain(..) {
                if !memory.host.is_null() {
                    let _ = result::free_host(memory.host);
                } else if memory.device != 0 {
                    let _ = result::free_sync(memory.device);
                }
            }
            self.kernels.unload();
            let _ = result::event::destroy(self.done);
            let _ = result::event::destroy(self.began);
        }
    }
}
