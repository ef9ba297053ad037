//! The trait that every store fulfils.

use crate::{Answer, Counts, Done, Figures, Ledger, Log, Op, Outbox, Registry};
use std::sync::Arc;

/// All that is durable: the log, the ledger, the registry and the outbox, which change together.
///
/// All methods may be called from any task. Queues inside are bounded: a caller waits when they are full.
pub trait Store: Log + Ledger + Registry + Outbox {
    /// Carries the ops out in order, and answers, one for each, when they are durable. Appends are applied before any
    /// other op of the same call; ops that touch state are one transaction. On an error nothing of the call counts, but
    /// for one case: if a disk fails after the appends and before the rest, the events stay. A caller who repeats such a
    /// call gives its events the same ids again, and has them deduplicated.
    fn commit(&self, ops: Vec<Op>) -> Answer<'_, Vec<Done>>;

    /// What the store counted since it was opened.
    fn counts(&self) -> Arc<Counts>;

    /// What is to be said of each file in use that was deleted or moved, as far as was noticed; looked for twice a second.
    fn missing_files(&self) -> Vec<String>;

    /// What of that the log's and the state's files say, without counts of what is in the state: costs a look at each file.
    fn file_figures(&self) -> Answer<'_, Figures>;

    /// How full the store is now. Costs a look at each file and one short read.
    fn figures(&self) -> Answer<'_, Figures>;

    /// Ends the writers after what is queued; nothing is accepted afterwards.
    fn close(&self) -> Answer<'_, ()>;
}
