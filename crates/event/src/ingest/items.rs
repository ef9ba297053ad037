//! A body into its items.

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

/// Calls `take` for each item of one object, an array, or objects one after the other, in their order.
pub(super) fn of_document(text: &str, take: impl FnMut(&Item<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut reader = Reader { members: Vec::new(), take };
    // A byte order mark at the front is no part of the text (RFC 8259 section 8.1 allows to pass it).
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut scanner = Scanner::starting_at(text, start);
    scanner.skip_blanks();
    match scanner.peek() {
        None => Err(scanner.fault("expected an object, an array of objects, or one object a line").into()),
        Some(b'[') => reader.array(&mut scanner),
        Some(_) => {
            while scanner.peek().is_some() {
                reader.item(&mut scanner)?;
                scanner.skip_blanks();
            }
            Ok(())
        }
    }
}

/// Calls `take` for the item of one line, if the line is not blank.
pub(super) fn of_line(text: &str, take: impl FnOnce(&Item<'_>)) -> Result<(), Fault> {
    let mut scanner = Scanner::new(text);
    scanner.skip_blanks();
    if scanner.peek().is_none() {
        return Ok(());
    }
    let mut members = Vec::new();
    let (value, marks) = read(&mut scanner, &mut members)?;
    scanner.skip_blanks();
    if scanner.peek().is_some() {
        return Err(scanner.fault("expected the end of the line"));
    }
    take(&Item { value, members: &members, marks });
    Ok(())
}

/// Reads one value; `members` are its own if it is an object, otherwise none.
fn read<'a>(scanner: &mut Scanner<'a>, members: &mut Vec<Member<'a>>) -> Result<(Raw<'a>, Marks), Fault> {
    members.clear();
    if scanner.peek() == Some(b'{') {
        return scanner.object(members);
    }
    let value = scanner.value()?;
    let marks = scanner.take_marks();
    Ok((value, marks))
}

struct Reader<'a, F> {
    /// Kept from item to item, so that it is allocated once.
    members: Vec<Member<'a>>,
    take: F,
}

impl<'a, F: FnMut(&Item<'_>) -> Result<(), Stop>> Reader<'a, F> {
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

    fn item(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Stop> {
        let (value, marks) = read(scanner, &mut self.members)?;
        (self.take)(&Item { value, members: &self.members, marks })
    }
}
