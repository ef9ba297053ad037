//! What a step works with, and why it may not succeed.

use crate::StoreError;
use crate::sqlite::attempts::view::Task;
use crate::sqlite::log::view::LogView;
use crate::sqlite::seal::Sealer;
use hitwire_courier::{Attempt, LostRange, LostReason};
use hitwire_event::IntegrationId;
use rusqlite::Connection;
use std::cell::RefCell;

/// Why a step did not succeed: what was asked is not possible, or the file is in trouble.
#[derive(Debug)]
pub(in crate::sqlite) enum Trouble {
    /// SQLite or the disk: the whole transaction is lost.
    Sql(rusqlite::Error),
    /// The answer to the one who asked; others are not concerned.
    Store(StoreError),
}

impl Trouble {
    /// Whether it concerns the whole file or the disk, and not one statement's values or one row's content.
    pub(in crate::sqlite) fn concerns_the_file(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        match self {
            Trouble::Sql(rusqlite::Error::SqliteFailure(error, _)) => {
                !matches!(error.code, TooBig | TypeMismatch | ConstraintViolation)
            }
            Trouble::Sql(_) | Trouble::Store(_) => false,
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Trouble::Sql(error)
    }
}

impl From<rusqlite::types::FromSqlError> for Trouble {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Trouble::Sql(error.into())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

/// What a step works with.
pub(in crate::sqlite) struct Context<'a> {
    /// In a transaction.
    pub connection: &'a Connection,
    /// Seals secrets.
    pub sealer: &'a Sealer,
    /// The log.
    pub view: &'a LogView,
    /// The wall clock, for times on record.
    pub now_ms: u64,
    /// What the delivery log is to be told when this is committed.
    pub(in crate::sqlite) tasks: RefCell<Vec<Task>>,
    pub(in crate::sqlite) lost: RefCell<Vec<(LostReason, u64)>>,
}

impl Context<'_> {
    /// The end of the log as this step sees it.
    pub(in crate::sqlite) fn head(&self) -> u64 {
        self.view.head()
    }

    /// Counts events that an integration does not get.
    pub(in crate::sqlite) fn count_lost(&self, range: &LostRange) {
        self.lost.borrow_mut().push((range.reason, range.events));
    }

    /// Adds an attempt to the delivery log.
    pub(in crate::sqlite) fn add_attempt(&self, integration: IntegrationId, attempt: &Attempt) {
        self.tasks.borrow_mut().push(Task::Add(integration, attempt.clone()));
    }

    /// Takes the attempts of an integration out of the delivery log.
    pub(in crate::sqlite) fn forget_attempts(&self, integration: IntegrationId) {
        self.tasks.borrow_mut().push(Task::Forget(integration));
    }
}
