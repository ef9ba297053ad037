//! The data directory: its lock, its permissions, the names in it, and what the disk says.

use crate::StoreError;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only the owner may enter the directory.
const DIRECTORY_MODE: u32 = 0o700;

/// Only the owner may read the files. SQLite gives a database's mode to its WAL and its index.
const FILE_MODE: u32 = 0o600;

/// The ending of a file that is not complete yet; leftovers are removed at the next start.
const UNFINISHED: &str = ".new";

/// The ending of the note beside a slice whose sync failed: the last position that was acknowledged.
const GIVEN_UP: &str = "-given-up";

/// The ending of a file that was set aside.
const DAMAGED: &str = ".damaged";

/// What a database consists of on disk: itself, its WAL, the WAL's index, and the note that it was given up.
const DATABASE_PARTS: [&str; 4] = ["", "-wal", "-shm", GIVEN_UP];

/// What stands before the ending of a slice that was packed.
const PACKED: &str = ".packed";

/// A slice's file, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SliceFile {
    /// Its first position.
    pub first: u64,
    /// It was rewritten into large blocks.
    pub packed: bool,
    /// Where it is.
    pub path: PathBuf,
}

/// The data directory, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, closes it to others, locks it, and clears away what was not finished.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |what: &str, error: io::Error| {
            StoreError::Open(format!(
                "{}: {what}: {error}; choose a data directory that can be written",
                path.display()
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path)
            .map_err(|error| failed("the data directory cannot be made", error))?;
        // A directory of somebody else's (a mounted volume) may refuse; the files in it are closed to others in any case.
        if let Err(error) = fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE)) {
            tracing::warn!(%error, directory = %path.display(), "the data directory stays open to other users");
        }
        let lock =
            private_file(&path.join("lock")).map_err(|error| failed("the lock cannot be made", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Open(format!(
                    "{}: another hitwire uses this data directory; stop it, or choose another directory",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed("the directory cannot be locked", error)),
        }
        let directory = DataDir { path: path.to_owned(), _lock: lock };
        directory.remove_unfinished().map_err(|error| failed("leftovers cannot be removed", error))?;
        Ok(directory)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The database of integrations, accounts, lanes.
    pub(super) fn state(&self) -> PathBuf {
        state_file(&self.path)
    }

    /// The delivery log.
    pub(super) fn attempts(&self) -> PathBuf {
        attempts_file(&self.path)
    }

    /// A complete copy of the state that is to take its place.
    pub(super) fn state_ready(&self) -> PathBuf {
        self.path.join("state.db.ready")
    }

    /// The key that secrets are sealed with.
    pub(super) fn secret_key(&self) -> PathBuf {
        key_file(&self.path)
    }

    /// A key that is to take the place of the one before, while a rotation is under way.
    pub(super) fn next_secret_key(&self) -> PathBuf {
        self.path.join("secret.key.next")
    }

    /// The slice that begins at this position.
    pub(super) fn slice(&self, first: u64) -> PathBuf {
        self.path.join(format!("log-{first:020}.db"))
    }

    /// The same slice, rewritten into large blocks after it has ended.
    pub(super) fn packed_slice(&self, first: u64) -> PathBuf {
        self.path.join(format!("log-{first:020}{PACKED}.db"))
    }

    /// All slices, oldest first, a slice before what it was packed into.
    pub(super) fn slices(&self) -> io::Result<Vec<SliceFile>> {
        slices_in(&self.path)
    }

    /// Makes what was created, renamed or removed in the directory survive a power loss.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Bytes that are free on the directory's disk for a user without privileges.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Removes files that were not finished, and what is left of a slice whose database is gone.
    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let Some(name) = path.to_str() else { continue };
            let unfinished = DATABASE_PARTS.iter().any(|part| name.ends_with(&format!("{UNFINISHED}{part}")));
            let orphaned = DATABASE_PARTS[1..].iter().any(|part| {
                name.strip_suffix(part)
                    .is_some_and(|database| is_database(database) && !Path::new(database).exists())
            });
            if unfinished || orphaned {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// The state's file in a directory.
pub(super) fn state_file(directory: &Path) -> PathBuf {
    directory.join("state.db")
}

/// The delivery log's file in a directory.
pub(super) fn attempts_file(directory: &Path) -> PathBuf {
    directory.join("attempts.db")
}

/// The file of the key that secrets are sealed with.
pub(crate) fn key_file(directory: &Path) -> PathBuf {
    directory.join("secret.key")
}

/// All slices in a directory, oldest first, a slice before what it was packed into.
pub(super) fn slices_in(directory: &Path) -> io::Result<Vec<SliceFile>> {
    let mut slices = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(name) = name.strip_prefix("log-").and_then(|rest| rest.strip_suffix(".db")) else {
            continue;
        };
        let (digits, packed) = name.strip_suffix(PACKED).map_or((name, false), |digits| (digits, true));
        if let Ok(first) = digits.parse() {
            slices.push(SliceFile { first, packed, path });
        }
    }
    slices.sort_unstable();
    Ok(slices)
}

/// The first slice in a directory that begins at a position or after it; the packed one of two.
pub(super) fn slice_from(directory: &Path, first: u64) -> io::Result<Option<SliceFile>> {
    let slices = slices_in(directory)?;
    let next = slices.iter().find(|slice| slice.first >= first).map(|slice| slice.first);
    Ok(slices.into_iter().rev().find(|slice| Some(slice.first) == next))
}

/// Refuses to write on if a file in use was deleted or moved: what is written to it then is gone with the process.
pub(super) fn must_be_there(path: &Path) -> Result<(), StoreError> {
    if path.exists() { Ok(()) } else { Err(StoreError::Unavailable(deleted(path))) }
}

/// What is said of a file in use that was deleted or moved.
pub(super) fn deleted(path: &Path) -> String {
    format!(
        "{} was deleted or moved while hitwire runs; put it back, or stop hitwire, restore a backup and start it again",
        path.display()
    )
}

/// Opens a file that only its owner may read, made if it is missing.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

/// The name of a file while it is not complete.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    with_ending(path, UNFINISHED)
}

/// The index of the WAL of a database.
pub(super) fn wal_index(path: &Path) -> PathBuf {
    with_ending(path, "-shm")
}

/// The WAL of a database.
pub(super) fn wal(path: &Path) -> PathBuf {
    with_ending(path, "-wal")
}

/// The bytes that a database takes on disk.
pub(super) fn database_bytes(path: &Path) -> u64 {
    DATABASE_PARTS.iter().map(|part| file_bytes(&with_ending(path, part))).sum()
}

/// The length of a file; 0 if it is not there.
pub(super) fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Removes a database with its WAL and index. What is not there is no error.
pub(crate) fn remove_database(path: &Path) -> io::Result<()> {
    // The database goes first: a WAL without its database is harmless, a database without its WAL is not whole.
    DATABASE_PARTS.iter().try_for_each(|part| remove_if_there(&with_ending(path, part)))
}

/// Notes that a slice was given up after this position, for a start that comes before a new slice is made. It need not
/// be synced: after a power loss the file is what the disk has, and nothing in memory deceives.
pub(super) fn note_given_up(path: &Path, last_acknowledged: u64) -> io::Result<PathBuf> {
    let note = with_ending(path, GIVEN_UP);
    private_file(&note)?.write_all(last_acknowledged.to_string().as_bytes())?;
    Ok(note)
}

/// The last position of a slice that was given up; `None` if it was not.
pub(super) fn given_up_after(path: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(with_ending(path, GIVEN_UP)) {
        // A note that was cut short tells at least that nothing may be added to the slice.
        Ok(last) => Ok(Some(last.trim().parse().unwrap_or(u64::MAX))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a database that cannot be used another name, in the place of one that has it already. Answers the name.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = aside(path);
    remove_database(&aside)?;
    // Its WAL first: it must never be taken for another file's.
    if wal(path).exists() {
        fs::rename(wal(path), wal(&aside))?;
    }
    fs::rename(path, &aside)?;
    remove_wal(path)?;
    Ok(aside)
}

/// Renames a file; what is not there is no error.
pub(super) fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The name of a database that was set aside.
pub(super) fn aside(path: &Path) -> PathBuf {
    with_ending(path, DAMAGED)
}

/// Removes the WAL and the index of a database, but not itself.
pub(super) fn remove_wal(path: &Path) -> io::Result<()> {
    DATABASE_PARTS[1..].iter().try_for_each(|part| remove_if_there(&with_ending(path, part)))
}

fn is_database(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "db")
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
