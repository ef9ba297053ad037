//! Integrations into answers.

use crate::description::schema::{
    EventKindName, FilterSettings, FormatName, HttpVersionName, MethodName, ProxyInUseName, RenderingName,
    RetryName, SigningName, TypeName,
};
use hitwire_courier::Preset;
use hitwire_endpoint::{Outbound, Pin, sign};
use hitwire_event::Kind;
use hitwire_event::filter::Filter;
use hitwire_receiver::Format;
use hitwire_store::{Activity, HttpMethod, Integration, MASK, Target, Ticked};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The one type of integration.
pub(super) const TYPE: &str = "web_hooks";

/// An integration as everybody who may see it sees it: secrets masked.
#[derive(Serialize, ToSchema)]
#[schema(as = Integration)]
pub(crate) struct Answer<'a> {
    id: u64,
    active: bool,
    name: &'a str,
    #[schema(value_type = TypeName)]
    r#type: &'static str,
    created_at: u64,
    created_by: &'a str,
    clientid: u64,
    events: Vec<TickAnswer>,
    #[schema(value_type = FilterSettings)]
    filter: &'a Filter,
    target: TargetAnswer<'a>,
    /// Old clients require it (original.md); its meaning is not public.
    system_active: bool,
    /// The same.
    resource_type: &'static str,
}

/// The answer to a creation: the only one that shows the signing secret.
#[derive(Serialize, ToSchema)]
#[schema(as = NewIntegration)]
pub(crate) struct Creation<'a> {
    #[serde(flatten)]
    integration: Answer<'a>,
    signing_secret: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct TickAnswer {
    #[schema(value_type = EventKindName)]
    event: &'static str,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    with_headers: Option<bool>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Target)]
pub(crate) struct TargetAnswer<'a> {
    url: &'a str,
    #[schema(value_type = MethodName)]
    http_method: &'static str,
    /// Names, and the mask in place of values.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: MaskedHeaders<'a>,
    /// PEM; in a list the mask.
    ca_file: &'a str,
    ca_verify: bool,
    /// `AB:CD:...`, SHA-256.
    #[schema(value_type = Vec<String>)]
    pin_sha256: Vec<String>,
    /// PEM, the key's certificate first; in a list the mask.
    client_cert: &'a str,
    /// The mask; null if there is none.
    client_key: Option<&'static str>,
    /// `v1`, or `v1a`: with a private key too.
    #[schema(value_type = SigningName)]
    signing: &'static str,
    /// `whpk_...`, with which receivers verify `v1a`.
    signing_public_key: Option<String>,
    timeout: u16,
    open_timeout: u16,
    /// `auto`: HTTP/2 where the receiver offers it; or `1.1`.
    #[schema(value_type = HttpVersionName)]
    http_version: &'static str,
    /// `http://`, `https://` or `socks5://`, host and port; null: the installation's proxy, if there is one.
    proxy: Option<&'a str>,
    /// The mask; null if there are none.
    proxy_credentials: Option<&'static str>,
    /// Which proxy requests are sent through: `none`, the integration's `own`, or that of the `installation`.
    #[schema(value_type = ProxyInUseName)]
    proxy_in_use: &'static str,
    /// That proxy resolves the endpoint's name and judges its address by itself, which the operator allowed.
    proxy_trusted: bool,
    #[schema(value_type = FormatName)]
    format: &'static str,
    #[schema(value_type = TypeName)]
    subtype: &'static str,
    #[schema(value_type = RenderingName)]
    rendering: &'static str,
    #[schema(value_type = RetryName)]
    retry: &'static str,
    max_events: Option<u32>,
    max_bytes: Option<u32>,
    /// Requests a minute; null: no limit.
    rate: Option<u32>,
    /// Requests under way in a lane at once.
    in_flight: u8,
}

/// The headers in their order, each value masked.
struct MaskedHeaders<'a>(&'a Target);

impl Serialize for MaskedHeaders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.headers.len()))?;
        for (name, _) in &self.0.headers {
            map.serialize_entry(name, MASK)?;
        }
        map.end()
    }
}

impl<'a> Answer<'a> {
    pub(crate) fn of(integration: &'a Integration, outbound: &Outbound) -> Self {
        Answer {
            id: integration.id.0,
            active: integration.activity == Activity::Active,
            name: &integration.name,
            r#type: TYPE,
            created_at: integration.created_at,
            created_by: &integration.created_by,
            clientid: integration.client.0,
            events: integration.events.iter().map(TickAnswer::from).collect(),
            filter: &integration.filter,
            target: TargetAnswer::of(&integration.target, outbound),
            system_active: true,
            resource_type: "integration",
        }
    }
}

impl Answer<'_> {
    /// The same with certificates masked: they are long, and a list of many integrations is not asked for them.
    pub(crate) fn without_certificates(mut self) -> Self {
        for certificates in [&mut self.target.ca_file, &mut self.target.client_cert] {
            if !certificates.is_empty() {
                *certificates = MASK;
            }
        }
        self
    }
}

impl<'a> Creation<'a> {
    pub(crate) fn of(integration: &'a Integration, outbound: &Outbound) -> Self {
        Creation {
            integration: Answer::of(integration, outbound),
            signing_secret: integration.target.signing_secret.expose(),
        }
    }
}

impl From<&Ticked> for TickAnswer {
    fn from(ticked: &Ticked) -> Self {
        TickAnswer {
            event: ticked.kind.name(),
            active: ticked.active,
            with_headers: (ticked.kind == Kind::Hit).then_some(ticked.with_headers),
        }
    }
}

impl<'a> TargetAnswer<'a> {
    fn of(target: &'a Target, outbound: &Outbound) -> Self {
        let (in_use, trusted) = outbound.in_use(target.url.expose(), target.proxy.as_deref());
        TargetAnswer {
            url: target.url.expose(),
            http_method: match target.http_method {
                HttpMethod::Post => "POST",
                HttpMethod::Put => "PUT",
            },
            headers: MaskedHeaders(target),
            ca_file: &target.ca_file,
            ca_verify: target.ca_verify,
            pin_sha256: target.pins.iter().map(|pin| Pin::from(*pin).to_string()).collect(),
            client_cert: &target.client_cert,
            client_key: target.client_key.as_ref().map(|_| MASK),
            signing: if target.signing_key.is_some() { "v1a" } else { "v1" },
            // What signs was made by hitwire; it has a public key.
            signing_public_key: target
                .signing_key
                .as_ref()
                .and_then(|key| sign::public_key(key.expose()).ok()),
            timeout: target.timeout_s,
            open_timeout: target.open_timeout_s,
            http_version: target.http_version.name(),
            proxy: target.proxy.as_deref(),
            proxy_credentials: target.proxy_credentials.as_ref().map(|_| MASK),
            proxy_in_use: in_use.name(),
            proxy_trusted: trusted,
            format: match target.format {
                Format::Json => "json",
                Format::Jsonl => "jsonl",
            },
            subtype: TYPE,
            rendering: target.rendering.name(),
            retry: match target.retry {
                Preset::Original => "original",
                Preset::Patient => "patient",
            },
            max_events: target.max_events,
            max_bytes: target.max_bytes,
            rate: target.rate,
            in_flight: target.in_flight,
        }
    }
}
