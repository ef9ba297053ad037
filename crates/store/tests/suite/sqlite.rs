//! What is particular to the embedded store: files, locks, keys, slices, retention, broken disks.

mod attempts;
mod care;
mod damage;
mod disk;
mod files;
mod gaps;
mod large;
mod replays;
mod retention;
mod wal;
mod writes;
