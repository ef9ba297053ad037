//! Reading the body of an answer: for people, never for the verdict.

use crate::error::Seconds;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use tokio::time::Instant;

/// How much of a body is read to its end so that its connection can be used again. Of a longer one what is kept is read,
/// and then the connection is closed, which costs less than to read on.
pub(crate) const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// How long a body is waited for once its headers are there. The answer counts already, and the next request waits.
pub(crate) const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Why the body of an answer is not all there. The answer counts all the same. The words contain no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// The connection ended within it.
    #[error("the connection was closed before the answer's body had ended")]
    Cut,
    /// It ends with the connection, which ended without TLS's goodbye (`close_notify`).
    #[error("the connection was closed without TLS close_notify, so the answer's body may have been cut")]
    NoGoodbye,
    /// It did not end in time after the headers.
    #[error("the answer's body had not ended {} after its headers", Seconds(*after))]
    Slow {
        /// The time.
        after: Duration,
    },
    /// It did not end within the timeout of the request.
    #[error("the answer's body had not ended within the timeout of {}", Seconds(*after))]
    Timeout {
        /// The timeout.
        after: Duration,
    },
    /// The receiver gave up this response (HTTP/2 `RST_STREAM`) or the connection (`GOAWAY`) with an error.
    #[error("the receiver broke off within the answer's body: {detail}")]
    Reset {
        /// In the words of the HTTP/2 specification.
        detail: String,
    },
    /// Its framing breaks the rules of HTTP.
    #[error("the answer's body is not valid HTTP: {detail}")]
    Protocol {
        /// In the words of the HTTP library.
        detail: String,
    },
}

/// What was read of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// What is kept.
    pub(crate) bytes: Vec<u8>,
    /// It was longer than what is kept.
    pub(crate) truncated: bool,
    /// It was read to its end.
    pub(crate) ended: bool,
}

/// Reads a body to its end, as far as that makes sense, into `beginning`, where what has come stays if reading is given up.
pub(crate) async fn read(
    mut body: Incoming,
    kept_bytes_max: usize,
    beginning: &mut Beginning,
) -> hyper::Result<()> {
    let drains = body.size_hint().lower() <= DRAINED_BYTES_MAX as u64;
    let read_bytes_max = if drains { kept_bytes_max.max(DRAINED_BYTES_MAX) } else { kept_bytes_max };
    let mut read_bytes = 0;
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that is kept.
        let Ok(data) = frame?.into_data() else { continue };
        read_bytes += data.len();
        beginning.truncated |= !append(&mut beginning.bytes, &data, kept_bytes_max);
        if read_bytes > read_bytes_max {
            return Ok(());
        }
    }
    beginning.ended = true;
    Ok(())
}

/// When a body is waited for no longer, and what that is called.
pub(crate) fn deadline(
    begun: Instant,
    timeout: Duration,
    headers_at: Instant,
    within: Duration,
) -> (Instant, Incomplete) {
    let out = begun + timeout;
    match headers_at.checked_add(within) {
        Some(slow) if slow < out => (slow, Incomplete::Slow { after: within }),
        _ => (out, Incomplete::Timeout { after: timeout }),
    }
}

/// Appends as much as there is room for; false if that is not all.
fn append(bytes: &mut Vec<u8>, data: &Bytes, bytes_max: usize) -> bool {
    let room = bytes_max - bytes.len();
    bytes.extend_from_slice(&data[..data.len().min(room)]);
    data.len() <= room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::RESPONSE_BYTES_MAX;
    use proptest::prelude::*;

    #[tokio::test]
    async fn the_timeout_of_the_request_ends_a_body_too() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let of = |timeout, headers_after| deadline(begun, timeout, begun + headers_after, BODY_WITHIN);
        assert_eq!(of(second * 15, second), (begun + second * 6, Incomplete::Slow { after: BODY_WITHIN }));
        assert_eq!(of(second * 5, second), (begun + second * 5, Incomplete::Timeout { after: second * 5 }));
    }

    proptest! {
        #[test]
        fn a_body_is_kept_up_to_its_bound_however_it_is_cut(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 0..6),
        ) {
            let whole: Vec<u8> = chunks.concat();
            let mut kept = Vec::new();
            let cut = chunks.into_iter().map(Bytes::from).filter(|chunk| !append(&mut kept, chunk, RESPONSE_BYTES_MAX)).count();
            prop_assert_eq!(cut == 0, whole.len() <= RESPONSE_BYTES_MAX);
            prop_assert_eq!(&kept[..], &whole[..whole.len().min(RESPONSE_BYTES_MAX)]);
        }
    }
}
