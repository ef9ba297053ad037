//! How integrations and sources are doing, the ones that need attention first.

use crate::Console;
use crate::charts::{self, Bar};
use crate::failure::Failure;
use crate::integrations::doing::{Doing, TROUBLED_TO, Told, behind, doing, percent};
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
    sends: bool,
    state: String,
    failing: bool,
    waiting_for_response_since: Option<String>,
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
    /// How it is doing, and how much attention it needs.
    fn doing(&self, now_ms: u64) -> Doing {
        let since: Option<jiff::Timestamp> =
            self.waiting_for_response_since.as_deref().and_then(|at| at.parse().ok());
        let since_ms = since.and_then(|at| u64::try_from(at.as_millisecond()).ok());
        doing(&Told {
            disabled_by: self.disabled_by.as_deref(),
            sends: self.sends,
            state: &self.state,
            failing: self.failing,
            awaited_ms: since_ms.map(|since| now_ms.saturating_sub(since)),
        })
    }

    fn words(&self) -> String {
        if let Some(error) = &self.last_error {
            return error.clone();
        }
        match (&self.notice, &self.lag) {
            (Some(notice), _) if self.active => notice.clone(),
            (_, None) => String::new(),
            (_, Some(lag)) => {
                behind(lag.events, lag.seconds).map(|lag| format!("Behind by {lag}")).unwrap_or_default()
            }
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
    let now_ms = (console.now_ms)();
    overview.integrations.sort_by_key(|entry| entry.doing(now_ms).urgency);
    let is_troubled = |entry: &&Entry| entry.doing(now_ms).urgency < TROUBLED_TO;
    let troubled = overview.integrations.iter().filter(is_troubled).count();
    overview.integrations.truncate(SHOWN);
    let ids = overview.integrations.iter().map(|entry| IntegrationId(entry.id)).collect();
    // Without the index there are no pictures.
    let healths = console.index.health(ids).await.unwrap_or_default();
    let show = |entry: Entry| {
        let Doing { word: state, class, .. } = entry.doing(now_ms);
        let health = healths.iter().find(|health| health.integration.0 == entry.id);
        let points = health.map(|health| health.hours.as_slice()).unwrap_or_default();
        let counts: Vec<_> = points.iter().map(|point| (point.delivered, point.failed())).collect();
        let success = health.and_then(hitwire_index::Health::success);
        Shown {
            id: entry.id,
            state,
            class,
            words: entry.words(),
            success: success.map(percent).unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_get_on_comes_first_and_says_why() {
        let entry = |state: &str, active, error: Option<&str>, events| Entry {
            id: 1,
            name: String::new(),
            active,
            disabled_by: None,
            notice: None,
            sends: true,
            state: state.to_owned(),
            failing: state == "refused",
            waiting_for_response_since: None,
            lag: Some(Lag { events, seconds: 65 }),
            last_error: error.map(str::to_owned),
        };
        let urgency = |state| entry(state, true, None, 0).doing(0).urgency;
        assert!(urgency("refused") < urgency("caught_up"));
        assert_eq!(entry("waiting", true, Some("503"), 5).words(), "503");
        assert_eq!(entry("sending", true, None, 5).words(), "Behind by 5 events, the oldest for 1 min 5 s");
        assert_eq!(entry("caught_up", true, None, 0).words(), "");
    }
}
