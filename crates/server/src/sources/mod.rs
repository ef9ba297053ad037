//! One runner for each configured source: reads, converts, appends with its checkpoint.
//!
//! - [`Sources`]: all of them; opened before anything is started, started after the dispatch, stopped with it.
//! - [`runner`]: a thread that follows one file; if it fails, it is begun again from the checkpoint. What it reads at once, a *chunk*, becomes one commit: the events and the
//!   checkpoint behind them, so that each line becomes its events exactly once.
//! - [`trouble`]: a source that is in trouble, told once, and its end.

mod runner;
mod trouble;

use crate::StartError;
use crate::config::{Config, SourceSpec};
use hitwire_api::{FIRST_CLIENT, Intake, SourceGauge};
use hitwire_delivery::Clock;
use hitwire_delivery::supervisor::Supervisor;
use hitwire_source::Settings;
use hitwire_source::follow::{Follower, Start, Waker, Watch};
use hitwire_store::Store;
use runner::Runner;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Sources that are opened, but not read yet.
pub(crate) struct Opened(Vec<(SourceSpec, Follower, Settings)>);

/// All running sources. Dropping it ends them, but does not wait for that.
pub(crate) struct Sources {
    running: Vec<Running>,
    /// Tells of trouble; none if there are no sources.
    watching: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

struct Running {
    gauge: Arc<SourceGauge>,
    waker: Waker,
    thread: Option<thread::JoinHandle<()>>,
}

impl Sources {
    /// Finds out where each source goes on.
    pub(crate) async fn open(config: &Config, store: &Arc<dyn Store>) -> Result<Opened, StartError> {
        let mut opened = Vec::with_capacity(config.sources.len());
        for spec in &config.sources {
            let failed = |problem: String| StartError::Source { name: spec.name(), problem };
            let follower = follower(spec, &**store).await.map_err(failed)?;
            let settings = spec.conversion(FIRST_CLIENT, config.env_label.clone());
            opened.push((spec.clone(), follower, settings));
        }
        Ok(Opened(opened))
    }

    /// What each counted.
    pub(crate) fn gauges(&self) -> Vec<Arc<SourceGauge>> {
        self.running.iter().map(|running| Arc::clone(&running.gauge)).collect()
    }

    /// Stops all. What was read and not committed is read again after the next start.
    pub(crate) async fn stop(mut self, within: Duration) {
        self.end();
        if let Some(watching) = self.watching.take()
            && timeout(within, watching).await.is_err()
        {
            tracing::warn!("a source's trouble was still being told");
        }
        let threads: Vec<_> = self.running.iter_mut().filter_map(|running| running.thread.take()).collect();
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().filter_map(|thread| thread.join().err()).count()
        });
        match timeout(within, joined).await {
            Ok(Ok(0)) => {}
            Ok(_) => tracing::error!("a source's thread had panicked"),
            Err(_) => tracing::warn!(
                "a source did not stop in time; it goes on from its checkpoint after the next start"
            ),
        }
    }

    fn end(&self) {
        self.stop.cancel();
        for running in &self.running {
            running.waker.wake();
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a source goes on: behind what was committed.
async fn follower(spec: &SourceSpec, store: &dyn Store) -> Result<Follower, String> {
    let checkpoint = store.checkpoint(&spec.name()).await.map_err(|error| error.to_string())?;
    let start = if spec.from_end { Start::End } else { Start::Beginning };
    Follower::open(&spec.path, checkpoint.as_deref(), start).map_err(|error| error.to_string())
}

impl Opened {
    /// Starts to read. To be called within the runtime that serves the store.
    pub(crate) fn start(
        self,
        store: &Arc<dyn Store>,
        intake: &Intake,
        clock: Clock,
        supervisor: &Supervisor,
    ) -> Sources {
        let stop = CancellationToken::new();
        let start = |(spec, follower, settings): (SourceSpec, Follower, Settings)| {
            let watch = Watch::new(&spec.path);
            let waker = watch.waker();
            let gauge = Arc::new(SourceGauge::new(spec.name(), spec.path.display().to_string()));
            let mut runner = Runner {
                name: spec.name(),
                count_requests: spec.count_requests,
                settings,
                follower,
                watch,
                store: Arc::clone(store),
                gauge: Arc::clone(&gauge),
                intake: intake.clone(),
                clock,
                runtime: Handle::current(),
                stop: stop.clone(),
            };
            let restarts = supervisor.restarts();
            let thread = thread::spawn(move || runner.keep_running(&spec, &restarts));
            Running { gauge, waker, thread: Some(thread) }
        };
        let running: Vec<Running> = self.0.into_iter().map(start).collect();
        let gauges: Vec<_> = running.iter().map(|running| Arc::clone(&running.gauge)).collect();
        let watching = (!running.is_empty()).then(|| {
            let (store, intake, stop) = (Arc::clone(store), intake.clone(), stop.clone());
            let watch = move || {
                trouble::watch(gauges.clone(), Arc::clone(&store), intake.clone(), clock, stop.clone())
            };
            tokio::spawn(supervisor.clone().restarting("source_trouble", watch))
        });
        Sources { running, watching, stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_delivery::counted::Restarts;
    use hitwire_event::{Kind, Seq, Stream};
    use hitwire_store::{FaultPoint, Options, Read, SqliteStore, StreamFrom};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Generous: only against hanging.
    const PATIENCE: Duration = Duration::from_mins(8);

    /// How many hits are in the log.
    async fn hits(store: &dyn Store) -> usize {
        let stream = Stream { client: FIRST_CLIENT, kind: Kind::Hit };
        let streams = vec![StreamFrom { stream, from: Seq(1) }];
        let read =
            Read { streams, after: Seq::ZERO, through: None, max_events: 10_000, max_bytes: usize::MAX };
        store.read(read).await.expect("read").records.len()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_source_that_fails_is_begun_again_from_its_checkpoint_and_brings_each_record_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../source/tests/data/modsecurity/blocking.jsonl");
        let (log, records) = (dir.path().join("audit.log"), std::fs::read(sample).expect("the sample"));
        std::fs::write(&log, &records).expect("written");
        let failures = Arc::new(AtomicU32::new(2));
        let left = Arc::clone(&failures);
        let mut options = Options::new(dir.path().join("data"));
        // The store works on the source's own thread, so that a panic in it is the source's.
        options.inline = true;
        options.disk_floor_bytes = 0;
        options.fault = Some(Arc::new(move |point| {
            let fails = point == FaultPoint::LogBeforeCommit
                && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            assert!(!fails, "on purpose");
            false
        }));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).expect("opened"));
        let spec = SourceSpec::new(crate::SourceFormat::ModSecurity, &log);
        let config = Config { sources: vec![spec], ..Config::default() };
        let (stop, restarts) = (CancellationToken::new(), Restarts::default());
        let supervisor = Supervisor::new(stop.clone(), restarts.clone());
        let opened = Sources::open(&config, &store).await.expect("opened");
        let sources = opened.start(&store, &Intake::default(), Clock::system(), &supervisor);
        let gauge = sources.gauges().remove(0);
        let read = async {
            while !gauge.status().caught_up {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, read).await.expect("it goes on");
        let status = gauge.status();
        assert_eq!((status.problem, failures.load(Ordering::SeqCst), restarts.of("source")), (None, 0, 2));
        assert_eq!(status.position, records.len() as u64);
        assert!(status.hits > 0);
        assert_eq!(hits(&*store).await as u64, status.hits, "each record became its hits once");
        sources.stop(PATIENCE).await;
    }
}
