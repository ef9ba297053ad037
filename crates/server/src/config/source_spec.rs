//! Which sources are followed.

use hitwire_source::Settings;
use std::fmt;
use std::path::PathBuf;

/// The tools whose output is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFormat {
    /// The JSON audit log of ModSecurity v3.
    ModSecurity,
}

impl SourceFormat {
    /// All of them.
    const ALL: [SourceFormat; 1] = [SourceFormat::ModSecurity];

    /// The name before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            SourceFormat::ModSecurity => "modsecurity",
        }
    }

    /// The format of this name.
    ///
    /// # Errors
    ///
    /// In words that list the names.
    pub fn named(name: &str) -> Result<Self, String> {
        SourceFormat::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known = SourceFormat::ALL.map(SourceFormat::name).join(", ");
            format!("\"{name}\" is not a kind of source; known: {known}")
        })
    }
}

/// A source to follow.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// What writes it.
    pub format: SourceFormat,
    /// The file.
    pub path: PathBuf,
    /// Where to begin when the file was never read before: its beginning, or only what comes from now on.
    pub from_end: bool,
    /// Each record counts as a processed request. Only right if every request is in the log (`SecAuditEngine On`).
    pub count_requests: bool,
    /// How records become hits. Tenant and environment are the server's, whatever stands here.
    pub settings: Settings,
}

impl SourceSpec {
    /// A source with default settings.
    pub fn new(format: SourceFormat, path: impl Into<PathBuf>) -> Self {
        SourceSpec {
            format,
            path: path.into(),
            from_end: false,
            count_requests: false,
            settings: Settings::default(),
        }
    }

    /// Reads the form of the command line, `modsecurity:PATH`.
    ///
    /// # Errors
    ///
    /// In words for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((name, path)) = text.split_once(':') else {
            return Err(format!("\"{text}\" does not say what writes the file; write modsecurity:PATH"));
        };
        if path.is_empty() {
            return Err(format!("\"{text}\" names no file; write {name}:PATH"));
        }
        Ok(SourceSpec::new(SourceFormat::named(name)?, path))
    }

    /// What it is called in logs and answers, and the key of its checkpoint: `modsecurity:PATH`.
    pub fn name(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.format.name(), self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_form_of_the_command_line_is_read() {
        let spec = SourceSpec::parse("modsecurity:/var/log/a:b.log").expect("a source");
        assert_eq!(spec.path, Path::new("/var/log/a:b.log"));
        assert_eq!(spec.name(), "modsecurity:/var/log/a:b.log");
    }

    #[test]
    fn what_is_not_a_source_is_refused_in_words() {
        for (text, words) in [
            ("/var/log/audit.log", "does not say what writes the file"),
            ("modsecurity:", "names no file"),
            ("suricata:/x", "known: modsecurity"),
        ] {
            let error = SourceSpec::parse(text).expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
    }
}
