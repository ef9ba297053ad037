//! The store with its threads: who starts them, how they are reached, how they end.

use super::attempts::view::AttemptView;
use super::cores::Cores;
use super::log::append::{self, Prepared};
use super::log::keeping::Notice;
use super::options::ThreadFailed;
use super::state::work::{self, Work};
use super::writer::{self, Queue};
use crate::{Appended, Done, Op, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// The four threads. They end when the queues are closed: first the log's writer, then the state's, then the keeper, then the
/// writer of attempts, each after what is queued.
pub(super) struct Threads {
    running: Mutex<Option<Running>>,
}

struct Running {
    log: Queue<append::Job>,
    state: Queue<work::Job>,
    keeper: Sender<Notice>,
    /// In the order in which they end.
    threads: [JoinHandle<()>; 4],
    attempts: Arc<AttemptView>,
}

impl Threads {
    /// Starts them.
    pub(super) fn start(cores: Cores, failed: Option<&ThreadFailed>) -> Result<Self, StoreError> {
        let (log, log_jobs) = Queue::new();
        let (state, state_jobs) = Queue::new();
        let (weak_log, weak_state) = (log.weak(), state.weak());
        let attempts = cores.attempts.view();
        let threads = [
            spawn("hitwire-store", failed, move || writer::run_log(cores.log, log_jobs))?,
            spawn("hitwire-state", failed, move || writer::run_state(cores.state, state_jobs))?,
            spawn("hitwire-keeper", failed, move || {
                writer::run_keeper(cores.keeper, cores.notices, weak_log, weak_state);
            })?,
            spawn("hitwire-attempts", failed, move || cores.attempts.run())?,
        ];
        Ok(Threads {
            running: Mutex::new(Some(Running { log, state, keeper: cores.to_keeper, threads, attempts })),
        })
    }

    /// Appends, and waits until it is durable.
    pub(super) async fn append(&self, appends: Vec<Prepared>) -> Result<Vec<Appended>, StoreError> {
        let log = self.running(|running| running.log.clone())?;
        let (reply, answer) = oneshot::channel();
        let job = append::Job { appends, reply };
        let bytes = job.bytes();
        log.put(job, bytes).await?;
        drop(log);
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Carries ops on the state out, and waits until they are durable.
    pub(super) async fn change(&self, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
        let state = self.running(|running| running.state.clone())?;
        let (reply, answer) = oneshot::channel();
        state.put(work::Job { work: Work::Ops(ops), reply }, 0).await?;
        drop(state);
        work::done(answer.await.unwrap_or(Err(StoreError::Closed)))
    }

    /// Ends the threads after what is queued.
    pub(super) async fn close(&self) {
        if let Some(running) = self.take()
            && tokio::task::spawn_blocking(move || running.end()).await.is_err()
        {
            tracing::error!("the log's threads did not end in order");
        }
    }

    fn running<T>(&self, with: impl FnOnce(&Running) -> T) -> Result<T, StoreError> {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(with)
            .ok_or(StoreError::Closed)
    }

    fn take(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(running) = self.take() {
            running.end();
        }
    }
}

impl Running {
    fn end(self) {
        let [log_thread, state_thread, keeper_thread, attempts_thread] = self.threads;
        drop(self.log);
        join(log_thread);
        drop(self.state);
        join(state_thread);
        // A keeper that has ended needs no notice.
        let _ = self.keeper.send(Notice::Stop);
        join(keeper_thread);
        self.attempts.close();
        join(attempts_thread);
    }
}

fn spawn(
    name: &'static str,
    failed: Option<&ThreadFailed>,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let failed = failed.cloned();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // What a writer had in memory is not to be trusted after a panic: it is not begun again, but told.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                if let Some(failed) = failed {
                    failed(name);
                }
                resume_unwind(panic);
            }
        })
        .map_err(|error| StoreError::Open(format!("the thread {name} cannot be started: {error}")))
}

fn join(thread: JoinHandle<()>) {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    if thread.join().is_err() {
        tracing::error!(name, "a thread of the log ended with a panic");
    }
}
