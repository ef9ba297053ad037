//! An event's canonical JSON into what an integration asked for, and records into a request body.

mod classic;
mod envelope;
mod labels;
mod lines;

pub use labels::{CLOUD, Labels, PRODUCT};

use hitwire_event::{Event, Kind, MADE_MAX, Record};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The shape of the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// The bare object: what the seed's document shows.
    #[default]
    Classic,
    /// `summary`, `description`, `details`: what the original sends since 2021.
    Envelope,
}

impl Style {
    /// All of them.
    pub const ALL: [Style; 2] = [Style::Classic, Style::Envelope];

    /// Its name in the API, in configuration files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Style::Classic => "classic",
            Style::Envelope => "envelope",
        }
    }

    /// The style with this name.
    pub fn named(name: &str) -> Option<Style> {
        Style::ALL.into_iter().find(|style| style.name() == name)
    }
}

/// Stands before the words of a test message.
pub const TEST_PREFIX: &str = "[Test message] ";

/// How an integration wants its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rendering {
    /// The shape of the objects.
    pub style: Style,
    /// Hits carry the request's headers.
    pub with_headers: bool,
}

impl Rendering {
    /// The place of this rendering among all, and among what a record keeps.
    const fn index(self) -> usize {
        self.style as usize * 2 + self.with_headers as usize
    }
}

/// A record must have a place for each rendering.
const _: () = assert!(2 * Style::ALL.len() == MADE_MAX);

/// How the objects of a batch make a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON array, without blanks.
    #[default]
    Json,
    /// One object a line, each line ended by `\n` (NDJSON), without any character that a reader could take for a line end.
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

/// What a record is in a rendering.
pub trait Rendered {
    /// The object as `rendering` writes it, without blanks. Made at most once for each rendering and shared by every
    /// integration that asks for it. `labels` are those of the event's client; see [`Labels`] for when they change. Where it is
    /// the stored body, it is the stored body: no copy is made.
    fn rendered(&self, rendering: Rendering, labels: &Labels) -> &str;

    /// Bytes of memory that the record takes, as if all renderings were made. Always the same for a record.
    fn weight_rendered(&self) -> usize;
}

impl Rendered for Record {
    fn rendered(&self, rendering: Rendering, labels: &Labels) -> &str {
        // Most hits have no headers: whether they would be sent makes no difference to them, and no second copy.
        let with_headers = rendering.with_headers && may_have_headers(&self.event);
        let rendering = Rendering { with_headers, ..rendering };
        self.made(rendering.index(), || match rendering.style {
            Style::Classic => classic::render(&self.event, labels, with_headers, self.is_test()),
            Style::Envelope => envelope::render(&self.event, labels, with_headers, self.is_test()),
        })
    }

    fn weight_rendered(&self) -> usize {
        self.weight() + rendered_bytes_max(&self.event)
    }
}

/// Bytes that the renderings of an event take at most, if all are made, but for what labels are longer than usual, and for a
/// copy with masked headers: those come masked, but in events that an older version took in, and these are read from the
/// disk alone.
fn rendered_bytes_max(event: &Event) -> usize {
    let body = event.body.len();
    match event.kind {
        // Classic without headers, and two envelopes.
        Kind::Hit if may_have_headers(event) => 3 * body + 2 * envelope::ENVELOPE_BYTES,
        Kind::Hit => body + envelope::ENVELOPE_BYTES,
        // Classic with a link, and one envelope, whose description tells the fields again.
        Kind::Vulnerability(_) => 3 * body + 2 * envelope::ENVELOPE_BYTES,
        // One envelope, likewise.
        _ => 2 * body + envelope::ENVELOPE_BYTES,
    }
}

/// Decided by the last bytes alone: `headers` and all that hitwire does not know stand after `object_type`.
fn may_have_headers(event: &Event) -> bool {
    event.kind == Kind::Hit && !event.body.ends_with(r#","object_type":"hit"}"#)
}

/// The body of a request that carries these records, in their order: an array (`[]` for none), or lines.
pub fn body(records: &[Arc<Record>], rendering: Rendering, labels: &Labels, format: Format) -> Vec<u8> {
    let mut body = Vec::with_capacity(body_len(records, rendering, labels, format));
    match format {
        Format::Json => {
            body.push(b'[');
            for (place, record) in records.iter().enumerate() {
                if place > 0 {
                    body.push(b',');
                }
                body.extend_from_slice(record.rendered(rendering, labels).as_bytes());
            }
            body.push(b']');
        }
        Format::Jsonl => {
            for record in records {
                lines::push_line(&mut body, record.rendered(rendering, labels));
            }
        }
    }
    body
}

/// The length of that body in bytes, without making it.
pub fn body_len(records: &[Arc<Record>], rendering: Rendering, labels: &Labels, format: Format) -> usize {
    let objects: usize =
        records.iter().map(|record| object_len(record.rendered(rendering, labels), format)).sum();
    match format {
        // The brackets, and a comma between two.
        Format::Json => 2 + objects + records.len().saturating_sub(1),
        Format::Jsonl => objects + records.len(),
    }
}

/// The bytes that an object takes in a body of this format, without the comma or line end behind it.
pub fn object_len(rendered: &str, format: Format) -> usize {
    match format {
        Format::Json => rendered.len(),
        Format::Jsonl => lines::line_len(rendered),
    }
}
