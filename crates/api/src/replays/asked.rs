//! What a caller wants to have sent once more.

use super::EVENTS_PER_S;
use crate::contract::filter_of;
use crate::fields::{self, Errors, Fields};
use crate::integrations::invalid;
use crate::problem::Problem;
use hitwire_event::Kind;
use hitwire_event::filter::Filter;
use hitwire_store::ReplayPlan;
use serde_json::value::RawValue;

/// Kinds that are named at most.
const KINDS_MAX: usize = 64;

/// A body, read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) what: What,
    /// None: those that are ticked.
    pub(super) kinds: Option<Vec<Kind>>,
    /// None: the integration's.
    pub(super) filter: Option<Filter>,
    pub(super) events_per_s: Option<u32>,
    pub(super) paused: bool,
    pub(super) preview: bool,
}

/// Which part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// What came at this time or later, and before the other; milliseconds since the Unix epoch.
    Time { from_ms: u64, until_ms: Option<u64> },
    /// From a position to another, both included.
    Positions { first: u64, last: Option<u64> },
    /// The batch of an attempt.
    Attempt(u64),
    /// The events with this id.
    Event(String),
    /// The event at a position.
    Seq(u64),
    /// These dead or skipped ranges; none: all of them.
    Lost(Option<Vec<u64>>),
}

impl Asked {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let errors = Errors::default();
        let asked = Fields::of(fields::document(bytes)?, "", &errors).map(|fields| read(fields, &errors));
        match asked {
            Some(asked) if errors.is_empty() => Ok(asked),
            _ => Err(invalid(errors.into_vec(), "started")),
        }
    }
}

fn read(mut fields: Fields<'_>, errors: &Errors) -> Asked {
    let (from, until) = (moment_ms(&mut fields, "from"), moment_ms(&mut fields, "until"));
    let positions = 1..=i64::MAX as u64;
    let (first, last) =
        (fields.integer("first", positions.clone()), fields.integer("last", positions.clone()));
    let lost = fields.raw("lost").and_then(|raw| lost(raw, &fields));
    let ways = [
        from.map(|from_ms| What::Time { from_ms, until_ms: until }),
        first.map(|first| What::Positions { first, last }),
        fields.integer("attempt", positions.clone()).map(What::Attempt),
        fields.string("event").map(What::Event),
        fields.integer("seq", positions).map(What::Seq),
        lost,
    ];
    let mut ways = ways.into_iter().flatten();
    let (what, another) = (ways.next(), ways.next());
    if errors.is_empty() {
        if what.is_none() || another.is_some() {
            errors.add("", "must say what is sent by exactly one of: from (and until), first (and last), attempt, event, seq, lost");
        }
        if until.is_some() && from.is_none() {
            fields.refuse("until", "goes with from");
        }
        if last.is_some() && first.is_none() {
            fields.refuse("last", "goes with first");
        }
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            fields.refuse("until", "must be later than from");
        }
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            fields.refuse("last", "must not be before first");
        }
    }
    let kinds = fields.raw("events").and_then(|raw| kinds(raw, &fields.pointer("events"), errors));
    let filter = fields.raw("filter").and_then(|raw| filter_of(raw, &fields.pointer("filter"), errors));
    let asked = Asked {
        what: what.unwrap_or(What::Lost(None)),
        kinds,
        filter,
        events_per_s: fields.integer("events_per_second", EVENTS_PER_S).and_then(|rate| rate.try_into().ok()),
        paused: fields.bool("paused").unwrap_or_default(),
        preview: fields.bool("preview").unwrap_or_default(),
    };
    fields.finish();
    asked
}

fn moment_ms(fields: &mut Fields<'_>, name: &str) -> Option<u64> {
    let text = fields.string(name)?;
    let written = || text.parse::<jiff::Timestamp>().ok()?.as_millisecond().try_into().ok();
    let moment = text.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000)).or_else(written);
    if moment.is_none() {
        fields.refuse(
            name,
            "must be a moment since 1970, such as 2026-01-02T03:04:05Z, or Unix seconds, as text",
        );
    }
    moment
}

/// Numbers of ranges, or the word `all`.
fn lost(raw: &RawValue, fields: &Fields<'_>) -> Option<What> {
    let json = raw.get();
    if serde_json::from_str::<&str>(json).is_ok_and(|word| word == "all") {
        return Some(What::Lost(None));
    }
    let one = serde_json::from_str::<u64>(json).map(|one| vec![one]);
    match one.or_else(|_| serde_json::from_str::<Vec<u64>>(json)) {
        Ok(ranges) if (1..=ReplayPlan::SEGMENTS_MAX).contains(&ranges.len()) => {
            Some(What::Lost(Some(ranges)))
        }
        _ => {
            let most = ReplayPlan::SEGMENTS_MAX;
            let message =
                format!("must be the number of a lost range, a list of at most {most} of them, or \"all\"");
            fields.refuse("lost", message);
            None
        }
    }
}

fn kinds(raw: &RawValue, at: &str, errors: &Errors) -> Option<Vec<Kind>> {
    let mut named = Vec::new();
    for (index, raw) in fields::elements(raw, at, KINDS_MAX, errors)?.into_iter().enumerate() {
        let name = serde_json::from_str::<String>(raw.get()).unwrap_or_default();
        let kinds = Kind::named(&name);
        if kinds.is_empty() {
            let known = Kind::ALL.map(Kind::name).join(", ");
            errors.add(format!("{at}/{index}"), format!("must be the name of an event: {known}"));
        }
        named.extend(kinds);
    }
    if named.is_empty() && errors.is_empty() {
        errors.add(at, "names no event; leave it out for those that are ticked");
    }
    named.sort_unstable();
    named.dedup();
    Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Asked, ()> {
        Asked::read(json.as_bytes()).map_err(drop)
    }

    #[test]
    fn a_part_of_the_log_is_named_in_one_way() {
        let what = |json| read(json).map(|asked| asked.what);
        assert_eq!(
            what(r#"{"from":"1970-01-01T00:00:05Z"}"#),
            Ok(What::Time { from_ms: 5_000, until_ms: None })
        );
        assert_eq!(
            what(r#"{"from":"5","until":"6"}"#),
            Ok(What::Time { from_ms: 5_000, until_ms: Some(6_000) })
        );
        assert_eq!(what(r#"{"first":3,"last":3}"#), Ok(What::Positions { first: 3, last: Some(3) }));
        assert_eq!(what(r#"{"lost":"all"}"#), Ok(What::Lost(None)));
        assert_eq!(what(r#"{"lost":7}"#), Ok(What::Lost(Some(vec![7]))));
        assert_eq!(what(r#"{"lost":[7,8]}"#), Ok(What::Lost(Some(vec![7, 8]))));
        for wrong in [
            "{}",
            r#"{"attempt":1,"seq":1}"#,
            r#"{"until":"6"}"#,
            r#"{"last":6}"#,
            r#"{"from":"6","until":"6"}"#,
            r#"{"first":6,"last":5}"#,
            r#"{"first":0}"#,
            r#"{"lost":[]}"#,
            r#"{"lost":"some"}"#,
            r#"{"seq":1,"events":[]}"#,
            r#"{"seq":1,"events":["hits"]}"#,
            r#"{"seq":1,"events_per_second":0}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
