//! A flight recorder: what the daemon measured in the last minutes, so that a report of a gap or a
//! restart explains itself.
//!
//! A ring of samples in memory that is allocated once. One thread writes, ten times a second;
//! anybody reads. When systemd's watchdog ends the process by SIGABRT, the ring goes to the disk
//! on the way ([`write_at_abort`]), and the next start tells it. [`plot`] draws a table.

pub mod plot;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use signal_hook::consts::SIGABRT;
use signal_hook::low_level;

/// Between two samples.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// Five minutes.
const SAMPLES: usize = 3000;

/// What each sample has, as the columns of the table.
pub const COLUMNS: [&str; 16] = [
    "uptime_ms",
    "state",
    "input_rate_hz",
    "output_rate_hz",
    "to_engine_frames",
    "from_engine_frames",
    "dac_frames",
    "correction_ppm",
    "level_ms",
    "load_mean",
    "load_highest",
    "longest_turn_us",
    "capture_xruns",
    "playback_xruns",
    "rate_switches",
    "gpu_faults",
];

/// Those of the columns that are numbers with a fraction, kept as the bits of an `f32`.
const FRACTIONS: [usize; 4] = [7, 8, 9, 10];

const WORDS: usize = COLUMNS.len();

/// What a file begins with: these letters, the version, and the shape.
const MAGIC: [u8; 8] = *b"TOTTONFR";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 * 4;

/// One look at everything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    pub uptime: Duration,
    /// Number of the state in `totton_protocol::State`, in their order.
    pub state: u32,
    pub input_rate: u32,
    pub output_rate: u32,
    pub to_engine_frames: u32,
    pub from_engine_frames: u32,
    pub dac_frames: u32,
    pub correction_ppm: f32,
    /// Sound under way.
    pub level: Duration,
    /// The engine's part of the time, on average and at most, since the sample before.
    pub load_mean: f32,
    pub load_highest: f32,
    /// The supervisor's longest turn since the sample before.
    pub longest_turn: Duration,
    pub capture_xruns: u32,
    pub playback_xruns: u32,
    pub rate_switches: u32,
    pub gpu_faults: u32,
}

impl Sample {
    fn words(&self) -> [u32; WORDS] {
        let clamp = |number: u128| u32::try_from(number).unwrap_or(u32::MAX);
        [
            clamp(self.uptime.as_millis()),
            self.state,
            self.input_rate,
            self.output_rate,
            self.to_engine_frames,
            self.from_engine_frames,
            self.dac_frames,
            self.correction_ppm.to_bits(),
            (self.level.as_secs_f32() * 1000.0).to_bits(),
            self.load_mean.to_bits(),
            self.load_highest.to_bits(),
            clamp(self.longest_turn.as_micros()),
            self.capture_xruns,
            self.playback_xruns,
            self.rate_switches,
            self.gpu_faults,
        ]
    }
}

/// The ring.
pub struct Recorder {
    /// Samples written so far.
    written: AtomicU64,
    words: Box<[AtomicU32]>,
}

impl Default for Recorder {
    fn default() -> Self {
        let words = (0..SAMPLES * WORDS).map(|_| AtomicU32::new(0)).collect();
        Self { written: AtomicU64::new(0), words }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder {{ written: {} }}", self.written.load(Ordering::Relaxed))
    }
}

impl Recorder {
    /// Takes a sample in the place of the oldest. For one thread.
    pub fn note(&self, sample: &Sample) {
        let written = self.written.load(Ordering::Relaxed);
        let at = (written % SAMPLES as u64) as usize * WORDS;
        for (place, word) in self.words[at..at + WORDS].iter().zip(sample.words()) {
            place.store(word, Ordering::Relaxed);
        }
        self.written.store(written + 1, Ordering::Release);
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let written = self.written.load(Ordering::Acquire);
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        // The place of the oldest, and how many there are.
        let count = written.min(SAMPLES as u64) as u32;
        let oldest = if written > SAMPLES as u64 { (written % SAMPLES as u64) as u32 } else { 0 };
        for (place, word) in
            header[8..].chunks_exact_mut(4).zip([VERSION, WORDS as u32, oldest, count])
        {
            place.copy_from_slice(&word.to_le_bytes());
        }
        header
    }

    /// What has been recorded, as a table of comma-separated values, the oldest first.
    pub fn table(&self) -> String {
        let mut bytes = self.header().to_vec();
        bytes.extend(self.words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()));
        table(&bytes).unwrap_or_default()
    }

    /// Writes header and ring to an open file, and does nothing that a signal handler may not.
    fn dump(&self, file: i32) {
        let header = self.header();
        // SAFETY: both are memory of that length, and pwrite(2) may be called in a handler. Of a
        // machine with the other byte order there is none (checked below).
        unsafe {
            libc::pwrite(file, header.as_ptr().cast(), header.len(), 0);
            let bytes = self.words.len() * 4;
            libc::pwrite(file, self.words.as_ptr().cast(), bytes, HEADER_BYTES as i64);
            libc::fsync(file);
        }
    }
}

const _: () = assert!(cfg!(target_endian = "little"), "the ring is written as it lies in memory");

/// The table of a file that [`write_at_abort`] has left; `None`: it is none.
pub fn table(bytes: &[u8]) -> Option<String> {
    let (header, ring) = bytes.split_at_checked(HEADER_BYTES)?;
    let word = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
    let numbers: Vec<usize> =
        header[8..].chunks_exact(4).filter_map(word).map(|word| word as usize).collect();
    let [version, words, oldest, count] = numbers[..] else { return None };
    let fits = header.starts_with(&MAGIC)
        && version == VERSION as usize
        && words == WORDS
        && ring.len() == SAMPLES * WORDS * 4
        && oldest < SAMPLES
        && count <= SAMPLES;
    if !fits {
        return None;
    }
    let mut table = COLUMNS.join(",") + "\n";
    for sample in (oldest..).take(count).map(|at| at % SAMPLES) {
        let words = ring[sample * WORDS * 4..][..WORDS * 4].chunks_exact(4).filter_map(word);
        for (column, word) in words.enumerate() {
            let comma = if column == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = match FRACTIONS.contains(&column) {
                true => write!(table, "{comma}{:.3}", f32::from_bits(word)),
                false => write!(table, "{comma}{word}"),
            };
        }
        table.push('\n');
    }
    Some(table)
}

/// The file that an abort leaves, beside the settings.
pub fn file_beside(settings: &Path) -> PathBuf {
    settings.with_file_name("flight-recorder")
}

/// Has SIGABRT write the ring to `file` before it ends the process, as it would without this.
///
/// # Errors
/// When the file cannot be opened, or the signal not be listened to.
pub fn write_at_abort(recorder: Arc<Recorder>, file: &Path) -> io::Result<()> {
    // Opened now: a handler must not look for it. What an earlier abort has left stays in it.
    let open = File::options().create(true).write(true).truncate(false).open(file)?;
    let handler = move || {
        recorder.dump(open.as_raw_fd());
        let _ = low_level::emulate_default_handler(SIGABRT);
    };
    // SAFETY: the handler writes memory that stays, with calls that a handler may make.
    unsafe { low_level::register(SIGABRT, handler) }.map(drop)
}

/// The table that an earlier abort has left in `file`.
pub fn left_by_an_abort(file: &Path) -> Option<String> {
    table(&fs::read(file).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: u32) -> Sample {
        Sample {
            uptime: Duration::from_millis(u64::from(n)),
            load_mean: 0.25,
            correction_ppm: -12.5,
            ..Sample::default()
        }
    }

    fn uptimes(table: &str) -> Vec<u32> {
        table.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn the_table_has_the_last_minutes_from_the_oldest_on() {
        let recorder = Recorder::default();
        assert_eq!(recorder.table(), COLUMNS.join(",") + "\n");
        (0..5).for_each(|n| recorder.note(&sample(n)));
        assert_eq!(uptimes(&recorder.table()), [0, 1, 2, 3, 4]);
        assert!(recorder.table().contains("\n4,0,0,0,0,0,0,-12.500,0.000,0.250,0.000,0,"));
        (5..SAMPLES as u32 + 7).for_each(|n| recorder.note(&sample(n)));
        let found = uptimes(&recorder.table());
        assert_eq!((found.len(), found[0], found[SAMPLES - 1]), (SAMPLES, 7, SAMPLES as u32 + 6));
        assert!(found.is_sorted());
    }

    #[test]
    fn a_file_is_what_the_ring_was_and_anything_else_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = file_beside(&folder.path().join("settings.json"));
        let recorder = Recorder::default();
        (0..10).for_each(|n| recorder.note(&sample(n)));
        let file = File::create(&place).unwrap();
        recorder.dump(file.as_raw_fd());
        assert_eq!(left_by_an_abort(&place), Some(recorder.table()));
        let whole = fs::read(&place).unwrap();
        for bad in [&b""[..], b"TOTTONFR", &whole[..whole.len() - 1], &[0; 200_000]] {
            assert_eq!(table(bad), None);
        }
    }
}
