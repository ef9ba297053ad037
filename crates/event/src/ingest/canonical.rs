//! A hit that is canonical JSON already, as another hitwire or a repeated call sends it: it is checked, and passed on as it
//! came, without being taken apart and written again.

use super::field::{TIME_MAX_S, id_part};
use super::items::Item;
use crate::hit::without_secrets;
use crate::json::{Member, Raw, Shape, elements};
use crate::{ClientId, Event, EventId, Kind};
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Whether a value would be written just as it stands.
type IsCanonical = fn(Raw<'_>) -> bool;

/// A hit's fields as [`Hit`](crate::hit::Hit) writes them, all of them and in this order, each with what its value must be.
const FIELDS: [(&str, IsCanonical); 28] = [
    ("anomality", is_number_or_null),
    ("domain", is_string_or_null),
    ("heur_distance", is_number_or_null),
    ("method", is_string_or_null),
    ("parameter", is_string_or_null),
    ("path", is_string_or_null),
    ("payloads", |value| all(value, is_string)),
    ("point", |value| all(value, |step| is_string(step) || is_integer(step, 0..=u64::MAX))),
    ("probability", is_number_or_null),
    ("remote_country", is_string_or_null),
    ("remote_port", |value| is_null(value) || is_integer(value, 0..=u16::MAX)),
    ("remote_addr4", |value| is_null(value) || is_address::<Ipv4Addr>(value)),
    ("remote_addr6", |value| is_null(value) || is_address::<Ipv6Addr>(value)),
    ("datacenter", is_string),
    ("tor", is_string),
    ("request_time", is_time),
    ("create_time", is_time),
    ("response_len", |value| is_null(value) || is_integer(value, 0..=u64::MAX)),
    ("response_status", |value| {
        is_null(value) || is_integer(value, 0..=0_u16) || is_integer(value, 100..=599_u16)
    }),
    ("response_time", |value| is_null(value) || is_integer(value, 0..=u64::MAX)),
    ("stamps", |value| all(value, |stamp| is_integer(stamp, 0..=u32::MAX))),
    ("regex", |value| all(value, |id| id.shape == Shape::Number)),
    ("stamps_hash", is_hash),
    ("regex_hash", is_hash),
    ("type", |value| is_string(value) && !inner(value).is_empty()),
    ("block_status", |value| matches!(value.text, "\"monitored\"" | "\"blocked\"")),
    ("id", |value| id_parts(value).is_some()),
    ("object_type", |value| value.text == "\"hit\""),
];

/// Where those stand that are looked at together.
const ADDRESSES: [usize; 2] = [11, 12];
const ID: usize = 26;

/// Other names of fields, which are written by their first.
const OTHER_NAMES: [&str; 2] = ["anomaly", "host"];

/// Written after the fields, and before those that nobody here knows.
const HEADERS: &str = "headers";

/// The event of a hit that would be written just as it came. None: it must be read field by field, since something in it is
/// to be filled in, written in another way, or wrong.
pub(super) fn hit(item: &Item<'_>, client: ClientId) -> Option<Event> {
    let (fields, others) = item.members.split_at_checked(FIELDS.len())?;
    let as_written = FIELDS
        .iter()
        .zip(fields)
        .all(|((name, is_canonical), field)| field.name == *name && is_canonical(field.value));
    if !as_written || !is_compact(item) {
        return None;
    }
    if ADDRESSES.iter().all(|&place| fields.get(place).is_some_and(|field| !is_null(field.value))) {
        return None;
    }
    let unknown = match others.split_first() {
        Some((headers, unknown)) if headers.name == HEADERS => {
            let value = headers.value;
            if value.shape != Shape::Object || without_secrets(value.text).is_some() {
                return None;
            }
            unknown
        }
        _ => others,
    };
    if unknown.iter().any(|member| is_known(&member.name)) {
        return None;
    }
    let [index, document] = id_parts(fields.get(ID)?.value)?;
    let id = EventId::from([index, "/", document].concat());
    Some(Event { client, kind: Kind::Hit, id, body: item.value.text.into() })
}

/// Whether nothing stands between names and values but what must, and no value would be written in another way.
fn is_compact(item: &Item<'_>) -> bool {
    let length = |member: &Member<'_>| match &member.name {
        Cow::Borrowed(name) if !member.value.loose => {
            Some(name.len() + "\"\":,".len() + member.value.text.len())
        }
        // An escape in a name may be one that nobody needs.
        _ => None,
    };
    let lengths: Option<usize> = item.members.iter().map(length).sum();
    // The braces, without the comma after the last.
    lengths == Some(item.value.text.len() - 1)
}

fn is_known(name: &str) -> bool {
    name == HEADERS || OTHER_NAMES.contains(&name) || FIELDS.iter().any(|(known, _)| *known == name)
}

fn is_null(value: Raw<'_>) -> bool {
    value.shape == Shape::Null
}

fn is_number_or_null(value: Raw<'_>) -> bool {
    matches!(value.shape, Shape::Number | Shape::Null)
}

fn is_string_or_null(value: Raw<'_>) -> bool {
    is_null(value) || is_string(value)
}

fn is_hash(value: Raw<'_>) -> bool {
    is_integer(value, i32::MIN..=i32::MAX)
}

fn is_time(value: Raw<'_>) -> bool {
    is_integer(value, 0..=TIME_MAX_S)
}

/// An integer is written in one way only, but for its zero.
fn is_integer<T: FromStr + PartialOrd>(value: Raw<'_>, range: RangeInclusive<T>) -> bool {
    value.shape == Shape::Number
        && value.text != "-0"
        && value.text.parse().is_ok_and(|number: T| range.contains(&number))
}

/// The text of an address, if it is written in its one way.
fn is_address<T: FromStr + ToString>(value: Raw<'_>) -> bool {
    let text = inner(value);
    value.shape == Shape::String && text.parse().is_ok_and(|address: T| address.to_string() == text)
}

/// A string with no other escapes than those that it needs.
fn is_string(value: Raw<'_>) -> bool {
    value.shape == Shape::String && (!value.escapes || has_needed_escapes(inner(value)))
}

fn has_needed_escapes(inner: &str) -> bool {
    let mut rest = inner.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        rest = &rest[at + 1..];
        let length = match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
            // Those that have a shorter escape are written with it.
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 5,
            _ => return false,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    true
}

fn all(value: Raw<'_>, is_canonical: impl Fn(Raw<'_>) -> bool) -> bool {
    value.shape == Shape::Array && elements(value).all(is_canonical)
}

/// Both parts of an id, if they stand in it as they are.
fn id_parts(value: Raw<'_>) -> Option<[&str; 2]> {
    let mut parts = (value.shape == Shape::Array).then(|| elements(value))?.map(|part| {
        let is_plain = part.shape == Shape::String && !part.escapes;
        is_plain.then(|| inner(part)).filter(|part| id_part(part).is_ok())
    });
    let (index, document) = (parts.next()??, parts.next()??);
    (parts.next().is_none() && !index.contains('/')).then_some([index, document])
}

/// What stands between the quotes of a string.
fn inner(value: Raw<'_>) -> &str {
    value.text.get(1..value.text.len().saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
