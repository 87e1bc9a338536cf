//! Our kernels, as compiled and as the driver has loaded them.

use std::collections::HashMap;
use std::ffi::CString;

use cudarc::driver::{result, sys};
use totton_dsp::Precision;

use super::library::driver;
use crate::Error;
use crate::device::Kernel;

/// The kernels, compiled: PTX for compute capability 8.0 and newer, and machine code
/// for the Jetson Orin. `kernels/compile` makes them.
struct Image {
    ptx: &'static str,
    /// For compute capability 8.7.
    orin: Option<&'static [u8]>,
}

const ORIN: (i32, i32) = (8, 7);

/// Machine code on the boundary that its file format asks for.
#[repr(C, align(16))]
struct Code<T: ?Sized>(T);

static ORIN_F32: &Code<[u8]> =
    &Code(*include_bytes!("../../../kernels/compiled/engine.f32.sm_87.cubin"));
static ORIN_F64: &Code<[u8]> =
    &Code(*include_bytes!("../../../kernels/compiled/engine.f64.sm_87.cubin"));

fn images(precision: Precision) -> [Image; 2] {
    macro_rules! ptx {
        ($name:literal) => {
            include_str!(concat!("../../../kernels/compiled/", $name))
        };
    }
    match precision {
        Precision::F32 => [
            Image { ptx: ptx!("engine.f32.ptx"), orin: Some(&ORIN_F32.0) },
            Image { ptx: ptx!("baseline.f32.ptx"), orin: None },
        ],
        Precision::F64 => [
            Image { ptx: ptx!("engine.f64.ptx"), orin: Some(&ORIN_F64.0) },
            Image { ptx: ptx!("baseline.f64.ptx"), orin: None },
        ],
    }
}

/// What is loaded.
#[derive(Default)]
pub(super) struct Kernels {
    modules: Vec<sys::CUmodule>,
    functions: HashMap<(Kernel, u32), sys::CUfunction>,
}

impl Kernels {
    /// Loads the kernels of a precision, for a GPU of this compute capability.
    pub(super) fn load(
        &mut self,
        precision: Precision,
        capability: (i32, i32),
    ) -> Result<(), Error> {
        for (index, image) in images(precision).into_iter().enumerate() {
            let orin = image.orin.filter(|_| capability == ORIN);
            // SAFETY: an image of machine code says its own size.
            let loaded =
                orin.map(|code| unsafe { result::module::load_data(code.as_ptr().cast()) });
            let module = match loaded {
                Some(Ok(module)) => module,
                other => {
                    if let Some(Err(error)) = other {
                        log::warn!(
                            "the kernels for this GPU are not accepted ({error:?}): its driver compiles them now"
                        );
                    }
                    let ptx = CString::new(image.ptx)
                        .map_err(|_| Error::Order("a zero inside the compiled kernels"))?;
                    // SAFETY: the text ends with a zero.
                    let loaded = unsafe { result::module::load_data(ptx.as_ptr().cast()) };
                    driver("cuModuleLoadData", loaded)?
                }
            };
            self.modules.push(module);
            let is_baseline = index == 1;
            let wanted = Kernel::ALL
                .iter()
                .filter(|kernel| kernel.is_baseline() == is_baseline && kernel.exists(precision));
            for kernel in wanted {
                let name = CString::new(kernel.name()).unwrap_or_default();
                // SAFETY: the module has just been loaded and stays.
                let function = unsafe { result::module::get_function(module, name) };
                let function = driver("cuModuleGetFunction", function)?;
                self.functions.insert((*kernel, precision.bits()), function);
            }
        }
        Ok(())
    }

    /// The function of a kernel.
    ///
    /// # Errors
    /// [`Error::Order`] when it is not loaded.
    pub(super) fn get(
        &self,
        kernel: Kernel,
        precision: Precision,
    ) -> Result<sys::CUfunction, Error> {
        let function = self.functions.get(&(kernel, precision.bits())).copied();
        function.ok_or(Error::Order("a kernel of another precision"))
    }

    /// Unloads all.
    ///
    /// # Safety
    /// The context is current, and none of the kernels is under way.
    pub(super) unsafe fn unload(&mut self) {
        self.functions.clear();
        for module in self.modules.drain(..) {
            // SAFETY: loaded once, unloaded once; the caller vouches for the rest.
            let _ = unsafe { result::module::unload(module) };
        }
    }
}
