//! The ledger: what became of events for each integration.

mod history;
mod replay;

pub use history::{AttemptPage, AttemptQuery, AttemptRow, LostRow};
pub use replay::{
    NewReplay, Replay, ReplayChange, ReplayEnd, ReplayPlan, ReplayPurpose, Segment, SteerReplay,
};

use crate::answer::Answer;
use hitwire_courier::Saved;
use hitwire_event::IntegrationId;
use tokio::sync::watch;

/// The right to save a courier's steps: a random number that is drawn by each load of the courier. A save under any other one
/// than the last is refused, and so is one under a token that was drawn before somebody else changed the courier, or what it
/// works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CourierToken(pub u64);

/// A courier as it is on record, with the right to save on from there.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedCourier {
    /// The right.
    pub token: CourierToken,
    /// What was saved last, or changed since by somebody else.
    pub saved: Saved,
    /// The replays that have not ended.
    pub replays: Vec<Replay>,
    /// The revision of the integration's settings. As long as the token is good, they are the ones in force.
    pub revision: u64,
}

/// What is read of the ledger. [`Op::Save`](crate::Op::Save) writes it.
pub trait Ledger: Send + Sync + 'static {
    /// Loads an integration's couriers to save on from there; none if there is no such integration. Whoever loaded them before
    /// may save no more.
    fn load_courier(&self, id: IntegrationId) -> Answer<'_, Option<LoadedCourier>>;

    /// What was saved of an integration's couriers, for whoever only looks.
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

    /// The replays of an integration, the newest first: those under way, and the last that have ended.
    fn replays(&self, id: IntegrationId) -> Answer<'_, Vec<Replay>>;

    /// One replay of an integration, by its number.
    fn replay(&self, id: IntegrationId, number: u32) -> Answer<'_, Option<Replay>>;

    /// The integrations whose cursors the store itself moved lately (retention, enabling from now), the last ones first.
    /// Changes on each; an integration stays in the list for a while, so that a slow receiver misses none.
    fn moved(&self) -> watch::Receiver<Vec<Moved>>;
}

/// An integration whose cursors the store itself moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Rises with each move, so that whoever has seen this one looks at none before it again.
    pub number: u64,
    /// Whose.
    pub integration: IntegrationId,
}
