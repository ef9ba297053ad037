//! The configuration file: one TOML document, every key optional.

use super::address::listen;
use super::{
    Config, ConfigError, OidcSettings, SourceFormat, SourceSpec, parse_duration, parse_size, secrets,
};
use hitwire_event::hit::AttackType;
use hitwire_receiver::Style;
use hitwire_source::RuleRange;
use hitwire_store::Role;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The file as it is written. A key that is not here is refused, so that a slip of the pen does not go unnoticed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    data_dir: Option<PathBuf>,
    #[serde(default, deserialize_with = "listen")]
    listen: Option<SocketAddr>,
    #[serde(default, deserialize_with = "listen")]
    metrics_listen: Option<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    allow_plain_http_api: Option<bool>,
    allow_targets: Option<Vec<Network>>,
    allow_http: Option<bool>,
    env: Option<String>,
    product: Option<String>,
    cloud: Option<String>,
    public_url: Option<String>,
    default_rendering: Option<Style>,
    admin_token_file: Option<PathBuf>,
    ingest_token_file: Option<PathBuf>,
    secret_key_file: Option<PathBuf>,
    #[serde(default)]
    retention: RetentionTable,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    api: ApiTable,
    #[serde(default)]
    console: ConsoleTable,
    oidc: Option<OidcTable>,
    #[serde(default)]
    source: Vec<SourceTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetentionTable {
    size: Option<Size>,
    age: Option<Span>,
    lag_size: Option<Size>,
    lag_age: Option<Span>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    slice_size: Option<Size>,
    slice_age: Option<Span>,
    tail_size: Option<Size>,
    disk_floor: Option<Size>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiTable {
    max_body: Option<Size>,
    bodies_in_flight: Option<Size>,
    max_connections: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsoleTable {
    session_idle: Option<Span>,
    session_max: Option<Span>,
    proxies: Option<Vec<Network>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OidcTable {
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    name: Option<String>,
    new_users: Option<String>,
    ca_file: Option<PathBuf>,
    allow_targets: Option<Vec<Network>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    r#type: String,
    path: PathBuf,
    #[serde(default)]
    from_end: bool,
    #[serde(default)]
    count_requests: bool,
    timezone: Option<String>,
    protocol_hits: Option<bool>,
    response_rules: Option<bool>,
    scripting_clients: Option<bool>,
    rfi_as_ssrf: Option<bool>,
    xxe_from_entities: Option<bool>,
    max_paranoia: Option<u8>,
    block_statuses: Option<Vec<u16>>,
    #[serde(default)]
    rules: Vec<RulesTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesTable {
    id: String,
    r#type: String,
}

struct Network(IpNet);

struct Size(u64);

struct Span(Duration);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Network).map_err(|_| {
            de::Error::custom(format!("\"{text}\" is no network; write one as in 10.1.0.0/16, or an address"))
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_size(&text).map(Size).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Span).map_err(de::Error::custom)
    }
}

fn set<T, V: Into<T>>(field: &mut T, value: Option<V>) {
    if let Some(value) = value {
        *field = value.into();
    }
}

fn networks(networks: Option<Vec<Network>>) -> Vec<IpNet> {
    networks.unwrap_or_default().into_iter().map(|network| network.0).collect()
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl Config {
    /// Reads the configuration file's text; what it does not set has its default.
    ///
    /// # Errors
    ///
    /// A key that is unknown or has a value that cannot be; the text names line and column. Also when a file that holds
    /// a token or the key cannot be read.
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let file: Document = toml::from_str(text).map_err(|error| {
            ConfigError::new("configuration file", error.to_string().trim_end().to_owned())
        })?;
        let mut config = Config::default();
        set(&mut config.data_dir, file.data_dir);
        set(&mut config.listen, file.listen);
        config.metrics_listen = file.metrics_listen;
        (config.tls_cert, config.tls_key) = (file.tls_cert, file.tls_key);
        set(&mut config.allow_plain_http_api, file.allow_plain_http_api);
        config.allow_targets = networks(file.allow_targets);
        set(&mut config.allow_http, file.allow_http);
        set(&mut config.env_label, file.env);
        set(&mut config.naming.product, file.product);
        set(&mut config.naming.cloud, file.cloud);
        config.naming.public_url = file.public_url;
        set(&mut config.default_rendering, file.default_rendering);
        set(&mut config.retention.size_bytes, file.retention.size);
        set(&mut config.retention.age, file.retention.age);
        config.retention.lag_bytes = file.retention.lag_size.map(u64::from);
        set(&mut config.retention.lag_age, file.retention.lag_age);
        set(&mut config.log.slice_bytes, file.log.slice_size);
        set(&mut config.log.slice_age, file.log.slice_age);
        set(&mut config.log.tail_bytes, file.log.tail_size);
        set(&mut config.log.disk_floor_bytes, file.log.disk_floor);
        set(&mut config.api.body_bytes_max, file.api.max_body);
        set(&mut config.api.bodies_in_flight_bytes, file.api.bodies_in_flight);
        set(&mut config.api.connections_max, file.api.max_connections);
        set(&mut config.console.session_idle, file.console.session_idle);
        set(&mut config.console.session_max, file.console.session_max);
        config.console.proxies = networks(file.console.proxies);
        config.oidc = file.oidc.map(OidcTable::settings).transpose()?;
        config.sources = file.source.into_iter().map(SourceTable::spec).collect::<Result<_, _>>()?;
        let token = |setting, path: Option<PathBuf>| {
            path.map(|path| secrets::read_secret(setting, &path)).transpose()
        };
        config.admin_token = token("admin_token_file", file.admin_token_file)?;
        config.ingest_token = token("ingest_token_file", file.ingest_token_file)?;
        if let Some(key) = token("secret_key_file", file.secret_key_file)? {
            let key = secrets::SecretKey::parse(key.expose());
            config.secret_key = Some(key.map_err(|problem| ConfigError::new("secret_key_file", problem))?);
        }
        Ok(config)
    }
}

impl OidcTable {
    fn settings(self) -> Result<OidcSettings, ConfigError> {
        let secret = |path: PathBuf| secrets::read_secret("oidc.client_secret_file", &path);
        let role = |name: String| {
            Role::named(&name).ok_or_else(|| {
                ConfigError::new("oidc.new_users", "is no role; known: admin, analyst, read_only")
            })
        };
        Ok(OidcSettings {
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret: self.client_secret_file.map(secret).transpose()?,
            name: self.name.unwrap_or_else(|| "OpenID".to_owned()),
            new_users: self.new_users.map(role).transpose()?,
            ca_file: self.ca_file,
            allow_targets: networks(self.allow_targets),
        })
    }
}

impl SourceTable {
    fn spec(self) -> Result<SourceSpec, ConfigError> {
        let refused = |key: &str, problem: String| ConfigError::new(format!("source.{key}"), problem);
        let format = SourceFormat::named(&self.r#type).map_err(|problem| refused("type", problem))?;
        let mut spec = SourceSpec {
            from_end: self.from_end,
            count_requests: self.count_requests,
            ..SourceSpec::new(format, self.path)
        };
        let settings = &mut spec.settings;
        if let Some(name) = self.timezone {
            let zone = TimeZone::get(&name).map_err(|_| {
                refused("timezone", format!("\"{name}\" is not a zone; write one as in Europe/Berlin"))
            })?;
            settings.timezone = Some(zone);
        }
        set(&mut settings.protocol_hits, self.protocol_hits);
        set(&mut settings.response_rules, self.response_rules);
        set(&mut settings.scripting_clients, self.scripting_clients);
        set(&mut settings.rfi_as_ssrf, self.rfi_as_ssrf);
        set(&mut settings.xxe_from_entities, self.xxe_from_entities);
        settings.max_paranoia = self.max_paranoia;
        set(&mut settings.block_statuses, self.block_statuses);
        settings.rules = self
            .rules
            .into_iter()
            .map(|rules| rules.range().map_err(|problem| refused("rules", problem)))
            .collect::<Result<_, _>>()?;
        Ok(spec)
    }
}

impl RulesTable {
    fn range(self) -> Result<RuleRange, String> {
        let (first, last) = self.id.split_once('-').unwrap_or((&self.id, &self.id));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => {
                Ok(RuleRange { first, last, attack_type: AttackType::from(self.r#type) })
            }
            _ => Err(format!("\"{}\" is not a range of rule ids; write one as in 10000-10999", self.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config = Config::from_toml("").expect("read");
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn every_key_is_taken() {
        let text = r#"
            data_dir = "/srv/hitwire"
            listen = "[::1]:9000"
            metrics_listen = "127.0.0.1:9419"
            tls_cert = "/etc/hitwire/tls.pem"
            tls_key = "/etc/hitwire/tls.key"
            allow_plain_http_api = true
            allow_targets = ["10.0.0.0/8", "fd00::/8"]
            allow_http = true
            env = "staging"
            product = "Shield"
            cloud = "EU"
            public_url = "https://hitwire.example.com"
            default_rendering = "envelope"

            [retention]
            size = "1GiB"
            age = "2d"
            lag_size = "512MiB"
            lag_age = "1d"

            [log]
            slice_size = "16MiB"
            slice_age = "10m"
            tail_size = "4MiB"
            disk_floor = "1MiB"

            [api]
            max_body = "1MiB"
            bodies_in_flight = "8MiB"
            max_connections = 10

            [console]
            session_idle = "1h"
            session_max = "1d"
            proxies = ["127.0.0.1"]

            [oidc]
            issuer = "https://id.example.com"
            client_id = "hitwire"
            name = "Example ID"
            new_users = "read_only"
            ca_file = "/etc/hitwire/id-ca.pem"
            allow_targets = ["10.2.0.0/16"]

            [[source]]
            type = "modsecurity"
            path = "/var/log/modsec_audit.log"
            from_end = true
            count_requests = true
            timezone = "Asia/Kolkata"
            protocol_hits = true
            response_rules = true
            scripting_clients = true
            rfi_as_ssrf = true
            xxe_from_entities = true
            max_paranoia = 2
            block_statuses = [403, 418]

            [[source.rules]]
            id = "10000-10999"
            type = "sqli"
        "#;
        let config = Config::from_toml(text).expect("read");
        insta::assert_debug_snapshot!(config);
    }

    #[test]
    fn a_port_alone_is_on_this_machine() {
        for text in
            ["listen = 9000", "listen = \"9000\"", "listen = \":9000\"", "listen = \"localhost:9000\""]
        {
            let config = Config::from_toml(text).expect(text);
            assert_eq!(config.listen.to_string(), "127.0.0.1:9000", "{text}");
        }
    }

    #[test]
    fn a_key_that_is_unknown_or_wrong_is_named_with_its_place() {
        for (text, words) in [
            ("data_dri = \"x\"", ["line 1, column 1", "data_dri"]),
            ("\n[retention]\nsize = \"many\"", ["line 3", "\"many\" is not a size"]),
            ("listen = \"localhost\"", ["line 1", "as in 127.0.0.1:8419"]),
            ("listen = 65536", ["line 1", "\"65536\" is not an address"]),
            ("metrics_listen = true", ["line 1", "such as \"127.0.0.1:8419\""]),
            ("default_rendering = \"modern\"", ["line 1", "`classic` or `envelope`"]),
            ("[[source]]\ntype = \"suricata\"\npath = \"/x\"", ["source.type", "known: modsecurity"]),
            (
                "[[source]]\ntype = \"modsecurity\"\npath = \"/x\"\ntimezone = \"Mars\"",
                ["source.timezone", "\"Mars\""],
            ),
        ] {
            let error = Config::from_toml(text).expect_err("refused").to_string();
            for word in words {
                assert!(error.contains(word), "{error} lacks {word}");
            }
        }
    }
}
