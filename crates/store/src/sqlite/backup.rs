//! A copy of a data directory, made while a server runs on it, and its return.
//!
//! The state is copied first, then the log: the log only grows, so the copy of it holds all that the copied state speaks of, and
//! everything that was acknowledged before. The key that seals secrets is not copied. The manifest is written last: a
//! copy without it is not whole.

use super::files::{self, DataDir, SliceFile};
use super::schema::{self, Access, Kind};
use super::state::log_memory;
use crate::StoreError;
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::fs::{self, DirBuilder, File};
use std::hash::Hasher;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a backup consists of, and how it is proved.
const MANIFEST: &str = "backup.json";

/// The form of the manifest.
const FORMAT: u32 = 1;

/// How often a slice that vanished while it was copied is looked for again.
const TRIES_MAX: usize = 100;

/// A backup that was made, or brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The form of this description.
    format: u32,
    /// The files.
    pub files: Vec<BackupFile>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// A hash of what it holds: against damage, not against forgers.
    hash: String,
}

/// Copies what is durable in a data directory into a new directory. A server may run on it.
///
/// # Errors
///
/// When something cannot be read or written; what was copied by then is no backup.
pub fn back_up(directory: &Path, to: &Path) -> Result<Backup, StoreError> {
    let state = files::state_file(directory);
    if !state.exists() {
        return Err(StoreError::Open(format!(
            "{}: this is no data directory of hitwire",
            directory.display()
        )));
    }
    make_empty(to)?;
    let mut copied = vec![copy_database(&state, &files::state_file(to), Kind::State)?];
    // What retention dropped before the state was copied is not missing in the copy.
    let begins = begins(&files::state_file(to))?;
    let (mut from, mut tries) = (begins.unwrap_or(0), 0);
    let slice_from = |from| files::slice_from(directory, from).map_err(|error| trouble(directory, &error));
    while let Some(slice) = slice_from(from)? {
        let is_newest = || Ok::<_, StoreError>(slice_from(slice.first + 1)?.is_none());
        let was_written = is_newest()?;
        let copy = copy_slice(&slice, to);
        // Packed or dropped meanwhile; or it ended, and more was written to it after it was copied.
        let is_outdated = if copy.is_ok() { was_written && !is_newest()? } else { !slice.path.exists() };
        if is_outdated && tries < TRIES_MAX {
            let begun = to.join(slice.path.file_name().unwrap_or_default());
            files::remove_database(&begun).map_err(|error| trouble(&begun, &error))?;
            tries += 1;
            continue;
        }
        match copy {
            Ok(files) => copied.extend(files),
            Err(error) => return Err(error),
        }
        from = slice.first + 1;
    }
    copied.extend(copy_attempts(directory, to)?);
    let backup = Backup { format: FORMAT, files: copied };
    write_manifest(to, &backup)?;
    Ok(backup)
}

/// The delivery log is copied if it can be: it is nothing but history, for which no backup must fail.
fn copy_attempts(directory: &Path, to: &Path) -> Result<Option<BackupFile>, StoreError> {
    let (path, copy) = (files::attempts_file(directory), files::attempts_file(to));
    if !path.exists() {
        return Ok(None);
    }
    match copy_database(&path, &copy, Kind::Attempts) {
        Ok(file) => Ok(Some(file)),
        Err(error) => {
            tracing::warn!(%error, "the delivery log is not in the backup");
            files::remove_database(&copy).map_err(|error| trouble(&copy, &error))?;
            Ok(None)
        }
    }
}

/// Brings a backup back into a data directory in which nothing is yet but, perhaps, the key.
///
/// # Errors
///
/// When the backup is not whole, or there is something in the data directory already; then nothing is changed.
pub fn restore(from: &Path, directory: &Path) -> Result<Backup, StoreError> {
    let backup = read_manifest(from)?;
    for file in &backup.files {
        let found = described(&from.join(&file.name))?;
        if found != *file {
            return Err(StoreError::Open(format!(
                "{}: this file is not what was backed up; the backup is damaged, use another one",
                from.join(&file.name).display()
            )));
        }
    }
    let data = DataDir::open(directory)?;
    let is_used = data.state().exists()
        || data.attempts().exists()
        || !data.slices().map_err(|error| trouble(directory, &error))?.is_empty();
    if is_used {
        return Err(StoreError::Open(format!(
            "{}: there is data in this directory; restore into an empty one, or move what is in it away",
            directory.display()
        )));
    }
    // The state last: without it a start is refused, so nobody takes half of a backup for the whole.
    let state = |file: &&BackupFile| files::state_file(directory).ends_with(&file.name);
    let log = backup.files.iter().filter(|file| !state(file));
    for file in log.chain(backup.files.iter().filter(state)) {
        let path = directory.join(&file.name);
        let new = files::unfinished(&path);
        copy(&from.join(&file.name), &new)?;
        fs::rename(&new, &path).map_err(|error| trouble(&path, &error))?;
    }
    data.sync().map_err(|error| trouble(directory, &error))?;
    Ok(backup)
}

fn copy_slice(slice: &SliceFile, to: &Path) -> Result<Vec<BackupFile>, StoreError> {
    let name = slice.path.file_name().unwrap_or_default();
    // Before the slice: that it was given up is noted before another one begins behind it.
    let given_up = files::given_up_after(&slice.path).map_err(|error| trouble(&slice.path, &error))?;
    let mut copied = vec![copy_database(&slice.path, &to.join(name), Kind::Log)?];
    if let Some(last) = given_up {
        let note = files::note_given_up(&to.join(name), last).map_err(|error| trouble(to, &error))?;
        copied.push(described(&note)?);
    }
    Ok(copied)
}

/// A copy of a database with what its WAL holds, complete and synced.
fn copy_database(path: &Path, to: &Path, kind: Kind) -> Result<BackupFile, StoreError> {
    let file = files::private_file(to).map_err(|error| trouble(to, &error))?;
    let source = schema::open(path, kind, Access::Read)?;
    source
        .execute("VACUUM INTO ?1", [to.to_string_lossy()])
        .and_then(|_| schema::into_wal_mode(to))
        .map_err(|error| StoreError::Unavailable(format!("{} cannot be copied: {error}", path.display())))?;
    file.sync_all().map_err(|error| trouble(to, &error))?;
    files::remove_wal(to).map_err(|error| trouble(to, &error))?;
    described(to)
}

fn begins(state: &Path) -> Result<Option<u64>, StoreError> {
    let connection = schema::open(state, Kind::State, Access::Read)?;
    let memory = log_memory::load(&connection);
    drop(connection);
    files::remove_wal(state).map_err(|error| trouble(state, &error))?;
    Ok(memory.map_err(|_| StoreError::Open(format!("{}: it is damaged", state.display())))?.begins)
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let done = files::private_file(to).and_then(|mut new| {
        new.set_len(0)?;
        io::copy(&mut File::open(from)?, &mut new)?;
        new.sync_all()
    });
    done.map_err(|error| trouble(to, &error))
}

fn described(path: &Path) -> Result<BackupFile, StoreError> {
    let failed = |error: io::Error| trouble(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut bytes, mut buffer) = (SipHasher13::new(), 0, vec![0; 64 << 10]);
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hasher.write(&buffer[..read]);
        bytes += read as u64;
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    Ok(BackupFile { name, bytes, hash: format!("{:032x}", hasher.finish128().as_u128()) })
}

fn make_empty(directory: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| trouble(directory, &error);
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    if fs::read_dir(directory).map_err(failed)?.next().is_some() {
        return Err(StoreError::Open(format!(
            "{}: this directory is not empty; back up into a new one",
            directory.display()
        )));
    }
    Ok(())
}

fn write_manifest(directory: &Path, backup: &Backup) -> Result<(), StoreError> {
    use std::io::Write as _;
    let path = directory.join(MANIFEST);
    let new = files::unfinished(&path);
    let json = serde_json::to_vec_pretty(backup)
        .map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
    files::private_file(&new)
        .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, &path))
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(|error| trouble(&path, &error))
}

fn read_manifest(directory: &Path) -> Result<Backup, StoreError> {
    let path: PathBuf = directory.join(MANIFEST);
    let not_whole = |what: &str| {
        StoreError::Open(format!(
            "{}: {what}; this is no backup of hitwire, or one that was not finished",
            path.display()
        ))
    };
    let json = fs::read(&path).map_err(|error| not_whole(&error.to_string()))?;
    let backup: Backup = serde_json::from_slice(&json).map_err(|_| not_whole("it cannot be read"))?;
    if backup.format != FORMAT {
        return Err(not_whole("it was made by another version"));
    }
    let is_plain =
        |file: &BackupFile| Path::new(&file.name).components().count() == 1 && !file.name.starts_with('.');
    if !backup.files.iter().all(is_plain) {
        return Err(not_whole("it names files outside of it"));
    }
    Ok(backup)
}

fn trouble(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}
