//! What the process uses of the memory, and the service's limits (cgroup v2).

use std::fs;
use std::path::{Path, PathBuf};

use totton_protocol::Memory;

/// Reads the kernel's figures, and notices when a limit was reached.
#[derive(Debug)]
pub struct MemoryWatch {
    status: PathBuf,
    /// The folder of the service's control group, where there is one.
    group: Option<PathBuf>,
    /// Times that the group was slowed down at its `high` limit, or stood at its `max`.
    reached: Option<(u64, u64)>,
}

impl MemoryWatch {
    /// Watches this process; `root` is the folder of `proc` and `sys`.
    pub fn of_this_process(root: &Path) -> Self {
        let path = fs::read_to_string(root.join("proc/self/cgroup")).ok().and_then(|text| {
            let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
            Some(root.join("sys/fs/cgroup").join(path))
        });
        let mut watch = Self { status: root.join("proc/self/status"), group: path, reached: None };
        watch.reached = watch.events();
        watch
    }

    /// The figures now; `None` where the kernel does not tell them.
    pub fn read(&self) -> Option<Memory> {
        let status = fs::read_to_string(&self.status).ok()?;
        let kilobytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Memory {
            resident_bytes: kilobytes("VmRSS")? * 1024,
            locked_bytes: kilobytes("VmLck").unwrap_or(0) * 1024,
            service_bytes: self.number("memory.current"),
            service_high_bytes: self.number("memory.high"),
            service_max_bytes: self.number("memory.max"),
        })
    }

    /// What happened at the service's limits since the last call, in words.
    pub fn limit_was_reached(&mut self) -> Option<String> {
        let now = self.events()?;
        let before = self.reached.replace(now)?;
        let limits = [
            ("MemoryHigh=", now.0 - before.0.min(now.0)),
            ("MemoryMax=", now.1 - before.1.min(now.1)),
        ];
        let (limit, times) = limits.into_iter().rev().find(|(_, times)| *times > 0)?;
        let used = self.number("memory.current").unwrap_or(0) / (1024 * 1024);
        Some(format!(
            "the service reached {limit} {times} times, and uses {used} MiB; raise the limit in a \
             drop-in of gpu-upsampler.service, or use a shorter filter"
        ))
    }

    /// How often the limits `high` and `max` were reached so far.
    fn events(&self) -> Option<(u64, u64)> {
        let text = fs::read_to_string(self.group.as_ref()?.join("memory.events")).ok()?;
        let count = |key: &str| {
            let of = |line: &str| {
                line.split_once(' ').filter(|(k, _)| *k == key).map(|(_, n)| n.parse().ok())
            };
            text.lines().find_map(of).flatten()
        };
        Some((count("high")?, count("max")?))
    }

    /// A number in the group's folder; `None` also for `max`, no limit.
    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.group.as_ref()?.join(file)).ok()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(events: &str) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("sys/fs/cgroup/system.slice/a.service");
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::create_dir_all(&group).unwrap();
        let write = |file: &str, text: &str| fs::write(root.path().join(file), text).unwrap();
        write("proc/self/cgroup", "0::/system.slice/a.service\n");
        write("proc/self/status", "Name:\tx\nVmLck:\t     512 kB\nVmRSS:\t    2048 kB\n");
        fs::write(group.join("memory.current"), "3145728\n").unwrap();
        fs::write(group.join("memory.high"), "max\n").unwrap();
        fs::write(group.join("memory.max"), "2147483648\n").unwrap();
        fs::write(group.join("memory.events"), events).unwrap();
        (root, group)
    }

    #[test]
    fn the_figures_are_the_kernels() {
        let (root, _) = machine("low 0\nhigh 0\nmax 0\noom 0\n");
        let memory = MemoryWatch::of_this_process(root.path()).read().unwrap();
        assert_eq!((memory.resident_bytes, memory.locked_bytes), (2 << 20, 512 << 10));
        assert_eq!((memory.service_bytes, memory.service_high_bytes), (Some(3 << 20), None));
        assert_eq!(memory.service_max_bytes, Some(2 << 30));
    }

    #[test]
    fn a_limit_that_is_reached_is_told_once() {
        let (root, group) = machine("low 0\nhigh 5\nmax 0\noom 0\n");
        let mut watch = MemoryWatch::of_this_process(root.path());
        assert_eq!(watch.limit_was_reached(), None, "what was before us is not ours");
        fs::write(group.join("memory.events"), "low 0\nhigh 7\nmax 0\noom 0\n").unwrap();
        let told = watch.limit_was_reached().unwrap();
        assert!(told.contains("MemoryHigh= 2 times, and uses 3 MiB"), "{told}");
        assert_eq!(watch.limit_was_reached(), None);
        fs::write(group.join("memory.events"), "low 0\nhigh 9\nmax 1\noom 0\n").unwrap();
        assert!(watch.limit_was_reached().unwrap().contains("MemoryMax= 1 times"));
    }

    #[test]
    fn this_process_has_memory() {
        let memory = MemoryWatch::of_this_process(Path::new("/")).read().unwrap();
        assert!(memory.resident_bytes > 100_000);
    }
}
