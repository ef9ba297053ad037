//! Writes one compact object, field by field.

use super::text::escape_into;
use crate::{Number, Step};
use serde_json::value::RawValue;
use std::fmt::{self, Display, Write as _};

/// A typical hit fits, so that the text is not moved while it grows.
const TYPICAL_BYTES: usize = 1024;

/// A compact JSON object in the making.
#[derive(Debug)]
pub struct ObjectWriter {
    out: String,
}

/// What an array can hold.
pub trait Element {
    /// Puts the element at the end of `out`, as JSON.
    fn write(&self, out: &mut String);
}

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ObjectWriter {
    /// Room for a typical hit.
    pub fn new() -> Self {
        Self::with_capacity(TYPICAL_BYTES)
    }

    /// Room for an object of so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = String::with_capacity(bytes);
        out.push('{');
        ObjectWriter { out }
    }

    /// The finished object.
    pub fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }

    /// Begins a member that is an object; what is written next stands in it, until it is [closed](Self::close).
    pub fn open(&mut self, name: &'static str) {
        self.raw(name, "{");
    }

    /// Ends the innermost object that was opened.
    pub fn close(&mut self) {
        self.out.push('}');
    }

    /// The finished object as a raw value.
    pub fn finish_raw(self) -> Box<RawValue> {
        let raw = RawValue::from_string(self.finish());
        debug_assert!(raw.is_ok(), "the writer writes JSON");
        raw.unwrap_or_default()
    }

    /// A member whose name anybody may have chosen; its value is JSON already, and compact.
    pub fn member(&mut self, name: &str, value: &str) {
        self.any_name(name);
        self.out.push_str(value);
    }

    /// A member whose name anybody may have chosen, with a string, or an array of strings if it is not exactly one.
    pub fn string_or_strings(&mut self, name: &str, values: &[&str]) {
        self.any_name(name);
        match values {
            [value] => value.write(&mut self.out),
            values => self.elements(values),
        }
    }

    /// A value that is JSON already, and compact.
    pub fn raw(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.out.push_str(value);
    }

    /// A member that is a string.
    pub fn string(&mut self, name: &'static str, value: &str) {
        self.name(name);
        value.write(&mut self.out);
    }

    /// A member that is a string, or null.
    pub fn string_or_null(&mut self, name: &'static str, value: Option<&str>) {
        match value {
            Some(value) => self.string(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A member that is a number as it was written, or null.
    pub fn number_or_null(&mut self, name: &'static str, value: Option<&Number>) {
        self.raw(name, value.map_or("null", Number::as_str));
    }

    /// A value whose display is its JSON: an integer.
    pub fn plain(&mut self, name: &'static str, value: impl Display) {
        self.name(name);
        write_display(&mut self.out, format_args!("{value}"));
    }

    /// A member whose value is shown as it is, such as a whole number; or null.
    pub fn plain_or_null(&mut self, name: &'static str, value: Option<impl Display>) {
        match value {
            Some(value) => self.plain(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A value whose display is a string without anything to escape: an address.
    pub fn quoted_or_null(&mut self, name: &'static str, value: Option<impl Display>) {
        match value {
            Some(value) => self.plain(name, format_args!("\"{value}\"")),
            None => self.raw(name, "null"),
        }
    }

    /// A member that is an array.
    pub fn array<E: Element>(&mut self, name: &'static str, elements: &[E]) {
        self.name(name);
        self.elements(elements);
    }

    fn elements<E: Element>(&mut self, elements: &[E]) {
        self.out.push('[');
        for (place, element) in elements.iter().enumerate() {
            if place > 0 {
                self.out.push(',');
            }
            element.write(&mut self.out);
        }
        self.out.push(']');
    }

    /// A name from the code: there is nothing in it to escape.
    fn name(&mut self, name: &'static str) {
        self.comma();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn any_name(&mut self, name: &str) {
        self.comma();
        name.write(&mut self.out);
        self.out.push(':');
    }

    /// A bracket at the end is one that was just opened: no value ends in it.
    fn comma(&mut self) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
    }
}

fn write_display(out: &mut String, value: fmt::Arguments<'_>) {
    // Writing to a String fails only if the value's Display does, which those of integers and addresses never do.
    let _ = out.write_fmt(value);
}

impl Element for str {
    fn write(&self, out: &mut String) {
        out.push('"');
        escape_into(out, self);
        out.push('"');
    }
}

impl Element for &str {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

impl Element for String {
    fn write(&self, out: &mut String) {
        self.as_str().write(out);
    }
}

/// A value that is JSON already, and compact.
impl Element for Box<RawValue> {
    fn write(&self, out: &mut String) {
        out.push_str(self.get());
    }
}

impl Element for u32 {
    fn write(&self, out: &mut String) {
        write_display(out, format_args!("{self}"));
    }
}

impl Element for Number {
    fn write(&self, out: &mut String) {
        out.push_str(self.as_str());
    }
}

impl Element for Step {
    fn write(&self, out: &mut String) {
        match self {
            Step::Name(name) => name.write(out),
            Step::Index(index) => write_display(out, format_args!("{index}")),
        }
    }
}
