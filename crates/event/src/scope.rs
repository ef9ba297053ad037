//! The scope: what of a network perimeter came, changed or went.

use crate::json::{self, Member, ObjectWriter, Raw, Shape, compact};
use crate::{ClientId, Event, EventId, Kind};
use serde_json::value::RawValue;
use std::net::IpAddr;

/// The `summary` of a change that says nothing else: the original's words of 2021.
pub const SUMMARY: &str = "The company's scope was changed";

/// Objects of one type that came, changed or went together.
///
/// What the original's classic payload for this was is not public; the fields are hitwire's own, in this order.
#[derive(Clone, Debug)]
pub struct Scope {
    /// [`SUMMARY`], or other words.
    pub summary: String,
    /// What became of the objects.
    pub action: Action,
    /// The objects; written under the name of their type.
    pub objects: Objects,
    /// The domain that the objects were found by: linked addresses.
    pub domain: Option<String>,
    /// The tool that found it.
    pub discovered_by: Option<String>,
    /// When it was seen: Unix seconds.
    pub time: Option<u64>,
    /// Stable: the same change seen again has the same id. It is the event's id.
    pub id: String,
    /// Fields that are not above, in the order of arrival, each value compact JSON. No name may be one of the above.
    pub extra: Vec<(String, Box<RawValue>)>,
}

/// What became of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// They are new.
    #[default]
    Create,
    /// They are other than before.
    Update,
    /// They are gone.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 3] = [Action::Create, Action::Update, Action::Delete];

    /// `create`, `update` or `delete`: the words of the original's audit records.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
        }
    }

    /// Reads an `action`.
    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// The types of objects that a perimeter consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeType {
    /// Hosts, by address; also whole networks.
    Ip,
    /// Domains.
    Domain,
    /// Services: a port of a host.
    Service,
}

impl ScopeType {
    /// All of them.
    pub const ALL: [ScopeType; 3] = [ScopeType::Ip, ScopeType::Domain, ScopeType::Service];

    /// The field that lists objects of this type: `ips`, `domains`, `services`, as at the ends of the original's
    /// `new_scope_object_*`.
    pub const fn field(self) -> &'static str {
        match self {
            ScopeType::Ip => "ips",
            ScopeType::Domain => "domains",
            ScopeType::Service => "services",
        }
    }

    /// What one of these objects must be, for messages.
    pub(crate) const fn expected(self) -> &'static str {
        match self {
            ScopeType::Ip => "an address or network, such as \"192.0.2.1\", or an object with it as \"ip\"",
            ScopeType::Domain => "a name, such as \"example.com\", or an object with it as \"domain\"",
            ScopeType::Service => {
                "host and port, such as \"192.0.2.1:443\", or an object with \"host\" and \"port\""
            }
        }
    }
}

/// Objects of one type. Each is a compact JSON object: an ip has `ip`, a domain `domain`, a service `host` and `port`; what
/// else is known of one stands beside.
#[derive(Clone, Debug)]
pub struct Objects {
    scope_type: ScopeType,
    entities: Vec<Box<RawValue>>,
}

impl Objects {
    /// Hosts.
    pub fn ips(ips: impl IntoIterator<Item = IpAddr>) -> Self {
        let entity = |ip: IpAddr| one_field("ip", &ip.to_string());
        Objects { scope_type: ScopeType::Ip, entities: ips.into_iter().map(entity).collect() }
    }

    /// Domains.
    pub fn domains<'a>(domains: impl IntoIterator<Item = &'a str>) -> Self {
        let entity = |domain: &str| one_field("domain", domain);
        Objects { scope_type: ScopeType::Domain, entities: domains.into_iter().map(entity).collect() }
    }

    /// Services: host (a name or an address) and port.
    pub fn services<'a>(services: impl IntoIterator<Item = (&'a str, u16)>) -> Self {
        let entity = |(host, port): (&str, u16)| service(host, port);
        Objects { scope_type: ScopeType::Service, entities: services.into_iter().map(entity).collect() }
    }

    /// Of entities that [`entity`] has read.
    pub(crate) fn read(scope_type: ScopeType, entities: Vec<Box<RawValue>>) -> Self {
        Objects { scope_type, entities }
    }

    /// Their type.
    pub fn scope_type(&self) -> ScopeType {
        self.scope_type
    }

    /// Each as a compact JSON object.
    pub fn entities(&self) -> &[Box<RawValue>] {
        &self.entities
    }
}

impl Default for Scope {
    /// Nothing known, of no host.
    fn default() -> Self {
        Scope {
            summary: SUMMARY.to_owned(),
            action: Action::default(),
            objects: Objects::ips([]),
            domain: None,
            discovered_by: None,
            time: None,
            id: String::new(),
            extra: Vec::new(),
        }
    }
}

impl Scope {
    /// The change as an event of `client`, in canonical JSON: the fields in the order above, those that are none left out,
    /// then the extra fields, and `object_type` last; compact.
    pub fn to_event(&self, client: ClientId) -> Event {
        Event {
            client,
            kind: Kind::Scope,
            id: EventId::from(self.id.as_str()),
            body: self.to_json().into_boxed_str(),
        }
    }

    fn to_json(&self) -> String {
        let mut object = ObjectWriter::new();
        object.string("summary", &self.summary);
        object.string("action", self.action.name());
        object.array(self.objects.scope_type.field(), &self.objects.entities);
        for (name, value) in [("domain", &self.domain), ("discovered_by", &self.discovered_by)] {
            if let Some(value) = value {
                object.string(name, value);
            }
        }
        if let Some(time) = self.time {
            object.plain("time", time);
        }
        object.string("id", &self.id);
        for (name, value) in &self.extra {
            object.member(name, value.get());
        }
        object.string("object_type", Kind::Scope.object_type().name());
        object.finish()
    }
}

/// One object of a scope event as a sender may write it: short, as a string, or as an object, whose other fields are kept.
/// None if it does not name what it should.
pub(crate) fn entity(scope_type: ScopeType, value: Raw<'_>) -> Option<Box<RawValue>> {
    match value.shape {
        Shape::String => short(scope_type, &value.unquoted()),
        Shape::Object => {
            let entity = compact(&value).into_owned();
            named(scope_type, &entity)?;
            RawValue::from_string(entity).ok()
        }
        _ => None,
    }
}

fn short(scope_type: ScopeType, text: &str) -> Option<Box<RawValue>> {
    match scope_type {
        ScopeType::Ip => is_network(text).then(|| one_field("ip", text)),
        ScopeType::Domain => (!text.is_empty()).then(|| one_field("domain", text)),
        ScopeType::Service => {
            let (host, port) = text.rsplit_once(':')?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            Some(service(host, port_number(port)?)).filter(|_| !host.is_empty())
        }
    }
}

/// What people call the object: `192.0.2.1`, `example.com`, `192.0.2.1:443/tcp`. None if it is not one of this type.
pub fn named(scope_type: ScopeType, entity: &str) -> Option<String> {
    let members = json::members(entity)?;
    match scope_type {
        ScopeType::Ip => string(&members, "ip").filter(|ip| is_network(ip)),
        ScopeType::Domain => string(&members, "domain").filter(|domain| !domain.is_empty()),
        ScopeType::Service => {
            let host = string(&members, "host").filter(|host| !host.is_empty())?;
            let port = members.iter().find(|member| member.name == "port")?;
            let port = port_number(port.value.text)?;
            let protocol =
                string(&members, "protocol").map_or(String::new(), |protocol| format!("/{protocol}"));
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            Some(format!("{host}:{port}{protocol}"))
        }
    }
}

fn string(members: &[Member<'_>], name: &str) -> Option<String> {
    let member = members.iter().find(|member| member.name == name && member.value.shape == Shape::String)?;
    Some(member.value.unquoted().into_owned())
}

/// 1-65535, in digits alone.
fn port_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0 && !text.starts_with('+'))
}

/// An address, or an address and the length of a prefix.
fn is_network(text: &str) -> bool {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let bits = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    prefix.is_none_or(|prefix| prefix.parse().is_ok_and(|prefix: u8| prefix <= bits))
}

fn one_field(name: &'static str, value: &str) -> Box<RawValue> {
    let mut object = ObjectWriter::with_capacity(value.len() + 16);
    object.string(name, value);
    object.finish_raw()
}

fn service(host: &str, port: u16) -> Box<RawValue> {
    let mut object = ObjectWriter::with_capacity(host.len() + 32);
    object.string("host", host);
    object.plain("port", port);
    object.finish_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Scanner;

    fn read(scope_type: ScopeType, json: &str) -> Option<String> {
        let value = Scanner::new(json).value().expect(json);
        entity(scope_type, value).map(|entity| entity.get().to_owned())
    }

    #[test]
    fn an_object_may_be_written_short() {
        for (scope_type, short, long) in [
            (ScopeType::Ip, r#""8.8.8.8""#, r#"{"ip":"8.8.8.8"}"#),
            (ScopeType::Ip, r#""2001:db8::/32""#, r#"{"ip":"2001:db8::/32"}"#),
            (ScopeType::Domain, r#""example.com""#, r#"{"domain":"example.com"}"#),
            (ScopeType::Service, r#""example.com:443""#, r#"{"host":"example.com","port":443}"#),
            (ScopeType::Service, r#""[2001:db8::1]:443""#, r#"{"host":"2001:db8::1","port":443}"#),
        ] {
            assert_eq!(read(scope_type, short).as_deref(), Some(long));
            assert_eq!(read(scope_type, long).as_deref(), Some(long));
        }
    }

    #[test]
    fn what_an_object_has_beside_its_name_is_kept_in_its_order() {
        assert_eq!(
            read(ScopeType::Ip, r#"{ "id": 2, "ip": "8.8.8.8", "x": [ 1.0 ] }"#).as_deref(),
            Some(r#"{"id":2,"ip":"8.8.8.8","x":[1.0]}"#)
        );
    }

    #[test]
    fn an_object_must_name_what_its_list_is_of() {
        for (scope_type, wrong) in [
            (ScopeType::Ip, r#""example.com""#),
            (ScopeType::Ip, r#""8.8.8.8/33""#),
            (ScopeType::Ip, r#""8.8.8.8/""#),
            (ScopeType::Ip, r#"{"domain":"example.com"}"#),
            (ScopeType::Ip, r#"{"ip":8}"#),
            (ScopeType::Domain, r#""""#),
            (ScopeType::Domain, "[]"),
            (ScopeType::Service, r#""example.com""#),
            (ScopeType::Service, r#"":443""#),
            (ScopeType::Service, r#""example.com:0""#),
            (ScopeType::Service, r#""example.com:+1""#),
            (ScopeType::Service, r#""example.com:65536""#),
            (ScopeType::Service, r#"{"host":"example.com"}"#),
            (ScopeType::Service, r#"{"host":"example.com","port":"443"}"#),
        ] {
            assert_eq!(read(scope_type, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn people_call_a_service_by_host_and_port() {
        assert_eq!(
            named(ScopeType::Service, r#"{"host":"2001:db8::1","port":53,"protocol":"udp"}"#).as_deref(),
            Some("[2001:db8::1]:53/udp")
        );
    }
}
