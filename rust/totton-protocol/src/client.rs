//! Asking the daemon and listening to it, with deadlines.

use std::time::{Duration, Instant};

use thiserror::Error;

use crate::catalogue::{Dac, FilterChoice};
use crate::endpoint;
use crate::message::{Answer, Command, ErrorCode, Reply, Request, Telemetry};
use crate::settings::Settings;
use crate::status::Status;

/// Why the daemon could not be asked, or said no.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("cannot use the socket {endpoint}: {source}")]
    Socket { endpoint: String, source: zmq::Error },
    #[error("the audio daemon did not answer on {endpoint} within {deadline:?}")]
    NoAnswer { endpoint: String, deadline: Duration },
    #[error("the message on {endpoint} is not understood: {source}")]
    NotUnderstood { endpoint: String, source: serde_json::Error },
    #[error("{message}")]
    Refused { code: ErrorCode, message: String, line: Option<u32> },
    #[error("the audio daemon answered {command} with something else: {answer:?}")]
    Unexpected { command: &'static str, answer: Box<Answer> },
}

/// The first and the longest time between two questions how an order ended.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Asks the daemon. Blocking; each call opens a socket of its own, so that a
/// daemon that was away (a REQ socket would then be stuck) costs nothing later.
#[derive(Clone)]
pub struct Client {
    context: zmq::Context,
    endpoint: String,
    deadline: Duration,
}

impl Client {
    /// A client of the daemon on this device.
    pub fn new(deadline: Duration) -> Self {
        Self::with_endpoint(endpoint::CONTROL, deadline)
    }

    /// A client of a daemon at another endpoint.
    pub fn with_endpoint(endpoint: impl Into<String>, deadline: Duration) -> Self {
        Self { context: zmq::Context::new(), endpoint: endpoint.into(), deadline }
    }

    /// Sends one command and waits for its answer, at most the deadline; where it is an order that
    /// takes longer, for how that ended.
    ///
    /// # Errors
    /// [`ClientError::NoAnswer`] when the daemon is away or too slow,
    /// [`ClientError::Refused`] when it says no, or when an order is not done by the deadline.
    pub fn ask(&self, command: Command) -> Result<Answer, ClientError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut answer = self.ask_once(command)?;
        while let Answer::Pending { order } = answer {
            if started.elapsed() >= self.deadline {
                let code = ErrorCode::Failed;
                let message =
                    format!("not done after {:?}; it may still be carried out", self.deadline);
                return Err(ClientError::Refused { code, message, line: None });
            }
            std::thread::sleep(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
            answer = self.ask_once(Command::Outcome { order })?;
        }
        Ok(answer)
    }

    /// Sends one command and gives its answer, which may be [`Answer::Pending`].
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn ask_once(&self, command: Command) -> Result<Answer, ClientError> {
        let text =
            serde_json::to_vec(&Request::from(command)).map_err(|e| self.not_understood(e))?;
        let answer = self.exchange(&text).map_err(|source| match source {
            zmq::Error::EAGAIN => {
                ClientError::NoAnswer { endpoint: self.endpoint.clone(), deadline: self.deadline }
            }
            source => ClientError::Socket { endpoint: self.endpoint.clone(), source },
        })?;
        match serde_json::from_slice(&answer).map_err(|e| self.not_understood(e))? {
            Reply::Ok(answer) => Ok(answer),
            Reply::Error { code, message, line } => {
                Err(ClientError::Refused { code, message, line })
            }
        }
    }

    /// Sends a command that is answered with the status.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn call(&self, command: Command) -> Result<Status, ClientError> {
        let name = command.name();
        match self.ask(command)? {
            Answer::Status { status } => Ok(*status),
            answer => Err(unexpected(name, answer)),
        }
    }

    /// Sends a command that is answered with the settings; gives their revision, too.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn settings(&self, command: Command) -> Result<(Settings, u64), ClientError> {
        let name = command.name();
        match self.ask(command)? {
            Answer::Settings { settings, revision } => Ok((*settings, revision)),
            answer => Err(unexpected(name, answer)),
        }
    }

    /// The DACs that there are.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn dacs(&self) -> Result<Vec<Dac>, ClientError> {
        match self.ask(Command::Dacs)? {
            Answer::Dacs { dacs } => Ok(dacs),
            answer => Err(unexpected("dacs", answer)),
        }
    }

    /// The filters that there are.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn filters(&self) -> Result<Vec<FilterChoice>, ClientError> {
        match self.ask(Command::Filters)? {
            Answer::Filters { filters } => Ok(filters),
            answer => Err(unexpected("filters", answer)),
        }
    }

    fn exchange(&self, request: &[u8]) -> Result<Vec<u8>, zmq::Error> {
        let milliseconds = i32::try_from(self.deadline.as_millis()).unwrap_or(i32::MAX);
        let socket = self.context.socket(zmq::REQ)?;
        socket.set_linger(0)?;
        socket.set_sndtimeo(milliseconds)?;
        socket.set_rcvtimeo(milliseconds)?;
        // Queue nothing for a daemon that is away: the command would be carried out much later.
        socket.set_immediate(true)?;
        socket.connect(&self.endpoint)?;
        socket.send(request, 0)?;
        socket.recv_bytes(0)
    }

    fn not_understood(&self, source: serde_json::Error) -> ClientError {
        ClientError::NotUnderstood { endpoint: self.endpoint.clone(), source }
    }
}

fn unexpected(command: &'static str, answer: Answer) -> ClientError {
    ClientError::Unexpected { command, answer: Box::new(answer) }
}

/// Listens to the daemon's telemetry. Reconnects by itself when the daemon
/// comes back.
pub struct TelemetryListener {
    socket: zmq::Socket,
    endpoint: String,
    deadline: Duration,
}

impl TelemetryListener {
    /// Listens to the daemon on this device; [`next`](Self::next) waits at most `deadline`.
    ///
    /// # Errors
    /// [`ClientError::Socket`] when no socket can be made.
    pub fn new(deadline: Duration) -> Result<Self, ClientError> {
        Self::with_endpoint(endpoint::TELEMETRY, deadline)
    }

    /// Listens at another endpoint.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_endpoint(endpoint: &str, deadline: Duration) -> Result<Self, ClientError> {
        let open = || -> Result<zmq::Socket, zmq::Error> {
            let socket = zmq::Context::new().socket(zmq::SUB)?;
            socket.set_linger(0)?;
            // Only the newest message counts.
            socket.set_conflate(true)?;
            socket.set_rcvtimeo(i32::try_from(deadline.as_millis()).unwrap_or(i32::MAX))?;
            socket.set_subscribe(b"")?;
            socket.connect(endpoint)?;
            Ok(socket)
        };
        let socket = open()
            .map_err(|source| ClientError::Socket { endpoint: endpoint.to_owned(), source })?;
        Ok(Self { socket, endpoint: endpoint.to_owned(), deadline })
    }

    /// The next message.
    ///
    /// # Errors
    /// [`ClientError::NoAnswer`] when none came within the deadline.
    pub fn next(&self) -> Result<Telemetry, ClientError> {
        let bytes = self.socket.recv_bytes(0).map_err(|source| match source {
            zmq::Error::EAGAIN => {
                ClientError::NoAnswer { endpoint: self.endpoint.clone(), deadline: self.deadline }
            }
            source => ClientError::Socket { endpoint: self.endpoint.clone(), source },
        })?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::NotUnderstood {
            endpoint: self.endpoint.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipc(name: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = format!("ipc://{}", folder.path().join(name).display());
        (folder, endpoint)
    }

    #[test]
    fn an_absent_daemon_is_an_error_within_the_deadline() {
        let (_folder, endpoint) = ipc("control.sock");
        let client = Client::with_endpoint(endpoint, Duration::from_millis(100));
        let started = std::time::Instant::now();
        let error = client.call(Command::Status).unwrap_err();
        assert!(matches!(error, ClientError::NoAnswer { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_refusal_reaches_the_caller_with_its_reason() {
        let (_folder, endpoint) = ipc("control.sock");
        let server = zmq::Context::new().socket(zmq::REP).unwrap();
        server.bind(&endpoint).unwrap();
        let daemon = std::thread::spawn(move || {
            let request: Request = serde_json::from_slice(&server.recv_bytes(0).unwrap()).unwrap();
            assert_eq!(request.command, Command::SetMute { mute: true });
            let reply = Reply::error(ErrorCode::Failed, "no stream");
            server.send(serde_json::to_vec(&reply).unwrap(), 0).unwrap();
            // A peer that leaves takes its last answer along, under ZMQ_IMMEDIATE: stay until it is read.
            server
        });
        let client = Client::with_endpoint(endpoint, Duration::from_secs(5));
        let error = client.call(Command::SetMute { mute: true }).unwrap_err();
        assert_eq!(error.to_string(), "no stream");
        drop(daemon.join().unwrap());
    }

    #[test]
    fn an_order_that_takes_its_time_is_waited_for_until_the_deadline() {
        let (_folder, endpoint) = ipc("control.sock");
        let server = zmq::Context::new().socket(zmq::REP).unwrap();
        server.bind(&endpoint).unwrap();
        let daemon = std::thread::spawn(move || {
            // Until the asker has had enough.
            server.set_rcvtimeo(1000).unwrap();
            let mut asked = vec![];
            while let Ok(text) = server.recv_bytes(0) {
                asked.push(serde_json::from_slice::<Request>(&text).unwrap().command);
                let reply = match asked.len() {
                    3 => Reply::error(ErrorCode::BadFilter, "no filter"),
                    _ => Reply::Ok(Answer::Pending { order: 7 }),
                };
                server.send(serde_json::to_vec(&reply).unwrap(), 0).unwrap();
            }
            asked
        });
        let client = Client::with_endpoint(endpoint, Duration::from_secs(5));
        assert_eq!(client.call(Command::Reload).unwrap_err().to_string(), "no filter");
        let impatient = Client { deadline: Duration::from_millis(60), ..client };
        let started = Instant::now();
        let error = impatient.call(Command::Reload).unwrap_err().to_string();
        assert!(error.contains("60ms; it may still be carried out"), "{error}");
        assert!(started.elapsed() >= Duration::from_millis(60));
        let (reload, outcome) = (Command::Reload, Command::Outcome { order: 7 });
        let asked = daemon.join().unwrap();
        assert_eq!(asked[..4], [reload.clone(), outcome.clone(), outcome.clone(), reload]);
        assert!(asked.len() > 5 && asked[4..].iter().all(|asked| *asked == outcome), "{asked:?}");
    }
}
