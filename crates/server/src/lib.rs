//! What joins them: configuration, listeners, the sources' runners, processors, metrics.
//!
//! The cast:
//!
//! - [`Config`]: what an operator set; checked before anything is opened.
//! - [`Server`]: one running hitwire. It opens the store, starts the dispatch, the sources and the API, and stops them
//!   in the opposite order; there is one shutdown path.
//! - `site`: the API's calls and the console's pages as one site; `listener`: connections, their number and their timeouts.
//! - `metrics`: what hitwire tells a Prometheus.
//! - `announcer`: moves the outbox, the events that tell of changes, into the log.
//! - `processors`: events made of events, such as the hourly count of requests.
//! - `restarting`: what is begun again when it fails; [`descriptors`]: who gets the file descriptors.
//! - [`log_lines`]: where log lines go, without ever waiting or failing.
//! - `sources`: one runner for each configured source: reads, converts, appends with its checkpoint.
//! - [`import`]: a whole file into bodies for `POST /v1/events`, for the command line.

mod admin_token;
mod announcer;
mod certificate;
pub mod config;
pub mod descriptors;
pub mod import;
mod listener;
pub mod log_lines;
mod metrics;
mod processors;
mod restarting;
mod server;
mod sign_in;
mod site;
mod sources;

pub use certificate::CertificateError;
pub use config::{Config, ConfigError, ConsoleSettings, OidcSettings, SourceFormat, SourceSpec};
pub use hitwire_api::SourceStatus;
pub use listener::prepare_thread;
pub use server::{Server, StartError};
