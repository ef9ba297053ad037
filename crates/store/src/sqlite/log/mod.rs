//! The log: slices of blocks, and the newest events in memory: the [`Log`](crate::Log).
//!
//! - `append` is what a caller wants added, `log_core` adds it in groups, `dedup` knows which ids came in lately by the
//!   `fingerprint` of each event, `block` is the form of a group on disk, `slice_writer` writes the file, `catalog` knows which slices there are, `recovery` what a
//!   start finds. `keeping`: how the writer tells the keeper that a slice has ended.
//! - `pack`: a slice that has ended, rewritten into larger blocks.
//! - `view`: what readers share. `gather` collects a page, from the `tail` in memory or through `slice_reader`, which keeps
//!   decoded blocks in the `cache`. `damage`: what cannot be read.

pub(super) mod append;
pub(super) mod block;
pub(super) mod cache;
pub(super) mod catalog;
pub(super) mod damage;
pub(super) mod dedup;
pub(super) mod fingerprint;
pub(super) mod gather;
pub(super) mod keeping;
pub(super) mod log_core;
pub(super) mod pack;
pub(super) mod recovery;
pub(super) mod slice_reader;
pub(super) mod slice_writer;
pub(super) mod tail;
pub(super) mod view;
