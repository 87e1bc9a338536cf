//! The thread that writes the settings to the disk: soon after a change, and not
//! oftener than twice a second, however often a slider moves.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::Store;
use super::disk::Disk;
use super::file::{self, FileError};
use crate::error::Error;
use crate::threads;

/// Changes that come within this time after the first are written together.
const GATHER: Duration = Duration::from_millis(500);

/// How long to wait before a disk that refused is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How long to wait for a change at a time.
const TURN: Duration = Duration::from_secs(60);

/// The thread. Dropping it writes what is still to be written, and ends it.
#[must_use]
pub struct Writer {
    store: Arc<Store>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Writes `store` to `file` from now on; each attempt is told to `told`. `died` hears when
    /// the thread ends by itself.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        store: Arc<Store>,
        mut disk: Box<dyn Disk>,
        file: PathBuf,
        told: impl Fn(Result<(), FileError>) + Send + 'static,
        died: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<Self, Error> {
        let (ours, over) = (Arc::clone(&store), Arc::clone(&store));
        let over = move || over.ended_within(Duration::ZERO);
        let work = move || run(&ours, disk.as_mut(), &file, told);
        let thread = threads::vital("settings", died, over, work)?;
        Ok(Self { store, thread: Some(thread) })
    }
}

fn run(
    store: &Store,
    disk: &mut dyn Disk,
    file: &std::path::Path,
    told: impl Fn(Result<(), FileError>),
) {
    let mut ended = false;
    loop {
        let change = store.unstored(if ended { Duration::ZERO } else { TURN });
        if change.is_none() {
            if ended || store.ended_within(Duration::ZERO) {
                return;
            }
            continue;
        }
        ended = ended || store.ended_within(GATHER);
        // What has come meanwhile is written, too.
        let Some((settings, revision)) = store.unstored(Duration::ZERO) else { continue };
        let outcome = file::write(disk, file, &settings, store.foreign());
        let done = outcome.is_ok();
        if done {
            store.note_stored(revision);
        }
        told(outcome);
        if !done {
            if ended {
                return;
            }
            ended = store.ended_within(RETRY);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.store.end();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;
    use std::time::Instant;

    use totton_protocol::Settings;

    use super::*;
    use crate::settings::disk::RealDisk;

    #[test]
    fn many_changes_are_few_writes_and_the_last_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        let store = Arc::new(Store::new(Settings::default(), false));
        let writes = Arc::new(Mutex::new(0));
        let told = Arc::clone(&writes);
        let writer = Writer::start(
            Arc::clone(&store),
            Box::new(RealDisk),
            file.clone(),
            move |o| {
                o.unwrap();
                *told.lock().unwrap() += 1;
            },
            |name| panic!("{name} died"),
        )
        .unwrap();
        for step in 0..1000 {
            store.change(|settings| settings.sound.gain_db = -f64::from(step) / 100.0);
        }
        assert!(!store.state().stored);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !store.state().stored {
            assert!(Instant::now() < deadline, "it is stored soon");
            thread::sleep(Duration::from_millis(5));
        }
        assert!(*writes.lock().unwrap() <= 2);
        let gain_db = || file::read(&mut RealDisk, &file).unwrap().unwrap().settings.sound.gain_db;
        assert_eq!(gain_db(), -9.99);
        // What was changed just before the end is there after it.
        store.change(|settings| settings.sound.gain_db = -33.0);
        drop(writer);
        assert_eq!(gain_db(), -33.0);
    }

    #[test]
    fn a_disk_that_refuses_is_told_and_does_not_hold_up_the_end() {
        let store = Arc::new(Store::new(Settings::default(), false));
        let failures = Arc::new(Mutex::new(vec![]));
        let told = Arc::clone(&failures);
        let started = Instant::now();
        let place = PathBuf::from("/nonexistent/settings.json");
        let writer = Writer::start(
            Arc::clone(&store),
            Box::new(RealDisk),
            place,
            move |outcome| {
                told.lock().unwrap().push(outcome.unwrap_err().to_string());
            },
            |name| panic!("{name} died"),
        )
        .unwrap();
        store.change(|settings| settings.sound.mute = true);
        drop(writer);
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        let failures = failures.lock().unwrap();
        assert!(failures[0].contains("/nonexistent/settings.json"), "{failures:?}");
        assert!(!store.state().stored);
    }
}
