//! A stand-in for the audio daemon on sockets of its own: it has settings, carries out what it
//! is told, and refuses as the daemon does. It notes what a page must never send.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use totton_dsp::{Equaliser, Filter, Origin, Phase};
use totton_protocol::settings::Refused;
use totton_protocol::{
    Answer, Command, Dac, ErrorCode, FilterChoice, FilterFile, Reply, Request, Settings, Status,
};

use crate::settings::harmless;

/// What it has and has noted.
#[derive(Default)]
pub struct State {
    pub settings: Settings,
    revision: u64,
    /// What a page has sent that is no request.
    pub not_understood: Option<String>,
}

/// The stand-in; its thread ends with the process.
pub struct Daemon {
    state: Arc<Mutex<State>>,
    /// The path of its one filter in the list.
    pub filter: String,
}

impl Daemon {
    /// Starts it with a control socket at `endpoint` and one filter in `folder`.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn start(endpoint: &str, folder: &Path) -> Self {
        let file = folder.join("44100-x16.filter");
        let origin = Origin::Imported { source: "one tap".to_owned() };
        let made = Filter::new(44_100, 16, Phase::Minimum, origin, vec![16.0, 0.5]);
        made.and_then(|filter| filter.save(&file)).expect("a filter");
        let filter = folder.join("{family}-x{ratio}.filter").display().to_string();
        let choice = FilterChoice {
            path: filter.clone(),
            label: "one".to_owned(),
            in_use: true,
            files: vec![FilterFile {
                file: file.display().to_string(),
                bytes: 200,
                input_rate: Some(44_100),
                ratio: Some(16),
                taps: Some(2),
                phase: Some("minimum".to_owned()),
                problem: None,
            }],
        };
        let socket = zmq::Context::new().socket(zmq::REP).expect("a socket");
        socket.bind(endpoint).expect("a socket that is bound");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            while let Ok(request) = socket.recv_bytes(0) {
                let reply = lock(&shared).answer(&request, &choice);
                let text = serde_json::to_vec(&reply).unwrap_or_default();
                if socket.send(text, 0).is_err() {
                    break;
                }
            }
        });
        Self { state, filter }
    }

    /// Its state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&mut self, request: &[u8], filter: &FilterChoice) -> Reply {
        let command = match Request::parse(request) {
            Ok(request) => request.command,
            Err(reply) => {
                if !matches!(*reply, Reply::Error { code: ErrorCode::OutOfRange, .. }) {
                    self.not_understood = Some(String::from_utf8_lossy(request).into_owned());
                }
                return *reply;
            }
        };
        match command {
            Command::SetMute { mute } => self.settings.sound.mute = mute,
            Command::SetGain { gain_db } => self.settings.sound.gain_db = gain_db,
            Command::Settings => return self.told(),
            Command::ReplaceSettings { settings } => return self.take(*settings),
            Command::ChangeSettings { changes } => {
                return match self.settings.changed(changes.into()) {
                    Ok(settings) => self.take(settings),
                    Err(Refused::OutOfRange(error)) => error.into(),
                    Err(error) => Reply::error(ErrorCode::BadRequest, error.to_string()),
                };
            }
            Command::CheckEqualiser { text } => {
                return match Equaliser::parse(text.as_str(), "the text") {
                    Ok(found) => Reply::Ok(Answer::Equaliser {
                        preamp_db: found.preamp_db,
                        bands: found.bands.len().try_into().unwrap_or(u32::MAX),
                        curves: found.curves.len().try_into().unwrap_or(u32::MAX),
                    }),
                    Err(error) => Reply::error(ErrorCode::BadEqualiser, error.to_string()),
                };
            }
            Command::Dacs => return Reply::Ok(Answer::Dacs { dacs: vec![Dac::default()] }),
            Command::Filters => {
                return Reply::Ok(Answer::Filters { filters: vec![filter.clone()] });
            }
            Command::Spectrum => return Reply::Ok(Answer::Spectrum { input: None, output: None }),
            Command::FlightRecorder => {
                return Reply::Ok(Answer::FlightRecorder { now: String::new(), at_abort: None });
            }
            Command::Outcome { order } => {
                return Reply::error(ErrorCode::Failed, format!("no order {order}"));
            }
            Command::Status | Command::Reload | Command::RestartStream | Command::ResetOvers => {}
        }
        let status = Status { sound: self.settings.sound, ..Status::default() };
        Reply::status(status)
    }

    fn take(&mut self, settings: Settings) -> Reply {
        if let Some(equaliser) = &settings.equaliser
            && let Err(error) = Equaliser::parse(equaliser.text.as_str(), "the text")
        {
            return Reply::error(ErrorCode::BadEqualiser, error.to_string());
        }
        harmless(&settings);
        self.settings = settings;
        self.revision += 1;
        self.told()
    }

    fn told(&self) -> Reply {
        let (settings, revision) = (Box::new(self.settings.clone()), self.revision);
        Reply::Ok(Answer::Settings { settings, revision })
    }
}
