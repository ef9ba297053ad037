//! Unix seconds as dates, in UTC: without a clock, a time zone or a calendar library.

const DAY_S: i64 = 86_400;

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// 1-12
    pub(crate) month: i64,
    /// 1-31
    pub(crate) day: i64,
}

/// The day that this second lies in. Counted in years that begin on March 1: so the leap day is the last of its year, and a
/// month's first day is a linear function of the month.
pub(crate) fn date(unix_s: i64) -> Date {
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    /// Days of 400 years, after which the calendar repeats.
    const ERA: i64 = 146_097;

    let day = unix_s.div_euclid(DAY_S) + EPOCH;
    let (era, day) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    // Years within the era: without the leap days of 4 years (1,460 days on), of centuries (36,524), of the era (its last day).
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months of 31, 30, 31, 30, 31 days, twice from March on: 153 days for five of them.
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let year = era * 400 + year;
    if from_march < 10 {
        Date { year, month: from_march + 3, day }
    } else {
        Date { year: year + 1, month: from_march - 9, day }
    }
}

/// The second as the original's notifications write times: `2021-06-10 02:27:15 +0300`, here always in UTC.
pub(crate) fn written(unix_s: u64) -> String {
    let unix_s = i64::try_from(unix_s).unwrap_or(i64::MAX);
    let Date { year, month, day } = date(unix_s);
    let second = unix_s.rem_euclid(DAY_S);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_turn_at_midnight_utc() {
        for (unix_s, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (951_782_399, (2000, 2, 28)),
            (951_868_799, (2000, 2, 29)),
            (951_868_800, (2000, 3, 1)),
            (1_709_251_199, (2024, 2, 29)),
            (1_709_251_200, (2024, 3, 1)),
            (1_735_689_599, (2024, 12, 31)),
            (1_735_689_600, (2025, 1, 1)),
            (4_107_542_399, (2100, 2, 28)),
            (4_107_542_400, (2100, 3, 1)),
            (253_402_300_799, (9999, 12, 31)),
        ] {
            let (year, month, day) = date;
            assert_eq!(super::date(unix_s), Date { year, month, day }, "{unix_s}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut days_since_epoch = 0;
        for year in 1970..2770 {
            for (month, days) in (1..).zip([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for day in 1..=days + i64::from(month == 2 && leap(year)) {
                    assert_eq!(date(days_since_epoch * DAY_S), Date { year, month, day });
                    days_since_epoch += 1;
                }
            }
        }
    }

    #[test]
    fn times_are_written_as_the_original_does() {
        assert_eq!(written(1_623_281_235), "2021-06-09 23:27:15 +0000");
        assert_eq!(written(0), "1970-01-01 00:00:00 +0000");
        // Nobody means it, and it must not panic.
        assert!(written(u64::MAX).ends_with(" +0000"));
    }
}
