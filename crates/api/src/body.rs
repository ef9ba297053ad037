//! Request bodies: read within bounds of size, time and memory.

use super::problem::Problem;
use axum::body::Body;
use hitwire_share::{Holder, Share, Shares};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a body is looked at for its rate. Long enough for a line that is lost for a moment.
const RATE_WINDOW: Duration = Duration::from_secs(15);

/// What a body must bring on average, in each window after another: who sends less holds memory that others need.
const RATE_MIN_BYTES_PER_S: u64 = 1 << 10;

/// A body arrives whole within this: 8 MiB at 0.25 Mbit/s. What arrives slower holds others' memory for too long.
const WHOLE_MAX: Duration = Duration::from_mins(5);

/// When a caller whose share is used up should come again.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// The largest body of calls that set something up. An integration with its certificates takes a few KiB.
pub(super) const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// What every body may hold outside the budget: settings and single events need nothing more, so that they get through
/// however many large bodies are under way. Times the connections, this is 64 MiB at most.
const FREE_KIB: usize = 16;

/// Shares are taken in steps of this, as the bytes come.
const STEP_KIB: usize = 64;

/// How long a body waits for its next part of the budget before its caller is told to come back.
const SHARE_WAIT: Duration = Duration::from_secs(2);

/// How many bytes of bodies may be in memory at once, shared fairly among clients, and among addresses before a client is known. A share
/// is taken as the bytes come, not as they are announced: who announces much and sends nothing holds nothing. When the share is
/// used up, a caller waits a little, and is then told to come back.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    kib: Shares<Holder>,
}

/// A body in memory, and the part of the budget that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) share: BodyShare,
}

/// A growing part of the budget.
#[derive(Debug)]
pub struct BodyShare {
    kib: Shares<Holder>,
    holder: Holder,
    held: Option<Share<Holder>>,
}

impl BodyShare {
    /// Sees to it that the share covers this many bytes.
    async fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        let held = FREE_KIB + self.held.as_ref().map_or(0, Share::units);
        let missing = bytes.div_ceil(1024).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let more = self.kib.take(self.holder, missing.next_multiple_of(STEP_KIB));
        let more = timeout(SHARE_WAIT, more).await.map_err(|_| no_room(self.holder))?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

impl BodyBudget {
    /// A budget of this many bytes.
    pub fn new(bytes: u64) -> Self {
        BodyBudget { kib: Shares::new("body_kib", usize::try_from(bytes / 1024).unwrap_or(usize::MAX)) }
    }

    /// How much of it is used at the moment.
    pub fn used_bytes(&self) -> u64 {
        self.kib.used() as u64 * 1024
    }

    /// All of it.
    pub fn bytes_max(&self) -> u64 {
        self.kib.total() as u64 * 1024
    }

    /// The name of the share, and how often somebody found theirs used up.
    pub fn refusals(&self) -> (&'static str, u64) {
        (self.kib.name(), self.kib.refusals())
    }

    /// Reads a body of at most `bytes_max` that this client, or somebody at this address, sends.
    /// Reads a body within the API's bounds, for callers that answer in a form of their own. Returns its bytes and their share
    /// of the memory, or the status and words of the refusal.
    pub async fn read_for(
        &self,
        body: Body,
        bytes_max: u64,
        holder: Holder,
    ) -> Result<(Vec<u8>, BodyShare), (StatusCode, String)> {
        match self.read(body, bytes_max, holder).await {
            Ok(Held { bytes, share }) => Ok((bytes, share)),
            Err(problem) => Err(problem.in_words()),
        }
    }

    pub(super) async fn read(&self, mut body: Body, bytes_max: u64, holder: Holder) -> Result<Held, Problem> {
        if body.size_hint().exact().is_some_and(|bytes| bytes > bytes_max) {
            return Err(too_large(bytes_max));
        }
        let mut share = BodyShare { kib: self.kib.clone(), holder, held: None };
        let mut bytes = Vec::new();
        let mut pace = Pace::new(Instant::now());
        while let Some(frame) = pace.next_frame(&mut body).await? {
            if let Ok(chunk) = frame.into_data() {
                let grown = bytes.len() + chunk.len();
                if grown as u64 > bytes_max {
                    return Err(too_large(bytes_max));
                }
                share.cover(grown).await?;
                bytes.extend_from_slice(&chunk);
                pace.came(chunk.len() as u64, Instant::now());
            }
        }
        Ok(Held { bytes, share })
    }
}

/// Whether a body comes fast enough.
struct Pace {
    /// When it must be whole.
    deadline: Instant,
    /// When enough of it must have come since the window began.
    window_ends: Instant,
    /// What came in the window.
    window_bytes: u64,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Pace { deadline: now + WHOLE_MAX, window_ends: now + RATE_WINDOW, window_bytes: 0 }
    }

    /// A window ends when enough has come, and the next one begins: a fast part does not make up for a slow one.
    fn came(&mut self, bytes: u64, now: Instant) {
        self.window_bytes += bytes;
        if self.window_bytes >= RATE_MIN_BYTES_PER_S * RATE_WINDOW.as_secs() {
            self.window_ends = now + RATE_WINDOW;
            self.window_bytes = 0;
        }
    }

    async fn next_frame(&self, body: &mut Body) -> Result<Option<Frame<bytes::Bytes>>, Problem> {
        match timeout_at(self.window_ends.min(self.deadline), body.frame()).await {
            Ok(frame) => frame
                .transpose()
                .map_err(|error| Problem::bad_request(format!("the body ended early: {error}"))),
            Err(_) if self.window_ends < self.deadline => Err(Problem::timeout(format!(
                "the body came too slowly: {} bytes in the last {} s; send at least {RATE_MIN_BYTES_PER_S} bytes/s",
                self.window_bytes,
                RATE_WINDOW.as_secs()
            ))),
            Err(_) => Err(Problem::timeout(format!(
                "the body was not whole after {} s; send less in one call",
                WHOLE_MAX.as_secs()
            ))),
        }
    }
}

fn no_room(holder: Holder) -> Problem {
    Problem::too_many(
        format!(
            "{holder} has as much as it may have of the memory for bodies; nothing was accepted, send fewer large bodies at once, and this one again later"
        ),
        RETRY_WHEN_FULL,
    )
}

fn too_large(bytes_max: u64) -> Problem {
    Problem::too_large(format!("a body may have {bytes_max} bytes; send less in one call"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use hitwire_event::ClientId;
    use std::io::Error;

    const ONE: Holder = Holder::Client(ClientId(1));
    const OTHER: Holder = Holder::Client(ClientId(2));

    fn chunks(sizes: &[usize]) -> Body {
        let chunks: Vec<_> =
            sizes.iter().map(|size| Ok::<_, Error>(Bytes::from(vec![b'x'; *size]))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    /// A body that begins with so many bytes, and then brings so many each so many seconds.
    fn slow(begins: usize, brings: usize, each_s: u64) -> Body {
        let first = stream::iter([Ok::<_, Error>(Bytes::from(vec![b'x'; begins]))]);
        let rest = stream::repeat(()).then(move |()| async move {
            tokio::time::sleep(Duration::from_secs(each_s)).await;
            Ok(Bytes::from(vec![b'x'; brings]))
        });
        Body::from_stream(first.chain(rest))
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_refused_when_it_grows_too_large() {
        let budget = BodyBudget::new(64 * 1024);
        let held = budget.read(chunks(&[500, 500]), 1_000, ONE).await.expect("read");
        assert_eq!(held.bytes.len(), 1_000);
        let problem = budget.read(chunks(&[500, 501]), 1_000, ONE).await.expect_err("too large");
        assert_eq!(problem.into_response().status(), 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_waits_until_the_others_have_left_room() {
        let budget = BodyBudget::new(64 * 1024);
        let first = budget.read(Body::from(vec![0; 70_000]), 100_000, ONE).await.expect("read");
        let second = budget.read(Body::from(vec![0; 70_000]), 100_000, OTHER);
        tokio::pin!(second);
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        assert_eq!(second.await.expect("read").bytes.len(), 70_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_for_which_there_is_no_room_is_told_to_come_back_and_a_small_one_gets_through() {
        let budget = BodyBudget::new(64 * 1024);
        let _first = budget.read(Body::from(vec![0; 70_000]), 100_000, ONE).await.expect("read");
        let problem = budget.read(Body::from(vec![0; 70_000]), 100_000, ONE).await.expect_err("no room");
        assert_eq!(problem.into_response().status(), 429);
        assert_eq!(
            budget.read(Body::from(vec![0; 2_000]), 100_000, ONE).await.expect("read").bytes.len(),
            2_000
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_large_bodies_of_one_client_leave_room_for_those_of_another() {
        let budget = BodyBudget::new(64 << 20);
        let mut held = Vec::new();
        for _ in 0..9 {
            held.extend(budget.read(Body::from(vec![0; 8_000_000]), 8 << 20, ONE).await);
        }
        assert_eq!(held.len(), 4, "half of the budget");
        let other = budget.read(Body::from(vec![0; 8_000_000]), 8 << 20, OTHER).await.expect("room");
        assert_eq!(other.bytes.len(), 8_000_000);
        assert_eq!(budget.refusals(), ("body_kib", 5));
    }

    #[tokio::test(start_paused = true)]
    async fn who_announces_much_and_sends_little_holds_nothing() {
        let budget = BodyBudget::new(64 * 1024);
        let stalled = budget.read(slow(1, 1, 1), 8 << 20, ONE);
        tokio::pin!(stalled);
        assert!(futures_util::poll!(stalled.as_mut()).is_pending());
        assert_eq!(budget.used_bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_too_slowly_is_given_up_whatever_came_before() {
        let budget = BodyBudget::new(64 << 20);
        let trickle = slow(7_000_000, 1, 14);
        for body in [trickle, slow(0, 0, 60), slow(0, 10, 1), slow(7_000_000, 1_000, 1)] {
            let began = Instant::now();
            let problem = budget.read(body, 8 << 20, ONE).await.expect_err("given up");
            assert_eq!(began.elapsed(), RATE_WINDOW);
            let (status, words) = problem.in_words();
            assert_eq!(status, 408);
            assert!(words.contains("send at least 1024 bytes/s"), "{words}");
            assert_eq!(budget.used_bytes(), 0, "its share is free again");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_the_least_rate_is_given_up_only_when_it_is_not_whole_in_time() {
        let budget = BodyBudget::new(64 << 20);
        let began = Instant::now();
        let problem = budget.read(slow(0, 2_000, 1), 8 << 20, ONE).await.expect_err("given up");
        assert_eq!(began.elapsed(), WHOLE_MAX);
        assert!(problem.in_words().1.starts_with("the body was not whole after 300 s"));
    }
}
