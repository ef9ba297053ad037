//! What filters look at, found in an event's canonical body.

use crate::hit::BlockStatus;
use crate::json::{self, Member, Raw, Scanner, Shape};
use crate::{Event, Kind};
use std::borrow::Cow;
use std::net::IpAddr;

/// So many of an event's `applications` are looked at. An event may be a megabyte of names, and every filter reads them.
const APPLICATIONS_MAX: usize = 100;

/// What filters look at. See [`Record::facets`](crate::Record::facets).
#[derive(Clone, Copy, Debug)]
pub struct Facets<'a> {
    body: &'a str,
    found: &'a Found,
}

/// Where the answers stand in the body, or what they are. No text is copied: a record's size is the same with it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    domain: Option<Span>,
    attack_type: Option<Span>,
    /// A string, a number, or an array.
    applications: Option<Span>,
    address: Option<IpAddr>,
    block_status: Option<BlockStatus>,
    score: Option<f64>,
}

/// A value's place in a body. Bodies are no longer than [`EVENT_BYTES_MAX`](crate::event::EVENT_BYTES_MAX).
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl Found {
    /// Reads a hit's or a vulnerability's body; nothing is found in the others, which no filter concerns.
    pub(crate) fn in_event(event: &Event) -> Found {
        match event.kind {
            Kind::Hit | Kind::Vulnerability(_) => {}
            _ => return Found::default(),
        }
        let mut found = Found::default();
        for member in json::members(&event.body).unwrap_or_default() {
            found.read(&member, event);
        }
        found
    }

    fn read(&mut self, member: &Member<'_>, event: &Event) {
        let text = || (member.value.shape == Shape::String).then(|| member.value.unquoted());
        let span = || Span::of(member.value.text, &event.body);
        let of_hit = event.kind == Kind::Hit;
        match &*member.name {
            "domain" if member.value.shape == Shape::String => self.domain = span(),
            "applications" if matches!(member.value.shape, Shape::String | Shape::Number | Shape::Array) => {
                self.applications = span();
            }
            "type" if of_hit && member.value.shape == Shape::String => self.attack_type = span(),
            "block_status" if of_hit => {
                self.block_status = text().and_then(|name| BlockStatus::from_name(&name));
            }
            "remote_addr4" | "remote_addr6" if of_hit => {
                self.address = self.address.or_else(|| text()?.parse().ok());
            }
            // JSON's numbers are Rust's too.
            "probability" if of_hit && member.value.shape == Shape::Number => {
                self.score = member.value.text.parse().ok();
            }
            _ => {}
        }
    }
}

impl Span {
    /// `value` must be a part of `body`.
    fn of(value: &str, body: &str) -> Option<Span> {
        let start = value.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
        Some(Span { start: start.try_into().ok()?, end: (start + value.len()).try_into().ok()? })
    }
}

impl<'a> Facets<'a> {
    pub(crate) fn new(body: &'a str, found: &'a Found) -> Self {
        Facets { body, found }
    }

    /// `domain`, as it stands.
    pub fn domain(&self) -> Option<Cow<'a, str>> {
        self.string(self.found.domain?)
    }

    /// A hit's `type`.
    pub fn attack_type(&self) -> Option<Cow<'a, str>> {
        self.string(self.found.attack_type?)
    }

    /// A hit's `remote_addr4` or `remote_addr6`.
    pub fn address(&self) -> Option<IpAddr> {
        self.found.address
    }

    /// A hit's `block_status`.
    pub fn block_status(&self) -> Option<BlockStatus> {
        self.found.block_status
    }

    /// A hit's `probability`: for CRS sources the sum of the scores of its rules.
    pub fn score(&self) -> Option<f64> {
        self.found.score
    }

    /// The applications in `applications`, an array or a single one, by name or by id (a number, as it is written); no more than
    /// the first 100.
    pub fn applications(&self) -> impl Iterator<Item = Cow<'a, str>> {
        let text = self.found.applications.and_then(|span| self.text(span));
        let (one, several) = match text {
            Some(text) if text.starts_with('[') => (None, Some(json::elements_of(text))),
            Some(text) => (Scanner::new(text).value().ok().and_then(application), None),
            None => (None, None),
        };
        let several = several.into_iter().flatten().take(APPLICATIONS_MAX).filter_map(application);
        one.into_iter().chain(several)
    }

    fn text(&self, span: Span) -> Option<&'a str> {
        self.body.get(span.start as usize..span.end as usize)
    }

    fn string(&self, span: Span) -> Option<Cow<'a, str>> {
        let value = Scanner::new(self.text(span)?).value().ok()?;
        Some(value.unquoted())
    }
}

/// An application as a hit names it: its name, or its id as text.
fn application(value: Raw<'_>) -> Option<Cow<'_, str>> {
    match value.shape {
        Shape::String => Some(value.unquoted()),
        Shape::Number => Some(Cow::Borrowed(value.text)),
        _ => None,
    }
}
