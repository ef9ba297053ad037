//! Just enough JSON for the way of an event: a scanner that checks, measures and splits without building a tree, and a writer
//! of compact objects.
//!
//! A tree of values would cost several microseconds a hit, re-write numbers and forget the order of fields. What is read here
//! stays a slice of the input until something needs it.

mod compact;
mod open;
mod scan;
mod text;
mod write;

pub(crate) use compact::{compact, without_member};
pub(crate) use open::push_token;
pub(crate) use scan::{Fault, Member, Raw, Scanner, Shape};
pub(crate) use write::ObjectWriter;

/// Whether `text` is a number by the grammar of JSON.
pub(crate) fn is_number(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    matches!(scanner.value(), Ok(value) if value.shape == Shape::Number && value.text.len() == text.len())
}
