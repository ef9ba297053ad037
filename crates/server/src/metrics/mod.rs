//! What hitwire tells a Prometheus about itself. docs/metrics.md lists every series.
//!
//! - [`Requests`]: requests to the API; [`Intake`]: events that came in; [`Deliveries`]: attempts. Counted where they happen.
//! - `observed`: what is looked at when somebody asks, at most every few seconds: the lanes, the store, the sources, the
//!   process.
//! - `classic`: the older text format, for readers that do not ask for OpenMetrics.
//! - `writing`: a few words shorter to say what a series is.
//!
//! There is one registry for each server and none for the process. The number of series is bounded: no label has a value that
//! others choose, and single integrations are told up to a bound.

mod classic;
mod observed;
mod process;
mod writing;

pub(crate) use observed::Around;

use futures_util::future::BoxFuture;
use hitwire_api::{Exposition, Intake, Requests};
use hitwire_delivery::Deliveries;
use hitwire_delivery::counted::Restarts;
use observed::Observed;
use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Before every name that is not of the process as such.
const PREFIX: &str = "hitwire";

/// Everything that is told.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    observed: Arc<Observed>,
}

/// What others count, where it happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) requests: Requests,
    pub(crate) intake: Intake,
    pub(crate) deliveries: Deliveries,
    pub(crate) restarts: Restarts,
}

impl Metrics {
    /// Tells what is counted and what can be seen around.
    pub(crate) fn new(counted: &Counted, around: Around) -> Metrics {
        let observed = Arc::new(Observed::new(around, counted.deliveries.clone()));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::default()));
        let own = registry.sub_registry_with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        own.register("build", "The version that runs", build);
        counted.requests.register(own);
        counted.intake.register(own);
        counted.deliveries.register(own);
        counted.restarts.register(own);
        own.register_collector(Box::new(process::LogLines));
        own.register_collector(Box::new(Arc::clone(&observed)));
        Metrics { registry, observed }
    }
}

impl Exposition for Metrics {
    fn text(&self) -> BoxFuture<'_, String> {
        Box::pin(async move {
            self.observed.look().await;
            let mut text = String::new();
            if let Err(error) = text::encode(&mut text, &self.registry) {
                // Writing to a string cannot fail.
                tracing::error!(%error, "the metrics could not be written");
            }
            text
        })
    }

    fn classic_text(&self) -> BoxFuture<'_, String> {
        Box::pin(async move { classic::rewrite(&self.text().await) })
    }
}
