//! One 32-bit register of the board, through /dev/mem.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::param::page_size;

#[derive(Clone, Debug)]
pub struct Memory {
    path: PathBuf,
    address: u64,
}

impl Memory {
    /// `path` is /dev/mem. The caller knows that there is a register at `address`.
    pub fn new(path: PathBuf, address: u64) -> Memory {
        Memory { path, address }
    }

    pub fn read(&self) -> io::Result<u32> {
        let page = Page::map(self, false)?;
        // SAFETY: the address is aligned (`Page::map`) and within a page that is mapped to be read
        // for as long as `page` lives. Volatile, since it is the board's.
        Ok(unsafe { page.register().read_volatile() })
    }

    pub fn write(&self, bits: u32) -> io::Result<()> {
        let page = Page::map(self, true)?;
        // SAFETY: as in `read`; the page is mapped to be written.
        unsafe { page.register().write_volatile(bits) };
        Ok(())
    }
}

/// The page of a register, unmapped on drop.
#[must_use]
struct Page {
    start: *mut u8,
    offset: usize,
}

impl Page {
    fn map(memory: &Memory, write: bool) -> io::Result<Page> {
        let named = |source: io::Error| {
            io::Error::new(source.kind(), format!("{}: {source}", memory.path.display()))
        };
        let file = OpenOptions::new().read(true).write(write).open(&memory.path).map_err(named)?;
        Page::of(&file, memory.address, write).map_err(named)
    }

    fn of(file: &File, address: u64, write: bool) -> io::Result<Page> {
        if !address.is_multiple_of(4) {
            return Err(io::Error::other(format!("{address:#x} is no address of a register")));
        }
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.len() < address + 4 {
            return Err(io::Error::other(format!("it ends before {address:#x}")));
        }
        let size = page_size();
        let offset = (address % size as u64) as usize;
        let access = if write { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a new mapping at a place of the kernel's choice takes nobody's memory away.
        let start = unsafe {
            mmap(ptr::null_mut(), size, access, MapFlags::SHARED, file, address - offset as u64)
        }?;
        Ok(Page { start: start.cast(), offset })
    }

    fn register(&self) -> *mut u32 {
        self.start.wrapping_add(self.offset).cast()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: `start` is the mapping of `of`, of one page, and nothing else points into it.
        let _ = unsafe { munmap(self.start.cast(), page_size()) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_register_is_read_and_written_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mem");
        let address = 3 * page_size() as u64 + 0x3A8;
        File::create(&path).unwrap().set_len(address + 8).unwrap();
        let memory = Memory::new(path.clone(), address);
        assert_eq!(memory.read().unwrap(), 0);
        memory.write(0x0035_FACE).unwrap();
        assert_eq!(memory.read().unwrap(), 0x0035_FACE);
        let bytes = fs::read(&path).unwrap();
        let at = address as usize;
        assert_eq!(bytes[at..], [0xCE, 0xFA, 0x35, 0, 0, 0, 0, 0]);
        assert!(bytes[..at].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_not_there_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path().join("mem"), 0x1000);
        assert!(memory.read().unwrap_err().to_string().contains("/mem: No such file"));
        fs::write(folder.path().join("mem"), "short").unwrap();
        assert!(memory.read().unwrap_err().to_string().contains("ends before 0x1000"));
    }
}
