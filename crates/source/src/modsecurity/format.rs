//! What a line looks like that is no record of ModSecurity v3.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fmt;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON of ModSecurity 2 (Apache).
    V2Json,
    /// JSON of Coraza.
    Coraza,
    /// A part of a native audit log, of ModSecurity 2 or 3.
    Native,
    /// A container's log line with the record inside.
    DockerJson,
    /// Some other JSON.
    OtherJson,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::V2Json => "it looks like JSON of ModSecurity 2 (Apache), which is not supported yet",
            Format::Coraza => "it looks like JSON of Coraza, which is not supported yet",
            Format::Native => {
                "it looks like the native format; set \"SecAuditLogFormat JSON\" in ModSecurity's configuration"
            }
            Format::DockerJson => {
                "it looks like a container's log with records inside; follow the audit log itself, or pass on only the \"log\" fields"
            }
            Format::OtherJson => "it is JSON, but not of an audit log that hitwire knows",
        })
    }
}

/// Whether the line begins a part of a native record: `--8f7e1736-A--`, or with three dashes `---AbCdEfGh---A--`.
pub(crate) fn is_native(line: &str) -> bool {
    let line = line.trim_end();
    line.starts_with("--") && line.ends_with("--") && line.len() > 6
}

/// What a line of JSON looks like.
pub(crate) fn of_json(line: &str) -> Format {
    let Ok(Keys { transaction, request, audit_data, log, stream }) = serde_json::from_str(line) else {
        return Format::OtherJson;
    };
    let transaction = transaction.unwrap_or_default();
    if audit_data.is_some() || (transaction.transaction_id.is_some() && request.is_some()) {
        Format::V2Json
    } else if transaction.timestamp.is_some() || transaction.unix_timestamp.is_some() {
        Format::Coraza
    } else if log.is_some() && stream.is_some() {
        Format::DockerJson
    } else {
        Format::OtherJson
    }
}

#[derive(Deserialize)]
struct Keys {
    transaction: Option<TransactionKeys>,
    request: Option<IgnoredAny>,
    audit_data: Option<IgnoredAny>,
    log: Option<IgnoredAny>,
    stream: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct TransactionKeys {
    transaction_id: Option<IgnoredAny>,
    timestamp: Option<IgnoredAny>,
    unix_timestamp: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_known_by_their_keys() {
        for (line, format) in [
            (
                r#"{"transaction":{"time":"23/Nov","transaction_id":"a"},"request":{},"audit_data":{}}"#,
                Format::V2Json,
            ),
            (
                r#"{"transaction":{"timestamp":"2026/11/23","unix_timestamp":1,"id":"a"},"messages":[]}"#,
                Format::Coraza,
            ),
            (r#"{"log":"{}\n","stream":"stdout","time":"2026-11-23T00:00:00Z"}"#, Format::DockerJson),
            (r#"{"transaction":{}}"#, Format::OtherJson),
            ("[1]", Format::OtherJson),
            ("17", Format::OtherJson),
        ] {
            assert_eq!(of_json(line), format, "{line}");
        }
    }

    #[test]
    fn a_native_record_is_known_by_its_boundaries() {
        assert!(is_native("--8f7e1736-A--"));
        assert!(is_native("---AbCdEfGh---A--\r"));
        assert!(!is_native("----"));
        assert!(!is_native("{}"));
    }
}
