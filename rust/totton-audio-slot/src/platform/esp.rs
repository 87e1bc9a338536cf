//! The EFI system partition: read-only but while a command changes it.
//!
//! Its unit mounts it read-only. To change something this program has a mount of its own, which
//! is in no folder and ends with the program, whatever ends it; the file system behind both
//! mounts is one, and writable only as long as [`EspDisk`] lives.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, fsconfig_create, fsconfig_reconfigure,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, fspick,
};

use crate::systemd_boot::Esp;

/// What SWUpdate calls the kernel that it brings.
const KERNEL: &str = "Image";

#[derive(Debug)]
pub struct EspDisk {
    place: Place,
    /// The folder with what an update has brought.
    brought: PathBuf,
}

#[derive(Debug)]
enum Place {
    /// On a machine made of folders.
    Folder(PathBuf),
    Partition {
        device: PathBuf,
        /// Where it is mounted to be read.
        mounted: Option<PathBuf>,
        own: OnceCell<Mount>,
    },
}

impl EspDisk {
    pub(super) fn folder(folder: PathBuf, brought: PathBuf) -> EspDisk {
        EspDisk { place: Place::Folder(folder), brought }
    }

    /// The partition of `device`, "MAJOR:MINOR" `number`; `mounts` is mountinfo.
    pub(super) fn partition(
        device: PathBuf,
        number: &str,
        mounts: &str,
        brought: PathBuf,
    ) -> EspDisk {
        let whole = |line: &str| {
            let fields: Vec<_> = line.split(' ').collect();
            (fields.get(2) == Some(&number) && fields.get(3) == Some(&"/"))
                .then(|| fields.get(4).map(PathBuf::from))?
        };
        let place = Place::Partition {
            device,
            mounted: mounts.lines().find_map(whole),
            own: OnceCell::new(),
        };
        EspDisk { place, brought }
    }

    /// The ESP, to be read.
    fn top(&self) -> io::Result<PathBuf> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.clone()),
            Place::Partition { own, mounted: Some(mounted), .. } if own.get().is_none() => {
                Ok(mounted.clone())
            }
            Place::Partition { device, own, .. } => Ok(own_mount(own, device)?.path()),
        }
    }

    /// The ESP, to be written until this is dropped.
    fn writable(&mut self) -> io::Result<PathBuf> {
        match &mut self.place {
            Place::Folder(folder) => Ok(folder.clone()),
            Place::Partition { device, own, .. } => {
                own_mount(own, device)?;
                let Some(mount) = own.get_mut() else {
                    return Err(io::Error::other("the ESP is not mounted"));
                };
                mount.make_writable()?;
                Ok(mount.path())
            }
        }
    }

    pub(super) fn brought(&self, name: &str) -> bool {
        self.brought.join(name).is_file()
    }

    /// Copies what an update has brought, over what is there.
    pub(super) fn copy(&mut self, name: &str, path: &str) -> io::Result<()> {
        let mut from = File::open(self.brought.join(name))?;
        let path = self.writable()?.join(path);
        create_folder(parent(&path)?)?;
        let mut file = File::create(&path)?;
        io::copy(&mut from, &mut file)?;
        file.sync_all()?;
        sync(parent(&path)?)
    }

    /// None: there is no such file.
    pub(super) fn size(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(found(fs::metadata(self.top()?.join(path)))?.map(|metadata| metadata.len()))
    }

    pub(super) fn unlink(&mut self, path: &str) -> io::Result<()> {
        let path = self.writable()?.join(path);
        match found(fs::remove_file(&path))? {
            Some(()) => sync(parent(&path)?),
            None => Ok(()),
        }
    }
}

impl Esp for EspDisk {
    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let Some(entries) = found(fs::read_dir(self.top()?.join(folder)))? else {
            return Ok(Vec::new());
        };
        // A name that is no text is nobody's of ours.
        entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        found(fs::read(self.top()?.join(path)))
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.writable()?.join(path);
        create_folder(parent(&path)?)?;
        let mut file = File::create(&path)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        sync(parent(&path)?)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let top = self.writable()?;
        let (from, to) = (top.join(from), top.join(to));
        fs::rename(&from, &to)?;
        // The file, too: on FAT the new name gets its size and its first cluster with it.
        sync(&to)?;
        sync(parent(&to)?)?;
        if parent(&from)? == parent(&to)? { Ok(()) } else { sync(parent(&from)?) }
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        self.unlink(path)
    }

    fn kernel_brought(&self) -> bool {
        self.brought(KERNEL)
    }

    fn place_kernel(&mut self, path: &str) -> io::Result<()> {
        let aside = format!("{path}.new");
        self.copy(KERNEL, &aside)?;
        self.rename(&aside, path)
    }

    fn filled(&self, path: &str) -> io::Result<bool> {
        Ok(self.size(path)?.is_some_and(|size| size > 0))
    }
}

/// None: there is no such file.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::other("a path without a folder"))
}

/// On the disk itself: the FAT driver's fsync flushes the drive's cache, `sync` does not.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folder's cluster is on the disk before its name is. Of a name without one fsck.fat leaves a
/// folder that Linux cannot open, remove or replace, until it runs a second time.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder)?;
    create_folder(above)?;
    fs::create_dir(folder)?;
    sync(folder)?;
    sync(above)
}

/// A mount of the ESP in no folder.
#[derive(Debug)]
struct Mount {
    root: OwnedFd,
    /// Who mounted it writable before; it is left so.
    found_writable: bool,
    writable: bool,
}

fn own_mount<'a>(own: &'a OnceCell<Mount>, device: &Path) -> io::Result<&'a Mount> {
    if own.get().is_none() {
        let mount = Mount::new(device).map_err(|error| {
            io::Error::new(error.kind(), format!("mounting {}: {error}", device.display()))
        })?;
        let _ = own.set(mount);
    }
    own.get().ok_or_else(|| io::Error::other("the ESP is not mounted"))
}

impl Mount {
    fn new(device: &Path) -> io::Result<Mount> {
        match Mount::with(device, true) {
            // It is mounted, and writable.
            Err(Errno::BUSY) => Ok(Mount::with(device, false)?),
            done => Ok(done?),
        }
    }

    fn with(device: &Path, read_only: bool) -> rustix::io::Result<Mount> {
        let context = fsopen("vfat", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "source", device)?;
        if read_only {
            fsconfig_set_flag(&context, "ro")?;
        }
        fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
            | MountAttrFlags::MOUNT_ATTR_NOSUID;
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        Ok(Mount { root, found_writable: !read_only, writable: !read_only })
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    fn make_writable(&mut self) -> io::Result<()> {
        if !self.writable {
            self.reconfigure("rw")?;
            self.writable = true;
        }
        Ok(())
    }

    fn reconfigure(&self, flag: &str) -> rustix::io::Result<()> {
        let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
        let context = fspick(&self.root, "", flags)?;
        fsconfig_set_flag(&context, flag)?;
        fsconfig_reconfigure(&context)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.writable
            && !self.found_writable
            && let Err(error) = self.reconfigure("ro")
        {
            eprintln!("totton-audio-slot: the ESP stays writable until the next restart: {error}");
        }
    }
}
