//! An event as a list shows it.

use hitwire_event::hit::BlockStatus;
use hitwire_event::{IntegrationId, Kind, Risk};
use hitwire_index::EventRow;
use hitwire_log::Ticked;

/// Characters of a payload in a list.
const TEXT_CHARS_MAX: usize = 180;

/// And of where it went.
const PLACE_CHARS_MAX: usize = 140;

/// A row of a list. Texts are as the events say them; the template makes them harmless.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) at_ms: u64,
    pub(super) kind: &'static str,
    /// A class of a badge.
    pub(super) kind_class: &'static str,
    /// The risk of a vulnerability.
    pub(super) risk: &'static str,
    pub(super) type_code: String,
    pub(super) title: String,
    pub(super) method: String,
    pub(super) place: String,
    pub(super) parameter: String,
    pub(super) text: String,
    pub(super) address: String,
    pub(super) status: String,
    pub(super) block: &'static str,
    pub(super) discovered_by: String,
    pub(super) delivered: Vec<DeliveredTo>,
}

/// An integration that got the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeliveredTo {
    pub(super) name: String,
    /// False: by the settings of today.
    pub(super) certain: bool,
}

/// An integration, as far as a list asks about it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: IntegrationId,
    pub(super) name: String,
    pub(super) events: Vec<Ticked>,
    /// It has a filter: whether that let an event pass stands on the event's own page.
    pub(super) filters: bool,
}

impl Row {
    pub(super) fn of(event: EventRow) -> Row {
        let place =
            [event.domain.as_deref().unwrap_or_default(), event.path.as_deref().unwrap_or_default()].concat();
        Row {
            seq: event.seq.0,
            at_ms: event.appended_ms,
            kind: kind(event.kind),
            kind_class: kind_class(event.kind),
            risk: if let Kind::Vulnerability(risk) = event.kind { risk.title() } else { "" },
            type_code: event.type_code.unwrap_or_default(),
            title: event.title.unwrap_or_default(),
            method: event.method.unwrap_or_default(),
            place: shortened(&place, PLACE_CHARS_MAX),
            parameter: event.parameter.unwrap_or_default(),
            text: shortened(&event.text, TEXT_CHARS_MAX),
            address: event.address.map(|address| address.to_string()).unwrap_or_default(),
            status: event.status.map(|status| status.to_string()).unwrap_or_default(),
            block: event.block_status.map(BlockStatus::name).unwrap_or_default(),
            discovered_by: event.discovered_by.unwrap_or_default(),
            delivered: Vec::new(),
        }
    }
}

/// The beginning of a text, and whether that is not all.
fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Who got an event: those whose batches reach over it, if each event of the range was in the batch, or if its kind is ticked
/// and nothing is filtered.
pub(super) fn delivered_to(
    event: (u64, Kind),
    by: &[(IntegrationId, bool)],
    known: &[Known],
) -> Vec<DeliveredTo> {
    let (seq, kind) = event;
    let named = by.iter().filter_map(|(id, dense)| {
        let integration = known.iter().find(|known| known.id == *id)?;
        let ticked = integration
            .events
            .iter()
            .any(|ticked| ticked.active && ticked.kind == kind && ticked.from.0 <= seq);
        let got = *dense || (ticked && !integration.filters);
        got.then(|| DeliveredTo { name: integration.name.clone(), certain: *dense })
    });
    named.collect()
}

/// What a kind is called.
pub(crate) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Hit => "Hit",
        Kind::Vulnerability(_) => "Vulnerability",
        Kind::Scope => "Scope",
        Kind::System => "System",
        Kind::RulesAndTriggers => "Rules and triggers",
        Kind::RequestsPerHour => "Requests per hour",
        Kind::Counter => "Counter",
    }
}

const fn kind_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Vulnerability(Risk::Critical | Risk::High) => "bad",
        Kind::Vulnerability(Risk::Medium) => "warn",
        Kind::Hit | Kind::Vulnerability(Risk::Low) => "info",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_event::Seq;

    #[test]
    fn a_name_is_told_where_the_batch_or_the_settings_say_so() {
        let ticked = |kind, from| Ticked { kind, active: true, with_headers: false, from: Seq(from) };
        let known =
            |id, events, filters| Known { id: IntegrationId(id), name: format!("n{id}"), events, filters };
        let all = [
            known(1, vec![], false),
            known(2, vec![ticked(Kind::Hit, 1)], false),
            known(3, vec![ticked(Kind::Hit, 1)], true),
            known(4, vec![ticked(Kind::Hit, 50)], false),
        ];
        let by: Vec<_> = (1..=5).map(|id| (IntegrationId(id), id == 1)).collect();
        let names: Vec<_> =
            delivered_to((9, Kind::Hit), &by, &all).into_iter().map(|to| (to.name, to.certain)).collect();
        assert_eq!(names, [("n1".to_owned(), true), ("n2".to_owned(), false)]);
    }
}
