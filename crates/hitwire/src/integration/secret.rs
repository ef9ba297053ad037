//! Where values come from that must not stand on a command line: variables and files.

use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// The content of a variable.
pub(crate) fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name)
        .map_err(|_| Failure::Usage(format!("the variable {name} is not set, or not in UTF-8")))
}

/// The content of a text file.
pub(crate) fn file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

/// A value that stands alone in a file: the line's end behind it does not count.
pub(crate) fn value_in(path: &Path) -> Result<String, Failure> {
    let text = file(path)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// `@path` stands for the file's value, `@@...` for `@...`, everything else for itself.
pub(crate) fn value_or_file(text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        None => Ok(text.to_owned()),
        Some(literal) if literal.starts_with('@') => Ok(literal.to_owned()),
        Some(path) => value_in(Path::new(path)),
    }
}

/// A filter that a flag gives as JSON, or as a file with JSON.
pub(crate) fn filter(flag: &str, text: Option<&str>) -> Result<Option<serde_json::Value>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let text = value_or_file(text)?;
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Failure::Usage(format!(
            "{flag} ceases to be JSON at line {}, column {}; it looks like {{\"domains\": [\"*.example.com\"]}}, or @FILE for a file with it",
            error.line(),
            error.column()
        ))
    })
}

/// A certificate file as the API takes it: PEM as it is, PKCS#12 in base64.
pub(crate) fn certificate(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => Ok(STANDARD.encode(error.as_bytes())),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_come_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(value_or_file(&format!("@{}", path.display())).unwrap(), "s3cret");
        assert_eq!(value_or_file("@@handle").unwrap(), "@handle");
        assert_eq!(value_or_file("plain").unwrap(), "plain");
        let Err(Failure::Usage(words)) = value_or_file("@/nonexistent") else {
            panic!("there is no such file")
        };
        assert!(words.contains("/nonexistent"), "{words}");
    }

    #[test]
    fn a_binary_certificate_is_sent_in_base64() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("client.p12");
        std::fs::write(&path, [0x30, 0x82, 0xff]).unwrap();
        assert_eq!(certificate(&path).unwrap(), "MIL/");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert_eq!(certificate(&path).unwrap(), "-----BEGIN CERTIFICATE-----\n");
    }
}
