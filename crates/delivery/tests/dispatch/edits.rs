//! Edits that a courier hears of late.

use super::small_world::{append_hits, integration, surroundings};
use hitwire_courier::Reply;
use hitwire_delivery::transport::Sending;
use hitwire_delivery::{Clock, Delivery, Dispatch, Message, Transport};
use hitwire_store::{Done, Integration, Op, Options, SqliteStore, Store, UpdateIntegration};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// A receiver that takes everything, and how many requests it got.
#[derive(Default)]
struct Taking(AtomicUsize);

impl Transport for Taking {
    fn send<'a>(&'a self, _: &'a Integration, _: Message) -> Sending<'a> {
        Box::pin(async move {
            self.0.fetch_add(1, Ordering::Relaxed);
            let reply = Reply::Complete { status: 200, retry_after: None };
            Delivery { reply, address: None, error: None, cause: None, exchange: None }
        })
    }
}

async fn only(store: &dyn Store, mut integration: Integration, attack_type: &str) -> Integration {
    integration.filter =
        serde_json::from_str(&format!(r#"{{"attack_types":["{attack_type}"]}}"#)).expect("a filter");
    let change = UpdateIntegration { integration, resume: None };
    let mut done = store.commit(vec![Op::UpdateIntegration(change)]).await.expect("changed");
    match done.remove(0) {
        Done::Integration(integration) => *integration,
        other => panic!("answer to a change: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_nobody_told_counts_for_the_next_event() {
    let dir = tempfile::tempdir().expect("a directory");
    let options =
        Options { inline: true, secret_key: Some([7; 32]), disk_floor_bytes: 0, ..Options::new(dir.path()) };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).expect("opened"));
    let receiver = Arc::new(Taking::default());
    let way = Arc::clone(&receiver) as Arc<dyn Transport>;
    let dispatch = Dispatch::start(surroundings(&store, way, Clock::system())).await.expect("started");
    let made = integration(&*store, |_| ()).await;
    let id = made.id;
    let narrow = only(&*store, made, "xss").await;
    dispatch.configured(id);
    append_hits(&*store, 2).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.0.load(Ordering::Relaxed), 0, "the filter lets none of them pass");

    // The change is made, and the courier has not heard of it when the next event comes.
    only(&*store, narrow, "sqli").await;
    append_hits(&*store, 1).await;
    sleep(Duration::from_secs(1)).await;
    dispatch.configured(id);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.0.load(Ordering::Relaxed), 1, "an event that came after the edit is delivered");
    dispatch.stop(Duration::from_secs(1)).await;
}
