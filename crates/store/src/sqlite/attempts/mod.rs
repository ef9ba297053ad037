//! The delivery log: single attempts, in a file of their own, `attempts.db`.
//!
//! What a settlement must keep is one small transaction of the state. Attempts are only looked back at, so they are written
//! behind it, in groups, and are never synced.
//!
//! - `view`: the handle. Attempts wait in its queue; it reads the file.
//! - `attempt_core`: the writer without its thread. `file`: opens the file, or sets a damaged one aside and begins anew.
//! - `rows`, `search`: the statements. `prune`: the bounds.
//!
//! What always holds:
//!
//! 1. An attempt is queued only after its settlement is committed, and before its caller is answered. Who reads afterwards
//!    finds it: reading waits until what is queued is written.
//! 2. The end of the process loses what was queued in the last [`view::WRITE_AFTER`], and no settlement. A power loss may
//!    take the whole file.
//! 3. Numbers only rise, whatever a power loss leaves of the file: the state notes, synced at each start, up to which number
//!    this process may give them, and after its orderly end the last one. After a kill the numbers between are left out.
//! 4. A file that is damaged, or deleted, costs nothing but the history in it. A row that cannot be read costs that row.
//! 5. Of an integration that is gone nothing stays behind: not in the file, not in its WAL once nobody reads that, and not in a
//!    damaged file that was set aside.

pub(super) mod attempt_core;
mod file;
mod prune;
pub(super) mod rows;
pub(super) mod search;
#[cfg(test)]
mod tests;
pub(super) mod view;
