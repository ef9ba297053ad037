//! Moves the outbox into the log: events that tell of changes, kept with the change until they are told.
//!
//! An event of the outbox is appended first and taken out of it afterwards. If hitwire ends in between, it is appended
//! again at the next start and recognised by its id, so it is told once.

use hitwire_api::{Intake, Origin};
use hitwire_store::{Append, Done, Op, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events that are moved at once.
const EVENTS_AT_ONCE: usize = 256;

/// How long to wait before the store is asked again when it cannot write or read.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Works until told to stop. What is left in the outbox then is moved at the next start.
pub(crate) async fn run(store: Arc<dyn Store>, intake: Intake, stop: CancellationToken) {
    let mut announced = store.announced();
    while !stop.is_cancelled() {
        announced.mark_unchanged();
        let wait = match move_some(&*store, &intake).await {
            Ok(0) => None,
            Ok(_) => continue,
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "system events wait in the outbox; the log does not take them yet");
                Some(STORE_RETRY)
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            changed = announced.changed(), if wait.is_none() => if changed.is_err() { return },
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
    }
}

/// Moves the oldest events; how many there were.
async fn move_some(store: &dyn Store, intake: &Intake) -> Result<usize, StoreError> {
    let (numbers, events): (Vec<u64>, Vec<_>) = store.outbox(EVENTS_AT_ONCE).await?.into_iter().unzip();
    let Some(&through) = numbers.last() else { return Ok(0) };
    let kinds = Intake::kinds(&events);
    let append = Append { events, deduplicate: true, checkpoint: None };
    if let Some(Done::Appended(appended)) = store.commit(vec![Op::Append(append)]).await?.pop() {
        intake.appended(Origin::Hitwire, &kinds, &appended);
    }
    store.commit(vec![Op::Announced { through }]).await?;
    Ok(numbers.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_event::system::System;
    use hitwire_event::{ClientId, Event, Kind, Seq, Stream};
    use hitwire_store::{Options, Read, SqliteStore, StreamFrom};

    fn event(n: u64) -> Event {
        let source = format!("source {n}");
        System::SourceRecovered { source }.to_event(ClientId(1), 1_700_000_000, &[&n.to_le_bytes()])
    }

    async fn told(store: &dyn Store) -> Vec<Event> {
        let stream = Stream { client: ClientId(1), kind: Kind::System };
        let read = Read {
            streams: vec![StreamFrom { stream, from: Seq(1) }],
            after: Seq::ZERO,
            through: None,
            max_events: 100,
            max_bytes: 1 << 20,
        };
        let page = store.read(read).await.expect("read");
        page.records.iter().map(|record| record.event.clone()).collect()
    }

    async fn until_told(store: &dyn Store, events: &[Event]) {
        while told(store).await != events {
            assert!(store.head().changed().await, "open");
        }
    }

    #[tokio::test]
    async fn what_is_announced_is_told_once_and_in_order() {
        let directory = tempfile::tempdir().expect("made");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(Options::new(directory.path())).expect("opened"));
        // Left by a life before, which ended after it had appended the first one.
        store.commit(vec![Op::Announce(event(1)), Op::Announce(event(2))]).await.expect("kept");
        let append = Append { events: vec![event(1)], deduplicate: true, checkpoint: None };
        store.commit(vec![Op::Append(append)]).await.expect("appended");

        let stop = CancellationToken::new();
        let announcer = tokio::spawn(run(Arc::clone(&store), Intake::default(), stop.clone()));
        until_told(&*store, &[event(1), event(2)]).await;
        store.commit(vec![Op::Announce(event(3))]).await.expect("kept");
        until_told(&*store, &[event(1), event(2), event(3)]).await;
        stop.cancel();
        announcer.await.expect("ended");
        assert_eq!(store.outbox(10).await.expect("read"), []);
    }
}
