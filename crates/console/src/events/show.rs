//! One event: what it says, as it is kept, and its way through each integration.

use super::{check, kind_words};
use crate::failure::Failure;
use crate::frame::{Frame, Nav};
use crate::session::Session;
use crate::{Console, Shared, text};
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use hitwire_event::{Glance, Kind, Record, Seq, cut};
use hitwire_receiver::{Labels, Rendered as _, Rendering, Style};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;

/// Bytes of an event that are shown; there may be a megabyte.
const SHOWN_BYTES_MAX: usize = 256 << 10;

/// Bytes of a field that are shown, and fields.
const FIELD_BYTES_MAX: usize = 2_048;
const FIELDS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "events/show.html")]
struct Page {
    frame: Frame,
    seq: u64,
    appended_ms: u64,
    time_ms: Option<u64>,
    kind: &'static str,
    headline: String,
    id_reused: bool,
    fields: Vec<Field>,
    pretty: String,
    is_cut: bool,
    bytes: u64,
    /// None: whoever looks may not see them.
    ways: Option<Vec<Way>>,
    more_ways: Option<u64>,
    /// Whether the integrations' own pages are for whoever reads this.
    opens_integrations: bool,
    back: &'static str,
    back_label: &'static str,
}

/// A member of the event.
struct Field {
    name: String,
    value: String,
    is_cut: bool,
}

/// Its way through an integration, as the API tells it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Way {
    pub(super) integration: u64,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) state: String,
    /// Whether it is on record, and not a conclusion from the settings of today.
    pub(super) certain: bool,
    pub(super) detail: String,
    pub(super) attempts: u64,
    pub(super) attempt: Option<Attempt>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Attempt {
    id: u64,
    number: u32,
    delivered: bool,
    status: Option<u16>,
    ended_at: String,
}

impl Way {
    /// Whether the integration got the event, and if it did or may have got it, whether that is certain.
    pub(super) fn is_delivered(&self) -> Option<bool> {
        match &*self.state {
            "delivered" => Some(self.certain),
            // A batch reached over it, by other settings than those of today.
            "settled" if self.attempt.as_ref().is_some_and(|attempt| attempt.delivered) => Some(false),
            _ => None,
        }
    }

    /// A class of a badge.
    fn class(&self) -> &'static str {
        match &*self.state {
            "delivered" => "ok",
            "on_its_way" | "settled" => "info",
            "waiting" | "skipped" => "warn",
            "dead" => "bad",
            _ => "",
        }
    }

    fn words(&self) -> &'static str {
        match &*self.state {
            "delivered" if self.certain => "Delivered",
            // A batch that spans it was; by the settings of today it was part of that.
            "delivered" => "Probably delivered",
            "on_its_way" => "On its way",
            "waiting" => "Waiting",
            "settled" => "Settled",
            "filtered_out" => "Filtered out",
            "dead" => "Given up",
            "skipped" => "Skipped",
            _ => "Not subscribed",
        }
    }
}

#[derive(Deserialize)]
struct Ways {
    deliveries: Vec<Way>,
    next: Option<u64>,
}

/// What became of an event, for the first integrations of a client.
pub(super) async fn ways(console: &Console, session: &Session, seq: u64) -> Result<Vec<Way>, Failure> {
    let answered = console.get(session, &format!("/v1/events/{seq}/deliveries")).await;
    match answered {
        Ok(answered) => Ok(answered.read::<Ways>()?.deliveries),
        // It has left the log.
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Ok(Vec::new()),
        Err(refused) => Err(refused.into()),
    }
}

pub(super) async fn show(
    State(console): State<Shared>,
    session: Session,
    Path(seq): Path<u64>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    let record = find(&console, &session, seq).await?;
    let event = &record.event;
    let (mut ways, mut more_ways) = (None, None);
    if console.may(&session, &Method::GET, "/v1/events/{seq}/deliveries") {
        let query = query.unwrap_or_default();
        let after = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
        let after: u64 = after.and_then(|(_, value)| value.parse().ok()).unwrap_or_default();
        let answered = console.get(&session, &format!("/v1/events/{seq}/deliveries?after={after}")).await?;
        let told: Ways = answered.read()?;
        (ways, more_ways) = (Some(told.deliveries), told.next);
    }
    let kept = shown_body(&record);
    let glance = Glance::at(event, 0);
    let (nav, back, back_label) = match event.kind {
        Kind::Vulnerability(_) => (Nav::Vulnerabilities, "/vulnerabilities", "Vulnerabilities"),
        _ => (Nav::Events, "/events", "Events"),
    };
    let headline = match (&glance.title, &glance.type_code) {
        (Some(title), _) if !title.is_empty() => cut(title, 200).to_owned(),
        (_, Some(type_code)) => {
            let at = glance
                .domain
                .as_deref()
                .map(|domain| format!(" at {}", cut(domain, 200)))
                .unwrap_or_default();
            format!("{}{at}", cut(type_code, 64))
        }
        _ => kind_words(event.kind).to_owned(),
    };
    let page = Page {
        frame: Frame::new(&console, &session, nav, format!("Event {seq}")),
        seq,
        appended_ms: record.appended_ms,
        time_ms: glance.time_s.map(|time_s| time_s.saturating_mul(1_000)),
        kind: kind_words(event.kind),
        headline,
        id_reused: record.id_reused,
        fields: fields(kept),
        pretty: text::indented(cut(kept, SHOWN_BYTES_MAX)),
        is_cut: kept.len() > SHOWN_BYTES_MAX,
        bytes: kept.len() as u64,
        ways,
        more_ways,
        opens_integrations: console.may(&session, &Method::GET, "/v2/integration/{id}"),
        back,
        back_label,
    };
    Ok(Html(page.render()?))
}

/// The event as it is kept, byte for byte, as a file: nothing of it is shown.
pub(super) async fn raw(
    State(console): State<Shared>,
    session: Session,
    Path(seq): Path<u64>,
) -> Result<Response, Failure> {
    let record = find(&console, &session, seq).await?;
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"event-{seq}.json\"")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, shown_body(&record).to_owned()).into_response())
}

/// The event at a position, if it is in the log and may be seen.
async fn find(console: &Shared, session: &Session, seq: u64) -> Result<Arc<Record>, Failure> {
    check(console, session)?;
    let gone = || Failure::not_found("There is no such event, or it has left the log.");
    let before = seq.checked_sub(1).filter(|_| i64::try_from(seq).is_ok()).ok_or_else(gone)?;
    let page = console.store.follow(Seq(before), 1, 1).await?;
    let record = page.records.into_iter().next().ok_or_else(gone)?;
    let event = &record.event;
    let is_it = record.seq == Seq(seq) && event.client == session.user.client && event.kind != Kind::Counter;
    if is_it { Ok(record) } else { Err(gone()) }
}

/// The body as it is kept, without the secrets that an older version kept in headers.
fn shown_body(record: &Record) -> &str {
    const WITH_HEADERS: Rendering = Rendering { style: Style::Classic, with_headers: true };
    match record.event.kind {
        Kind::Hit => record.rendered(WITH_HEADERS, &Labels::default()),
        _ => &record.event.body,
    }
}

/// The members of an event, in its order: strings as they are, everything else as JSON.
fn fields(body: &str) -> Vec<Field> {
    let members: Members<'_> = serde_json::from_str(body).unwrap_or_default();
    let field = |(name, value): (String, &RawValue)| {
        let text = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
        Field {
            name: cut(&name, FIELD_BYTES_MAX).to_owned(),
            is_cut: text.len() > FIELD_BYTES_MAX,
            value: cut(&text, FIELD_BYTES_MAX).to_owned(),
        }
    };
    members.0.into_iter().map(field).filter(|field| field.value != "null").collect()
}

/// The members of an object, numbers as they are written.
#[derive(Default)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.len() < FIELDS_MAX {
                        members.push((name, value));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_their_numbers() {
        let fields = fields(r#"{"z":0.10,"a":"<b>","n":null,"p":["x",1E3]}"#);
        let told: Vec<_> = fields.iter().map(|field| (&*field.name, &*field.value)).collect();
        assert_eq!(told, [("z", "0.10"), ("a", "<b>"), ("p", r#"["x",1E3]"#)]);
    }

    #[test]
    fn a_long_field_is_cut() {
        let body = format!(r#"{{"a":"{}"}}"#, "é".repeat(2_000));
        let fields = fields(&body);
        assert!(fields[0].is_cut && fields[0].value.len() <= FIELD_BYTES_MAX);
    }
}
