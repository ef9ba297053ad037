//! Where the time of an attempt went, as a bar and as figures.

use crate::text::span_us;
use serde::Deserialize;

/// The bar's length, in units of its own.
const LENGTH: f64 = 1_000.0;

/// What was reached is seen, however short it was.
const LEAST: f64 = 3.0;

/// Milliseconds of each part, as the API tells them; none for a part that was not reached.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Timings {
    dns: Option<f64>,
    connect: Option<f64>,
    tls: Option<f64>,
    first_byte: Option<f64>,
    total: f64,
}

/// A part of the time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// What the style sheet colours it by.
    pub(super) class: &'static str,
    /// `12 ms`; none: it was not reached, or not needed.
    pub(super) took: Option<String>,
    /// Where it begins in the bar, and how long it is.
    pub(super) x: String,
    pub(super) width: String,
}

/// The parts in their order; the last is what none of the others explains.
pub(super) fn parts(timings: &Timings, answered: bool) -> Vec<Part> {
    let Timings { dns, connect, tls, first_byte, total } = *timings;
    let known: f64 = [dns, connect, tls, first_byte].into_iter().flatten().sum();
    let rest = Some((total - known).max(0.0)).filter(|rest| *rest >= 0.001);
    let last = if answered { "Reading the answer" } else { "Until it failed" };
    let all = [
        ("Resolving the name (DNS)", "t-dns", dns),
        ("Connecting (TCP)", "t-connect", connect),
        ("Handshake (TLS)", "t-tls", tls),
        ("Sending, and waiting for the first byte", "t-wait", first_byte),
        (last, if answered { "t-read" } else { "t-failed" }, rest),
    ];
    let shown: f64 = all.iter().filter_map(|(_, _, ms)| *ms).sum::<f64>().max(0.001);
    let mut x = 0.0;
    let part = |(name, class, ms): (&'static str, &'static str, Option<f64>)| {
        let width = ms.map_or(0.0, |ms| (ms / shown * LENGTH).max(LEAST)).min(LENGTH - x);
        let part = Part {
            name,
            class,
            took: ms.map(|ms| span_us((ms * 1_000.0).round() as u64)),
            x: format!("{x:.1}"),
            width: format!("{width:.1}"),
        };
        x += width;
        part
    };
    all.into_iter().map(part).collect()
}

/// All of it.
pub(super) fn total(timings: &Timings) -> String {
    span_us((timings.total * 1_000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_bar_and_what_was_not_reached_takes_no_room() {
        let timings = Timings {
            dns: Some(1.0),
            connect: Some(9.0),
            tls: Some(20.0),
            first_byte: Some(60.0),
            total: 100.0,
        };
        let parts = parts(&timings, true);
        let lengths: Vec<_> = parts.iter().map(|part| (&*part.x, &*part.width)).collect();
        assert_eq!(
            lengths,
            [("0.0", "10.0"), ("10.0", "90.0"), ("100.0", "200.0"), ("300.0", "600.0"), ("900.0", "100.0")]
        );
        assert_eq!(parts[4].took.as_deref(), Some("10 ms"));
        let hung = super::parts(&Timings { dns: Some(0.001), total: 20_000.0, ..Timings::default() }, false);
        assert_eq!((hung[1].took.as_deref(), &*hung[1].width), (None, "0.0"));
        assert_eq!((hung[0].took.as_deref(), &*hung[0].width), (Some("0.00 ms"), "3.0"));
        assert_eq!((hung[4].name, &*hung[4].width), ("Until it failed", "997.0"));
    }

    #[test]
    fn an_attempt_that_took_no_time_has_a_bar_too() {
        let parts = parts(&Timings::default(), false);
        assert!(parts.iter().all(|part| part.took.is_none() && part.width == "0.0"));
        assert_eq!(total(&Timings::default()), "0.00 ms");
    }
}
