//! Durations and counts, as people write and read them.

use std::time::Duration;

/// Units of time, the longest spelling first, so that `ms` is not read as `s`.
const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration: a whole number and its unit, `250ms`, `30s`, `5m`, `12h` or `7d`. `0` needs no unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    TIME_UNITS
        .iter()
        .find_map(|(unit, ms)| Some((text.strip_suffix(unit)?.trim_end(), ms)))
        .filter(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|(digits, ms)| digits.parse::<u64>().ok()?.checked_mul(*ms))
        .map(Duration::from_millis)
        .ok_or_else(|| "write a whole number and its unit: 250ms, 30s, 5m, 12h or 7d".to_owned())
}

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 hit`, `2 hits`.
pub(crate) fn counted(number: u64, singular: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {singular}{ending}", count(number))
}

/// A duration for people: `0.8 ms`, `12 ms`, `3.4 s`.
pub(crate) fn short(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1_000.0)
    }
}

/// An age for people, in its largest unit: `45 s`, `12 min`, `5 h`, `3 days`.
pub(crate) fn rough(age: Duration) -> String {
    match age.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The day of a Unix time, in UTC: `2026-01-31`.
pub(crate) fn day(unix_s: u64) -> String {
    let at = i64::try_from(unix_s).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map_or_else(|| unix_s.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_its_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30 s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("12h"), Ok(Duration::from_hours(12)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_duration_without_unit_or_out_of_range_is_refused() {
        for text in
            ["", "7", "s", "-1s", "+1s", "1.5h", "7 days", "99999999999999999999d", "18446744073709551615d"]
        {
            assert!(duration(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(counted(1, "hit"), "1 hit");
        assert_eq!(counted(0, "hit"), "0 hits");
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        assert_eq!(rough(Duration::from_secs(59)), "59 s");
        assert_eq!(rough(Duration::from_mins(59)), "59 min");
        assert_eq!(rough(Duration::from_hours(47)), "47 h");
        assert_eq!(rough(Duration::from_hours(48)), "2 days");
        assert_eq!(day(1_795_419_114), "2026-11-23");
        assert_eq!(day(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn short_durations_keep_one_digit_that_matters() {
        assert_eq!(short(Duration::from_micros(840)), "0.8 ms");
        assert_eq!(short(Duration::from_millis(12)), "12 ms");
        assert_eq!(short(Duration::from_millis(3_420)), "3.4 s");
    }
}
