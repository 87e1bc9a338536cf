//! What the kernel says of the board: temperatures, load, memory, disk, uptime.

use std::fs;
use std::path::Path;

use serde::Serialize;
use totton_audio_check::thermal;
use totton_protocol::Temperature;
use utoipa::ToSchema;

/// The board.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Board {
    /// The model, from the device tree or the firmware.
    pub model: Option<String>,
    /// The operating system's name and version.
    pub system: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// Seconds since the kernel started.
    pub uptime_seconds: u64,
    /// Processes that wanted a processor, on average over one minute.
    pub load: f64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of memory that nothing uses.
    pub memory_free_bytes: u64,
    /// Bytes of the disk with the data folder.
    pub disk_bytes: u64,
    /// Bytes free there.
    pub disk_free_bytes: u64,
    /// The thermometers that the kernel knows.
    pub temperatures: Vec<Temperature>,
}

/// Reads what there is; what is not there is left out. `data` is the data folder.
pub fn read(data: &Path) -> Board {
    let mut board = Board {
        model: ["/proc/device-tree/model", "/sys/class/dmi/id/product_name"]
            .iter()
            .find_map(|path| word(Path::new(path))),
        system: system(),
        kernel: nix::sys::utsname::uname()
            .ok()
            .map(|name| name.release().to_string_lossy().into_owned()),
        temperatures: thermal::read(Path::new("/sys/class/thermal")),
        ..Board::default()
    };
    if let Ok(info) = nix::sys::sysinfo::sysinfo() {
        board.uptime_seconds = info.uptime().as_secs();
        board.load = (info.load_average().0 * 100.0).round() / 100.0;
        board.memory_bytes = info.ram_total();
        board.memory_free_bytes = info.ram_unused();
    }
    if let Ok(disk) = nix::sys::statvfs::statvfs(data) {
        let block = disk.fragment_size();
        board.disk_bytes = disk.blocks() * block;
        board.disk_free_bytes = disk.blocks_available() * block;
    }
    board
}

/// One line of a file; the device tree ends it with a zero byte.
fn word(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.to_owned())
}

fn system() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_under_the_test_has_memory_and_a_disk() {
        let board = read(Path::new("/"));
        assert!(board.memory_bytes > 0 && board.disk_bytes > 0 && board.kernel.is_some());
    }
}
