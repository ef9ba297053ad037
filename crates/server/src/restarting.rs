//! The tasks behind the API, each of which picks up where it was if it fails.

use crate::announcer;
use crate::certificate::Certificate;
use crate::metrics::Counted;
use crate::processors::requests_per_hour::Processor;
use hitwire_api::Accounts;
use hitwire_console::Lifetime;
use hitwire_delivery::Clock;
use hitwire_delivery::supervisor::Supervisor;
use hitwire_index::Following;
use hitwire_store::Store;
use std::future::Future;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Begins tasks again when they fail.
#[derive(Clone, Debug)]
pub(crate) struct Restarting {
    supervisor: Supervisor,
    stop: CancellationToken,
}

impl Restarting {
    /// Tasks that end at the stop.
    pub(crate) fn new(supervisor: Supervisor, stop: CancellationToken) -> Restarting {
        Restarting { supervisor, stop }
    }

    fn task<W: Future<Output = ()>, B: FnMut(CancellationToken) -> W>(
        &self,
        part: &'static str,
        mut begin: B,
    ) -> impl Future<Output = ()> + use<W, B> {
        let stop = self.stop.clone();
        self.supervisor.clone().restarting(part, move || begin(stop.clone()))
    }

    /// Counts requests by the hour; goes on from what the store kept.
    pub(crate) fn processor(
        &self,
        first: Processor,
        store: &Arc<dyn Store>,
        clock: Clock,
        counted: &Counted,
    ) -> impl Future<Output = ()> + use<> {
        let (mut first, store, intake) = (Some(first), Arc::clone(store), counted.intake.clone());
        self.task("requests_per_hour", move |stop| {
            let (first, store, intake) = (first.take(), Arc::clone(&store), intake.clone());
            async move {
                match first {
                    Some(first) => first.run(stop).await,
                    None => Processor::run_again(store, clock, intake, stop).await,
                }
            }
        })
    }

    /// Writes the index.
    pub(crate) fn index(&self, following: Following) -> impl Future<Output = ()> + use<> {
        self.task("index", move |stop| following.anew().run(stop))
    }

    /// Moves the outbox into the log.
    pub(crate) fn announcer(
        &self,
        store: &Arc<dyn Store>,
        counted: &Counted,
    ) -> impl Future<Output = ()> + use<> {
        let (store, intake) = (Arc::clone(store), counted.intake.clone());
        self.task("announcer", move |stop| announcer::run(Arc::clone(&store), intake.clone(), stop))
    }

    /// Writes down when tokens were used.
    pub(crate) fn token_uses(&self, accounts: &Arc<Accounts>) -> impl Future<Output = ()> + use<> {
        let accounts = Arc::clone(accounts);
        self.task("token_uses", move |stop| Arc::clone(&accounts).write_uses_down(stop))
    }

    /// Looks for a renewed certificate.
    pub(crate) fn certificate(&self, certificate: &Arc<Certificate>) -> impl Future<Output = ()> + use<> {
        let certificate = Arc::clone(certificate);
        self.task("certificate", move |stop| Arc::clone(&certificate).watch(stop))
    }

    /// Takes expired sessions away.
    pub(crate) fn sessions(
        &self,
        store: &Arc<dyn Store>,
        lifetime: Lifetime,
        clock: Clock,
    ) -> impl Future<Output = ()> + use<> {
        let store = Arc::clone(store);
        let now_s = move || clock.wall_ms() / 1_000;
        self.task("sessions", move |stop| hitwire_console::expire(Arc::clone(&store), lifetime, now_s, stop))
    }
}
