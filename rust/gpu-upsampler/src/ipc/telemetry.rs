//! Publishing the state, twenty times a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::board::Board;
use crate::machine::Watch;

const INTERVAL: Duration = Duration::from_millis(50);

pub(super) fn publish(socket: &zmq::Socket, board: &Board, ended: &AtomicBool) {
    let (mut sequence, mut machine) = (0, Watch::new());
    while !ended.load(Ordering::Relaxed) {
        board.flow().telemetry_turns.fetch_add(1, Ordering::Relaxed);
        let report = machine.look(|kind, message| board.note_fault(kind, message));
        let telemetry = board.telemetry(sequence, report);
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
