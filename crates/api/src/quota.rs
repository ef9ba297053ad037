//! What a client may use: how many integrations, and how many events a second.

use super::Shared;
use super::auth::Caller;
use super::problem::Problem;
use hitwire_event::{ClientId, IntegrationId};
use hitwire_share::{Holder, Share};
use hitwire_store::{IntegrationCounts, IntegrationQuery};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Over which the events of a second are averaged.
const AVERAGED_S: f64 = 10.0;

/// Integrations of a client for which the operator set no other number.
const INTEGRATIONS_MAX: u32 = 10_000;

/// What clients with a limit have sent.
#[derive(Debug, Default)]
pub struct Quotas(Mutex<HashMap<ClientId, Sent>>);

/// The events of one client, as the level of a vessel that leaks at the allowed rate.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    level: f64,
    /// Monotonic: when the level was that.
    at: Duration,
}

/// Refuses if the client has as many integrations as it may have. The room is kept until the answer is dropped.
pub(super) async fn room(api: &Shared, caller: &Caller) -> Result<Share<Holder>, Problem> {
    let client = caller.client();
    let max = api.accounts.clients().integrations_max(client).unwrap_or(INTEGRATIONS_MAX);
    let making = api.making.wait(caller.holder()).await;
    let none =
        IntegrationQuery { client, enabled: None, name: String::new(), after: IntegrationId(0), limit: 0 };
    let IntegrationCounts { enabled, disabled } = api.store.integration_page(none).await?.counts;
    let has = enabled + disabled;
    if has >= u64::from(max) {
        return Err(Problem::conflict(format!(
            "client {client} has {has} integrations and may have {max}; delete one, or have an operator raise integrations_max"
        )));
    }
    Ok(making)
}

/// Counts events that the client sends, or refuses all of them if it has sent too many lately.
pub(super) fn count(api: &Shared, client: ClientId, events: usize) -> Result<(), Problem> {
    let Some(rate) = api.accounts.clients().events_per_s(client) else { return Ok(()) };
    let now = api.clock.now();
    api.quotas.count(client, events, rate, now).map_err(|wait| {
        let detail = format!(
            "client {client} may send {rate} events a second, on average over 10 seconds; nothing was taken, the header Retry-After says when to send it again"
        );
        Problem::too_many(detail, wait)
    })
}

impl Quotas {
    /// Counts, or says how long to wait. A call with more events than ten seconds allow is taken when nothing else was sent
    /// for as long: it would never be taken otherwise.
    fn count(&self, client: ClientId, events: usize, rate: u32, now: Duration) -> Result<(), Duration> {
        let (rate, events) = (f64::from(rate), events as f64);
        let room = rate * AVERAGED_S;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = all.entry(client).or_default();
        let leaked = now.saturating_sub(sent.at).as_secs_f64() * rate;
        *sent = Sent { level: (sent.level - leaked).max(0.0), at: now };
        let excess = sent.level + events.min(room) - room;
        if excess > 0.0 {
            // The rate is 1 at least.
            return Err(Duration::from_secs_f64(excess / rate));
        }
        sent.level += events;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ClientId = ClientId(1);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn events_are_counted_over_ten_seconds() {
        let quotas = Quotas::default();
        assert_eq!(quotas.count(ONE, 60, 10, s(100)), Ok(()));
        assert_eq!(quotas.count(ONE, 40, 10, s(100)), Ok(()));
        assert_eq!(quotas.count(ONE, 20, 10, s(101)), Err(s(1)), "10 of 100 have leaked");
        assert_eq!(quotas.count(ClientId(2), 20, 10, s(101)), Ok(()));
        assert_eq!(quotas.count(ONE, 20, 10, s(102)), Ok(()));
    }

    #[test]
    fn a_call_larger_than_ten_seconds_allow_is_paid_off_afterwards() {
        let quotas = Quotas::default();
        assert_eq!(quotas.count(ONE, 500, 10, s(100)), Ok(()));
        assert_eq!(quotas.count(ONE, 1, 10, s(110)), Err(Duration::from_millis(30_100)));
        assert_eq!(quotas.count(ONE, 500, 10, s(149)), Err(s(1)));
        assert_eq!(quotas.count(ONE, 500, 10, s(150)), Ok(()));
    }
}
