//! The scanner: checks JSON's grammar (RFC 8259) and hands out slices.

use super::is_portable;
use super::open::{Marks, Open, first_repeated, push_token};
use super::text;
use crate::event::EVENT_BYTES_MAX;
use std::borrow::Cow;

/// What nests deeper is no longer read: far beyond what ingest takes, and little memory for what is open.
const NESTING_MAX: usize = 10_000;

/// Where the input stops being JSON, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in bytes; the length of the input if it ended too early.
    pub at: usize,
    /// What is wrong, as the middle of a sentence.
    pub message: &'static str,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Shape {
    /// The type with its article, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Shape::Null => "null",
            Shape::Bool => "a boolean",
            Shape::Number => "a number",
            Shape::String => "a string",
            Shape::Array => "an array",
            Shape::Object => "an object",
        }
    }
}

/// A value that was scanned: its text, and what was seen on the way.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// The value as it stands in the input, from its first to its last byte.
    pub text: &'a str,
    /// Its type.
    pub shape: Shape,
    /// How deep it nests: 0 for a scalar, 1 for an array or object of scalars or of nothing.
    pub depth: usize,
    /// There are backslashes in its strings.
    pub escapes: bool,
    /// It is not canonical: it has blanks between tokens, or halves of surrogate pairs in strings.
    pub loose: bool,
}

impl<'a> Raw<'a> {
    /// The text that a string stands for; the value must be one.
    pub fn unquoted(&self) -> Cow<'a, str> {
        debug_assert_eq!(self.shape, Shape::String);
        let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default();
        if self.escapes { Cow::Owned(text::unescape(inner)) } else { Cow::Borrowed(inner) }
    }
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: Raw<'a>,
}

/// Reads JSON from the front of a text. Recursion is on a stack of its own, so that no nesting can exhaust the thread's.
///
/// Names that begin more than [`EVENT_BYTES_MAX`] after the value that they are in are checked, but not kept: such a value
/// will be refused for its length, and a body of nothing but names must not take many times its size in memory.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    open: Open<'a>,
    /// Where names are no longer kept.
    kept_to: usize,
    escapes: bool,
    loose: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at the front of a text.
    pub fn new(text: &'a str) -> Self {
        Self::starting_at(text, 0)
    }

    /// Starts in the middle; offsets still count from the front of `text`.
    pub fn starting_at(text: &'a str, at: usize) -> Self {
        Scanner { text, at, open: Open::default(), kept_to: 0, escapes: false, loose: false }
    }

    /// The next byte, if the text goes on.
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes blanks.
    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
            self.loose = true;
        }
    }

    /// Passes `byte`, or says that `message` was expected.
    pub fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(message))
        }
    }

    /// A fault at the next byte.
    pub fn fault(&self, message: &'static str) -> Fault {
        Fault { at: self.at, message }
    }

    /// Reads one value, which must begin at the next byte.
    pub fn value(&mut self) -> Result<Raw<'a>, Fault> {
        let start = self.at;
        let mut depth = 0;
        self.kept_to = start + EVENT_BYTES_MAX;
        self.escapes = false;
        self.loose = false;
        let shape = match self.peek() {
            Some(b'{') => Shape::Object,
            Some(b'[') => Shape::Array,
            Some(b'"') => Shape::String,
            Some(b't' | b'f') => Shape::Bool,
            Some(b'n') => Shape::Null,
            _ => Shape::Number,
        };
        loop {
            // A value begins here.
            let entered = match self.peek() {
                Some(b'{') => self.enter(b'}')?,
                Some(b'[') => self.enter(b']')?,
                _ => self.scalar()?,
            };
            depth = depth.max(self.open.depth());
            if !self.go_on(entered)? {
                let text = &self.text[start..self.at];
                return Ok(Raw { text, shape, depth, escapes: self.escapes, loose: self.loose });
            }
        }
    }

    /// What was found in the value that was read last.
    pub fn take_marks(&mut self) -> Marks {
        self.open.clear()
    }

    /// Reads one object, which must begin at the next byte, and splits it into its members. Answers with its text and depth,
    /// and what was found in it.
    pub fn object(&mut self, members: &mut Vec<Member<'a>>) -> Result<(Raw<'a>, Marks), Fault> {
        members.clear();
        let start = self.at;
        let mut depth = 1;
        let mut marks = Marks::default();
        self.expect(b'{', "expected an object")?;
        self.skip_blanks();
        if self.peek() != Some(b'}') {
            loop {
                let name = self.member_name()?;
                let value = self.value()?;
                depth = depth.max(1 + value.depth);
                if !self.open.is_unmarked() {
                    marks.add(&name, self.take_marks());
                }
                if self.at <= start + EVENT_BYTES_MAX {
                    members.push(Member { name, value });
                }
                self.skip_blanks();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.skip_blanks();
            }
        }
        self.expect(b'}', "expected `,` or `}`")?;
        if let Some(name) = first_repeated(members.iter().map(|member| &*member.name)) {
            let mut pointer = String::new();
            push_token(&mut pointer, name);
            marks.repeated = Some(pointer);
        }
        let text = &self.text[start..self.at];
        Ok((Raw { text, shape: Shape::Object, depth, escapes: false, loose: false }, marks))
    }

    /// A name and its colon, up to where the value begins.
    fn member_name(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        let escapes_before = std::mem::replace(&mut self.escapes, false);
        self.string("expected a field's name in double quotes")?;
        let inner = &self.text[start + 1..self.at - 1];
        let name = if self.escapes { Cow::Owned(text::unescape(inner)) } else { Cow::Borrowed(inner) };
        self.escapes |= escapes_before;
        self.skip_blanks();
        self.expect(b':', "expected `:` after a field's name")?;
        self.skip_blanks();
        Ok(name)
    }

    /// Passes an opening bracket. True: what comes next is the first inside, or the bracket that closes.
    fn enter(&mut self, closing: u8) -> Result<bool, Fault> {
        if self.open.depth() == NESTING_MAX {
            return Err(self.fault("this nests too deep"));
        }
        self.at += 1;
        self.open.push(closing);
        Ok(true)
    }

    /// After a scalar or an opening bracket: passes the brackets that close, up to where the next value begins. False if
    /// nothing is open any more.
    fn go_on(&mut self, mut just_opened: bool) -> Result<bool, Fault> {
        while let Some(closing) = self.open.closing() {
            self.skip_blanks();
            if self.peek() == Some(closing) {
                self.at += 1;
                self.open.pop();
                just_opened = false;
                continue;
            }
            if !just_opened {
                self.expect(
                    b',',
                    if closing == b'}' { "expected `,` or `}`" } else { "expected `,` or `]`" },
                )?;
                self.open.next();
                self.skip_blanks();
            }
            if closing == b'}' {
                let name = self.member_name()?;
                if self.at <= self.kept_to {
                    self.open.name(name);
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Passes a value that is neither array nor object. False: nothing was opened.
    fn scalar(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b'"') => self.string("expected a string")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => return Err(self.fault("expected a value")),
        }
        Ok(false)
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        for byte in word.bytes() {
            self.expect(byte, "expected a value")?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.fault("a number must not begin with zeros"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if !is_portable(&self.text[start..self.at]) {
            self.open.mark_number();
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("expected a digit")) } else { Ok(()) }
    }

    fn string(&mut self, expected: &'static str) -> Result<(), Fault> {
        self.expect(b'"', expected)?;
        let bytes = self.text.as_bytes();
        loop {
            self.at += text::plain_len(&bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.fault("a control character in a string must be escaped")),
                None => return Err(self.fault("a string is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.escapes = true;
        let rest = &self.text.as_bytes()[self.at..];
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match text::unicode_escape(rest) {
                Some(escape) => {
                    self.loose |= escape.half;
                    self.at += escape.len;
                }
                None => return Err(self.fault("expected four hexadecimal digits after `\\u`")),
            },
            _ => return Err(self.fault("there is no such escape in a string")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
