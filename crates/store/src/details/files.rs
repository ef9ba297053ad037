//! The files of details: failures in a row of files, successes in one.

use super::file::{DetailFile, Row};
use super::{AttemptKey, Bounds, DELIVERED_OF_EACH, Detail, Draft, private};
use crate::StoreError;
use crate::sqlite::seal::Sealer;
use hitwire_event::IntegrationId;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Details that go at once when the file of successes is too large.
const DROPPED_AT_ONCE: usize = 50;

/// What may go wrong: opening and removing, or SQLite.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

/// The files of details.
pub(super) struct Files {
    directory: PathBuf,
    bounds: Bounds,
    sealer: Sealer,
    /// Each with its number, oldest first.
    failed: Vec<(u64, DetailFile)>,
    delivered: Option<DetailFile>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Files {
    /// Opens what there is. A file is made when there is something to write into it.
    pub(super) fn open(directory: &Path, bounds: Bounds, sealer: Sealer) -> Files {
        let directory = directory.to_owned();
        let mut files = Files { directory, bounds, sealer, failed: Vec::new(), delivered: None };
        let delivered = files.delivered_path();
        if delivered.exists() {
            files.delivered = opened(&delivered);
        }
        for number in numbers(&files.directory) {
            let file = opened(&files.failed_path(number));
            files.failed.extend(file.map(|file| (number, file)));
        }
        files
    }

    /// Writes details down. Returns how many could not be.
    pub(super) fn write(&mut self, drafts: Vec<Draft>) -> u64 {
        let (mut delivered, mut failed) = (Vec::new(), Vec::new());
        for Draft { key, delivered: is_delivered, make, .. } in drafts {
            let detail = make();
            let sealed = detail.private.as_ref().and_then(|private| {
                let sealed = private::seal(&self.sealer, &key, private);
                sealed
                    .inspect_err(|error| tracing::error!(%error, "an attempt's detail cannot be sealed"))
                    .ok()
            });
            match serde_json::to_string(&detail) {
                Ok(json) => {
                    if is_delivered { &mut delivered } else { &mut failed }.push(Row { key, json, sealed });
                }
                Err(error) => tracing::error!(%error, "an attempt's detail has no JSON"),
            }
        }
        let mut lost = 0;
        if !delivered.is_empty()
            && let Err(error) = self.write_delivered(&delivered)
        {
            lost += self.unwritable(&error, delivered.len());
            self.give_up(self.delivered_path(), &error);
        }
        if !failed.is_empty()
            && let Err(error) = self.write_failed(&failed)
        {
            lost += self.unwritable(&error, failed.len());
            let newest = self.failed.last().map(|(_, file)| file.path().to_owned());
            if let Some(path) = newest {
                self.give_up(path, &error);
            }
        }
        lost
    }

    /// Takes away all that is sealed, from the files of a directory on which no server runs.
    pub(super) fn forget_sealed(directory: &Path) -> io::Result<()> {
        let delivered = directory.join("details-delivered.db");
        let failed = numbers(directory).into_iter().map(|number| failed_path(directory, number));
        for path in failed.chain(delivered.exists().then_some(delivered)) {
            let file = DetailFile::open(&path)?;
            if let Err(error) = file.forget_sealed() {
                tracing::warn!(file = %path.display(), %error, "what is sealed cannot be taken out of the file; all of it goes");
                file.remove()?;
            }
        }
        Ok(())
    }

    fn write_delivered(&mut self, details: &[Row]) -> Result<(), Trouble> {
        let path = self.delivered_path();
        let file = match &mut self.delivered {
            Some(file) => file,
            none => none.insert(DetailFile::open(&path)?),
        };
        file.put(details, Some(DELIVERED_OF_EACH))?;
        while file.used_bytes()? > self.bounds.delivered_bytes {
            file.drop_oldest(DROPPED_AT_ONCE)?;
        }
        Ok(())
    }

    fn write_failed(&mut self, details: &[Row]) -> Result<(), Trouble> {
        let full = match self.failed.last() {
            Some((_, file)) => file.used_bytes()? >= self.bounds.failed_file_bytes,
            None => true,
        };
        if full {
            self.rotate()?;
        }
        if let Some((_, file)) = self.failed.last() {
            file.put(details, None)?;
        }
        Ok(())
    }

    /// Begins the next file of failures, and takes the oldest away if there are too many.
    fn rotate(&mut self) -> Result<(), Trouble> {
        if let Some((_, file)) = self.failed.last() {
            file.empty_wal()?;
        }
        let number = self.failed.last().map_or(1, |(number, _)| number + 1);
        let file = DetailFile::open(&self.failed_path(number))?;
        self.failed.push((number, file));
        while self.failed.len() > self.bounds.failed_files {
            let (_, oldest) = self.failed.remove(0);
            oldest.remove()?;
        }
        Ok(())
    }

    /// The detail of an attempt that came to this: a success is only among successes, a failure only among failures, the
    /// newest files first. An attempt that was not recorded before a crash may have left one of the other sort under the same key.
    pub(super) fn find(&self, key: &AttemptKey, delivered: bool) -> Result<Option<Detail>, StoreError> {
        let failed = self.failed.iter().rev().map(|(_, file)| file).filter(|_| !delivered);
        for file in failed.chain(self.delivered.as_ref().filter(|_| delivered)) {
            let found = file
                .find(key)
                .map_err(|error| StoreError::Unavailable(format!("{}: {error}", file.path().display())))?;
            if let Some((mut detail, sealed)) = found {
                detail.private =
                    sealed.as_deref().and_then(|sealed| private::open(&self.sealer, key, sealed));
                return Ok(Some(detail));
            }
        }
        Ok(None)
    }

    /// Takes away what is there of these integrations.
    pub(super) fn forget(&mut self, integrations: &[IntegrationId]) {
        if integrations.is_empty() {
            return;
        }
        self.each("an integration's details", |file| file.forget(integrations));
    }

    /// Takes away what is there of integrations that are not among these.
    pub(super) fn keep_only(&mut self, integrations: &BTreeSet<IntegrationId>) {
        self.each("details of integrations that are gone", |file| {
            let mut gone = file.integrations()?;
            gone.retain(|id| !integrations.contains(id));
            file.forget(&gone)
        });
    }

    /// Does something with each file. What must go and cannot be taken out of a file goes with the whole of it.
    fn each(&mut self, what: &str, work: impl Fn(&DetailFile) -> rusqlite::Result<()>) {
        let files = self.failed.iter().map(|(_, file)| file).chain(&self.delivered);
        let failed: Vec<_> =
            files.filter_map(|file| Some((file.path().to_owned(), work(file).err()?))).collect();
        for (path, error) in failed {
            tracing::warn!(file = %path.display(), %error, "{what} cannot be taken out of the file; all of it goes");
            self.remove(&path);
        }
    }

    fn unwritable(&self, error: &Trouble, details: usize) -> u64 {
        tracing::warn!(%error, details, directory = %self.directory.display(), "details of attempts cannot be written down");
        details as u64
    }

    /// A file that is damaged is begun anew with the next write.
    fn give_up(&mut self, path: PathBuf, error: &Trouble) {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let damaged = matches!(error, Trouble::Sql(error)
            if matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)));
        if damaged {
            self.remove(&path);
        }
    }

    fn remove(&mut self, path: &Path) {
        let gone = if self.delivered.as_ref().is_some_and(|file| file.path() == path) {
            self.delivered.take()
        } else {
            let at = self.failed.iter().position(|(_, file)| file.path() == path);
            at.map(|at| self.failed.remove(at).1)
        };
        if let Some(Err(error)) = gone.map(DetailFile::remove) {
            tracing::error!(file = %path.display(), %error, "the file cannot be removed");
        }
    }

    fn delivered_path(&self) -> PathBuf {
        self.directory.join("details-delivered.db")
    }

    fn failed_path(&self, number: u64) -> PathBuf {
        failed_path(&self.directory, number)
    }

    #[cfg(test)]
    pub(super) fn any(&self) -> Option<&DetailFile> {
        self.failed.first().map(|(_, file)| file).or(self.delivered.as_ref())
    }
}

fn failed_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("details-{number}.db"))
}

fn opened(path: &Path) -> Option<DetailFile> {
    DetailFile::open(path)
        .inspect_err(|error| {
            tracing::warn!(file = %path.display(), %error, "a file of attempts' details cannot be opened");
        })
        .ok()
}

/// The numbers of the files of failures that there are, in ascending order.
fn numbers(directory: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let number = |entry: io::Result<fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("details-")?.strip_suffix(".db")?.parse().ok()
    };
    let mut numbers: Vec<u64> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}
