//! Counters into one event for each client and hour, a minute after the hour.
//!
//! [`hours`] decides; what is here reads the log, keeps time and appends. What is appended at once is an hour's events and
//! the state after them.

mod hours;

use hitwire_api::{Intake, Origin};
use hitwire_delivery::Clock;
use hitwire_event::{ClientId, Counter, Event, Kind, Seq, Stream};
use hitwire_store::{Append, Done, Op, Read, Store, StoreError, StreamFrom};
use hours::Hours;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The checkpoint in which the state is kept.
const CHECKPOINT: &str = "processor/requests_per_hour";

/// How often the log is looked at. Nothing depends on it but how soon after its minute an hour is told.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Counters that are read at once, and their bytes.
const COUNTERS_AT_ONCE: usize = 2_000;
const BYTES_AT_ONCE: usize = 1 << 20;

/// Events that are appended at once.
const EVENTS_AT_ONCE: usize = 2_000;

/// How often the state is kept between two hours, so that a start has little to count again, and retention takes no counter
/// that is not counted.
const KEEP_EVERY: Duration = Duration::from_mins(1);

/// And while there are no counters: so that a start has little to search.
const KEEP_IDLE_EVERY: Duration = Duration::from_hours(1);

/// How long to wait before the store is asked again when it cannot write or read.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The processor.
pub(crate) struct Processor {
    store: Arc<dyn Store>,
    clock: Clock,
    intake: Intake,
    hours: Hours,
    /// Counters were counted since the state was kept.
    changed: bool,
    kept_at: Instant,
    kept_to: Seq,
}

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// There is more.
    Step,
    /// Nothing for this long.
    Wait(Duration),
}

impl Processor {
    /// Goes on where the last one left off.
    ///
    /// # Errors
    ///
    /// Those of the store; and when the state was kept by a newer hitwire.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        clock: Clock,
        intake: Intake,
    ) -> Result<Processor, StoreError> {
        let hours = match store.checkpoint(CHECKPOINT).await? {
            None => Hours::default(),
            Some(bytes) => Hours::from_bytes(&bytes).map_err(|problem| {
                StoreError::Open(format!("the state of {CHECKPOINT} cannot be read: {problem}"))
            })?,
        };
        let kept_to = hours.cursor();
        Ok(Processor { store, clock, intake, hours, changed: false, kept_at: Instant::now(), kept_to })
    }

    /// Works until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.step().await {
                Ok(Next::Step) => continue,
                Ok(Next::Wait(wait)) => wait,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "requests cannot be counted by the hour yet; trying again");
                    STORE_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Goes on where the last one left off, as soon as the store says where that is, and works until told to stop.
    pub(crate) async fn run_again(
        store: Arc<dyn Store>,
        clock: Clock,
        intake: Intake,
        stop: CancellationToken,
    ) {
        loop {
            match Processor::open(Arc::clone(&store), clock, intake.clone()).await {
                Ok(processor) => return processor.run(stop).await,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "requests cannot be counted by the hour yet; trying again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(STORE_RETRY) => {}
            }
        }
    }

    /// Counts some counters; when there are no more, tells an hour that is due, or keeps the state if it is time.
    async fn step(&mut self) -> Result<Next, StoreError> {
        if self.count().await? {
            return Ok(Next::Step);
        }
        let now_s = self.clock.wall_ms() / 1_000;
        if self.hours.due_s().is_some_and(|due_s| due_s <= now_s) {
            let mut after = self.hours.clone();
            let events = after.tell(now_s, EVENTS_AT_ONCE);
            self.keep(events, after).await?;
            return Ok(Next::Step);
        }
        let every = if self.changed { KEEP_EVERY } else { KEEP_IDLE_EVERY };
        if self.hours.cursor() > self.kept_to && self.kept_at.elapsed() >= every {
            self.keep(Vec::new(), self.hours.clone()).await?;
        }
        let until_due = self
            .hours
            .due_s()
            .map(|due_s| Duration::from_millis((due_s * 1_000).saturating_sub(self.clock.wall_ms()).max(1)));
        Ok(Next::Wait(until_due.map_or(LOOK_EVERY, |wait| wait.min(LOOK_EVERY))))
    }

    /// Counts the next counters; whether there may be more.
    async fn count(&mut self) -> Result<bool, StoreError> {
        if self.store.head().now() <= self.hours.cursor() {
            return Ok(false);
        }
        let stream = Stream { client: ClientId::HITWIRE, kind: Kind::Counter };
        let read = Read {
            streams: vec![StreamFrom { stream, from: Seq::ZERO }],
            after: self.hours.cursor(),
            through: None,
            max_events: COUNTERS_AT_ONCE,
            max_bytes: BYTES_AT_ONCE,
        };
        let page = self.store.read(read).await?;
        for record in &page.records {
            if let Some(counter) = Counter::of(&record.event) {
                self.hours.count(counter, record.appended_ms / 1_000);
            } else {
                tracing::error!(seq = record.seq.0, "a counter in the log cannot be read");
            }
            self.changed = true;
        }
        self.hours.passed(page.scanned_to);
        Ok(page.more)
    }

    /// Appends events and the state after them, in one transaction; only then is it the state.
    async fn keep(&mut self, events: Vec<Event>, after: Hours) -> Result<(), StoreError> {
        let kinds = Intake::kinds(&events);
        let checkpoint = Some((CHECKPOINT.to_owned(), after.to_bytes()));
        let append = Append { events, deduplicate: true, checkpoint };
        if let Some(Done::Appended(appended)) = self.store.commit(vec![Op::Append(append)]).await?.pop() {
            self.intake.appended(Origin::Hitwire, &kinds, &appended);
        }
        self.hours = after;
        self.changed = false;
        self.kept_at = Instant::now();
        self.kept_to = self.hours.cursor();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
