//! The head of an HTTP/1.1 answer, made fit for the HTTP library.
//!
//! Receivers send heads that curl and browsers take and the library refuses: control characters in values, hundreds of
//! headers, two lengths. Whether a delivery succeeded must not depend on them. [`HeadFilter`] stands between stream and
//! library. It passes bodies through as they are, and of each head:
//!
//! - the status line, its blanks and control characters put right;
//! - at most [`HEADERS_PASSED`] headers of [`HEADER_BYTES_PASSED`] together, and beyond these the first few that decide
//!   something ([`DECISIVE`]); of a longer line its beginning;
//! - control characters as blanks, as RFC 9110 (5.5) has it;
//! - no framing that contradicts itself: the connection is then closed after the answer.
//!
//! Folded lines, blanks before the colon, and lines that are no headers are the library's work.
//!
//! Pure: bytes go in, bytes come out, however they are cut.

use std::io;
use tokio::io::ReadBuf;

/// Ordinary headers of a head that are passed on. With those that decide, no more than the library takes (100).
const HEADERS_PASSED: usize = 90;

/// The bytes of them.
const HEADER_BYTES_PASSED: usize = 24 * 1024;

/// Headers that decide something and are passed on beyond the bounds of ordinary ones.
const DECISIVE: [&[u8]; 5] =
    [b"connection", b"content-length", b"date", b"retry-after", b"transfer-encoding"];

/// How many of them.
const DECISIVE_PASSED: usize = 8;

/// The most bytes of one line that are passed on, its end included.
const LINE_BYTES_PASSED: usize = 8 * 1024;

/// The same for a header that is passed on beyond the bounds.
const DECISIVE_BYTES_PASSED: usize = 1024;

/// The most bytes of a head that are read, as in curl. A longer one is refused: it may have no end.
pub(crate) const HEAD_BYTES_MAX: usize = 300 * 1024;

/// Between a stream and the HTTP library; see the module.
#[derive(Debug, Default)]
pub(crate) struct HeadFilter {
    state: State,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// What the library has not fetched yet, from `fetched` on.
    out: Vec<u8>,
    fetched: usize,
    /// Of the head that is read, so far.
    read_bytes: usize,
    passed: Passed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No head is expected: bodies, and what is not HTTP.
    #[default]
    Passing,
    StatusLine,
    Headers {
        /// 1xx: another head follows.
        interim: bool,
        /// HTTP/1.0, which has no transfer codings.
        old: bool,
    },
}

/// What has been passed on of a head.
#[derive(Debug, Default)]
struct Passed {
    headers: usize,
    bytes: usize,
    decisive: usize,
    /// The line before, which a folded line continues.
    before: bool,
    length: Option<u64>,
    /// The framing contradicts itself, or cannot be read.
    faulty: bool,
}

impl HeadFilter {
    /// The next byte begins a head.
    pub(crate) fn expect(&mut self) {
        self.state = State::StatusLine;
        self.read_bytes = 0;
        self.passed = Passed::default();
    }

    /// Bytes can go to the library without passing through here.
    pub(crate) fn is_passing(&self) -> bool {
        self.state == State::Passing && self.out.is_empty()
    }

    /// Takes what came over the stream.
    ///
    /// # Errors
    ///
    /// When a head is longer than [`HEAD_BYTES_MAX`].
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.state != State::Passing && !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            bytes = rest;
            self.read_bytes += part.len();
            if self.read_bytes > HEAD_BYTES_MAX {
                let words = format!("its head is longer than {HEAD_BYTES_MAX} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, words));
            }
            let room = LINE_BYTES_PASSED - self.line.len();
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let is_http = self.line.iter().zip(b"HTTP/").all(|(byte, expected)| byte == expected);
            if self.state == State::StatusLine && !is_http && !is_blank(&self.line) {
                self.pass_all();
            } else if end.is_some() {
                self.end_line();
            }
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// The stream has ended: what is held is passed on, so that the library says what it makes of it.
    pub(crate) fn end(&mut self) {
        self.pass_all();
    }

    /// Gives the library as much as it has room for.
    pub(crate) fn pull(&mut self, buf: &mut ReadBuf<'_>) {
        let waiting = &self.out[self.fetched..];
        let bytes = waiting.len().min(buf.remaining());
        buf.put_slice(&waiting[..bytes]);
        self.fetched += bytes;
        if self.fetched == self.out.len() {
            // Heads are rare and short: a kept connection holds no memory for the next.
            self.out = Vec::new();
            self.fetched = 0;
        }
    }

    fn pass_all(&mut self) {
        self.out.append(&mut self.line);
        self.state = State::Passing;
        self.line = Vec::new();
    }

    /// A line is complete, or as much of it as is passed on.
    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        for byte in &mut line {
            if byte.is_ascii_control() && *byte != b'\t' {
                *byte = b' ';
            }
        }
        match self.state {
            State::Passing => {}
            // Blank lines before an answer are passed over, as the library does.
            State::StatusLine if line.is_empty() => {}
            State::StatusLine => self.status_line(&line),
            State::Headers { interim, .. } if line.is_empty() => {
                if self.passed.faulty {
                    self.out.extend_from_slice(b"connection: close\r\n");
                }
                self.out.extend_from_slice(b"\r\n");
                if interim {
                    self.expect();
                } else {
                    self.state = State::Passing;
                }
            }
            State::Headers { old, .. } => {
                if self.passes(&line, old) {
                    self.out.extend_from_slice(&line);
                    self.out.extend_from_slice(b"\r\n");
                }
            }
        }
    }

    fn status_line(&mut self, line: &[u8]) {
        let (version, rest) = line.split_at(line.len().min(b"HTTP/1.1".len()));
        let rest = rest.trim_ascii();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") || digits != 3 {
            // The library says what is wrong with it.
            self.out.extend_from_slice(line);
            self.out.extend_from_slice(b"\r\n");
            self.state = State::Passing;
            return;
        }
        let (status, reason) = rest.split_at(digits);
        for part in [version, b" ", status, b" ", reason.trim_ascii(), b"\r\n"] {
            self.out.extend_from_slice(part);
        }
        // After 101 comes no other head.
        let interim = status[0] == b'1' && status != b"101";
        self.state = State::Headers { interim, old: version == b"HTTP/1.0" };
    }

    /// Whether this line of a head goes to the library.
    fn passes(&mut self, line: &[u8], old: bool) -> bool {
        let passed = &mut self.passed;
        let bytes = line.len() + b"\r\n".len();
        let has_room = passed.bytes + bytes <= HEADER_BYTES_PASSED;
        if matches!(line[0], b' ' | b'\t') {
            passed.before &= has_room;
            passed.bytes += if passed.before { bytes } else { 0 };
            return passed.before;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (line[..colon].trim_ascii(), line.get(colon + 1..).unwrap_or_default());
        let decides = DECISIVE.iter().any(|decisive| name.eq_ignore_ascii_case(decisive));
        passed.before = if decides && !passed.agrees(name, value, old) {
            false
        } else if passed.headers < HEADERS_PASSED && has_room {
            passed.headers += 1;
            passed.bytes += bytes;
            true
        } else if decides && passed.decisive < DECISIVE_PASSED && bytes <= DECISIVE_BYTES_PASSED {
            passed.decisive += 1;
            true
        } else {
            false
        };
        passed.before
    }
}

impl Passed {
    /// False for a header that makes the framing faulty: a length that is none, or is not the one before; a transfer coding
    /// in HTTP/1.0 (RFC 9112, 6.1 and 6.3).
    fn agrees(&mut self, name: &[u8], value: &[u8], old: bool) -> bool {
        let agrees = if name.eq_ignore_ascii_case(b"content-length") {
            let value = value.trim_ascii();
            let length = std::str::from_utf8(value).ok().filter(|value| !value.starts_with('+'));
            let length = length.and_then(|value| value.parse::<u64>().ok());
            let agrees = length.is_some() && self.length.is_none_or(|before| Some(before) == length);
            self.length = self.length.or(length);
            agrees
        } else {
            !(old && name.eq_ignore_ascii_case(b"transfer-encoding"))
        };
        self.faulty |= !agrees;
        agrees
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests;
