//! `stop`: the PC sees the cable pulled; nothing of the gadget is left.

use crate::Error;
use crate::kernel::Kernel;
use crate::record::Runtime;

/// Removes the gadget and its record, or finds that there is none.
pub fn run(kernel: &dyn Kernel, runtime: &Runtime) -> Result<(), Error> {
    let removed = match kernel.check() {
        Ok(()) => kernel.remove()?,
        // Where ConfigFS cannot hold gadgets, ours is not there either.
        Err(Error::ConfigfsNotMounted | Error::LibcompositeMissing { .. }) => false,
        Err(error) => return Err(error),
    };
    runtime.clear()?;
    if removed {
        log::info!("gadget removed");
    } else {
        log::info!("there is no gadget to remove");
    }
    Ok(())
}
