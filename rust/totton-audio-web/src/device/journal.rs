//! The journal, by `journalctl`: read, follow, download.
//!
//! A client chooses among sources and priorities that are written here; the text
//! it looks for is compared here and never becomes an argument.

use std::process::Stdio;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use utoipa::{IntoParams, ToSchema};

use super::units::UNITS;
use crate::problem::Problem;

/// The most entries of one answer.
pub const MOST: u32 = 5000;

/// The most characters of a text to look for.
const TEXT: usize = 200;

/// Whose entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The product's three services.
    #[default]
    Product,
    /// The USB gadget.
    Gadget,
    /// The audio daemon.
    Audio,
    /// This service.
    Web,
    /// Everything, the kernel too.
    System,
}

/// How urgent at least, as in syslog(3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warning,
    #[default]
    Info,
    Debug,
}

/// Which entries.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Whose.
    #[param(inline)]
    pub source: Source,
    /// How urgent at least.
    #[param(inline)]
    pub level: Level,
    /// Only those with this text, in capitals or not; at most 200 characters.
    #[param(max_length = 200)]
    pub text: String,
    /// The newest so many.
    #[param(minimum = 1, maximum = 5000)]
    pub lines: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { source: Source::Product, level: Level::Info, text: String::new(), lines: 300 }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    /// Seconds since 1970.
    pub time: f64,
    /// 0 (emergency) to 7 (debug), as in syslog(3).
    pub priority: u8,
    /// Who wrote it.
    pub source: String,
    /// What it says.
    pub message: String,
}

impl Entry {
    /// Reads a line that journalctl wrote as JSON; none where it is no entry that can be shown.
    pub fn parse(line: &str) -> Option<Self> {
        use serde_json::Value;
        let entry: serde_json::Map<String, Value> = serde_json::from_str(line).ok()?;
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let message = match entry.get("MESSAGE")? {
            Value::String(message) => message.clone(),
            // What is no UTF-8 comes as a list of its bytes.
            Value::Array(bytes) => {
                let bytes: Vec<u8> =
                    bytes.iter().filter_map(|byte| byte.as_u64()?.try_into().ok()).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => return None,
        };
        let microseconds: u64 = text("__REALTIME_TIMESTAMP")?.parse().ok()?;
        let priority = text("PRIORITY").and_then(|text| text.parse().ok());
        let source =
            text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM")).or_else(|| text("_SYSTEMD_UNIT"));
        Some(Self {
            time: microseconds as f64 / 1e6,
            priority: priority.filter(|priority| *priority <= 7).unwrap_or(6),
            source: source.unwrap_or_default().to_owned(),
            message,
        })
    }
}

impl Wanted {
    /// Checks the ranges.
    ///
    /// # Errors
    /// 422 naming the value.
    pub fn check(&self) -> Result<(), Problem> {
        let refuse = |detail: String| {
            let action = format!("Send lines from 1 to {MOST} and a text of at most {TEXT}.");
            Err(Problem::not_accepted(detail, action))
        };
        if !(1..=MOST).contains(&self.lines) {
            return refuse(format!("lines is {}", self.lines));
        }
        if self.text.chars().count() > TEXT {
            return refuse(format!("text has {} characters", self.text.chars().count()));
        }
        Ok(())
    }

    fn arguments(&self, output: &str) -> Vec<String> {
        let level = match self.level {
            Level::Error => "3",
            Level::Warning => "4",
            Level::Info => "6",
            Level::Debug => "7",
        };
        let mut arguments =
            vec!["--no-pager", "--quiet", "--output", output, "--priority", level, "--boot=all"]
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>();
        let units: &[&str] = match self.source {
            Source::Product => &UNITS,
            Source::Gadget => &UNITS[..1],
            Source::Audio => &UNITS[1..2],
            Source::Web => &UNITS[2..],
            Source::System => &[],
        };
        arguments.extend(units.iter().map(|unit| format!("--unit={unit}.service")));
        if matches!(self.source, Source::Product | Source::Audio) {
            // A part of the daemon's start, with something to say only where a GPU is late.
            arguments.push("--unit=totton-audio-gpu-wait.service".to_owned());
        }
        arguments
    }

    fn has(&self, text: &str) -> bool {
        self.text.is_empty() || text.to_lowercase().contains(&self.text.to_lowercase())
    }

    /// The newest entries, the oldest of them first.
    ///
    /// # Errors
    /// 409 when the journal cannot be read.
    pub async fn newest(&self) -> Result<Vec<Entry>, Problem> {
        // A text is looked for in more than is shown.
        let read = if self.text.is_empty() { self.lines } else { MOST };
        let mut arguments = self.arguments("json");
        arguments.push(format!("--lines={read}"));
        let output = command(&arguments).output().await.map_err(|error| unreadable(&error))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(unreadable(&reason.trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut entries: Vec<_> = text
            .lines()
            .filter_map(Entry::parse)
            .filter(|entry| self.has(&entry.message))
            .collect();
        entries.drain(..entries.len().saturating_sub(self.lines as usize));
        Ok(entries)
    }

    /// The entries from now on.
    ///
    /// # Errors
    /// 409 when the journal cannot be read.
    pub fn follow(&self) -> Result<Following, Problem> {
        let mut arguments = self.arguments("json");
        arguments.retain(|argument| argument != "--boot=all");
        arguments.extend(["--follow".to_owned(), "--lines=0".to_owned()]);
        Ok(Following { wanted: self.clone(), process: Reading::start(&arguments)? })
    }

    /// The entries as journalctl writes them for people.
    ///
    /// # Errors
    /// 409 when the journal cannot be read.
    pub fn text(&self) -> Result<Reading, Problem> {
        let mut arguments = self.arguments("short-iso-precise");
        arguments.push(format!("--lines={MOST}"));
        Reading::start(&arguments)
    }
}

/// A running journalctl; ended when dropped.
pub struct Reading {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Reading {
    fn start(arguments: &[String]) -> Result<Self, Problem> {
        let mut process = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| unreadable(&error))?;
        let Some(output) = process.stdout.take() else {
            return Err(unreadable(&"it has no output"));
        };
        Ok(Self { lines: BufReader::new(output).lines(), _process: process })
    }

    /// The next line with its end; `None` at the end.
    pub async fn line(&mut self) -> Option<Bytes> {
        let line = self.lines.next_line().await.ok()??;
        Some(Bytes::from(line + "\n"))
    }
}

/// The entries from now on.
pub struct Following {
    wanted: Wanted,
    process: Reading,
}

impl Following {
    /// The next entry; `None` when the journal has ended.
    pub async fn next(&mut self) -> Option<Entry> {
        loop {
            let line = self.process.lines.next_line().await.ok()??;
            match Entry::parse(&line) {
                Some(entry) if self.wanted.has(&entry.message) => return Some(entry),
                _ => {}
            }
        }
    }
}

fn command(arguments: &[String]) -> Command {
    let mut command = Command::new("journalctl");
    command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn unreadable(reason: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "journal-unreadable",
        "The journal cannot be read",
        format!("journalctl: {reason}"),
        "The service needs journalctl and the group systemd-journal (SupplementaryGroups= in its unit).",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_whatever_its_message_is() {
        let line = |message: &str| {
            format!(
                r#"{{"MESSAGE":{message},"PRIORITY":"3","SYSLOG_IDENTIFIER":"gpu-upsampler",
                    "__REALTIME_TIMESTAMP":"1700000000500000","__CURSOR":"s=1"}}"#
            )
            .replace('\n', " ")
        };
        let entry = Entry::parse(&line(r#""no DAC""#)).unwrap();
        assert_eq!((entry.time, entry.priority), (1_700_000_000.5, 3));
        assert_eq!((entry.source.as_str(), entry.message.as_str()), ("gpu-upsampler", "no DAC"));
        assert_eq!(Entry::parse(&line("[104,105,255]")).unwrap().message, "hi\u{fffd}");
        assert_eq!(Entry::parse(&line("null")), None);
        assert_eq!(Entry::parse("not json"), None);
    }

    #[test]
    fn an_entry_says_only_what_journald_can_say() {
        let line = |time: &str, priority: &str| {
            format!(r#"{{"MESSAGE":"x","PRIORITY":"{priority}","__REALTIME_TIMESTAMP":"{time}"}}"#)
        };
        for time in ["inf", "nan", "-1", "1e400", "1.5", ""] {
            assert_eq!(Entry::parse(&line(time, "3")), None, "{time}");
        }
        for priority in ["8", "255", "256", "-1", ""] {
            assert_eq!(Entry::parse(&line("1", priority)).unwrap().priority, 6, "{priority}");
        }
        assert_eq!(Entry::parse(&line("1", "7")).unwrap().priority, 7);
    }

    #[test]
    fn the_log_of_the_audio_service_tells_of_the_wait_for_the_gpu() {
        let wait = "--unit=totton-audio-gpu-wait.service";
        let has = |source| {
            let wanted = Wanted { source, ..Wanted::default() };
            wanted.arguments("json").iter().any(|argument| argument == wait)
        };
        assert!(has(Source::Product) && has(Source::Audio));
        assert!(!has(Source::Gadget) && !has(Source::Web) && !has(Source::System));
    }

    #[test]
    fn no_word_of_a_client_becomes_an_argument() {
        let wanted = Wanted { text: "--file=/etc/shadow".into(), ..Wanted::default() };
        wanted.check().unwrap();
        assert!(wanted.arguments("json").iter().all(|argument| !argument.contains("shadow")));
        assert!(wanted.has("opened --FILE=/etc/shadow") && !wanted.has("else"));
        assert!(Wanted { lines: 0, ..Wanted::default() }.check().is_err());
        assert!(Wanted { text: "x".repeat(201), ..Wanted::default() }.check().is_err());
    }
}
