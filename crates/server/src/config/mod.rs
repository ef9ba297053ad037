//! What an operator sets, and the checks on it.
//!
//! A [`Config`] starts as [`Config::default`] or from a file ([`Config::from_toml`]), which serde reads into it; flags and
//! environment then override single fields, and [`Server::start`](crate::Server::start) checks the whole before anything is opened. Tokens and the
//! secret key never stand in the file or on the command line: they come from the environment or from files of their own
//! ([`Config::take_secrets`]).

mod address;
mod file;
mod measure;
mod naming;
mod outbound;
mod secrets;
mod serving;
mod sign_in;
mod source_spec;
mod text;

pub use address::parse_listen;
pub use measure::{parse_duration, parse_size};
pub use outbound::OutboundSettings;
pub use secrets::{SecretKey, TOKEN_CHARS_MIN};
pub use serving::TlsFiles;
pub use sign_in::{ConsoleSettings, OidcSettings};
pub use source_spec::{RuleIds, SourceFormat, SourceRules, SourceSpec};

use hitwire_receiver::{CLOUD, PRODUCT, Style};
use hitwire_store::Secret;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The port of the API unless set otherwise.
pub const DEFAULT_PORT: u16 = 8419;

/// The longest environment label: it is part of every hit's id.
const ENV_LABEL_CHARS_MAX: usize = 32;

/// Everything that an operator can set: the configuration file, and what flags and the environment change in it. A key that
/// is not here is refused, so that a slip of the pen does not go unnoticed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where log, state and keys live; made with mode 0700 if it is not there.
    #[serde(serialize_with = "text::path")]
    pub data_dir: PathBuf,
    /// Where the API listens. Port 0 takes a free one.
    #[serde(deserialize_with = "address::listen")]
    pub listen: SocketAddr,
    /// Where metrics are told without a token; none: only on the API, to operators. Port 0 takes a free one.
    #[serde(deserialize_with = "address::listen")]
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate that the API serves with, then those between it and the root, in PEM. None: it speaks in clear.
    #[serde(serialize_with = "text::path")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM, not encrypted.
    #[serde(serialize_with = "text::path")]
    pub tls_key: Option<PathBuf>,
    /// Allow the API, tokens included, to be spoken in clear beyond loopback (behind a proxy that adds TLS).
    pub allow_plain_http_api: bool,
    /// Networks that integrations may send to although the guard refuses them by default.
    #[serde(with = "text::networks")]
    pub allow_targets: Vec<IpNet>,
    /// Allow `http://` integrations.
    pub allow_http: bool,
    /// The `<env>` in the ids of hits: `hits_<env>_<client>_<yyyymm>_v_1`.
    #[serde(rename = "env")]
    pub env_label: String,
    /// The product's name in envelopes: `[Hitwire] New hit detected`.
    pub product: String,
    /// The installation's name, in the field `cloud` of envelopes: a region, a site.
    pub cloud: String,
    /// Where people reach the console (`https://hitwire.example.com`); links in envelopes begin with it. None: there are no
    /// links.
    pub public_url: Option<String>,
    /// The rendering of integrations that name none when they are made.
    pub default_rendering: Style,
    /// The first token; the file names a file that holds it. None: the one in `<data dir>/admin-token`, made at the first
    /// start.
    #[serde(rename = "admin_token_file", deserialize_with = "secrets::in_file", skip_serializing)]
    pub admin_token: Option<Secret>,
    /// A token that may only send events; the file names a file that holds it. None: there is none.
    #[serde(rename = "ingest_token_file", deserialize_with = "secrets::in_file", skip_serializing)]
    pub ingest_token: Option<Secret>,
    /// Seals secrets at rest; the file names a file that holds it. None: `<data dir>/secret.key`, made at the first start.
    #[serde(rename = "secret_key_file", deserialize_with = "secrets::key_in_file", skip_serializing)]
    pub secret_key: Option<SecretKey>,
    /// How long and how much the log keeps.
    pub retention: Retention,
    /// Bounds of the log's files.
    pub log: LogBounds,
    /// Bounds of the API.
    pub api: ApiBounds,
    /// How connections leave this machine.
    pub outbound: OutboundSettings,
    /// Sessions of the console.
    pub console: ConsoleSettings,
    /// An OpenID provider at which people can sign in. None: with passwords alone.
    pub oidc: Option<OidcSettings>,
    /// What is followed.
    #[serde(rename = "source")]
    pub sources: Vec<SourceSpec>,
}

/// How long and how much the log keeps, and how long an integration that is behind may hold it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Bytes on disk that the log may take: a hard limit.
    #[serde(rename = "size", with = "measure::size")]
    pub size_bytes: u64,
    /// Events older than this go, once every integration has had them or has used up its lag budget.
    #[serde(with = "measure::duration")]
    pub age: Duration,
    /// Bytes that an integration that is behind may hold back. None: four fifths of `size_bytes`.
    #[serde(rename = "lag_size", with = "measure::size")]
    pub lag_bytes: Option<u64>,
    /// How long an integration that is behind may hold back events.
    #[serde(with = "measure::duration")]
    pub lag_age: Duration,
}

/// Bounds of the log's files and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogBounds {
    /// A slice is closed at this size; retention removes whole slices.
    #[serde(rename = "slice_size", with = "measure::size")]
    pub slice_bytes: u64,
    /// A slice is closed at this age.
    #[serde(with = "measure::duration")]
    pub slice_age: Duration,
    /// Bytes of the newest events that stay in memory.
    #[serde(rename = "tail_size", with = "measure::size")]
    pub tail_bytes: u64,
    /// Nothing is accepted while the disk has less free space than this.
    #[serde(rename = "disk_floor", with = "measure::size")]
    pub disk_floor_bytes: u64,
}

/// Bounds of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiBounds {
    /// The largest body of `POST /v1/events`; larger ones get 413.
    #[serde(rename = "max_body", with = "measure::size")]
    pub body_bytes_max: u64,
    /// Bodies in memory at once, all callers together; who comes when it is used up waits.
    #[serde(rename = "bodies_in_flight", with = "measure::size")]
    pub bodies_in_flight_bytes: u64,
    /// Connections at once; further ones wait in the kernel's queue.
    #[serde(rename = "max_connections")]
    pub connections_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: PathBuf::from("hitwire-data"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            metrics_listen: None,
            tls_cert: None,
            tls_key: None,
            allow_plain_http_api: false,
            allow_targets: Vec::new(),
            allow_http: false,
            env_label: "production".to_owned(),
            product: PRODUCT.to_owned(),
            cloud: CLOUD.to_owned(),
            public_url: None,
            default_rendering: Style::default(),
            retention: Retention::default(),
            log: LogBounds::default(),
            api: ApiBounds::default(),
            outbound: OutboundSettings::default(),
            console: ConsoleSettings::default(),
            oidc: None,
            sources: Vec::new(),
            admin_token: None,
            ingest_token: None,
            secret_key: None,
        }
    }
}

impl Default for ApiBounds {
    fn default() -> Self {
        ApiBounds { body_bytes_max: 8 * MIB, bodies_in_flight_bytes: 64 * MIB, connections_max: 4_096 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention { size_bytes: 20 * GIB, age: 7 * DAY, lag_bytes: None, lag_age: 7 * DAY }
    }
}

impl Default for LogBounds {
    fn default() -> Self {
        LogBounds {
            slice_bytes: 256 * MIB,
            slice_age: HOUR,
            tail_bytes: 16 * MIB,
            disk_floor_bytes: 128 * MIB,
        }
    }
}

/// A setting that cannot be. The text names the setting and says what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// Which setting: its key in the file, its flag or its variable.
    pub setting: String,
    /// What is wrong and what would do.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        ConfigError { setting: setting.into(), problem: problem.into() }
    }
}

impl Config {
    /// Checks what can be checked without opening anything.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_serving()?;
        self.check_env_label()?;
        self.check_naming()?;
        self.check_bounds()?;
        self.check_sources()?;
        self.check_sign_in()?;
        self.check_outbound()?;
        secrets::check_token("HITWIRE_ADMIN_TOKEN", self.admin_token.as_ref())?;
        secrets::check_token("HITWIRE_INGEST_TOKEN", self.ingest_token.as_ref())?;
        if self.admin_token.is_some() && self.admin_token == self.ingest_token {
            return Err(ConfigError::new(
                "HITWIRE_INGEST_TOKEN",
                "is the same as HITWIRE_ADMIN_TOKEN; who sends events must not be able to do everything else",
            ));
        }
        Ok(())
    }

    fn check_env_label(&self) -> Result<(), ConfigError> {
        let label = &self.env_label;
        let fits = (1..=ENV_LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            return Ok(());
        }
        let problem = format!("\"{label}\" is not 1 to {ENV_LABEL_CHARS_MAX} of a-z, 0-9 and \"-\"");
        Err(ConfigError::new("env", problem))
    }

    fn check_bounds(&self) -> Result<(), ConfigError> {
        let at_least = |setting: &str, value: u64, least: u64, why: &str| {
            if value >= least {
                return Ok(());
            }
            Err(ConfigError::new(
                setting,
                format!("{value} bytes is too little: {why} need at least {least} bytes"),
            ))
        };
        // Below this a slice is mostly overhead; and a slice is an eighth of the log at most.
        let slice_bytes_min = 256 * KIB;
        at_least(
            "retention.size",
            self.retention.size_bytes,
            8 * slice_bytes_min,
            "eight slices of the log",
        )?;
        at_least("log.slice_size", self.log.slice_bytes, slice_bytes_min, "a slice and its write-ahead log")?;
        at_least("api.max_body", self.api.body_bytes_max, KIB, "one event")?;
        let ApiBounds { body_bytes_max, bodies_in_flight_bytes, .. } = self.api;
        let needed = body_bytes_max.saturating_mul(2);
        if bodies_in_flight_bytes < needed {
            // A body in between would be refused again and again, and its sender told to come back.
            let problem = format!(
                "{bodies_in_flight_bytes} bytes is too little: one client can have half of it, and a body may have {body_bytes_max} bytes \
                 (api.max_body); make it {needed} bytes or more, or api.max_body {} bytes or less",
                bodies_in_flight_bytes / 2
            );
            return Err(ConfigError::new("api.bodies_in_flight", problem));
        }
        if let Some(lag_bytes) = self.retention.lag_bytes
            && lag_bytes > self.retention.size_bytes
        {
            let problem =
                format!("{lag_bytes} bytes is more than retention.size, {} bytes", self.retention.size_bytes);
            return Err(ConfigError::new("retention.lag_size", problem));
        }
        if self.api.connections_max == 0 {
            return Err(ConfigError::new("api.max_connections", "0 would let nobody in"));
        }
        for (setting, value) in [
            ("retention.age", self.retention.age),
            ("retention.lag_age", self.retention.lag_age),
            ("log.slice_age", self.log.slice_age),
        ] {
            if value.is_zero() {
                return Err(ConfigError::new(setting, "0 would keep nothing"));
            }
        }
        Ok(())
    }

    fn check_sources(&self) -> Result<(), ConfigError> {
        for (index, source) in self.sources.iter().enumerate() {
            if self.sources[..index].iter().any(|other| other.name() == source.name()) {
                return Err(ConfigError::new("source", format!("{} is listed twice", source.name())));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.check().expect_err("refused").to_string()
    }

    #[test]
    fn the_default_is_sound() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn beyond_loopback_the_plain_api_has_to_be_allowed() {
        let everywhere: SocketAddr = ([0, 0, 0, 0], 8419).into();
        let words = refused(|config| config.listen = everywhere);
        assert!(words.starts_with("listen: 0.0.0.0:8419 is reachable"), "{words}");
        let allowed = Config { listen: everywhere, allow_plain_http_api: true, ..Config::default() };
        assert_eq!(allowed.check(), Ok(()));
        let (tls_cert, tls_key) = (Some("c.pem".into()), Some("k.pem".into()));
        let encrypted = Config { listen: everywhere, tls_cert, tls_key, ..Config::default() };
        assert_eq!(encrypted.check(), Ok(()));
    }

    #[test]
    fn every_refusal_names_its_setting() {
        let short = Secret::new("a".repeat(TOKEN_CHARS_MIN - 1));
        let long = Secret::new("a".repeat(TOKEN_CHARS_MIN));
        assert!(refused(|c| c.tls_cert = Some("c.pem".into())).starts_with("tls_key: "));
        assert!(refused(|c| c.tls_key = Some("k.pem".into())).starts_with("tls_cert: "));
        assert!(refused(|c| c.env_label = "Prod".into()).starts_with("env: "));
        assert!(refused(|c| c.retention.size_bytes = 5).starts_with("retention.size: "));
        assert!(refused(|c| c.retention.lag_bytes = Some(u64::MAX)).starts_with("retention.lag_size: "));
        assert!(refused(|c| c.retention.age = Duration::ZERO).starts_with("retention.age: "));
        assert!(refused(|c| c.api.bodies_in_flight_bytes = 1).starts_with("api.bodies_in_flight: "));
        assert!(refused(|c| c.metrics_listen = Some(c.listen)).starts_with("metrics_listen: "));
        assert!(refused(|c| c.admin_token = Some(short)).starts_with("HITWIRE_ADMIN_TOKEN: "));
        let words = refused(|c| (c.admin_token, c.ingest_token) = (Some(long.clone()), Some(long)));
        assert!(words.starts_with("HITWIRE_INGEST_TOKEN: "), "{words}");
    }

    #[test]
    fn the_largest_body_fits_into_what_one_client_can_have() {
        let words = refused(|config| config.api.body_bytes_max = 32 * MIB + 1);
        assert_eq!(
            words,
            "api.bodies_in_flight: 67108864 bytes is too little: one client can have half of it, and a body may have 33554433 bytes \
             (api.max_body); make it 67108866 bytes or more, or api.max_body 33554432 bytes or less"
        );
        let mut config = Config::default();
        config.api.body_bytes_max = 32 * MIB;
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_source_cannot_be_listed_twice() {
        let source = SourceSpec::parse("modsecurity:/var/log/audit.log").expect("a source");
        let words = refused(|config| config.sources = vec![source.clone(), source]);
        assert_eq!(words, "source: modsecurity:/var/log/audit.log is listed twice");
    }
}
