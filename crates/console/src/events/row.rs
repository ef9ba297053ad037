//! An event as a list shows it.

use super::show::Way;
use hitwire_event::hit::BlockStatus;
use hitwire_event::{IntegrationId, Kind, Risk};
use hitwire_index::{DeliveredBatch, EventRow};
use hitwire_store::Ticked;

/// How long it is looked again whether an event was delivered, milliseconds.
const OPEN_FOR_MS: u64 = 600_000;

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
    /// The event is recent and may still be delivered: an open page asks again.
    pub(super) is_open: bool,
}

/// An integration that got the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeliveredTo {
    pub(super) name: String,
    /// False: a batch reached over it, and the settings have changed since that was cut.
    pub(super) certain: bool,
}

/// An integration, as far as a list asks about it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: IntegrationId,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) events: Vec<Ticked>,
    /// It has a filter: the API knows whether that let an event pass.
    pub(super) filters: bool,
    /// Its content revision: batches with the same were cut by the settings of today.
    pub(super) revision: u64,
}

impl Known {
    /// Whether it wants an event of this kind at this position, a filter aside.
    fn wants(&self, seq: u64, kind: Kind) -> bool {
        self.events.iter().any(|ticked| ticked.active && ticked.kind == kind && ticked.from.0 <= seq)
    }
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
            is_open: false,
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

/// Whether the API must be asked which integrations got an event: a batch that reaches over it passed other events, and there is a filter.
pub(super) fn needs_ways(by: &[DeliveredBatch], known: &[Known]) -> bool {
    by.iter().any(|batch| {
        !batch.is_dense && known.iter().any(|known| known.id == batch.integration && known.filters)
    })
}

/// Who got an event: those whose batches reach over it, if each event of the range was in the batch, or if its kind is ticked and the
/// filter let it pass. Where settings have changed since, it may have been in the batch: that is said, too. `ways`: what the API says.
pub(super) fn delivered_to(
    (seq, kind): (u64, Kind),
    by: &[DeliveredBatch],
    known: &[Known],
    ways: &[Way],
) -> Vec<DeliveredTo> {
    let named = by.iter().filter_map(|batch| {
        let integration = known.iter().find(|known| known.id == batch.integration)?;
        let certain = if batch.is_dense {
            true
        } else if integration.filters {
            ways.iter().find(|way| way.integration == integration.id.0)?.is_delivered()?
        } else {
            let of_today = batch.content_revision == Some(integration.revision);
            if of_today && !integration.wants(seq, kind) {
                return None;
            }
            of_today
        };
        Some(DeliveredTo { name: integration.name.clone(), certain })
    });
    named.collect()
}

/// Whether a recent event may still be delivered.
pub(super) fn is_open(event: &EventRow, delivered: &[DeliveredTo], known: &[Known], now_ms: u64) -> bool {
    let is_late = now_ms.saturating_sub(event.appended_ms) > OPEN_FOR_MS;
    let waits = |known: &&Known| {
        known.active
            && known.wants(event.seq.0, event.kind)
            && !delivered.iter().any(|delivered| delivered.name == known.name)
    };
    !is_late && known.iter().any(|known| waits(&known))
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
    fn whoever_got_an_event_is_named() {
        let ticked = |kind, from| Ticked { kind, active: true, with_headers: false, from: Seq(from) };
        let known = |id, events, filters| Known {
            id: IntegrationId(id),
            name: format!("n{id}"),
            active: true,
            events,
            filters,
            revision: 2,
        };
        let all = [
            known(1, vec![], false),
            known(2, vec![ticked(Kind::Hit, 1)], false),
            known(3, vec![ticked(Kind::Hit, 1)], true),
            known(4, vec![ticked(Kind::Hit, 50)], false),
            known(5, vec![ticked(Kind::Hit, 1)], true),
            known(6, vec![], false),
        ];
        let batch = |id, is_dense, revision| DeliveredBatch {
            integration: IntegrationId(id),
            is_dense,
            content_revision: Some(revision),
        };
        let way = |integration, state: &str, certain| Way {
            integration,
            state: state.to_owned(),
            certain,
            ..Way::default()
        };
        let by: Vec<_> = [
            (1, true, 1),
            (2, false, 2),
            (3, false, 2),
            (4, false, 2),
            (5, false, 2),
            (6, false, 1),
            (7, true, 2),
        ]
        .map(|(id, is_dense, revision)| batch(id, is_dense, revision))
        .to_vec();
        assert!(needs_ways(&by, &all) && !needs_ways(&by[..2], &all));
        let ways = [way(3, "delivered", true), way(5, "filtered_out", true)];
        let named = delivered_to((9, Kind::Hit), &by, &all, &ways);
        let named: Vec<_> = named.into_iter().map(|to| (to.name, to.certain)).collect();
        let expected = [("n1", true), ("n2", true), ("n3", true), ("n6", false)];
        assert_eq!(named, expected.map(|(name, certain)| (name.to_owned(), certain)));
    }
}
