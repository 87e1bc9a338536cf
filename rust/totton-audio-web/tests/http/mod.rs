//! A bare HTTP/1.1 client: it sends what it is told, wrong headers included.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longest wait for anything in these tests.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// One response, read to its end.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends `text` as it stands and reads one response. `text` must ask to close the connection.
pub fn exchange(address: SocketAddr, text: &[u8]) -> Response {
    let mut connection = connect(address);
    // A server that refuses early may close before all is sent.
    let _ = connection.write_all(text);
    let mut reader = BufReader::new(connection);
    let (status, headers) = head(&mut reader);
    let mut response = Response { status, headers, body: Vec::new() };
    match response.header("content-length").map(|length| length.parse().unwrap()) {
        Some(0) => {}
        Some(length) => {
            response.body = vec![0; length];
            reader.read_exact(&mut response.body).unwrap();
        }
        None => {
            reader.read_to_end(&mut response.body).unwrap();
        }
    }
    response
}

/// Sends a request with these header lines and this body.
pub fn request(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> Response {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    exchange(address, format!("{text}\r\n{body}").as_bytes())
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}

fn head(reader: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            return (status, headers);
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
}

/// An open event stream.
pub struct Events {
    reader: BufReader<TcpStream>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Events {
    pub fn open(address: SocketAddr) -> Self {
        Self::open_at(address, "/api/v1/events")
    }

    pub fn open_at(address: SocketAddr, path: &str) -> Self {
        Self::open_with(address, path, &[])
    }

    /// With further header lines.
    pub fn open_with(address: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let mut connection = connect(address);
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").unwrap();
        let mut reader = BufReader::new(connection);
        let (status, headers) = head(&mut reader);
        Self { reader, status, headers }
    }

    /// The next event, name and data; `None` at the end of the stream. Chunk
    /// sizes stand on lines of their own and are skipped with the empty lines.
    pub fn next(&mut self) -> Option<(String, serde_json::Value)> {
        let mut name = None;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(found) = line.strip_prefix("event: ") {
                name = Some(found.trim_end().to_owned());
            } else if let (Some(data), Some(name)) = (line.strip_prefix("data: "), &name) {
                return Some((name.clone(), serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// The next event of this name that `wanted` takes, within the deadline.
    pub fn wait_for(
        &mut self,
        name: &str,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            let (found, data) = self.next().expect("the stream ended");
            if found == name && wanted(&data) {
                return data;
            }
        }
        panic!("no {name} event within {DEADLINE:?}");
    }
}
