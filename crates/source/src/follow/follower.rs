//! Reads on, and decides what the file's changes mean.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::file::{LogFile, is_same, rotated};
use crate::lines::{LINE_BYTES_MAX, Oversized};
use std::io;
use std::path::{Path, PathBuf};

/// How often one poll may move on to another file without having read anything: from a copy to the live file, from a renamed
/// file to its successor. More than a few in one poll would be a loop.
const MOVES_PER_POLL_MAX: usize = 4;

/// Where to begin with a file that was never read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With its first line.
    #[default]
    Beginning,
    /// With the line that is unfinished now, or the next one. A file that appears later is read from its first line.
    End,
}

/// What one poll found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Whole lines, without `\n`, none empty: the bytes before each in its file, and its bytes, which need not be UTF-8.
    pub lines: Vec<(u64, Vec<u8>)>,
    /// Lines that were passed over because they are longer than [`LINE_BYTES_MAX`].
    pub skipped: Vec<Oversized>,
    /// What happened to the file; worth a line in the log.
    pub events: Vec<FileEvent>,
    /// Where to go on after these lines. To be committed together with what became of them.
    pub checkpoint: Vec<u8>,
    /// The checkpoint differs from the one before, so committing it is worth while even if there are no lines.
    pub moved: bool,
    /// There was nothing to read: wait before the next poll. Never set together with lines.
    pub caught_up: bool,
    /// There is no file yet, or not at the moment.
    pub missing: bool,
}

/// Something that happened to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEvent {
    /// The old file was read to its end, `read_to`, and reading goes on at the start of its successor.
    Rotated {
        /// Bytes of the old file that were read.
        read_to: u64,
    },
    /// The file does not hold what was read before, and nothing beside it does: it was truncated or exchanged. Reading goes
    /// on at its start; what was written behind `read_to` in the meantime, if anything was, is lost.
    Replaced {
        /// Bytes of the old content that were read.
        read_to: u64,
    },
    /// A rotated file ends within a line, which nobody will finish. It was passed over.
    Unfinished {
        /// Where the line begins in the rotated file.
        offset: u64,
        /// Bytes of it that are there.
        length: u64,
    },
}

/// Reads a file's lines, each exactly once.
///
/// It advances with every [`poll`](Follower::poll). If a chunk could not be committed, drop the follower and open another
/// one from the last checkpoint that was.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    checkpoint: Checkpoint,
    /// Where to begin when the file is first seen; none once that is decided.
    start: Option<Start>,
    open: Option<Open>,
    events: Vec<FileEvent>,
    line_bytes_max: usize,
}

/// The file that is being read.
#[derive(Debug)]
struct Open {
    file: LogFile,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It was at the path when it was opened.
    Live,
    /// It was live, now another one is at the path. Once more read to the end, then the other one's turn.
    Retiring,
    /// A copy of what the path once held, or that file itself under another name.
    Rotated,
}

impl Follower {
    /// Follows the file at `path`, from the checkpoint if there is one, else from `start`. Does no IO yet.
    pub fn open(
        path: impl Into<PathBuf>,
        checkpoint: Option<&[u8]>,
        start: Start,
    ) -> Result<Follower, CheckpointError> {
        let (checkpoint, start) = match checkpoint {
            Some(bytes) => (Checkpoint::from_bytes(bytes)?, None),
            None => (Checkpoint::start(), Some(start)),
        };
        let path = path.into();
        Ok(Follower {
            path,
            checkpoint,
            start,
            open: None,
            events: Vec::new(),
            line_bytes_max: LINE_BYTES_MAX,
        })
    }

    /// The path that is followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the current file that are dealt with.
    pub fn offset(&self) -> u64 {
        self.checkpoint.offset
    }

    /// Takes lines with another bound than [`LINE_BYTES_MAX`].
    #[must_use]
    pub fn with_line_bound(mut self, line_bytes_max: usize) -> Self {
        self.line_bytes_max = line_bytes_max;
        self
    }

    /// Reads on: about `bytes_max` bytes, and at least one line if a whole one is there. After an error, poll again: nothing
    /// is lost by it.
    pub fn poll(&mut self, bytes_max: usize) -> io::Result<Chunk> {
        let before = self.checkpoint.clone();
        let mut chunk = Chunk::default();
        for _ in 0..MOVES_PER_POLL_MAX {
            if self.open.is_none() {
                self.open = self.find()?;
            }
            let Some(open) = &self.open else {
                chunk.caught_up = true;
                chunk.missing = true;
                break;
            };
            let Some(next) =
                read_on(&open.file, &self.checkpoint, bytes_max, self.line_bytes_max, &mut chunk)?
            else {
                // Truncated or exchanged under this very name: the next turn finds what took its place.
                self.open = None;
                continue;
            };
            if next != self.checkpoint {
                self.checkpoint = next;
                break;
            }
            if !self.move_on(&mut chunk)? {
                chunk.caught_up = true;
                break;
            }
        }
        chunk.events = std::mem::take(&mut self.events);
        chunk.moved = self.checkpoint != before;
        chunk.checkpoint = self.checkpoint.to_bytes();
        Ok(chunk)
    }

    /// The file that holds what was read; none while there is none.
    fn find(&mut self) -> io::Result<Option<Open>> {
        let live = LogFile::open(&self.path)?;
        if let (Some(Start::End), Some(file)) = (self.start, &live) {
            self.checkpoint = last_line(file, self.line_bytes_max)?;
        }
        self.start = None;
        match live {
            Some(file) if file.holds(&self.checkpoint)? => Ok(Some(Open { file, role: Role::Live })),
            live => match (rotated(&self.path, &self.checkpoint)?, live) {
                (Some(file), _) => Ok(Some(Open { file, role: Role::Rotated })),
                (None, Some(file)) => {
                    self.events.push(FileEvent::Replaced { read_to: self.checkpoint.offset });
                    self.checkpoint = Checkpoint::start();
                    Ok(Some(Open { file, role: Role::Live }))
                }
                (None, None) => Ok(None),
            },
        }
    }

    /// At the end of the open file: goes on to the next one, if there is one. False: this is the place to wait.
    fn move_on(&mut self, chunk: &mut Chunk) -> io::Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        if open.role == Role::Live {
            if is_same(&self.path, open.file.identity)? != Some(false) {
                return Ok(false);
            }
            // Lines may have come between the last read and the rename.
            open.role = Role::Retiring;
            return Ok(true);
        }
        let Some(live) = LogFile::open(&self.path)? else { return Ok(false) };
        // A file that was copied and exchanged goes on where the old one ended. At offset 0 every file seems to do so.
        if self.checkpoint.offset == 0 || !live.holds(&self.checkpoint)? {
            let read_to = self.checkpoint.offset;
            let length = open.file.length()?.saturating_sub(read_to);
            if let Some(offset) = self.checkpoint.skipping_from {
                chunk.skipped.push(Oversized { offset, length: read_to + length - offset });
            } else if length > 0 {
                self.events.push(FileEvent::Unfinished { offset: read_to, length });
            }
            self.events.push(FileEvent::Rotated { read_to });
            self.checkpoint = Checkpoint::start();
        }
        self.open = Some(Open { file: live, role: Role::Live });
        Ok(true)
    }
}

/// Reads whole lines into the chunk: the checkpoint after them. None: the file does not hold the checkpoint.
fn read_on(
    file: &LogFile,
    checkpoint: &Checkpoint,
    bytes_max: usize,
    line_bytes_max: usize,
    chunk: &mut Chunk,
) -> io::Result<Option<Checkpoint>> {
    let context = (checkpoint.offset - checkpoint.context_from()) as usize;
    let mut wanted = bytes_max.max(1);
    let bytes = loop {
        let Some(bytes) = file.read_on(checkpoint, wanted)? else { return Ok(None) };
        let fresh = &bytes[context..];
        let at_end = fresh.len() < wanted;
        // Read more until there is a whole line, or it is clear that the line is too long.
        if at_end || wanted > line_bytes_max || checkpoint.skipping_from.is_some() || fresh.contains(&b'\n') {
            break bytes;
        }
        wanted = (wanted * 2).min(line_bytes_max + 1);
    };
    let mut line_from = checkpoint.offset;
    let mut skipping_from = checkpoint.skipping_from;
    for part in bytes[context..].split_inclusive(|&byte| byte == b'\n') {
        let part_from = line_from;
        let part_length = part.len() as u64;
        match (part.strip_suffix(b"\n"), skipping_from) {
            (Some(line), None) if line.len() <= line_bytes_max => {
                if !line.is_empty() {
                    chunk.lines.push((part_from, line.to_vec()));
                }
            }
            (Some(_), from) => {
                let offset = from.unwrap_or(part_from);
                chunk.skipped.push(Oversized { offset, length: part_from + part_length - 1 - offset });
                skipping_from = None;
            }
            // An unfinished line is left for later, unless it is too long already.
            (None, None) if part.len() <= line_bytes_max => break,
            (None, from) => skipping_from = from.or(Some(part_from)),
        }
        line_from = part_from + part_length;
    }
    let next = if line_from == checkpoint.offset {
        checkpoint.clone()
    } else {
        checkpoint.advanced(file.identity, &bytes, line_from, skipping_from)
    };
    Ok(Some(next))
}

/// The checkpoint before the file's last, unfinished line, or at its end if that is the end of a line.
fn last_line(file: &LogFile, line_bytes_max: usize) -> io::Result<Checkpoint> {
    let length = file.length()?;
    let window_from = length.saturating_sub(line_bytes_max as u64);
    let window = file.read(window_from, line_bytes_max)?;
    let newline = window.iter().rposition(|&byte| byte == b'\n');
    let (offset, skipping_from) = match newline {
        Some(newline) => (window_from + newline as u64 + 1, None),
        None if window_from == 0 => (0, None),
        // Somewhere within a line that is too long.
        None => (length, Some(length)),
    };
    file.checkpoint(offset, skipping_from)
}
