//! What hitwire's own log says of deliveries.

use super::small_world::{append_hits, integration, surroundings};
use hitwire_courier::Reply;
use hitwire_delivery::transport::Sending;
use hitwire_delivery::{Clock, Delivery, Dispatch, Message, Transport};
use hitwire_store::{Integration, Options, SqliteStore, Store};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps log lines from `info` up.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").expect("written");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Lines {
    /// Those that have this in them.
    fn with(&self, words: &str) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|line| line.contains(words)).cloned().collect()
    }
}

/// A receiver that answers with this status.
struct Receiver(AtomicU16);

impl Transport for Receiver {
    fn send<'a>(&'a self, _: &'a Integration, _: Message) -> Sending<'a> {
        Box::pin(async move {
            let status = self.0.load(Ordering::Relaxed);
            let error = (status >= 300).then(|| format!("the endpoint returned {status}: key=hunter2"));
            let reply = Reply::Complete { status, retry_after: None };
            Delivery { reply, address: None, error, cause: None, exchange: None }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_integration_that_begins_to_fail_and_recovers_is_told_of_in_the_log_without_secrets() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { inline: true, secret_key: Some([7; 32]), ..Options::new(dir.path()) };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).expect("opened"));
    let receiver = Arc::new(Receiver(AtomicU16::new(500)));
    let way = Arc::clone(&receiver) as Arc<dyn Transport>;
    let clock = Clock::at(Duration::from_hours(24 * 20_454));
    let dispatch = Dispatch::start(surroundings(&store, way, clock)).await.expect("started");
    let id = integration(&*store, |_| {}).await.id;
    dispatch.configured(id);
    append_hits(&*store, 1).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let fails = lines.with("deliveries of an integration fail");
    assert_eq!(fails.len(), 1, "once, however often it is tried: {fails:?}");
    for part in ["WARN", &format!("integration={id}"), "name=SIEM", "status=500", "the endpoint returned 500"]
    {
        assert!(fails[0].contains(part), "{part}: {fails:?}");
    }
    receiver.0.store(200, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_hours(1)).await;
    let recovered = lines.with("an integration delivers again");
    assert_eq!(recovered.len(), 1, "{recovered:?}");
    assert!(recovered[0].starts_with("INFO") && recovered[0].contains("failures="), "{recovered:?}");
    assert_eq!((lines.with("hunter2"), lines.with("hook")), (vec![], vec![]));
    dispatch.stop(Duration::from_secs(1)).await;
}
