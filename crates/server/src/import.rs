//! A whole file into bodies for `POST /v1/events`: the pure half of `hitwire import`.
//!
//! A hit's id follows from its record and the record's place in the file, and its content from the record alone, so
//! importing a file twice gives duplicates, not new events. Therefore the time of an imported hit's record
//! (`create_time`) is the time of its request, not the time of the import.

use hitwire_source::lines::{Line, Lines};
use hitwire_source::{Position, Settings, modsecurity};
use std::collections::BTreeMap;
use std::io::{self, BufRead};

/// Bytes of one body: well below the 8 MiB that a server takes.
const CHUNK_BYTES: usize = 1 << 20;

/// Events of one body.
const CHUNK_EVENTS: usize = 1_000;

/// Problems that a summary quotes; it counts them all.
const PROBLEMS_QUOTED: usize = 10;

/// A body for `POST /v1/events`: one object a line (`application/x-ndjson`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The body.
    pub body: Vec<u8>,
    /// Events in it.
    pub events: usize,
}

/// What was in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that were read.
    pub records: u64,
    /// Records that told of no attack.
    pub without_hits: u64,
    /// Records that were not valid UTF-8; their bad bytes became U+FFFD.
    pub lossy: u64,
    /// Hits by attack type.
    pub hits: BTreeMap<String, u64>,
    /// Hits of requests that were blocked.
    pub blocked: u64,
    /// Lines that are no records.
    pub errors: u64,
    /// The first of them: the byte offset of the line, and what is wrong with it.
    pub problems: Vec<(u64, String)>,
}

impl Summary {
    /// All hits.
    pub fn hits_total(&self) -> u64 {
        self.hits.values().sum()
    }
}

/// Reads a file of records and gives bodies.
#[derive(Debug)]
pub struct ModSecurityFile<R> {
    lines: Lines<R>,
    settings: Settings,
    summary: Summary,
}

impl<R: BufRead> ModSecurityFile<R> {
    /// Reads `input`, which is complete.
    pub fn new(input: R, settings: Settings) -> Self {
        ModSecurityFile { lines: Lines::new(input), settings, summary: Summary::default() }
    }

    /// The next body; none at the end of the file.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        while chunk.events < CHUNK_EVENTS && chunk.body.len() < CHUNK_BYTES {
            let Some(line) = self.lines.next() else { break };
            match line? {
                Line::Whole { offset, bytes, .. } => self.convert(offset, &bytes, &mut chunk),
                Line::Oversized(line) => {
                    self.refuse(
                        line.offset,
                        format!("the line has {} bytes, which is too long", line.length),
                    );
                }
            }
        }
        Ok((chunk.events > 0).then_some(chunk))
    }

    /// What was in the file as far as it was read.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn convert(&mut self, offset: u64, line: &[u8], chunk: &mut Chunk) {
        let mut record = match modsecurity::convert(line, Position { offset }, &self.settings, 0) {
            Ok(record) => record,
            Err(error) => return self.refuse(offset, error.to_string()),
        };
        self.summary.records += 1;
        self.summary.without_hits += u64::from(record.hits.is_empty());
        self.summary.lossy += u64::from(record.lossy);
        for hit in &mut record.hits {
            hit.create_time = hit.request_time;
            *self.summary.hits.entry(hit.attack_type.to_string()).or_default() += 1;
            self.summary.blocked += u64::from(hit.block_status == hitwire_event::hit::BlockStatus::Blocked);
            let event = hit.to_event(self.settings.client);
            chunk.body.extend_from_slice(event.body.as_bytes());
            chunk.body.push(b'\n');
            chunk.events += 1;
        }
    }

    fn refuse(&mut self, offset: u64, problem: String) {
        self.summary.errors += 1;
        if self.summary.problems.len() < PROBLEMS_QUOTED {
            self.summary.problems.push((offset, problem));
        }
    }
}
