//! How integrations and sources are doing, the ones that need attention first.

use crate::Console;
use crate::charts::{self, Bar};
use crate::failure::Failure;
use crate::session::Session;
use hitwire_event::IntegrationId;
use http::Method;
use serde::Deserialize;

/// Integrations that are looked at, by their ids, and that are shown of them.
const LOOKED_AT: usize = 100;
const SHOWN: usize = 8;

/// How the integrations are doing.
pub(super) struct IntegrationHealth {
    pub(super) all: u64,
    pub(super) enabled: u64,
    /// Of those looked at, the ones that wait for their endpoint, are refused, or were disabled by hitwire.
    pub(super) troubled: usize,
    /// Not all were looked at.
    pub(super) is_partial: bool,
    pub(super) shown: Vec<Shown>,
}

/// An integration that is shown.
pub(super) struct Shown {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) class: &'static str,
    /// Why it does not get on, or how far it is behind.
    pub(super) words: String,
    /// Of the requests of 24 hours: `99.5 %`.
    pub(super) success: String,
    pub(super) bars: Vec<Bar>,
}

/// A source.
#[derive(Debug, Deserialize)]
pub(super) struct SourceHealth {
    pub(super) name: String,
    pub(super) hits: u64,
    pub(super) last_record_at: Option<String>,
    pub(super) caught_up: bool,
    pub(super) problem: Option<String>,
}

#[derive(Deserialize)]
struct Overview {
    integrations: Vec<Entry>,
    counts: Counts,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Counts {
    all: u64,
    enabled: u64,
}

#[derive(Deserialize)]
struct Entry {
    id: u64,
    name: String,
    active: bool,
    /// If it is not active: `user`, `hitwire`.
    disabled_by: Option<String>,
    notice: Option<String>,
    state: String,
    /// None: it is disabled.
    lag: Option<Lag>,
    last_error: Option<String>,
}

#[derive(Deserialize)]
struct Lag {
    events: u64,
    seconds: u64,
}

impl Entry {
    /// How much attention it needs: little first. Words and a class for it.
    fn urgency(&self) -> (u8, &'static str, &'static str) {
        let by_hitwire = self.disabled_by.as_deref() == Some("hitwire");
        match &*self.state {
            _ if !self.active && by_hitwire => (0, "Disabled by hitwire", "bad"),
            "refused" => (1, "Refused", "bad"),
            "waiting" => (2, "Waiting", "warn"),
            _ if !self.active => (5, "Disabled", "off"),
            "sending" => (3, "Sending", "info"),
            _ => (4, "Well", "ok"),
        }
    }

    fn words(&self) -> String {
        if let Some(error) = &self.last_error {
            return error.clone();
        }
        match (&self.notice, &self.lag) {
            (Some(notice), _) if self.active => notice.clone(),
            (_, None | Some(Lag { events: 0, .. })) => String::new(),
            (_, Some(Lag { events, seconds })) => format!(
                "{} behind, the oldest for {}",
                crate::text::count(*events, "event", "events"),
                crate::text::span_ms(seconds * 1_000)
            ),
        }
    }
}

/// The integrations; none: whoever looks may not see them.
pub(super) async fn integrations(
    console: &Console,
    session: &Session,
) -> Result<Option<IntegrationHealth>, Failure> {
    const PATH: &str = "/v2/integration/overview";
    if !console.may(session, &Method::GET, PATH) {
        return Ok(None);
    }
    let answered = console.get(session, &format!("{PATH}?limit={LOOKED_AT}")).await?;
    let mut overview: Overview = answered.read()?;
    overview.integrations.sort_by_key(|entry| entry.urgency().0);
    let troubled = overview.integrations.iter().filter(|entry| entry.urgency().0 <= 2).count();
    overview.integrations.truncate(SHOWN);
    let ids = overview.integrations.iter().map(|entry| IntegrationId(entry.id)).collect();
    // Without the index there are no pictures.
    let healths = console.index.health(ids).await.unwrap_or_default();
    let show = |entry: Entry| {
        let (_, state, class) = entry.urgency();
        let health = healths.iter().find(|health| health.integration.0 == entry.id);
        let points = health.map(|health| health.hours.as_slice()).unwrap_or_default();
        let counts: Vec<_> = points.iter().map(|point| (point.delivered, point.failed())).collect();
        let success = health.and_then(hitwire_index::Health::success);
        Shown {
            id: entry.id,
            state,
            class,
            words: entry.words(),
            success: success.map(share).unwrap_or_default(),
            bars: charts::bars(&counts),
            name: entry.name,
        }
    };
    Ok(Some(IntegrationHealth {
        all: overview.counts.all,
        enabled: overview.counts.enabled,
        troubled,
        is_partial: overview.next.is_some(),
        shown: overview.integrations.into_iter().map(show).collect(),
    }))
}

/// The sources; none: whoever looks may not see them.
pub(super) async fn sources(
    console: &Console,
    session: &Session,
) -> Result<Option<Vec<SourceHealth>>, Failure> {
    #[derive(Deserialize)]
    struct Sources {
        sources: Vec<SourceHealth>,
    }
    if !console.may(session, &Method::GET, "/v1/sources") {
        return Ok(None);
    }
    let answered = console.get(session, "/v1/sources").await?;
    let mut sources = answered.read::<Sources>()?.sources;
    sources.sort_by_key(|source| source.problem.is_none());
    Ok(Some(sources))
}

/// A share as people read it; all is only said if it is all.
fn share(share: f64) -> String {
    let percent = (share * 1_000.0).floor() / 10.0;
    if share >= 1.0 { "100 %".to_owned() } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!([1.0, 0.9999, 0.995, 0.0].map(share), ["100 %", "99.9 %", "99.5 %", "0.0 %"]);
    }

    #[test]
    fn what_does_not_get_on_comes_first_and_says_why() {
        let entry = |state: &str, active, error: Option<&str>, events| Entry {
            id: 1,
            name: String::new(),
            active,
            disabled_by: None,
            notice: None,
            state: state.to_owned(),
            lag: Some(Lag { events, seconds: 65 }),
            last_error: error.map(str::to_owned),
        };
        assert!(entry("refused", true, None, 0).urgency() < entry("caught_up", true, None, 0).urgency());
        assert_eq!(entry("waiting", true, Some("503"), 5).words(), "503");
        assert_eq!(entry("sending", true, None, 5).words(), "5 events behind, the oldest for 1 min 5 s");
        assert_eq!(entry("caught_up", true, None, 0).words(), "");
    }
}
