//! Publishing the state, twenty times a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use totton_protocol::{PROTOCOL_VERSION, Telemetry};

use crate::board::Board;

const INTERVAL: Duration = Duration::from_millis(50);

pub(super) fn publish(socket: &zmq::Socket, board: &Board, ended: &AtomicBool) {
    let mut sequence = 0;
    while !ended.load(Ordering::Relaxed) {
        let telemetry = Telemetry {
            version: PROTOCOL_VERSION,
            sequence,
            status: board.status(),
            levels: board.take_levels(),
            drift: board.drift(),
            ..Telemetry::default()
        };
        sequence += 1;
        match serde_json::to_vec(&telemetry) {
            // A PUB socket never waits: a listener that does not read misses messages.
            Ok(text) => match socket.send(text, zmq::DONTWAIT) {
                Ok(()) | Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => {}
                Err(error) => return log::error!("the telemetry socket is lost: {error}"),
            },
            Err(error) => log::error!("telemetry cannot be written: {error}"),
        }
        thread::sleep(INTERVAL);
    }
}
