//! Everything that can go wrong, each with the file, device or key concerned.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Exit code: the gadget is bound with everything that was asked for.
pub const EXIT_COMPLETE: u8 = 0;
/// Exit code: the command failed, or (`status`) there is no bound gadget.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: wrong configuration or command line (clap uses the same code).
pub const EXIT_USAGE: u8 = 2;
/// Exit code: the gadget is bound, but with the network only.
pub const EXIT_NETWORK_ONLY: u8 = 3;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the configuration {}: {source}", file.display())]
    ConfigRead { file: PathBuf, source: io::Error },

    /// `problem` has the line, the key, what was found and what is accepted.
    #[error("wrong configuration in {}: {problem}", file.display())]
    ConfigInvalid { file: PathBuf, problem: String },

    #[error(
        "wrong configuration: network.device_mac and network.host_mac would both be {mac}; \
         the two ends of the link need different addresses"
    )]
    SameMac { mac: String },

    #[error(
        "this machine has no serial number to derive the USB serial and the MAC addresses from \
         (looked at {looked_at}); set usb.serial, network.device_mac and network.host_mac in the \
         configuration"
    )]
    NoMachineSerial { looked_at: String },

    #[error(
        "configfs is not mounted: start sys-kernel-config.mount, \
         or `mount -t configfs none /sys/kernel/config`"
    )]
    ConfigfsNotMounted,

    #[error(
        "{} is missing: the kernel module libcomposite is not loaded \
         (`modprobe libcomposite`; the kernel needs CONFIG_USB_CONFIGFS)",
        directory.display()
    )]
    LibcompositeMissing { directory: PathBuf },

    #[error("cannot read the USB gadgets in ConfigFS: {source}{}", root_hint(source))]
    GadgetRead { source: io::Error },

    #[error("cannot list the USB device controllers in /sys/class/udc: {source}")]
    ControllerRead { source: io::Error },

    #[error("no USB device controller after {} s: {found}", waited.as_secs())]
    NoController { waited: Duration, found: String },

    #[error(transparent)]
    Build(#[from] BuildError),

    #[error("neither the whole gadget nor the network alone could be set up: {whole}; {network}")]
    NothingBinds { whole: BuildError, network: BuildError },

    #[error("cannot remove the gadget {}: {source}{}", crate::GADGET_NAME, root_hint(source))]
    Remove { source: io::Error },

    #[error("cannot use {}: {source}{}", path.display(), root_hint(source))]
    Runtime { path: PathBuf, source: io::Error },
}

impl Error {
    /// The exit code that tells this error's kind to systemd and to scripts.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::ConfigRead { .. } | Error::ConfigInvalid { .. } | Error::SameMac { .. } => {
                EXIT_USAGE
            }
            _ => EXIT_FAILED,
        }
    }
}

/// One attempt to build and bind failed; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(
        "the kernel refused to create {functions}: {source}{} \
         (each function NAME needs the kernel's module usb_f_NAME)",
        root_hint(source)
    )]
    Create { functions: String, source: io::Error },

    #[error(
        "the kernel refused to bind {functions} to {udc}: {source} \
         (its own reason is in `journalctl -k`)"
    )]
    Bind { functions: String, udc: String, source: io::Error },
}

fn root_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => " (this command must run as root)",
        _ => "",
    }
}
