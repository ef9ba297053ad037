//! Bytes that a caller sent into events, or an error that says where it is wrong.
//!
//! A body is one object, an array of objects, or objects one a line (NDJSON). Each object is an *item*. The format is the one
//! that notifications are sent in, classic or in envelopes, so that one hitwire can feed another. If the body is not JSON, it is refused as a whole
//! ([`IngestError`]); what is wrong with an item is that item's [`ItemError`].

mod canonical;
mod envelope;
mod field;
mod hit;
mod items;
mod lines;
mod scope;
mod vulnerability;

pub use crate::event::EVENT_BYTES_MAX;

use crate::escape::visible;
use crate::json::{Member, NUMBER_CHARS_MAX, Scanner, Shape};
use crate::{ClientId, Event, ObjectType};
use field::Refusal;
use items::Item;

/// The most items in one call. Callers split larger ones: an answer names every id, and a transaction must not grow without end.
pub const ITEMS_MAX: usize = 10_000;

/// How deep an item may nest, itself counted. Receivers' parsers recurse, many of them with limits from 100 up.
pub const DEPTH_MAX: usize = 64;

/// The longest part of an id, in bytes. Ids are kept in memory for deduplication, and in every index.
pub const ID_BYTES_MAX: usize = 256;

/// Whether the caller said that the body holds lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// The content type says lines: each line that is not blank holds one object.
    Declared,
    /// It does not: the body shows it, by a second object after the first. If there is a fault and invalid items are
    /// skipped, it shows it by its first lines: an object that is whole on one line.
    Detect,
}

/// What becomes of a call in which an item is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Nothing is taken: if [`Taken::rejected`] holds anything, [`Taken::events`] is empty.
    Refuse,
    /// The good items are taken, the others rejected; in lines also those that are not JSON.
    Skip,
}

/// What a body holds.
#[derive(Debug, Default)]
pub struct Taken {
    /// The events, in the order of the body.
    pub events: Vec<Event>,
    /// What is wrong, one for each item that cannot be taken, in the order of the body; at most [`ITEMS_MAX`].
    pub rejected: Vec<ItemError>,
}

/// What is wrong with one item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {index}{}{}{}: {message}", in_line(*line), if pointer.is_empty() { "" } else { " at " }, visible(pointer))]
pub struct ItemError {
    /// Its place in the body, from 0; in lines, its place among those that are not blank.
    pub index: usize,
    /// Its line in the body, from 1; none if the body was not read line by line.
    pub line: Option<usize>,
    /// Where in the item: a JSON pointer (RFC 6901); empty for the whole item.
    pub pointer: String,
    /// What is wrong and what would be right. Holds nothing that could harm a terminal.
    pub message: String,
}

fn in_line(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(" (line {line})"))
}

/// The body as a whole cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// It is not JSON.
    #[error("line {line}, column {column}: {message}")]
    Malformed {
        /// The line of the body, from 1.
        line: usize,
        /// The character in that line, from 1.
        column: usize,
        /// What is wrong. Holds nothing that could harm a terminal.
        message: String,
    },
    /// It holds too many items.
    #[error("more than {max} events in one call; send them in several")]
    TooManyItems {
        /// The most that are taken: [`ITEMS_MAX`].
        max: usize,
    },
}

/// Reads the body of one call.
///
/// `now_s` (Unix seconds) is when the events were recorded, for hits that do not say it themselves.
pub fn parse(
    bytes: &[u8],
    lines: Lines,
    client: ClientId,
    now_s: u64,
    invalid: Invalid,
) -> Result<Taken, IngestError> {
    let mut batch = Batch { client, now_s, invalid, index: 0, taken: Taken::default() };
    let read = match lines {
        Lines::Declared => lines::read(bytes, &mut batch),
        Lines::Detect => match document(bytes, &mut batch) {
            Err(IngestError::Malformed { .. }) if invalid == Invalid::Skip && lines::are_in(bytes) => {
                batch = Batch { client, now_s, invalid, index: 0, taken: Taken::default() };
                lines::read(bytes, &mut batch)
            }
            read => read,
        },
    };
    read.map(|()| batch.taken)
}

/// The items of one call, as they are read.
struct Batch {
    client: ClientId,
    now_s: u64,
    invalid: Invalid,
    /// Of the next item.
    index: usize,
    taken: Taken,
}

impl Batch {
    /// Counts an item; an error if there are too many.
    fn count(&mut self) -> Result<usize, IngestError> {
        if self.index == ITEMS_MAX {
            return Err(IngestError::TooManyItems { max: ITEMS_MAX });
        }
        self.index += 1;
        Ok(self.index - 1)
    }

    /// Takes an item that was counted, or rejects it.
    fn take(&mut self, index: usize, line: Option<usize>, item: Result<Event, Refusal>) {
        let taken = &mut self.taken;
        match item {
            Ok(event) if taken.rejected.is_empty() || self.invalid == Invalid::Skip => {
                taken.events.push(event);
            }
            Ok(_) => {}
            Err(Refusal { pointer, message }) => {
                taken.rejected.push(ItemError { index, line, pointer, message });
                if self.invalid == Invalid::Refuse {
                    taken.events.clear();
                }
            }
        }
    }
}

/// Reads one object, an array, or objects one after the other.
fn document(bytes: &[u8], batch: &mut Batch) -> Result<(), IngestError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return Err(malformed(&before, before.len(), NOT_UTF8.to_owned()));
        }
    };
    let read = items::of_document(text, |item| {
        let index = batch.count().map_err(|_| items::Stop::TooMany)?;
        batch.take(index, None, event(item, batch.client, batch.now_s));
        Ok(())
    });
    match read {
        Ok(()) => Ok(()),
        Err(items::Stop::TooMany) => Err(IngestError::TooManyItems { max: ITEMS_MAX }),
        Err(items::Stop::Fault(fault)) => {
            Err(malformed(text, fault.at, in_words(text, fault.at, fault.message, "body")))
        }
    }
}

const NOT_UTF8: &str = "this byte is not UTF-8";

fn event(item: &Item<'_>, client: ClientId, now_s: u64) -> Result<Event, Refusal> {
    let text = item.value.text;
    within_bounds(text.len())?;
    if item.value.shape != Shape::Object {
        return Err(Refusal::whole(format!("expected an object, found {}", item.value.shape.name())));
    }
    if item.value.depth > DEPTH_MAX {
        return Err(Refusal::whole(format!("nested {} deep; at most {DEPTH_MAX}", item.value.depth)));
    }
    if let Some(pointer) = &item.marks.repeated {
        return Err(Refusal { pointer: pointer.clone(), message: "this field is given twice".to_owned() });
    }
    if let Some(pointer) = &item.marks.number {
        let message = format!(
            "not every receiver can read this number: write it with at most {NUMBER_CHARS_MAX} characters, within the range of a 64-bit float"
        );
        return Err(Refusal { pointer: pointer.clone(), message });
    }
    if let Some(inside) = envelope::opened(item)? {
        return of_envelope(&inside, client, now_s);
    }
    if let Some(event) = canonical::hit(item, client) {
        return Ok(event);
    }
    let event = match field::object_type(item.members)? {
        ObjectType::Vulnerability => vulnerability::read(item, client)?.to_event(client),
        ObjectType::Scope => scope::read(item, client)?.to_event(client),
        _ => hit::read(item, client, now_s)?.to_event(client),
    };
    within_bounds(event.body.len())?;
    Ok(event)
}

/// The event of what was in an envelope. Pointers of refusals lead into what was inside, under its classic names.
fn of_envelope(inside: &str, client: ClientId, now_s: u64) -> Result<Event, Refusal> {
    let mut members = Vec::new();
    let read = Scanner::new(inside).object(&mut members);
    let (value, marks) = read.map_err(|fault| Refusal::whole(fault.message.to_owned()))?;
    if find_type(&members).is_none() {
        return Err(Refusal::field("object_type", "what is in an envelope says what it is"));
    }
    event(&Item { value, members: &members, marks }, client, now_s)
}

/// What an object says that it is. An envelope in an envelope has none, so that nothing is opened twice.
fn find_type<'m, 'a>(members: &'m [Member<'a>]) -> Option<&'m Member<'a>> {
    members.iter().find(|member| member.name == "object_type")
}

fn within_bounds(bytes: usize) -> Result<(), Refusal> {
    if bytes > EVENT_BYTES_MAX {
        return Err(Refusal::whole(format!("{bytes} bytes long; at most {EVENT_BYTES_MAX}")));
    }
    Ok(())
}

/// A fault as a sentence that names what was found in `whole`, the body or the line.
fn in_words(text: &str, at: usize, message: &str, whole: &str) -> String {
    match text[at..].chars().next() {
        None => format!("the {whole} ends too early: {message}"),
        Some(found) => {
            let mut utf8 = [0; 4];
            let found: &str = found.encode_utf8(&mut utf8);
            format!("{message}, found `{}`", visible(found))
        }
    }
}

fn malformed(text: &str, at: usize, message: String) -> IngestError {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    IngestError::Malformed {
        line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message,
    }
}
