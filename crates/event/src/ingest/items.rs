//! A body into its items.

use super::Lines;
use crate::json::{Fault, Marks, Member, Raw, Scanner};

/// One value of a body.
pub(super) struct Item<'a> {
    /// The value; an object if the caller did right.
    pub(super) value: Raw<'a>,
    /// Its members, if it is an object.
    pub(super) members: &'a [Member<'a>],
    /// What is well-formed in it, but not taken.
    pub(super) marks: Marks,
}

/// Why reading stopped.
pub(super) enum Stop {
    /// This is not JSON.
    Fault(Fault),
    /// There are more items than allowed.
    TooMany,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// Calls `take` for each item of the body, in order.
pub(super) fn each(
    text: &str,
    lines: Lines,
    take: impl FnMut(&Item<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    // A byte order mark at the front is no part of the text (RFC 8259 section 8.1 allows to pass it).
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { members: Vec::new(), take };
    match lines {
        Lines::Declared => reader.lines(text, start),
        Lines::Detect => reader.document(text, start),
    }
}

struct Reader<'a, F> {
    /// Kept from item to item, so that it is allocated once.
    members: Vec<Member<'a>>,
    take: F,
}

impl<'a, F: FnMut(&Item<'_>) -> Result<(), Stop>> Reader<'a, F> {
    /// One object, an array, or objects one after the other.
    fn document(&mut self, text: &'a str, start: usize) -> Result<(), Stop> {
        let mut scanner = Scanner::starting_at(text, start);
        scanner.skip_blanks();
        match scanner.peek() {
            None => {
                Err(scanner.fault("expected an object, an array of objects, or one object a line").into())
            }
            Some(b'[') => self.array(&mut scanner),
            Some(_) => {
                while scanner.peek().is_some() {
                    self.item(&mut scanner)?;
                    scanner.skip_blanks();
                }
                Ok(())
            }
        }
    }

    fn array(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Stop> {
        scanner.expect(b'[', "expected `[`")?;
        scanner.skip_blanks();
        if scanner.peek() != Some(b']') {
            loop {
                self.item(scanner)?;
                scanner.skip_blanks();
                if scanner.peek() != Some(b',') {
                    break;
                }
                scanner.expect(b',', "expected `,`")?;
                scanner.skip_blanks();
            }
        }
        scanner.expect(b']', "expected `,` or `]`")?;
        scanner.skip_blanks();
        match scanner.peek() {
            None => Ok(()),
            Some(_) => Err(scanner.fault("expected nothing after the array").into()),
        }
    }

    fn lines(&mut self, text: &'a str, start: usize) -> Result<(), Stop> {
        let mut start = start;
        while start < text.len() {
            let end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
            let mut scanner = Scanner::starting_at(&text[..end], start);
            scanner.skip_blanks();
            if scanner.peek().is_some() {
                self.item(&mut scanner)?;
                scanner.skip_blanks();
                if scanner.peek().is_some() {
                    return Err(scanner.fault("expected the end of the line").into());
                }
            }
            start = end + 1;
        }
        Ok(())
    }

    fn item(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Stop> {
        if scanner.peek() == Some(b'{') {
            let (value, marks) = scanner.object(&mut self.members)?;
            (self.take)(&Item { value, members: &self.members, marks })
        } else {
            let value = scanner.value()?;
            let marks = scanner.take_marks();
            (self.take)(&Item { value, members: &[], marks })
        }
    }
}
