//! The sockets that the other services talk to: see `totton-protocol`.
//!
//! - [`control`]: answers requests (REP); [`orders`]: those that take longer
//! - [`telemetry`]: publishes the state (PUB)

mod control;
mod orders;
mod telemetry;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread::JoinHandle;

use totton_protocol::endpoint;

use self::control::Control;
use crate::board::Board;
use crate::error::Error;
use crate::spectrum;
use crate::supervisor::{Event, tell_of_death};
use crate::threads;

/// Something to be done, and the way to who does it.
type Errand = Box<dyn FnOnce() + Send>;
type Helper = SyncSender<Errand>;

/// The two sockets, served by a thread each, and one that looks at the sound for them. Dropping it ends both.
#[must_use]
pub struct Sockets {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    files: Vec<PathBuf>,
}

impl Sockets {
    /// Binds both sockets in `folder` and serves them.
    ///
    /// # Errors
    /// When a socket cannot be bound, or its file not be given its mode.
    pub fn open(folder: &Path, board: &Arc<Board>, events: &Sender<Event>) -> Result<Self, Error> {
        let context = zmq::Context::new();
        let mut sockets =
            Self { ended: Arc::new(AtomicBool::new(false)), threads: vec![], files: vec![] };

        let control = sockets.bind(&context, zmq::REP, folder, endpoint::CONTROL_FILE)?;
        let (spectrum, looker) = spectrum::ends(board.flow());
        sockets.spawn("spectrum", events, move || looker.run())?;
        let (board_, for_control, ended) =
            (Arc::clone(board), events.clone(), Arc::clone(&sockets.ended));
        let (folders, recorder) =
            (sockets.helper("folders", events)?, sockets.helper("recorder", events)?);
        sockets.spawn("control", events, move || {
            // Dropped at the end: that ends the threads behind them, too.
            let (spectrum, folders, recorder) = (spectrum, folders, recorder);
            let (board, events, ended) = (&board_, &for_control, &ended);
            let (spectrum, folders, recorder) = (&spectrum, &folders, &recorder);
            Control { board, events, ended, spectrum, folders, recorder }.serve(&control);
        })?;

        let telemetry = sockets.bind(&context, zmq::PUB, folder, endpoint::TELEMETRY_FILE)?;
        let (board, ended) = (Arc::clone(board), Arc::clone(&sockets.ended));
        sockets
            .spawn("telemetry", events, move || telemetry::publish(&telemetry, &board, &ended))?;
        Ok(sockets)
    }

    fn bind(
        &mut self,
        context: &zmq::Context,
        kind: zmq::SocketType,
        folder: &Path,
        name: &str,
    ) -> Result<zmq::Socket, Error> {
        let file = folder.join(name);
        let endpoint = format!("ipc://{}", file.display());
        let of_file = |source| Error::File { file: file.clone(), source };
        // What a killed daemon left behind.
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(of_file(error));
            }
            _ => {}
        }
        let bind = || -> Result<zmq::Socket, zmq::Error> {
            let socket = context.socket(kind)?;
            socket.set_linger(0)?;
            if kind == zmq::REP {
                socket.set_maxmsgsize(control::HARD_LIMIT_BYTES)?;
            } else {
                // Messages kept for a listener that does not read; older ones are of no use to it.
                socket.set_sndhwm(10)?;
            }
            socket.bind(&endpoint)?;
            Ok(socket)
        };
        let socket =
            bind().map_err(|source| Error::Socket { endpoint: endpoint.clone(), source })?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).map_err(of_file)?;
        self.files.push(file);
        Ok(socket)
    }

    /// A thread for what the control socket must not wait for. It is not waited for at the end: a
    /// folder may not answer.
    fn helper(&self, name: &'static str, events: &Sender<Event>) -> Result<Helper, Error> {
        let (helper, errands) = mpsc::sync_channel::<Errand>(4);
        let ended = Arc::clone(&self.ended);
        let ended = move || ended.load(Ordering::Relaxed);
        let work = move || errands.iter().for_each(|errand| errand());
        threads::vital(name, tell_of_death(events), ended, work)?;
        Ok(helper)
    }

    fn spawn(
        &mut self,
        name: &'static str,
        events: &Sender<Event>,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let ended = Arc::clone(&self.ended);
        let ended = move || ended.load(Ordering::Relaxed);
        self.threads.push(threads::vital(name, tell_of_death(events), ended, work)?);
        Ok(())
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic in it has been printed already, and there is nothing left to do here.
            let _ = thread.join();
        }
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}
