//! The handle of the delivery log: a bounded queue before the writer, and connections that read the file.

use super::file::is_damage;
use crate::sqlite::readers::{ReadFailure, Readers};
use crate::sqlite::schema::{Kind, OpenError};
use crate::{Counts, StoreError};
use hitwire_courier::Attempt;
use hitwire_event::IntegrationId;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// How long attempts wait for others, so that they are written together.
pub(in crate::sqlite) const WRITE_AFTER: Duration = Duration::from_millis(250);

/// Tasks that are written in one transaction, some 50 ms of work.
const GROUP_MAX: usize = 2_000;

/// Tasks that wait, some 10 MB; whoever brings more waits outside.
const QUEUE_MAX: usize = 20_000;

/// How long a settlement waits for room in the queue; then its attempts are counted and dropped.
const PUT_WITHIN: Duration = Duration::from_secs(1);

/// How long a reader waits until what is queued is written.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// Numbers that a start reserves beyond the last one: more than can be given in the minutes until the state's next note is safe.
const RESERVED: u64 = 10_000_000;

/// How long the writer waits after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is asked of the writer.
#[derive(Clone, Debug)]
pub(in crate::sqlite) enum Task {
    /// An attempt was made.
    Add(IntegrationId, Attempt),
    /// An integration is gone, and its attempts with it.
    Forget(IntegrationId),
}

/// The delivery log.
#[derive(Debug)]
pub(in crate::sqlite) struct AttemptView {
    readers: Readers,
    counts: Arc<Counts>,
    queue: Mutex<Queue>,
    /// For the writer: there is something to do.
    wake: Condvar,
    /// For those who wait: something was written.
    written: Condvar,
    /// The last number that was given.
    last: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// Tasks that were ever put, and those of them that are done with.
    put: u64,
    done: u64,
    /// Somebody waits for what is queued.
    asked: bool,
    /// The last write did not succeed.
    failing: bool,
    /// A settlement has waited in vain, and nothing was written since: others do not wait again.
    stalled: bool,
    /// A reader found the file of this generation to be damaged.
    damaged: Option<u64>,
    closing: bool,
}

impl AttemptView {
    /// The delivery log in this file, up to this number.
    pub(in crate::sqlite) fn new(path: PathBuf, last: u64, counts: Arc<Counts>) -> Self {
        AttemptView {
            readers: Readers::new(path, Kind::Attempts),
            counts,
            queue: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
            last: AtomicU64::new(last),
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &PathBuf {
        self.readers.path()
    }

    /// Queues tasks. Waits while there is no room, but not for long, and once until something is written: a disk that hangs
    /// must not hold up each group of settlements. Attempts that find no room are counted and dropped.
    pub(in crate::sqlite) fn put(&self, tasks: Vec<Task>) {
        let until = Instant::now() + PUT_WITHIN;
        let mut queue = self.queue();
        for task in tasks {
            while queue.is_full() && !queue.failing && !queue.stalled && !queue.closing {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    queue.stalled = true;
                    break;
                }
                queue = wait(&self.written, queue, left);
            }
            if queue.is_full() && matches!(task, Task::Add(..)) {
                self.counts.attempts_dropped(1);
                continue;
            }
            queue.tasks.push_back(task);
            queue.put += 1;
            if queue.tasks.len() == 1 || queue.tasks.len() == GROUP_MAX {
                self.wake.notify_one();
            }
        }
    }

    /// Reads the delivery log. What was queued before is in it. A damaged file is as good as an empty one; the writer will
    /// begin another.
    pub(in crate::sqlite) fn read<T: Default>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.flush();
        // Before the read: if the file is replaced meanwhile, the new one is not to blame.
        let generation = self.readers.generation();
        let error = match self.readers.read(work) {
            Ok(found) => return Ok(found),
            Err(ReadFailure::Open(OpenError::Sqlite(error)) | ReadFailure::Work(error)) => error,
            Err(ReadFailure::Open(_) | ReadFailure::Closed) => {
                self.found_damage(generation);
                return Ok(T::default());
            }
        };
        if is_damage(&error) {
            self.found_damage(generation);
            return Ok(T::default());
        }
        if !self.path().exists() {
            return Ok(T::default());
        }
        Err(StoreError::Unavailable(format!("{}: {error}", self.path().display())))
    }

    /// The number up to which numbers may be given before the state's next note is safe.
    pub(in crate::sqlite) fn may_be_given(&self) -> u64 {
        self.last.load(Ordering::Relaxed) + RESERVED
    }

    /// The last number if nothing more is queued, or one above it.
    pub(in crate::sqlite) fn last_queued(&self) -> u64 {
        let queue = self.queue();
        let queued = queue.put - queue.done;
        drop(queue);
        // Read afterwards: what is written in between is counted twice, and never not at all.
        self.last.load(Ordering::Relaxed) + queued
    }

    /// Says how far the numbers are.
    pub(super) fn set_last(&self, last: u64) {
        self.last.store(last, Ordering::Relaxed);
    }

    /// Keeps every reader away, until the guard is dropped, and has them open the file again.
    pub(super) fn replace(&self) -> RwLockWriteGuard<'_, ()> {
        self.readers.replace()
    }

    /// Ends the writer after what is queued.
    pub(in crate::sqlite) fn close(&self) {
        self.queue().closing = true;
        self.wake.notify_one();
        self.written.notify_all();
    }

    /// Waits until there is something to write, or until it is time to; `at_once`: there is other work. None: the end.
    pub(super) fn next(&self, at_once: bool) -> Option<Vec<Task>> {
        let mut queue = self.queue();
        if queue.failing && !queue.closing {
            queue = wait(&self.wake, queue, RETRY_AFTER);
        } else if !at_once {
            while queue.tasks.is_empty() && queue.damaged.is_none() && !queue.closing {
                let (woken, timed_out) = self.wait_or_time_out(queue, super::attempt_core::LOOK_EVERY);
                queue = woken;
                if timed_out {
                    break;
                }
            }
            let until = Instant::now() + WRITE_AFTER;
            while !queue.asked && !queue.closing && queue.damaged.is_none() && queue.tasks.len() < GROUP_MAX {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || queue.tasks.is_empty() {
                    break;
                }
                queue = wait(&self.wake, queue, left);
            }
        }
        if queue.closing && queue.tasks.is_empty() {
            return None;
        }
        Some(self.take_some(&mut queue))
    }

    /// What is queued, without waiting.
    pub(super) fn take(&self) -> Vec<Task> {
        self.take_some(&mut self.queue())
    }

    /// Tasks are done with.
    pub(super) fn done(&self, count: usize) {
        let mut queue = self.queue();
        queue.done += count as u64;
        queue.failing = false;
        queue.stalled = false;
        self.written.notify_all();
    }

    /// Tasks could not be written: they wait again, before all others. At the end they are dropped.
    pub(super) fn failed(&self, tasks: Vec<Task>) {
        let mut queue = self.queue();
        if queue.closing {
            let attempts = tasks.iter().filter(|task| matches!(task, Task::Add(..))).count();
            self.counts.attempts_dropped(attempts as u64);
            queue.done += tasks.len() as u64;
        } else {
            for task in tasks.into_iter().rev() {
                queue.tasks.push_front(task);
            }
        }
        queue.failing = true;
        self.written.notify_all();
    }

    /// Whether a reader found the file as it is now to be damaged, once. What was said of a file before it does not count.
    pub(super) fn take_damaged(&self) -> bool {
        self.queue().damaged.take() == Some(self.readers.generation())
    }

    fn found_damage(&self, generation: u64) {
        self.queue().damaged = Some(generation);
        self.wake.notify_one();
    }

    /// Waits until what is queued is written; not for long, and not while nothing can be.
    fn flush(&self) {
        let until = Instant::now() + READ_WITHIN;
        let mut queue = self.queue();
        let wanted = queue.put;
        while queue.done < wanted && !queue.failing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue.asked = true;
            self.wake.notify_one();
            queue = wait(&self.written, queue, left);
        }
    }

    fn take_some(&self, queue: &mut Queue) -> Vec<Task> {
        let count = queue.tasks.len().min(GROUP_MAX);
        // What is left is to be written at once too.
        queue.asked &= queue.tasks.len() > count;
        let taken = queue.tasks.drain(..count).collect();
        // There is room.
        self.written.notify_all();
        taken
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_or_time_out<'a>(
        &self,
        queue: MutexGuard<'a, Queue>,
        at_most: Duration,
    ) -> (MutexGuard<'a, Queue>, bool) {
        let (queue, result) = self.wake.wait_timeout(queue, at_most).unwrap_or_else(PoisonError::into_inner);
        (queue, result.timed_out())
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.tasks.len() >= QUEUE_MAX
    }
}

/// Waits until something has changed, but not for longer than this.
fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, Queue>, at_most: Duration) -> MutexGuard<'a, Queue> {
    condition.wait_timeout(queue, at_most).unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::attempts::file;
    use std::path::Path;

    fn view(directory: &Path) -> AttemptView {
        AttemptView::new(directory.join("attempts.db"), 0, Arc::default())
    }

    fn forget(count: usize) -> Vec<Task> {
        vec![Task::Forget(IntegrationId(1)); count]
    }

    fn add() -> Vec<Task> {
        let attempt = Attempt {
            lane: hitwire_event::Lane::Bulk,
            webhook_id: hitwire_event::WebhookId("msg".into()),
            number: 1,
            first: hitwire_event::Seq(1),
            last: hitwire_event::Seq(1),
            events: 1,
            body_bytes: 1,
            started_ms: 1,
            took_us: 1,
            status: None,
            verdict: hitwire_courier::Verdict::Sick,
            address: None,
            error: None,
            body_sha256: None,
            content_revision: None,
        };
        vec![Task::Add(IntegrationId(1), attempt)]
    }

    #[test]
    fn a_disk_that_hangs_holds_settlements_up_once() {
        let directory = tempfile::tempdir().unwrap();
        let view = view(directory.path());
        view.put(forget(QUEUE_MAX));
        let began = Instant::now();
        view.put(add());
        assert!(began.elapsed() >= PUT_WITHIN);
        let began = Instant::now();
        for _ in 0..100 {
            view.put(add());
        }
        assert!(began.elapsed() < PUT_WITHIN);
        assert_eq!(view.counts.dropped_attempts(), 101);
        // Something is written again: there is room, and the next one waits again if need be.
        let taken = view.take();
        view.done(taken.len());
        view.put(add());
        assert_eq!(view.counts.dropped_attempts(), 101);
        view.put(forget(taken.len() - 1));
        let began = Instant::now();
        view.put(add());
        assert!(began.elapsed() >= PUT_WITHIN);
    }

    #[test]
    fn what_readers_find_in_a_file_is_not_held_against_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let view = view(directory.path());
        std::fs::write(view.path(), vec![7; 50_000]).unwrap();
        let read =
            || view.read(|connection| connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0)));
        read().unwrap();
        assert!(view.take_damaged());
        assert!(!view.take_damaged());
        // Another reader of the same file comes to its end only when the file has been replaced.
        let seen = view.readers.generation();
        drop(view.replace());
        std::fs::remove_file(view.path()).unwrap();
        file::open_or_begin(view.path()).unwrap();
        view.found_damage(seen);
        assert!(!view.take_damaged());
        assert_eq!(read().unwrap(), 1);
    }
}
