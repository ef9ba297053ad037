//! The writer of the delivery log, without its thread: takes what is queued, gives it numbers, and keeps the bounds.

use super::file::{self, FileError, is_damage};
use super::prune::{BOUNDS, Pruner};
use super::rows;
use super::view::{AttemptView, Task};
use crate::sqlite::clock::Clock;
use crate::sqlite::files;
use crate::sqlite::schema::BUSY_TIMEOUT;
use crate::sqlite::wal::{Checkpoint, checkpoint};
use hitwire_event::IntegrationId;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// How often it is looked whether something is too old.
pub(super) const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Attempts of an integration that is gone that go in one transaction: some 50 ms.
const FORGOTTEN_AT_ONCE: usize = 5_000;

/// Portions of what belongs to integrations that are gone that are taken away at the end: a second of work.
const PORTIONS_AT_THE_END: usize = 20;

/// Portions that are pruned after each group, while there is more: so the file does not outgrow its bounds under load.
const PRUNED_AFTER_GROUP: usize = 8;

/// The writer of the delivery log.
pub(in crate::sqlite) struct AttemptCore {
    view: Arc<AttemptView>,
    clock: Arc<Clock>,
    opened: Option<Opened>,
    /// The last number that was given, or one above it.
    last: u64,
    /// What is in the file of integrations that are not among these goes, at the start.
    integrations: Option<BTreeSet<IntegrationId>>,
    /// Integrations that are gone, and of which something may be left.
    forgetting: Vec<IntegrationId>,
    /// The WAL holds attempts that were taken away.
    wipes: bool,
    pruned_at: Option<Duration>,
    prunes: bool,
    /// Taking attempts away failed: not before the next minute again.
    rests: bool,
    /// That nothing can be written was told.
    told: bool,
}

#[derive(Debug)]
struct Opened {
    connection: Connection,
    pruner: Pruner,
}

/// A file as it was found.
struct Found {
    connection: Connection,
    pruner: Pruner,
    last: u64,
    integrations: Vec<IntegrationId>,
}

impl AttemptCore {
    /// The writer. `noted`: the number above which none was given, as the state knows it.
    pub(in crate::sqlite) fn new(
        view: Arc<AttemptView>,
        clock: Arc<Clock>,
        noted: u64,
        integrations: BTreeSet<IntegrationId>,
    ) -> Self {
        AttemptCore {
            view,
            clock,
            opened: None,
            last: noted,
            integrations: Some(integrations),
            forgetting: Vec::new(),
            wipes: true,
            pruned_at: None,
            prunes: false,
            rests: false,
            told: false,
        }
    }

    /// Its handle.
    pub(in crate::sqlite) fn view(&self) -> Arc<AttemptView> {
        Arc::clone(&self.view)
    }

    /// The thread's work: until the queue is closed and empty.
    pub(in crate::sqlite) fn run(mut self) {
        // Whoever reads finds a file.
        self.work(Vec::new());
        while let Some(tasks) = self.view.next(self.has_more_to_do()) {
            self.work(tasks);
        }
        self.end();
    }

    /// Takes away what is left of integrations that are gone, unless it is much: the next start does that. What the WAL holds
    /// goes into the file.
    pub(in crate::sqlite) fn end(&mut self) {
        self.prunes = false;
        for _ in 0..PORTIONS_AT_THE_END {
            if !self.has_more_to_do() || !self.work(Vec::new()) {
                break;
            }
        }
        if let Some(Opened { connection, .. }) = self.opened.take()
            && let Err(error) = checkpoint(&connection, Checkpoint::Cut)
        {
            tracing::warn!(%error, file = %self.view.path().display(), "the WAL of the delivery log stays as it is; it is read at the next start");
        }
    }

    /// Writes what is queued, without a thread.
    pub(in crate::sqlite) fn work_now(&mut self) {
        loop {
            let tasks = self.view.take();
            if tasks.is_empty() && !self.has_more_to_do() && self.opened.is_some() && !self.is_time() {
                return;
            }
            if !self.work(tasks) {
                return;
            }
        }
    }

    /// Writes a group, and does a part of what else there is to do. `false`: the file cannot be written now.
    fn work(&mut self, tasks: Vec<Task>) -> bool {
        if self.view.take_damaged() {
            self.give_up(&"a reader could not read it");
        }
        if self.is_time() {
            self.pruned_at = Some(self.clock.elapsed());
            self.prunes = true;
            self.rests = false;
            self.drop_old_aside();
        }
        let count = tasks.len();
        match self.try_work(&tasks) {
            Ok(()) => {
                self.told = false;
                self.view.done(count);
                true
            }
            Err(error) => {
                if !self.told {
                    tracing::warn!(%error, file = %self.view.path().display(), "attempts cannot be written down; it is tried again");
                    self.told = true;
                }
                self.view.failed(tasks);
                false
            }
        }
    }

    /// A file that turns out to be damaged is set aside, and another one takes what is to be written.
    fn try_work(&mut self, tasks: &[Task]) -> Result<(), FileError> {
        match self.write(tasks) {
            Err(FileError::Sql(error)) if is_damage(&error) => {
                self.give_up(&error);
                self.write(tasks)?;
            }
            other => other?,
        }
        // What is written is written, whatever becomes of the rest.
        match self.tidy() {
            Err(error) if is_damage(&error) => self.give_up(&error),
            Err(error) => {
                tracing::warn!(%error, file = %self.view.path().display(), "old attempts cannot be taken away; it is tried again in a minute");
                self.rests = true;
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn write(&mut self, tasks: &[Task]) -> Result<(), FileError> {
        self.open()?;
        let Some(Opened { connection, pruner }) = &mut self.opened else { return Ok(()) };
        let mut last = self.last;
        if !tasks.is_empty() {
            let transaction = connection.unchecked_transaction()?;
            for task in tasks {
                if let Task::Add(integration, attempt) = task {
                    last += 1;
                    rows::insert(&transaction, last, *integration, attempt)?;
                }
            }
            transaction.commit()?;
        }
        pruner.count((last - self.last) as i64);
        self.last = last;
        self.view.set_last(last);
        for task in tasks {
            if let Task::Forget(integration) = task {
                // Nobody takes rows out of a damaged file.
                files::remove_database(&files::aside(self.view.path()))?;
                if !self.forgetting.contains(integration) {
                    self.forgetting.push(*integration);
                }
            }
        }
        Ok(())
    }

    /// Takes away what must go: a part of it, if it is much.
    fn tidy(&mut self) -> rusqlite::Result<()> {
        if self.rests {
            return Ok(());
        }
        let Some(Opened { connection, pruner }) = &mut self.opened else { return Ok(()) };
        while let Some(integration) = self.forgetting.last() {
            let gone = rows::delete_some(connection, *integration, FORGOTTEN_AT_ONCE)?;
            pruner.count(-(gone as i64));
            if gone == FORGOTTEN_AT_ONCE {
                return Ok(());
            }
            self.forgetting.pop();
            // Nothing of it may stay in the WAL either.
            self.wipes |= self.forgetting.is_empty();
        }
        if self.wipes {
            // Somebody may read for long, a backup for example: it is tried again with the next group, or in a minute.
            connection.busy_timeout(Duration::ZERO)?;
            let content = checkpoint(connection, Checkpoint::Cut);
            connection.busy_timeout(BUSY_TIMEOUT)?;
            self.wipes = content?.busy;
        }
        self.prunes |= pruner.is_over();
        for _ in 0..PRUNED_AFTER_GROUP {
            if !self.prunes {
                break;
            }
            let transaction = connection.unchecked_transaction()?;
            self.prunes = pruner.step(&transaction, self.clock.age_now_ms())?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Sees to it that there is a file.
    fn open(&mut self) -> Result<(), FileError> {
        if self.opened.is_some() && !self.view.path().exists() {
            tracing::warn!(file = %self.view.path().display(), "the delivery log's file was deleted; a new one is begun");
            let _nobody_reads = self.view.replace();
            self.opened = None;
        }
        if self.opened.is_some() {
            return Ok(());
        }
        let found = match self.try_open() {
            Err(FileError::Sql(error)) if is_damage(&error) => {
                file::set_aside(self.view.path(), &error)?;
                self.try_open()?
            }
            other => other?,
        };
        self.last = self.last.max(found.last);
        self.view.set_last(self.last);
        if let Some(integrations) = self.integrations.take() {
            self.forgetting = found.integrations;
            self.forgetting.retain(|integration| !integrations.contains(integration));
        }
        self.opened = Some(Opened { connection: found.connection, pruner: found.pruner });
        Ok(())
    }

    /// Opens the file, and reads what must be known of it.
    fn try_open(&self) -> Result<Found, FileError> {
        let _nobody_reads = self.view.replace();
        let connection = file::open_or_begin(self.view.path())?;
        let integrations =
            if self.integrations.is_some() { rows::integrations(&connection)? } else { Vec::new() };
        Ok(Found {
            pruner: Pruner::new(&connection)?,
            last: rows::last(&connection)?,
            integrations,
            connection,
        })
    }

    /// Sets the file aside.
    fn give_up(&mut self, why: &dyn std::fmt::Display) {
        let _nobody_reads = self.view.replace();
        self.opened = None;
        if self.view.path().exists()
            && let Err(error) = file::set_aside(self.view.path(), why)
        {
            tracing::warn!(%error, file = %self.view.path().display(), "the delivery log's file cannot be set aside");
        }
    }

    /// Drops a damaged file that was set aside once all that is in it is too old to be kept.
    fn drop_old_aside(&self) {
        let aside = files::aside(self.view.path());
        let Ok(written) = fs::metadata(&aside).and_then(|metadata| metadata.modified()) else { return };
        let written_ms = written.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        if self.clock.age_now_ms().saturating_sub(written_ms) > BOUNDS.age_ms
            && let Err(error) = files::remove_database(&aside)
        {
            tracing::warn!(%error, file = %aside.display(), "a damaged file that is old cannot be removed");
        }
    }

    fn has_more_to_do(&self) -> bool {
        !self.rests && (!self.forgetting.is_empty() || self.prunes)
    }

    fn is_time(&self) -> bool {
        self.pruned_at.is_none_or(|at| self.clock.elapsed().saturating_sub(at) >= LOOK_EVERY)
    }
}
