//! How a command ends when it does not end well.

use crate::api::{ApiError, FieldError};
use crate::terminal;
use http::StatusCode;
use std::fmt;
use std::process::ExitCode;

/// Why a command failed: one clear sentence, and who has to act.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly: a flag, a variable or a file that the user wrote has to change. Exit code 2.
    Usage(String),
    /// Something did not work while running. Exit code 1.
    Runtime(String),
    /// It only looked, and found that there is something to do. Exit code 3, without a word: the output has said it.
    Differences,
}

/// Where a field of the API comes from: its JSON pointer, and what the user wrote for it. A pointer stands for all that is
/// below it too; the longest one that fits counts.
pub(crate) type Origins = [(&'static str, &'static str)];

impl Failure {
    /// An error of a part below; its text tells the user what to do.
    pub(crate) fn runtime(error: impl fmt::Display) -> Self {
        Failure::Runtime(error.to_string())
    }

    /// What the server has against a call, field by field, each with the flag that it comes from.
    pub(crate) fn of_call(error: ApiError, origins: &Origins) -> Self {
        let ApiError::Refused { status, ref detail, ref errors, .. } = error else {
            return Failure::runtime(error);
        };
        // What was written has to change: the same call will never do.
        if !matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) {
            return Failure::runtime(error);
        }
        let mut lines = vec![format!("the server refuses this: {}", terminal::safe(detail))];
        lines.extend(errors.iter().map(|error| field(error, origins)));
        Failure::Usage(lines.join("\n"))
    }

    /// Says why on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            // What the operator wrote may be quoted over several lines, with a mark below the place.
            Failure::Usage(why) => {
                let lines: Vec<_> = why.lines().map(terminal::safe).collect();
                terminal::tell(&format!("error: {}", lines.join("\n")));
                ExitCode::from(2)
            }
            // This may quote a server's answer, or a file's content: it must not make lines of its own.
            Failure::Runtime(why) => {
                terminal::tell(&format!("error: {}", terminal::safe(why)));
                ExitCode::from(1)
            }
            Failure::Differences => ExitCode::from(3),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Failure::of_call(error, &[])
    }
}

/// `  --timeout: 500 is not within 1 to 300`
fn field(error: &FieldError, origins: &Origins) -> String {
    let below = |pointer: &str| {
        let rest = error.pointer.strip_prefix(pointer)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    };
    let known = origins
        .iter()
        .filter_map(|(pointer, flag)| Some((pointer.len(), flag, below(pointer)?)))
        .max_by_key(|(length, ..)| *length);
    let place = match known {
        Some((_, flag, "")) => (*flag).to_owned(),
        // Of a list, the flag tells more than the place in it.
        Some((_, flag, rest)) if rest[1..].starts_with(|first: char| first.is_ascii_digit()) => {
            (*flag).to_owned()
        }
        Some((_, flag, rest)) => format!("{flag} {}", unescaped(rest.trim_start_matches('/'))),
        None if error.pointer.is_empty() => "the whole".to_owned(),
        None => error.pointer.clone(),
    };
    format!("  {}: {}", terminal::safe(&place), terminal::safe(&error.message))
}

/// The last step of a pointer as it was written (RFC 6901).
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: StatusCode, errors: &[(&str, &str)]) -> ApiError {
        let errors = errors.iter().map(|(pointer, message)| FieldError {
            index: None,
            pointer: (*pointer).to_owned(),
            message: (*message).to_owned(),
        });
        let (server, detail) = ("http://127.0.0.1:8419".to_owned(), "3 fields are not valid".to_owned());
        ApiError::Refused { server, status, detail, errors: errors.collect() }
    }

    #[test]
    fn wrong_fields_are_named_by_the_flags_they_come_from() {
        let error = refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            &[
                ("/target/timeout", "500 is not within 1 to 300"),
                ("/target/headers/X~1Key", "has a line break"),
                ("/events/0/event", "is not an event"),
                ("/target/other\u{1b}", "is not a field"),
            ],
        );
        let origins =
            [("/target/timeout", "--timeout"), ("/target/headers", "--header"), ("/events", "--event")];
        let Failure::Usage(words) = Failure::of_call(error, &origins) else {
            panic!("a mistake of the user")
        };
        insta::assert_snapshot!(words, @r"
        the server refuses this: 3 fields are not valid
          --timeout: 500 is not within 1 to 300
          --header X/Key: has a line break
          --event: is not an event
          /target/other\u{1b}: is not a field
        ");
    }

    #[test]
    fn what_repeating_may_mend_is_no_mistake_of_the_user() {
        let busy = Failure::of_call(refused(StatusCode::SERVICE_UNAVAILABLE, &[]), &[]);
        assert!(matches!(busy, Failure::Runtime(_)), "{busy:?}");
        let unknown = Failure::of_call(refused(StatusCode::UNAUTHORIZED, &[]), &[]);
        assert!(matches!(unknown, Failure::Runtime(_)), "{unknown:?}");
    }
}
