//! What hitwire cannot do without, and what is begun again when it fails.
//!
//! A part of hitwire that fails by a programming error (a panic) must not end unseen:
//!
//! - [`Supervisor::restarting`]: work that picks up where it was, from what the store kept. It is begun again after a wait
//!   that grows ([`Backoff`]), for ever, and counted.
//! - [`Supervisor::requires`]: work that cannot be begun again. If it ends before hitwire stops, hitwire has failed:
//!   `/healthz` and `/readyz` say why, and the process stops in order and exits with an error.
//!
//! Single integrations are looked after by the dispatch: a courier that fails is built again from what was saved.

use crate::counted::Restarts;
use futures_util::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first wait before something that failed is begun again.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// What ran for so long before it failed is begun again after the first wait.
const RECOVERED_AFTER: Duration = Duration::from_mins(10);

/// Looks after the parts of one running hitwire. Cheap to clone; clones look after the same.
#[derive(Clone, Debug)]
pub struct Supervisor {
    stop: CancellationToken,
    failure: watch::Sender<Option<Arc<str>>>,
    restarts: Restarts,
}

impl Supervisor {
    /// Looks after parts until `stop`.
    pub fn new(stop: CancellationToken, restarts: Restarts) -> Supervisor {
        Supervisor { stop, failure: watch::Sender::new(None), restarts }
    }

    /// Does the work that `begin` gives, and begins it again if it panics. Ends when the work ends by itself, or at the stop.
    pub async fn restarting<W: Future<Output = ()>>(self, part: &'static str, mut begin: impl FnMut() -> W) {
        let mut backoff = Backoff::default();
        loop {
            let began = Instant::now();
            let ended = AssertUnwindSafe(async { begin().await }).catch_unwind().await;
            if ended.is_ok() {
                return;
            }
            let wait = backoff.after(began.elapsed());
            self.restarts.count(part);
            tracing::error!(
                part,
                wait_s = wait.as_secs(),
                "it failed by a programming error and is begun again"
            );
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Does work without which hitwire is of no use. Its end before the stop, by a panic or by itself, is hitwire's failure.
    pub async fn requires(self, part: &'static str, work: impl Future<Output = ()>) {
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        if ended.is_err() || !self.stop.is_cancelled() {
            self.fail(&format!("{part} failed by a programming error; hitwire's log says more"));
        }
    }

    /// hitwire has failed. Only the first reason counts.
    pub fn fail(&self, reason: &str) {
        let is_first = self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert_with(|| reason.into());
            is_first
        });
        if is_first {
            tracing::error!(reason, "hitwire has failed and stops");
        }
    }

    /// Counts what is begun again, for parts that see to that themselves.
    pub fn restarts(&self) -> Restarts {
        self.restarts.clone()
    }

    /// Why hitwire has failed; none if it has not.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.failure.borrow().clone()
    }

    /// Waits until hitwire has failed, and says why.
    pub async fn failed(&self) -> Arc<str> {
        let mut failure = self.failure.subscribe();
        match failure.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(reason)) => Arc::clone(reason),
            // The sender is `self`: there is always one.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// How long to wait before something that failed is begun again: longer each time, up to a bound.
#[derive(Debug, Default)]
pub struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The wait after a failure; `ran` is how long it had worked before.
    pub fn after(&mut self, ran: Duration) -> Duration {
        let next = match self.last {
            Some(last) if ran < RECOVERED_AFTER => (last * 2).min(WAIT_MAX),
            _ => WAIT_MIN,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn supervisor() -> Supervisor {
        Supervisor::new(CancellationToken::new(), Restarts::default())
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_is_begun_again_until_it_ends_by_itself() {
        let supervisor = supervisor();
        let (runs, began) = (AtomicU32::new(0), Instant::now());
        let work = || async {
            tokio::task::yield_now().await;
            assert!(runs.fetch_add(1, Ordering::Relaxed) >= 3, "on purpose");
        };
        supervisor.clone().restarting("a test", work).await;
        assert_eq!(runs.into_inner(), 4);
        assert_eq!(began.elapsed().as_secs(), 1 + 2 + 4, "the waits grow");
        assert_eq!(supervisor.failure(), None);
        assert_eq!(supervisor.restarts.of("a test"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_before_its_future_is_there_is_begun_again_too() {
        let runs = AtomicU32::new(0);
        let begin = || {
            assert!(runs.fetch_add(1, Ordering::Relaxed) > 0, "on purpose");
            std::future::ready(())
        };
        supervisor().restarting("a test", begin).await;
        assert_eq!(runs.into_inner(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait() {
        let supervisor = supervisor();
        let stop = supervisor.stop.clone();
        let working = tokio::spawn(supervisor.restarting("a test", || async { panic!("on purpose") }));
        tokio::task::yield_now().await;
        stop.cancel();
        working.await.expect("ended");
    }

    #[tokio::test]
    async fn required_work_that_panics_or_ends_is_hitwires_failure() {
        let supervisor = supervisor();
        supervisor.clone().requires("the one", async { panic!("on purpose") }).await;
        supervisor.clone().requires("the other", async {}).await;
        let reason = supervisor.failed().await;
        assert!(reason.starts_with("the one failed"), "the first reason counts: {reason}");
        assert_eq!(supervisor.failure(), Some(reason));
    }

    #[tokio::test]
    async fn required_work_that_ends_after_the_stop_has_not_failed() {
        let supervisor = supervisor();
        supervisor.stop.cancel();
        supervisor.clone().requires("a test", async {}).await;
        assert_eq!(supervisor.failure(), None);
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_begin_anew_after_good_times() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.after(Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.after(RECOVERED_AFTER), WAIT_MIN);
    }
}
