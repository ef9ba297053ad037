//! A JSON number as somebody wrote it.

use crate::json::{is_number, is_portable};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// A JSON number, kept exactly as it was written: `36.28571421111111`, `0.10` and `1E3` come out as they went in, because a
/// number that passes through a binary float can change its digits. Two numbers are equal if they are written alike. Every
/// receiver can read it: it has at most 64 characters, and is within the range of a 64-bit float.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// The number that `text` writes, if it is one by the grammar of JSON (RFC 8259 section 6): no blanks, no plus sign, no
    /// leading zeros, no `NaN`; and one that every receiver can read.
    pub fn parse(text: &str) -> Option<Number> {
        (is_number(text) && is_portable(text)).then(|| Number(text.into()))
    }

    /// A number of which the scanner has already seen that it is one, and that every receiver can read it.
    pub(crate) fn from_scanned(text: &str) -> Number {
        debug_assert!(is_number(text) && is_portable(text), "not a JSON number for everybody: {text}");
        Number(text.into())
    }

    /// The shortest digits that read back as `value`; none for NaN and the infinities, which JSON cannot write.
    pub fn from_f64(value: f64) -> Option<Number> {
        // Outside of this range plain digits would be long strings of zeros.
        let plain = value == 0.0 || (1e-6..1e17).contains(&value.abs());
        value.is_finite().then(|| {
            let text = if plain { value.to_string() } else { format!("{value:e}") };
            Number(text.into_boxed_str())
        })
    }

    /// The nearest float; never infinite.
    pub fn as_f64(&self) -> f64 {
        // Every JSON number is a number to Rust; NaN would stand for "not one", which the constructors exclude.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The integer, if it is written as one (no fraction, no exponent) and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(value: $integer) -> Self {
                Number(value.to_string().into_boxed_str())
            }
        }
    )*};
}
from_integer!(i32, u32, i64, u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Number::parse(raw.get()).ok_or_else(|| {
            D::Error::custom(format_args!("expected a number that a float can hold, found {}", raw.get()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_keeps_its_digits() {
        for text in [
            "0",
            "-0",
            "36.28571421111111",
            "0.10",
            "1E3",
            "1e+03",
            "123456789012345678901234567890",
            "5e-324",
            "0e999",
        ] {
            let number: Number = serde_json::from_str(text).expect(text);
            assert_eq!(number.to_string(), text);
            assert_eq!(serde_json::to_string(&number).expect(text), text);
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e", "NaN", "Infinity", "0x1", "1 ", " 1", "1_000", "null",
            "\"1\"",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert!(serde_json::from_str::<Number>("\"1\"").is_err());
    }

    #[test]
    fn a_number_that_some_receiver_cannot_read_is_none() {
        let long = format!("0.{}", "1".repeat(63));
        for text in [
            "1e999",
            "-1e309",
            "1.8e308",
            "1e-999999",
            "1e-400",
            "0e1000",
            "1e+00000000000000000000999",
            &long,
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
        for text in ["1.7e308", "1e-308", "0.1e+0001", "0.0e-999", "-0", &"9".repeat(64), &long[..64]] {
            assert!(Number::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn an_integer_is_one_only_if_it_is_written_as_one() {
        assert_eq!(Number::from(-5).as_i64(), Some(-5));
        assert_eq!(Number::from(u64::MAX).as_i64(), None);
        assert_eq!(Number::parse("1.0").and_then(|number| number.as_i64()), None);
        assert_eq!(Number::parse("1e2").and_then(|number| number.as_i64()), None);
    }

    #[test]
    fn json_has_no_words_for_infinities() {
        assert_eq!(Number::from_f64(f64::INFINITY), None);
        assert_eq!(Number::from_f64(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn a_finite_float_reads_back_as_it_was(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let number = Number::from_f64(value).expect("finite");
            prop_assert!(is_number(number.as_str()), "{number}");
            prop_assert_eq!(number.as_f64().to_bits(), value.to_bits());
        }

        #[test]
        fn number_grammar_is_that_of_serde_json(text in "[-+0-9.eE]{0,12}") {
            prop_assert_eq!(is_number(&text), serde_json::from_str::<&RawValue>(&text).is_ok());
        }
    }
}
