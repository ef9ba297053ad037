//! What became of events for each integration, in tables: the [`Ledger`](crate::Ledger).
//!
//! - `lanes`: cursors, batches on their way, the endpoint's state, tokens. `open_batches`: how batches stand in a column.
//!   `lost`: dead and skipped ranges.
//! - `retire`: what integrations lose with a slice that retention drops.

pub(super) mod lanes;
pub(super) mod lost;
mod open_batches;
pub(super) mod replays;
pub(super) mod retire;
