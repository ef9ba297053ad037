//! What arrived, when, and what is missing.

use super::script::{ExpectedHit, Script};
use crate::failure::Failure;
use crate::listen::{Received, Signature};
use crate::terminal::{self, Style, Terminal};
use crate::units;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The demo's account of itself.
#[derive(Debug)]
pub(super) struct Tally {
    records: usize,
    harmless: usize,
    expected: HashMap<String, ExpectedHit>,
    /// The first arrival of each hit, by its id.
    arrived: HashMap<String, Instant>,
    by_type: BTreeMap<String, u64>,
    blocked: u64,
    requests: u64,
    unverified: u64,
    /// Hits that came again, or that nobody expected.
    surplus: u64,
    latencies: Vec<Duration>,
}

/// What is looked at of a hit that arrived.
#[derive(Deserialize)]
struct Arrived {
    id: [String; 2],
    r#type: String,
    block_status: String,
}

impl Tally {
    /// Nothing has arrived yet.
    pub(super) fn of(script: &Script) -> Self {
        Tally {
            records: script.records(),
            harmless: script.harmless(),
            expected: script.hits().map(|hit| (hit.id.as_str().to_owned(), hit.clone())).collect(),
            arrived: HashMap::new(),
            by_type: BTreeMap::new(),
            blocked: 0,
            requests: 0,
            unverified: 0,
            surplus: 0,
            latencies: Vec::new(),
        }
    }

    /// Counts a notification.
    pub(super) fn received(&mut self, received: &Received) {
        self.requests += 1;
        self.unverified += u64::from(received.signature != Signature::Verified);
        let objects = received.objects.as_ref().map_or(&[][..], Vec::as_slice);
        for object in objects {
            let Ok(hit) = serde_json::from_str::<Arrived>(object.get()) else {
                self.surplus += 1;
                continue;
            };
            let id = hit.id.join("/");
            let expected = self.expected.get(&id).is_some_and(|expected| expected.attack_type == hit.r#type);
            if !expected || self.arrived.contains_key(&id) {
                self.surplus += 1;
                continue;
            }
            self.arrived.insert(id, received.arrived);
            *self.by_type.entry(hit.r#type).or_default() += 1;
            self.blocked += u64::from(hit.block_status == "blocked");
        }
    }

    /// Learns when each record was completely in the file.
    pub(super) fn written(&mut self, times: Vec<Instant>) {
        let latency = |(id, at): (&String, &Instant)| {
            let written = times.get(self.expected.get(id)?.record)?;
            // Follower and courier can be done before the writer has looked at the clock.
            Some(at.saturating_duration_since(*written))
        };
        self.latencies = self.arrived.iter().filter_map(latency).collect();
        self.latencies.sort_unstable();
    }

    /// How many hits are still to come.
    pub(super) fn missing(&self) -> usize {
        self.expected.len() - self.arrived.len()
    }

    /// The end of the demo, for people.
    pub(super) fn summary(&self, failures: u64, terminal: Terminal) -> String {
        let strong = |text: String| terminal.paint(Style::Strong, text).to_string();
        let counts: Vec<_> =
            self.by_type.iter().map(|(name, count)| format!("{} {count}", terminal::safe(name))).collect();
        let hits = self.arrived.len() as u64;
        let signatures = match self.unverified {
            0 => terminal.paint(Style::Good, "all signatures verified".to_owned()),
            wrong => {
                terminal.paint(Style::Bad, format!("{} not verified", units::counted(wrong, "signature")))
            }
        };
        let failed = terminal
            .paint(if failures == 0 { Style::Good } else { Style::Bad }, units::counted(failures, "failure"));
        let mut lines = vec![
            String::new(),
            strong("Summary".to_owned()),
            row(
                "records",
                self.records as u64,
                &format!("written to the audit log, {} of them without an attack", self.harmless),
            ),
            row(
                "hits",
                hits,
                &format!(
                    "of {} expected: {} blocked, {} monitored",
                    units::count(self.expected.len() as u64),
                    units::count(self.blocked),
                    units::count(hits - self.blocked)
                ),
            ),
        ];
        lines.extend(wrapped(&counts).into_iter().map(|line| format!("{:21}{line}", "")));
        lines.push(row("requests", self.requests, &format!("{signatures}, {failed}")));
        if self.surplus > 0 {
            lines.push(row("surplus", self.surplus, "hits that came again or were not expected"));
        }
        if let (Some(median), Some(worst)) = (self.median(), self.latencies.last()) {
            lines.push(format!(
                "  {:<9}{:>8}  median, {} at worst, from the record's last byte",
                "latency",
                units::short(median),
                units::short(*worst)
            ));
            lines.push(format!("{:21}in the file to the notification received", ""));
        }
        lines.join("\n")
    }

    /// Whether everything arrived as it should.
    pub(super) fn verdict(&self, within: Duration) -> Result<(), Failure> {
        let mut wrong = String::new();
        if self.missing() > 0 {
            let _ = write!(
                wrong,
                "{} did not arrive within {} s",
                units::counted(self.missing() as u64, "hit"),
                within.as_secs()
            );
        }
        if self.unverified > 0 {
            let also = if wrong.is_empty() { "" } else { "; " };
            let _ = write!(
                wrong,
                "{also}{} had no valid signature",
                units::counted(self.unverified, "notification")
            );
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Runtime(wrong)) }
    }

    fn median(&self) -> Option<Duration> {
        self.latencies.get(self.latencies.len() / 2).copied()
    }
}

fn row(name: &str, count: u64, words: &str) -> String {
    format!("  {name:<9}{:>8}  {words}", units::count(count))
}

/// Items joined by commas, in lines of at most 76 columns.
fn wrapped(items: &[String]) -> Vec<String> {
    const COLUMNS: usize = 76;
    let mut lines: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item = if index + 1 < items.len() { format!("{item},") } else { item.clone() };
        match lines.last_mut() {
            Some(line) if line.len() + 1 + item.len() <= COLUMNS => {
                line.push(' ');
                line.push_str(&item);
            }
            _ => lines.push(item),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::objects;
    use bytes::Bytes;
    use hitwire_event::ClientId;
    use serde_json::json;
    use std::time::SystemTime;

    fn notification(hits: &[&ExpectedHit], signature: Signature) -> Received {
        let hit = |hit: &&ExpectedHit| {
            let (index, document) = hit.id.as_str().split_once('/').unwrap();
            json!({"id": [index, document], "type": hit.attack_type, "block_status": "blocked"})
        };
        let body = Bytes::from(hits.iter().map(hit).collect::<serde_json::Value>().to_string());
        Received {
            at: SystemTime::now(),
            arrived: Instant::now(),
            peer: ([127, 0, 0, 1], 1).into(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            webhook_id: None,
            objects: objects(&body),
            body,
            signature,
            answered: 200,
        }
    }

    #[test]
    fn a_hit_that_does_not_arrive_is_a_failure() {
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        let hits: Vec<_> = script.hits().collect();
        let mut tally = Tally::of(&script);
        tally.received(&notification(&hits[1..], Signature::Verified));
        assert_eq!(tally.missing(), 1);
        let verdict = tally.verdict(Duration::from_secs(30)).unwrap_err();
        assert!(matches!(verdict, Failure::Runtime(why) if why == "1 hit did not arrive within 30 s"));
        tally.received(&notification(&hits[..1], Signature::Verified));
        assert!(tally.verdict(Duration::from_secs(30)).is_ok());
    }

    #[test]
    fn a_hit_that_comes_again_is_counted_apart() {
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        let hits: Vec<_> = script.hits().collect();
        let mut tally = Tally::of(&script);
        tally.received(&notification(&hits, Signature::Verified));
        tally.received(&notification(&hits[..2], Signature::Verified));
        assert_eq!((tally.missing(), tally.surplus), (0, 2));
        assert!(tally.summary(0, Terminal::plain()).contains("surplus         2"));
    }

    #[test]
    fn a_signature_that_is_not_right_is_a_failure() {
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        let hits: Vec<_> = script.hits().collect();
        let mut tally = Tally::of(&script);
        tally.received(&notification(&hits, Signature::Unsigned));
        let verdict = tally.verdict(Duration::from_secs(30)).unwrap_err();
        assert!(matches!(verdict, Failure::Runtime(why) if why == "1 notification had no valid signature"));
    }

    #[test]
    fn the_latency_is_from_the_record_to_the_hit() {
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        let hits: Vec<_> = script.hits().collect();
        let mut tally = Tally::of(&script);
        let received = notification(&hits, Signature::Verified);
        let written = received.arrived.checked_sub(Duration::from_millis(7)).unwrap();
        tally.received(&received);
        tally.written(vec![written; script.records()]);
        assert_eq!(tally.median(), Some(Duration::from_millis(7)));
    }
}
