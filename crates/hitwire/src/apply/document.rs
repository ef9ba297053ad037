//! The file that `apply` reads: integrations as they shall be, in TOML or YAML, with the API's names.

use crate::failure::Failure;
use crate::integration::secret;
use hitwire_endpoint::Proxy;
use hitwire_event::Kind;
use hitwire_event::filter::Filter;
use hitwire_store::MASK;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// More integrations than this are a mistake: a client has a few dozen.
const INTEGRATIONS_MAX: usize = 10_000;

/// An integration as it shall be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desired {
    /// What it is called; the file and the server are matched by it.
    pub(super) name: String,
    pub(super) active: bool,
    /// The kinds that it is subscribed to; of hits, whether with headers.
    pub(super) events: BTreeMap<&'static str, bool>,
    pub(super) filter: Filter,
    /// The fields of the target that the file names, secrets as they are. What it does not name has its default.
    pub(super) target: Map<String, Value>,
    /// The headers and their values.
    pub(super) headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, alias = "integrations")]
    integration: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    active: Option<bool>,
    #[serde(default)]
    events: Vec<Tick>,
    #[serde(default)]
    filter: Filter,
    target: Target,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    url: Text,
    http_method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Text>,
    ca_file: Option<Text>,
    ca_verify: Option<bool>,
    pin_sha256: Option<Vec<String>>,
    client_cert: Option<Text>,
    client_key: Option<Text>,
    client_key_password: Option<Text>,
    timeout: Option<u64>,
    open_timeout: Option<u64>,
    http_version: Option<String>,
    proxy: Option<String>,
    proxy_credentials: Option<Text>,
    format: Option<String>,
    rendering: Option<String>,
    retry: Option<String>,
    signing: Option<String>,
    max_events: Option<u64>,
    max_bytes: Option<u64>,
    rate: Option<u64>,
    in_flight: Option<u64>,
}

/// The fields of a target, and its headers.
type Resolved = (Map<String, Value>, Vec<(String, String)>);

/// `"siem"`, or `{event = "siem", with_headers = true}`.
struct Tick {
    event: String,
    active: bool,
    with_headers: bool,
}

/// `"text"`, `{env = "VARIABLE"}` or `{file = "path"}`.
#[derive(Debug, PartialEq)]
enum Text {
    Here(String),
    Variable(String),
    File(PathBuf),
}

/// Reads the text of a file; `path` tells its form and is where the files it names are looked for.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Desired>, Failure> {
    let in_file = |problem: String| Failure::Usage(format!("{}: {problem}", path.display()));
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let document: Document = match extension.to_ascii_lowercase().as_str() {
        "toml" => toml::from_str(text).map_err(|error| in_file(error.to_string().trim_end().to_owned()))?,
        "yaml" | "yml" => {
            serde_saphyr::from_str(text).map_err(|error| in_file(first_line(&error.to_string())))?
        }
        _ => {
            return Err(in_file(
                "the name must end in .toml, .yaml or .yml, which says how to read it".to_owned(),
            ));
        }
    };
    let entries = document.integration;
    if entries.len() > INTEGRATIONS_MAX {
        return Err(in_file(format!("has more than {INTEGRATIONS_MAX} integrations")));
    }
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut all: Vec<Desired> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = entry.name.clone();
        if all.iter().any(|other| other.name == name) {
            return Err(in_file(format!("two integrations are called {name:?}; names must differ")));
        }
        all.push(entry.desired(dir).map_err(|problem| in_file(format!("integration {name:?}: {problem}")))?);
    }
    Ok(all)
}

/// What is wrong and where; the picture of the place that follows says it once more.
fn first_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl Entry {
    fn desired(self, dir: &Path) -> Result<Desired, String> {
        let Entry { name, active, events, filter, target } = self;
        let mut ticked = BTreeMap::new();
        for Tick { event, active, with_headers } in events {
            let kinds = Kind::named(&event);
            if kinds.is_empty() {
                let known = Kind::ALL.map(Kind::name).join(", ");
                return Err(format!("{event:?} is not an event; events are: {known}"));
            }
            if with_headers && kinds != [Kind::Hit] {
                return Err(format!("{event:?} has no headers: with_headers goes with siem alone"));
            }
            ticked.extend(kinds.into_iter().filter(|_| active).map(|kind| (kind.name(), with_headers)));
        }
        let (target, headers) = target.resolved(dir)?;
        Ok(Desired { name, active: active.unwrap_or(true), events: ticked, filter, target, headers })
    }
}

impl Target {
    fn resolved(self, dir: &Path) -> Result<Resolved, String> {
        let text = |field: &str, text: Option<Text>| match text {
            None => Ok(None),
            Some(text) => text
                .resolved(dir, false)
                .map(|text| Some(json!(text)))
                .map_err(|why| format!("target.{field}: {why}")),
        };
        let certificate = self.client_cert.map(|text| text.resolved(dir, true)).transpose();
        let certificate = certificate.map_err(|why| format!("target.client_cert: {why}"))?;
        let fields = [
            ("url", text("url", Some(self.url))?),
            ("http_method", self.http_method.map(Value::from)),
            ("ca_file", text("ca_file", self.ca_file)?),
            ("ca_verify", self.ca_verify.map(Value::from)),
            ("pin_sha256", self.pin_sha256.map(Value::from)),
            ("client_cert", certificate.map(Value::from)),
            ("client_key", text("client_key", self.client_key)?),
            ("client_key_password", text("client_key_password", self.client_key_password)?),
            ("timeout", self.timeout.map(Value::from)),
            ("open_timeout", self.open_timeout.map(Value::from)),
            ("http_version", self.http_version.map(Value::from)),
            ("proxy", self.proxy.map(|url| proxy(&url)).transpose()?.map(Value::from)),
            ("proxy_credentials", text("proxy_credentials", self.proxy_credentials)?),
            ("format", self.format.map(Value::from)),
            ("rendering", self.rendering.map(Value::from)),
            ("retry", self.retry.map(Value::from)),
            ("signing", self.signing.map(Value::from)),
            ("max_events", self.max_events.map(Value::from)),
            ("max_bytes", self.max_bytes.map(Value::from)),
            ("rate", self.rate.map(Value::from)),
            ("in_flight", self.in_flight.map(Value::from)),
        ];
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in self.headers {
            let value = value.resolved(dir, false).map_err(|why| format!("target.headers.{name}: {why}"))?;
            if value == MASK {
                return Err(format!(
                    "target.headers.{name}: {MASK} is what hitwire shows in place of a value, and no value"
                ));
            }
            headers.push((name, value));
        }
        let named = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok((named.collect(), headers))
    }
}

/// A proxy's URL as the server writes it, so that the two can be compared.
fn proxy(url: &str) -> Result<String, String> {
    let proxy = Proxy::parse(url, None).map_err(|error| format!("target.proxy: {error}"))?;
    if proxy.credentials().is_some() {
        let words = "target.proxy: holds a user name; put user:password into proxy_credentials, as in { env = \"VARIABLE\" }";
        return Err(words.to_owned());
    }
    Ok(proxy.url())
}

impl Text {
    /// What it stands for. A value that stands alone in a file or variable does not end in a line's end, unless it has
    /// several lines.
    fn resolved(self, dir: &Path, binary: bool) -> Result<String, String> {
        let words = |failure: Failure| match failure {
            Failure::Usage(words) | Failure::Runtime(words) => words,
            Failure::Differences => String::new(),
        };
        match self {
            Text::Here(text) => Ok(text),
            Text::Variable(name) => secret::variable(&name).map_err(words),
            Text::File(path) if binary => secret::certificate(&dir.join(path)).map_err(words),
            Text::File(path) => {
                let text = secret::file(&dir.join(path)).map_err(words)?;
                let trimmed = text.trim_end_matches(['\r', '\n']);
                Ok(if trimmed.contains('\n') { text } else { trimmed.to_owned() })
            }
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Elsewhere {
            env: Option<String>,
            file: Option<PathBuf>,
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, { env = \"VARIABLE\" } or { file = \"path\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::Here(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                match Elsewhere::deserialize(MapAccessDeserializer::new(map))? {
                    Elsewhere { env: Some(name), file: None } => Ok(Text::Variable(name)),
                    Elsewhere { env: None, file: Some(path) } => Ok(Text::File(path)),
                    _ => Err(de::Error::custom("say either env or file")),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Tick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            event: String,
            active: Option<bool>,
            #[serde(default)]
            with_headers: bool,
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tick;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an event, or { event = \"siem\", with_headers = true }")
            }

            fn visit_str<E: de::Error>(self, event: &str) -> Result<Tick, E> {
                Ok(Tick { event: event.to_owned(), active: true, with_headers: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tick, A::Error> {
                let Whole { event, active, with_headers } =
                    Whole::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Tick { event, active: active.unwrap_or(true), with_headers })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        [[integration]]
        name = "SIEM"
        events = [{ event = "siem", with_headers = true }, "system"]
        filter = { attack_types = ["sqli"] }

        [integration.target]
        url = "https://siem.example.com/hits"
        headers = { X-Api-Key = { file = "key" }, X-Static = "plain" }
        timeout = 30
    "#;

    const YAML: &str = r"
integrations:
  - name: SIEM
    events:
      - { event: siem, with_headers: true }
      - system
    filter: { attack_types: [sqli] }
    target:
      url: https://siem.example.com/hits
      headers:
        X-Api-Key: { file: key }
        X-Static: plain
      timeout: 30
";

    fn refused(name: &str, text: &str) -> String {
        match read(Path::new(name), text) {
            Err(Failure::Usage(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn toml_and_yaml_say_the_same() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "s3cret\n").unwrap();
        let toml = read(&dir.path().join("a.toml"), TOML).unwrap();
        assert_eq!(toml, read(&dir.path().join("a.yaml"), YAML).unwrap());
        let siem = &toml[0];
        assert_eq!(siem.events, BTreeMap::from([("siem", true), ("system", false)]));
        assert_eq!(
            siem.headers,
            [("X-Api-Key", "s3cret"), ("X-Static", "plain")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
        assert_eq!(siem.target["timeout"], 30);
        assert!(siem.active && !siem.filter.is_empty());
    }

    #[test]
    fn a_slip_of_the_pen_is_named_with_its_place() {
        let words = refused("a.toml", &TOML.replace("timeout", "timeuot"));
        assert!(words.contains("line 10") && words.contains("timeuot"), "{words}");
        let words = refused("a.yml", &YAML.replace("timeout", "timeuot"));
        assert!(words.contains("timeuot") && words.contains("13"), "{words}");
        assert!(refused("a.json", "{}").contains(".toml, .yaml or .yml"));
        let words = refused("a.toml", &TOML.replace("\"system\"", "\"sytem\""));
        assert!(words.contains("\"SIEM\"") && words.contains("\"sytem\" is not an event"), "{words}");
    }

    #[test]
    fn a_secret_that_is_not_there_is_named() {
        let words = refused("/nonexistent/a.toml", TOML);
        assert!(words.contains("target.headers.X-Api-Key: cannot read /nonexistent/key"), "{words}");
        let words =
            refused("a.toml", &TOML.replace("{ file = \"key\" }", "{ env = \"HITWIRE_NO_SUCH_VARIABLE\" }"));
        assert!(words.contains("HITWIRE_NO_SUCH_VARIABLE is not set"), "{words}");
        let words = refused("a.toml", &TOML.replace("{ file = \"key\" }", "{ env = \"A\", file = \"b\" }"));
        assert!(words.contains("either env or file"), "{words}");
    }

    #[test]
    fn a_name_stands_for_one_integration() {
        let words = refused("a.toml", &TOML.replace("{ file = \"key\" }", "\"k\"").repeat(2));
        assert!(words.contains("two integrations are called \"SIEM\""), "{words}");
    }
}
