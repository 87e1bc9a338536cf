//! Which slot runs, and which start of the machine this is.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The kernel's name of this start; none where it does not tell.
pub fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The slot of the root file system, `a` or `b`, by the name of its partition (APP, APP_b); none
/// where there are no slots.
pub fn running() -> Option<char> {
    let device = fs::metadata("/").ok()?.dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let path = format!("/sys/dev/block/{major}:{minor}/uevent");
    named(&fs::read_to_string(Path::new(&path)).ok()?)
}

/// The slot by what the kernel says of a partition.
fn named(uevent: &str) -> Option<char> {
    match uevent.lines().find_map(|line| line.strip_prefix("PARTNAME="))? {
        "APP" => Some('a'),
        "APP_b" => Some('b'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_known_by_its_partition() {
        let uevent = |name| format!("MAJOR=259\nDEVTYPE=partition\nPARTN=2\nPARTNAME={name}\n");
        assert_eq!(named(&uevent("APP")), Some('a'));
        assert_eq!(named(&uevent("APP_b")), Some('b'));
        assert_eq!(named(&uevent("UDA")), None);
        assert_eq!(named("MAJOR=8\n"), None);
        assert!(boot().is_some_and(|boot| boot.len() == 36), "the kernel tells its start");
    }
}
