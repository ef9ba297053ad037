//! Reading JSON bodies field by field, so that every wrong field is named at once, each by its pointer.

use super::problem::{FieldError, Problem};
use hitwire_event::escape::visible;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// At most this many members are read of one object: more than any setting has.
const MEMBERS_MAX: usize = 1_000;

/// At most this many warnings are in one answer; the last one then says how many more there are.
const WARNINGS_LISTED_MAX: usize = 20;

/// How much is repeated of the name of a field that is not known: longer ones are nobody's slip of the pen.
const NAME_CHARS_REPEATED: usize = 64;

/// Digits of a number that are repeated.
const DIGITS_MAX: usize = 20;

/// How alike two names are at least, from 0 to 1, for one to be taken for a slip of the pen of the other.
const ALIKE: f64 = 0.85;

/// What was found so far: what is wrong, and what is passed over.
#[derive(Debug, Default)]
pub(super) struct Errors {
    found: RefCell<Vec<FieldError>>,
    warnings: RefCell<Vec<FieldError>>,
    /// Warnings that are not listed.
    more_warnings: Cell<usize>,
}

impl Errors {
    /// Notes an error.
    pub(super) fn add(&self, pointer: impl Into<String>, message: impl Into<String>) {
        self.found.borrow_mut().push(FieldError::at(pointer, message));
    }

    /// Notes what is passed over.
    fn warn(&self, pointer: String, message: String) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() + 1 < WARNINGS_LISTED_MAX {
            warnings.push(FieldError::at(pointer, message));
        } else {
            self.more_warnings.set(self.more_warnings.get() + 1);
        }
    }

    /// All errors, in the order of finding.
    pub(super) fn into_vec(self) -> Vec<FieldError> {
        self.found.into_inner()
    }

    /// What was passed over, for people: at most 20 entries.
    pub(super) fn warnings(&self) -> Vec<FieldError> {
        let mut warnings = self.warnings.borrow().clone();
        match self.more_warnings.get() {
            0 => {}
            1 => warnings.push(FieldError::at("", "one more field is not known and is ignored")),
            more => {
                warnings
                    .push(FieldError::at("", format!("{more} more fields are not known and are ignored")));
            }
        }
        warnings
    }

    /// Whether there is no error.
    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
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
    /// The names that were looked for: those that hitwire knows.
    known: Vec<String>,
    errors: &'a Errors,
}

impl<'a> Fields<'a> {
    /// The members of the object at `at`; none, and an error, if it is no object or has a key twice.
    pub(super) fn of(raw: &'a RawValue, at: impl Into<String>, errors: &'a Errors) -> Option<Self> {
        Self::of_at_most(MEMBERS_MAX, raw, at, errors)
    }

    /// The same of an object that may have this many members.
    pub(super) fn of_at_most(
        max: usize,
        raw: &'a RawValue,
        at: impl Into<String>,
        errors: &'a Errors,
    ) -> Option<Self> {
        let at = at.into();
        if !raw.get().starts_with('{') {
            errors.add(at, "must be an object");
            return None;
        }
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        match reader.deserialize_map(Members { max }) {
            Ok(members) => Some(Fields { at, members, known: Vec::new(), errors }),
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
        self.known.push(name.to_owned());
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
        self.number(name, &range)
    }

    /// The same of a number that may be negative.
    pub(super) fn signed(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.number(name, &range)
    }

    fn number<T>(&mut self, name: &str, range: &RangeInclusive<T>) -> Option<T>
    where
        T: DeserializeOwned + Display + PartialOrd,
    {
        let raw = self.raw(name)?.get();
        let number = serde_json::from_str::<T>(raw).ok();
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let is_whole = raw.strip_prefix('-').unwrap_or(raw).bytes().all(|byte| byte.is_ascii_digit());
        let shown = if raw.len() <= DIGITS_MAX { raw } else { "it" };
        let message = if is_whole {
            format!("{shown} is not within {} to {}", range.start(), range.end())
        } else {
            "must be a whole number".to_owned()
        };
        self.refuse(name, message);
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
            self.refuse(name, format!("is not a field that hitwire knows{}", self.suggestion(name)));
        }
    }

    /// Ends the reading of an object that clients of a later time may send: members that nobody took are passed over, and
    /// told as warnings.
    pub(super) fn ignore_rest(self) {
        for (name, _) in &self.members {
            let is_long = name.chars().count() > NAME_CHARS_REPEATED;
            let shown = visible(&name.chars().take(NAME_CHARS_REPEATED).collect::<String>()).into_owned();
            let shown = if is_long { shown + "…" } else { shown };
            let message =
                format!("is not a field that hitwire knows; it is ignored{}", self.suggestion(name));
            self.errors.warn(self.pointer(&shown), message);
        }
    }

    /// The known name that may be meant, as the end of a message.
    fn suggestion(&self, name: &str) -> String {
        if name.chars().count() > NAME_CHARS_REPEATED {
            return String::new();
        }
        let alike = |known: &&String| strsim::jaro_winkler(&name.to_lowercase(), known);
        let best = self.known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        best.filter(|known| alike(known) >= ALIKE)
            .map_or_else(String::new, |known| format!("; did you mean \"{known}\"?"))
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

/// Reads the members of an object, at most so many.
struct Members {
    max: usize,
}

impl<'de> Visitor<'de> for Members {
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
            if members.len() == self.max {
                return Err(de::Error::custom(format!("has more than {} members", self.max)));
            }
            members.push((name, value));
        }
        Ok(members)
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
        let errors = read(
            r#"{"a":1,"b":"x","n":500,"m":-1,"h":1.5,"l":1000000000000000000000,"we/ird~":true}"#,
            |fields| {
                assert_eq!(fields.string("a"), None);
                assert_eq!(fields.bool("b"), None);
                for name in ["n", "m", "h", "l"] {
                    assert_eq!(fields.integer(name, 1..=300), None);
                }
            },
        );
        let expected = [
            ("/a", "must be a string"),
            ("/b", "must be true or false"),
            ("/n", "500 is not within 1 to 300"),
            ("/m", "-1 is not within 1 to 300"),
            ("/h", "must be a whole number"),
            ("/l", "it is not within 1 to 300"),
            ("/we~1ird~0", "is not a field that hitwire knows"),
        ];
        assert_eq!(errors, expected.map(|(at, words)| (at.to_owned(), words.to_owned())));
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_what_may_be_meant() {
        let errors = read(r#"{"timeuot":1,"nonsense":2}"#, |fields| {
            fields.integer("timeout", 1..=300);
            fields.integer("open_timeout", 1..=300);
        });
        let expected = [
            ("/timeuot", "is not a field that hitwire knows; did you mean \"timeout\"?"),
            ("/nonsense", "is not a field that hitwire knows"),
        ];
        assert_eq!(errors, expected.map(|(at, words)| (at.to_owned(), words.to_owned())));
    }

    #[test]
    fn what_is_passed_over_is_told_harmless_and_bounded() {
        let long = "x".repeat(100_000);
        let mut members = vec![format!(r#""{long}":1"#), r#""\u001b[2J":1"#.to_owned()];
        members.extend((0..100).map(|n| format!(r#""f{n}":{n}"#)));
        let text = format!("{{{}}}", members.join(","));
        let errors = Errors::default();
        Fields::of(document(text.as_bytes()).expect("JSON"), "/target", &errors)
            .expect("an object")
            .ignore_rest();
        assert!(errors.is_empty());
        let warnings = errors.warnings();
        assert_eq!(warnings.len(), WARNINGS_LISTED_MAX);
        assert_eq!(warnings[0].pointer, format!("/target/{}…", "x".repeat(64)));
        assert_eq!(warnings[1].pointer, "/target/\\u{1b}[2J");
        assert_eq!(warnings[2].message, "is not a field that hitwire knows; it is ignored");
        assert_eq!(warnings[19].message, "83 more fields are not known and are ignored");
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
