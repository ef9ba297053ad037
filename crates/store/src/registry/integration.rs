//! A webhook that a user set up.

use crate::Secret;
use hitwire_courier::{DisableReason, Preset};
use hitwire_event::filter::{Filter, TEXT_CHARS_MAX};
use hitwire_event::{ClientId, IntegrationId, Kind, Seq};
use hitwire_receiver::{Format, Style};
use serde::{Deserialize, Serialize};

/// The HTTP method of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
}

/// Which versions of HTTP a delivery may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/2 where the receiver offers it over TLS, else HTTP/1.1.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/1.1 only.
    #[serde(rename = "1.1")]
    Http1,
}

impl HttpVersion {
    /// All of them.
    pub const ALL: [HttpVersion; 2] = [HttpVersion::Auto, HttpVersion::Http1];

    /// Its name in the API, in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            HttpVersion::Auto => "auto",
            HttpVersion::Http1 => "1.1",
        }
    }
}

/// Whether notifications are sent, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activity {
    /// They are sent.
    Active,
    /// A user disabled it (or created it so).
    DisabledByUser,
    /// hitwire disabled it.
    DisabledAutomatically(DisableReason),
}

/// A ticked kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticked {
    /// The kind.
    pub kind: Kind,
    /// False: listed, but not ticked.
    pub active: bool,
    /// Only with hits: add the request's headers.
    pub with_headers: bool,
    /// The subscription begins here (inclusive). Set by the store; what a caller gives is ignored.
    pub from: Seq,
}

/// Where and how to send (contract.md section 1, `target`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URL; its path and query are secret.
    pub url: Secret,
    /// POST or PUT.
    pub http_method: HttpMethod,
    /// Extra request headers, in the order given.
    pub headers: Vec<(String, Secret)>,
    /// PEM, one or more certificates that replace the public roots; empty: public roots.
    pub ca_file: String,
    /// Verify the server's certificate.
    pub ca_verify: bool,
    /// Seconds, 1-300: from the first request byte to the end of the response.
    pub timeout_s: u16,
    /// Seconds, 1-300: DNS, TCP, proxy and TLS of a new connection.
    pub open_timeout_s: u16,
    /// Which versions of HTTP are spoken.
    pub http_version: HttpVersion,
    /// The proxy that requests are sent through, `http://proxy.example.com:3128`, without credentials. None: the installation's,
    /// if there is one.
    pub proxy: Option<String>,
    /// `user:password` for it.
    pub proxy_credentials: Option<Secret>,
    /// Array or lines.
    pub format: Format,
    /// Classic or envelope.
    pub rendering: Style,
    /// How long to go on.
    pub retry: Preset,
    /// At most this many events in a batch; none: adaptive.
    pub max_events: Option<u32>,
    /// At most this many bytes in a batch; none: adaptive.
    pub max_bytes: Option<u32>,
    /// PEM, the client's certificate chain; empty: none.
    pub client_cert: String,
    /// PEM, its key.
    pub client_key: Option<Secret>,
    /// SHA-256 of the server's own certificate (DER): if there are any, it must be one of them, and no CA is asked.
    pub pins: Vec<[u8; 32]>,
    /// At most this many requests a minute; none: no limit.
    pub rate: Option<u32>,
    /// Requests under way in a lane, 1-16; above 1 their batches arrive in any order.
    pub in_flight: u8,
    /// Standard Webhooks secret, `whsec_...`.
    pub signing_secret: Secret,
    /// The secret before, which signs too until it expires.
    pub previous_secret: Option<PreviousSecret>,
    /// Ed25519 secret of Standard Webhooks, `whsk_...`: requests are signed with it as well. None: they are not.
    pub signing_key: Option<Secret>,
}

impl Target {
    /// A target with the defaults of a new integration (contract.md section 1).
    pub fn new(url: &str, signing_secret: &str) -> Self {
        Target {
            url: Secret::new(url),
            http_method: HttpMethod::Post,
            headers: Vec::new(),
            ca_file: String::new(),
            ca_verify: true,
            timeout_s: 15,
            open_timeout_s: 20,
            http_version: HttpVersion::Auto,
            proxy: None,
            proxy_credentials: None,
            format: Format::Json,
            rendering: Style::Classic,
            retry: Preset::Patient,
            max_events: None,
            max_bytes: None,
            client_cert: String::new(),
            client_key: None,
            pins: Vec::new(),
            rate: None,
            in_flight: 1,
            signing_secret: Secret::new(signing_secret),
            previous_secret: None,
            signing_key: None,
        }
    }
}

/// A signing secret that was replaced, and still signs for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// `whsec_...`
    pub secret: Secret,
    /// Unix seconds: from then on it signs no more.
    pub expires_at: u64,
}

/// A webhook that a user set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// Unique over all clients.
    pub id: IntegrationId,
    /// The tenant.
    pub client: ClientId,
    /// For people.
    pub name: String,
    /// Sending or not.
    pub activity: Activity,
    /// Unix seconds.
    pub created_at: u64,
    /// E-mail of the user or name of the token.
    pub created_by: String,
    /// Where and how.
    pub target: Target,
    /// The kinds, in the order given.
    pub events: Vec<Ticked>,
    /// Which events of these kinds.
    pub filter: Filter,
    /// Rises with every change.
    pub revision: u64,
    /// Rises with every change of content: rendering, format, kinds, headers in hits, filter.
    pub content_revision: u64,
}

impl Integration {
    /// About how many bytes it takes in memory.
    pub fn settings_bytes(&self) -> usize {
        let Target { url, headers, ca_file, client_cert, client_key, pins, .. } = &self.target;
        let Target { signing_secret, previous_secret, signing_key, proxy, proxy_credentials, .. } =
            &self.target;
        let headers = headers.iter().map(|(name, value)| name.len() + value.expose().len());
        let headers: usize = headers.map(|bytes| bytes + size_of::<(String, Secret)>()).sum();
        let secrets =
            [url, signing_secret].into_iter().chain(client_key).chain(signing_key).chain(proxy_credentials);
        let secrets = secrets.chain(previous_secret.as_ref().map(|previous| &previous.secret));
        let secrets: usize = secrets.map(|secret| secret.expose().len()).sum();
        let Filter { applications, attack_types, domains, .. } = &self.filter;
        let entries = applications.len() + attack_types.len() + domains.len();
        let texts = self.name.len() + self.created_by.len() + ca_file.len() + client_cert.len();
        let texts = texts + proxy.as_ref().map_or(0, String::len);
        let lists = size_of_val(&*self.events) + size_of_val(&**pins) + entries * TEXT_CHARS_MAX;
        size_of::<Self>() + headers + secrets + texts + lists
    }
}

/// An integration to be made.
#[derive(Clone, Debug)]
pub struct NewIntegration {
    /// An id reserved by [`Op::NextId`](crate::Op::NextId); none: the store takes the next one.
    pub id: Option<IntegrationId>,
    /// The tenant.
    pub client: ClientId,
    /// For people.
    pub name: String,
    /// Sending from the start?
    pub active: bool,
    /// Unix seconds.
    pub created_at: u64,
    /// E-mail of the user or name of the token.
    pub created_by: String,
    /// Where and how.
    pub target: Target,
    /// The kinds.
    pub events: Vec<Ticked>,
    /// Which events of these kinds.
    pub filter: Filter,
}

/// A stretch of integrations, in the order of their ids. Settings may be long, so that it is bounded in bytes.
#[derive(Clone, Copy, Debug)]
pub struct IntegrationRange {
    /// Whose.
    pub client: ClientId,
    /// Only ids above this one.
    pub after: IntegrationId,
    /// At most so many.
    pub count_max: usize,
    /// The stretch ends with the integration whose stored settings reach so many bytes; one is in it at least, if there is one.
    pub bytes_max: usize,
}

impl IntegrationRange {
    /// All integrations of a client, however many bytes these are: only for who knows that they are few.
    pub fn all(client: ClientId) -> Self {
        IntegrationRange { client, after: IntegrationId(0), count_max: usize::MAX, bytes_max: usize::MAX }
    }
}

/// Which integrations of a client are wanted, by id.
#[derive(Clone, Debug)]
pub struct IntegrationQuery {
    /// Whose.
    pub client: ClientId,
    /// Only those that are enabled, or only those that are not; none: all.
    pub enabled: Option<bool>,
    /// Only names with this in them, whatever the case; empty: all.
    pub name: String,
    /// Only ids above this one.
    pub after: IntegrationId,
    /// At most so many.
    pub limit: usize,
}

/// A page of integrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrationPage {
    /// In the order of their ids.
    pub rows: Vec<IntegrationRow>,
    /// There is more: ask again with `after` set to this. A page may end before it is full: only so many names are looked at
    /// for one.
    pub next: Option<IntegrationId>,
    /// How many the client has, whatever was asked for.
    pub counts: IntegrationCounts,
}

/// How many integrations a client has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationCounts {
    /// That notifications are sent to.
    pub enabled: u64,
    /// That are disabled, by a user or by hitwire.
    pub disabled: u64,
}

/// An integration whose row cannot be read: it sends nothing, can be deleted, and concerns no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenIntegration {
    /// Unique over all clients.
    pub id: IntegrationId,
    /// The tenant.
    pub client: ClientId,
    /// For people.
    pub name: String,
    /// Why, and what to do.
    pub why: String,
}

/// An integration of a list, as far as it can be read.
pub type ListedIntegration = Result<Integration, BrokenIntegration>;

/// An integration without its settings: what a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationRow {
    /// Unique over all clients.
    pub id: IntegrationId,
    /// The tenant.
    pub client: ClientId,
    /// For people.
    pub name: String,
    /// Sending or not.
    pub activity: Activity,
    /// Unix seconds.
    pub created_at: u64,
    /// E-mail of the user or name of the token.
    pub created_by: String,
    /// The kinds, in the order given.
    pub events: Vec<Ticked>,
    /// Why it cannot be read, and what to do; then only id, client and name are as they were. What does not stand in a list is
    /// not looked at here.
    pub broken: Option<String>,
}

/// Where to go on when an integration is enabled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Skip what came meanwhile; it becomes a skipped range.
    Now,
    /// Deliver what was missed.
    Missed,
}

/// A change of an integration. The store works out what it means for the lanes, in the same transaction:
/// a newly ticked kind counts from the end of the log as it is then; what an unticked kind had outstanding becomes a
/// skipped range; enabling follows `resume`.
#[derive(Clone, Debug)]
pub struct UpdateIntegration {
    /// The integration as it shall be (its `revision` is the one the change was made from).
    pub integration: Integration,
    /// Where to go on, if the change enables it. `None`: after an automatic disable what was missed, else from now.
    pub resume: Option<Resume>,
}
