//! The program's words.

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::clock::Kernel;
use crate::error::Error;
use crate::order::Orders;
use crate::range::{EPOCH, Range};
use crate::{kept, serve, unix_ms};

/// Sets the system's clock: never before the image's date, never 20 years after it.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Answer orders on the listening socket that is standard input.
    Serve,
    /// Set a clock that is behind the time last seen, which is FILE's.
    Restore { file: PathBuf },
    /// Give FILE the time that it is, on the disk.
    Save { file: PathBuf },
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Each names the file or says what to do.
    pub fn run(self) -> Result<(), Error> {
        let range = || Range::of(Path::new(EPOCH));
        match self.word {
            Word::Serve => {
                let socket = std::io::stdin().as_fd().try_clone_to_owned();
                let listener =
                    UnixListener::from(socket.map_err(|source| Error::Socket { source })?);
                serve::serve(&listener, &mut Orders::new(Kernel, range()?))
            }
            Word::Restore { file } => {
                if let Some(seen) = kept::restore(&mut Kernel, &range()?, &file)? {
                    let seen = unix_ms(seen);
                    eprintln!(
                        "<5>the clock goes on where it was last seen, {seen} Unix milliseconds"
                    );
                }
                Ok(())
            }
            Word::Save { file } => kept::save(&Kernel, &file),
        }
    }
}
