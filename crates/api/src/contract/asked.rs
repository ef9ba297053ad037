//! Bodies into what a caller asks for.

use super::answer::TYPE;
use super::filter;
use super::tested::AskedTest;
use crate::fields::{self, Errors, Fields};
use crate::problem::FieldError;
use hitwire_courier::Preset;
use hitwire_endpoint::{HEADERS_BYTES_MAX, PINS_MAX, Pin, ProxyInUse};
use hitwire_event::Kind;
use hitwire_event::filter::Filter;
use hitwire_receiver::{Format, Style};
use hitwire_store::{HttpMethod, HttpVersion, MASK, Secret};
use serde_json::value::RawValue;

/// Entries in `events`: more than there are names, older ones included.
const EVENTS_MAX: usize = 64;

/// Seconds that a timeout may have (contract.md section 1).
const TIMEOUT_S: std::ops::RangeInclusive<u64> = 1..=300;
const TIMEOUT_DEFAULT_S: u16 = 15;
const OPEN_TIMEOUT_DEFAULT_S: u16 = 20;

/// A batch may be limited to this many events; the upper end is what a courier grows to by itself.
const MAX_EVENTS: std::ops::RangeInclusive<u64> = 1..=5_000;

/// A batch may be limited to this many bytes; the upper end is what a courier grows to by itself, the lower end holds a
/// usual event.
const MAX_BYTES: std::ops::RangeInclusive<u64> = 4_096..=5 * 1_048_576;

/// Requests a minute: from one to one a millisecond, which is as good as no limit.
const RATE: std::ops::RangeInclusive<u64> = 1..=60_000;

/// Requests under way in a lane. More would hide a receiver that is too slow, and each may hold a batch of 5 MiB.
const IN_FLIGHT: std::ops::RangeInclusive<u64> = 1..=16;

/// What a caller asks for. `None`: not named, so it stays as it is, or takes its default.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) id: Option<u64>,
    pub(crate) clientid: Option<u64>,
    pub(crate) name: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) events: Option<Vec<AskedTick>>,
    pub(crate) filter: Option<Filter>,
    pub(crate) target: Option<AskedTarget>,
    pub(crate) signing_secret: Option<Secret>,
    /// Fields of the body that are passed over.
    pub(crate) warnings: Vec<FieldError>,
}

/// One kind of one entry in `events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskedTick {
    /// The entry's place in `events`: an older name may stand for several kinds.
    pub(crate) index: usize,
    pub(crate) kind: Kind,
    pub(crate) active: bool,
    pub(crate) with_headers: bool,
}

/// A setting that is hitwire's own. Clients of the original do not know it, so a change that leaves it out keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnSetting<T> {
    /// Not named: as it is; in a creation its default.
    LeftOut,
    /// `null`: its default.
    Default,
    /// As it is to be.
    Given(T),
}

impl<T> OwnSetting<T> {
    /// What it is to be: `current` is what there is, if there is something.
    pub(crate) fn or(self, current: Option<T>, default: T) -> T {
        match self {
            OwnSetting::LeftOut => current.unwrap_or(default),
            OwnSetting::Default => default,
            OwnSetting::Given(value) => value,
        }
    }

    /// Reads it with `take`.
    fn read(
        fields: &mut Fields<'_>,
        name: &str,
        take: impl FnOnce(&mut Fields<'_>, &str) -> Option<T>,
    ) -> Self {
        if !fields.has(name) {
            return OwnSetting::LeftOut;
        }
        // What is wrong is noted, and then this is of no use.
        take(fields, name).map_or(OwnSetting::Default, OwnSetting::Given)
    }
}

/// A target: whole in the original's fields. Secrets and hitwire's own settings may be left out.
#[derive(Debug)]
pub(crate) struct AskedTarget {
    pub(crate) url: Secret,
    pub(crate) http_method: HttpMethod,
    /// `None`: left out, so all headers stay as they are.
    pub(crate) headers: Option<Vec<AskedHeader>>,
    pub(crate) ca_file: String,
    pub(crate) ca_verify: bool,
    pub(crate) pins: OwnSetting<Vec<Pin>>,
    pub(crate) client: AskedClient,
    /// `None`: left out, so it stays as it is, since a key hangs on it.
    pub(crate) signing: Option<Signing>,
    pub(crate) timeout_s: u16,
    pub(crate) open_timeout_s: u16,
    pub(crate) http_version: OwnSetting<HttpVersion>,
    /// A URL in which credentials may stand.
    pub(crate) proxy: OwnSetting<Secret>,
    /// `None`: left out, so they stay as they are; an empty text takes them away.
    pub(crate) proxy_credentials: Option<Secret>,
    pub(crate) format: Format,
    pub(crate) rendering: OwnSetting<Style>,
    pub(crate) retry: OwnSetting<Preset>,
    pub(crate) max_events: OwnSetting<Option<u32>>,
    pub(crate) max_bytes: OwnSetting<Option<u32>>,
    pub(crate) rate: OwnSetting<Option<u32>>,
    pub(crate) in_flight: OwnSetting<u8>,
}

/// As whom to appear. `None`: left out, so it stays as it is; an empty text takes it away.
#[derive(Debug, Default)]
pub(crate) struct AskedClient {
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<Secret>,
    pub(crate) password: Option<Secret>,
}

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// With the secret.
    V1,
    /// With a private key too.
    V1a,
}

/// A header as it was sent.
#[derive(Debug)]
pub(crate) struct AskedHeader {
    pub(crate) name: String,
    pub(crate) value: Secret,
}

impl Asked {
    /// Whether it brings a certificate or key: to try a password for one takes a while.
    pub(crate) fn brings_an_identity(&self) -> bool {
        let client = self.target.as_ref().map(|target| &target.client);
        let given = |text: &str| !text.trim().is_empty() && text != MASK;
        client.is_some_and(|client| {
            client.cert.as_deref().is_some_and(given)
                || client.key.as_ref().is_some_and(|key| given(key.expose()))
        })
    }

    /// Reads a body. What is wrong is noted in `errors`, all of it; the result is only of use if nothing was noted.
    pub(crate) fn read(body: &RawValue, errors: &Errors) -> Asked {
        let Some(mut fields) = Fields::of(body, "", errors) else { return Asked::default() };
        let asked = Asked::of(&mut fields, errors);
        fields.ignore_rest();
        Asked { warnings: errors.warnings(), ..asked }
    }

    /// The same of settings that are only tested: which test is asked for stands beside them, in `test`.
    pub(crate) fn read_with_test(body: &RawValue, errors: &Errors) -> (Asked, AskedTest) {
        let Some(mut fields) = Fields::of(body, "", errors) else { return Default::default() };
        let test = fields.raw("test").and_then(|raw| Fields::of(raw, fields.pointer("test"), errors));
        let test = test.map(AskedTest::read).unwrap_or_default();
        let asked = Asked::of(&mut fields, errors);
        fields.ignore_rest();
        (Asked { warnings: errors.warnings(), ..asked }, test)
    }

    fn of(fields: &mut Fields<'_>, errors: &Errors) -> Asked {
        let asked = Asked {
            id: fields.integer("id", 0..=u64::MAX),
            clientid: fields.integer("clientid", 0..=u64::MAX),
            name: fields.string("name"),
            active: fields.bool("active"),
            events: fields.raw("events").and_then(|raw| ticks(raw, &fields.pointer("events"), errors)),
            filter: fields.raw("filter").and_then(|raw| filter::read(raw, &fields.pointer("filter"), errors)),
            target: fields.raw("target").and_then(|raw| target(raw, &fields.pointer("target"), errors)),
            signing_secret: fields.string("signing_secret").map(Secret::new),
            warnings: Vec::new(),
        };
        if let Some(name) = fields.string("type")
            && name != TYPE
        {
            fields.refuse("type", format!("\"{name}\" is not a type that hitwire has; it has \"{TYPE}\""));
        }
        // An answer may be sent back as it came: what hitwire alone decides is not looked at.
        for answered in ["created_at", "created_by", "system_active", "resource_type"] {
            fields.raw(answered);
        }
        asked
    }
}

pub(super) fn ticks(raw: &RawValue, at: &str, errors: &Errors) -> Option<Vec<AskedTick>> {
    let mut ticks: Vec<AskedTick> = Vec::new();
    for (index, raw) in fields::elements(raw, at, EVENTS_MAX, errors)?.into_iter().enumerate() {
        let Some(mut fields) = Fields::of(raw, format!("{at}/{index}"), errors) else { continue };
        let named = fields.tells("event");
        let event = fields.string("event");
        let active = fields.bool("active").unwrap_or(true);
        let with_headers = fields.bool("with_headers").unwrap_or(false);
        let kinds = event.as_deref().map(Kind::named).unwrap_or_default();
        match event {
            None if named => {}
            None => fields.refuse("event", "is missing"),
            Some(event) if kinds.is_empty() => {
                let known = Kind::ALL.map(Kind::name).join(", ");
                fields.refuse("event", format!("\"{event}\" is not an event; events are: {known}"));
            }
            Some(_) => {}
        }
        if with_headers && !kinds.is_empty() && kinds != [Kind::Hit] {
            fields.refuse("with_headers", "only hits have headers: it goes with \"siem\" alone");
        }
        for kind in kinds {
            let tick = AskedTick { index, kind, active, with_headers };
            match ticks.iter().find(|other| other.kind == kind) {
                None => ticks.push(tick),
                Some(other) if AskedTick { index, ..*other } == tick => {}
                Some(other) => {
                    let name = kind.name();
                    let earlier = other.index;
                    fields.refuse(
                        "event",
                        format!("says otherwise of {name} than {at}/{earlier}; name it once"),
                    );
                }
            }
        }
        fields.ignore_rest();
    }
    Some(ticks)
}

fn target(raw: &RawValue, at: &str, errors: &Errors) -> Option<AskedTarget> {
    let mut fields = Fields::of(raw, at, errors)?;
    if !fields.tells("url") {
        fields.refuse("url", "is missing; a target is given whole");
    }
    let seconds = |value: Option<u64>, default| value.map_or(default, |seconds| seconds as u16);
    let target = AskedTarget {
        url: Secret::new(fields.string("url").unwrap_or_default()),
        http_method: fields
            .one_of("http_method", &[("POST", HttpMethod::Post), ("PUT", HttpMethod::Put)])
            .unwrap_or_default(),
        headers: headers(&mut fields, errors),
        ca_file: fields.string("ca_file").unwrap_or_default(),
        ca_verify: fields.bool("ca_verify").unwrap_or(true),
        pins: OwnSetting::read(&mut fields, "pin_sha256", |fields, name| {
            fields.raw(name).and_then(|raw| pins(raw, &fields.pointer(name), errors))
        }),
        client: AskedClient {
            cert: fields.string("client_cert"),
            key: fields.string("client_key").map(Secret::new),
            password: fields.string("client_key_password").map(Secret::new),
        },
        signing: fields.one_of("signing", &[("v1", Signing::V1), ("v1a", Signing::V1a)]),
        timeout_s: seconds(fields.integer("timeout", TIMEOUT_S), TIMEOUT_DEFAULT_S),
        open_timeout_s: seconds(fields.integer("open_timeout", TIMEOUT_S), OPEN_TIMEOUT_DEFAULT_S),
        http_version: OwnSetting::read(&mut fields, "http_version", |fields, name| {
            fields.one_of(name, &HttpVersion::ALL.map(|version| (version.name(), version)))
        }),
        proxy: OwnSetting::read(&mut fields, "proxy", |fields, name| fields.string(name).map(Secret::new)),
        proxy_credentials: fields.string("proxy_credentials").map(Secret::new),
        format: fields
            .one_of("format", &[("json", Format::Json), ("jsonl", Format::Jsonl)])
            .unwrap_or(Format::Json),
        rendering: OwnSetting::read(&mut fields, "rendering", |fields, name| {
            fields.one_of(name, &Style::ALL.map(|style| (style.name(), style)))
        }),
        retry: OwnSetting::read(&mut fields, "retry", |fields, name| {
            fields.one_of(name, &[("patient", Preset::Patient), ("original", Preset::Original)])
        }),
        max_events: limit(&mut fields, "max_events", MAX_EVENTS),
        max_bytes: limit(&mut fields, "max_bytes", MAX_BYTES),
        rate: limit(&mut fields, "rate", RATE),
        in_flight: OwnSetting::read(&mut fields, "in_flight", |fields, name| {
            fields.integer(name, IN_FLIGHT).map(|in_flight| in_flight as u8)
        }),
    };
    // Of other types of integration, in the structures that the original's clients share between types.
    for name in ["token", "api"] {
        if fields.raw(name).is_some_and(|raw| raw.get() != "\"\"") {
            fields.refuse(name, format!("is not a field of \"{TYPE}\"; leave it out"));
        }
    }
    // Accepted, ignored (contract.md section 1); the others stand in answers.
    fields.string("subtype");
    fields.string("signing_public_key");
    fields.one_of("proxy_in_use", &ProxyInUse::ALL.map(|in_use| (in_use.name(), in_use)));
    fields.bool("proxy_trusted");
    fields.ignore_rest();
    Some(target)
}

fn pins(raw: &RawValue, at: &str, errors: &Errors) -> Option<Vec<Pin>> {
    let mut pins = Vec::new();
    for (index, raw) in fields::elements(raw, at, PINS_MAX, errors)?.into_iter().enumerate() {
        match serde_json::from_str::<String>(raw.get()).map(|text| text.parse::<Pin>()) {
            Ok(Ok(pin)) if pins.contains(&pin) => {}
            Ok(Ok(pin)) => pins.push(pin),
            Ok(Err(error)) => errors.add(format!("{at}/{index}"), error.to_string()),
            Err(_) => errors.add(format!("{at}/{index}"), "must be a string"),
        }
    }
    Some(pins)
}

/// A limit; without one there is none.
fn limit(
    fields: &mut Fields<'_>,
    name: &str,
    range: std::ops::RangeInclusive<u64>,
) -> OwnSetting<Option<u32>> {
    OwnSetting::read(fields, name, |fields, name| fields.integer(name, range).map(|limit| Some(limit as u32)))
}

/// `null` stands for "none" here, as in old clients; only a missing member stands for "as they are".
fn headers(fields: &mut Fields<'_>, errors: &Errors) -> Option<Vec<AskedHeader>> {
    if !fields.has("headers") {
        return None;
    }
    let at = fields.pointer("headers");
    let Some(raw) = fields.raw("headers") else { return Some(Vec::new()) };
    let members = Fields::of_at_most(HEADERS_BYTES_MAX, raw, at.as_str(), errors)?.rest();
    let header = |(name, raw): (String, &RawValue)| {
        let value = serde_json::from_str::<String>(raw.get()).map(Secret::new);
        if value.is_err() {
            errors.add(fields::pointer(&at, &name), "must be a string");
        }
        Some(AskedHeader { name, value: value.ok()? })
    };
    Some(members.into_iter().filter_map(header).collect())
}
