//! Request bodies: read within bounds of size, time and memory.

use super::problem::Problem;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
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

/// What every body may hold outside the budget: settings and single events need nothing more, so that they get through
/// however many large bodies are under way. Times the connections, this is 64 MiB at most.
const FREE_KIB: usize = 16;

/// Shares are taken in steps of this, as the bytes come.
const STEP_KIB: usize = 64;

/// How long a body waits for its next share before its caller is told to come back.
const SHARE_WAIT: Duration = Duration::from_secs(2);

/// How many bytes of bodies may be in memory at once. A share is taken as the bytes come, not as they are announced: who
/// announces much and sends nothing holds nothing. When the budget is used up, a caller waits a little, and is then told
/// to come back.
#[derive(Clone, Debug)]
pub(crate) struct BodyBudget {
    kib: Arc<Semaphore>,
    kib_max: usize,
}

/// A body in memory, and the share of the budget that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) share: Share,
}

/// A growing part of the budget.
#[derive(Debug)]
pub(super) struct Share {
    kib: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Sees to it that the share covers this many bytes.
    async fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        let held = FREE_KIB + self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(1024).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let step = u32::try_from(missing.next_multiple_of(STEP_KIB)).unwrap_or(u32::MAX);
        match timeout(SHARE_WAIT, Arc::clone(&self.kib).acquire_many_owned(step)).await {
            Ok(Ok(more)) => {
                match &mut self.held {
                    Some(held) => held.merge(more),
                    None => self.held = Some(more),
                }
                Ok(())
            }
            Ok(Err(_)) => Err(Problem::unavailable("hitwire is stopping; try again when it is back")),
            Err(_) => Err(Problem::unavailable(
                "too many large bodies are on their way at once; nothing was accepted, try again later",
            )),
        }
    }
}

impl BodyBudget {
    /// A budget of this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let kib = usize::try_from(bytes / 1024).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        BodyBudget { kib: Arc::new(Semaphore::new(kib)), kib_max: kib }
    }

    /// How much of it is used at the moment.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.kib_max.saturating_sub(self.kib.available_permits()) as u64 * 1024
    }

    /// All of it.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.kib_max as u64 * 1024
    }

    /// Reads a body of at most `bytes_max`.
    pub(super) async fn read(&self, mut body: Body, bytes_max: u64) -> Result<Held, Problem> {
        if body.size_hint().exact().is_some_and(|bytes| bytes > bytes_max) {
            return Err(too_large(bytes_max));
        }
        let mut share = Share { kib: Arc::clone(&self.kib), held: None };
        let mut bytes = Vec::new();
        let deadline = Instant::now() + WHOLE_MAX;
        while let Some(frame) = next_frame(&mut body, deadline).await? {
            if let Ok(chunk) = frame.into_data() {
                let grown = bytes.len() + chunk.len();
                if grown as u64 > bytes_max {
                    return Err(too_large(bytes_max));
                }
                share.cover(grown).await?;
                bytes.extend_from_slice(&chunk);
            }
        }
        Ok(Held { bytes, share })
    }
}

async fn next_frame(body: &mut Body, deadline: Instant) -> Result<Option<Frame<bytes::Bytes>>, Problem> {
    let seconds = |what: &str, limit: Duration| Problem::timeout(format!("{what} {} s", limit.as_secs()));
    match timeout_at(deadline, timeout(IDLE_MAX, body.frame())).await {
        Ok(Ok(frame)) => {
            frame.transpose().map_err(|error| Problem::bad_request(format!("the body ended early: {error}")))
        }
        Ok(Err(_)) => Err(seconds("no byte of the body came for", IDLE_MAX)),
        Err(_) => Err(seconds("the body was not whole after", WHOLE_MAX)),
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

    #[tokio::test(start_paused = true)]
    async fn a_large_body_waits_until_the_others_have_left_room() {
        let budget = BodyBudget::new(64 * 1024);
        let first = budget.read(Body::from(vec![0; 70_000]), 100_000).await.expect("read");
        let second = budget.read(Body::from(vec![0; 70_000]), 100_000);
        tokio::pin!(second);
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        assert_eq!(second.await.expect("read").bytes.len(), 70_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_for_which_there_is_no_room_is_told_to_come_back_and_a_small_one_gets_through() {
        let budget = BodyBudget::new(64 * 1024);
        let _first = budget.read(Body::from(vec![0; 70_000]), 100_000).await.expect("read");
        let problem = budget.read(Body::from(vec![0; 70_000]), 100_000).await.expect_err("no room");
        assert_eq!(problem.into_response().status(), 503);
        assert_eq!(budget.read(Body::from(vec![0; 2_000]), 100_000).await.expect("read").bytes.len(), 2_000);
    }

    #[tokio::test(start_paused = true)]
    async fn who_announces_much_and_sends_little_holds_nothing() {
        let budget = BodyBudget::new(64 * 1024);
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"["))]);
        let stalled =
            Body::from_stream(futures_util::StreamExt::chain(begun, futures_util::stream::pending()));
        let stalled = budget.read(stalled, 8 << 20);
        tokio::pin!(stalled);
        assert!(futures_util::poll!(stalled.as_mut()).is_pending());
        assert_eq!(budget.kib.available_permits(), 64);
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
