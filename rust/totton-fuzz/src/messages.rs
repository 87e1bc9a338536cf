//! The messages between the page and the audio daemon.

use totton_protocol::message::MAX_REQUEST_BYTES;
use totton_protocol::{Answer, Command, ErrorCode, Reply, Request, Telemetry};

use crate::machine::one_event;
use crate::memory;
use crate::settings::{harmless, most, refusal};

/// A request, as the daemon reads it.
pub fn request(bytes: &[u8]) {
    match memory::within(2 * most(bytes), || Request::parse(bytes)) {
        Ok(request) => {
            match &request.command {
                Command::ReplaceSettings { settings } => harmless(settings),
                Command::SetGain { gain_db } => assert!((-120.0..=0.0).contains(gain_db)),
                Command::CheckEqualiser { text } => assert!(text.as_str().len() <= 64 * 1024),
                _ => {}
            }
            let text = serde_json::to_vec(&request).expect("a request is JSON");
            assert_eq!(Request::parse(&text).as_ref(), Ok(&request), "the request changed");
        }
        Err(reply) => {
            let Reply::Error { code, message, .. } = *reply else {
                panic!("a refusal that is none: {reply:?}")
            };
            refusal(&message);
            let known =
                [ErrorCode::BadRequest, ErrorCode::UnsupportedVersion, ErrorCode::OutOfRange];
            assert!(known.contains(&code), "{code:?}");
            assert!(bytes.len() <= MAX_REQUEST_BYTES || code == ErrorCode::BadRequest);
        }
    }
}

/// A reply and a telemetry message, as the page's service reads them and passes them on.
pub fn reply(bytes: &[u8]) {
    let read = memory::within(2 * most(bytes), || serde_json::from_slice::<Reply>(bytes));
    if let Ok(reply) = read {
        if let Reply::Ok(Answer::Settings { settings, .. }) = &reply {
            harmless(settings);
        }
        let text = serde_json::to_vec(&reply).expect("a reply is JSON");
        let again: Reply = serde_json::from_slice(&text).expect("what was written can be read");
        assert_eq!(again, reply, "the reply changed");
    }
    let read = memory::within(2 * most(bytes), || serde_json::from_slice::<Telemetry>(bytes));
    if let Ok(telemetry) = read {
        let said = one_event("telemetry", &telemetry);
        let again: Telemetry = serde_json::from_value(said).expect("the page gets what was sent");
        assert_eq!(again, telemetry, "the telemetry changed");
    }
}
