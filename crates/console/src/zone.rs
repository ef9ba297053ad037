//! The time zone of a page: of its rows, and of what is typed into its filters.
//!
//! It is the one that the user chose in the profile, or else the browser's, which a script writes into a cookie, or else UTC. It is kept
//! for the request in hand, so that every template writes times alike.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::cell::RefCell;

/// The cookie in which a browser says its own zone.
pub(crate) const COOKIE: &str = "hitwire-zone";

tokio::task_local! {
    static ZONE: RefCell<TimeZone>;
}

/// Answers a request with a zone of its own: UTC, until it is known whose request it is.
pub(crate) async fn for_request(request: Request, next: Next) -> Response {
    ZONE.scope(RefCell::new(TimeZone::UTC), next.run(request)).await
}

/// Chooses the zone for the request in hand: the user's, or else the browser's, if there is such a zone.
pub(crate) fn choose(of_user: Option<&str>, of_browser: Option<&str>) {
    let named = |name: &str| TimeZone::get(name).ok();
    let zone = of_user.and_then(named).or_else(|| of_browser.and_then(named)).unwrap_or(TimeZone::UTC);
    // A page that is made outside of a request is in UTC.
    let _ = ZONE.try_with(|kept| kept.replace(zone));
}

/// The zone of the request in hand.
pub(crate) fn current() -> TimeZone {
    ZONE.try_with(|zone| zone.borrow().clone()).unwrap_or(TimeZone::UTC)
}

/// What it is called: `Europe/Berlin`.
pub(crate) fn name() -> String {
    current().iana_name().unwrap_or("UTC").to_owned()
}

/// The same with its offset at a moment, milliseconds since the Unix epoch: `Europe/Berlin (UTC+01:00)`.
pub(crate) fn name_and_offset(at_ms: u64) -> String {
    let (zone, name) = (current(), name());
    let at = Timestamp::from_millisecond(at_ms as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    if name == "UTC" { name } else { format!("{name} (UTC{})", at.to_zoned(zone).strftime("%:z")) }
}

/// Zones to choose from, in the order of their names.
pub(crate) fn all() -> Vec<String> {
    let names = jiff::tz::db().available().map(|name| name.to_string());
    // Not the names of other systems (`EST5EDT`, `posixrules`), which clutter the list.
    let mut names: Vec<_> = names
        .filter(|name| name.contains('/') && !name.starts_with("Etc/"))
        .chain(["UTC".to_owned()])
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Which end of a span of time a moment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    From,
    /// The span ends just before it.
    Before,
    /// The span has it; a minute that was named is meant to its end.
    Through,
}

/// Parses a moment into milliseconds since the Unix epoch. The text is RFC 3339, or the value of a form's field in the time zone of
/// the page. Where clocks were set back and a time came twice, a span of time has both.
///
/// # Errors
///
/// Words for the field: it is no moment, or clocks were set forward and there was no such time.
pub(crate) fn moment(text: &str, end: End) -> Result<u64, String> {
    let since_1970 = |at: Timestamp| {
        u64::try_from(at.as_millisecond()).map_err(|_| "A date and time after 1970.".to_owned())
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return since_1970(at);
    }
    let at: DateTime = text.parse().map_err(|_| "A date and time, such as 2026-11-25T22:00.".to_owned())?;
    let zone = current();
    let ambiguous = zone.to_ambiguous_timestamp(at);
    let at = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at),
        AmbiguousOffset::Gap { before, after } => {
            let ahead_s = after.seconds() - before.seconds();
            return Err(format!(
                "There was no {} on that day in {}: clocks were set forward by {}.",
                at.strftime("%H:%M"),
                name(),
                crate::text::span_ms(u64::try_from(ahead_s).unwrap_or_default() * 1_000)
            ));
        }
        AmbiguousOffset::Fold { before, after } => {
            (if end == End::From { before } else { after }).to_timestamp(at)
        }
    };
    let at_ms = since_1970(at.map_err(|_| "A date and time after 1970.".to_owned())?)?;
    let names_seconds = text.matches(':').count() > 1;
    Ok(if end == End::Through && !names_seconds { at_ms + 59_999 } else { at_ms })
}

/// When a day begins, in the zone of the page; none: beyond all dates.
pub(crate) fn beginning(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(current()).ok()?.start_of_day().ok()?.timestamp())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Does something in a zone.
    pub(crate) fn within<T>(zone: &str, work: impl FnOnce() -> T) -> T {
        let zone = TimeZone::get(zone).expect("a zone of the system");
        ZONE.sync_scope(RefCell::new(zone), work)
    }

    #[test]
    fn a_moment_is_understood_in_the_zone_of_the_page() {
        let ms = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond() as u64;
        assert_eq!(moment("2026-11-25T22:00", End::From), Ok(ms("2026-11-25T22:00:00Z")));
        within("Europe/Berlin", || {
            assert_eq!(moment("2026-11-25T22:00", End::From), Ok(ms("2026-11-25T21:00:00Z")));
            assert_eq!(moment("2026-07-25T22:00", End::From), Ok(ms("2026-07-25T20:00:00Z")));
            assert_eq!(moment("2026-11-25T22:00", End::Through), Ok(ms("2026-11-25T21:00:59.999Z")));
            assert_eq!(moment("2026-11-25T22:00:07", End::Through), Ok(ms("2026-11-25T21:00:07Z")));
            assert_eq!(moment("2026-11-25T22:00:00Z", End::From), Ok(ms("2026-11-25T22:00:00Z")));
            for none in ["yesterday", "2026-02-30T00:00", "1969-01-01T00:00", ""] {
                assert!(moment(none, End::From).unwrap_err().starts_with("A date and time"), "{none}");
            }
        });
    }

    #[test]
    fn a_time_that_came_twice_is_whole_and_one_that_never_came_is_told() {
        within("Europe/Berlin", || {
            let span = [End::From, End::Through].map(|end| moment("2026-10-25T02:30", end).unwrap());
            assert_eq!(span[1] - span[0], 3_600_000 + 59_999, "both half past two");
            assert_eq!(
                moment("2026-03-29T02:30", End::From).unwrap_err(),
                "There was no 02:30 on that day in Europe/Berlin: clocks were set forward by 1 h 0 min."
            );
            assert_eq!(beginning("2026-03-29".parse().unwrap()).unwrap().to_string(), "2026-03-28T23:00:00Z");
        });
    }

    #[test]
    fn the_users_choice_goes_before_the_browsers() {
        let chosen = |of_user, of_browser| {
            within("UTC", || {
                choose(of_user, of_browser);
                name_and_offset(1_764_107_974_123)
            })
        };
        assert_eq!(chosen(Some("Asia/Kolkata"), Some("Europe/Berlin")), "Asia/Kolkata (UTC+05:30)");
        assert_eq!(chosen(None, Some("Europe/Berlin")), "Europe/Berlin (UTC+01:00)");
        assert_eq!(chosen(None, Some("../../etc/passwd")), "UTC");
        assert_eq!(chosen(None, None), "UTC");
        let all = all();
        assert!(all.contains(&"Europe/Berlin".to_owned()) && all.contains(&"UTC".to_owned()));
    }
}
