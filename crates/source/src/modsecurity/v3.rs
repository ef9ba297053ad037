//! The JSON record of libmodsecurity 3, one line for each transaction.
//!
//! Seen with 3.0.9; up to 3.0.13 the library's source writes the same keys. Everything is under `transaction`; numbers within
//! `messages` are strings; which keys are there depends on `SecAuditLogParts`.

use super::RecordError;
use super::format::{Format, is_native, of_json};
use super::transaction::{Headers, Match, Transaction};
use crate::{Settings, crs, time};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Reads a record. `lossy`: its text was repaired.
pub(crate) fn read<'a>(
    text: &'a str,
    lossy: bool,
    settings: &Settings,
) -> Result<Transaction<'a>, RecordError> {
    if is_native(text) {
        return Err(RecordError::NotARecord { looks_like: Format::Native });
    }
    let line: Line<'a> = serde_json::from_str(text).map_err(|error| {
        // What does not fit may stand before what is not even JSON, as in the lines of an access log.
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return RecordError::NotJson(error);
        }
        match of_json(text) {
            Format::OtherJson if is_record(text) => RecordError::UnexpectedField(error),
            looks_like => RecordError::NotARecord { looks_like },
        }
    })?;
    let Some(record) = line.transaction.filter(Record::is_complete) else {
        return Err(RecordError::NotARecord { looks_like: of_json(text) });
    };
    record.into_transaction(lossy, settings)
}

/// Whether a line in which a field has the wrong type is a record for the rest.
fn is_record(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Line {
        #[serde(rename = "transaction")]
        _transaction: Keys,
    }
    #[derive(Deserialize)]
    struct Keys {
        #[serde(rename = "unique_id")]
        _unique_id: IgnoredAny,
        #[serde(rename = "request")]
        _request: IgnoredAny,
        #[serde(rename = "response")]
        _response: IgnoredAny,
    }
    serde_json::from_str::<Line>(text).is_ok()
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    transaction: Option<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    client_ip: Cow<'a, str>,
    #[serde(default)]
    client_port: i64,
    #[serde(borrow)]
    time_stamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    server_id: Cow<'a, str>,
    #[serde(borrow)]
    unique_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    hostname: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    producer: Option<Producer<'a>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    uri: Cow<'a, str>,
    #[serde(borrow)]
    hostname: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    headers: HeaderMap<'a>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default)]
    http_code: i64,
    #[serde(borrow, default)]
    headers: HeaderMap<'a>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Producer<'a> {
    #[serde(borrow, default)]
    secrules_engine: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    details: Details<'a>,
}

#[derive(Default, Deserialize)]
struct Details<'a> {
    #[serde(borrow, default, rename = "match")]
    description: Cow<'a, str>,
    #[serde(borrow, default, rename = "ruleId")]
    rule_id: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Cow<'a, str>,
    #[serde(borrow, default)]
    severity: Cow<'a, str>,
    #[serde(borrow, default)]
    ver: Cow<'a, str>,
    #[serde(borrow, default)]
    tags: Vec<Text<'a>>,
}

/// Borrows where it can, which a bare `Cow` in a list does not.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Record<'a> {
    /// Whether this is what libmodsecurity writes, and not something of another tool under the same key.
    fn is_complete(&self) -> bool {
        self.unique_id.is_some()
            && self.time_stamp.is_some()
            && self.request.is_some()
            && self.response.is_some()
    }

    fn into_transaction(self, lossy: bool, settings: &Settings) -> Result<Transaction<'a>, RecordError> {
        let Record { request: Some(request), response: Some(response), .. } = self else {
            // `is_complete` was asked before.
            return Err(RecordError::NotARecord { looks_like: Format::OtherJson });
        };
        let matches: Vec<Match<'a>> =
            self.messages.ok_or(RecordError::NoRuleData)?.into_iter().map(Match::from).collect();
        let unique_id = self.unique_id.unwrap_or_default();
        let time_stamp = self.time_stamp.unwrap_or_default();
        // Outside of 0-65535 it is not known what it means.
        let response_status = u16::try_from(response.http_code).unwrap_or(0);
        let engine_blocks = self.producer.is_none_or(|producer| producer.secrules_engine != "DetectionOnly");
        let stated_len = crate::request::header(&response.headers.0, "content-length")
            .and_then(|length| length.trim().parse().ok());
        // The length of a repaired body is not that of the body.
        let body_len = response.body.filter(|_| !lossy).map(|body| body.len() as u64);
        Ok(Transaction {
            time_s: time::of_record(&time_stamp, &unique_id, settings.timezone.as_ref()),
            server_id: self.server_id,
            unique_id,
            client_ip: self.client_ip,
            client_port: u16::try_from(self.client_port).unwrap_or(0),
            method: request.method,
            uri: request.uri,
            hostname: request.hostname.or(self.hostname),
            request_headers: request.headers.0,
            request_body: request.body,
            response_status,
            response_len: stated_len.or(body_len),
            blocked: engine_blocks && is_blocked(&matches, response_status, settings),
            matches,
            lossy,
        })
    }
}

/// Version 3 does not say whether it blocked; the rules that do so tell. The status alone says nothing: applications answer
/// 403 as well.
fn is_blocked(matches: &[Match<'_>], status: u16, settings: &Settings) -> bool {
    let any = |is: fn(u32) -> bool| matches.iter().filter_map(|rule| rule.rule).any(is);
    if any(|rule| crs::evaluation(rule).is_some()) {
        return true;
    }
    if any(crs::is_engine_rule) && matches!(status, 400 | 403) {
        return true;
    }
    // With two rules of the operator's own there is no telling which of them, if any, is the one that blocks.
    let own = matches.iter().filter(|rule| is_own(rule)).map(|rule| rule.rule).collect::<BTreeSet<_>>();
    own.len() == 1 && settings.block_statuses.contains(&status)
}

fn is_own(rule: &Match<'_>) -> bool {
    !crs::is_crs_rule(rule.rule, &rule.version) && !rule.rule.is_some_and(crs::is_engine_rule)
}

impl<'a> From<Message<'a>> for Match<'a> {
    fn from(Message { message, details }: Message<'a>) -> Self {
        Match {
            rule: details.rule_id.parse().ok(),
            message,
            description: details.description,
            logged: details.data,
            severity: details.severity,
            version: details.ver,
            tags: details.tags.into_iter().map(|Text(tag)| tag).collect(),
        }
    }
}

/// Headers: an object in which a name may occur more than once, as it does when the client repeated it.
#[derive(Default)]
struct HeaderMap<'a>(Headers<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for HeaderMap<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut headers = Vec::with_capacity(16);
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    headers.push((name, value));
                }
                Ok(headers)
            }
        }

        deserializer.deserialize_map(Pairs).map(HeaderMap)
    }
}
