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
    /// Pieces of the line that are no whole record. 0 but for a damaged line: a full disk or a killed writer leaves half a
    /// record, and the next one is written behind it on the same line.
    pub fragments: usize,
}

/// Why there are hits, or none. Order: the more was found, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// The record was written for its status alone; no rule matched.
    NoRule,
    /// Rules matched, but none that stands for an attack, or none that the settings ask for; and nothing was blocked.
    OtherRules,
    /// There are hits.
    Hits,
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

/// How a record begins. Within a record these bytes cannot occur: there its quotes would be escaped.
const RECORD_START: &[u8] = br#"{"transaction":{"#;

/// The hits of one line of the audit log.
///
/// `line` comes without its `\n` and need not be UTF-8. `at` says where it stood: with server id, unique id and type it makes
/// the hits' ids, so the same line at the same place always gives the same ids. `now_s` is the hits' `create_time`, in Unix
/// seconds.
pub fn convert(line: &[u8], at: Position, settings: &Settings, now_s: u64) -> Result<Converted, RecordError> {
    match record(line, at, settings, now_s) {
        Err(error @ RecordError::NotJson(_)) => salvage(line, at, settings, now_s).ok_or(error),
        converted => converted,
    }
}

fn record(line: &[u8], at: Position, settings: &Settings, now_s: u64) -> Result<Converted, RecordError> {
    let (text, lossy) = crate::text::json_line(line);
    let transaction = v3::read(&text, lossy, settings)?;
    let hits = hits::hits(&transaction, at, settings, now_s);
    let kind = match (hits.is_empty(), transaction.matches.is_empty()) {
        (false, _) => Found::Hits,
        (true, false) => Found::OtherRules,
        (true, true) => Found::NoRule,
    };
    Ok(Converted { hits, kind, lossy, fragments: 0 })
}

/// The whole records of a damaged line, each at its own position; none if there is not one.
fn salvage(line: &[u8], at: Position, settings: &Settings, now_s: u64) -> Option<Converted> {
    let starts = line.windows(RECORD_START.len()).enumerate().filter(|(_, bytes)| *bytes == RECORD_START);
    let starts: Vec<usize> = starts.map(|(start, _)| start).collect();
    let ends = starts.iter().skip(1).copied().chain([line.len()]);
    let mut salvaged: Option<Converted> = None;
    let mut fragments = usize::from(starts.first().is_some_and(|start| *start > 0));
    for (start, end) in starts.iter().zip(ends) {
        let at = Position { offset: at.offset + *start as u64 };
        match (record(&line[*start..end], at, settings, now_s), &mut salvaged) {
            (Err(_), _) => fragments += 1,
            (Ok(converted), None) => salvaged = Some(converted),
            (Ok(converted), Some(salvaged)) => {
                salvaged.hits.extend(converted.hits);
                salvaged.kind = salvaged.kind.max(converted.kind);
                salvaged.lossy |= converted.lossy;
            }
        }
    }
    salvaged.map(|salvaged| Converted { fragments, ..salvaged })
}
