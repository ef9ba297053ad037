//! The settings as they are in effect, written as a configuration file.

use super::{ApiBounds, Config, ConsoleSettings, LogBounds, Naming, OidcSettings, Retention, SourceSpec};
use hitwire_source::Settings;
use serde_json::{Map, Value};
use std::fmt::{Display, Write as _};
use std::time::Duration;

/// Units that a size is written in, the largest first.
const SIZE_UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Units that a duration is written in, the largest first.
const TIME_UNITS: [(&str, u64); 3] = [("d", 86_400), ("h", 3_600), ("m", 60)];

impl Config {
    /// Every setting, as a configuration file that says the same. Tokens and the key are not in it: of them it is said, in
    /// comments, where they come from.
    pub fn to_toml(&self) -> String {
        // Named one by one: a setting that is new and not written here does not build.
        let Config {
            data_dir,
            listen,
            metrics_listen,
            tls_cert,
            tls_key,
            allow_plain_http_api,
            allow_targets,
            allow_http,
            env_label,
            naming,
            default_rendering,
            retention,
            log,
            api,
            console,
            oidc,
            sources,
            admin_token,
            ingest_token,
            secret_key,
        } = self;
        let mut file = File::default();
        let kept = |name: &str| data_dir.join(name).display().to_string();
        let made = |name: &str| format!("in {}, made at the first start", kept(name));
        let own = || "set by the operator".to_owned();
        file.comment("admin token", admin_token.as_ref().map_or_else(|| made("admin-token"), |_| own()));
        file.comment("ingest token", ingest_token.as_ref().map_or_else(|| "none".to_owned(), |_| own()));
        file.comment("secret key", secret_key.as_ref().map_or_else(|| made("secret.key"), |_| own()));
        file.text("data_dir", data_dir.display());
        file.text("listen", listen);
        file.maybe("metrics_listen", *metrics_listen);
        file.maybe("tls_cert", tls_cert.as_ref().map(|path| path.display()));
        file.maybe("tls_key", tls_key.as_ref().map(|path| path.display()));
        file.bare("allow_plain_http_api", allow_plain_http_api);
        file.list("allow_targets", allow_targets);
        file.bare("allow_http", allow_http);
        file.text("env", env_label);
        let Naming { product, cloud, public_url } = naming;
        file.text("product", product);
        file.text("cloud", cloud);
        file.maybe("public_url", public_url.as_ref());
        file.text("default_rendering", default_rendering.name());
        let Retention { size_bytes, age, lag_bytes, lag_age } = retention;
        file.table("[retention]");
        file.text("size", size(*size_bytes));
        file.text("age", duration(*age));
        file.maybe("lag_size", lag_bytes.map(size));
        file.text("lag_age", duration(*lag_age));
        let LogBounds { slice_bytes, slice_age, tail_bytes, disk_floor_bytes } = log;
        file.table("[log]");
        file.text("slice_size", size(*slice_bytes));
        file.text("slice_age", duration(*slice_age));
        file.text("tail_size", size(*tail_bytes));
        file.text("disk_floor", size(*disk_floor_bytes));
        let ApiBounds { body_bytes_max, bodies_in_flight_bytes, connections_max } = api;
        file.table("[api]");
        file.text("max_body", size(*body_bytes_max));
        file.text("bodies_in_flight", size(*bodies_in_flight_bytes));
        file.bare("max_connections", connections_max);
        let ConsoleSettings { session_idle, session_max, proxies } = console;
        file.table("[console]");
        file.text("session_idle", duration(*session_idle));
        file.text("session_max", duration(*session_max));
        file.list("proxies", proxies);
        if let Some(oidc) = oidc {
            provider(&mut file, oidc);
        }
        for spec in sources {
            source(&mut file, spec);
        }
        file.text
    }

    /// Every setting in effect by its key in a configuration file, and where tokens and the key come from; without sources, which
    /// are shown elsewhere.
    pub(crate) fn named_values(&self) -> Vec<(String, String)> {
        let file = self.to_toml();
        let comments = file.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(": "));
        let mut named: Vec<_> = comments.map(|(name, words)| (name.to_owned(), words.to_owned())).collect();
        let settings = toml::from_str::<Map<String, Value>>(&file).unwrap_or_default();
        for (name, value) in settings.iter().filter(|(name, _)| *name != "source") {
            match value {
                Value::Object(table) => {
                    named.extend(table.iter().map(|(key, value)| (format!("{name}.{key}"), plain(value))));
                }
                value => named.push((name.clone(), plain(value))),
            }
        }
        named
    }
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

impl SourceSpec {
    /// Every setting by its key in a configuration file; those that are not set are left out.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        let mut file = File::default();
        source(&mut file, self);
        // What is written here is a file with one source in it.
        let file = toml::from_str::<Value>(&file.text).unwrap_or_default();
        file["source"][0].as_object().cloned().unwrap_or_default()
    }
}

fn provider(file: &mut File, oidc: &OidcSettings) {
    let OidcSettings { issuer, client_id, client_secret, name, new_users, ca_file, allow_targets } = oidc;
    file.table("[oidc]");
    let secret = if client_secret.is_some() { "set by the operator" } else { "none" };
    file.comment("client secret", secret.to_owned());
    file.text("issuer", issuer);
    file.text("client_id", client_id);
    file.text("name", name);
    file.maybe("new_users", new_users.map(hitwire_store::Role::name));
    file.maybe("ca_file", ca_file.as_ref().map(|path| path.display()));
    file.list("allow_targets", allow_targets);
}

fn source(file: &mut File, spec: &SourceSpec) {
    let SourceSpec { format, path, from_end, count_requests, settings } = spec;
    // Client and environment are the server's.
    let Settings {
        client: _,
        env: _,
        timezone,
        protocol_hits,
        response_rules,
        scripting_clients,
        rfi_as_ssrf,
        xxe_from_entities,
        max_paranoia,
        block_statuses,
        rules,
    } = settings;
    file.table("[[source]]");
    file.text("type", format.name());
    file.text("path", path.display());
    file.bare("from_end", from_end);
    file.bare("count_requests", count_requests);
    file.maybe("timezone", timezone.as_ref().and_then(|zone| zone.iana_name()));
    file.bare("protocol_hits", protocol_hits);
    file.bare("response_rules", response_rules);
    file.bare("scripting_clients", scripting_clients);
    file.bare("rfi_as_ssrf", rfi_as_ssrf);
    file.bare("xxe_from_entities", xxe_from_entities);
    if let Some(level) = max_paranoia {
        file.bare("max_paranoia", level);
    }
    file.bare("block_statuses", format_args!("{block_statuses:?}"));
    for range in rules {
        file.table("[[source.rules]]");
        file.text("id", format_args!("{}-{}", range.first, range.last));
        file.text("type", range.attack_type.as_str());
    }
}

/// A configuration file that grows line by line.
#[derive(Default)]
struct File {
    text: String,
}

impl File {
    fn comment(&mut self, name: &str, words: String) {
        // A path may hold a line's end, which would end the comment.
        let _ = writeln!(self.text, "# {name}: {}", hitwire_event::escape::visible(&words));
    }

    fn table(&mut self, head: &str) {
        let _ = write!(self.text, "\n{head}\n");
    }

    fn text(&mut self, key: &str, value: impl Display) {
        let _ = writeln!(self.text, "{key} = {}", quoted(&value.to_string()));
    }

    fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn bare(&mut self, key: &str, value: impl Display) {
        let _ = writeln!(self.text, "{key} = {value}");
    }

    fn list(&mut self, key: &str, values: &[impl ToString]) {
        let values: Vec<_> = values.iter().map(|value| quoted(&value.to_string())).collect();
        self.bare(key, format_args!("[{}]", values.join(", ")));
    }
}

/// A basic string of TOML, in which control characters are escapes.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

fn size(bytes: u64) -> String {
    in_units(bytes, &SIZE_UNITS).unwrap_or_else(|| format!("{bytes}B"))
}

fn duration(span: Duration) -> String {
    in_units(span.as_secs(), &TIME_UNITS).unwrap_or_else(|| format!("{}s", span.as_secs()))
}

/// In the largest unit that leaves no rest.
fn in_units(number: u64, units: &[(&str, u64)]) -> Option<String> {
    let (name, unit) = units.iter().find(|(_, unit)| number > 0 && number.is_multiple_of(*unit))?;
    Some(format!("{}{name}", number / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_store::Secret;

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
        let config = Config { admin_token: secret(), ingest_token: secret(), ..Config::default() };
        let text = config.to_toml();
        assert!(!text.contains("a-secret"), "{text}");
        assert!(text.starts_with("# admin token: set by the operator\n"), "{text}");
    }
}
