//! The least HTTP/1.1 client that keeps its connection: one write for a request, no allocation for an answer.

use crate::Failure;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server that does not answer for so long is taken for hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// A kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
pub(crate) struct Answer<'a> {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: &'a str,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub(crate) fn to(addr: &str) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a whole request and waits for the whole answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let head = loop {
            self.receive()?;
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status =
            text.get(9..12).and_then(|status| status.parse().ok()).ok_or("no status in the answer")?;
        let length = find_header(text, "content-length")
            .and_then(|value| value.parse::<usize>().ok())
            .ok_or("no content-length in the answer")?;
        while self.buffer.len() < head + length {
            self.receive()?;
        }
        let text = std::str::from_utf8(&self.buffer[..head])?;
        Ok(Answer { status, head: text, body: &self.buffer[head..head + length] })
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; 16 * 1024];
        let taken = self.stream.read(&mut chunk)?;
        if taken == 0 {
            return Err("the server closed the connection".into());
        }
        self.buffer.extend_from_slice(&chunk[..taken]);
        Ok(())
    }
}

/// The head of a request with a body of this length.
pub(crate) fn head(method: &str, path: &str, token: &str, body_bytes: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {body_bytes}\r\n\r\n"
    )
}

/// The first value of a header.
pub(crate) fn find_header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
