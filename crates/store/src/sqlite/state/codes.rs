//! How the state writes values down: numbers for words, and JSON. A number is never given another meaning.

use super::context::Trouble;
use crate::{ActivitySource, Role, StoreError};
use hitwire_courier::{LostReason, Verdict};
use hitwire_event::Kind;
use rusqlite::types::{FromSqlError, FromSqlResult, Type};
use serde::{Deserialize, Serialize};

/// A value that is kept as a number.
pub(in crate::sqlite) trait Code: Sized {
    /// Its number.
    fn code(self) -> u8;
    /// The value with this number.
    fn from_code(code: u8) -> Option<Self>;

    /// The value with this number, as read from a row.
    fn from_row(code: i64) -> FromSqlResult<Self> {
        u8::try_from(code).ok().and_then(Self::from_code).ok_or(FromSqlError::OutOfRange(code))
    }
}

impl Code for Kind {
    fn code(self) -> u8 {
        Kind::code(self)
    }

    fn from_code(code: u8) -> Option<Self> {
        Kind::from_code(code)
    }
}

impl Code for LostReason {
    fn code(self) -> u8 {
        match self {
            LostReason::GaveUp => 1,
            LostReason::Retention => 2,
            LostReason::Unticked => 3,
            LostReason::EnabledFromNow => 4,
            LostReason::Damaged => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        LostReason::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl Code for Verdict {
    fn code(self) -> u8 {
        match self {
            Verdict::Delivered => 1,
            Verdict::Sick => 2,
            Verdict::Refused => 3,
            Verdict::Gone => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        let all = [Verdict::Delivered, Verdict::Sick, Verdict::Refused, Verdict::Gone];
        all.into_iter().find(|verdict| verdict.code() == code)
    }
}

impl Code for Role {
    fn code(self) -> u8 {
        match self {
            Role::Operator => 1,
            Role::Administrator => 2,
            Role::Analyst => 3,
            Role::ReadOnly => 4,
            Role::Ingest => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Role::ALL.into_iter().find(|role| role.code() == code)
    }
}

impl Code for ActivitySource {
    fn code(self) -> u8 {
        match self {
            ActivitySource::Api => 1,
            ActivitySource::Configuration => 2,
            ActivitySource::Hitwire => 3,
            ActivitySource::Console => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        let all = [
            ActivitySource::Api,
            ActivitySource::Configuration,
            ActivitySource::Hitwire,
            ActivitySource::Console,
        ];
        all.into_iter().find(|source| source.code() == code)
    }
}

/// JSON for a column.
pub(in crate::sqlite) fn to_json<T: Serialize>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(unwritable)
}

/// JSON of a column.
pub(in crate::sqlite) fn from_json<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    column: usize,
) -> Result<T, Trouble> {
    serde_json::from_slice(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()).into())
}

/// What is said of a value that has no JSON.
pub(in crate::sqlite) fn unwritable(error: serde_json::Error) -> Trouble {
    StoreError::Unavailable(format!("a value cannot be written down: {error}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_one_value() {
        for code in 0..=u8::MAX {
            assert!(LostReason::from_code(code).is_none_or(|value| value.code() == code));
            assert!(Verdict::from_code(code).is_none_or(|value| value.code() == code));
            assert!(Role::from_code(code).is_none_or(|value| value.code() == code));
            assert!(ActivitySource::from_code(code).is_none_or(|value| value.code() == code));
        }
        assert!(LostReason::from_row(-1).is_err());
        assert!(Verdict::from_row(9).is_err());
    }
}
