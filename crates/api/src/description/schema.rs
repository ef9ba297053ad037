//! What callers send, and what is around answers: types that describe, and are never made.
#![expect(
    dead_code,
    reason = "they describe JSON that is read field by field, or written by generic functions"
)]

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Every error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:hitwire:problem:` and what sort of problem it is.
    r#type: String,
    /// The sort of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// Where a body ceases to be JSON, from 1.
    #[schema(nullable = false)]
    line: Option<u64>,
    /// The same.
    #[schema(nullable = false)]
    column: Option<u64>,
    /// How many fields are wrong; `errors` lists the first 100.
    #[schema(nullable = false)]
    errors_total: Option<u64>,
    /// The fields that are wrong.
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    errors: Option<Vec<crate::problem::FieldError>>,
    /// The fields of the body that were passed over, as in an answer to a call that was carried out.
    #[schema(nullable = false, max_items = 20)]
    warnings: Option<Vec<crate::problem::FieldError>>,
}

/// What is around the answers of the original's newer calls.
#[derive(ToSchema)]
pub(crate) struct Success<T> {
    body: SuccessBody<T>,
}

/// The same, inside.
#[derive(ToSchema)]
pub(crate) struct SuccessBody<T> {
    /// `success`; of a test also `failure`.
    result: String,
    object: T,
}

/// The same, of a call that passes over fields of its body which it does not know.
#[derive(ToSchema)]
pub(crate) struct SuccessWithWarnings<T> {
    body: SuccessBody<T>,
    /// The fields that were passed over, at most 20 entries; and entries of `filter.applications` that name none that is set up.
    #[schema(nullable = false, min_items = 1, max_items = 120)]
    warnings: Option<Vec<crate::problem::FieldError>>,
}

/// The same around a list. Of a type in brackets only the outermost name counts here, so a list has to be a type of its own.
#[derive(ToSchema)]
pub(crate) struct SuccessList<T> {
    body: SuccessListBody<T>,
}

/// The same, inside.
#[derive(ToSchema)]
pub(crate) struct SuccessListBody<T> {
    /// `success`
    result: String,
    object: Vec<T>,
}

/// What is around the answers of the original's older calls.
#[derive(ToSchema)]
pub(crate) struct OlderSuccess<T> {
    /// 200
    status: u16,
    body: T,
}

/// A new integration.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewIntegrationSettings {
    /// Where and how.
    target: TargetSettings,
    /// At most 200 characters. Default: `Webhook integration by <who>, <Mon D>`.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    r#type: Option<TypeName>,
    /// Whether notifications are sent. Default: true.
    active: Option<bool>,
    /// The client (tenant). Default: the token's.
    clientid: Option<u64>,
    /// What is notified of. None active: nothing is sent.
    #[schema(max_items = 64)]
    events: Option<Vec<EventSettings>>,
    /// Which events of these. Default: all.
    filter: Option<FilterSettings>,
    /// Not looked at: hitwire gives it.
    id: Option<u64>,
}

/// The types of integration.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TypeName {
    WebHooks,
}

/// A change of an integration. It names what it changes; the rest stays. An answer may be sent back as it came.
#[derive(Deserialize, ToSchema)]
pub(crate) struct IntegrationSettings {
    /// At most 200 characters. Default: `Webhook integration by <who>, <Mon D>`.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    r#type: Option<TypeName>,
    /// Whether notifications are sent.
    active: Option<bool>,
    /// The client (tenant): the integration's.
    clientid: Option<u64>,
    /// What is notified of; whole when it is given.
    #[schema(max_items = 64)]
    events: Option<Vec<EventSettings>>,
    /// Which events of these; whole when it is given: `{}` takes all.
    filter: Option<FilterSettings>,
    /// Where and how; whole when it is given, secrets aside.
    target: Option<TargetSettings>,
    /// The one that the path names.
    id: Option<u64>,
    /// The mask, or as the creation answered it.
    signing_secret: Option<String>,
    /// Of an answer: not looked at.
    created_at: Option<serde_json::Value>,
    /// The same.
    created_by: Option<serde_json::Value>,
    /// The same.
    system_active: Option<serde_json::Value>,
    /// The same.
    resource_type: Option<serde_json::Value>,
}

/// Conditions on an event, all of which must hold; each may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Filter)]
pub(crate) struct FilterSettings {
    /// Hits and vulnerabilities: one of the event's applications is listed.
    #[schema(max_items = 100)]
    applications: Option<Vec<FilterName>>,
    /// Hits: the type is listed.
    #[schema(max_items = 100)]
    attack_types: Option<Vec<FilterWord>>,
    /// Hits and vulnerabilities: the domain fits a name, or `*.example.com` for all names below one.
    #[schema(max_items = 100)]
    domains: Option<Vec<FilterDomain>>,
    /// Hits: where the client is.
    addresses: Option<FilterAddresses>,
    /// Hits: whether the request was stopped.
    #[schema(max_items = 100)]
    block_status: Option<Vec<FilterBlockStatus>>,
    /// Hits: `probability` is at least this.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    min_score: Option<f64>,
    /// Vulnerabilities: how bad they are.
    #[schema(max_items = 100)]
    risks: Option<Vec<FilterRisk>>,
}

/// Networks (`10.0.0.0/8`) and single addresses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterAddresses {
    /// The client's address is in one of these.
    #[schema(max_items = 100)]
    r#in: Option<Vec<FilterNetwork>>,
    /// It is in none of these, or not known.
    #[schema(max_items = 100)]
    not_in: Option<Vec<FilterNetwork>>,
}

/// A name in a filter.
#[derive(Deserialize, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 200,
    pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
)]
pub(crate) struct FilterName(String);

/// A name without blanks in a filter.
#[derive(Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 200, pattern = "^\\S+$")]
pub(crate) struct FilterWord(String);

/// A host's name, or `*.` and a name for all names below it.
#[derive(Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 200, pattern = "^(\\*\\.)?[^\\s*.:/][^\\s*:/]*$")]
pub(crate) struct FilterDomain(String);

/// A network in CIDR notation, or an address.
#[derive(Deserialize, ToSchema)]
#[schema(
    pattern = "^([0-9]{1,3}\\.){3}[0-9]{1,3}(/[0-9]{1,2})?$|^[0-9a-fA-F]*:[0-9a-fA-F:.]*(/[0-9]{1,3})?$"
)]
pub(crate) struct FilterNetwork(String);

/// What became of a request.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FilterBlockStatus {
    Monitored,
    Blocked,
}

/// How bad a vulnerability is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FilterRisk {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

/// What a preview is to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewSettings {
    /// The events, as in an integration; those that are active count.
    #[schema(max_items = 64)]
    events: Vec<EventSettings>,
    /// Which events of these. Default: all.
    filter: Option<FilterSettings>,
    /// So many of the newest events. Default: 40,000.
    #[schema(minimum = 1, maximum = 100_000)]
    last: Option<u32>,
    /// The client (tenant). Default: the token's.
    clientid: Option<u64>,
}

/// What is sent once more: exactly one of `from`, `first`, `attempt`, `event`, `seq` and `lost` says which part of the log.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaySettings {
    /// What came then or later: RFC 3339, or Unix seconds as text.
    from: Option<String>,
    /// What came before. Default: up to now.
    until: Option<String>,
    /// From this position of the log on.
    #[schema(minimum = 1)]
    first: Option<u64>,
    /// Up to this position (inclusive). Default: up to now.
    last: Option<u64>,
    /// The batch of this attempt.
    attempt: Option<u64>,
    /// The event with this id.
    event: Option<String>,
    /// The event at this position.
    seq: Option<u64>,
    /// The number of a dead or skipped range, a list of at most 200 of them, or `all`.
    #[schema(value_type = Option<Object>)]
    lost: Option<serde_json::Value>,
    /// Only these events. Default: those that are ticked.
    #[schema(max_items = 64)]
    events: Option<Vec<EventName>>,
    /// Only what matches. Default: the integration's filter; none if a single event is named.
    filter: Option<FilterSettings>,
    /// At most so many events a second. Default: as fast as the endpoint takes them.
    #[schema(minimum = 1, maximum = 100_000)]
    events_per_second: Option<u32>,
    /// Start it paused.
    paused: Option<bool>,
    /// Start nothing; say how many events there are.
    preview: Option<bool>,
}

/// How a replay goes on; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaySteering {
    /// Held, or going on.
    paused: Option<bool>,
    /// At most so many events a second; null: no limit.
    #[schema(minimum = 1, maximum = 100_000)]
    events_per_second: Option<u32>,
}

/// Which test message; all of it may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestSettings {
    /// Default: each event that is ticked, at most five; `siem` if none is.
    event: Option<EventName>,
}

/// How a signing secret is replaced; all of it may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationSettings {
    /// Seconds for which the old secret signs too. Default: a day.
    #[schema(minimum = 0, maximum = 604_800)]
    overlap: Option<u64>,
}

/// A message as it was received. Nothing of it is kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureCheck {
    /// Its headers, a line each: `webhook-id: msg_...`. At most 200, 64 KiB.
    #[schema(max_length = 65_536)]
    headers: Option<String>,
    /// Its body, as text.
    body: Option<String>,
    /// Its body byte for byte, in base64; in place of `body`.
    body_base64: Option<String>,
    /// When it was received, Unix seconds. Default: now.
    #[schema(minimum = 0, maximum = 4_294_967_295_u64)]
    received_at: Option<u64>,
    /// What the receiver verifies with (`whsec_...`, `whpk_...`), to be compared.
    secret: Option<String>,
}

/// Settings to be tested.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UnsavedSettings {
    /// The integration that masked secrets are taken from.
    id: Option<u64>,
    /// Which test message.
    test: Option<TestSettings>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    r#type: Option<TypeName>,
    active: Option<bool>,
    clientid: Option<u64>,
    #[schema(max_items = 64)]
    events: Option<Vec<EventSettings>>,
    filter: Option<FilterSettings>,
    /// Where and how. Needed unless there is an `id`.
    target: Option<TargetSettings>,
}

/// An event to notify of.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EventSettings {
    /// An event's name of today, or an older one.
    event: EventName,
    /// Default: true.
    active: Option<bool>,
    /// Only with `siem`: add the request's headers. Default: false.
    with_headers: Option<bool>,
}

/// What to do with items that are not valid.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InvalidItems {
    /// Refuse the call.
    Refuse,
    /// Take the others.
    Skip,
}

/// What an attempt came to.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttemptOutcome {
    /// 2xx.
    Delivered,
    /// Anything else.
    Failed,
    /// No complete answer, or 408, 429, 502, 503, 504.
    Sick,
    /// Any other answer.
    Refused,
    /// 410.
    Gone,
}

/// What the delivery log is written in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttemptFormat {
    /// A page.
    Json,
    /// A file: a table for spreadsheets.
    Csv,
    /// A file: one attempt a line.
    Ndjson,
}

/// Where the body of a request as a script is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CurlBody {
    /// In the script.
    Inline,
    /// In a file.
    File,
}

/// Where an integration goes on when it is enabled.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResumeFrom {
    /// With what was missed.
    Missed,
    /// With what comes from now on.
    Now,
}

/// The names of events: today's, and older ones.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventName {
    Siem,
    RulesAndTriggers,
    NumberOfRequestsPerHour,
    SecurityIssueCritical,
    SecurityIssueHigh,
    SecurityIssueMedium,
    SecurityIssueLow,
    SecurityIssueInfo,
    System,
    Scope,
    Hit,
    Vuln,
    VulnCritical,
    VulnHigh,
    VulnMedium,
    VulnLow,
    VulnInfo,
}

/// The names of events as hitwire answers them.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum EventKindName {
    Siem,
    RulesAndTriggers,
    NumberOfRequestsPerHour,
    SecurityIssueCritical,
    SecurityIssueHigh,
    SecurityIssueMedium,
    SecurityIssueLow,
    SecurityIssueInfo,
    System,
    Scope,
}

/// Where and how to send. It is given whole; only secrets may be left out of a change, or sent as their mask.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TargetSettings {
    /// `https://...`
    #[schema(
        format = "uri",
        max_length = 8_192,
        pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#\\\\@%\\s]+(/[^?#\\\\\\s]*)?(\\?[^#\\s]*)?$"
    )]
    url: String,
    /// Default: `POST`.
    http_method: Option<MethodName>,
    /// Request headers: any number, 32 KiB of names and values in all. The values are secrets: they are never shown, and the
    /// mask stands for "as it was".
    headers: Option<BTreeMap<HeaderName, HeaderValue>>,
    /// PEM: CA certificates that replace the public roots. The mask, which lists show, stands for "as it was".
    #[schema(max_length = 524_288)]
    ca_file: Option<String>,
    /// Verify the receiver's certificate. Default: true.
    ca_verify: Option<bool>,
    /// SHA-256 fingerprints of the receiver's own certificate, in hexadecimal digits, with or without colons. If there are
    /// any, it must have one of them, and no CA is asked.
    #[schema(max_items = 16)]
    pin_sha256: Option<Vec<Fingerprint>>,
    /// The client's certificate: PEM, the chain too, in any order; or the base64 of a PKCS#12 file. Left out, it stays as it
    /// was, and so it does as its mask, which lists show; empty, it is taken away.
    #[schema(max_length = 524_288)]
    client_cert: Option<String>,
    /// PEM, plain or encrypted PKCS#8: the key of the client's certificate. It is never shown; left out, or the mask, it
    /// stays as it was.
    #[schema(max_length = 524_288)]
    client_key: Option<String>,
    /// Of the key or the PKCS#12 file; it is not stored.
    #[schema(max_length = 1_024)]
    client_key_password: Option<String>,
    /// `v1a`: with a private key too. Left out, it stays as it was; at first `v1`.
    signing: Option<SigningName>,
    /// Of an answer: not looked at.
    signing_public_key: Option<String>,
    /// Seconds, from the first byte of the request to the end of the answer. Default: 15.
    #[schema(minimum = 1, maximum = 300)]
    timeout: Option<u16>,
    /// Seconds, for a new connection. Default: 20.
    #[schema(minimum = 1, maximum = 300)]
    open_timeout: Option<u16>,
    /// Which versions of HTTP are spoken. Default: `auto`.
    http_version: Option<HttpVersionName>,
    /// The proxy that requests are sent through: `http://`, `https://` or `socks5://`, host and port. `user:password@` before the
    /// host is kept as `proxy_credentials`. Its address is judged like an endpoint's. Default: the installation's proxy, if there
    /// is one.
    #[schema(
        max_length = 1_024,
        pattern = "^(([Hh][Tt][Tt][Pp][Ss]?|[Ss][Oo][Cc][Kk][Ss]5)://[^/?#\\\\\\s]+/?)?$"
    )]
    proxy: Option<String>,
    /// `user:password` for the proxy, at most 255 bytes each. It is never shown; left out, or the mask, it stays as it was, unless
    /// the proxy changes; empty, it is taken away.
    #[schema(max_length = 511)]
    proxy_credentials: Option<String>,
    /// Of an answer: not looked at.
    proxy_in_use: Option<ProxyInUseName>,
    /// The same.
    proxy_trusted: Option<bool>,
    /// An array, or one object a line. Default: `json`.
    format: Option<FormatName>,
    /// How an event looks. Default: the installation's, `classic` unless it is set otherwise.
    rendering: Option<RenderingName>,
    /// How long a failing endpoint is tried. Default: `patient`.
    retry: Option<RetryName>,
    /// At most so many events in a batch.
    #[schema(minimum = 1, maximum = 5_000)]
    max_events: Option<u32>,
    /// At most so many bytes in a batch.
    #[schema(minimum = 4_096, maximum = 5_242_880)]
    max_bytes: Option<u32>,
    /// At most so many requests a minute, in all lanes together.
    #[schema(minimum = 1, maximum = 60_000)]
    rate: Option<u32>,
    /// Requests under way in a lane at once; above 1 their batches arrive in any order. Default: 1.
    #[schema(minimum = 1, maximum = 16)]
    in_flight: Option<u8>,
    /// Taken from older clients; without meaning.
    subtype: Option<String>,
    /// Of other types of integration: left out, or empty.
    #[schema(max_length = 0)]
    token: Option<String>,
    /// The same.
    #[schema(max_length = 0)]
    api: Option<String>,
}

/// The name of a header.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(min_length = 1, max_length = 8_192, pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
pub(crate) struct HeaderName(String);

/// The value of a header; with its name it has 8,192 bytes at most.
#[derive(Deserialize, ToSchema)]
#[schema(max_length = 8_191, pattern = "^[^\\x00-\\x08\\x0a-\\x1f\\x7f]*$")]
pub(crate) struct HeaderValue(String);

/// A SHA-256 fingerprint.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^([^=]*[Ff]ingerprint=)?([0-9A-Fa-f]{2}[: ]?){31}[0-9A-Fa-f]{2}$")]
pub(crate) struct Fingerprint(String);

/// How requests are signed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SigningName {
    V1,
    V1a,
}

/// The HTTP method of deliveries.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum MethodName {
    Post,
    Put,
}

/// `auto`: HTTP/2 where the receiver offers it over TLS, else HTTP/1.1. `1.1`: HTTP/1.1 only.
#[derive(Deserialize, ToSchema)]
pub(crate) enum HttpVersionName {
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "1.1")]
    Http1,
}

/// Which proxy requests are sent through.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProxyInUseName {
    None,
    Own,
    Installation,
}

/// How several objects are written.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatName {
    Json,
    Jsonl,
}

/// How an event looks.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RenderingName {
    Classic,
    Envelope,
}

/// How long a failing endpoint is tried.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RetryName {
    Patient,
    Original,
}

/// Counters as callers send them: one, or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SentCounters {
    One(SentCounter),
    Several(Vec<SentCounter>),
}

/// What an attempt came to.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum VerdictName {
    /// 2xx.
    Delivered,
    /// No complete answer, or 408, 429, 502, 503, 504.
    Sick,
    /// Any other answer.
    Refused,
    /// 410.
    Gone,
}

/// How many requests were processed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Counter)]
pub(crate) struct SentCounter {
    /// How many.
    #[schema(maximum = 1_000_000_000_000_000_u64)]
    requests: u64,
    /// When, Unix seconds. Default: now. What is later than now counts in this hour.
    #[schema(maximum = 253_402_300_799_u64)]
    at: Option<u64>,
    /// A counter that comes again under the same id is left out. Default: each call counts.
    #[schema(min_length = 1, max_length = 128)]
    id: Option<String>,
}

/// An event as callers send it: the object, or the envelope that another hitwire put around it.
#[derive(ToSchema)]
#[schema(as = SentItem)]
#[serde(untagged)]
pub(crate) enum SentItem {
    Bare(SentEvent),
    Enveloped(SentEnvelope),
}

/// An event in its envelope, as the envelope rendering sends it. The rest of `details` is the event.
#[derive(ToSchema)]
pub(crate) struct SentEnvelope {
    details: SentDetails,
}

/// What an envelope holds.
#[derive(ToSchema)]
pub(crate) struct SentDetails {
    /// `new_hits`, `security_issue`, `new_scope_object_...` or `scope_object`.
    notification_type: String,
}

/// An event as callers send it; what hitwire does not know of it is kept and passed on.
#[derive(ToSchema)]
pub(crate) struct SentEvent {
    /// `hit`, `vuln` or `scope`.
    object_type: SentType,
}

/// The types of events that callers may send.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum SentType {
    Hit,
    Vuln,
    Scope,
}

/// A new client (tenant).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClientSettings {
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: String,
    /// False: its tokens are refused, and its integrations send nothing. Default: true.
    enabled: Option<bool>,
    /// Integrations that it may have. Default: any number.
    #[schema(minimum = 0, maximum = 1_000_000)]
    integrations_max: Option<u32>,
    /// Events a second that it may send, on average over ten seconds. Default: any number.
    #[schema(minimum = 1, maximum = 1_000_000)]
    events_per_s: Option<u32>,
    /// Networks (`10.1.0.0/16`) that its integrations may send to although the guard refuses them otherwise.
    #[schema(max_items = 100)]
    allow_targets: Option<Vec<Network>>,
}

/// A network in CIDR notation.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$|^[0-9a-fA-F]*:[0-9a-fA-F:.]*/[0-9]{1,3}$")]
pub(crate) struct Network(String);

/// A change of a client. It names what it changes; the rest stays. `null` lifts a limit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientSettings {
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    enabled: Option<bool>,
    #[schema(minimum = 0, maximum = 1_000_000)]
    integrations_max: Option<u32>,
    #[schema(minimum = 1, maximum = 1_000_000)]
    events_per_s: Option<u32>,
    #[schema(max_items = 100)]
    allow_targets: Option<Vec<Network>>,
    /// The one that the path names.
    id: Option<u64>,
    /// Of an answer: not looked at.
    uuid: Option<serde_json::Value>,
    /// The same.
    created_at: Option<serde_json::Value>,
    /// The same.
    created_by: Option<serde_json::Value>,
}

/// Which clients are wanted. What else is in it is passed over.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ClientSearch {
    filter: Option<ClientConditions>,
    /// At most so many.
    #[schema(maximum = 1_000)]
    limit: Option<u64>,
    /// Leave out so many.
    offset: Option<u64>,
}

/// Conditions on a client, all of which must hold.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ClientConditions {
    id: Option<OneOrMoreIds>,
    name: Option<OneOrMoreTexts>,
    uuid: Option<OneOrMoreTexts>,
    enabled: Option<bool>,
}

/// One of these ids.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMoreIds {
    One(u64),
    Several(Vec<u64>),
}

/// One of these texts.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMoreTexts {
    One(String),
    Several(Vec<String>),
}

/// What people may do.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserRole {
    /// Only an operator can give it.
    Operator,
    Admin,
    Analyst,
    ReadOnly,
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserSettings {
    /// One address, unique within the client, letter case aside.
    #[schema(max_length = 254, pattern = "^[^\\s<>,;@]+@[^\\s<>,;@]+$")]
    email: String,
    /// The real name. Default: none.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    role: UserRole,
    /// False: the user's tokens are refused. Default: true.
    enabled: Option<bool>,
    /// The client (tenant). Default: the token's.
    clientid: Option<u64>,
}

/// A change of one's own account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnSettings {
    /// The real name.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    /// In which time zone the console shows times: an IANA name, such as `Europe/Berlin`. Null: the browser's.
    #[schema(max_length = 64)]
    time_zone: Option<String>,
}

/// A change of a user. It names what it changes; the rest stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserSettings {
    #[schema(max_length = 254, pattern = "^[^\\s<>,;@]+@[^\\s<>,;@]+$")]
    email: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: Option<String>,
    role: Option<UserRole>,
    enabled: Option<bool>,
    /// The client (tenant): the user's.
    clientid: Option<u64>,
    /// The one that the path names.
    id: Option<u64>,
    /// Of an answer: not looked at.
    uuid: Option<serde_json::Value>,
    /// The same.
    created_at: Option<serde_json::Value>,
    /// The same.
    created_by: Option<serde_json::Value>,
    /// The same: users choose it for themselves.
    time_zone: Option<serde_json::Value>,
}

/// What tokens may do.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenRole {
    Operator,
    Admin,
    Analyst,
    ReadOnly,
    Ingest,
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenSettings {
    /// Shown as the author of changes.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: String,
    /// Not above the caller's own.
    role: TokenRole,
    /// Whose it is: it does no more than this user may. Default: nobody's.
    user: Option<u64>,
    /// Unix seconds, in the future: from then on it is refused. Default: never.
    #[schema(minimum = 0, maximum = 253_402_300_799_u64)]
    expires_at: Option<u64>,
    /// The client (tenant). Default: the caller's.
    clientid: Option<u64>,
}

/// A new application.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApplicationSettings {
    /// Unique within the client; -1 is the default application. Default: the next free one.
    #[schema(minimum = -1, maximum = 9_007_199_254_740_991_i64)]
    id: Option<i64>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: String,
    /// The client (tenant). Default: the token's.
    clientid: Option<u64>,
}

/// Another name for an application.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationSettings {
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: String,
    /// The one that the path names.
    id: Option<i64>,
    /// The client (tenant): the application's.
    clientid: Option<u64>,
}
