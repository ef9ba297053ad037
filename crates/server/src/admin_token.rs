//! The first token: chosen by the operator, else made at the first start and left in a file.

use crate::StartError;
use hitwire_api::random_token::random_token;
use hitwire_store::Secret;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file in the data directory.
const FILE: &str = "admin-token";

/// Where the made token is.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// The token in the file, which is made if it is not there. Deleting the file and starting again makes a new token and
/// takes the old one back.
pub(crate) fn read_or_make(data_dir: &Path) -> Result<Secret, StartError> {
    let path = path(data_dir);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= crate::config::TOKEN_CHARS_MIN => Ok(Secret::new(text.trim())),
        Ok(_) => Err(StartError::AdminToken {
            path,
            problem: "it holds no whole token; delete it, and the next start makes a new one".to_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => make(&path),
        Err(error) => Err(StartError::AdminToken { path, problem: error.to_string() }),
    }
}

fn make(path: &Path) -> Result<Secret, StartError> {
    let failed = |problem: String| StartError::AdminToken { path: path.to_owned(), problem };
    let token = random_token().map_err(|error| failed(error.to_string()))?;
    // Written beside and renamed: a crash in between must not leave half a token behind.
    let beside = path.with_extension("new");
    write_synced(&beside, &token)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| failed(error.to_string()))?;
    if let Some(dir) = path.parent() {
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed(error.to_string()))?;
    }
    Ok(Secret::new(token))
}

fn write_synced(path: &Path, token: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_api::random_token::{ALPHABET, CHARS};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_a_token_that_only_the_owner_can_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let token = read_or_make(dir.path()).expect("a token");
        assert_eq!(token.expose().len(), CHARS);
        assert!(token.expose().bytes().all(|byte| ALPHABET.contains(&byte)));
        let mode = fs::metadata(path(dir.path())).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(read_or_make(dir.path()).expect("a token"), token, "later starts find it");
    }

    #[test]
    fn deleting_the_file_makes_a_new_token() {
        let dir = tempfile::tempdir().expect("a directory");
        let token = read_or_make(dir.path()).expect("a token");
        fs::remove_file(path(dir.path())).expect("deleted");
        assert_ne!(read_or_make(dir.path()).expect("a token"), token);
    }

    #[test]
    fn a_damaged_file_is_refused_in_words() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(path(dir.path()), "half").expect("written");
        let words = read_or_make(dir.path()).expect_err("refused").to_string();
        assert!(words.contains("admin-token") && words.contains("delete it"), "{words}");
    }
}
