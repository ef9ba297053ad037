//! Test messages: what a caller asks for, and what became of one.

use crate::description::schema::EventKindName;
use crate::fields::Fields;
use crate::history::sees_address;
use hitwire_delivery::{Trial, Tried, refusal_in_words, without_secrets};
use hitwire_endpoint::{Message, Response, Timings};
use hitwire_event::Kind;
use hitwire_event::escape::{visible, visible_lines};
use hitwire_store::{AttemptTimings, HttpMethod, Integration, MASK, ResponseDetail, Role, Target};
use http::HeaderMap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// Which test message.
#[derive(Debug, Default)]
pub(crate) struct AskedTest {
    /// `None`: each that is ticked.
    pub(crate) kind: Option<Kind>,
}

impl AskedTest {
    /// Reads `{"event": "siem"}`, all of it optional.
    pub(crate) fn read(mut fields: Fields<'_>) -> AskedTest {
        let event = fields.string("event");
        // An older name may stand for several kinds: the first of them is an example of all.
        let kind = event.as_deref().and_then(|event| Kind::named(event).first().copied());
        if let (Some(event), None) = (event, kind) {
            let known = Kind::ALL.map(Kind::name).join(", ");
            fields.refuse("event", format!("\"{event}\" is not an event; events are: {known}"));
        }
        fields.finish();
        AskedTest { kind }
    }
}

/// What was sent, and what became of it. No secret of the integration is in it, even if the receiver answers with one.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = TestMessage)]
pub(crate) struct TestAnswer {
    delivered: bool,
    #[schema(value_type = EventKindName)]
    event: &'static str,
    request: RequestAnswer,
    response: Option<ResponseAnswer>,
    /// Where the request went, or would have gone. Internal addresses are for operators; null for others.
    address: Option<String>,
    timings_ms: TimingsAnswer,
    error: Option<String>,
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = TestRequest)]
pub(crate) struct RequestAnswer {
    method: &'static str,
    url: String,
    headers: BTreeMap<String, Values>,
    body: String,
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = TestResponse)]
pub(crate) struct ResponseAnswer {
    status: u16,
    headers: BTreeMap<String, Values>,
    body: String,
    /// The body was longer than what is kept of it.
    truncated: bool,
    /// Why the body did not arrive whole; null if it did. The status counts all the same.
    incomplete: Option<String>,
}

/// A header that came once, or several times.
#[derive(Clone, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = HeaderValues)]
pub(crate) enum Values {
    One(String),
    Several(Vec<String>),
}

/// Milliseconds; null for a part that was not reached.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Timings)]
pub(crate) struct TimingsAnswer {
    dns: Option<f64>,
    connect: Option<f64>,
    tls: Option<f64>,
    first_byte: Option<f64>,
    total: f64,
}

impl TestAnswer {
    pub(crate) fn of(integration: &Integration, kind: Kind, tried: Tried, role: Role) -> Self {
        let target = &integration.target;
        let Tried { message, headers, sent } = tried;
        let request = RequestAnswer::of(target, &message, &headers);
        let (response, error) = match sent.outcome {
            Ok(response) => {
                let error = refusal_in_words(&response, target, message.timestamp_s);
                (Some(ResponseAnswer::of(&response, target)), error)
            }
            Err(error) => (None, Some(error.to_string())),
        };
        TestAnswer {
            delivered: error.is_none(),
            event: kind.name(),
            request,
            response,
            address: sent
                .address
                .map(|address| address.to_string())
                .filter(|address| sees_address(address, role)),
            timings_ms: sent.timings.into(),
            error,
        }
    }

    pub(crate) fn delivered(&self) -> bool {
        self.delivered
    }

    /// Whether there was a complete answer, be it a refusal.
    pub(crate) fn was_answered(&self) -> bool {
        self.response.is_some()
    }
}

/// What was sent of several kinds, and what became of it. Its own fields are those of the first message that was not delivered,
/// or else of the first one, as in the answer to a test of one kind.
#[derive(Serialize, ToSchema)]
#[schema(as = TestMessages)]
pub(crate) struct TestsAnswer {
    #[serde(flatten)]
    first: TestAnswer,
    /// Each message, in the order of sending. Only if the test named no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 5)]
    messages: Option<Vec<TestAnswer>>,
    /// Events of which no message was sent, or none in time: those after one that got no complete answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 4)]
    not_sent: Option<Vec<&'static str>>,
}

impl TestsAnswer {
    /// What became of at least one message.
    pub(crate) fn of(messages: Vec<TestAnswer>, not_sent: Vec<&'static str>) -> Option<Self> {
        let first = messages.iter().find(|message| !message.delivered).or(messages.first())?.clone();
        Some(TestsAnswer { first, messages: Some(messages), not_sent: Some(not_sent) })
    }

    /// The answer to a test of one kind.
    pub(crate) fn of_one(message: TestAnswer) -> Self {
        TestsAnswer { first: message, messages: None, not_sent: None }
    }

    /// Whether all were.
    pub(crate) fn delivered(&self) -> bool {
        self.first.delivered
    }
}

/// What a test message would be: nothing is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = RenderedMessage)]
pub(crate) struct RenderedAnswer {
    #[schema(value_type = EventKindName)]
    event: &'static str,
    request: RequestAnswer,
}

impl RenderedAnswer {
    pub(crate) fn of(integration: &Integration, kind: Kind, trial: &Trial) -> Self {
        let request = RequestAnswer::of(&integration.target, &trial.message, &trial.headers);
        RenderedAnswer { event: kind.name(), request }
    }
}

impl RequestAnswer {
    fn of(target: &Target, message: &Message, headers: &HeaderMap) -> Self {
        RequestAnswer {
            method: match target.http_method {
                HttpMethod::Post => "POST",
                HttpMethod::Put => "PUT",
            },
            url: target.url.expose().to_owned(),
            headers: by_name(named(headers, |value| {
                if value.is_sensitive() { MASK.to_owned() } else { text(value.as_bytes()) }
            })),
            body: text(&message.body),
        }
    }
}

impl ResponseAnswer {
    fn of(response: &Response, target: &Target) -> Self {
        let harmless = |said: &[u8]| visible(&without_secrets(said, target)).into_owned();
        ResponseAnswer {
            status: response.status,
            headers: by_name(named(&response.headers, |value| harmless(value.as_bytes()))),
            body: visible_lines(&without_secrets(&response.body, target)),
            truncated: response.truncated,
            incomplete: response.incomplete.as_ref().map(|why| visible(&why.to_string()).into_owned()),
        }
    }

    /// What was kept of an answer, its secrets masked before.
    pub(crate) fn kept(response: &ResponseDetail) -> Self {
        let headers = response.headers.iter();
        ResponseAnswer {
            status: response.status,
            headers: by_name(headers.map(|(name, value)| (name.as_str(), visible(value).into_owned()))),
            body: visible_lines(&response.body),
            truncated: response.truncated,
            incomplete: response.incomplete.as_deref().map(|why| visible(why).into_owned()),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Headers as they are shown, in the order of the message.
fn named(
    headers: &HeaderMap,
    show: impl Fn(&http::HeaderValue) -> String,
) -> impl Iterator<Item = (&str, String)> {
    headers.iter().map(move |(name, value)| (name.as_str(), show(value)))
}

/// Headers by their names.
pub(crate) fn by_name<'a>(headers: impl Iterator<Item = (&'a str, String)>) -> BTreeMap<String, Values> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        all.entry(name.to_owned()).or_default().push(value);
    }
    let values = |mut values: Vec<String>| match values.len() {
        1 => Values::One(values.remove(0)),
        _ => Values::Several(values),
    };
    all.into_iter().map(|(name, several)| (name, values(several))).collect()
}

impl From<AttemptTimings> for TimingsAnswer {
    fn from(timings: AttemptTimings) -> Self {
        let ms = |us: u64| us as f64 / 1_000.0;
        TimingsAnswer {
            dns: timings.dns_us.map(ms),
            connect: timings.connect_us.map(ms),
            tls: timings.tls_us.map(ms),
            first_byte: timings.first_byte_us.map(ms),
            total: ms(timings.total_us),
        }
    }
}

impl From<Timings> for TimingsAnswer {
    fn from(timings: Timings) -> Self {
        // To the microsecond: a receiver on the same machine answers in less than a millisecond.
        let ms = |took: Duration| took.as_micros() as f64 / 1_000.0;
        TimingsAnswer {
            dns: timings.dns.map(ms),
            connect: timings.connect.map(ms),
            tls: timings.tls.map(ms),
            first_byte: timings.first_byte.map(ms),
            total: ms(timings.total),
        }
    }
}
