//! What happened in single attempts, in detail: for whoever looks why one failed.
//!
//! The delivery log keeps a small row of every attempt (see [`AttemptRow`](crate::AttemptRow)). Beside it, in files of its own, lies
//! the rest: how long each part took, the request's headers, the answer's headers and the beginning of its body. It is kept
//! for failures, and for the newest successes of each integration.
//!
//! The cast:
//!
//! - [`Detail`]: what is kept, without secrets; [`AttemptKey`]: of which attempt. [`PrivateDetail`]: signature, path and query, which lie
//!   sealed with the key of the secrets (`private`).
//! - [`Draft`]: a detail that is not written down yet: most drafts of a busy integration are pushed out by newer ones before
//!   anybody would have to mask and write them.
//! - `stage`: drafts that wait for their turn, bounded.
//! - `file`: one SQLite file; `files`: `details-<n>.db`, failures, rotated by size; `details-delivered.db`, successes. A flood of
//!   failures pushes out no successes, nor the other way round.
//! - [`Details`]: the handle, and the thread that writes about once a second.
//!
//! What always holds:
//!
//! 1. Who hands a draft over never waits for the disk. What finds no room is counted ([`Details::dropped`]).
//! 2. What was written survives the end of the process. The last second (in a flood the last few) does not, and a power loss may
//!    take all: nothing is synced, and a file that is damaged is begun anew.
//! 3. What belongs to an integration goes with it.

mod detail;
mod file;
mod files;
mod private;
mod stage;
#[cfg(test)]
mod tests;

pub use detail::{AttemptKey, AttemptTimings, Detail, Draft, PrivateDetail, ResponseDetail};

use crate::StoreError;
use crate::sqlite::files::key_file;
use crate::sqlite::seal::Sealer;
use files::Files;
use hitwire_event::IntegrationId;
use stage::Stage;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Successes of each integration that are kept in detail.
pub const DELIVERED_OF_EACH: usize = 20;

/// How long drafts wait for others, so that they are written together.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Drafts that are written in one go: some 0.1 s of work, so that a flood of them leaves the machine to the deliveries.
const FLUSH_MAX: usize = 2_000;

/// How long somebody who looks for a detail waits until what is staged is written.
const FIND_WITHIN: Duration = Duration::from_secs(2);

/// How long to wait after a panic before the next details are written.
const AFTER_A_PANIC: Duration = Duration::from_secs(5);

/// Integrations that are remembered as gone, so that an attempt that ends after them leaves nothing behind.
const GONE_MAX: usize = 10_000;

/// The bounds of the files.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Bytes of a file of failures, from which on the next one is begun: some 30,000 details.
    failed_file_bytes: u64,
    /// Files of failures; the oldest goes when there is one more.
    failed_files: usize,
    /// Bytes of the file of successes; past them the oldest go.
    delivered_bytes: u64,
}

/// 512 MiB of failures, 256 MiB of successes: enough for 20 of each of 10,000 integrations whose receivers answer briefly.
const BOUNDS: Bounds = Bounds { failed_file_bytes: 64 << 20, failed_files: 8, delivered_bytes: 256 << 20 };

/// The details of attempts. Ended by [`Details::close`], or dropped; both wait until what is staged is written.
#[derive(Debug)]
pub struct Details {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// For the thread: there is something to do.
    wake: Condvar,
    /// For those who look: something was written.
    written: Condvar,
    files: Mutex<Files>,
    dropped: AtomicU64,
}

/// What the thread is to do.
#[derive(Debug, Default)]
struct Waiting {
    stage: Stage,
    /// Integrations whose details shall go.
    forget: Vec<IntegrationId>,
    gone: BTreeSet<IntegrationId>,
    /// Somebody waits for what is staged.
    asked: bool,
    /// What was taken from the stage is not in the files yet.
    writing: bool,
    closing: bool,
}

impl Details {
    /// Opens the files in the data directory, which must belong to this process (the store's lock). Details of integrations
    /// that are not among these are taken away. Files that cannot be read are begun anew. `secret_key`: of the secrets; `None`: the
    /// one in the data directory.
    ///
    /// # Errors
    ///
    /// If there is no key, or the thread cannot be started.
    pub fn open(
        data_dir: &Path,
        secret_key: Option<[u8; 32]>,
        integrations: BTreeSet<IntegrationId>,
    ) -> Result<Details, StoreError> {
        let sealer = match &secret_key {
            Some(key) => Sealer::new(key),
            None => Sealer::in_file(&key_file(data_dir))?
                .ok_or_else(|| StoreError::Open("the key of the secrets is missing".to_owned()))?,
        };
        Details::with(data_dir, integrations, BOUNDS, sealer)
    }

    /// Takes away all that is sealed, from a data directory on which no server runs: before its key changes.
    pub(crate) fn forget_sealed(data_dir: &Path) -> Result<(), StoreError> {
        Files::forget_sealed(data_dir).map_err(|error| {
            StoreError::Open(format!(
                "{}: the details of attempts cannot be changed: {error}",
                data_dir.display()
            ))
        })
    }

    fn with(
        data_dir: &Path,
        integrations: BTreeSet<IntegrationId>,
        bounds: Bounds,
        sealer: Sealer,
    ) -> Result<Details, StoreError> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
            files: Mutex::new(Files::open(data_dir, bounds, sealer)),
            dropped: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("hitwire-details".to_owned()).spawn(move || {
            // Nothing depends on details but a look back, and they lie in files of their own: after a panic the thread goes on
            // with the next ones.
            let mut work = || {
                of_thread.files().keep_only(&integrations);
                of_thread.serve();
            };
            while catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
                tracing::error!(
                    "keeping details of attempts failed by a programming error; those under way are lost"
                );
                let mut waiting = of_thread.waiting();
                waiting.writing = false;
                if waiting.closing {
                    return;
                }
                drop(waiting);
                thread::sleep(AFTER_A_PANIC);
            }
        });
        let thread = thread.map_err(|error| {
            StoreError::Open(format!("the thread hitwire-details cannot be started: {error}"))
        })?;
        Ok(Details { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Takes a draft. Never waits; a draft that finds no room is counted and dropped.
    pub fn keep(&self, draft: Draft) {
        let mut waiting = self.shared.waiting();
        if waiting.gone.contains(&draft.key.integration) {
            return;
        }
        let was_empty = waiting.stage.is_empty();
        if waiting.stage.put(draft) {
            if was_empty {
                self.shared.wake.notify_one();
            }
        } else {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The detail of an attempt that was delivered, or failed, if it was kept. Reads the disk.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn find(&self, key: &AttemptKey, delivered: bool) -> Result<Option<Detail>, StoreError> {
        let until = Instant::now() + FIND_WITHIN;
        let mut waiting = self.shared.waiting();
        while (waiting.stage.holds(key) || waiting.writing) && !waiting.closing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting.asked = true;
            self.shared.wake.notify_one();
            let woken = self.shared.written.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(waiting);
        self.shared.files().find(key, delivered)
    }

    /// Takes away what belongs to an integration that is no more, now and in future. Returns at once.
    pub fn forget(&self, integration: IntegrationId) {
        let mut waiting = self.shared.waiting();
        waiting.stage.forget(integration);
        waiting.forget.push(integration);
        waiting.gone.insert(integration);
        if waiting.gone.len() > GONE_MAX {
            // Ids only rise: what still has an attempt under way is among the newer ones.
            waiting.gone.pop_first();
        }
        waiting.asked = true;
        self.shared.wake.notify_one();
    }

    /// Details that were not kept since the start: too many came at once, or a file could not be written.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is staged, and ends. Blocks; may be repeated.
    pub fn close(&self) {
        {
            let mut waiting = self.shared.waiting();
            waiting.closing = true;
            self.shared.wake.notify_one();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps details of attempts ended with a panic");
        }
    }
}

impl Drop for Details {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's work.
    fn serve(&self) {
        loop {
            let (drafts, forget, closing) = self.next();
            if !drafts.is_empty() || !forget.is_empty() {
                let mut files = self.files();
                let lost = files.write(drafts);
                self.dropped.fetch_add(lost, Ordering::Relaxed);
                files.forget(&forget);
            }
            let mut waiting = self.waiting();
            waiting.writing = false;
            self.written.notify_all();
            if closing && waiting.stage.is_empty() && waiting.forget.is_empty() {
                return;
            }
        }
    }

    /// Waits until there is something to do: drafts to be written, integrations to be forgotten, the end.
    fn next(&self) -> (Vec<Draft>, Vec<IntegrationId>, bool) {
        let mut waiting = self.waiting();
        while waiting.stage.is_empty() && !waiting.asked && !waiting.closing {
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + FLUSH_AFTER;
        while !waiting.asked && !waiting.closing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.wake.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.asked = false;
        waiting.writing = true;
        let drafts = waiting.stage.take(FLUSH_MAX);
        (drafts, std::mem::take(&mut waiting.forget), waiting.closing)
    }
}
