//! The threads: one writer for the log, one for the state, and the keeper. Each is a loop around a core that knows no
//! thread.
//!
//! Sized so (2 cores, events of 1 KB): a sync takes 0.3-0.5 ms, a row 6-10 us. One row a commit gives some 3,700 rows/s,
//! 100 rows a commit 93,000, 1,000 rows 124,000: past 2,000 rows a larger group gains nothing and makes its callers wait
//! longer than a sync. So a group ends at 2,000 rows, 2 MB or 5 ms, whichever comes first, and never waits for more to
//! come: while one group is written, the next one gathers in the queue.

use super::keeper::{Keeper, LOOK_EVERY, PACK_PAUSE};
use super::log::append;
use super::log::keeping::Notice;
use super::log::log_core::LogCore;
use super::state::state_core::StateCore;
use super::state::work::{self, Work};
use crate::StoreError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Rows of a group.
const GROUP_ROWS_MAX: usize = 2_000;

/// Bytes of bodies of a group.
const GROUP_BYTES_MAX: usize = 2 << 20;

/// How long a group takes further callers in.
const GROUP_TIME_MAX: Duration = Duration::from_millis(5);

/// Callers of the state in a group.
const GROUP_JOBS_MAX: usize = 500;

/// Callers that wait in a queue; a further one waits outside.
const QUEUE_JOBS_MAX: usize = 1_024;

/// KiB of bodies that wait in the log's queue; a further caller waits outside. 64 MiB: over half a second of writing.
const QUEUE_KIB_MAX: u32 = 64 << 10;

/// A job in a queue, with its share of the queue's bytes.
#[derive(Debug)]
pub(super) struct Queued<J> {
    job: J,
    share: Option<OwnedSemaphorePermit>,
}

/// The callers' end of a writer's queue.
#[derive(Debug)]
pub(super) struct Queue<J> {
    jobs: mpsc::Sender<Queued<J>>,
    bytes: Arc<Semaphore>,
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Queue { jobs: self.jobs.clone(), bytes: self.bytes.clone() }
    }
}

impl<J> Queue<J> {
    /// A queue, and the writer's end of it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Queued<J>>) {
        let (jobs, receiver) = mpsc::channel(QUEUE_JOBS_MAX);
        (Queue { jobs, bytes: Arc::new(Semaphore::new(QUEUE_KIB_MAX as usize)) }, receiver)
    }

    /// Puts a job of so many bytes into the queue; waits while it is full.
    pub(super) async fn put(&self, job: J, bytes: usize) -> Result<(), StoreError> {
        let kib = u32::try_from(bytes >> 10).unwrap_or(QUEUE_KIB_MAX).clamp(1, QUEUE_KIB_MAX);
        let share = self.bytes.clone().acquire_many_owned(kib).await.map_err(|_| StoreError::Closed)?;
        self.jobs.send(Queued { job, share: Some(share) }).await.map_err(|_| StoreError::Closed)
    }

    /// For the keeper, who must not keep the queue open.
    pub(super) fn weak(&self) -> WeakQueue<J> {
        WeakQueue(self.jobs.downgrade())
    }
}

/// A queue that ends when its last caller is gone.
#[derive(Debug)]
pub(super) struct WeakQueue<J>(mpsc::WeakSender<Queued<J>>);

impl<J> WeakQueue<J> {
    /// Puts a job into the queue, if there is room at once.
    fn try_put(&self, job: J) {
        if let Some(jobs) = self.0.upgrade() {
            // A full queue has no need to be reminded of its work.
            let _ = jobs.try_send(Queued { job, share: None });
        }
    }

    /// Puts a job into the queue; blocks while it is full.
    fn put(&self, job: J) -> Result<(), StoreError> {
        let jobs = self.0.upgrade().ok_or(StoreError::Closed)?;
        jobs.blocking_send(Queued { job, share: None }).map_err(|_| StoreError::Closed)
    }
}

/// The log's writer: runs until the queue is closed and empty.
pub(super) fn run_log(mut core: LogCore, mut queue: mpsc::Receiver<Queued<append::Job>>) {
    while let Some(Queued { job, share }) = queue.blocking_recv() {
        let began = Instant::now();
        let (mut rows, mut bytes) = (job.rows(), job.bytes());
        // The group's share of the queue is given back when it is answered.
        let mut shares = vec![share];
        core.group(job, &mut || {
            if rows >= GROUP_ROWS_MAX || bytes >= GROUP_BYTES_MAX || began.elapsed() >= GROUP_TIME_MAX {
                return None;
            }
            let Queued { job, share } = queue.try_recv().ok()?;
            rows += job.rows();
            bytes += job.bytes();
            shares.push(share);
            Some(job)
        });
    }
    core.close();
}

/// The state's writer: runs until the queue is closed and empty.
pub(super) fn run_state(mut core: StateCore, mut queue: mpsc::Receiver<Queued<work::Job>>) {
    while let Some(job) = core.held_over().or_else(|| queue.blocking_recv().map(|queued| queued.job)) {
        let began = Instant::now();
        let mut jobs = 1;
        core.group(job, &mut || {
            if jobs >= GROUP_JOBS_MAX || began.elapsed() >= GROUP_TIME_MAX {
                return None;
            }
            jobs += 1;
            queue.try_recv().ok().map(|queued| queued.job)
        });
    }
    core.close();
}

/// The keeper: runs until it is told to stop.
pub(super) fn run_keeper(
    mut keeper: Keeper,
    notices: Receiver<Notice>,
    log: WeakQueue<append::Job>,
    state: WeakQueue<work::Job>,
) {
    let mut ask = |work: Work| {
        let (reply, answer) = oneshot::channel();
        state.put(work::Job { work, reply })?;
        answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
    };
    let mut looked_at = Instant::now();
    loop {
        let pause = if keeper.has_to_pack() { PACK_PAUSE } else { LOOK_EVERY };
        match notices.recv_timeout(pause) {
            Ok(Notice::Rotated(_done)) => keeper.rotated(&mut ask),
            Ok(Notice::WalGrew) => keeper.wal_grew(),
            Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => keeper.pack(),
        }
        if looked_at.elapsed() >= LOOK_EVERY {
            looked_at = Instant::now();
            if keeper.tick(&mut ask) {
                // An empty append makes an idle log end a slice that has reached its age.
                let (reply, _) = oneshot::channel();
                log.try_put(append::Job { appends: Vec::new(), reply });
            }
        }
    }
}
