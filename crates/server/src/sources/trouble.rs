//! Tells of sources in trouble, once, and once when they work again.
//!
//! What was told is kept in a checkpoint, in the same transaction as the event that tells it: so a restart neither tells a
//! trouble again, nor forgets that its end is still to be told.

use hitwire_api::FIRST_CLIENT;
use hitwire_api::{Intake, Origin};
use hitwire_api::{SourceGauge, SourceStatus};
use hitwire_delivery::Clock;
use hitwire_event::Event;
use hitwire_event::system::System;
use hitwire_store::{Append, Done, Op, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A problem that lasts this long is told: a log that is being rotated, or a disk that was full for a moment, is no news.
const TOLD_AFTER: Duration = Duration::from_secs(30);

/// How often the sources are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Before a source's name: the checkpoint that says what was told of it.
const CHECKPOINT: &str = "source_trouble/";

/// What that checkpoint holds while the trouble was told and its end was not.
const TOLD: &[u8] = b"told";

/// What is to be said of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Say {
    /// It is in trouble, for this reason.
    Trouble(String),
    /// It works again.
    Recovered,
}

/// What is known of a source's trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Trouble {
    /// Since when it has a problem, on the monotonic clock.
    since: Option<Duration>,
    told: bool,
}

impl Trouble {
    /// What is to be said now; again each time, until [`Trouble::said`].
    fn look(&mut self, now: Duration, status: &SourceStatus) -> Option<Say> {
        let Some(problem) = &status.problem else {
            self.since = None;
            // Right after a start there is no problem because nothing was read yet.
            let works = status.caught_up || status.last_record_at.is_some();
            return (self.told && works).then_some(Say::Recovered);
        };
        let since = *self.since.get_or_insert(now);
        let lasts = now.saturating_sub(since) >= TOLD_AFTER;
        (lasts && !self.told).then(|| Say::Trouble(problem.clone()))
    }

    fn said(&mut self, say: &Say) {
        self.told = matches!(say, Say::Trouble(_));
    }
}

/// Looks at the sources until told to stop.
pub(super) async fn watch(
    gauges: Vec<Arc<SourceGauge>>,
    store: Arc<dyn Store>,
    intake: Intake,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut watched = Vec::with_capacity(gauges.len());
    for gauge in gauges {
        let name = gauge.status().name;
        // A store that cannot be read now is read when there is something to say.
        let kept = store.checkpoint(&key(&name)).await.ok().flatten();
        watched.push((gauge, Trouble { since: None, told: kept.as_deref() == Some(TOLD) }));
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        for (gauge, trouble) in &mut watched {
            let status = gauge.status();
            let Some(say) = trouble.look(clock.now(), &status) else { continue };
            match tell(&*store, &intake, &status.name, &say, clock.wall_ms()).await {
                Ok(()) => trouble.said(&say),
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(source = status.name, %error, "a source's trouble cannot be told yet");
                }
            }
        }
    }
}

async fn tell(
    store: &dyn Store,
    intake: &Intake,
    name: &str,
    say: &Say,
    now_ms: u64,
) -> Result<(), StoreError> {
    let kept = if matches!(say, Say::Trouble(_)) { TOLD } else { &[] };
    let events = vec![event(name, say, now_ms)];
    let kinds = Intake::kinds(&events);
    let checkpoint = Some((key(name), kept.to_vec()));
    let append = Append { events, deduplicate: false, checkpoint };
    if let Some(Done::Appended(appended)) = store.commit(vec![Op::Append(append)]).await?.pop() {
        intake.appended(Origin::Hitwire, &kinds, &appended);
    }
    Ok(())
}

fn event(name: &str, say: &Say, now_ms: u64) -> Event {
    let source = name.to_owned();
    let system = match say {
        Say::Trouble(reason) => System::SourceTrouble { source, reason: reason.clone() },
        Say::Recovered => System::SourceRecovered { source },
    };
    system.to_event(FIRST_CLIENT, now_ms / 1_000, &[name.as_bytes(), &now_ms.to_le_bytes()])
}

fn key(name: &str) -> String {
    format!("{CHECKPOINT}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_event::{Kind, Seq, Stream};
    use hitwire_store::{Options, Read, SqliteStore, StreamFrom};

    /// The types of the system events in the log.
    async fn told(store: &dyn Store) -> Vec<String> {
        let stream = Stream { client: FIRST_CLIENT, kind: Kind::System };
        let (mut told, mut after, mut more) = (Vec::new(), Seq::ZERO, true);
        while more {
            let streams = vec![StreamFrom { stream, from: Seq::ZERO }];
            let read = Read { streams, after, through: None, max_events: 10, max_bytes: 1 << 20 };
            let page = store.read(read).await.expect("read");
            (after, more) = (page.scanned_to, page.more);
            for record in page.records {
                let body: serde_json::Value = serde_json::from_str(&record.event.body).expect("JSON");
                assert_eq!(body["source_name"], "modsecurity:/a");
                told.push(body["notification_type"].as_str().expect("text").to_owned());
            }
        }
        told
    }

    fn open(dir: &std::path::Path) -> Arc<dyn Store> {
        let options = Options { inline: true, secret_key: Some([7; 32]), ..Options::new(dir) };
        Arc::new(SqliteStore::open(Options { disk_floor_bytes: 0, ..options }).expect("opened"))
    }

    fn gauge() -> Arc<SourceGauge> {
        Arc::new(SourceGauge::new("modsecurity:/a".to_owned(), "/a".to_owned()))
    }

    fn watch_one(
        gauge: &Arc<SourceGauge>,
        store: &Arc<dyn Store>,
        stop: &CancellationToken,
    ) -> tokio::task::JoinHandle<()> {
        let clock = Clock::at(Duration::from_secs(1_700_000_000));
        let (gauges, store) = (vec![Arc::clone(gauge)], Arc::clone(store));
        tokio::spawn(watch(gauges, store, Intake::default(), clock, stop.clone()))
    }

    fn has_problem(gauge: &SourceGauge, problem: Option<&str>) {
        gauge.update(|status| {
            status.problem = problem.map(str::to_owned);
            status.caught_up = problem.is_none();
        });
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_problem_that_lasts_is_told_once_and_its_end_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, gauge, stop) = (open(dir.path()), gauge(), CancellationToken::new());
        let watching = watch_one(&gauge, &store, &stop);
        has_problem(&gauge, Some("the file cannot be read: denied"));
        after(20).await;
        has_problem(&gauge, None);
        after(60).await;
        assert_eq!(told(&*store).await, [""; 0], "it did not last");
        has_problem(&gauge, Some("the file cannot be read: denied"));
        after(29).await;
        assert_eq!(told(&*store).await, [""; 0]);
        after(3_600).await;
        assert_eq!(told(&*store).await, ["source_trouble"]);
        has_problem(&gauge, None);
        after(3_600).await;
        assert_eq!(told(&*store).await, ["source_trouble", "source_recovered"]);
        stop.cancel();
        watching.await.expect("ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_tells_nothing_twice_and_forgets_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, gauge, stop) = (open(dir.path()), gauge(), CancellationToken::new());
        let watching = watch_one(&gauge, &store, &stop);
        has_problem(&gauge, Some("the file is not there yet"));
        after(60).await;
        stop.cancel();
        watching.await.expect("ended");
        drop(store);

        let (store, gauge, stop) = (open(dir.path()), self::gauge(), CancellationToken::new());
        let watching = watch_one(&gauge, &store, &stop);
        after(60).await;
        assert_eq!(told(&*store).await, ["source_trouble"], "nothing is known of the source yet");
        has_problem(&gauge, Some("the file is not there yet"));
        after(600).await;
        assert_eq!(told(&*store).await, ["source_trouble"]);
        has_problem(&gauge, None);
        after(60).await;
        assert_eq!(told(&*store).await, ["source_trouble", "source_recovered"]);
        stop.cancel();
        watching.await.expect("ended");
    }
}
