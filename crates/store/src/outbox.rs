//! The outbox: events that tell of changes, kept in the same transaction as the change until they are in the log.

use crate::answer::Answer;
use hitwire_event::Event;
use tokio::sync::watch;

/// What is read of the outbox. [`Op::Announce`](crate::Op::Announce) fills it, [`Op::Announced`](crate::Op::Announced) empties it.
pub trait Outbox: Send + Sync + 'static {
    /// The oldest events of the outbox with their numbers, at most so many.
    fn outbox(&self, limit: usize) -> Answer<'_, Vec<(u64, Event)>>;

    /// The number of the last event put into the outbox; changes with each.
    fn announced(&self) -> watch::Receiver<u64>;
}
