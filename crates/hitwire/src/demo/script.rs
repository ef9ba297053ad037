//! What the WAF of the demo writes: real records, and the hits that each must become.

use crate::failure::Failure;
use hitwire_event::{ClientId, EventId};
use hitwire_source::{Position, Settings, modsecurity};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records that libmodsecurity 3 with the OWASP Core Rule Set wrote under attack, one a line, some blocked, some only
/// watched, some not valid UTF-8.
const SAMPLE: &[u8] = include_bytes!("../../demo/modsecurity-audit.jsonl");

/// Records in the order in which they are written.
#[derive(Debug)]
pub(super) struct Script {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    /// With its line end.
    bytes: &'static [u8],
    hits: Vec<ExpectedHit>,
}

/// A hit that must arrive.
#[derive(Clone, Debug)]
pub(super) struct ExpectedHit {
    /// Its id.
    pub(super) id: EventId,
    /// Which record makes it.
    pub(super) record: usize,
    /// Its attack type.
    pub(super) attack_type: String,
}

impl Script {
    /// So many records of the sample, which is repeated as needed; without a number, once.
    ///
    /// The hits are found by the same conversion as in the server's source: an id holds the position of the record in its
    /// file, and what is written here alone is in that file.
    pub(super) fn of_sample(records: Option<u32>, client: ClientId) -> Result<Self, Failure> {
        let sample: Vec<_> = SAMPLE.split_inclusive(|byte| *byte == b'\n').collect();
        let records = records.map_or(sample.len(), |records| records as usize);
        let settings = Settings { client, ..Settings::default() };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut offset = 0;
        let mut lines = Vec::with_capacity(records);
        for (record, bytes) in sample.into_iter().cycle().take(records).enumerate() {
            let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let converted = modsecurity::convert(text, Position { offset }, &settings, now_s)
                .map_err(|error| Failure::Runtime(format!("record {} of the sample: {error}", record + 1)))?;
            let expected = |hit: hitwire_event::hit::Hit| ExpectedHit {
                id: hit.to_event(client).id,
                record,
                attack_type: hit.attack_type.0.into_owned(),
            };
            lines.push(Line { bytes, hits: converted.hits.into_iter().map(expected).collect() });
            offset += bytes.len() as u64;
        }
        Ok(Script { lines })
    }

    /// How many records there are.
    pub(super) fn records(&self) -> usize {
        self.lines.len()
    }

    /// How many of them hold no attack.
    pub(super) fn harmless(&self) -> usize {
        self.lines.iter().filter(|line| line.hits.is_empty()).count()
    }

    /// The number of the first line that holds an attack, counted from 1.
    pub(super) fn first_attack(&self) -> usize {
        self.lines.iter().position(|line| !line.hits.is_empty()).map_or(1, |index| index + 1)
    }

    /// All hits that must arrive.
    pub(super) fn hits(&self) -> impl Iterator<Item = &ExpectedHit> {
        self.lines.iter().flat_map(|line| &line.hits)
    }

    /// Appends the records to a file, so many a second, and tells when each was completely written. Blocks.
    pub(super) fn write(self, path: &Path, rate: u32) -> io::Result<Vec<Instant>> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let started = Instant::now();
        let mut written = Vec::with_capacity(self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            let due = started + Duration::from_secs_f64(index as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            file.write_all(line.bytes)?;
            written.push(Instant::now());
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_record_of_the_sample_is_understood_and_ends_its_line() {
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        assert!(script.records() >= 60, "{} records", script.records());
        assert!(script.harmless() > 0, "no record without an attack");
        assert!(script.lines.iter().all(|line| line.bytes.ends_with(b"\n")));
    }

    #[test]
    fn the_sample_shows_what_a_newcomer_should_see() {
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        let types: HashSet<_> = script.hits().map(|hit| hit.attack_type.as_str()).collect();
        assert!(types.is_superset(&HashSet::from(["sqli", "xss", "rce", "ptrav"])), "{types:?}");
        let read = String::from_utf8_lossy(SAMPLE);
        assert!(read.contains(char::REPLACEMENT_CHARACTER), "a real log under attack is not valid UTF-8");
    }

    #[test]
    fn a_repeated_record_is_another_event() {
        let once = Script::of_sample(None, ClientId(1)).unwrap();
        let twice = Script::of_sample(Some(once.records() as u32 * 2), ClientId(1)).unwrap();
        let ids: HashSet<_> = twice.hits().map(|hit| &hit.id).collect();
        assert_eq!(ids.len(), once.hits().count() * 2);
    }

    #[test]
    fn what_is_written_is_the_sample() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let script = Script::of_sample(None, ClientId(1)).unwrap();
        let records = script.records();
        assert_eq!(script.write(&path, 100_000).unwrap().len(), records);
        assert_eq!(std::fs::read(path).unwrap(), SAMPLE);
    }
}
