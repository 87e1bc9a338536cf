//! The updater, SWUpdate, by its two sockets.
//!
//! `control.sock` takes an install request and then the bundle itself;
//! `progress.sock` tells how far it is. Both speak C structures of the machine:
//! `ipc_message` (`network_ipc.h`) and `progress_msg` (`progress_ipc.h`), here as
//! they are on a 64-bit Linux. SWUpdate checks the bundle's signature while it
//! reads, and writes to the slot that is not running.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Longest wait for SWUpdate's answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A bundle's piece must be taken within this time; a slow disk takes a while.
const WRITE: Duration = Duration::from_secs(60);

const MAGIC: u32 = 0x1405_2001;
/// `sizeof(ipc_message)`, and where its union starts.
pub const MESSAGE: usize = 3120;
const DATA: usize = 8;

const REQ_INSTALL: u32 = 0;
const ACK: u32 = 1;
const GET_STATUS: u32 = 3;

const API_VERSION: u32 = 1;
const SOURCE_LOCAL: u32 = 4;
const RUN_INSTALL: u32 = 2;
const RUN_DRYRUN: u32 = 1;

/// `sizeof(struct progress_msg)` and `sizeof(struct progress_connect_ack)`.
pub const PROGRESS: usize = 2408;
const PROGRESS_ACK: usize = 8;
const PROGRESS_MAJOR: u32 = 2;

/// What SWUpdate is doing (`RECOVERY_STATUS`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// An update begins.
    Start,
    /// It reads and writes.
    Run,
    /// The update is whole and will be started next.
    Success,
    /// It was given up; the running system is as it was.
    Failure,
    /// It loads from the network.
    Download,
    /// It has ended.
    Done,
    /// Something else.
    Other,
}

impl Phase {
    fn of(number: u32) -> Self {
        match number {
            0 => Self::Idle,
            1 => Self::Start,
            2 | 8 => Self::Run,
            3 => Self::Success,
            4 => Self::Failure,
            5 => Self::Download,
            6 => Self::Done,
            _ => Self::Other,
        }
    }
}

/// How far an update is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    pub phase: Phase,
    /// Images of the bundle.
    pub steps: u32,
    /// The image that is written, from 1.
    pub step: u32,
    /// How much of it, in percent.
    pub percent: u32,
    /// Its name.
    pub image: String,
    /// SWUpdate's own words, where it tells.
    pub info: String,
}

/// SWUpdate's two sockets.
#[derive(Debug, Clone)]
pub struct Updater {
    control: PathBuf,
    progress: PathBuf,
}

impl Updater {
    /// The sockets in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { control: folder.join("control.sock"), progress: folder.join("progress.sock") }
    }

    /// What SWUpdate does, its last words; an error when there is none.
    ///
    /// # Errors
    /// 409 with the reason.
    pub fn state(&self) -> Result<(Phase, String), Problem> {
        let mut socket = connect(&self.control)?;
        let mut message = message(GET_STATUS);
        let answer = exchange(&mut socket, &mut message).map_err(|e| absent(&self.control, &e))?;
        Ok(status(answer))
    }

    /// Begins an update: what is written to the stream is the bundle. `check` only
    /// verifies it. Dropping the stream early gives the update up.
    ///
    /// # Errors
    /// 409 when there is no updater or it is busy.
    pub fn install(&self, check: bool) -> Result<UnixStream, Problem> {
        let mut socket = connect(&self.control)?;
        let mut message = message(REQ_INSTALL);
        let dry_run = if check { RUN_DRYRUN } else { RUN_INSTALL };
        for (offset, value) in [(0, API_VERSION), (4, SOURCE_LOCAL), (8, dry_run)] {
            put(&mut message, DATA + offset, value);
        }
        let answer = exchange(&mut socket, &mut message).map_err(|e| absent(&self.control, &e))?;
        if number(answer, 4) != ACK {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "updater-busy",
                "The updater does not take a bundle now",
                text(&answer[DATA..DATA + 128]),
                "Wait until the update under way has ended.",
            ));
        }
        socket
            .set_write_timeout(Some(WRITE))
            .map_err(|error| Problem::failed(format!("the updater's socket: {error}")))?;
        Ok(socket)
    }

    /// Listens to the progress.
    ///
    /// # Errors
    /// 409 with the reason.
    pub fn listen(&self) -> Result<Listener, Problem> {
        let mut socket = connect(&self.progress)?;
        let mut ack = [0; PROGRESS_ACK];
        socket.read_exact(&mut ack).map_err(|error| absent(&self.progress, &error))?;
        let major = number(&ack, 0) >> 16 & 0xffff;
        if &ack[4..7] != b"ACK" || major != PROGRESS_MAJOR {
            let reason = format!("it speaks version {major}; known here: {PROGRESS_MAJOR}");
            return Err(absent(&self.progress, &reason));
        }
        Ok(Listener(socket))
    }
}

/// The progress as it comes.
pub struct Listener(UnixStream);

impl Listener {
    /// The next message; `None` when nothing came within ten seconds.
    ///
    /// # Errors
    /// When SWUpdate has gone.
    pub fn heard(&mut self) -> std::io::Result<Option<Progress>> {
        let mut message = [0; PROGRESS];
        match self.0.read_exact(&mut message) {
            Ok(()) => Ok(Some(Progress::parse(&message))),
            Err(error) if is_timeout(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Progress {
    /// Reads a `progress_msg`.
    pub fn parse(message: &[u8; PROGRESS]) -> Self {
        // apiversion, status, dwl_percent: u32; dwl_bytes: u64; nsteps, cur_step, cur_percent: u32;
        // cur_image[256], hnd_name[64]; source, infolen: u32; info[2048]. Packed.
        Self {
            phase: Phase::of(number(message, 4)),
            steps: number(message, 20),
            step: number(message, 24),
            percent: number(message, 28).min(100),
            image: text(&message[32..288]),
            info: text(&message[360..]),
        }
    }
}

/// Reads an `ipc_message` that answers `GET_STATUS`: what SWUpdate does, its last words.
pub fn status(answer: &[u8; MESSAGE]) -> (Phase, String) {
    let (phase, last) = (Phase::of(number(answer, DATA)), Phase::of(number(answer, DATA + 4)));
    let phase = if phase == Phase::Idle { last } else { phase };
    (phase, text(&answer[DATA + 12..DATA + 12 + 2048]))
}

fn connect(path: &Path) -> Result<UnixStream, Problem> {
    let open = || {
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(ANSWER))?;
        socket.set_write_timeout(Some(ANSWER))?;
        Ok(socket)
    };
    open().map_err(|error: std::io::Error| absent(path, &error))
}

fn absent(path: &Path, reason: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no-updater",
        "This device cannot be updated from here",
        format!("SWUpdate does not answer on {}: {reason}", path.display()),
        "Flash the new image, or use an image that contains SWUpdate.",
    )
}

fn message(kind: u32) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    put(&mut message, 0, MAGIC);
    put(&mut message, 4, kind);
    message
}

/// Sends a message and reads the answer into its place.
fn exchange<'a>(
    socket: &mut UnixStream,
    message: &'a mut [u8; MESSAGE],
) -> std::io::Result<&'a [u8; MESSAGE]> {
    socket.write_all(message)?;
    socket.read_exact(message)?;
    if number(message, 0) != MAGIC {
        return Err(std::io::Error::other("the answer is not SWUpdate's"));
    }
    Ok(message)
}

fn put(message: &mut [u8], offset: usize, value: u32) {
    message[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
}

fn number(message: &[u8], offset: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&message[offset..offset + 4]);
    u32::from_ne_bytes(bytes)
}

/// A C string in a field.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).trim().to_owned()
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
