//! What hitwire tells a Prometheus about itself. docs/metrics.md lists every series.
//!
//! - [`Requests`]: requests to the API; [`Intake`]: events that came in. Counted where they happen.
//! - [`Deliveries`]: attempts, counted by the dispatch; with `each`, what is counted for single integrations.
//! - `observed`: what is looked at when somebody asks, at most every few seconds: the lanes, the store, the sources, the
//!   process.
//! - `classic`: the older text format, for readers that do not ask for OpenMetrics.
//! - `writing`: a few words shorter to say what a series is.
//!
//! There is one registry for each server and none for the process. The number of series is bounded: no label has a value that
//! others choose, and single integrations are told up to a bound.

mod classic;
mod deliveries;
mod each;
mod intake;
mod observed;
mod process;
mod requests;
mod restarts;
mod writing;

pub use deliveries::Deliveries;
pub(crate) use deliveries::Ended;
pub(crate) use intake::{Intake, Origin};
pub(crate) use observed::Around;
pub(crate) use requests::{Open, Requests};
pub(crate) use restarts::Restarts;

use observed::Observed;
use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Before every name that is not of the process as such.
const PREFIX: &str = "hitwire";

/// Names and values that the code knows.
type Fixed<const N: usize> = [(&'static str, &'static str); N];

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

    /// Everything, in the text format of OpenMetrics 1.0.
    pub(crate) async fn text(&self) -> String {
        self.observed.look().await;
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            // Writing to a string cannot fail.
            tracing::error!(%error, "the metrics could not be written");
        }
        text
    }

    /// The same in the older text format of Prometheus (0.0.4).
    pub(crate) async fn classic_text(&self) -> String {
        classic::rewrite(&self.text().await)
    }
}
