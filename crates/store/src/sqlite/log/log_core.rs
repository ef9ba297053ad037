//! The log's writer, without its thread: groups of appends in, answers out.
//!
//! A failed commit is fatal for the slice. After a failed sync the kernel may have dropped what it was to write, and may
//! call the next sync a success; so nothing is ever built upon a file whose sync failed. The slice is left as it is, and a
//! new one begins right after the last acknowledged event. Readers cut every slice off where the next one begins, so what
//! the failed commit left in the old file is never seen.

use super::append::{Job, Prepared, Written, failure, flags, refuse};
use super::block::Placed;
use super::dedup::{Dedup, Known};
use super::keeping::{Keeping, WalGrowth};
use super::recovery::SLICE_POSITIONS_MAX;
use super::slice_writer::{self, SliceWriter};
use super::view::Checkpoints;
use crate::StoreError;
use crate::sqlite::files;
use crate::sqlite::ground::Ground;
use crate::sqlite::options::FaultPoint;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long appends are refused after a failure before a new slice is tried.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The log's writer.
pub(in crate::sqlite) struct LogCore {
    ground: Ground,
    keeping: Keeping,
    wal_growth: WalGrowth,
    dedup: Dedup,
    /// The last acknowledged position.
    head: u64,
    /// `None` after a failure, until a new slice is made.
    writer: Option<SliceWriter>,
    /// When the slice that is written began to be.
    writer_since: Duration,
    /// Its bytes at the last commit.
    slice_bytes: u64,
    /// The last failure, for the callers that come before the next try.
    failure: Option<(Duration, String)>,
    /// Bytes of its WAL that were in use after the last commit.
    wal_bytes: u64,
}

impl LogCore {
    /// A writer that goes on with the newest slice.
    pub(in crate::sqlite) fn new(
        ground: Ground,
        keeping: Keeping,
        dedup: Dedup,
        writer: SliceWriter,
    ) -> Self {
        LogCore {
            wal_growth: keeping.wal_growth(ground.options.wal_bytes_to_move()),
            keeping,
            dedup,
            head: ground.log.head(),
            writer: Some(writer),
            writer_since: ground.clock.elapsed(),
            slice_bytes: 0,
            failure: None,
            wal_bytes: 0,
            ground,
        }
    }

    /// Carries out a group of jobs in one transaction, and answers them: `first`, and what `next` gives until it ends.
    pub(in crate::sqlite) fn group(&mut self, first: Job, next: &mut dyn FnMut() -> Option<Job>) {
        if let Err(error) = self.be_ready() {
            refuse([first], &error);
            return;
        }
        let log = Arc::clone(&self.ground.log);
        let _inside = log.writer.enter();
        let began = Instant::now();
        let mut written = Vec::new();
        let mut unwritten = None;
        let mut job = Some(first);
        let result = self.writable().and_then(|writer| writer.begin().map_err(failure));
        let result = result.and_then(|()| {
            let mut seq = self.head + 1;
            while let Some(current) = job.take() {
                match self.write(current, seq) {
                    Ok(caller) => {
                        seq = caller.end();
                        written.push(caller);
                    }
                    Err((job, error)) => {
                        unwritten = Some(job);
                        return Err(error);
                    }
                }
                job = next();
            }
            self.finish()
        });
        match result {
            Ok(()) => {
                let took = began.elapsed();
                let events = self.acknowledge(written);
                self.ground.counts.log_committed(took, events);
            }
            Err(error) => {
                let waiting = written.into_iter().map(|caller| caller.job).chain(unwritten).chain(job);
                self.fail(error, waiting.collect());
            }
        }
    }

    /// Ends the writer: what the WAL holds goes into the database.
    pub(in crate::sqlite) fn close(&mut self) {
        if let Some(writer) = self.writer.take()
            && !writer.slice.is_stuck()
            && let Err(error) = writer.cut_wal()
        {
            tracing::warn!(%error, "the log's WAL stays as it is; it is read at the next start");
        }
    }

    /// Sees to it that there is a slice to write to, with room in it and on the disk.
    fn be_ready(&mut self) -> Result<(), StoreError> {
        self.look_for_files()?;
        let now = self.ground.clock.elapsed();
        if let Some((at, why)) = &self.failure
            && now.saturating_sub(*at) < RETRY_AFTER
        {
            return Err(StoreError::Unavailable(why.clone()));
        }
        let ready = if self.writer.is_none() {
            self.start_over(now)
        } else if self.is_full(now) {
            self.rotate(now)
        } else {
            Ok(())
        };
        ready.map_err(|error| self.pause(error))?;
        self.failure = None;
        self.look_at_disk()
    }

    fn is_full(&self, now: Duration) -> bool {
        let has_events = self.writer.as_ref().is_some_and(|writer| writer.slice.first <= self.head);
        let age = now.saturating_sub(self.writer_since);
        let positions =
            self.writer.as_ref().map_or(0, |writer| (self.head + 1).saturating_sub(writer.slice.first));
        let is_stuck = self.writer.as_ref().is_some_and(|writer| writer.slice.is_stuck());
        has_events
            && (is_stuck
                || positions >= SLICE_POSITIONS_MAX
                || self.slice_bytes >= self.ground.options.slice_bytes_full()
                || self.wal_bytes >= self.ground.options.wal_bytes_max()
                || age >= self.ground.options.slice_age)
    }

    /// Ends the slice and begins the next one.
    fn rotate(&mut self, now: Duration) -> Result<(), StoreError> {
        // Retention makes room for one slice ahead; it must have done so before the next one is begun.
        self.keeping.wait();
        if self.wal_bytes >= self.ground.options.wal_bytes_max() {
            tracing::warn!(
                bytes = self.wal_bytes,
                "the log's WAL is held back by its readers; a new slice begins"
            );
        }
        // The ended slice keeps its WAL until it is packed.
        self.writer = Some(self.create()?);
        self.keeping.rotated();
        self.begins(now);
        Ok(())
    }

    /// After a failure: begins a slice right after the last acknowledged event.
    fn start_over(&mut self, now: Duration) -> Result<(), StoreError> {
        // The old slice must still give what was acknowledged, or going on would hide a loss.
        if let Some(newest) = self.ground.log.catalog.all().last()
            && newest.first <= self.head
            && !slice_writer::holds(&newest.path, self.head)?
        {
            return Err(StoreError::Unavailable(format!(
                "{} no longer holds the acknowledged event {}; check the disk",
                newest.path.display(),
                self.head
            )));
        }
        self.writer = Some(self.create()?);
        self.begins(now);
        tracing::info!(after = self.head, "the log goes on in a new slice");
        Ok(())
    }

    fn begins(&mut self, now: Duration) {
        self.writer_since = now;
        (self.slice_bytes, self.wal_bytes) = (0, 0);
    }

    fn create(&mut self) -> Result<SliceWriter, StoreError> {
        if self.ground.options.fails_at(FaultPoint::SliceCreate) {
            return Err(StoreError::Unavailable("a slice cannot be made: injected fault".to_owned()));
        }
        let writer = SliceWriter::create(
            &self.ground.directory,
            self.head + 1,
            &self.ground.log.checkpoints(),
            self.ground.fingerprinter,
        )?;
        self.ground.log.catalog.push(writer.slice.clone());
        Ok(writer)
    }

    /// With each group: what is written to a file that was deleted is gone with the process.
    fn look_for_files(&self) -> Result<(), StoreError> {
        if let Some(writer) = &self.writer {
            files::must_be_there(&writer.slice.path)?;
        }
        files::must_be_there(self.ground.state.path())
    }

    /// With each group: between two looks a burst could fill the disk.
    fn look_at_disk(&self) -> Result<(), StoreError> {
        let floor_bytes = self.ground.options.disk_floor_bytes;
        match self.ground.directory.free_bytes() {
            Ok(free_bytes) if free_bytes < floor_bytes => {
                Err(StoreError::DiskFloor { free_bytes, floor_bytes })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                Err(StoreError::Unavailable(format!("{}: {error}", self.ground.directory.path().display())))
            }
        }
    }

    fn writable(&mut self) -> Result<&mut SliceWriter, StoreError> {
        self.writer
            .as_mut()
            .ok_or_else(|| StoreError::Unavailable("the log has no slice to write to".to_owned()))
    }

    /// Writes one caller's events into the transaction, from position `first` on.
    fn write(&mut self, job: Job, first: u64) -> Result<Written, (Job, StoreError)> {
        let appended_ms = self.ground.clock.now_ms();
        let mut known = Vec::with_capacity(job.rows());
        let acknowledged = self.head;
        let Some(writer) = &mut self.writer else {
            return Err((job, StoreError::Unavailable("the log has no slice to write to".to_owned())));
        };
        let dedup = &mut self.dedup;
        let mut insert = || -> rusqlite::Result<()> {
            let mut seq = first;
            for Prepared { append, fingerprints } in &job.appends {
                for (at, event) in append.events.iter().enumerate() {
                    let fingerprint = fingerprints.get(at).copied();
                    let is = match fingerprint {
                        Some(fingerprint) => dedup.add(fingerprint, appended_ms),
                        None => Known::New,
                    };
                    known.push(is);
                    if is != Known::Duplicate {
                        let placed = Placed {
                            seq,
                            appended_ms,
                            flags: flags(is, append.deduplicate),
                            client: event.client,
                            kind: event.kind.code(),
                            id: event.id.as_str(),
                            body: &event.body,
                        };
                        writer.push(&placed, fingerprint)?;
                        seq += 1;
                    }
                }
                if let Some((source, position)) = &append.checkpoint {
                    writer.put_checkpoint(source, seq - 1, acknowledged, position)?;
                }
            }
            Ok(())
        };
        match insert() {
            Ok(()) => Ok(Written { job, first, appended_ms, known }),
            Err(error) => Err((job, failure(error))),
        }
    }

    /// Writes the block, and commits.
    fn finish(&mut self) -> Result<(), StoreError> {
        let writer = self.writer.as_mut().ok_or_else(|| StoreError::Unavailable("no slice".to_owned()))?;
        writer.flush().map_err(failure)?;
        if self.ground.options.fails_at(FaultPoint::LogBeforeCommit) {
            return Err(StoreError::Unavailable("injected fault before a commit".to_owned()));
        }
        // Within the transaction it costs no lock of its own.
        self.slice_bytes = writer.bytes().map_err(failure)?;
        writer.commit().map_err(failure)?;
        // If a sync of somebody else fails meanwhile, some systems tell nobody but him that pages of this commit are lost.
        if writer.slice.is_stuck() {
            return Err(StoreError::Unavailable("a sync of the log failed meanwhile".to_owned()));
        }
        if self.ground.options.fails_at(FaultPoint::LogAfterCommit) {
            return Err(StoreError::Unavailable("injected fault after a commit".to_owned()));
        }
        Ok(())
    }

    /// The group is durable: shows it, and answers. How many events it had.
    fn acknowledge(&mut self, written: Vec<Written>) -> u64 {
        self.dedup.keep();
        let mut records = Vec::new();
        let mut checkpoints = Checkpoints::new();
        let mut answers = Vec::with_capacity(written.len());
        for caller in written {
            answers.push(caller.take_apart(&mut records, &mut checkpoints));
        }
        let events = records.len() as u64;
        self.head += events;
        if let Some(writer) = &self.writer {
            for record in &records {
                writer.slice.extend(record.appended_ms);
            }
        }
        self.ground.log.publish(records, checkpoints);
        for (reply, appended) in answers {
            // A caller that no longer waits has its events in the log all the same.
            let _ = reply.send(Ok(appended));
        }
        self.watch_wal();
        events
    }

    /// Tells the keeper when the WAL has grown.
    fn watch_wal(&mut self) {
        let Some(writer) = &self.writer else { return };
        match writer.wal_bytes() {
            Ok(bytes) => {
                self.wal_bytes = bytes;
                self.wal_growth.reached(bytes);
            }
            Err(error) => tracing::debug!(%error, "how large the log's WAL is cannot be told"),
        }
    }

    /// Gives the slice up: nothing of the group counts. Returns what the callers are told.
    fn fail(&mut self, error: StoreError, jobs: Vec<Job>) -> StoreError {
        tracing::error!(%error, last_acknowledged = self.head, "the log cannot be written; its slice is given up");
        self.ground.counts.log_failed();
        self.dedup.take_back();
        if let Some(writer) = self.writer.take() {
            writer.slice.give_up();
            if let Err(error) = files::note_given_up(&writer.slice.path, self.head) {
                tracing::warn!(%error, "that the slice was given up cannot be noted beside it");
            }
        }
        let error = self.pause(error);
        refuse(jobs, &error);
        error
    }

    /// Refuses appends for a while. Returns what the callers are told.
    fn pause(&mut self, error: StoreError) -> StoreError {
        let why = match error {
            StoreError::Unavailable(why) => why,
            other => other.to_string(),
        };
        self.failure = Some((self.ground.clock.elapsed(), why.clone()));
        StoreError::Unavailable(why)
    }
}

#[cfg(test)]
mod tests;
