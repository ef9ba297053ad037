//! The task that keeps the index up to the log: reads what is new, has it written, rests, and begins again.
//!
//! It is in nobody's way: what it reads is in memory while it keeps up; it writes a few times a second at most, whatever comes;
//! and while it catches up it rests twice as long as it works: a third of a core is for it, at most. While events come faster
//! than it could follow, it rests much longer: taking them in and delivering them goes first.

use crate::file::is_damage;
use crate::options::Options;
use crate::read::Index;
use crate::shared::{IndexError, Progress, Shared};
use crate::write::{Portion, Writer};
use hitwire_event::Seq;
use hitwire_store::{Ledger, Log, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// While there is more to do, it rests so many times as long as it worked. A third of a core does some 30,000 events a second.
const RESTS: u32 = 2;

/// The same while events come fast: a twentieth of a core.
const RESTS_UNDER_LOAD: u32 = 19;

/// So many events a second are fast: most of what a third of a core keeps up with.
const LOAD_PER_S: u64 = 20_000;

/// Events of a portion, and their bytes: some 30 ms of work.
const EVENTS_AT_ONCE: usize = 2_000;
const BYTES_AT_ONCE: usize = 4 << 20;

/// Attempts of a portion.
const ATTEMPTS_AT_ONCE: usize = 2_000;

/// The shortest time from one portion to the next while it keeps up. It is also how far the index is behind.
const REST: Duration = Duration::from_millis(200);

/// How often attempts are looked for when no events come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The same after something came: what is delivered at once is attempted at once.
const LOOK_SOON: Duration = Duration::from_millis(300);

/// How often the file is kept within its bounds, and the disk looked at.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// How long to wait before a read or a write is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Files that are made again one after the other before it is taken for a fault of the disk, and tried at leisure.
const REMAKES_MAX: u32 = 3;

/// The task, before and while it runs.
#[derive(Debug)]
pub struct Following {
    shared: Arc<Shared>,
    source: Source,
    /// None before the file is open.
    writer: Option<Writer>,
    kept_at: Option<Instant>,
    has_room: bool,
    remakes: u32,
    /// The end of the log at the last step, and when that was.
    seen: Option<(Seq, Instant)>,
}

/// What is followed.
#[derive(Clone)]
struct Source {
    log: Arc<dyn Log>,
    ledger: Arc<dyn Ledger>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("the log cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the index cannot be written: {0}")]
    File(#[from] rusqlite::Error),
    #[error("the index was left by its writer")]
    Abandoned,
}

/// What a step leaves to do.
enum Next {
    /// There is more; others have their turn for this long.
    After(Duration),
    /// Nothing for now; attempts are looked for after this long at the latest.
    Rest(Duration),
}

impl Index {
    /// The index of a data directory, and the task that opens the file, or makes it, and follows the log and what became of
    /// its events.
    pub fn new(options: Options, log: Arc<dyn Log>, ledger: Arc<dyn Ledger>) -> (Index, Following) {
        let shared = Arc::new(Shared::new(options));
        let following = Following::new(Arc::clone(&shared), Source { log, ledger });
        (Index(shared), following)
    }
}

impl Following {
    fn new(shared: Arc<Shared>, source: Source) -> Following {
        Following { shared, source, writer: None, kept_at: None, has_room: true, remakes: 0, seen: None }
    }

    /// Indexes everything that there is, and returns: for whoever needs no task, such as tests.
    ///
    /// # Errors
    ///
    /// When the log cannot be read, or the file not written.
    pub async fn catch_up(&mut self) -> Result<(), IndexError> {
        let failed = |obstacle| match obstacle {
            Obstacle::File(error) => IndexError::File(error),
            Obstacle::Store(_) | Obstacle::Abandoned => IndexError::Closed,
        };
        self.open().await.map_err(failed)?;
        self.kept_at = None;
        while let Next::After(_) = self.step().await.map_err(failed)? {}
        Ok(())
    }

    /// Ends without a task having run; the file is on the disk then.
    pub async fn finish(self) {
        self.close().await;
    }

    /// Another one of the same index and log, for when this one has failed. Only one of them may run.
    #[must_use]
    pub fn anew(&self) -> Following {
        Following::new(Arc::clone(&self.shared), self.source.clone())
    }

    /// Follows the log until told to stop; the file is on the disk when this ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut head = self.source.log.head();
        while !stop.is_cancelled() {
            head.seen();
            let opened = self.open().await;
            let next = match opened {
                Ok(()) => self.step().await,
                Err(obstacle) => Err(obstacle),
            };
            let woken = async {
                match next {
                    Ok(Next::After(rest)) => tokio::time::sleep(rest).await,
                    Ok(Next::Rest(look_within)) => {
                        tokio::time::sleep(REST).await;
                        tokio::select! {
                            _ = head.changed() => {}
                            () = tokio::time::sleep(look_within) => {}
                        }
                    }
                    Err(Obstacle::Store(StoreError::Closed)) => stop.cancelled().await,
                    Err(obstacle) => self.wait_behind(&obstacle).await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => {}
            }
        }
        self.close().await;
    }

    /// Says what is in the way, mends what can be mended, and waits.
    async fn wait_behind(&mut self, obstacle: &Obstacle) {
        match obstacle {
            Obstacle::File(error) if is_damage(error) && self.remakes < REMAKES_MAX => {
                tracing::warn!(%error, "the index is damaged, and is made again");
                self.remakes += 1;
                match self.make_again().await {
                    Ok(()) => return,
                    Err(error) => tracing::error!(%error, "the index cannot be made again yet"),
                }
            }
            _ => tracing::error!(error = %obstacle, "the index does not get on; trying again"),
        }
        self.tell(Some(obstacle.to_string()));
        tokio::time::sleep(RETRY).await;
    }

    /// Opens the file, if it is not, and makes sure that it is of this log.
    async fn open(&mut self) -> Result<(), Obstacle> {
        if self.writer.is_some() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let opened = tokio::task::spawn_blocking(move || {
            let opened = Writer::open(&shared.path, shared.options.bounds);
            // What readers found before may have been another file.
            shared.forget_connections();
            opened
        });
        self.writer = Some(opened.await.map_err(|_| Obstacle::Abandoned)??);
        self.look_at_log().await
    }

    /// Makes sure that the index is one of this log.
    async fn look_at_log(&mut self) -> Result<(), Obstacle> {
        let state = self.writer.as_ref().ok_or(Obstacle::Abandoned)?.state().clone();
        let head = self.source.log.head().now();
        let mut foreign = state.seq > head;
        if let Some(id) = state.seq_id.filter(|_| !foreign && state.seq > Seq::ZERO) {
            let page = self.source.log.follow(Seq(state.seq.0 - 1), 1, 1).await?;
            let there = page.records.first().filter(|record| record.seq == state.seq);
            foreign = there.is_some_and(|record| record.event.id.as_str() != id);
        }
        // Attempts are numbered ever higher: a gap is only pruning, but the last one must not lie behind the end.
        if !foreign && state.attempt > 0 {
            let last = self.source.ledger.attempts_after(state.attempt - 1, 1).await?;
            let none_at_all = last.is_empty() && !self.source.ledger.attempts_after(0, 1).await?.is_empty();
            foreign = none_at_all;
        }
        if foreign {
            tracing::info!("the index is of another log, and is made again");
            self.make_again().await?;
        }
        Ok(())
    }

    /// Reads and writes one portion, and keeps the file within its bounds when it is time.
    async fn step(&mut self) -> Result<Next, Obstacle> {
        let began = Instant::now();
        let mut more = false;
        if self.kept_at.is_none_or(|at| at.elapsed() >= KEEP_EVERY) {
            more = self.keep().await?;
            self.kept_at = (!more).then(Instant::now);
        }
        if !self.has_room {
            return Ok(Next::Rest(LOOK_EVERY));
        }
        let head = self.source.log.head().now();
        let rests = if self.is_under_load(head, began) { RESTS_UNDER_LOAD } else { RESTS };
        let writer = self.writer.as_mut().ok_or(Obstacle::Abandoned)?;
        // What is further behind than the index holds is not worth the reading.
        writer.skip_to(self.source.log.behind_newest(self.shared.options.bounds.events()));
        let (seq, attempt) = (writer.state().seq, writer.state().attempt);
        let page = self.source.log.follow(seq, EVENTS_AT_ONCE, BYTES_AT_ONCE).await?;
        more |= page.more;
        let attempts = if page.more {
            Vec::new()
        } else {
            // Events first: an attempt is measured by when its first event came.
            self.source.ledger.attempts_after(attempt, ATTEMPTS_AT_ONCE).await?
        };
        more |= attempts.len() == ATTEMPTS_AT_ONCE;
        let portion = Portion { records: page.records, scanned_to: page.scanned_to, attempts };
        let has_news = portion.scanned_to > seq || !portion.attempts.is_empty();
        if has_news {
            let now_ms = self.now_ms();
            self.write(move |writer| writer.add(&portion, now_ms)).await?;
            self.remakes = 0;
        }
        self.tell(None);
        Ok(match (more, has_news) {
            (true, _) => Next::After(began.elapsed() * rests),
            (false, true) => Next::Rest(LOOK_SOON),
            (false, false) => Next::Rest(LOOK_EVERY),
        })
    }

    /// Whether events come faster than is good for one that works behind them.
    fn is_under_load(&mut self, head: Seq, now: Instant) -> bool {
        let Some((before, at)) = self.seen.replace((head, now)) else { return false };
        is_fast(self.source.log.events_after(before), now.duration_since(at))
    }

    /// Drops what is too old or too much. `true`: there is more to do.
    async fn keep(&mut self) -> Result<bool, Obstacle> {
        let first = self.source.log.follow(Seq::ZERO, 1, 1).await?;
        // A log without an event has lost all before its end.
        let oldest = first.records.first().map_or(first.scanned_to.next(), |record| record.seq);
        let now_ms = self.now_ms();
        let beyond = self.source.log.behind_newest(self.shared.options.bounds.events());
        let path = self.shared.path.clone();
        let kept = self.write(move |writer| Ok((writer.keep(oldest, beyond, now_ms)?, free_bytes(&path))));
        let (more, free) = kept.await?;
        let floor = self.shared.options.disk_floor_bytes;
        let has_room = free.is_none_or(|free| free >= floor.saturating_mul(2));
        if !has_room {
            self.tell(Some("the disk is nearly full; what is free is kept for the log".to_owned()));
        }
        if has_room != self.has_room {
            tracing::warn!(has_room, "whether the index may grow on this disk has changed");
        }
        self.has_room = has_room;
        Ok(more)
    }

    async fn make_again(&mut self) -> Result<(), Obstacle> {
        let shared = Arc::clone(&self.shared);
        let old = self.writer.take();
        let made = tokio::task::spawn_blocking(move || {
            drop(old);
            let made = Writer::make(&shared.path, shared.options.bounds);
            shared.forget_connections();
            made
        });
        self.writer = Some(made.await.map_err(|_| Obstacle::Abandoned)??);
        self.kept_at = None;
        Ok(())
    }

    async fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Writer) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let mut writer = self.writer.take().ok_or(Obstacle::Abandoned)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut writer);
            (writer, result)
        });
        let (writer, result) = done.await.map_err(|_| Obstacle::Abandoned)?;
        self.writer = Some(writer);
        Ok(result?)
    }

    async fn close(mut self) {
        let Some(writer) = self.writer.take() else { return };
        match tokio::task::spawn_blocking(move || writer.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the index was not closed well; it may be made again"),
            Err(_) => tracing::error!("closing the index failed by a programming error"),
        }
    }

    fn tell(&self, problem: Option<String>) {
        let told = self.shared.progress.borrow().clone();
        let state = self.writer.as_ref().map(|writer| writer.state().clone()).unwrap_or_default();
        let progress = Progress {
            indexed_to: state.seq,
            indexed_to_ms: state.seq_ms,
            head: self.source.log.head().now().max(state.seq),
            behind: self.source.log.events_after(state.seq),
            attempts_to: state.attempt,
            problem,
        };
        if progress != told {
            self.shared.progress.send_replace(progress);
        }
    }

    fn now_ms(&self) -> u64 {
        (self.shared.options.now_ms)()
    }
}

/// What is free on the disk of a file; none: the system does not say.
fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn is_fast(events: u64, within: Duration) -> bool {
    u128::from(events) * 1_000 > u128::from(LOAD_PER_S) * within.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_thousand_events_a_second_are_not_fast_and_more_are() {
        assert!(!is_fast(10_000, Duration::from_millis(500)));
        assert!(is_fast(10_001, Duration::from_millis(500)));
        assert!(!is_fast(0, Duration::ZERO));
    }
}
