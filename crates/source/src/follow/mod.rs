//! The lines of a file that grows, each exactly once.
//!
//! - [`Follower`]: reads on from a checkpoint and gives a [`Chunk`]: lines, each with its offset, and the checkpoint that
//!   stands behind them. Whoever takes the lines commits the checkpoint together with what became of them.
//! - [`Watch`]: says when the file may have changed.
//!
//! What a checkpoint knows is the offset and two fingerprints, one of the file's first bytes and one of the bytes before the
//! offset. Inode and offset alone would not do: a log is usually rotated by copying and truncating it (nginx never
//! reopens its audit log), so the same inode holds other lines a moment later, perhaps already more of them than before.
//!
//! What happens to the file, and what is done:
//!
//! - It is not there yet: wait.
//! - Its last line has no `\n`: the line is unfinished, wait.
//! - It was truncated, whether or not it has grown past the offset again: look for the copy beside it and read what is
//!   left there, then start at 0.
//! - It was renamed and there is no new file: keep reading, the writer does so too.
//! - It was renamed and there is a new file: read the old one to its end, then the new one from its start.
//! - It was renamed while nobody was looking: find it by its fingerprints among the files beside it, then as above.
//!
//! What cannot be read, here or anywhere, are records written between the copy and the truncation. What is not read by this
//! module: lines that a writer appends to a renamed file after its successor was opened; a file of which no line was read
//! before it was rotated away; and after two rotations in a row, while nobody was looking, the file between.

mod checkpoint;
mod file;
mod follower;
mod watch;

pub use checkpoint::CheckpointError;
pub use follower::{Chunk, FileEvent, Follower, Start};
pub use watch::{POLL_INTERVAL, Waker, Watch};
