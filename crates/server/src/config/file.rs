//! The configuration file: one TOML document, every key optional; read into a [`Config`], and written from one.

use super::{Config, ConfigError, SourceSpec};
use hitwire_event::escape::visible;
use serde_json::Map;
use serde_path_to_error::{Path, Segment};
use std::fmt::Write as _;
use toml::{Table, Value};

/// How alike two names are, at least, if one may be a slip of the pen for the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.85;

impl Config {
    /// Reads the configuration file's text; what it does not set has its default.
    ///
    /// # Errors
    ///
    /// A key that is unknown, is set twice or has a value that cannot be; the text names line, column and key, and what would
    /// do. Also when a file that holds a token or the key cannot be read.
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let document = toml::Deserializer::parse(text).map_err(|error| refusal(text, "", error))?;
        serde_path_to_error::deserialize(document).map_err(|error| {
            let key = key(error.path());
            refusal(text, &key, error.into_inner())
        })
    }

    /// Every setting, as a configuration file that says the same. Tokens and the key are not in it: of them it is said, in
    /// comments, where they come from.
    pub fn to_toml(&self) -> String {
        let mut file = String::new();
        for (name, origin) in self.origins() {
            // A path may hold a line's end, which would end the comment.
            let _ = writeln!(file, "# {name}: {}", visible(&origin));
        }
        file + &toml::to_string(self).expect("every setting has a form in TOML")
    }

    /// Every setting in effect by its key in a configuration file, and where tokens and the key come from; without sources, which
    /// are shown elsewhere.
    pub(crate) fn named_values(&self) -> Vec<(String, String)> {
        let origins =
            self.origins().into_iter().map(|(name, origin)| (name.to_owned(), visible(&origin).into_owned()));
        let mut named: Vec<_> = origins.collect();
        for (name, value) in table(self).into_iter().filter(|(name, _)| name != "source") {
            match value {
                Value::Table(table) => {
                    named.extend(table.iter().map(|(key, value)| (format!("{name}.{key}"), plain(value))));
                }
                value => named.push((name, plain(&value))),
            }
        }
        named
    }

    /// Where each secret comes from.
    fn origins(&self) -> Vec<(&'static str, String)> {
        let own = || "set by the operator".to_owned();
        let made = |name: &str| format!("in {}, made at the first start", self.data_dir.join(name).display());
        let none = || "none".to_owned();
        let mut origins = vec![
            ("admin token", self.admin_token.as_ref().map_or_else(|| made("admin-token"), |_| own())),
            ("ingest token", self.ingest_token.as_ref().map_or_else(none, |_| own())),
            ("secret key", self.secret_key.as_ref().map_or_else(|| made("secret.key"), |_| own())),
        ];
        if let Some(oidc) = &self.oidc {
            let secret = oidc.client_secret.as_ref().map_or_else(none, |_| own());
            origins.push(("OpenID client secret", secret));
        }
        if self.outbound.proxy.is_some() {
            let credentials = self.outbound.proxy_credentials.as_ref().map_or_else(none, |_| own());
            origins.push(("proxy credentials", credentials));
        }
        origins
    }
}

impl SourceSpec {
    /// Every setting by its key in a configuration file; those that are not set are left out.
    pub(crate) fn settings(&self) -> Map<String, serde_json::Value> {
        let settings = serde_json::to_value(table(self)).unwrap_or_default();
        settings.as_object().cloned().unwrap_or_default()
    }
}

fn table(settings: &impl serde::Serialize) -> Table {
    Table::try_from(settings).expect("every setting has a form in TOML")
}

/// A value without the marks of its notation.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A key with the tables that it is in: `retention.size`.
fn key(path: &Path) -> String {
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// What is wrong with the file: line and column, the key, the problem, and the line itself. `key` is empty if the file is
/// not TOML.
fn refusal(text: &str, key: &str, mut error: toml::de::Error) -> ConfigError {
    error.set_input(Some(text));
    let (key, problem) = in_words(key, error.message());
    // The library writes where it is, then the line with a mark under it, then its message, which is in `problem` already.
    let shown = error.to_string();
    let mut lines = shown.lines();
    let place = lines.next().and_then(|line| line.strip_prefix("TOML parse error at "));
    match place {
        Some(place) => {
            let setting = if key.is_empty() { place.to_owned() } else { format!("{place}: {key}") };
            let line = lines.take(3).collect::<Vec<_>>().join("\n");
            ConfigError::new(setting, format!("{problem}\n{line}"))
        }
        None => ConfigError::new(key, problem),
    }
}

/// serde's message in words for an operator.
fn in_words(key: &str, message: &str) -> (String, String) {
    // Names stand between backticks: first the one that was found, then those that would do.
    let mut names = message.split('`').skip(1).step_by(2);
    let name = names.next().unwrap_or_default();
    let problem = if message.starts_with("unknown field") {
        let known: Vec<_> = names.collect();
        let known_here = known.join(", ");
        match alike(name, &known) {
            Some(meant) => format!("is not a setting; did you mean {meant}? Known here: {known_here}"),
            None => format!("is not a setting; known here: {known_here}"),
        }
    } else if message.starts_with("missing field") {
        let key = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        return (key, "is needed".to_owned());
    } else if message == "duplicate key" {
        "this key is set twice".to_owned()
    } else {
        message.to_owned()
    };
    (key.to_owned(), problem)
}

/// The known name of which this one may be a slip of the pen.
fn alike<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.copied().filter(|best| likeness(best) >= ALIKE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_store::Secret;

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

            [outbound]
            proxy = "http://proxy.example.com:3128"
            no_proxy = ["10.0.0.0/8", ".example.com"]
            trusted_proxies = ["proxy.example.com:3128"]
            proxy_ca_file = "/etc/hitwire/proxy-ca.pem"
            source_addresses = ["192.0.2.10", "2001:db8::10"]

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
            ("data_dri = \"x\"", ["line 1, column 1: data_dri: is not a setting", "did you mean data_dir?"]),
            (
                "env = \"a\"\n[retention]\nsise = \"1GiB\"",
                ["line 3, column 1: retention.sise: ", "mean size?"],
            ),
            (
                "[retention]\nx = 1",
                ["retention.x: is not a setting; known here: size, age", "\n2 | x = 1\n  | ^"],
            ),
            ("[[source]]\nkind = \"modsecurity\"", ["source.kind: is not", "known here: type, path"]),
            ("[oidc]\nissuer = \"https://id.example\"", ["line 1", "oidc.client_id: is needed"]),
            ("[[source]]\ntype = \"modsecurity\"", ["line 1", "source.path: is needed"]),
            ("env = \"a\"\nenv = \"b\"", ["line 2, column 1: ", "this key is set twice"]),
            ("[log]\n[api]\n[log]", ["line 3, column 2: ", "this key is set twice"]),
            ("allow_http = \"yes\"", ["line 1, column 14: allow_http: ", "expected a boolean"]),
            ("listen = ", ["line 1, column ", "listen = "]),
            ("\n[retention]\nsize = \"many\"", ["line 3", "\"many\" is not a size"]),
            ("listen = \"localhost\"", ["line 1", "as in 127.0.0.1:8419"]),
            ("listen = 65536", ["line 1", "\"65536\" is not an address"]),
            ("metrics_listen = true", ["line 1", "such as \"127.0.0.1:8419\""]),
            ("default_rendering = \"modern\"", ["line 1", "`classic` or `envelope`"]),
            ("[[source]]\ntype = \"suricata\"\npath = \"/x\"", ["source.type", "known: modsecurity"]),
            (
                "[[source]]\ntype = \"modsecurity\"\npath = \"/x\"\ntimezone = \"Mars\"",
                ["line 4, column 12: source.timezone: \"Mars\"", "as in Europe/Berlin"],
            ),
            ("[retention]\nage = 7", ["retention.age: \"7\" is not a duration", "7d or 2w"]),
            ("[api]\nmax_body = true", ["api.max_body: ", "a size, as in \"20GiB\""]),
            (
                "allow_targets = [\"10.0.0.0/8\", \"ten\"]",
                ["line 1, column 32: allow_targets: ", "10.1.0.0/16"],
            ),
            ("admin_token_file = \"/nonexistent\"", ["admin_token_file: cannot read /nonexistent", "line 1"]),
            (
                "[[source]]\ntype = \"modsecurity\"\npath = \"/x\"\nrules = [{ id = \"9-1\", type = \"sqli\" }]",
                ["source.rules.id: \"9-1\" is not a range", "as in 10000-10999"],
            ),
        ] {
            let error = Config::from_toml(text).expect_err("refused").to_string();
            for word in words {
                assert!(error.contains(word), "{error} lacks {word}");
            }
        }
    }

    fn read(text: &str) -> Config {
        Config::from_toml(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn what_is_written_says_the_same_when_it_is_read() {
        let every_key = read(
            r#"
            data_dir = "/srv/hit \"wire\" \\ \u0007"
            listen = "[::1]:9000"
            allow_targets = ["10.0.0.0/8", "fd00::/8"]
            allow_http = true
            env = "staging"
            metrics_listen = "127.0.0.1:9419"
            tls_cert = "/etc/hitwire/tls.pem"
            tls_key = "/etc/hitwire/tls.key"
            product = "Shield"
            public_url = "https://hitwire.example.com"
            default_rendering = "envelope"
            retention = { size = "1GiB", age = "90s", lag_size = "1000B", lag_age = "36h" }
            log = { slice_size = "16MiB", slice_age = "10m", tail_size = "4MiB", disk_floor = "0" }
            api = { max_body = "1MiB", bodies_in_flight = "8MiB", max_connections = 10 }
            outbound = { proxy = "socks5://[2001:db8::1]:1080", source_addresses = ["2001:db8::10"] }
            [console]
            session_idle = "1h"
            proxies = ["127.0.0.1", "10.0.0.0/8"]
            [oidc]
            issuer = "https://id.example.com"
            client_id = "hitwire"
            new_users = "analyst"
            allow_targets = ["10.2.0.0/16"]
            [[source]]
            type = "modsecurity"
            path = "/var/log/modsec_audit.log"
            timezone = "Asia/Kolkata"
            max_paranoia = 2
            block_statuses = [403, 418]
            [[source.rules]]
            id = "10000-10999"
            type = "sqli"
            "#,
        );
        for config in [Config::default(), every_key] {
            let again = read(&config.to_toml());
            assert_eq!(format!("{again:?}"), format!("{config:?}"));
        }
    }

    #[test]
    fn settings_have_names_and_plain_values() {
        let config = read(
            "product = \"Shield\"\nallow_targets = [\"10.0.0.0/8\", \"fd00::/8\"]\nretention = { age = \"36h\" }",
        );
        let named = config.named_values();
        for (name, value) in [
            ("product", "Shield"),
            ("allow_targets", "10.0.0.0/8, fd00::/8"),
            ("retention.age", "36h"),
            ("api.max_connections", "4096"),
            ("ingest token", "none"),
        ] {
            assert!(named.contains(&(name.to_owned(), value.to_owned())), "{name}: {named:?}");
        }
    }

    #[test]
    fn no_secret_is_written() {
        let secret = || Some(Secret::new("a-secret-that-nobody-may-read-here"));
        let mut config = Config { admin_token: secret(), ingest_token: secret(), ..Config::default() };
        config.outbound.proxy_credentials = secret();
        let text = config.to_toml();
        assert!(!text.contains("a-secret"), "{text}");
        assert!(text.starts_with("# admin token: set by the operator\n"), "{text}");
    }
}
