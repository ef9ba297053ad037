//! An open log file: reading at offsets, and knowing it again.

use super::checkpoint::{Checkpoint, HEAD_BYTES, TAIL_BYTES};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many files beside the log are looked at for its old content. A directory of rotated logs holds a few dozen.
const SIBLINGS_MAX: usize = 1_000;

/// A regular file, open for reading.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    /// Device and inode.
    pub(crate) identity: (u64, u64),
}

impl LogFile {
    /// Opens the file; none if there is no such file.
    pub(crate) fn open(path: &Path) -> io::Result<Option<LogFile>> {
        // Asked before opening: opening a FIFO would wait for its writer.
        let Some(metadata) = found(fs::metadata(path))? else { return Ok(None) };
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is not a regular file: only files can be followed", path.display()),
            ));
        }
        let Some(file) = found(File::open(path))? else { return Ok(None) };
        let metadata = file.metadata()?;
        Ok(Some(LogFile { file, identity: (metadata.dev(), metadata.ino()) }))
    }

    pub(crate) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reads up to `bytes_max` bytes from `offset` on; fewer only at the end of the file.
    pub(crate) fn read(&self, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let available = self.length()?.saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(available).unwrap_or(bytes_max).min(bytes_max)];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Whether this file holds what was read up to the checkpoint.
    pub(crate) fn holds(&self, checkpoint: &Checkpoint) -> io::Result<bool> {
        if self.length()? < checkpoint.offset || !self.begins_alike(checkpoint)? {
            return Ok(false);
        }
        let from = checkpoint.context_from();
        Ok(checkpoint.continues(&self.read(from, (checkpoint.offset - from) as usize)?))
    }

    /// Reads up to `bytes_max` bytes from the checkpoint on, with the context before them, so that one read shows both what is
    /// new and that it belongs to what was read before. None: this file no longer holds that.
    pub(crate) fn read_on(&self, checkpoint: &Checkpoint, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        if !self.begins_alike(checkpoint)? {
            return Ok(None);
        }
        let from = checkpoint.context_from();
        let bytes = self.read(from, (checkpoint.offset - from) as usize + bytes_max)?;
        Ok(checkpoint.continues(&bytes).then_some(bytes))
    }

    /// A checkpoint of this file at `offset`, of which nothing was read yet.
    pub(crate) fn checkpoint(&self, offset: u64, skipping_from: Option<u64>) -> io::Result<Checkpoint> {
        let head = self.read(0, offset.min(HEAD_BYTES) as usize)?;
        let tail_from = offset.saturating_sub(TAIL_BYTES);
        let tail = self.read(tail_from, (offset - tail_from) as usize)?;
        Ok(Checkpoint::at(self.identity, offset, &head, &tail, skipping_from))
    }

    fn begins_alike(&self, checkpoint: &Checkpoint) -> io::Result<bool> {
        Ok(checkpoint.begins_with(&self.read(0, checkpoint.head_bytes() as usize)?))
    }
}

/// Whether the file at `path` is the one with this identity; none if there is no file.
pub(crate) fn is_same(path: &Path, identity: (u64, u64)) -> io::Result<Option<bool>> {
    Ok(found(fs::metadata(path))?.map(|metadata| (metadata.dev(), metadata.ino()) == identity))
}

/// The file beside `path` that now holds what was read up to the checkpoint: a rotated log keeps the beginning of its name
/// (`audit.log.1`, `audit.log-20260101`). Of several copies the renamed file itself, else the longest, since it holds the most of what was not read yet.
pub(crate) fn rotated(path: &Path, checkpoint: &Checkpoint) -> io::Result<Option<LogFile>> {
    if checkpoint.offset == 0 {
        return Ok(None);
    }
    let Some(name) = path.file_name() else { return Ok(None) };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some(entries) = found(fs::read_dir(directory))? else { return Ok(None) };
    let begins_alike = |entry: &fs::DirEntry| {
        let other = entry.file_name();
        other != name && other.as_encoded_bytes().starts_with(name.as_encoded_bytes())
    };
    let siblings: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(begins_alike)
        .map(|entry| entry.path())
        .take(SIBLINGS_MAX)
        .collect();
    let mut best: Option<(u64, LogFile)> = None;
    for sibling in siblings {
        // A sibling that cannot be read (not a file, no permission, gone again) is no candidate.
        let Ok(Some(file)) = LogFile::open(&sibling) else { continue };
        let (Ok(true), Ok(length)) = (file.holds(checkpoint), file.length()) else { continue };
        if file.identity == (checkpoint.dev, checkpoint.ino) {
            return Ok(Some(file));
        }
        if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
            best = Some((length, file));
        }
    }
    Ok(best.map(|(_, file)| file))
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
