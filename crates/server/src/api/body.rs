//! Request bodies: read within bounds of size, time and memory.

use super::problem::Problem;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// A caller that sends nothing of its body for this long has gone.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A body arrives whole within this: 8 MiB at 0.25 Mbit/s. What arrives slower holds others' memory for too long.
const WHOLE_MAX: Duration = Duration::from_mins(5);

/// The largest body of calls that set something up. An integration with its certificates takes a few KiB.
pub(super) const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// How many bytes of bodies may be in memory at once. Who comes when it is used up waits.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    kib: Arc<Semaphore>,
}

/// A body in memory, and the share of the budget that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) share: OwnedSemaphorePermit,
}

impl BodyBudget {
    /// A budget of this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let kib = usize::try_from(bytes / 1024).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        BodyBudget { kib: Arc::new(Semaphore::new(kib)) }
    }

    /// Reads a body of at most `bytes_max`. Its share is taken before the first byte is read: of its announced length,
    /// or of `bytes_max` where none is announced, so that bodies cannot wait for one another half read.
    pub(super) async fn read(&self, body: Body, bytes_max: u64) -> Result<Held, Problem> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|bytes| bytes > bytes_max) {
            return Err(too_large(bytes_max));
        }
        let kib = u32::try_from(announced.unwrap_or(bytes_max).div_ceil(1024)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.kib)
            .acquire_many_owned(kib)
            .await
            .map_err(|_| Problem::unavailable("hitwire is stopping; try again when it is back"))?;
        let bytes = collect(body, bytes_max, announced).await?;
        Ok(Held { bytes, share })
    }
}

async fn collect(mut body: Body, bytes_max: u64, announced: Option<u64>) -> Result<Vec<u8>, Problem> {
    let deadline = Instant::now() + WHOLE_MAX;
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0) as usize);
    loop {
        let frame = timeout_at(deadline, timeout(IDLE_MAX, body.frame())).await;
        let frame = match frame {
            Ok(Ok(frame)) => frame,
            Ok(Err(_)) => {
                return Err(Problem::timeout(format!(
                    "no byte of the body came for {} s",
                    IDLE_MAX.as_secs()
                )));
            }
            Err(_) => {
                return Err(Problem::timeout(format!(
                    "the body was not whole after {} s",
                    WHOLE_MAX.as_secs()
                )));
            }
        };
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|error| Problem::bad_request(format!("the body ended early: {error}")))?;
        if let Ok(chunk) = frame.into_data() {
            if (bytes.len() + chunk.len()) as u64 > bytes_max {
                return Err(too_large(bytes_max));
            }
            bytes.extend_from_slice(&chunk);
        }
    }
}

fn too_large(bytes_max: u64) -> Problem {
    Problem::too_large(format!("a body may have {bytes_max} bytes; send less in one call"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    fn chunks(sizes: &[usize]) -> Body {
        let chunks: Vec<_> =
            sizes.iter().map(|size| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b'x'; *size]))).collect();
        Body::from_stream(futures_util::stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_refused_when_it_grows_too_large() {
        let budget = BodyBudget::new(64 * 1024);
        let held = budget.read(chunks(&[500, 500]), 1_000).await.expect("read");
        assert_eq!(held.bytes.len(), 1_000);
        let problem = budget.read(chunks(&[500, 501]), 1_000).await.expect_err("too large");
        assert_eq!(problem.into_response().status(), 413);
    }

    #[tokio::test]
    async fn a_body_waits_until_the_others_have_left_room() {
        let budget = BodyBudget::new(2 * 1024);
        let first = budget.read(Body::from(vec![0; 2_000]), 2_048).await.expect("read");
        let second = budget.read(Body::from(vec![0; 100]), 2_048);
        tokio::pin!(second);
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        assert_eq!(second.await.expect("read").bytes.len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let budget = BodyBudget::new(64 * 1024);
        let stalled =
            Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let problem = budget.read(stalled, 1_000).await.expect_err("given up");
        assert_eq!(problem.into_response().status(), 408);
        assert_eq!(budget.kib.available_permits(), 64, "its share is free again");
    }
}
