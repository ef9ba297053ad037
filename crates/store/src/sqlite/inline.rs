//! The store without threads, for deterministic simulation: the same cores, on the caller's thread, in the order of the
//! calls.

use super::cores::Cores;
use super::keeper::{Ask, Keeper};
use super::log::append::{self, Prepared};
use super::log::keeping::Notice;
use super::state::work::{self, Work};
use crate::{Appended, Done, Op, StoreError};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// The cores; `None` once closed.
pub(super) struct Inline {
    cores: Mutex<Option<Cores>>,
}

impl Inline {
    /// The cores behind one lock.
    pub(super) fn new(cores: Cores) -> Self {
        Inline { cores: Mutex::new(Some(cores)) }
    }

    /// Appends; durable when this returns.
    pub(super) fn append(&self, appends: Vec<Prepared>) -> Result<Vec<Appended>, StoreError> {
        self.with(|cores| {
            let (reply, mut answer) = oneshot::channel();
            cores.log.group(append::Job { appends, reply }, &mut || None);
            keep(cores);
            answer.try_recv().unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Carries ops on the state out; durable when this returns.
    pub(super) fn change(&self, ops: Vec<Op>) -> Result<Vec<Done>, StoreError> {
        self.with(|cores| {
            let result = cores.state.now(Work::Ops(ops));
            cores.attempts.work_now();
            keep(cores);
            work::done(result)
        })
    }

    /// Ends the cores.
    pub(super) fn close(&self) {
        if let Some(mut cores) = self.cores.lock().unwrap_or_else(PoisonError::into_inner).take() {
            cores.log.close();
            cores.state.close();
            cores.attempts.work_now();
            cores.attempts.end();
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Cores) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(self.cores.lock().unwrap_or_else(PoisonError::into_inner).as_mut().ok_or(StoreError::Closed)?)
    }
}

/// Gives the keeper its turn.
fn keep(cores: &mut Cores) {
    let Cores { log, state, keeper, notices, .. } = cores;
    let mut ask = |work: Work| state.now(work);
    heed(notices, keeper, &mut ask);
    if keeper.tick(&mut ask) {
        // An empty append makes an idle log end a slice that has reached its age.
        let (reply, _) = oneshot::channel();
        log.group(append::Job { appends: Vec::new(), reply }, &mut || None);
    }
    heed(notices, keeper, &mut ask);
    while keeper.has_to_pack() {
        keeper.pack();
    }
}

/// The keeper does what it was told since the last time.
fn heed(notices: &Receiver<Notice>, keeper: &mut Keeper, ask: Ask<'_>) {
    while let Ok(notice) = notices.try_recv() {
        match notice {
            Notice::Rotated(_done) => keeper.rotated(ask),
            Notice::WalGrew => keeper.wal_grew(),
            Notice::Stop => {}
        }
    }
}
