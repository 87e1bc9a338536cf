//! cuFFT. Its functions are looked up here and their results taken as plain numbers:
//! the codes of CUDA 12 and 13 differ, and a list of either lacks some of the other.

use std::ffi::c_int;

use cudarc::cufft::sys::{culib, is_culib_present};
use cudarc::driver::sys::{CUdeviceptr, CUstream};
use totton_dsp::Precision;

use crate::Error;
use crate::device::{Direction, Transform};

type Handle = c_int;
type PlanMany = unsafe extern "C" fn(
    *mut Handle,
    c_int,
    *mut c_int,
    *mut c_int,
    c_int,
    c_int,
    *mut c_int,
    c_int,
    c_int,
    c_int,
    c_int,
) -> c_int;
type SetStream = unsafe extern "C" fn(Handle, CUstream) -> c_int;
type Destroy = unsafe extern "C" fn(Handle) -> c_int;
type GetVersion = unsafe extern "C" fn(*mut c_int) -> c_int;
/// Of one complex value to another, with a direction.
type Exec = unsafe extern "C" fn(Handle, CUdeviceptr, CUdeviceptr, c_int) -> c_int;
/// Of real values to complex ones or the other way.
type ExecReal = unsafe extern "C" fn(Handle, CUdeviceptr, CUdeviceptr) -> c_int;

/// A function of the library.
fn function<F: Copy>(name: &'static str) -> Result<F, Error> {
    // SAFETY: the library was found present; the caller names the function's own type.
    let found = unsafe { culib().get::<F>(name).map(|symbol| *symbol) };
    found.map_err(|_| Error::Fft { call: name, code: -1, name: "no such function" })
}

/// Names of cuFFT's codes, CUDA 12 and 13.
fn checked(call: &'static str, code: c_int) -> Result<(), Error> {
    let name = match code {
        0 => return Ok(()),
        1 => "invalid plan",
        2 => "out of memory",
        3 => "invalid type",
        4 => "invalid value",
        5 => "internal error",
        6 => "execution failed",
        7 => "the library cannot start",
        8 => "invalid size",
        11 => "invalid device",
        13 => "no workspace",
        14 => "not implemented",
        16 => "not supported",
        17 => "a library that it needs is missing",
        18 => "NVRTC failed",
        19 => "nvJitLink failed",
        _ => "unknown",
    };
    Err(Error::Fft { call, code, name })
}

/// The library's version.
pub(super) fn version() -> Result<i32, Error> {
    // SAFETY: the library does nothing of note when it is loaded.
    if !unsafe { is_culib_present() } {
        let hint = "install cuFFT of CUDA 12 or 13 (package libcufft)";
        return Err(Error::Library { library: "libcufft.so", hint });
    }
    let mut version = 0;
    // SAFETY: the place for the answer is valid.
    let code = unsafe { function::<GetVersion>("cufftGetVersion")?(&raw mut version) };
    checked("cufftGetVersion", code)?;
    Ok(version)
}

enum Execute {
    Complex(Exec, c_int),
    Real(ExecReal),
}

/// A plan.
pub(super) struct FftPlan {
    handle: Handle,
    execute: Execute,
    name: &'static str,
}

impl FftPlan {
    /// Plans a batch on a stream of the current context.
    pub(super) fn new(transform: Transform, stream: CUstream) -> Result<Self, Error> {
        let Transform { direction, length, batch, precision } = transform;
        // Names and values of cufft.h, the same since CUDA 2.
        let (name, kind) = match (direction, precision) {
            (Direction::Forward | Direction::Inverse, Precision::F32) => ("cufftExecC2C", 0x29),
            (Direction::Forward | Direction::Inverse, Precision::F64) => ("cufftExecZ2Z", 0x69),
            (Direction::RealForward, Precision::F32) => ("cufftExecR2C", 0x2a),
            (Direction::RealForward, Precision::F64) => ("cufftExecD2Z", 0x6a),
            (Direction::RealInverse, Precision::F32) => ("cufftExecC2R", 0x2c),
            (Direction::RealInverse, Precision::F64) => ("cufftExecZ2D", 0x6c),
        };
        let execute = match direction {
            Direction::Forward => Execute::Complex(function(name)?, -1),
            Direction::Inverse => Execute::Complex(function(name)?, 1),
            Direction::RealForward | Direction::RealInverse => Execute::Real(function(name)?),
        };
        let too_long = |_| Error::Fft { call: "cufftPlanMany", code: 8, name: "invalid size" };
        let mut points = c_int::try_from(length).map_err(too_long)?;
        let batch = c_int::try_from(batch).map_err(too_long)?;
        let (mut handle, none) = (0, std::ptr::null_mut());
        // SAFETY: one dimension; without embedding the data lie one after the other.
        let code = unsafe {
            function::<PlanMany>("cufftPlanMany")?(
                &raw mut handle,
                1,
                &raw mut points,
                none,
                1,
                0,
                none,
                1,
                0,
                kind,
                batch,
            )
        };
        checked("cufftPlanMany", code)?;
        let plan = Self { handle, execute, name };
        // SAFETY: the plan was just made, the stream is the device's.
        let code = unsafe { function::<SetStream>("cufftSetStream")?(handle, stream) };
        checked("cufftSetStream", code)?;
        Ok(plan)
    }

    /// Puts the transform into the plan's stream.
    pub(super) fn execute(&self, from: CUdeviceptr, to: CUdeviceptr) -> Result<(), Error> {
        // SAFETY: the engine gives buffers as long as the transform asks.
        let code = unsafe {
            match self.execute {
                Execute::Complex(execute, direction) => execute(self.handle, from, to, direction),
                Execute::Real(execute) => execute(self.handle, from, to),
            }
        };
        checked(self.name, code)
    }
}

impl Drop for FftPlan {
    fn drop(&mut self) {
        if let Ok(destroy) = function::<Destroy>("cufftDestroy") {
            // SAFETY: the plan was made by `new` and is destroyed once.
            unsafe { destroy(self.handle) };
        }
    }
}
