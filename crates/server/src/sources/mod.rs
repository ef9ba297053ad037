//! One runner for each configured source: reads, converts, appends with its checkpoint.
//!
//! - [`Sources`]: all of them; opened before anything is started, started after the dispatch, stopped with it.
//! - [`runner`]: a thread that follows one file. What it reads at once, a *chunk*, becomes one commit: the events and the
//!   checkpoint behind them, so that each line becomes its events exactly once.
//! - [`trouble`]: a source that is in trouble, told once, and its end.
//! - [`SourceGauge`]: what it counted so far, for whoever asks.

mod gauge;
mod runner;
mod trouble;

pub(crate) use gauge::SourceGauge;
pub use gauge::SourceStatus;

use crate::StartError;
use crate::accounts::FIRST_CLIENT;
use crate::config::{Config, SourceSpec};
use crate::dispatch::Clock;
use crate::metrics::Intake;
use hitwire_log::Store;
use hitwire_source::Settings;
use hitwire_source::follow::{Follower, Start, Waker, Watch};
use runner::Runner;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
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
            let checkpoint =
                store.checkpoint(&spec.name()).await.map_err(|error| failed(error.to_string()))?;
            let start = if spec.from_end { Start::End } else { Start::Beginning };
            let follower = Follower::open(&spec.path, checkpoint.as_deref(), start)
                .map_err(|error| failed(error.to_string()))?;
            let settings =
                Settings { client: FIRST_CLIENT, env: config.env_label.clone(), ..spec.settings.clone() };
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

impl Opened {
    /// Starts to read. To be called within the runtime that serves the store.
    pub(crate) fn start(self, store: &Arc<dyn Store>, intake: &Intake, clock: Clock) -> Sources {
        let stop = CancellationToken::new();
        let start = |(spec, follower, settings): (SourceSpec, Follower, Settings)| {
            let watch = Watch::new(&spec.path);
            let waker = watch.waker();
            let gauge = Arc::new(SourceGauge::new(&spec));
            let runner = Runner {
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
            let told = Arc::clone(&gauge);
            let thread = thread::spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runner.run())) {
                    // Blind, and known to be: `GET /v1/sources` says so until hitwire is started again.
                    told.update(|status| {
                        status.caught_up = false;
                        status.problem = Some(
                            "the source ended by a programming error; restart hitwire, it goes on from its checkpoint"
                                .to_owned(),
                        );
                    });
                    resume_unwind(panic);
                }
            });
            Running { gauge, waker, thread: Some(thread) }
        };
        let running: Vec<Running> = self.0.into_iter().map(start).collect();
        let gauges: Vec<_> = running.iter().map(|running| Arc::clone(&running.gauge)).collect();
        let watch = || trouble::watch(gauges, Arc::clone(store), intake.clone(), clock, stop.clone());
        let watching = (!running.is_empty()).then(watch);
        Sources { running, watching, stop }
    }
}
