//! Events by the minute, over the last hour.

use crate::Console;
use crate::charts::{self, Bar, Series};
use crate::events::kind_words;
use crate::failure::Failure;
use crate::session::Session;
use askama::Template;
use hitwire_event::Kind;
use hitwire_index::{MinuteCount, Progress};
use std::collections::BTreeMap;

/// Minutes that are shown; the last one is not over.
const MINUTES: u64 = 60;

/// Lines of the chart; what is left is one more.
const LINES_MAX: usize = 5;

/// Colours of the lines, and of the rest.
const COLORS: [&str; LINES_MAX] = ["c1", "c2", "c3", "c4", "c5"];
const COLOR_OF_REST: &str = "c6";

/// The part of the dashboard that is told anew.
#[derive(Template)]
#[template(path = "dashboard/now.html")]
pub(super) struct Now {
    /// In the last 60 minutes.
    pub(super) events: u64,
    /// In the last minute that is over.
    pub(super) last_minute: u64,
    pub(super) blocked_or_not: Vec<(String, u64)>,
    pub(super) progress: Progress,
    pub(super) data: String,
    pub(super) bars: Vec<Bar>,
    pub(super) rows: Vec<MinuteRow>,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MinuteRow {
    pub(super) start_ms: u64,
    pub(super) events: u64,
    /// By type, the most frequent first.
    pub(super) words: String,
}

impl Now {
    pub(super) async fn read(console: &Console, session: &Session) -> Result<Now, Failure> {
        let counts = console.index.per_minute(session.user.client, MINUTES).await?;
        let progress = console.index.progress().borrow().clone();
        Ok(Now::of(&counts, progress, console.now_s() / 60))
    }

    fn of(counts: &[MinuteCount], progress: Progress, minute: u64) -> Now {
        let x: Vec<u64> = ((minute + 1).saturating_sub(MINUTES)..=minute).map(|minute| minute * 60).collect();
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_minute: BTreeMap<u64, BTreeMap<&str, u64>> = BTreeMap::new();
        for count in counts {
            *totals.entry(label(count)).or_default() += count.events;
            *by_minute.entry(count.start_s).or_default().entry(label(count)).or_default() += count.events;
        }
        let mut totals: Vec<(&str, u64)> = totals.into_iter().collect();
        totals.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
        let of_minute = |start_s: &u64, label: &str| {
            by_minute.get(start_s).and_then(|labels| labels.get(label)).copied().unwrap_or_default()
        };
        let mut series: Vec<Series> = totals
            .iter()
            .zip(COLORS)
            .map(|((label, _), color)| Series {
                label: (*label).to_owned(),
                color,
                values: x.iter().map(|start_s| of_minute(start_s, label).into()).collect(),
            })
            .collect();
        if let Some(rest) = totals.get(LINES_MAX..).filter(|rest| !rest.is_empty()) {
            let sum = |start_s: &u64| rest.iter().map(|(label, _)| of_minute(start_s, label)).sum::<u64>();
            let values = x.iter().map(|start_s| sum(start_s).into()).collect();
            series.push(Series { label: "the others".to_owned(), color: COLOR_OF_REST, values });
        }
        let sum = |start_s: &u64| by_minute.get(start_s).map_or(0, |labels| labels.values().sum::<u64>());
        let row = |(start_s, labels): (&u64, &BTreeMap<&str, u64>)| {
            let mut labels: Vec<_> = labels.iter().collect();
            labels.sort_by_key(|(_, events)| std::cmp::Reverse(**events));
            let words: Vec<_> = labels
                .iter()
                .map(|(label, events)| format!("{label} {}", crate::text::number(**events)))
                .collect();
            MinuteRow { start_ms: start_s * 1_000, events: sum(start_s), words: words.join(", ") }
        };
        let counted: Vec<(u64, u64)> = x.iter().map(|start_s| (sum(start_s), 0)).collect();
        Now {
            events: totals.iter().map(|(_, events)| events).sum(),
            last_minute: x.iter().rev().nth(1).map_or(0, sum),
            blocked_or_not: totals
                .iter()
                .take(LINES_MAX)
                .map(|(label, events)| ((*label).to_owned(), *events))
                .collect(),
            progress,
            data: charts::data(&x, "count", true, &series),
            bars: charts::bars(&counted),
            rows: by_minute.iter().rev().map(row).collect(),
        }
    }
}

/// What a count is called: hits by their type, the others by their kind.
fn label(count: &MinuteCount) -> &str {
    match count.kind {
        Kind::Hit if !count.type_code.is_empty() => &count.type_code,
        kind => kind_words(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(minute: u64, kind: Kind, type_code: &str, events: u64) -> MinuteCount {
        MinuteCount { start_s: minute * 60, kind, type_code: type_code.to_owned(), events }
    }

    #[test]
    fn minutes_are_counted_by_what_is_frequent_and_the_rest_together() {
        let types = ["a", "b", "c", "d", "e", "f", "g"];
        let mut counts: Vec<_> =
            types.iter().zip(1..).map(|(name, events)| count(99, Kind::Hit, name, 10 * events)).collect();
        counts.push(count(100, Kind::System, "", 3));
        let now = Now::of(&counts, Progress::default(), 100);
        assert_eq!((now.events, now.last_minute), (283, 280));
        let data: serde_json::Value = serde_json::from_str(&now.data).unwrap();
        let labels: Vec<_> =
            data["series"].as_array().unwrap().iter().map(|series| &series["label"]).collect();
        assert_eq!(labels, ["g", "f", "e", "d", "c", "the others"]);
        assert_eq!(data["series"][5]["values"].as_array().unwrap()[58..], [30, 3]);
        assert_eq!(now.rows[0], MinuteRow { start_ms: 6_000_000, events: 3, words: "System 3".to_owned() });
        assert!(now.rows[1].words.starts_with("g 70, f 60"));
    }
}
