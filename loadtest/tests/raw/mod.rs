//! A client that understands as little as possible, so that it sees what was really sent.

#![allow(dead_code)] // each test binary uses its own part

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{Sim, SimConfig, SimHandle};

/// Longer than any machine needs for what is waited for; a test that gets here has failed.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hello there"}]}"#;
pub const STREAM: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello there"}]}"#;

/// How the peer ended the connection.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum End {
    Fin,
    Reset,
}

/// All that came until the peer ended the connection.
#[derive(Debug)]
pub struct Seen {
    pub bytes: Vec<u8>,
    pub end: End,
}

pub fn sim(script: Script) -> SimHandle {
    let config = SimConfig { script, ..SimConfig::default() };
    Sim::start(config).expect("a simulator starts on a free port")
}

pub fn scripted(toml: &str) -> SimHandle {
    sim(Script::parse(toml).expect("the test's script is well-formed"))
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the simulator accepts");
    stream.set_read_timeout(Some(LIMIT)).expect("a time-out can be set");
    stream.set_nodelay(true).expect("no delay can be set");
    stream
}

/// A request for `path`; `extra` holds further header lines, each with its line end.
pub fn request(path: &str, body: &str, extra: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: sim\r\ncontent-type: application/json\r\n{extra}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends one request that asks for the connection's end, with a fault, and reads until that end.
pub fn play(sim: &SimHandle, fault: &str, body: &str) -> Seen {
    let extra = format!("x-sim-fault: {fault}\r\nconnection: close\r\n");
    send(sim, &request("/v1/chat/completions", body, &extra))
}

/// Sends some bytes and reads until the peer ends the connection.
pub fn send(sim: &SimHandle, bytes: &str) -> Seen {
    let mut stream = connect(sim.addr());
    stream.write_all(bytes.as_bytes()).expect("the request can be written");
    read_to_end(&mut stream)
}

pub fn read_to_end(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => {
                return Seen { bytes, end: End::Fin };
            }
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Seen { bytes, end: End::Reset };
            }
            Err(error) => panic!("the peer neither sent nor ended: {error}; so far {}", show(&bytes)),
        }
    }
}

/// Reads until `needle` has come, and returns all that came.
pub fn read_until(stream: &mut TcpStream, needle: &str) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4 * 1024];
    while !show(&bytes).contains(needle) {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            other => panic!("`{needle}` did not come ({other:?}); so far {}", show(&bytes)),
        }
    }
    show(&bytes)
}

pub fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Seen {
    pub fn text(&self) -> String {
        show(&self.bytes)
    }

    pub fn status(&self) -> u16 {
        let text = self.text();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn head(&self) -> String {
        let text = self.text();
        text.split_once("\r\n\r\n").map_or(text.clone(), |(head, _)| head.to_owned())
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.head().lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            (have == name).then(|| value.trim().to_owned())
        })
    }

    fn raw_body(&self) -> &[u8] {
        let end = memchr::memmem::find(&self.bytes, b"\r\n\r\n");
        end.map_or(&[], |end| &self.bytes[end + 4..])
    }

    /// The body without its framing, and whether it ended as the framing demands.
    pub fn body(&self) -> (Vec<u8>, bool) {
        let raw = self.raw_body();
        if let Some(length) = self.header("content-length") {
            let length: usize = length.parse().expect("a length is a number");
            return (raw.to_vec(), raw.len() == length);
        }
        let mut rest = raw;
        let mut body = Vec::new();
        while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
            let Ok(size) = usize::from_str_radix(&show(&rest[..end]), 16) else {
                return (body, false);
            };
            rest = &rest[end + 2..];
            if size == 0 {
                return (body, rest == b"\r\n");
            }
            if rest.len() < size + 2 {
                body.extend_from_slice(rest);
                return (body, false);
            }
            body.extend_from_slice(&rest[..size]);
            rest = &rest[size + 2..];
        }
        (body, false)
    }

    pub fn body_text(&self) -> String {
        show(&self.body().0)
    }

    pub fn is_whole(&self) -> bool {
        self.body().1
    }

    pub fn json(&self) -> serde_json::Value {
        let text = self.body_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The data of the events, read as the standard says: any line end, comments skipped, data lines joined.
    pub fn events(&self) -> Vec<String> {
        let text = self.body_text().replace("\r\n", "\n").replace('\r', "\n");
        let event = |block: &str| {
            let data: Vec<&str> = block
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|data| data.strip_prefix(' ').unwrap_or(data))
                .collect();
            (!data.is_empty()).then(|| data.join("\n"))
        };
        text.split("\n\n").filter_map(event).collect()
    }

    /// The text that the stream's content events add up to.
    pub fn content(&self) -> String {
        let piece = |event: &String| {
            let value: serde_json::Value = serde_json::from_str(event).ok()?;
            value.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned)
        };
        self.events().iter().filter_map(piece).collect()
    }

    pub fn finish(&self) -> Option<String> {
        self.events().iter().find_map(|event| {
            let value: serde_json::Value = serde_json::from_str(event).ok()?;
            value.pointer("/choices/0/finish_reason")?.as_str().map(str::to_owned)
        })
    }

    pub fn is_done(&self) -> bool {
        self.events().iter().any(|event| event == "[DONE]")
    }
}
