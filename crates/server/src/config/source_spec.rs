//! Which sources are followed.

use super::text;
use hitwire_event::ClientId;
use hitwire_event::hit::AttackType;
use hitwire_source::{RuleRange, Settings};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// The tools whose output is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&'static str")]
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

impl TryFrom<String> for SourceFormat {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        SourceFormat::named(&name)
    }
}

impl From<SourceFormat> for &'static str {
    fn from(format: SourceFormat) -> Self {
        format.name()
    }
}

/// A source to follow.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// What writes it.
    #[serde(rename = "type")]
    pub format: SourceFormat,
    /// The file.
    #[serde(serialize_with = "text::path")]
    pub path: PathBuf,
    /// Where to begin when the file was never read before: its beginning, or only what comes from now on.
    #[serde(default)]
    pub from_end: bool,
    /// Each record counts as a processed request. Only right if every request is in the log (`SecAuditEngine On`).
    #[serde(default)]
    pub count_requests: bool,
    /// As in [`Settings`], like all that follow.
    #[serde(default, with = "text::timezone")]
    pub timezone: Option<TimeZone>,
    /// See [`Settings::protocol_hits`].
    #[serde(default)]
    pub protocol_hits: bool,
    /// See [`Settings::response_rules`].
    #[serde(default)]
    pub response_rules: bool,
    /// See [`Settings::scripting_clients`].
    #[serde(default)]
    pub scripting_clients: bool,
    /// See [`Settings::rfi_as_ssrf`].
    #[serde(default)]
    pub rfi_as_ssrf: bool,
    /// See [`Settings::xxe_from_entities`].
    #[serde(default)]
    pub xxe_from_entities: bool,
    /// See [`Settings::max_paranoia`].
    #[serde(default)]
    pub max_paranoia: Option<u8>,
    /// See [`Settings::block_statuses`].
    #[serde(default = "block_statuses")]
    pub block_statuses: Vec<u16>,
    /// See [`Settings::rules`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SourceRules>,
}

fn block_statuses() -> Vec<u16> {
    Settings::default().block_statuses
}

/// Rules of the operator's own, and the attack type that they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRules {
    /// The rules' ids.
    #[serde(rename = "id")]
    pub ids: RuleIds,
    /// The type of their hits.
    #[serde(rename = "type")]
    pub attack_type: String,
}

/// Ids of rules, both ends included, written `10000-10999`, or `10000` for one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleIds {
    first: u32,
    last: u32,
}

impl TryFrom<String> for RuleIds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(RuleIds { first, last }),
            _ => Err(format!("\"{text}\" is not a range of rule ids; write one as in 10000-10999")),
        }
    }
}

impl From<RuleIds> for String {
    fn from(RuleIds { first, last }: RuleIds) -> Self {
        format!("{first}-{last}")
    }
}

impl SourceSpec {
    /// A source with default settings.
    pub fn new(format: SourceFormat, path: impl Into<PathBuf>) -> Self {
        SourceSpec {
            format,
            path: path.into(),
            from_end: false,
            count_requests: false,
            timezone: None,
            protocol_hits: false,
            response_rules: false,
            scripting_clients: false,
            rfi_as_ssrf: false,
            xxe_from_entities: false,
            max_paranoia: None,
            block_statuses: block_statuses(),
            rules: Vec::new(),
        }
    }

    /// How records become hits of this client, in this environment.
    pub(crate) fn conversion(&self, client: ClientId, env: String) -> Settings {
        let range = |rules: &SourceRules| RuleRange {
            first: rules.ids.first,
            last: rules.ids.last,
            attack_type: AttackType::from(rules.attack_type.clone()),
        };
        Settings {
            client,
            env,
            timezone: self.timezone.clone(),
            protocol_hits: self.protocol_hits,
            response_rules: self.response_rules,
            scripting_clients: self.scripting_clients,
            rfi_as_ssrf: self.rfi_as_ssrf,
            xxe_from_entities: self.xxe_from_entities,
            max_paranoia: self.max_paranoia,
            block_statuses: self.block_statuses.clone(),
            rules: self.rules.iter().map(range).collect(),
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
    fn settings_that_are_not_set_are_not_told() {
        let told = SourceSpec::parse("modsecurity:/x").expect("a source").settings();
        let names: Vec<_> = told.keys().map(String::as_str).collect();
        let expected = [
            "block_statuses",
            "count_requests",
            "from_end",
            "path",
            "protocol_hits",
            "response_rules",
            "rfi_as_ssrf",
            "scripting_clients",
            "type",
            "xxe_from_entities",
        ];
        assert_eq!(names, expected, "no timezone, no max_paranoia, no rules");
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
