//! A stand-in for SWUpdate on its two sockets, with its structures.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

const MAGIC: u32 = 0x1405_2001;

/// How the update ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Success,
    Failure(&'static str),
    Busy,
}

/// What SWUpdate was given.
#[derive(Default)]
pub struct Seen {
    pub bundle: Vec<u8>,
    pub dry_run: u32,
}

/// Serves both sockets in `folder` until the test ends.
pub fn start(folder: &Path, end: End) -> Arc<Mutex<Seen>> {
    std::fs::create_dir_all(folder).unwrap();
    let control = UnixListener::bind(folder.join("control.sock")).unwrap();
    let progress = UnixListener::bind(folder.join("progress.sock")).unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let listeners = Arc::new(Mutex::new(Vec::<UnixStream>::new()));
    std::thread::spawn({
        let listeners = Arc::clone(&listeners);
        move || {
            for socket in progress.incoming() {
                let mut socket = socket.unwrap();
                // Whoever has read the acknowledgement may rely on being told of everything.
                let mut listeners = listeners.lock().unwrap();
                // progress_connect_ack: version 2.0.0, "ACK".
                socket.write_all(&[0, 0, 2, 0, b'A', b'C', b'K', 0]).unwrap();
                listeners.push(socket);
            }
        }
    });
    std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            for socket in control.incoming() {
                let mut socket = socket.unwrap();
                let mut message = [0; 3120];
                if socket.read_exact(&mut message).is_err() {
                    continue;
                }
                assert_eq!(number(&message, 0), MAGIC);
                match number(&message, 4) {
                    // GET_STATUS: idle.
                    3 => {
                        message[8..].fill(0);
                        message[4..8].copy_from_slice(&1_u32.to_ne_bytes());
                        socket.write_all(&message).unwrap();
                    }
                    // REQ_INSTALL
                    0 => {
                        assert_eq!(number(&message, 8), 1, "the request's API version");
                        seen.lock().unwrap().dry_run = number(&message, 16);
                        install(socket, message, end, &seen, &listeners);
                    }
                    other => panic!("an unknown request {other}"),
                }
            }
        }
    });
    seen
}

fn install(
    mut socket: UnixStream,
    mut message: [u8; 3120],
    end: End,
    seen: &Mutex<Seen>,
    listeners: &Mutex<Vec<UnixStream>>,
) {
    message[8..].fill(0);
    let answer: u32 = if end == End::Busy { 2 } else { 1 };
    message[4..8].copy_from_slice(&answer.to_ne_bytes());
    if end == End::Busy {
        message[8..32].copy_from_slice(b"Installation in progress");
    }
    socket.write_all(&message).unwrap();
    if end == End::Busy {
        return;
    }
    let mut bundle = Vec::new();
    socket.read_to_end(&mut bundle).unwrap();
    seen.lock().unwrap().bundle = bundle;
    let (last, info) = match end {
        End::Failure(info) => (4, info),
        _ => (3, "SWUPDATE successful"),
    };
    for (status, percent, info) in [(1, 0, ""), (2, 50, "Installing"), (last, 100, info)] {
        let mut message = [0; 2408];
        for (offset, value) in [(0, 0x2_0000_u32), (4, status), (20, 2), (24, 1), (28, percent)] {
            message[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        message[32..42].copy_from_slice(b"rootfs.img");
        message[360..360 + info.len()].copy_from_slice(info.as_bytes());
        for listener in listeners.lock().unwrap().iter_mut() {
            let _ = listener.write_all(&message);
        }
    }
}

fn number(message: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(message[offset..offset + 4].try_into().unwrap())
}
