//! An event's canonical JSON into what an integration asked for, and records into a request body.

mod classic;

use crate::Record;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// The shape of the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// The bare object: what the seed's document shows.
    #[default]
    Classic,
}

/// How an integration wants its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rendering {
    /// The shape of the objects.
    pub style: Style,
    /// Hits carry the request's headers.
    pub with_headers: bool,
}

impl Rendering {
    /// How many renderings there are.
    const COUNT: usize = 2;

    /// The place of this rendering among all.
    const fn index(self) -> usize {
        match self.style {
            Style::Classic => self.with_headers as usize,
        }
    }
}

/// How the objects of a batch make a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON array, without blanks.
    #[default]
    Json,
    /// One object a line, each line ended by `\n` (NDJSON).
    Jsonl,
}

impl Format {
    /// The value of the header `content-type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Jsonl => "application/x-ndjson",
        }
    }
}

/// The renderings of one record, each made at most once, when it is first asked for.
#[derive(Debug, Default)]
pub struct Rendered {
    /// By [`Rendering::index`]; `None` inside stands for "as stored".
    made: [OnceLock<Option<Box<str>>>; Rendering::COUNT],
}

impl Rendered {
    /// The object as `rendering` writes it. Where that is the stored body, it is the stored body: no copy is made.
    pub fn get_or_render<'a>(&'a self, rendering: Rendering, record: &'a Record) -> &'a str {
        let made = self.made[rendering.index()].get_or_init(|| match rendering.style {
            Style::Classic => classic::render(&record.event, rendering.with_headers),
        });
        made.as_deref().unwrap_or(&record.event.body)
    }
}

/// The body of a request that carries these records, in their order: an array (`[]` for none), or lines.
pub fn body(records: &[Arc<Record>], rendering: Rendering, format: Format) -> Vec<u8> {
    let mut body = Vec::with_capacity(body_len(records, rendering, format));
    if format == Format::Json {
        body.push(b'[');
    }
    for (place, record) in records.iter().enumerate() {
        if format == Format::Json && place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(record.rendered(rendering).as_bytes());
        if format == Format::Jsonl {
            body.push(b'\n');
        }
    }
    if format == Format::Json {
        body.push(b']');
    }
    body
}

/// The length of that body in bytes, without making it.
pub fn body_len(records: &[Arc<Record>], rendering: Rendering, format: Format) -> usize {
    let objects: usize = records.iter().map(|record| record.rendered(rendering).len()).sum();
    objects
        + match format {
            // The brackets, and a comma between two.
            Format::Json => 2 + records.len().saturating_sub(1),
            Format::Jsonl => records.len(),
        }
}
