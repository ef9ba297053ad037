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

pub(crate) use compact::compact;
pub use open::Marks;
pub(crate) use open::push_token;
pub use scan::{Fault, Member, Raw, Scanner, Shape};
pub use write::{Element, ObjectWriter};

/// Whether `text` is a number by the grammar of JSON.
pub(crate) fn is_number(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    matches!(scanner.value(), Ok(value) if value.shape == Shape::Number && value.text.len() == text.len())
}

/// Characters of a number that is taken. A double needs 24 at most.
pub const NUMBER_CHARS_MAX: usize = 64;

/// Digits of an exponent that are looked at: doubles go up to 308.
const EXPONENT_DIGITS_MAX: usize = 3;

/// Whether every receiver can read a number, which `text` must be: it has at most [`NUMBER_CHARS_MAX`] characters, and a double
/// holds it. One too large for a double makes some readers fail, and so does one that is so close to zero that a double takes
/// it for zero: readers with decimals of any size write it out.
pub fn is_portable(text: &str) -> bool {
    if text.len() > NUMBER_CHARS_MAX {
        return false;
    }
    // Nearly every number is without one.
    let Some(at) = text.bytes().position(|byte| matches!(byte, b'e' | b'E')) else {
        // So few digits are within the range of doubles.
        return true;
    };
    let (mantissa, exponent) = (&text[..at], &text[at + 1..]);
    let exponent = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    let is_zero = mantissa.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    exponent.len() <= EXPONENT_DIGITS_MAX
        && text.parse().is_ok_and(|value: f64| value.is_finite() && (is_zero || value != 0.0))
}

/// The members of an object, in its order; none if `text` is no object.
pub fn members(text: &str) -> Option<Vec<Member<'_>>> {
    let mut members = Vec::new();
    Scanner::new(text).object(&mut members).ok()?;
    Some(members)
}

/// The elements of an array that has passed the scanner.
pub fn elements(array: Raw<'_>) -> Elements<'_> {
    elements_of(array.text)
}

/// The same, of its text.
pub fn elements_of(array: &str) -> Elements<'_> {
    Elements { scanner: Scanner::starting_at(array, 1) }
}

/// See [`elements`].
#[derive(Debug)]
pub struct Elements<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.scanner.skip_blanks();
        if self.scanner.peek() == Some(b',') {
            self.scanner.expect(b',', "expected `,`").ok()?;
            self.scanner.skip_blanks();
        }
        // The closing bracket is no value: it ends the iteration.
        self.scanner.value().ok()
    }
}
