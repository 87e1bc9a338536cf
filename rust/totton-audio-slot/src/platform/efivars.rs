//! EFI variables, as efivarfs has them: a file for each, four bytes of attributes first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

/// Non-volatile, for boot services and the running system (UEFI 2.10, 8.2.1).
const ATTRIBUTES: u32 = 7;

#[derive(Clone, Debug)]
pub struct EfiVars {
    folder: PathBuf,
}

impl EfiVars {
    pub fn new(folder: PathBuf) -> EfiVars {
        EfiVars { folder }
    }

    fn path(&self, name: &str, guid: &str) -> PathBuf {
        self.folder.join(format!("{name}-{guid}"))
    }

    /// None also for a file without attributes: what a failed creation leaves.
    pub fn read(&self, name: &str, guid: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(name, guid)) {
            Ok(bytes) => Ok(bytes.get(4..).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The firmware takes a variable whole, in one write, or not at all.
    pub fn write(&self, name: &str, guid: &str, value: &[u8]) -> io::Result<()> {
        let path = self.path(name, guid);
        let _mutable = Mutable::make(&path)?;
        // The firmware refuses other attributes than a variable has.
        let attributes = match fs::read(&path) {
            Ok(bytes) if bytes.len() >= 4 => bytes[..4].to_vec(),
            _ => ATTRIBUTES.to_le_bytes().to_vec(),
        };
        let is_new = !path.exists();
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        let written = write_once(&mut file, &[&attributes, value].concat());
        if is_new && written.is_err() {
            // Empty, and no variable.
            let _ = fs::remove_file(&path);
        }
        written
    }

    pub fn delete(&self, name: &str, guid: &str) -> io::Result<()> {
        let path = self.path(name, guid);
        let _mutable = Mutable::make(&path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

fn write_once(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Ok(count) if count == bytes.len() => return Ok(()),
            Ok(count) => {
                return Err(io::Error::other(format!("{count} of {} bytes taken", bytes.len())));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// efivarfs makes most variables immutable, so that a careless `rm -r` does not break a board.
/// Undone on drop.
#[must_use]
struct Mutable(Option<(File, IFlags)>);

impl Mutable {
    fn make(path: &Path) -> io::Result<Mutable> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Mutable(None)),
            Err(error) => return Err(error),
        };
        match ioctl_getflags(&file) {
            Ok(flags) if flags.contains(IFlags::IMMUTABLE) => {
                ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
                Ok(Mutable(Some((file, flags))))
            }
            // A file system without such flags has no immutable files either.
            _ => Ok(Mutable(None)),
        }
    }
}

impl Drop for Mutable {
    fn drop(&mut self) {
        if let Some((file, flags)) = &self.0 {
            // It guards against accidents only: the variable is written all the same.
            let _ = ioctl_setflags(file, *flags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "781e084c-a330-417c-b678-38e696380cb9";

    fn variables() -> (tempfile::TempDir, EfiVars) {
        let folder = tempfile::tempdir().unwrap();
        let variables = EfiVars::new(folder.path().to_owned());
        (folder, variables)
    }

    #[test]
    fn a_variable_is_written_read_and_deleted() {
        let (folder, variables) = variables();
        assert_eq!(variables.read("Name", GUID).unwrap(), None);
        variables.write("Name", GUID, &[1, 0, 0, 0]).unwrap();
        assert_eq!(
            fs::read(folder.path().join(format!("Name-{GUID}"))).unwrap(),
            [7, 0, 0, 0, 1, 0, 0, 0]
        );
        assert_eq!(variables.read("Name", GUID).unwrap(), Some(vec![1, 0, 0, 0]));
        variables.delete("Name", GUID).unwrap();
        variables.delete("Name", GUID).unwrap();
        assert_eq!(variables.read("Name", GUID).unwrap(), None);
    }

    #[test]
    fn a_variable_keeps_its_attributes() {
        let (folder, variables) = variables();
        let file = folder.path().join(format!("Name-{GUID}"));
        fs::write(&file, [3, 0, 0, 0, 9]).unwrap();
        variables.write("Name", GUID, &[1]).unwrap();
        assert_eq!(fs::read(&file).unwrap(), [3, 0, 0, 0, 1]);
    }

    #[test]
    fn a_file_without_attributes_is_no_variable() {
        let (folder, variables) = variables();
        fs::write(folder.path().join(format!("Name-{GUID}")), []).unwrap();
        assert_eq!(variables.read("Name", GUID).unwrap(), None);
        variables.write("Name", GUID, &[1]).unwrap();
        assert_eq!(variables.read("Name", GUID).unwrap(), Some(vec![1]));
    }

    /// Needs root, and a file system with flags; the bench has both (test_slots.py).
    #[test]
    fn an_immutable_variable_is_written_and_immutable_after_it() {
        let (folder, variables) = variables();
        let path = folder.path().join(format!("Name-{GUID}"));
        fs::write(&path, [7, 0, 0, 0, 9]).unwrap();
        let file = File::open(&path).unwrap();
        if ioctl_setflags(&file, IFlags::IMMUTABLE).is_err() {
            println!("SKIPPED: nobody may make a file immutable here");
            return;
        }
        assert!(fs::write(&path, []).is_err());
        variables.write("Name", GUID, &[1]).unwrap();
        assert_eq!(variables.read("Name", GUID).unwrap(), Some(vec![1]));
        assert!(ioctl_getflags(&file).unwrap().contains(IFlags::IMMUTABLE));
        variables.delete("Name", GUID).unwrap();
        assert!(!path.exists());
    }
}
