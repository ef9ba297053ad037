//! Reads what `trace.c` wrote: the changes below the data directory, in their order.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of a record before its text.
const HEAD_BYTES: usize = 24;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A file or directory was opened.
    Open { fd: i32, path: String, created: bool, truncated: bool, directory: bool },
    /// Bytes were written; the range lies in the trace.
    Write { fd: i32, at: u64, bytes: Range<usize> },
    /// The length was set.
    Truncate { fd: i32, length: u64 },
    /// A sync began: what was written before this may be safe at its end.
    SyncBegin { fd: i32, number: i64 },
    /// It ended well.
    SyncEnd { number: i64 },
    /// It failed: the kernel may have dropped what was written, and will not say so again.
    SyncFailed { fd: i32 },
    /// A descriptor was closed.
    Close { fd: i32 },
    /// A descriptor was copied.
    Dup { fd: i32, of: i32 },
    /// A name was moved, over another one if that was there.
    Rename { from: String, to: String },
    /// A name was taken away.
    Unlink { path: String },
    /// A second name was given.
    Link { from: String, to: String },
    /// A directory was made.
    MakeDirectory { path: String },
    /// The file was made at least so long.
    Extend { fd: i32, length: u64 },
}

/// A whole trace in memory.
pub(crate) struct Trace {
    bytes: Vec<u8>,
    /// Each change, with the length of the trace once it was recorded.
    pub(crate) changes: Vec<(u64, Change)>,
}

impl Trace {
    /// Reads a trace; names are made relative to `root`, which itself is the empty name.
    pub(crate) fn read(file: &Path, root: &Path) -> Trace {
        let bytes = std::fs::read(file).expect("the trace can be read");
        let root = root.to_str().expect("the path of the data directory is UTF-8");
        let mut changes = Vec::new();
        let mut at = 0;
        // A record that was cut short by a kill is the last one and did not happen.
        while at + HEAD_BYTES <= bytes.len() {
            let text = at + HEAD_BYTES..at + HEAD_BYTES + number(&bytes, at + 16) as usize;
            if text.end > bytes.len() {
                break;
            }
            if let Some(change) = change(&bytes, at, text.clone(), root) {
                changes.push((text.end as u64, change));
            }
            at = text.end;
        }
        Trace { bytes, changes }
    }

    /// A trace for tests of the disk's model: the bytes of all writes are given apart.
    pub(crate) fn made_of(changes: Vec<Change>, bytes: Vec<u8>) -> Trace {
        Trace {
            bytes,
            changes: changes.into_iter().enumerate().map(|(at, change)| (at as u64, change)).collect(),
        }
    }

    /// The bytes of a write.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }
}

fn number(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn change(bytes: &[u8], at: usize, text: Range<usize>, root: &str) -> Option<Change> {
    let small = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (op, fd, a) = (small(at), small(at + 4), number(bytes, at + 8));
    let words = &bytes[text.clone()];
    let name = |words: &[u8]| {
        let path = std::str::from_utf8(words).expect("names in the data directory are UTF-8");
        let below = path.strip_prefix(root).expect("only names below the data directory are traced");
        below.trim_start_matches('/').to_owned()
    };
    let pair = || {
        let middle = words.iter().position(|byte| *byte == 0).expect("two names");
        (name(&words[..middle]), name(&words[middle + 1..]))
    };
    Some(match op {
        1 => {
            assert_eq!(a & 8, 0, "O_SYNC is not modelled: {}", name(words));
            Change::Open {
                fd,
                path: name(words),
                created: a & 1 != 0,
                truncated: a & 2 != 0,
                directory: a & 4 != 0,
            }
        }
        2 => Change::Write { fd, at: a as u64, bytes: text },
        3 => Change::Truncate { fd, length: a as u64 },
        4 => Change::SyncBegin { fd, number: a },
        5 => Change::SyncEnd { number: a },
        6 => Change::SyncFailed { fd },
        7 => Change::Close { fd },
        8 => Change::Dup { fd, of: a as i32 },
        9 => {
            let (from, to) = pair();
            Change::Rename { from, to }
        }
        10 | 13 => Change::Unlink { path: name(words) },
        11 => {
            let (from, to) = pair();
            Change::Link { from, to }
        }
        12 => {
            let path = name(words);
            // The data directory itself was there before.
            if path.is_empty() {
                return None;
            }
            Change::MakeDirectory { path }
        }
        14 => Change::Extend { fd, length: a as u64 },
        15 => panic!("{} changed a file behind the trace's back", String::from_utf8_lossy(words)),
        other => panic!("the trace is damaged: operation {other} at byte {at}"),
    })
}

/// Builds the library that records; `cc` is what builds SQLite as well.
pub(crate) fn library(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_loss/trace.c");
    let library = folder.join("trace.so");
    let status = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o"])
        .args([&library, &source])
        .status()
        .expect("a C compiler is there, since SQLite was built");
    assert!(status.success(), "trace.c does not compile");
    library
}
