//! The ledger: what became of events for each integration.

mod history;

pub use history::{AttemptPage, AttemptQuery, AttemptRow, LostRow};

use crate::answer::Answer;
use hitwire_courier::Saved;
use hitwire_event::IntegrationId;
use tokio::sync::watch;

/// The right to settle: given once to each owner of the couriers; a settlement under an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease(pub u64);

/// What is read of the ledger. [`Op::Save`](crate::Op::Save) and [`Op::RecordLost`](crate::Op::RecordLost) write it.
pub trait Ledger: Send + Sync + 'static {
    /// The lease that this process holds.
    fn lease(&self) -> Lease;

    /// What was saved of an integration's couriers.
    fn saved(&self, id: IntegrationId) -> Answer<'_, Option<Saved>>;

    /// The delivery log of an integration, newest first, rows with a number below `before`.
    fn attempts(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AttemptRow>>;

    /// The attempts of all integrations with a number above `after`, oldest first.
    fn attempts_after(&self, after: u64, limit: usize) -> Answer<'_, Vec<(IntegrationId, AttemptRow)>>;

    /// Attempts of an integration by outcome, time and event, newest first. Looks at a bounded number of rows: a page may be
    /// short, or empty, and say all the same that there is a next one.
    fn find_attempts(&self, query: AttemptQuery) -> Answer<'_, AttemptPage>;

    /// One attempt of an integration, by its number.
    fn attempt(&self, id: IntegrationId, number: u64) -> Answer<'_, Option<AttemptRow>>;

    /// Dead and skipped ranges of an integration, newest first.
    fn lost(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<LostRow>>;

    /// The integrations whose cursors the store itself moved lately (retention, enabling from now), the last ones first.
    /// Changes on each; an integration stays in the list for a while, so that a slow receiver misses none.
    fn moved(&self) -> watch::Receiver<Vec<IntegrationId>>;
}
