//! Sizes and durations as people write them: `20GiB`, `7d`.

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
        for (text, seconds) in
            [("45s", 45), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "7", "d", "1.5h", "7 years"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
