//! Secrets at rest: sealed with XChaCha20-Poly1305 under one key, bound to the place where they lie.
//!
//! A sealed value is a format byte, the random nonce (24 bytes) and the ciphertext with its tag. The table, the row's id
//! and the field are associated data: a sealed value that is copied to another row, or another field, does not open.

use super::files::{self, DataDir};
use crate::StoreError;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// Bytes of the nonce; long enough to be drawn at random for ever.
const NONCE_BYTES: usize = 24;

/// The first byte of a sealed value.
const FORMAT: u8 = 1;

/// The most that a key file is read: a key in hex, and blanks.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// The place of a sealed value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub id: u64,
    /// The field.
    pub field: &'static str,
}

impl Place {
    fn associated_data(self) -> String {
        format!("{}|{}|{}", self.table, self.id, self.field)
    }
}

/// Seals and opens.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
}

/// A sealed value does not open: another key, another place, or damage.
#[derive(Debug)]
pub(crate) struct Unopened;

impl Sealer {
    /// With this key.
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Sealer { cipher: XChaCha20Poly1305::new(key.into()) }
    }

    /// With the key file of the data directory. It is made if there is none, but only before anything was sealed.
    pub(super) fn from_file(directory: &DataDir, anything_sealed: bool) -> Result<Self, StoreError> {
        let path = directory.secret_key();
        if let Some(sealer) = Sealer::in_file(&path)? {
            return Ok(sealer);
        }
        if anything_sealed {
            return Err(StoreError::Open(format!(
                "{}: the key of the secrets is missing; restore the file from a backup, or give the key itself",
                path.display()
            )));
        }
        let key = new_key()?;
        write_key(directory, &path, &key)?;
        Ok(Sealer::new(&key))
    }

    /// With the key in this file; none if there is no such file.
    pub(crate) fn in_file(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let mut text = Zeroizing::new(String::new());
        fs::File::open(path)
            .and_then(|file| file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| key_trouble(path, &error))?;
        let key = from_hex(text.trim()).ok_or_else(|| {
            StoreError::Open(format!(
                "{}: this is not a key: 64 hexadecimal digits are expected; restore it from a backup",
                path.display()
            ))
        })?;
        Ok(Some(Sealer::new(&key)))
    }

    /// Seals a value for its place.
    pub(crate) fn seal(&self, place: Place, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let associated = place.associated_data();
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: value, aad: associated.as_bytes() })
            .map_err(|_| StoreError::Unavailable("a secret is too long to be sealed".to_owned()))?;
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let (&FORMAT, rest) = sealed.split_first().ok_or(Unopened)? else { return Err(Unopened) };
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(Unopened)?;
        let associated = place.associated_data();
        self.cipher
            .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: associated.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| Unopened)
    }
}

/// A key that nobody can guess.
pub(super) fn new_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, StoreError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random(key.as_mut())?;
    Ok(key)
}

/// Writes a key into a file that only its owner may read; complete and synced when this returns.
pub(super) fn write_key(directory: &DataDir, path: &Path, key: &[u8; KEY_BYTES]) -> Result<(), StoreError> {
    let new = files::unfinished(path);
    files::private_file(&new)
        .and_then(|mut file| {
            let mut text = Zeroizing::new(to_hex(key));
            text.push('\n');
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| directory.sync())
        .map_err(|error| key_trouble(path, &error))
}

fn key_trouble(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Open(format!("{}: the key of the secrets cannot be read or made: {error}", path.display()))
}

/// Bytes nobody can guess.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes)
        .map_err(|error| StoreError::Unavailable(format!("the system gives no random bytes: {error}")))
}

/// Bytes in lower-case hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(digits[usize::from(digit)]))
        .collect()
}

/// As many bytes as a key, or a SHA-256, has; none if it is anything else.
pub(super) fn from_hex(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if text.len() != 2 * KEY_BYTES {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        *byte = u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { table: "integration", id: 7, field: "secrets" };

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_with_its_key() {
        let sealer = Sealer::new(&[1; KEY_BYTES]);
        let sealed = sealer.seal(PLACE, b"hush").unwrap();
        assert_eq!(sealer.open(PLACE, &sealed).unwrap().as_slice(), b"hush");
        assert!(sealer.open(Place { id: 8, ..PLACE }, &sealed).is_err());
        assert!(sealer.open(Place { field: "canary", ..PLACE }, &sealed).is_err());
        assert!(Sealer::new(&[2; KEY_BYTES]).open(PLACE, &sealed).is_err());
    }

    #[test]
    fn a_changed_or_shortened_value_does_not_open() {
        let sealer = Sealer::new(&[1; KEY_BYTES]);
        let sealed = sealer.seal(PLACE, b"hush").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open(PLACE, &changed).is_err());
            assert!(sealer.open(PLACE, &sealed[..at]).is_err());
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_to_the_same_bytes() {
        let sealer = Sealer::new(&[1; KEY_BYTES]);
        assert_ne!(sealer.seal(PLACE, b"hush").unwrap(), sealer.seal(PLACE, b"hush").unwrap());
    }

    #[test]
    fn a_key_survives_its_file() {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|at| (at * 9) as u8);
        assert_eq!(*from_hex(&to_hex(&key)).unwrap(), key);
        assert!(from_hex("abc").is_none());
        assert!(from_hex(&"g".repeat(64)).is_none());
    }
}
