//! The few calls of a file system that the settings take, behind a trait so that
//! a test can cut the power between any two of them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The most bytes that are read of a file: six for each of the longest equaliser's text, as JSON
/// escapes it, and plenty for the rest.
const LARGEST: u64 = 1024 * 1024;

/// A file system. After a power cut only what was synchronised is certain: of a
/// file its content, of a folder the names in it.
pub trait Disk: Send {
    /// The content of a file.
    ///
    /// # Errors
    /// As the file system says.
    fn read(&mut self, file: &Path) -> io::Result<Vec<u8>>;

    /// Makes a file, or empties it, and writes `content` into it.
    ///
    /// # Errors
    /// As the file system says; the file may then hold a part.
    fn write(&mut self, file: &Path, content: &[u8]) -> io::Result<()>;

    /// Waits until the file's content is on the disk.
    ///
    /// # Errors
    /// As the file system says.
    fn sync(&mut self, file: &Path) -> io::Result<()>;

    /// Gives a file another name, in place of whatever had it.
    ///
    /// # Errors
    /// As the file system says.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Waits until the names in a folder are on the disk.
    ///
    /// # Errors
    /// As the file system says.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the file system says.
    fn remove(&mut self, file: &Path) -> io::Result<()>;
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn read(&mut self, file: &Path) -> io::Result<Vec<u8>> {
        // Larger than any settings: who put that there shall not fill the memory.
        let mut bytes = vec![];
        File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            let reason = format!("it has more than {LARGEST} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        Ok(bytes)
    }

    fn write(&mut self, file: &Path, content: &[u8]) -> io::Result<()> {
        File::create(file)?.write_all(content)
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        // fsync(2) concerns the file, whichever descriptor it is called on.
        File::open(file)?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&mut self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }
}
