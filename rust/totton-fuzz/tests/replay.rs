//! Every input that is kept is harmless still.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use totton_fuzz::{TARGETS, Target, memory};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The longest that one input may take, in a build without optimisation on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

/// The most that is kept for one target.
const MOST_FILES: usize = 150;
const MOST_BYTES: usize = 256 * 1024;

fn files(target: &Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_is_taken_without_harm() {
    for target in TARGETS {
        let files = files(target);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let started = Instant::now();
            let result = std::panic::catch_unwind(|| (target.run)(&bytes));
            assert!(result.is_ok(), "{} does not hold, see above", file.display());
            assert!(started.elapsed() < LONGEST, "{}: {:?}", file.display(), started.elapsed());
        }
    }
}

#[test]
fn every_target_takes_nothing_and_noise() {
    let noise: Vec<u8> =
        (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for target in TARGETS {
        for bytes in [&[][..], &noise] {
            (target.run)(bytes);
        }
    }
}

#[test]
fn a_corpus_stays_small_and_belongs_to_a_target() {
    for target in TARGETS {
        let sizes: Vec<_> =
            files(target).iter().map(|file| fs::metadata(file).unwrap().len() as usize).collect();
        let bytes: usize = sizes.iter().sum();
        let fine = sizes.len() <= MOST_FILES && bytes <= MOST_BYTES;
        assert!(fine, "{}: {} files, {bytes} bytes", target.name, sizes.len());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(totton_fuzz::by_name(&name).is_some(), "corpus/{name} belongs to no target");
    }
}

#[test]
fn memory_is_counted() {
    let (kept, bytes) = memory::peak(|| {
        drop(vec![0u8; 3 << 20]);
        vec![0u8; 1 << 20]
    });
    assert_eq!(kept.len(), 1 << 20);
    assert!((3 << 20..4 << 20).contains(&bytes), "{bytes}");
    assert!(std::panic::catch_unwind(|| memory::within(100, || vec![0u8; 101])).is_err());
}
