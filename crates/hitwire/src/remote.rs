//! A running server, as the commands that talk to one see it: the flags that say where it is and who asks, and a session
//! of calls.

use crate::api::{Answer, ApiError, Body, Client, Connection, FieldError, Lines};
use crate::failure::Failure;
use crate::output::Output;
use crate::terminal::{self, safe};
use clap::ArgAction;
use clap::builder::BoolishValueParser;
use hitwire_store::Secret;
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The file in a server's data directory that its first start leaves a token in.
const ADMIN_TOKEN_FILE: &str = "admin-token";

/// Objects of one page of a list: an integration may have a megabyte.
const PAGE: usize = 50;

/// Where the server is, and who asks.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The server")]
pub(crate) struct Remote {
    /// The server's address
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8419",
        env = "HITWIRE_SERVER",
        global = true
    )]
    server: String,

    /// Send the token in clear to an http:// server on another machine: only where nobody else is on the way
    #[arg(
        long,
        env = "HITWIRE_ALLOW_PLAIN_HTTP",
        global = true,
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    allow_plain_http: bool,

    /// The file with the token. Without it the token is taken from the variable HITWIRE_TOKEN; there is no flag for the
    /// token itself, because other users can read command lines
    #[arg(long, value_name = "FILE", env = "HITWIRE_TOKEN_FILE", global = true)]
    token_file: Option<PathBuf>,

    /// The data directory of a server on this machine: its admin-token is taken where no other token is named
    /// [default: hitwire-data]
    #[arg(long, value_name = "DIR", env = "HITWIRE_DATA", global = true)]
    data: Option<PathBuf>,

    /// PEM: the certificates that an https server is verified with, in place of the public roots
    #[arg(long, value_name = "FILE", env = "HITWIRE_SERVER_CA", alias = "ca", global = true)]
    server_ca: Option<PathBuf>,
}

/// Which client (tenant) is meant.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Tenant {
    /// The client (tenant) to work for; only an operator's token may name another one than its own
    #[arg(
        long = "client",
        value_name = "ID",
        env = "HITWIRE_CLIENT",
        global = true,
        help_heading = "The server"
    )]
    tenant: Option<u64>,
}

/// The server that is meant, the client, and for whom the output is: what most commands take that talk to a server.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) tenant: Tenant,

    #[command(flatten)]
    pub(crate) remote: Remote,
}

impl Tenant {
    /// The path of a call for this client.
    pub(crate) fn path(self, path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        self.tenant.map_or_else(|| path.to_owned(), |id| format!("{path}{sign}clientid={id}"))
    }
}

impl Remote {
    /// Finds the token; nothing is sent yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let usage = |error: ApiError| Failure::Usage(error.to_string());
        let ca = self.server_ca.as_deref().map(read).transpose()?;
        let client = Client::new(&self.server, None, ca.as_deref()).map_err(usage)?;
        if client.is_in_clear() && !client.is_local() && !self.allow_plain_http {
            return Err(Failure::Usage(format!(
                "{} would get the token in clear; use https, or say --allow-plain-http if nobody else is on the way",
                client.server()
            )));
        }
        let token = self.token(&client)?;
        Ok(client.with_token(token))
    }

    /// Begins a session.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        Ok(Session::of(self.client()?))
    }

    fn token(&self, client: &Client) -> Result<Secret, Failure> {
        let given = match &self.token_file {
            Some(path) => Some(read(path)?),
            None => std::env::var("HITWIRE_TOKEN").ok().filter(|token| !token.trim().is_empty()),
        };
        if let Some(token) = given {
            return Ok(Secret::new(token.trim()));
        }
        let missing =
            "no API token found: name the file that holds it with --token-file, or set HITWIRE_TOKEN";
        if !client.is_local() {
            return Err(Failure::Usage(missing.to_owned()));
        }
        let data = self.data.clone().unwrap_or_else(|| hitwire_server::Config::default().data_dir);
        let path = data.join(ADMIN_TOKEN_FILE);
        match std::fs::read_to_string(&path) {
            Ok(token) => Ok(Secret::new(token.trim())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::Usage(format!(
                "{missing}; or name the data directory of the server on this machine with --data (there is no {})",
                path.display()
            ))),
            Err(error) => {
                Err(Failure::Usage(format!("{missing}; {} cannot be read: {error}", path.display())))
            }
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

/// Calls, one after the other, on a connection that is kept.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    connection: Option<Connection>,
}

/// An object of the API: as it was answered, for programs, and read, for people.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The text, as it came.
    pub(crate) json: Box<RawValue>,
    /// What it says.
    pub(crate) value: Value,
}

#[derive(Deserialize)]
struct Envelope {
    body: Enveloped,
    /// What of the request was passed over.
    #[serde(default)]
    warnings: Vec<FieldError>,
}

/// `warning: /target/timeuot: is not a field that hitwire knows; it is ignored`
fn in_words(warning: &FieldError) -> String {
    let FieldError { pointer, message, .. } = warning;
    let place = if pointer.is_empty() { String::new() } else { format!("{}: ", safe(pointer)) };
    format!("warning: {place}{}", safe(message))
}

#[derive(Deserialize)]
struct Enveloped {
    object: Box<RawValue>,
}

impl Object {
    fn of(json: Box<RawValue>) -> Result<Self, serde_json::Error> {
        Ok(Object { value: serde_json::from_str(json.get())?, json })
    }

    /// The text at a JSON pointer, if there is a text.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// The whole number at a JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> Option<u64> {
        self.value.pointer(pointer).and_then(Value::as_u64)
    }

    /// Whether `true` stands at a JSON pointer.
    pub(crate) fn is(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
    }
}

impl Session {
    /// A session of a client.
    pub(crate) fn of(client: Client) -> Self {
        Session { client, connection: None }
    }

    /// The server's address, for messages.
    pub(crate) fn server(&self) -> String {
        self.client.server()
    }

    /// One call, with any answer.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<Body>,
    ) -> Result<Answer, ApiError> {
        // A server closes connections that were idle: a user may have thought for a while before saying yes.
        let kept = self.connection.take().filter(|connection| !connection.is_closed());
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.client.connect().await?,
        };
        let answer = connection.request_with(method, path, headers, body).await;
        if answer.is_ok() {
            self.connection = Some(connection);
        }
        answer
    }

    /// A call that answers a document without an envelope.
    pub(crate) async fn document<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ApiError> {
        let answer = self.call(Method::GET, path, HeaderMap::new(), ()).await?;
        answer.successful(&self.client)
    }

    /// A call with a body that answers a document without an envelope.
    pub(crate) async fn posted(&mut self, path: &str, body: impl Into<Body>) -> Result<Object, ApiError> {
        let answer = self.call(Method::POST, path, HeaderMap::new(), body).await?;
        let json = answer.successful(&self.client)?;
        self.read(json)
    }

    /// A call that answers a text.
    pub(crate) async fn text(&mut self, path: &str) -> Result<String, ApiError> {
        let answer = self.call(Method::GET, path, HeaderMap::new(), ()).await?;
        if answer.status.is_success() {
            let strange = |error: std::str::Utf8Error| ApiError::Strange {
                server: self.client.server(),
                problem: error.to_string(),
            };
            return Ok(std::str::from_utf8(&answer.body).map_err(strange)?.to_owned());
        }
        Err(match answer.successful::<serde::de::IgnoredAny>(&self.client) {
            Err(refused) => refused,
            Ok(_) => ApiError::Strange {
                server: self.client.server(),
                problem: "it neither answers nor refuses".to_owned(),
            },
        })
    }

    /// A call that answers line by line, on a connection of its own.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, ApiError> {
        self.client.connect().await?.lines(path).await
    }

    /// The same, as it came and read.
    pub(crate) async fn raw(&mut self, path: &str) -> Result<Object, ApiError> {
        let json = self.document(path).await?;
        self.read(json)
    }

    /// A call that answers one object in the envelope of the newer calls.
    pub(crate) async fn object(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Object, ApiError> {
        let answer = self.call(method, path, HeaderMap::new(), body).await?;
        self.enveloped(&answer)
    }

    /// A call that answers several objects in that envelope.
    async fn objects(&mut self, path: &str) -> Result<Vec<Object>, ApiError> {
        let list = self.object(Method::GET, path, ()).await?;
        let items: Vec<Box<RawValue>> =
            serde_json::from_str(list.json.get()).map_err(|e| self.strange(&e))?;
        items.into_iter().map(|item| self.read(item)).collect()
    }

    /// All objects of a list, page by page: with their settings they may be long. `path` has a query already, or none.
    pub(crate) async fn listed(&mut self, path: &str) -> Result<Vec<Object>, ApiError> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut page = self.objects(&format!("{path}{sign}limit={PAGE}")).await?;
        let mut all = Vec::new();
        loop {
            let is_last = page.len() < PAGE;
            let last = |page: &[Object]| page.last().and_then(|last| last.value["id"].as_i64());
            let (before, after) = (last(&all), last(&page));
            all.append(&mut page);
            // Ids rise; a server that repeats itself is not asked for ever.
            match after {
                Some(after) if !is_last && before < Some(after) => {
                    page = self.objects(&format!("{path}{sign}limit={PAGE}&after={after}")).await?;
                }
                _ => return Ok(all),
            }
        }
    }

    /// The objects of a list that stands in an answer under a name, each as it came.
    pub(crate) fn members(&self, answer: &Object, name: &str) -> Result<Vec<Object>, ApiError> {
        let strange = |error| self.strange(&error);
        let mut parts: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(answer.json.get()).map_err(strange)?;
        let Some(list) = parts.remove(name) else { return Ok(Vec::new()) };
        let items: Vec<Box<RawValue>> = serde_json::from_str(list.get()).map_err(strange)?;
        items.into_iter().map(|item| self.read(item)).collect()
    }

    /// The object of an answer in that envelope. What the server warns of goes to standard error.
    pub(crate) fn enveloped(&self, answer: &Answer) -> Result<Object, ApiError> {
        let envelope: Envelope = answer.successful(&self.client)?;
        for warning in &envelope.warnings {
            terminal::tell(&in_words(warning));
        }
        self.read(envelope.body.object)
    }

    fn read(&self, json: Box<RawValue>) -> Result<Object, ApiError> {
        Object::of(json).map_err(|error| self.strange(&error))
    }

    fn strange(&self, error: &serde_json::Error) -> ApiError {
        ApiError::Strange { server: self.client.server(), problem: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_warns_of_is_read_and_shown_harmless() {
        let answer = r#"{"body":{"result":"success","object":{}},
            "warnings":[{"pointer":"/target/x\u001b[2J","message":"is not known"},{"pointer":"","message":"3 more"}]}"#;
        let envelope: Envelope = serde_json::from_str(answer).unwrap();
        let words: Vec<_> = envelope.warnings.iter().map(in_words).collect();
        assert_eq!(words, ["warning: /target/x\\u{1b}[2J: is not known", "warning: 3 more"]);
    }
}
