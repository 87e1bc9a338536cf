//! The command line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::configfs::ConfigFs;
use crate::identity::Identity;
use crate::kernel::Kernel;
use crate::record::Runtime;
use crate::status::Status;
use crate::{Error, RUNTIME_DIRECTORY, error, start, stop};

/// Sets up the device's USB side: a sound card and a network on one cable.
///
/// Exit status: 0 all is bound, 3 only the network is bound, 1 failed (status: not bound),
/// 2 wrong configuration or command line.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// The configuration that start and restart read, with its fragments in the folder of the
    /// same name that ends in `.d`
    #[arg(long, global = true, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Wait for a USB device controller, then build and bind the gadget; a gadget that is
    /// already bound as configured stays as it is
    Start,
    /// Unbind and remove the gadget
    Stop,
    /// Stop, then start; with a wrong configuration the gadget stays as it is
    Restart,
    /// Tell what is bound, and why something is missing
    Status {
        /// One JSON object instead of words
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    /// Carries out the command and gives the exit code.
    pub fn run(&self) -> Result<u8, Error> {
        let kernel = ConfigFs::new();
        let directory = Path::new(RUNTIME_DIRECTORY);
        match self.command {
            Command::Start => self.start(&kernel, directory, false),
            Command::Restart => self.start(&kernel, directory, true),
            Command::Stop => {
                stop::run(&kernel, &Runtime::lock(directory)?)?;
                Ok(error::EXIT_COMPLETE)
            }
            Command::Status { json } => {
                let status = Status::read(&kernel, directory)?;
                let failed = |source| Error::Runtime { path: "standard output".into(), source };
                let text = if json {
                    serde_json::to_string_pretty(&status).map_err(|error| failed(error.into()))?
                } else {
                    status.to_string()
                };
                match writeln!(io::stdout(), "{text}") {
                    // `status | head -1` has read what it wanted.
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                        return Err(failed(error));
                    }
                    _ => {}
                }
                Ok(status.exit_code())
            }
        }
    }

    fn start(&self, kernel: &dyn Kernel, directory: &Path, afresh: bool) -> Result<u8, Error> {
        let config = Config::load(&self.config)?;
        let identity = Identity::of_machine(Path::new("/"), &config)?;
        let runtime = Runtime::lock(directory)?;
        if afresh {
            stop::run(kernel, &runtime)?;
        }
        Ok(start::run(kernel, &runtime, &config, &identity)?.exit_code())
    }
}
