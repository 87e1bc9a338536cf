//! The system's mounts, from `/proc/1/mountinfo`: a unit's sandbox has mounts of its own, and
//! there everything is read-only.

use crate::device::{Device, Unread};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `MAJOR:MINOR` of the file system.
    pub device: String,
    /// The folder of the file system that is mounted; `/` but for a bind.
    pub folder: String,
    /// Options of the mount and of the file system.
    pub options: Vec<String>,
    /// File system's type.
    pub kind: String,
    /// What was mounted, as mount(8) was told.
    pub source: String,
}

impl Mount {
    /// The mount at `point`: the last one, which covers the others.
    ///
    /// # Errors
    /// When the mounts cannot be read.
    pub fn at(device: &Device, point: &str) -> Result<Option<Self>, Unread> {
        let text = device.text("proc/1/mountinfo")?;
        Ok(text.lines().filter_map(parse).rfind(|(at, _)| at == point).map(|(_, mount)| mount))
    }

    /// Whether an option is set.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|one| one == option)
    }

    /// Whether nothing can be written.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.has("ro")
    }

    /// The label of its partition, where it has one.
    #[must_use]
    pub fn label(&self, device: &Device) -> Option<String> {
        let uevent = device.text(&format!("sys/dev/block/{}/uevent", self.device)).ok()?;
        uevent.lines().find_map(|line| line.strip_prefix("PARTNAME=")).map(str::to_owned)
    }

    /// The disk that its partition is on, by the kernel's name.
    #[must_use]
    pub fn disk(&self, device: &Device) -> Option<String> {
        let folder = device.resolve(&format!("sys/dev/block/{}", self.device))?;
        let disk = folder.join("partition").exists().then(|| folder.parent())??;
        Some(disk.file_name()?.to_string_lossy().into_owned())
    }
}

/// `ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER`, as proc(5) has it.
fn parse(line: &str) -> Option<(String, Mount)> {
    let (front, back) = line.split_once(" - ")?;
    let front: Vec<_> = front.split(' ').collect();
    let mut back = back.split(' ');
    let (kind, source, more) = (back.next()?, back.next()?, back.next()?);
    let mut options: Vec<String> = front.get(5)?.split(',').map(str::to_owned).collect();
    options.extend(more.split(',').map(str::to_owned));
    Some((
        (*front.get(4)?).to_owned(),
        Mount {
            device: (*front.get(2)?).to_owned(),
            folder: (*front.get(3)?).to_owned(),
            options,
            kind: kind.to_owned(),
            source: source.to_owned(),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_is_read() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root ro,errors=continue";
        let (point, mount) = parse(line).unwrap();
        assert_eq!(
            (point.as_str(), mount.device.as_str(), mount.folder.as_str()),
            ("/mnt2", "98:0", "/mnt1")
        );
        assert!(mount.read_only() && mount.has("noatime") && !mount.has("nodev"));
        for bad in ["", " - ", "36 35 98:0 /mnt1 - ext3 a b", "1 2 3:4 / / rw - ext4 x"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
