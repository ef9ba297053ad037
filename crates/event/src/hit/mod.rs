//! The hit: one malicious request seen through one attack type.

mod head;
mod identity;
mod murmur;

pub use head::without_secrets;
pub use head::{REDACTED, headers, is_secret};
pub use identity::{DEFAULT_ENV, DOCUMENT_ID_LEN, HASH_OF_NONE, document_id, index, stamps_hash};

use crate::json::ObjectWriter;
use crate::{ClientId, Event, EventId, Kind, Number, Point};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// One malicious request seen through one attack type: a request with payloads of several types makes several hits.
///
/// The fields stand in the order in which the seed's document writes them, which is the order of the canonical JSON. `None`
/// is written as `null`. Fields that are not here are in [`extra`](Hit::extra).
#[derive(Clone, Debug)]
pub struct Hit {
    /// How unusual the request is: 0 for ordinary, no upper end. For CRS sources: the transaction's inbound anomaly score / 40.
    pub anomality: Option<Number>,
    /// The Host of the request, without port.
    pub domain: Option<String>,
    /// Weight of the detection. For CRS sources: the sum of the scores of this type's rules.
    pub heur_distance: Option<Number>,
    /// The request's method, as sent.
    pub method: Option<String>,
    /// The point, flattened; see [`Point::parameter`].
    pub parameter: Option<String>,
    /// The path, without the query, as sent.
    pub path: Option<String>,
    /// The signs of the attack with their context, one for each detection. Empty for attacks that are seen in behaviour.
    pub payloads: Vec<String>,
    /// Where in the request the payload lies.
    pub point: Point,
    /// Weight of the detection; CRS sources give the same as `heur_distance`.
    pub probability: Option<Number>,
    /// Country of the client: ISO 3166-1 alpha-2.
    pub remote_country: Option<String>,
    /// Port of the client, 0-65535.
    pub remote_port: Option<u16>,
    /// Address of the client, if it is an IPv4 address; at most one of the two families is given.
    pub remote_addr4: Option<Ipv4Addr>,
    /// Address of the client, if it is an IPv6 address; written in the shortest form (RFC 5952).
    pub remote_addr6: Option<Ipv6Addr>,
    /// Whose datacenter the client is in: `aws`, `azure`, ..., or `unknown`.
    pub datacenter: String,
    /// `tor` if the client is a Tor exit, else `none`.
    pub tor: String,
    /// When the request came: Unix seconds.
    pub request_time: u64,
    /// When the hit was recorded: Unix seconds.
    pub create_time: u64,
    /// Length of the response's body in bytes.
    pub response_len: Option<u64>,
    /// Status of the response, 100-599; 0 or none where there was no response.
    pub response_status: Option<u16>,
    /// How long the response took, in milliseconds.
    pub response_time: Option<u64>,
    /// Ids of the detections (CRS: of the rules), ascending where hitwire made the hit.
    pub stamps: Vec<u32>,
    /// Ids of the custom rules.
    pub regex: Vec<Number>,
    /// See [`stamps_hash`].
    pub stamps_hash: i32,
    /// The same for `regex`; [`HASH_OF_NONE`] for none.
    pub regex_hash: i32,
    /// The attack type; written `type`.
    pub attack_type: AttackType,
    /// Whether the request was stopped.
    pub block_status: BlockStatus,
    /// Index and document; see [`index()`] and [`document_id`]. Together they are the event's id.
    pub id: [String; 2],
    /// The request's headers: a compact JSON object, name to value, or to an array of values; see [`headers`]. Written after
    /// the seed's fields, sent only to integrations that ask for it, and never with the values of those that
    /// [are secret](is_secret).
    pub headers: Option<Box<RawValue>>,
    /// Fields that are not in the seed, in the order of arrival, each value compact JSON. No name may be one of the above.
    pub extra: Vec<(String, Box<RawValue>)>,
}

impl Default for Hit {
    fn default() -> Self {
        Hit {
            anomality: None,
            domain: None,
            heur_distance: None,
            method: None,
            parameter: None,
            path: None,
            payloads: Vec::new(),
            point: Point::default(),
            probability: None,
            remote_country: None,
            remote_port: None,
            remote_addr4: None,
            remote_addr6: None,
            datacenter: "unknown".to_owned(),
            tor: "none".to_owned(),
            request_time: 0,
            create_time: 0,
            response_len: None,
            response_status: None,
            response_time: None,
            stamps: Vec::new(),
            regex: Vec::new(),
            stamps_hash: HASH_OF_NONE,
            regex_hash: HASH_OF_NONE,
            attack_type: AttackType::default(),
            block_status: BlockStatus::Monitored,
            id: [String::new(), String::new()],
            headers: None,
            extra: Vec::new(),
        }
    }
}

impl Hit {
    /// The hit as an event of `client`, in canonical JSON: the seed's fields in the seed's order, then `headers` if there are
    /// any, then the extra fields; compact; numbers as written.
    pub fn to_event(&self, client: ClientId) -> Event {
        let [index, document] = &self.id;
        let id = EventId::from([index.as_str(), "/", document].concat());
        Event { client, kind: Kind::Hit, id, body: self.to_json().into_boxed_str() }
    }

    fn to_json(&self) -> String {
        let mut object = ObjectWriter::new();
        object.number_or_null("anomality", self.anomality.as_ref());
        object.string_or_null("domain", self.domain.as_deref());
        object.number_or_null("heur_distance", self.heur_distance.as_ref());
        object.string_or_null("method", self.method.as_deref());
        object.string_or_null("parameter", self.parameter.as_deref());
        object.string_or_null("path", self.path.as_deref());
        object.array("payloads", &self.payloads);
        object.array("point", &self.point.0);
        object.number_or_null("probability", self.probability.as_ref());
        object.string_or_null("remote_country", self.remote_country.as_deref());
        object.plain_or_null("remote_port", self.remote_port);
        object.quoted_or_null("remote_addr4", self.remote_addr4);
        object.quoted_or_null("remote_addr6", self.remote_addr6);
        object.string("datacenter", &self.datacenter);
        object.string("tor", &self.tor);
        object.plain("request_time", self.request_time);
        object.plain("create_time", self.create_time);
        object.plain_or_null("response_len", self.response_len);
        object.plain_or_null("response_status", self.response_status);
        object.plain_or_null("response_time", self.response_time);
        object.array("stamps", &self.stamps);
        object.array("regex", &self.regex);
        object.plain("stamps_hash", self.stamps_hash);
        object.plain("regex_hash", self.regex_hash);
        object.string("type", self.attack_type.as_str());
        object.string("block_status", self.block_status.name());
        object.array("id", &self.id);
        object.string("object_type", Kind::Hit.object_type().name());
        if let Some(headers) = &self.headers {
            object.raw("headers", headers.get());
        }
        for (name, value) in &self.extra {
            object.member(name, value.get());
        }
        object.finish()
    }
}

/// The code of an attack type: `sqli`, `xss`, `ptrav`, ... Codes that nobody here knows are passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttackType(pub Cow<'static, str>);

impl AttackType {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for AttackType {
    fn from(code: &'static str) -> Self {
        AttackType(Cow::Borrowed(code))
    }
}

impl From<String> for AttackType {
    fn from(code: String) -> Self {
        AttackType(Cow::Owned(code))
    }
}

impl fmt::Display for AttackType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockStatus {
    /// It was seen, and let through.
    #[default]
    Monitored,
    /// It was stopped.
    Blocked,
}

impl BlockStatus {
    /// `monitored` or `blocked`.
    pub const fn name(self) -> &'static str {
        match self {
            BlockStatus::Monitored => "monitored",
            BlockStatus::Blocked => "blocked",
        }
    }

    /// Reads a `block_status`.
    pub fn from_name(name: &str) -> Option<BlockStatus> {
        [BlockStatus::Monitored, BlockStatus::Blocked].into_iter().find(|status| status.name() == name)
    }
}
