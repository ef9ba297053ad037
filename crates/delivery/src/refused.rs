//! Tells that the guard refuses an integration's target: once, until it has delivered something again.

use super::context::Context;
use super::transport::Delivery;
use hitwire_courier::Verdict;
use hitwire_courier::refusal::classify;
use hitwire_endpoint::{Cause, Rule};
use hitwire_event::system::{IntegrationRef, System};
use hitwire_event::{Event, IntegrationId};
use hitwire_store::{Integration, Op};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::Url;

/// Integrations of which it was told since hitwire started.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<HashSet<IntegrationId>>);

impl Refused {
    fn told(&self) -> MutexGuard<'_, HashSet<IntegrationId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The integration delivered something, or is no more: the next refusal is news.
    pub(crate) fn forget(&self, id: IntegrationId) {
        self.told().remove(&id);
    }
}

/// Looks at what became of an attempt that began at this time, and tells if it is news.
pub(crate) async fn look(context: &Context, integration: &Integration, delivery: &Delivery, started_ms: u64) {
    if classify(delivery.reply) == Verdict::Delivered {
        return context.refused.forget(integration.id);
    }
    let Some(Cause::Guard(rule)) = delivery.cause else { return };
    if !context.refused.told().insert(integration.id) {
        return;
    }
    // The log is for operators: it names the address, which the event does not.
    let address = delivery.address.as_deref().unwrap_or_default();
    tracing::warn!(integration = %integration.id, client = %integration.client, address, rule = rule.name(),
        "the guard refuses an integration's target");
    let event = event(integration, rule, started_ms);
    if let Err(error) = context.store.commit(vec![Op::Announce(event)]).await {
        // The next attempt that is refused tries again.
        context.refused.forget(integration.id);
        tracing::warn!(integration = %integration.id, %error, "that the guard refuses a target cannot be told yet");
    }
}

fn event(integration: &Integration, rule: Rule, started_ms: u64) -> Event {
    let name = integration.name.clone();
    let refused = System::GuardRefused {
        integration: IntegrationRef { id: integration.id, name },
        host: host(integration.target.url.expose()),
        reason: format!("it is {rule}"),
    };
    let parts: [&[u8]; 2] = [&integration.id.0.to_le_bytes(), &started_ms.to_le_bytes()];
    refused.to_event(integration.client, started_ms / 1_000, &parts)
}

/// Host and port, and nothing else of a URL: the rest is secret.
fn host(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_of_a_url_are_told() {
        assert_eq!(host("https://hooks.internal:8443/secret?key=secret"), "hooks.internal:8443");
        assert_eq!(host("https://[fd00::1]/secret"), "[fd00::1]");
        assert_eq!(host("nonsense"), "");
    }
}
