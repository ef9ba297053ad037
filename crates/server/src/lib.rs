//! What joins them: the API, the couriers' shell, the sources' runners, configuration.
//!
//! The cast:
//!
//! - [`Config`]: what an operator set; checked before anything is opened.
//! - [`Server`]: one running hitwire. It opens the store, starts the dispatch, the sources and the API, and stops them
//!   in the opposite order; there is one shutdown path.
//! - `api`: handlers that authenticate, parse, call one thing and shape the answer.
//! - [`dispatch`]: the couriers' shell: wakes couriers when the log advances, carries out what their machines say.
//! - `accounts`: who may do what; [`Clients`]: what is known of clients (tenants).
//! - [`Names`]: what the installation and its clients are called in envelopes.
//! - `metrics`: what hitwire tells a Prometheus.
//! - `change`: what takes effect, what the activity log says of it, and the event that tells it, as the ops of one commit.
//! - `announcer`: moves the outbox, the events that tell of changes, into the log.
//! - `processors`: events made of events, such as the hourly count of requests.
//! - `supervisor`: what is begun again when it fails, and what ends hitwire; [`descriptors`]: who gets the file descriptors.
//! - [`log_lines`]: where log lines go, without ever waiting or failing.
//! - `sources`: one runner for each configured source: reads, converts, appends with its checkpoint.
//! - [`import`]: a whole file into bodies for `POST /v1/events`, for the command line.

mod accounts;
mod admin_token;
mod announcer;
mod api;
mod certificate;
mod change;
pub mod config;
pub mod descriptors;
pub mod dispatch;
pub mod import;
mod listener;
pub mod log_lines;
mod metrics;
mod names;
mod processors;
mod random_token;
mod restarting;
mod server;
mod sign_in;
mod sources;
mod supervisor;

pub use accounts::Clients;
pub use certificate::CertificateError;
pub use config::{Config, ConfigError, ConsoleSettings, OidcSettings, SourceFormat, SourceSpec};
pub use listener::prepare_thread;
pub use names::Names;
pub use server::{Server, StartError};
pub use sources::SourceStatus;

/// A moment as RFC 3339 in UTC with milliseconds, from milliseconds since the epoch.
fn rfc3339(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}

/// Bytes in lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
