//! Follows one file, on a thread of its own.

use super::SourceGauge;
use crate::config::SourceSpec;
use hitwire_api::{Intake, Origin};
use hitwire_delivery::Clock;
use hitwire_delivery::counted::Restarts;
use hitwire_delivery::supervisor::Backoff;
use hitwire_event::escape::visible;
use hitwire_event::{Counter, Event};
use hitwire_source::follow::{Chunk, FileEvent, Follower, Watch};
use hitwire_source::{Position, Settings, modsecurity};
use hitwire_store::{Append, Done, Op, Store, StoreError, new_uuid};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Bytes of the file that become one commit: some 100 records, well below what a transaction should hold.
const CHUNK_BYTES: usize = 512 << 10;

/// How long to wait before a chunk is offered again to a log that did not take it.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// Warnings about bad lines come at most this often; the counter tells the rest.
const WARNING_EVERY: Duration = Duration::from_secs(10);

/// What is left to do when hitwire stops: nothing.
struct Stopped;

/// Reads, converts, appends.
pub(super) struct Runner {
    pub(super) name: String,
    /// Each record counts as a processed request.
    pub(super) count_requests: bool,
    pub(super) settings: Settings,
    pub(super) follower: Follower,
    pub(super) watch: Watch,
    pub(super) store: Arc<dyn Store>,
    pub(super) gauge: Arc<SourceGauge>,
    pub(super) intake: Intake,
    pub(super) clock: Clock,
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
}

/// What a chunk became.
#[derive(Default)]
struct Converted {
    events: Vec<Event>,
    records: u64,
    lossy: u64,
    errors: u64,
    /// The first bad line: where, and what is wrong with it.
    first_error: Option<(u64, String)>,
}

impl Runner {
    /// Runs until stopped, and begins again from the checkpoint after a panic.
    pub(super) fn keep_running(&mut self, spec: &SourceSpec, restarts: &Restarts) {
        let mut backoff = Backoff::default();
        loop {
            let began = Instant::now();
            if catch_unwind(AssertUnwindSafe(|| self.run())).is_ok() {
                return;
            }
            restarts.count("source");
            let wait = backoff.after(began.elapsed());
            let (source, wait_s) = (&self.name, wait.as_secs());
            tracing::error!(source, wait_s, "a source failed by a programming error and is begun again");
            self.problem(format!(
                "reading failed by a programming error; it goes on from its checkpoint in {wait_s} s"
            ));
            if self.begin_again(spec, wait).is_err() {
                return;
            }
        }
    }

    /// Goes back to the checkpoint after a wait: what was read and not committed is read again.
    fn begin_again(&mut self, spec: &SourceSpec, mut wait: Duration) -> Result<(), Stopped> {
        let runtime = self.runtime.clone();
        loop {
            let opened = runtime.block_on(async {
                tokio::select! {
                    () = tokio::time::sleep(wait) => Ok(super::follower(spec, &*self.store).await),
                    () = self.stop.cancelled() => Err(Stopped),
                }
            })?;
            match opened {
                Ok(follower) => {
                    self.follower = follower;
                    return Ok(());
                }
                Err(problem) => self.problem(problem),
            }
            wait = COMMIT_RETRY;
        }
    }

    fn problem(&self, problem: String) {
        self.gauge.update(|status| {
            status.caught_up = false;
            status.problem = Some(problem);
        });
    }

    /// Runs until stopped.
    fn run(&mut self) {
        let mut warned: Option<Instant> = None;
        while !self.stop.is_cancelled() {
            match self.follower.poll(CHUNK_BYTES) {
                Ok(chunk) => {
                    let (caught_up, missing) = (chunk.caught_up, chunk.missing);
                    if self.settle(chunk, &mut warned).is_err() {
                        return;
                    }
                    let position = self.follower.offset();
                    self.gauge.update(|status| {
                        status.position = position;
                        status.caught_up = caught_up;
                        status.problem = missing.then(|| "the file is not there yet".to_owned());
                    });
                    if caught_up {
                        self.watch.wait();
                    }
                }
                Err(error) => {
                    if is_due(&mut warned) {
                        tracing::warn!(source = self.name, %error, "a source cannot be read; trying again");
                    }
                    self.problem(format!("the file cannot be read: {error}"));
                    self.watch.wait();
                }
            }
        }
    }

    /// Makes one commit of a chunk, and counts it when it is durable.
    fn settle(&self, chunk: Chunk, warned: &mut Option<Instant>) -> Result<(), Stopped> {
        for event in &chunk.events {
            self.tell(*event);
        }
        let converted = convert(&chunk, &self.settings, self.clock.wall_ms() / 1_000);
        if let Some((offset, problem)) = &converted.first_error
            && is_due(warned)
        {
            let (source, errors) = (&self.name, converted.errors);
            tracing::warn!(source, offset, errors, problem = %visible(problem), "lines that are no records were passed over");
        }
        let hits = converted.events.len() as u64;
        let last_error =
            converted.first_error.as_ref().map(|(offset, problem)| format!("at byte {offset}: {problem}"));
        let mut events = converted.events;
        if self.count_requests && converted.records > 0 {
            events.push(self.counter(converted.records));
        }
        if chunk.moved {
            self.commit(events, chunk.checkpoint)?;
        }
        let now = hitwire_api::rfc3339(self.clock.wall_ms());
        self.gauge.update(|status| {
            status.records += converted.records;
            status.hits += hits;
            status.lossy += converted.lossy;
            status.errors += converted.errors;
            status.last_error = last_error.or(status.last_error.take());
            if converted.records > 0 {
                status.last_record_at = Some(now);
            }
        });
        Ok(())
    }

    /// The records of a chunk as a counter. It counts when it is read: while a source is followed, that is now.
    fn counter(&self, requests: u64) -> Event {
        let at = self.clock.wall_ms() / 1_000;
        let counter = Counter { client: self.settings.client, requests, at };
        // The checkpoint beside it sees to it that no record counts twice; the id need only be new.
        counter.to_event(&new_uuid().simple().to_string())
    }

    /// Offers the events and their checkpoint to the log until it has taken them: a chunk is never skipped.
    fn commit(&self, events: Vec<Event>, checkpoint: Vec<u8>) -> Result<(), Stopped> {
        let kinds = Intake::kinds(&events);
        let append = Append { events, deduplicate: false, checkpoint: Some((self.name.clone(), checkpoint)) };
        let offer = async {
            loop {
                match self.store.commit(vec![Op::Append(append.clone())]).await {
                    Ok(done) => {
                        if let Some(Done::Appended(appended)) = done.first() {
                            self.intake.appended(Origin::ModSecurity, &kinds, appended);
                        }
                        return Ok(());
                    }
                    Err(StoreError::Closed) => return Err(Stopped),
                    Err(error) => {
                        tracing::error!(source = self.name, %error, "the log does not take a source's events; trying again");
                        self.problem(error.to_string());
                    }
                }
                tokio::time::sleep(COMMIT_RETRY).await;
            }
        };
        // Events and checkpoint are one commit, so it may be abandoned at any moment: either both are there or neither.
        self.runtime.block_on(async {
            tokio::select! {
                offered = offer => offered,
                () = self.stop.cancelled() => Err(Stopped),
            }
        })
    }

    fn tell(&self, event: FileEvent) {
        let source = &self.name;
        match event {
            FileEvent::Rotated { read_to } => {
                tracing::info!(source, read_to, "the file was rotated; going on with its successor");
            }
            FileEvent::Replaced { read_to } => tracing::warn!(
                source,
                read_to,
                "the file was truncated or exchanged; going on at its start. What was written to the old one since is lost"
            ),
            FileEvent::Unfinished { offset, length } => {
                tracing::warn!(
                    source,
                    offset,
                    length,
                    "a rotated file ends within a line, which was passed over"
                );
            }
        }
    }
}

fn convert(chunk: &Chunk, settings: &Settings, now_s: u64) -> Converted {
    let mut converted = Converted::default();
    for (offset, line) in &chunk.lines {
        // A line is written by attackers. If one meets a mistake of ours, it must cost that line, not the source.
        let record = catch_unwind(AssertUnwindSafe(|| {
            modsecurity::convert(line, Position { offset: *offset }, settings, now_s).map(|record| {
                let events: Vec<Event> =
                    record.hits.iter().map(|hit| hit.to_event(settings.client)).collect();
                (record, events)
            })
        }));
        match record {
            Ok(Ok((record, events))) => {
                converted.records += 1;
                converted.lossy += u64::from(record.lossy);
                converted.events.extend(events);
                for _ in 0..record.fragments {
                    converted.refuse(*offset, || "a piece of a damaged line is no record".to_owned());
                }
            }
            Ok(Err(error)) => converted.refuse(*offset, || error.to_string()),
            Err(_) => {
                converted.refuse(*offset, || "hitwire failed to convert it; please report this".to_owned());
            }
        }
    }
    for line in &chunk.skipped {
        converted.refuse(line.offset, || format!("the line has {} bytes, which is too long", line.length));
    }
    converted
}

impl Converted {
    fn refuse(&mut self, offset: u64, problem: impl FnOnce() -> String) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some((offset, problem()));
        }
    }
}

/// Whether it is time for another warning.
fn is_due(warned: &mut Option<Instant>) -> bool {
    let due = warned.is_none_or(|at| at.elapsed() >= WARNING_EVERY);
    if due {
        *warned = Some(Instant::now());
    }
    due
}
