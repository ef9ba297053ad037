//! Settings that stand in the configuration file as text, whatever they are here.

use hitwire_store::Role;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::{Deserializer, Serializer, de};
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::path::PathBuf;

/// Reads text with `parse`, whose errors are words for the user; a number is read like the text of its digits.
/// `expected` says what should stand there, to whoever wrote something that is not text at all.
pub(super) fn read<'de, D, V, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl Fn(&str) -> Result<V, String>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<V>,
{
    struct Text<V, P>(&'static str, P, PhantomData<V>);

    impl<V, P: Fn(&str) -> Result<V, String>> de::Visitor<'_> for Text<V, P> {
        type Value = V;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<V, E> {
            (self.1)(text).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<V, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(Text(expected, parse, PhantomData)).map(T::from)
}

/// Writes a value, or an `Option` of one, as text. A file has no way to say "nothing": what is `None` is left out.
pub(super) fn write<'a, S: Serializer, V: 'a, T>(
    value: &'a T,
    text: impl Fn(&'a V) -> String,
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    &'a T: Into<Option<&'a V>>,
{
    match value.into() {
        Some(value) => serializer.serialize_str(&text(value)),
        None => serializer.serialize_none(),
    }
}

/// For `#[serde(serialize_with)]`: a `PathBuf` or an `Option<PathBuf>`, which need not be Unicode.
pub(super) fn path<'a, S: Serializer, T>(path: &'a T, serializer: S) -> Result<S::Ok, S::Error>
where
    &'a T: Into<Option<&'a PathBuf>>,
{
    write(path, |path: &PathBuf| path.display().to_string(), serializer)
}

/// For `#[serde(with)]`: a list of networks, in which an address stands for the network of that address alone.
pub(super) mod networks {
    use super::{Deserializer, IpAddr, IpNet, Serializer, read};
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Network(#[serde(deserialize_with = "network")] IpNet);

    fn network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
        read(deserializer, "a network, as in \"10.1.0.0/16\"", |text| {
            let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                format!("\"{text}\" is not a network; write one as in 10.1.0.0/16, or an address")
            })
        })
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        let networks = Vec::<Network>::deserialize(deserializer)?;
        Ok(networks.into_iter().map(|network| network.0).collect())
    }

    pub(crate) fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(networks.iter().map(IpNet::to_string))
    }
}

/// For `#[serde(with)]`: an `Option<TimeZone>`, by its IANA name.
pub(super) mod timezone {
    use super::{Deserializer, Serializer, TimeZone, read, write};

    pub(crate) fn deserialize<'de, D, T: From<TimeZone>>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
    {
        read(deserializer, "a time zone, as in \"Europe/Berlin\"", |name| {
            TimeZone::get(name)
                .map_err(|_| format!("\"{name}\" is not a zone; write one as in Europe/Berlin"))
        })
    }

    pub(crate) fn serialize<'a, S: Serializer, T>(zone: &'a T, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a T: Into<Option<&'a TimeZone>>,
    {
        write(zone, |zone: &TimeZone| zone.iana_name().unwrap_or_default().to_owned(), serializer)
    }
}

/// For `#[serde(with)]`: the `Option<Role>` of people who sign in for the first time.
pub(super) mod role {
    use super::{Deserializer, Role, Serializer, read, write};

    pub(crate) fn deserialize<'de, D, T: From<Role>>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
    {
        read(deserializer, "a role, as in \"read_only\"", |name| {
            Role::named(name)
                .ok_or_else(|| format!("\"{name}\" is not a role; known: admin, analyst, read_only"))
        })
    }

    pub(crate) fn serialize<'a, S: Serializer, T>(role: &'a T, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a T: Into<Option<&'a Role>>,
    {
        write(role, |role: &Role| role.name().to_owned(), serializer)
    }
}
