//! When a request was made.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How far the time in a unique id may be from the logged time to be taken for it: the zones of the world span 26 hours.
const ZONES_SPAN_S: i64 = 26 * 3_600;

/// The Unix second of a ModSecurity v3 record. Its `time_stamp` (`Mon Nov 23 07:29:23 2026`) is local time in a zone that the
/// record does not name, here given by `zone`; but a `unique_id` that the library made itself begins with the true second.
/// None if neither can be read.
pub(crate) fn of_record(time_stamp: &str, unique_id: &str, zone: Option<&TimeZone>) -> Option<i64> {
    let local = local(time_stamp, zone);
    match (local, of_unique_id(unique_id)) {
        (Some(local), Some(true_s)) if local.abs_diff(true_s) > ZONES_SPAN_S.unsigned_abs() => Some(local),
        (_, Some(true_s)) => Some(true_s),
        (local, None) => local,
    }
}

fn local(time_stamp: &str, zone: Option<&TimeZone>) -> Option<i64> {
    let civil = DateTime::strptime("%a %b %e %H:%M:%S %Y", time_stamp).ok()?;
    let zone = zone.cloned().unwrap_or_else(TimeZone::system);
    // In the hour that a change of clocks repeats, the first one is taken.
    zone.to_timestamp(civil).ok().map(jiff::Timestamp::as_second)
}

/// `179541911462.824781`: at least 11 digits, of which the first 10 are the Unix second, a dot, more digits.
fn of_unique_id(unique_id: &str) -> Option<i64> {
    let (whole, fraction) = unique_id.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (whole.len() > 10 && digits(whole) && digits(fraction)).then(|| whole[..10].parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "Mon Nov 23 07:31:54 2026";
    const STAMP_S: i64 = 1_795_419_114;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn a_local_time_is_read_in_its_zone() {
        assert_eq!(of_record(STAMP, "a0df", Some(&TimeZone::UTC)), Some(STAMP_S));
        assert_eq!(of_record(STAMP, "a0df", Some(&zone("Asia/Kolkata"))), Some(STAMP_S - 19_800));
        assert_eq!(of_record("Tue Dec  1 00:00:00 2026", "", Some(&TimeZone::UTC)), Some(1_796_083_200));
    }

    #[test]
    fn a_unique_id_with_the_true_second_needs_no_zone() {
        let kolkata = "Mon Nov 23 13:01:54 2026";
        assert_eq!(of_record(kolkata, "179541911462.824781", Some(&TimeZone::UTC)), Some(STAMP_S));
    }

    #[test]
    fn a_unique_id_far_from_the_logged_time_is_no_time() {
        assert_eq!(of_record(STAMP, "123456789012.824781", Some(&TimeZone::UTC)), Some(STAMP_S));
        let within = format!("{}00.5", STAMP_S + ZONES_SPAN_S);
        assert_eq!(of_record(STAMP, &within, Some(&TimeZone::UTC)), Some(STAMP_S + ZONES_SPAN_S));
        let beyond = format!("{}00.5", STAMP_S + ZONES_SPAN_S + 1);
        assert_eq!(of_record(STAMP, &beyond, Some(&TimeZone::UTC)), Some(STAMP_S));
    }

    #[test]
    fn other_unique_ids_are_no_times() {
        for unique_id in
            ["1795419114.62", "17954191146x.8", "179541911462.", "179541911462", ".1", "28917cf9ec852b53"]
        {
            assert_eq!(of_record("", unique_id, Some(&TimeZone::UTC)), None, "{unique_id}");
        }
    }

    #[test]
    fn the_hour_that_is_repeated_in_autumn_counts_as_its_first() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(of_record("Sun Oct 25 02:30:00 2026", "", Some(&berlin)), Some(1_792_888_200));
    }
}
