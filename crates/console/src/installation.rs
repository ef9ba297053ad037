//! What the server tells the console of itself.

use std::fmt;

/// Tells something that may change while hitwire runs.
pub type Tells<T> = Box<dyn Fn() -> T + Send + Sync>;

/// How this installation is set up. None of it is secret; it is shown to operators.
pub struct Installation {
    /// The version that runs.
    pub version: &'static str,
    /// How the console and the API are reached, without a slash at the end: the configured public URL, else the address that hitwire
    /// listens on. Never taken from a request: its sender may have written any `Host`.
    pub url: String,
    /// Whether `url` was configured: if not, it may lead nowhere from other machines.
    pub url_is_configured: bool,
    /// Where it listens.
    pub listen: String,
    /// When it was started, Unix seconds.
    pub started_s: u64,
    /// Bytes on disk that the log may take.
    pub log_bytes_max: u64,
    /// Nothing is accepted while less is free on the disk.
    pub disk_floor_bytes: u64,
    /// When the API's certificate expires, Unix seconds; none: it speaks no TLS, or that cannot be read.
    pub certificate_expires_s: Tells<Option<i64>>,
    /// The rendering of integrations that name none, as the API calls it.
    pub default_rendering: &'static str,
    /// Whether the API speaks TLS.
    pub is_tls: bool,
    /// Every setting in effect by its key in the configuration file, and where secrets come from.
    pub settings: Vec<Setting>,
}

/// A setting in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the configuration file: `retention.size`.
    pub name: String,
    /// As it is written there, without quotation marks.
    pub value: String,
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation")
            .field("version", &self.version)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
