//! `start`: waits for a USB device controller, builds the gadget and binds it.
//!
//! Where the sound card does not bind, the network alone is built, so that the owner can
//! still reach the device and read why.

use std::time::Duration;

use crate::Error;
use crate::config::Config;
use crate::description::Description;
use crate::error::{BuildError, EXIT_COMPLETE, EXIT_NETWORK_ONLY};
use crate::identity::Identity;
use crate::kernel::{Controller, Kernel, LiveGadget};
use crate::record::{Record, Runtime};

/// How often a missing controller is looked for. sysfs has no notification for a new entry.
const POLL: Duration = Duration::from_millis(100);

/// How the gadget came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    /// The kernel did not take the sound card.
    NetworkOnly,
}

impl Outcome {
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Complete => EXIT_COMPLETE,
            Outcome::NetworkOnly => EXIT_NETWORK_ONLY,
        }
    }

    fn of(record: &Record) -> Self {
        if record.degraded.is_some() { Outcome::NetworkOnly } else { Outcome::Complete }
    }
}

/// Leaves the gadget bound as configured, or with the network only, or leaves nothing.
pub fn run(
    kernel: &dyn Kernel,
    runtime: &Runtime,
    config: &Config,
    identity: &Identity,
) -> Result<Outcome, Error> {
    let wanted = Description::new(config, identity);
    kernel.check()?;
    if let Some(live) = kernel.gadget()? {
        match unchanged(kernel, runtime, config, &wanted, &live)? {
            Ok(record) => {
                log::info!("already bound to {} with this configuration", record.udc);
                report(&record);
                return Ok(Outcome::of(&record));
            }
            Err(reason) => {
                log::warn!("removing the gadget that is there: {reason}");
                kernel.remove()?;
            }
        }
    }
    runtime.clear()?;

    let deadline = kernel.now() + config.udc_timeout();
    let record = loop {
        let udc = wait_for_controller(kernel, config, deadline)?;
        match build(kernel, &wanted, &udc) {
            Ok(record) => break record,
            // The controller went away, or another gadget took it, between the look and the
            // binding: wait on. (Both a lost controller and a refusing one may answer ENODEV.)
            Err(error) if !is_free(kernel, &udc)? && kernel.now() < deadline => {
                log::warn!("{error}; {udc} is no longer free, waiting again");
            }
            Err(error) => return Err(error),
        }
    };
    if let Err(error) = runtime.write(&record) {
        // The gadget works without its record; `status` will say that it is missing.
        log::error!("{error}");
    }
    report(&record);
    Ok(Outcome::of(&record))
}

/// The record of the gadget that stands there if it is the wanted one, else why it is not.
fn unchanged(
    kernel: &dyn Kernel,
    runtime: &Runtime,
    config: &Config,
    wanted: &Description,
    live: &LiveGadget,
) -> Result<Result<Record, String>, Error> {
    let Some(udc) = &live.udc else {
        return Ok(Err("it is not bound, an earlier start did not finish".to_string()));
    };
    if !kernel.controllers()?.iter().any(|controller| controller.name == *udc) {
        return Ok(Err(format!("its controller {udc} is gone")));
    }
    if config.udc().is_some_and(|chosen| chosen != udc) {
        return Ok(Err(format!("it is bound to {udc}, the configuration names another")));
    }
    let record = runtime.record().filter(|record| record.describes(live));
    Ok(match record {
        None => Err("there is no record of how it was built".to_string()),
        Some(record) if record.wanted != *wanted => Err("the configuration changed".to_string()),
        Some(record) => Ok(record),
    })
}

/// The whole gadget, else the network alone.
fn build(kernel: &dyn Kernel, wanted: &Description, udc: &str) -> Result<Record, Error> {
    let record = |built: &Description, degraded| Record {
        udc: udc.to_string(),
        functions: built.drivers().into_iter().map(str::to_string).collect(),
        degraded,
        wanted: wanted.clone(),
    };
    let whole = match kernel.build(wanted, udc) {
        Ok(()) => return Ok(record(wanted, None)),
        Err(error) if !wanted.has_audio() => return Err(error.into()),
        Err(error) => error,
    };
    let rest = wanted.network_only();
    match kernel.build(&rest, udc) {
        Ok(()) => Ok(record(&rest, Some(degraded_reason(&whole)))),
        Err(network) => Err(Error::NothingBinds { whole, network }),
    }
}

fn degraded_reason(whole: &BuildError) -> String {
    match whole {
        BuildError::Create { .. } => whole.to_string(),
        // Kernels from 6.0 answer EBUSY whatever the reason was, and only their log tells it.
        BuildError::Bind { udc, .. } => format!(
            "{whole}; the network alone binds, so most likely {udc} offers no isochronous \
             endpoint, as tegra-xudc without its patch (`journalctl -k -g afunc_bind` then has a \
             line of this moment)"
        ),
    }
}

fn report(record: &Record) {
    let functions = record.functions.join(" and ");
    match &record.degraded {
        None => log::info!("{functions} bound to {}", record.udc),
        Some(reason) => {
            log::error!("NO SOUND CARD: only {functions} is bound to {}: {reason}", record.udc);
        }
    }
}

fn is_free(kernel: &dyn Kernel, udc: &str) -> Result<bool, Error> {
    let controllers = kernel.controllers()?;
    Ok(controllers.iter().any(|known| known.name == udc && known.driver.is_none()))
}

/// The configured controller, or the first free one, as soon as there is one.
fn wait_for_controller(
    kernel: &dyn Kernel,
    config: &Config,
    deadline: Duration,
) -> Result<String, Error> {
    let fits = |known: &Controller| config.udc().is_none_or(|chosen| chosen == known.name);
    let mut told = false;
    loop {
        let controllers = kernel.controllers()?;
        let free = controllers.iter().find(|known| fits(known) && known.driver.is_none());
        if let Some(controller) = free {
            return Ok(controller.name.clone());
        }
        if kernel.now() >= deadline {
            return Err(Error::NoController {
                waited: config.udc_timeout(),
                found: what_to_check(config.udc(), &controllers),
            });
        }
        if !told {
            let name = config.udc().unwrap_or("a USB device controller");
            log::info!("waiting up to {} s for {name}", config.udc_timeout().as_secs());
            told = true;
        }
        kernel.sleep(POLL);
    }
}

fn what_to_check(chosen: Option<&str>, controllers: &[Controller]) -> String {
    let driver = |known: &Controller| match &known.driver {
        Some(driver) => format!("{} (in use by {driver})", known.name),
        None => format!("{} (free)", known.name),
    };
    let list = controllers.iter().map(driver).collect::<Vec<_>>().join(", ");
    match (chosen, controllers) {
        (_, []) => "/sys/class/udc is empty. Check that the port is in device mode (device tree: \
                    dr_mode = \"otg\" or \"peripheral\") and that the controller's driver is \
                    loaded (Jetson: tegra-xudc)"
            .to_string(),
        (Some(chosen), _) => {
            format!(
                "usb.udc = \"{chosen}\", but there is only: {list}. Name a free one, or \"auto\""
            )
        }
        (None, _) => format!("all are taken: {list}. Stop the gadget that is in the way"),
    }
}

#[cfg(test)]
mod tests;
