//! A store and a dispatch for stories about one thing at a time.

use hitwire_delivery::{Bounds, Clock, Deliveries, Surroundings, Transport};
use hitwire_delivery::{Clients, Names};
use hitwire_event::filter::Filter;
use hitwire_event::{ClientId, Event, EventId, Kind, Seq, WebhookId};
use hitwire_store::{Append, Done, Integration, NewIntegration, Op, Store, Target, Ticked};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a dispatch works with, with this way out.
pub(super) fn surroundings(
    store: &Arc<dyn Store>,
    transport: Arc<dyn Transport>,
    clock: Clock,
) -> Surroundings {
    let (minted, began_ms) = (AtomicU64::new(0), clock.wall_ms());
    Surroundings {
        store: Arc::clone(store),
        transport,
        clock,
        bounds: Bounds::default(),
        names: Names::default(),
        clients: Clients::default(),
        deliveries: Deliveries::default(),
        details: None,
        mint: Box::new(move || {
            WebhookId(format!("msg_{began_ms}_{}", minted.fetch_add(1, Ordering::Relaxed)).into())
        }),
    }
}

/// Makes an integration for hits, with settings as most have them but for what `set` changes.
pub(super) async fn integration(store: &dyn Store, set: impl FnOnce(&mut Target)) -> Integration {
    let mut target = Target::new("https://receiver.example/hook", "whsec_c2ltdWxhdGVk");
    set(&mut target);
    let new = NewIntegration {
        id: None,
        client: ClientId(1),
        name: "SIEM".to_owned(),
        active: true,
        created_at: 0,
        created_by: "Jane".to_owned(),
        target,
        events: vec![Ticked { kind: Kind::Hit, active: true, with_headers: false, from: Seq::ZERO }],
        filter: Filter::default(),
    };
    let mut done = store.commit(vec![Op::CreateIntegration(new)]).await.expect("made");
    match done.remove(0) {
        Done::Integration(integration) => *integration,
        other => panic!("answer to a creation: {other:?}"),
    }
}

/// Appends so many hits.
pub(super) async fn append_hits(store: &dyn Store, count: u32) {
    let body = r#"{"type":"sqli","object_type":"hit"}"#;
    let hit = || Event { client: ClientId(1), kind: Kind::Hit, id: EventId::from("h"), body: body.into() };
    let append = Append { events: (0..count).map(|_| hit()).collect(), ..Append::default() };
    store.commit(vec![Op::Append(append)]).await.expect("appended");
}
