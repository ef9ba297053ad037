//! A stream of events. It holds one chunk at a time, and reads on when that is sent; it ends when hitwire stops, when the token
//! is good no longer, and after an hour.

use super::event;
use super::pages::{CHUNK_BYTES_MAX, CHUNK_EVENTS_MAX};
use crate::identity::Pass;
use crate::turnstile::Passage;
use axum::body::Bytes;
use hitwire_event::{Record, Seq};
use hitwire_store::{Head, Read, Store, StreamFrom};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// A stream on which nothing happens sends a blank line after this, so that both sides know of each other.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream ends after this; who wants more comes again.
const STREAM_MAX: Duration = Duration::from_hours(1);

/// One stream.
pub(super) struct Follower {
    store: Arc<dyn Store>,
    stop: CancellationToken,
    streams: Vec<StreamFrom>,
    head: Head,
    after: Seq,
    first: Option<Vec<Arc<Record>>>,
    ends: Instant,
    /// None: nobody can take the right to read away.
    pass: Option<Pass>,
    _passage: Passage,
}

impl Follower {
    /// A stream that begins with `first`, and goes on after a position.
    pub(super) fn new(
        store: Arc<dyn Store>,
        stop: CancellationToken,
        streams: Vec<StreamFrom>,
        after: Seq,
        first: Vec<Arc<Record>>,
        passage: Passage,
        pass: Option<Pass>,
    ) -> Self {
        let head = store.head();
        let first = (!first.is_empty()).then_some(first);
        let ends = Instant::now() + STREAM_MAX;
        Follower { store, stop, streams, head, after, first, ends, pass, _passage: passage }
    }

    /// The next bytes; none: the stream ends.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return lines(first.iter());
        }
        let keep_alive = Instant::now() + KEEP_ALIVE;
        let mut pass = self.pass.take();
        let chunk = tokio::select! {
            chunk = self.go_on(keep_alive) => chunk,
            () = ended(pass.as_mut()) => None,
        };
        self.pass = pass;
        chunk
    }

    async fn go_on(&mut self, keep_alive: Instant) -> Option<Bytes> {
        loop {
            if self.stop.is_cancelled() || Instant::now() >= self.ends {
                return None;
            }
            let head = self.head.seen();
            if self.after < head {
                let records = self.read_on().await?;
                if !records.is_empty() {
                    return lines(records.iter());
                }
                // A long stretch without these kinds is searched piece by piece.
                if Instant::now() < keep_alive {
                    continue;
                }
            }
            tokio::select! {
                changed = self.head.changed() => changed.then_some(())?,
                () = sleep_until(keep_alive.min(self.ends)) => return Some(Bytes::from_static(b"\n")),
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// What comes after the position, which moves on; none when the log cannot be read.
    async fn read_on(&mut self) -> Option<Vec<Arc<Record>>> {
        let read = Read {
            streams: self.streams.clone(),
            after: self.after,
            through: None,
            max_events: CHUNK_EVENTS_MAX,
            max_bytes: CHUNK_BYTES_MAX,
        };
        match self.store.read(read).await {
            Ok(found) => {
                self.after = found.scanned_to.max(self.after);
                Some(found.records)
            }
            Err(error) => {
                tracing::warn!(%error, "a stream of events ends because the log cannot be read");
                None
            }
        }
    }
}

async fn ended(pass: Option<&mut Pass>) {
    match pass {
        Some(pass) => pass.ended().await,
        None => std::future::pending().await,
    }
}

/// Events as lines; none if one of them cannot be written.
fn lines<'a>(records: impl Iterator<Item = &'a Arc<Record>>) -> Option<Bytes> {
    let mut text = Vec::new();
    for record in records {
        text.extend(crate::json_text(&event(record).ok()?));
        text.push(b'\n');
    }
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turnstile::Turnstile;
    use hitwire_event::ClientId;
    use hitwire_store::{Options, SqliteStore};

    fn follower(dir: &std::path::Path, stop: &CancellationToken) -> Follower {
        let store = Arc::new(SqliteStore::open(Options::new(dir)).expect("opened"));
        let passage =
            Turnstile::new("streams", 1, 1, 1).pass(ClientId(1), Duration::ZERO).expect("let through");
        Follower::new(store, stop.clone(), Vec::new(), Seq::ZERO, Vec::new(), passage, None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_on_which_nothing_happens_gives_signs_of_life_and_ends_after_an_hour() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut follower = follower(dir.path(), &CancellationToken::new());
        let begun = Instant::now();
        assert_eq!(follower.next().await.as_deref(), Some(&b"\n"[..]));
        assert_eq!(begun.elapsed(), KEEP_ALIVE);
        let mut signs = 1;
        while let Some(chunk) = follower.next().await {
            assert_eq!(&*chunk, b"\n");
            signs += 1;
        }
        assert_eq!((begun.elapsed(), signs), (STREAM_MAX, 240));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_at_once_when_hitwire_stops() {
        let dir = tempfile::tempdir().expect("a directory");
        let stop = CancellationToken::new();
        let mut follower = follower(dir.path(), &stop);
        let begun = Instant::now();
        let (end, ()) = tokio::join!(follower.next(), async { stop.cancel() });
        assert_eq!((end, begun.elapsed()), (None, Duration::ZERO));
    }
}
