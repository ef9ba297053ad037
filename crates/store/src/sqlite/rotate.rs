//! A new key for the secrets: everything sealed is sealed anew, in one transaction.
//!
//! The new key is in a file of its own before the transaction, and takes the old one's place after it. Whatever is cut short,
//! one of the two files opens the secrets, and the next start keeps that one (see [`settle`]).

use super::files::{self, DataDir};
use super::registry::{access, integrations};
use super::schema::{self, Access, Kind};
use super::seal::{self, Sealer};
use super::state::context::Trouble;
use super::state::file;
use super::wal::{Checkpoint, checkpoint};
use crate::StoreError;
use std::fs;
use std::path::Path;

/// The keys of a rotation.
#[derive(Default)]
pub struct KeyRotation {
    /// The key until now; none: the one in the data directory.
    pub old: Option<[u8; 32]>,
    /// The key from now on; none: a new one is made, and put into the data directory.
    pub new: Option<[u8; 32]>,
}

impl std::fmt::Debug for KeyRotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRotation(..)")
    }
}

/// Seals every secret of a data directory with another key. No server may run on it. Answers how many were sealed anew.
///
/// # Errors
///
/// When the old key does not open a secret, or something cannot be written; then the old key stays.
pub fn rotate_key(directory: &Path, keys: &KeyRotation) -> Result<u64, StoreError> {
    if !files::state_file(directory).exists() {
        return Err(StoreError::Open(format!(
            "{}: this is no data directory of hitwire",
            directory.display()
        )));
    }
    let data = DataDir::open(directory)?;
    settle(&data)?;
    // Details are for looking at what happened lately: what of them is sealed goes, and is not sealed anew.
    crate::Details::forget_sealed(directory)?;
    let old = match &keys.old {
        Some(key) => Sealer::new(key),
        None => Sealer::in_file(&data.secret_key())?.ok_or_else(|| {
            StoreError::Open(format!(
                "{}: there is no such file; give the key until now, and the one from now on",
                data.secret_key().display()
            ))
        })?,
    };
    let new = if let Some(key) = &keys.new {
        Sealer::new(key)
    } else {
        let key = seal::new_key()?;
        seal::write_key(&data, &data.next_secret_key(), &key)?;
        Sealer::new(&key)
    };
    let path = data.state();
    let sealed = seal_anew(&path, &old, &new);
    if sealed.is_err() {
        // Whether it was committed all the same is for the secrets to say.
        settle(&data)?;
    }
    let sealed = sealed.map_err(|trouble| match trouble {
        Trouble::Sql(error) => schema::damaged(&path, &error),
        Trouble::Store(error) => error,
    })?;
    settle(&data)?;
    Ok(sealed)
}

/// Ends a rotation that was cut short: the key that opens the secrets stays, the other one goes.
pub(super) fn settle(data: &DataDir) -> Result<(), StoreError> {
    let (next, key, path) = (data.next_secret_key(), data.secret_key(), data.state());
    let Some(sealer) = Sealer::in_file(&next)? else { return Ok(()) };
    let connection = schema::open(&path, Kind::State, Access::Read)?;
    let is_new = file::key_fits(&connection, &path, &sealer)?;
    let done = if is_new { fs::rename(&next, &key) } else { fs::remove_file(&next) };
    done.and_then(|()| data.sync()).map_err(|error| {
        StoreError::Open(format!("{}: the rotation of the key cannot be finished: {error}", next.display()))
    })
}

fn seal_anew(path: &Path, old: &Sealer, new: &Sealer) -> Result<u64, Trouble> {
    let connection = schema::open(path, Kind::State, Access::Write)?;
    if !file::key_fits(&connection, path, old)? {
        return Err(file::other_key(path).into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.unchecked_transaction()?;
    let sealed =
        integrations::seal_anew(&transaction, old, new)? + access::seal_anew(&transaction, old, new)?;
    file::seal_canary(&transaction, new)?;
    transaction.commit()?;
    // What was sealed with the old key must not stay behind.
    checkpoint(&connection, Checkpoint::Cut)?;
    Ok(sealed)
}
