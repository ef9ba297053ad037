//! One field of an item, read as what it should be.
//!
//! Everywhere `null` means the same as an absent field: not known.

use super::ID_BYTES_MAX;
use crate::escape::visible;
use crate::json::{Member, Raw, Shape, compact, elements, push_token};
use crate::{Kind, Number, ObjectType};
use serde_json::value::RawValue;
use std::fmt::Display;
use std::str::FromStr;

/// 9999-12-31T23:59:59Z. What is later is most likely written in milliseconds.
pub(super) const TIME_MAX_S: u64 = 253_402_300_799;

/// Why an item cannot be taken.
#[derive(Debug)]
pub(super) struct Refusal {
    /// A JSON pointer into the item.
    pub(super) pointer: String,
    /// What is wrong and what would be right.
    pub(super) message: String,
}

impl Refusal {
    /// It is not one field that is wrong.
    pub(super) fn whole(message: String) -> Self {
        Refusal { pointer: String::new(), message }
    }

    /// A field, present or missing, is wrong.
    pub(super) fn field(name: &str, message: impl Into<String>) -> Self {
        let mut pointer = String::new();
        push_token(&mut pointer, name);
        Refusal { pointer, message: message.into() }
    }

    fn element(name: &str, index: usize, message: String) -> Self {
        let mut refusal = Refusal::field(name, message);
        refusal.pointer.push('/');
        refusal.pointer.push_str(&index.to_string());
        refusal
    }
}

/// A found value as messages quote it: harmless, and not too long.
pub(super) fn quoted(found: &str) -> String {
    /// Enough to recognise a value by.
    const CHARS_MAX: usize = 60;
    match found.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("`{}...`", visible(&found[..end])),
        None => format!("`{}`", visible(found)),
    }
}

/// The types of objects that callers may send.
const ACCEPTED: &str = "accepted are \"hit\", \"vuln\" and \"scope\"";

/// What the item says it is, if that may be sent.
pub(super) fn object_type(members: &[Member<'_>]) -> Result<ObjectType, Refusal> {
    const FIELD: &str = "object_type";
    let field = members.iter().find(|member| member.name == FIELD);
    let name = field.map(string).transpose()?.flatten();
    let Some(name) = name else {
        return Err(Refusal::field(FIELD, format!("this field is required; {ACCEPTED}")));
    };
    let known = Kind::ALL.into_iter().map(Kind::object_type).find(|object_type| object_type.name() == name);
    match known {
        Some(accepted @ (ObjectType::Hit | ObjectType::Vulnerability | ObjectType::Scope)) => Ok(accepted),
        Some(
            ObjectType::System
            | ObjectType::RulesAndTriggers
            | ObjectType::RequestsPerHour
            | ObjectType::Counter,
        ) => Err(Refusal::field(
            FIELD,
            format!("events of type \"{name}\" are made by hitwire alone; {ACCEPTED}"),
        )),
        None => Err(Refusal::field(FIELD, format!("{} is no type of event; {ACCEPTED}", quoted(&name)))),
    }
}

fn expected(what: &str, found: Raw<'_>) -> String {
    match found.shape {
        Shape::String | Shape::Number | Shape::Bool => {
            format!("expected {what}, found {}", quoted(found.text))
        }
        shape => format!("expected {what}, found {}", shape.name()),
    }
}

fn wrong(field: &Member<'_>, what: &str) -> Refusal {
    Refusal::field(&field.name, expected(what, field.value))
}

pub(super) fn string(field: &Member<'_>) -> Result<Option<String>, Refusal> {
    match field.value.shape {
        Shape::Null => Ok(None),
        Shape::String => Ok(Some(field.value.unquoted().into_owned())),
        _ => Err(wrong(field, "a string")),
    }
}

/// A number, as it is written. That every receiver can read it was seen before, as for numbers in unknown fields.
pub(super) fn number(field: &Member<'_>) -> Result<Option<Number>, Refusal> {
    match field.value.shape {
        Shape::Null => Ok(None),
        _ => read_number(field.value).map(Some).ok_or_else(|| wrong(field, "a number")),
    }
}

fn read_number(value: Raw<'_>) -> Option<Number> {
    (value.shape == Shape::Number).then(|| Number::from_scanned(value.text))
}

/// An integer from `min` to `max`, written without fraction and exponent.
pub(super) fn integer<T>(field: &Member<'_>, min: T, max: T) -> Result<Option<T>, Refusal>
where
    T: FromStr + PartialOrd + Display,
{
    match field.value.shape {
        Shape::Null => Ok(None),
        _ => read_integer(field.value)
            .filter(|value| (&min..=&max).contains(&value))
            .map(Some)
            .ok_or_else(|| wrong(field, &format!("an integer from {min} to {max}"))),
    }
}

fn read_integer<T: FromStr>(value: Raw<'_>) -> Option<T> {
    // "-0" would not come out as it went in.
    (value.shape == Shape::Number && value.text != "-0").then(|| value.text.parse().ok())?
}

/// A time in Unix seconds.
pub(super) fn unix_time(field: &Member<'_>) -> Result<Option<u64>, Refusal> {
    integer(field, 0, TIME_MAX_S).map_err(|refusal| Refusal {
        message: format!("{}; times are Unix seconds", refusal.message),
        pointer: refusal.pointer,
    })
}

/// An address of one family; an empty string, which some senders write, is none.
pub(super) fn address<T: FromStr>(field: &Member<'_>, what: &str) -> Result<Option<T>, Refusal> {
    let Some(text) = string(field)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| wrong(field, what))
}

/// An array whose elements `read` reads; `what` says what they are.
pub(super) fn array<T>(
    field: &Member<'_>,
    what: &str,
    read: impl Fn(Raw<'_>) -> Option<T>,
) -> Result<Vec<T>, Refusal> {
    match field.value.shape {
        Shape::Null => return Ok(Vec::new()),
        Shape::Array => {}
        _ => return Err(wrong(field, "an array")),
    }
    elements(field.value)
        .enumerate()
        .map(|(index, element)| {
            read(element).ok_or_else(|| Refusal::element(&field.name, index, expected(what, element)))
        })
        .collect()
}

pub(super) fn strings(field: &Member<'_>) -> Result<Vec<String>, Refusal> {
    array(field, "a string", |value| (value.shape == Shape::String).then(|| value.unquoted().into_owned()))
}

pub(super) fn numbers(field: &Member<'_>) -> Result<Vec<Number>, Refusal> {
    array(field, "a number", read_number)
}

pub(super) fn integers(field: &Member<'_>) -> Result<Vec<u32>, Refusal> {
    array(field, "an integer from 0 to 4294967295", read_integer)
}

pub(super) fn index_of(value: Raw<'_>) -> Option<u64> {
    read_integer(value)
}

/// An object, compact.
pub(super) fn object(field: &Member<'_>) -> Result<Option<Box<RawValue>>, Refusal> {
    match field.value.shape {
        Shape::Null => Ok(None),
        Shape::Object => raw(field).map(Some),
        _ => Err(wrong(field, "an object")),
    }
}

/// Any value, compact.
pub(super) fn raw(field: &Member<'_>) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(compact(&field.value).into_owned())
        .map_err(|error| Refusal::field(&field.name, format!("cannot be passed on: {error}")))
}

/// Fills a field that has two names, today's and the older one; given twice, it must be the same.
pub(super) fn same<T: PartialEq>(
    slot: &mut Option<T>,
    value: Option<T>,
    field: &Member<'_>,
    other: &str,
) -> Result<(), Refusal> {
    match (&slot, value) {
        (_, None) => Ok(()),
        (Some(before), Some(value)) if *before != value => {
            Err(Refusal::field(&field.name, format!("differs from \"{other}\", which is the same field")))
        }
        (_, Some(value)) => {
            *slot = Some(value);
            Ok(())
        }
    }
}

/// The id of an event that has one string for it.
pub(super) fn id(field: &Member<'_>) -> Result<Option<String>, Refusal> {
    let Some(id) = string(field)? else { return Ok(None) };
    id_part(&id).map_err(|message| Refusal::field(&field.name, message))?;
    Ok(Some(id))
}

/// Checks one part of an id.
pub(super) fn id_part(part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("an id must not be empty".to_owned());
    }
    if part.len() > ID_BYTES_MAX {
        return Err(format!("an id has at most {ID_BYTES_MAX} bytes, this one has {}", part.len()));
    }
    Ok(())
}
