//! Reading JSON bodies field by field, so that every wrong field is named at once, each by its pointer.

use super::problem::{FieldError, Problem};
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

/// At most this many members are read of one object: more than any setting has.
const MEMBERS_MAX: usize = 1_000;

/// The errors that were found so far.
#[derive(Debug, Default)]
pub(super) struct Errors(RefCell<Vec<FieldError>>);

impl Errors {
    /// Notes an error.
    pub(super) fn add(&self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.borrow_mut().push(FieldError::at(pointer, message));
    }

    /// All of them, in the order of finding.
    pub(super) fn into_vec(self) -> Vec<FieldError> {
        self.0.into_inner()
    }

    /// Whether none was found.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// A body as one JSON value; 400 with line and column if it is not.
pub(super) fn document(bytes: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::malformed(error.line(), error.column(), words(&error)))
}

/// What serde says, without the place, which is said apart.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// A pointer to a member of what another pointer points to (RFC 6901).
pub(super) fn pointer(parent: &str, member: &str) -> String {
    format!("{parent}/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// The members of one object that were not taken yet, in the order in which they came.
pub(super) struct Fields<'a> {
    at: String,
    members: Vec<(String, &'a RawValue)>,
    errors: &'a Errors,
}

impl<'a> Fields<'a> {
    /// The members of the object at `at`; none, and an error, if it is no object or has a key twice.
    pub(super) fn of(raw: &'a RawValue, at: impl Into<String>, errors: &'a Errors) -> Option<Self> {
        let at = at.into();
        if !raw.get().starts_with('{') {
            errors.add(at, "must be an object");
            return None;
        }
        match serde_json::from_str::<Members<'a>>(raw.get()) {
            Ok(Members(members)) => Some(Fields { at, members, errors }),
            Err(error) => {
                errors.add(at, words(&error));
                None
            }
        }
    }

    /// The pointer to a member.
    pub(super) fn pointer(&self, name: &str) -> String {
        pointer(&self.at, name)
    }

    /// Notes an error about a member.
    pub(super) fn refuse(&self, name: &str, message: impl Into<String>) {
        self.errors.add(self.pointer(name), message);
    }

    /// Takes a member as it is written; `null` counts as absent.
    pub(super) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.members.iter().position(|(member, _)| member == name)?;
        let (_, value) = self.members.remove(index);
        (value.get() != "null").then_some(value)
    }

    /// Whether a member is there, be it `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// Whether there is something else than `null`.
    pub(super) fn tells(&self, name: &str) -> bool {
        self.members.iter().any(|(member, value)| member == name && value.get() != "null")
    }

    /// Takes a string.
    pub(super) fn string(&mut self, name: &str) -> Option<String> {
        self.value(name, "a string")
    }

    /// Takes `true` or `false`.
    pub(super) fn bool(&mut self, name: &str) -> Option<bool> {
        self.value(name, "true or false")
    }

    /// Takes a whole number within a range.
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let number: u64 = self.value(name, "a whole number")?;
        if range.contains(&number) {
            return Some(number);
        }
        self.refuse(name, format!("{number} is not within {} to {}", range.start(), range.end()));
        None
    }

    /// The same of a number that may be negative.
    pub(super) fn signed(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let number: i64 = self.value(name, "a whole number")?;
        if range.contains(&number) {
            return Some(number);
        }
        self.refuse(name, format!("{number} is not within {} to {}", range.start(), range.end()));
        None
    }

    /// Takes a string that is one of a few.
    pub(super) fn one_of<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(name)?;
        let found = choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = choices.iter().map(|(choice, _)| format!("\"{choice}\"")).collect();
            self.refuse(name, format!("\"{text}\" is not one of {}", known.join(", ")));
        }
        found
    }

    fn value<T: DeserializeOwned>(&mut self, name: &str, what: &str) -> Option<T> {
        let raw = self.raw(name)?;
        let value = serde_json::from_str(raw.get()).ok();
        if value.is_none() {
            self.refuse(name, format!("must be {what}"));
        }
        value
    }

    /// Takes all members that are left.
    pub(super) fn rest(self) -> Vec<(String, &'a RawValue)> {
        self.members
    }

    /// Ends the reading: a member that nobody took is an error, so that a slip of the pen does not go unnoticed.
    pub(super) fn finish(self) {
        for (name, _) in &self.members {
            self.refuse(name, "is not a field that hitwire knows");
        }
    }
}

/// The elements of an array; none, and an error, if it is no array or has too many.
pub(super) fn elements<'a>(
    raw: &'a RawValue,
    at: &str,
    max: usize,
    errors: &Errors,
) -> Option<Vec<&'a RawValue>> {
    match serde_json::from_str::<Vec<&'a RawValue>>(raw.get()) {
        Ok(elements) if elements.len() <= max => Some(elements),
        Ok(elements) => {
            errors.add(at, format!("has {} elements; at most {max} are taken", elements.len()));
            None
        }
        Err(_) => {
            errors.add(at, "must be an array");
            None
        }
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::new();
                // A body may hold a hundred objects of a thousand members: each is looked for once.
                let mut seen = HashSet::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if !seen.insert(name.clone()) {
                        return Err(de::Error::custom(format!("\"{name}\" is there twice")));
                    }
                    if members.len() == MEMBERS_MAX {
                        return Err(de::Error::custom(format!("has more than {MEMBERS_MAX} members")));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, take: impl FnOnce(&mut Fields<'_>)) -> Vec<(String, String)> {
        let raw = document(text.as_bytes()).expect("JSON");
        let errors = Errors::default();
        if let Some(mut fields) = Fields::of(raw, "", &errors) {
            take(&mut fields);
            fields.finish();
        }
        errors.into_vec().into_iter().map(|error| (error.pointer, error.message)).collect()
    }

    #[test]
    fn each_wrong_field_is_named_by_its_pointer() {
        let errors = read(r#"{"a":1,"b":"x","n":500,"we/ird~":true}"#, |fields| {
            assert_eq!(fields.string("a"), None);
            assert_eq!(fields.bool("b"), None);
            assert_eq!(fields.integer("n", 1..=300), None);
        });
        let expected = [
            ("/a", "must be a string"),
            ("/b", "must be true or false"),
            ("/n", "500 is not within 1 to 300"),
            ("/we~1ird~0", "is not a field that hitwire knows"),
        ];
        assert_eq!(errors, expected.map(|(at, words)| (at.to_owned(), words.to_owned())));
    }

    #[test]
    fn null_counts_as_absent() {
        let errors = read(r#"{"a":null}"#, |fields| {
            assert!(fields.has("a"));
            assert_eq!(fields.string("a"), None);
        });
        assert_eq!(errors, []);
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        let errors = read(r#"{"a":1,"a":2}"#, |_| ());
        assert_eq!(errors, [(String::new(), "\"a\" is there twice".to_owned())]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let errors = read("[1]", |_| ());
        assert_eq!(errors, [(String::new(), "must be an object".to_owned())]);
    }
}
