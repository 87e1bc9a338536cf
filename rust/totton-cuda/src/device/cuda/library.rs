//! Are driver, GPU and cuFFT there? And the few functions that the bindings name
//! differently from one CUDA to another.

use std::ffi::c_int;
use std::time::Duration;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;

use crate::Error;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The driver's CUDA, 1000 times the major version plus 10 times the minor.
    pub driver: i32,
    /// cuFFT's version as it tells it itself.
    pub fft: i32,
    /// GPUs.
    pub devices: i32,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "driver for CUDA {}.{}", self.driver / 1000, self.driver % 1000 / 10)?;
        // As in 11202 for 11.2.2.
        write!(f, ", cuFFT {}.{}", self.fft / 1000, self.fft % 1000 / 100)
    }
}

/// Names the call in an error of the driver.
pub(super) fn driver<T>(call: &'static str, result: Result<T, DriverError>) -> Result<T, Error> {
    result.map_err(|error| {
        let text = error.error_string().ok().map(|text| text.to_string_lossy().into_owned());
        let reason = format!("{:?}: {}", error.0, text.unwrap_or_default());
        Error::Driver { call, reason }
    })
}

/// Looks for the driver, a GPU and cuFFT; loads the libraries and makes no context.
///
/// # Errors
/// What is missing, in words.
pub fn find() -> Result<Found, Error> {
    // SAFETY: NVIDIA's libraries do nothing of note when they are loaded.
    if !unsafe { sys::is_culib_present() } {
        let hint = "NVIDIA's driver is not installed";
        return Err(Error::Library { library: "libcuda.so.1", hint });
    }
    // A driver without a GPU, or one that does not fit the kernel's, fails here.
    match result::init() {
        Ok(()) => {}
        Err(error) if error.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE => {
            return Err(Error::NoDevice);
        }
        Err(error) => return driver("cuInit", Err(error)),
    }
    let devices = driver("cuDeviceGetCount", result::device::get_count())?;
    if devices == 0 {
        return Err(Error::NoDevice);
    }
    let mut version = 0;
    // SAFETY: the place for the answer is valid.
    let asked = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    driver("cuDriverGetVersion", asked.result())?;
    if version < 12_000 {
        return Err(Error::OldDriver { major: version / 1000, minor: version % 1000 / 10 });
    }
    let fft = super::fft::version()?;
    Ok(Found { driver: version, fft, devices })
}

/// Time between two recorded events that have both happened. The bindings would call
/// the variant of CUDA 12.8, which older drivers lack.
pub(super) fn elapsed(from: sys::CUevent, to: sys::CUevent) -> Result<Duration, Error> {
    type Elapsed = unsafe extern "C" fn(*mut f32, sys::CUevent, sys::CUevent) -> c_int;
    let mut milliseconds = 0.0;
    // SAFETY: every driver has this function of this type; the events are valid.
    let code = unsafe {
        let function = sys::culib().get::<Elapsed>(b"cuEventElapsedTime\0");
        let function = function.map_err(|error| Error::Driver {
            call: "cuEventElapsedTime",
            reason: error.to_string(),
        })?;
        function(&raw mut milliseconds, from, to)
    };
    if code != 0 {
        let reason = format!("error {code}");
        return Err(Error::Driver { call: "cuEventElapsedTime", reason });
    }
    Ok(Duration::from_secs_f64(f64::from(milliseconds) * 1e-3))
}
