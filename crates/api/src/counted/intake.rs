//! Events that came in.

use super::Fixed;
use hitwire_event::{Event, Kind};
use hitwire_store::Appended;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `POST /v1/events`.
    Api,
    /// A ModSecurity audit log.
    ModSecurity,
    /// hitwire itself.
    Hitwire,
}

impl Origin {
    const ALL: [Origin; 3] = [Origin::Api, Origin::ModSecurity, Origin::Hitwire];

    const fn name(self) -> &'static str {
        match self {
            Origin::Api => "api",
            Origin::ModSecurity => "modsecurity",
            Origin::Hitwire => "hitwire",
        }
    }
}

/// Counts events that are in the log now. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Intake {
    events: Family<Fixed<2>, Counter>,
    duplicates: Family<Fixed<1>, Counter>,
}

impl Default for Intake {
    fn default() -> Self {
        let intake = Intake { events: Family::default(), duplicates: Family::default() };
        for origin in Origin::ALL {
            for kind in Kind::ALL {
                intake.events(origin, kind, 0);
            }
            drop(intake.duplicates.get_or_create(&[("source", origin.name())]));
        }
        intake
    }
}

impl Intake {
    /// Has a registry tell the counts.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Events that were put into the log, by kind and by where they came from";
        registry.register("events_received", help, self.events.clone());
        let help = "Events that were left out because they were in the log already";
        registry.register("events_duplicate", help, self.duplicates.clone());
    }

    /// The kinds of events, before these are given away.
    pub fn kinds(events: &[Event]) -> Vec<Kind> {
        events.iter().map(|event| event.kind).collect()
    }

    /// Events of these kinds were appended, but for the duplicates among them.
    pub fn appended(&self, origin: Origin, kinds: &[Kind], appended: &Appended) {
        let mut new = [0; Kind::ALL.len()];
        let mut duplicates = 0;
        for (kind, is_duplicate) in kinds.iter().zip(&appended.duplicate) {
            if *is_duplicate {
                duplicates += 1;
            } else if let Some(place) = Kind::ALL.iter().position(|other| other == kind) {
                new[place] += 1;
            }
        }
        for (kind, count) in Kind::ALL.into_iter().zip(new).filter(|(_, count)| *count > 0) {
            self.events(origin, kind, count);
        }
        if duplicates > 0 {
            self.duplicates.get_or_create(&[("source", origin.name())]).inc_by(duplicates);
        }
    }

    fn events(&self, origin: Origin, kind: Kind, count: u64) {
        self.events.get_or_create(&[("kind", kind.name()), ("source", origin.name())]).inc_by(count);
    }
}
