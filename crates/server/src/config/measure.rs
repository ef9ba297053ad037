//! Sizes and durations as people write them: `20GiB`, `7d`.

use super::text;
use serde::{Deserializer, Serializer};
use std::time::Duration;

/// Units of size, the number of bytes in each. Decimal and binary names mean what they say.
const SIZE_UNITS: [(&str, u64); 10] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("", 1),
];

/// Units of time, the number of seconds in each.
const TIME_UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

/// Units that a size is written in, the largest first.
const WRITTEN_SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Units that a duration is written in, the largest first.
const WRITTEN_TIMES: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Reads a size in bytes: a whole number and a unit (`512KiB`, `20GiB`, `1GB`); without a unit it is bytes.
///
/// # Errors
///
/// In words for the user, when it is not a size or is too large for 64 bits.
pub fn parse_size(text: &str) -> Result<u64, String> {
    measure(text, &SIZE_UNITS).ok_or_else(|| {
        format!("\"{text}\" is not a size; write a whole number and a unit, as in 512KiB or 20GiB")
    })
}

/// Reads a duration: a whole number and a unit (`45s`, `30m`, `12h`, `7d`, `2w`).
///
/// # Errors
///
/// In words for the user, when it is not a duration or is too long.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    measure(text, &TIME_UNITS).map(Duration::from_secs).ok_or_else(|| {
        format!("\"{text}\" is not a duration; write a whole number and a unit: 45s, 30m, 12h, 7d or 2w")
    })
}

fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that leaves no rest.
fn written(number: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().find(|(_, unit)| number > 0 && number.is_multiple_of(*unit));
    let (name, unit) = fitting.or(units.last()).expect("there are units");
    format!("{}{name}", number / unit)
}

/// For `#[serde(with)]`: a `u64` or an `Option<u64>` of bytes.
pub(super) mod size {
    use super::{Deserializer, Serializer, WRITTEN_SIZES, parse_size, text, written};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: From<u64>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        text::read(deserializer, "a size, as in \"20GiB\"", parse_size)
    }

    pub(crate) fn serialize<'a, S: Serializer, T>(bytes: &'a T, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a T: Into<Option<&'a u64>>,
    {
        text::write(bytes, |bytes| written(*bytes, &WRITTEN_SIZES), serializer)
    }
}

/// For `#[serde(with)]`: a [`Duration`] of whole seconds.
pub(super) mod duration {
    use super::{Deserializer, Duration, Serializer, WRITTEN_TIMES, parse_duration, text, written};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        text::read(deserializer, "a duration, as in \"7d\"", parse_duration)
    }

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        text::write(duration, |duration| written(duration.as_secs(), &WRITTEN_TIMES), serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_with_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("20GiB", 20 << 30),
            ("20 gib", 20 << 30),
            ("1GB", 1_000_000_000),
            ("512KiB", 512 << 10),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "1.5GiB", "-1", "1 parsec", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, seconds) in [
            ("45s", 45),
            ("30m", 1_800),
            ("12h", 43_200),
            ("24 h", 86_400),
            ("7d", 604_800),
            ("2w", 1_209_600),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "7", "d", "1.5h", "7 years"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_has_the_largest_unit_that_leaves_no_rest() {
        for (bytes, text) in
            [(0, "0B"), (1_000, "1000B"), (1_536, "1536B"), (2_048, "2KiB"), (3 << 40, "3TiB")]
        {
            assert_eq!(written(bytes, &WRITTEN_SIZES), text);
        }
        for (seconds, text) in [(0, "0s"), (90, "90s"), (600, "10m"), (129_600, "36h"), (604_800, "7d")] {
            assert_eq!(written(seconds, &WRITTEN_TIMES), text);
        }
    }
}
