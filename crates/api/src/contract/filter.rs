//! Filters and previews: bodies into what is asked for, every bad entry named.

use super::asked::ticks;
use crate::fields::{self, Errors, Fields};
use crate::rfc3339;
use hitwire_delivery::Preview;
use hitwire_event::filter::{
    Addresses, ApplicationName, AttackTypeName, DomainPattern, ENTRIES_MAX, EntryError, Filter, List,
    MinScore, Network, block_status, risk,
};
use hitwire_event::{Kind, Number, filter};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Events that one preview looks at.
const LAST: std::ops::RangeInclusive<u64> = 1..=100_000;
const LAST_DEFAULT: u64 = 40_000;

/// Reads a filter; what is wrong is noted in `errors`.
pub(crate) fn read(raw: &RawValue, at: &str, errors: &Errors) -> Option<Filter> {
    let mut fields = Fields::of(raw, at, errors)?;
    let filter = Filter {
        applications: list(&mut fields, "applications", errors, ApplicationName::parse),
        attack_types: list(&mut fields, "attack_types", errors, AttackTypeName::parse),
        domains: list(&mut fields, "domains", errors, DomainPattern::parse),
        addresses: addresses(&mut fields, errors),
        block_status: list(&mut fields, "block_status", errors, block_status),
        min_score: min_score(&mut fields),
        risks: list(&mut fields, "risks", errors, risk),
    };
    fields.finish();
    Some(filter)
}

fn addresses(fields: &mut Fields<'_>, errors: &Errors) -> Addresses {
    let at = fields.pointer("addresses");
    let Some(mut fields) = fields.raw("addresses").and_then(|raw| Fields::of(raw, at, errors)) else {
        return Addresses::default();
    };
    let addresses = Addresses {
        within: list(&mut fields, "in", errors, Network::parse),
        not_in: list(&mut fields, "not_in", errors, Network::parse),
    };
    fields.finish();
    addresses
}

fn min_score(fields: &mut Fields<'_>) -> Option<MinScore> {
    let raw = fields.raw("min_score")?;
    // By the rule that holds for the numbers of events.
    let score = Number::parse(raw.get()).map(|number| number.as_f64()).ok_or(EntryError::Score);
    score.and_then(MinScore::new).inspect_err(|error| fields.refuse("min_score", error.to_string())).ok()
}

fn list<T: PartialEq>(
    fields: &mut Fields<'_>,
    name: &str,
    errors: &Errors,
    parse: impl Fn(&str) -> Result<T, EntryError>,
) -> List<T> {
    let at = fields.pointer(name);
    let elements = fields.raw(name).and_then(|raw| fields::elements(raw, &at, ENTRIES_MAX, errors));
    let mut entries = Vec::new();
    for (index, raw) in elements.unwrap_or_default().into_iter().enumerate() {
        let at = format!("{at}/{index}");
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) => match parse(&text) {
                Ok(entry) => entries.push(entry),
                Err(error) => errors.add(at, error.to_string()),
            },
            Err(_) => errors.add(at, "must be a string"),
        }
    }
    List::new(entries).unwrap_or_else(|filter::TooMany(_)| List::default())
}

/// What a preview is asked to look at.
#[derive(Debug)]
pub(crate) struct AskedPreview {
    /// The ticked kinds.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) filter: Filter,
    /// So many of the newest events.
    pub(crate) last: usize,
    pub(crate) clientid: Option<u64>,
}

impl AskedPreview {
    /// Reads a body; what is wrong is noted in `errors`.
    pub(crate) fn read(body: &RawValue, errors: &Errors) -> Option<AskedPreview> {
        let mut fields = Fields::of(body, "", errors)?;
        if !fields.tells("events") {
            fields.refuse("events", "is missing: say which events, as for an integration");
        }
        let ticks = fields.raw("events").and_then(|raw| ticks(raw, &fields.pointer("events"), errors));
        let filter = fields.raw("filter").and_then(|raw| read(raw, &fields.pointer("filter"), errors));
        let asked = AskedPreview {
            kinds: ticks
                .unwrap_or_default()
                .iter()
                .filter(|tick| tick.active)
                .map(|tick| tick.kind)
                .collect(),
            filter: filter.unwrap_or_default(),
            last: fields.integer("last", LAST).unwrap_or(LAST_DEFAULT) as usize,
            clientid: fields.integer("clientid", 0..=u64::MAX),
        };
        fields.finish();
        Some(asked)
    }
}

/// How many of the newest events would have been sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Preview)]
pub(crate) struct PreviewAnswer {
    /// As many as were asked for, or as there are.
    looked_at: usize,
    /// Those that the filter lets pass.
    would_send: usize,
    /// When the oldest of them came, RFC 3339.
    from: Option<String>,
}

impl From<Preview> for PreviewAnswer {
    fn from(preview: Preview) -> Self {
        let Preview { looked_at, would_send, from_ms } = preview;
        PreviewAnswer { looked_at, would_send, from: from_ms.map(rfc3339) }
    }
}
