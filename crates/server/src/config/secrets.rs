//! Tokens and the secret key: from the environment, or from files of their own.

use super::{Config, ConfigError};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hitwire_store::Secret;
use serde::{Deserialize as _, Deserializer, de};
use std::fmt;
use std::path::{Path, PathBuf};

/// A token that an operator chooses has at least this many characters: it must not be guessable.
pub const TOKEN_CHARS_MIN: usize = 32;

/// And at most this many: it travels in a request header.
const TOKEN_CHARS_MAX: usize = 512;

/// Bytes of the key that seals secrets at rest.
const KEY_BYTES: usize = 32;

/// The key that seals secrets at rest. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; KEY_BYTES]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// Reads 32 bytes written as hex (64 digits) or as base64 (standard or URL-safe, padding optional).
    ///
    /// # Errors
    ///
    /// In words for the user; the text itself is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bytes = if text.len() == 2 * KEY_BYTES { from_hex(text) } else { None };
        let bytes = bytes.or_else(|| {
            let text = text.trim_end_matches('=');
            STANDARD
                .decode(format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4)))
                .ok()
                .or_else(|| URL_SAFE_NO_PAD.decode(text).ok())
        });
        bytes.and_then(|bytes| bytes.try_into().ok()).map(SecretKey).ok_or_else(|| {
            format!(
                "is not {KEY_BYTES} bytes as hex or base64; make a key with: openssl rand -base64 {KEY_BYTES}"
            )
        })
    }

    /// The key's bytes.
    pub fn bytes(&self) -> [u8; KEY_BYTES] {
        self.0
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

pub(super) fn check_token(setting: &str, token: Option<&Secret>) -> Result<(), ConfigError> {
    let Some(token) = token.map(Secret::expose) else { return Ok(()) };
    if token.len() < TOKEN_CHARS_MIN {
        let problem = format!(
            "has {} characters, and at least {TOKEN_CHARS_MIN} are needed so that nobody can guess it; \
             make one with: openssl rand -hex 32",
            token.len()
        );
        return Err(ConfigError::new(setting, problem));
    }
    if token.len() > TOKEN_CHARS_MAX || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let problem = format!(
            "must be at most {TOKEN_CHARS_MAX} printable ASCII characters without blanks: it travels in a request header"
        );
        return Err(ConfigError::new(setting, problem));
    }
    Ok(())
}

impl Config {
    /// Takes tokens and the secret key from the environment: `HITWIRE_ADMIN_TOKEN`, `HITWIRE_INGEST_TOKEN`,
    /// `HITWIRE_SECRET_KEY`, `HITWIRE_OIDC_CLIENT_SECRET` and `HITWIRE_PROXY_CREDENTIALS`, or each from the file that the variable of the same name with `_FILE` names. What is not
    /// there stays as it was; an empty variable counts as not there.
    ///
    /// # Errors
    ///
    /// When both forms of a variable are set, a file cannot be read, or the key is not one.
    pub fn take_secrets(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        if let Some(token) = secret("HITWIRE_ADMIN_TOKEN", &variable)? {
            self.admin_token = Some(token);
        }
        if let Some(token) = secret("HITWIRE_INGEST_TOKEN", &variable)? {
            self.ingest_token = Some(token);
        }
        if let Some(key) = secret("HITWIRE_SECRET_KEY", &variable)? {
            let key = SecretKey::parse(key.expose());
            self.secret_key = Some(key.map_err(|problem| ConfigError::new("HITWIRE_SECRET_KEY", problem))?);
        }
        if let Some(secret) = secret("HITWIRE_OIDC_CLIENT_SECRET", &variable)? {
            let Some(oidc) = &mut self.oidc else {
                let problem = "is set, but no provider that it is for; describe it under [oidc] in the configuration file";
                return Err(ConfigError::new("HITWIRE_OIDC_CLIENT_SECRET", problem));
            };
            oidc.client_secret = Some(secret);
        }
        if let Some(credentials) = secret("HITWIRE_PROXY_CREDENTIALS", &variable)? {
            self.outbound.proxy_credentials = Some(credentials);
        }
        Ok(())
    }
}

fn secret(name: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<Option<Secret>, ConfigError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let name_of_file = format!("{name}_FILE");
    match (set(name), set(&name_of_file)) {
        (Some(_), Some(_)) => {
            Err(ConfigError::new(name, format!("{name_of_file} is set as well; set one of them")))
        }
        (Some(value), None) => Ok(Some(Secret::new(value))),
        (None, Some(path)) => {
            let read = read_secret(Path::new(&path));
            read.map(Some).map_err(|problem| ConfigError::new(name_of_file, problem))
        }
        (None, None) => Ok(None),
    }
}

/// Reads a secret from a file of its own; blanks and the line's end around it do not count.
fn read_secret(path: &Path) -> Result<Secret, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    match text.trim() {
        "" => Err(format!("{} is empty", path.display())),
        value => Ok(Secret::new(value)),
    }
}

/// For `#[serde(deserialize_with)]`: the secret in the file that the configuration file names.
pub(super) fn in_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    read_secret(&path).map(Some).map_err(de::Error::custom)
}

/// The same for the key that seals secrets.
pub(super) fn key_in_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretKey>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    let key = read_secret(&path).map_err(de::Error::custom)?;
    let key = SecretKey::parse(key.expose());
    key.map(Some).map_err(|problem| de::Error::custom(format!("what {} holds {problem}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_hex_and_as_base64() {
        let bytes: [u8; 32] = std::array::from_fn(|i| 255 - i as u8 * 3);
        let hex = bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        for text in [hex.clone(), hex.to_uppercase(), STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)] {
            assert_eq!(SecretKey::parse(&format!(" {text}\n")).map(|key| key.bytes()), Ok(bytes), "{text}");
        }
        for text in ["", "short", &"g".repeat(64), &STANDARD.encode([1; 31])] {
            assert!(SecretKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_come_from_the_environment_or_from_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("token");
        std::fs::write(&file, "from-the-file\n").expect("written");
        let file = file.to_str().expect("a path").to_owned();
        let mut config = Config::default();
        let environment = |name: &str| match name {
            "HITWIRE_ADMIN_TOKEN" => Some("from-the-variable".to_owned()),
            "HITWIRE_INGEST_TOKEN_FILE" => Some(file.clone()),
            "HITWIRE_SECRET_KEY" => Some(String::new()),
            _ => None,
        };
        config.take_secrets(environment).expect("taken");
        assert_eq!(config.admin_token, Some(Secret::new("from-the-variable")));
        assert_eq!(config.ingest_token, Some(Secret::new("from-the-file")));
        assert_eq!(config.secret_key, None);
    }

    #[test]
    fn two_forms_of_one_secret_are_refused() {
        let error = Config::default().take_secrets(|_| Some("x".to_owned())).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "HITWIRE_ADMIN_TOKEN: HITWIRE_ADMIN_TOKEN_FILE is set as well; set one of them"
        );
    }
}
