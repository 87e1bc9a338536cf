//! The audio daemon of a page without a device; `rust/totton-audio-web/try` starts both.
//!
//! The double writes settings for the service into the folder, and then acts as
//! the audio daemon until it is ended. A line on its standard input sets the
//! state: `streaming`, `waiting-for-input`, `waiting-for-dac`, `idle`, `stuck`,
//! `starting`.

#[allow(dead_code, clippy::unwrap_used)]
#[path = "../tests/double/mod.rs"]
mod double;

use std::io::BufRead;
use std::path::PathBuf;

use totton_protocol::State;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(port)) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return Err("usage: daemon-double FOLDER PORT".into());
    };
    std::fs::create_dir_all(&folder)?;
    let (control, telemetry) = double::endpoints(&folder);
    let settings = format!(
        "listen.hosts = [\"127.0.0.1\"]\nlisten.port = {port}\n\
         storage.folder = {data:?}\nsystem.power_sockets = {folder:?}\n\
         system.updater_sockets = {updater:?}\nsystem.check_socket = {check:?}\n\
         daemon.control = {control:?}\ndaemon.telemetry = {telemetry:?}\n",
        data = folder.join("data"),
        updater = folder.join("updater"),
        check = folder.join("check"),
    );
    std::fs::write(folder.join("web.toml"), settings)?;
    let double = double::Double::start(&folder);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let Ok(state) = serde_json::from_value::<State>(line.trim().into()) else {
            eprintln!("no such state: {line}");
            continue;
        };
        let mut status = double::streaming();
        let missing = |name: &str| format!("{name} is not there; looking again every second");
        match state {
            State::Streaming | State::Idle | State::Stuck => {}
            State::WaitingForInput => {
                status.input = None;
                status.message = missing("hw:UAC2Gadget,0");
            }
            State::WaitingForDac => {
                status.output = None;
                status.message = missing("hw:DAC,0");
                status.last_error = Some("hw:DAC,0: No such device (os error 19)".to_owned());
            }
            State::Starting | State::Stopping => {
                (status.input, status.output, status.engine) = (None, None, None);
                status.message = "loading the filter".to_owned();
            }
        }
        status.state = state;
        if let Ok(mut shared) = double.shared.lock() {
            shared.status = status;
        }
    }
    // Standard input is closed: go on as it is.
    loop {
        std::thread::park();
    }
}
