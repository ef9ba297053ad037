//! A receiver of HTTP/2 whose every frame is the test's (RFC 9113), for what no library would send.

use super::receiver::{Wire, write};
use tokio::io::AsyncReadExt as _;

/// Error codes (RFC 9113, section 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const HTTP_1_1_REQUIRED: u32 = 0xd;

/// The client's greeting, whole.
pub(crate) async fn greet(wire: &mut Wire) {
    let mut preface = [0; 24];
    if wire.read_exact(&mut preface).await.is_ok() {
        write(wire, frame(4, 0, 0, &[])).await;
    }
}

/// Reads frames until a request has ended; its stream. None if the connection ended first.
pub(crate) async fn read_request(wire: &mut Wire) -> Option<u32> {
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        wire.read_exact(&mut payload).await.ok()?;
        match kind {
            // SETTINGS are acknowledged.
            4 if flags & 1 == 0 => write(wire, frame(4, 1, 0, &[])).await,
            // HEADERS or DATA with END_STREAM.
            0 | 1 if flags & 1 == 1 => return Some(u32::from_be_bytes(stream)),
            _ => {}
        }
    }
}

/// HEADERS of an answer that has a body.
pub(crate) fn headers(stream: u32, status: &str) -> Vec<u8> {
    let mut block = vec![0x08, status.len() as u8];
    block.extend_from_slice(status.as_bytes());
    frame(1, 4, stream, &block)
}

/// HEADERS of an answer without a body.
pub(crate) fn answer(stream: u32, status: &str) -> Vec<u8> {
    let mut answer = headers(stream, status);
    answer[4] |= 1;
    answer
}

pub(crate) fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(0, 0, stream, bytes)
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(3, 0, stream, &code.to_be_bytes())
}

/// Streams above `last` were not looked at.
pub(crate) fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(7, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}
