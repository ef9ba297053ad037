//! ModSecurity's audit log.
//!
//! [`convert`] takes a line of the JSON log of libmodsecurity 3 (`SecAuditLogFormat JSON`, `SecAuditLogType Serial`), which
//! is one transaction, and gives its hits: one for each attack type that the rules saw in it.
//!
//! `v3` reads the record into a `Transaction`, in which nothing is left of the format; `hits`
//! makes hits of that, the same way for whatever format it came from.

mod format;
mod hits;
#[cfg(test)]
mod tests;
mod transaction;
mod v3;

pub use format::Format;

use crate::{Position, Settings};
use hitwire_event::hit::Hit;

/// What a record held.
#[derive(Clone, Debug)]
pub struct Converted {
    /// One for each attack type, in the order in which the rules reported them.
    pub hits: Vec<Hit>,
    /// Why there are hits, or none.
    pub kind: Found,
    /// The record was not valid UTF-8. Each bad byte is shown as `\xHH`; each hit is marked with `"invalid_utf8":true`.
    pub lossy: bool,
}

/// Why there are hits, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// There are hits.
    Hits,
    /// The record was written for its status alone; no rule matched.
    NoRule,
    /// Rules matched, but none that stands for an attack, or none that the settings ask for; and nothing was blocked.
    OtherRules,
}

/// A line that is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON at all, or cut off.
    #[error("this line is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// Something else than a record of libmodsecurity 3.
    #[error("this line is no JSON audit record of ModSecurity v3: {looks_like}")]
    NotARecord {
        /// What it looks like.
        looks_like: Format,
    },
    /// A record, but a field has a type that ModSecurity does not write.
    #[error("a field of this ModSecurity v3 record has an unexpected type: {0}")]
    UnexpectedField(#[source] serde_json::Error),
    /// A record that does not say which rules matched.
    #[error(
        "this record has no part H, so it does not say which rules matched: add H to SecAuditLogParts, for example ABHZ"
    )]
    NoRuleData,
}

/// The hits of one line of the audit log.
///
/// `line` comes without its `\n` and need not be UTF-8. `at` says where it stood: with server id, unique id and type it makes
/// the hits' ids, so the same line at the same place always gives the same ids. `now_s` is the hits' `create_time`, in Unix
/// seconds.
pub fn convert(line: &[u8], at: Position, settings: &Settings, now_s: u64) -> Result<Converted, RecordError> {
    let (text, lossy) = crate::text::json_line(line);
    let transaction = v3::read(&text, lossy, settings)?;
    let hits = hits::hits(&transaction, at, settings, now_s);
    let kind = match (hits.is_empty(), transaction.matches.is_empty()) {
        (false, _) => Found::Hits,
        (true, true) => Found::NoRule,
        (true, false) => Found::OtherRules,
    };
    Ok(Converted { hits, kind, lossy })
}
