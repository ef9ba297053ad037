//! `hitwire token`, `client`, `user` and `application`: who may do what on a running server, and on what, over its API.
//!
//! They are alike: a list, a creation, a change, an end. What they share is here ([`Book`]); each has its own flags,
//! bodies and tables.

pub(crate) mod application;
pub(crate) mod client;
pub(crate) mod token;
pub(crate) mod user;

use crate::ask;
use crate::failure::{Failure, Origins};
use crate::integration::{find, id_of};
use crate::output::Output;
use crate::remote::{Common, Object, Session, Tenant};
use crate::table::{Cell, Table};
use crate::terminal::{self, Style, Terminal};
use http::Method;
use serde_json::{Map, Value};

/// One sort of account on a server.
struct Book {
    session: Session,
    tenant: Tenant,
    output: Output,
    /// What one of them is called, on the command line too.
    what: &'static str,
    /// The API's path.
    path: &'static str,
}

impl Book {
    fn open(common: &Common, what: &'static str, path: &'static str) -> Result<Self, Failure> {
        let Common { output, tenant, remote } = common;
        Ok(Book { session: remote.session()?, tenant: *tenant, output: *output, what, path })
    }

    async fn all(&mut self) -> Result<Vec<Object>, Failure> {
        Ok(self.session.listed(&self.tenant.path(self.path)).await?)
    }

    async fn list(&mut self, table: fn(&[Object]) -> Table) -> Result<(), Failure> {
        let all = self.all().await?;
        let what = self.what;
        self.output.print_all(all.iter().map(|object| &*object.json), |terminal| match all.as_slice() {
            [] => format!("there are no {what}s; hitwire {what} create makes one"),
            all => table(all).lines(terminal),
        })
    }

    /// Creates one; `origins` says which flag of the command a field comes from.
    async fn create(&mut self, body: Map<String, Value>, origins: &Origins) -> Result<Object, Failure> {
        let path = self.tenant.path(self.path);
        let created = self.session.object(Method::POST, &path, Value::from(body)).await;
        created.map_err(|error| Failure::of_call(error, origins))
    }

    /// Changes what `body` names. The API takes the whole: the rest is sent as it was answered.
    async fn edit(
        &mut self,
        which: &str,
        body: Map<String, Value>,
        fields: &[&str],
        origins: &Origins,
    ) -> Result<(), Failure> {
        if body.is_empty() {
            let what = self.what;
            return Err(Failure::Usage(format!(
                "nothing to change: say what with flags; hitwire {what} edit --help lists them"
            )));
        }
        let current = self.find(which).await?;
        let known =
            fields.iter().filter_map(|field| Some(((*field).to_owned(), current.value.get(field)?.clone())));
        let mut whole: Map<String, Value> = known.collect();
        whole.extend(body);
        let path = self.tenant.path(&format!("{}/{}", self.path, id_of(&current)?));
        let changed = self.session.object(Method::PUT, &path, Value::from(whole)).await;
        let changed = changed.map_err(|error| Failure::of_call(error, origins))?;
        self.output.print(&changed.json, |_| format!("changed {}", name(&changed)))
    }

    async fn end(&mut self, which: &str, yes: bool, doing: &str, done: &str) -> Result<(), Failure> {
        let found = self.find(which).await?;
        let question = format!("{doing} {} {} cannot be undone.", self.what, name(&found));
        ask::to_type(called(&found), &question, yes)?;
        let path = self.tenant.path(&format!("{}/{}", self.path, id_of(&found)?));
        let ended = self.session.object(Method::DELETE, &path, ()).await?;
        self.output.print(&ended.json, |_| format!("{done} {}", name(&found)))
    }

    /// Calls an action of one of them, `POST {path}/{id}/{action}`.
    async fn act(&mut self, which: &str, action: &str) -> Result<Object, Failure> {
        let found = self.find(which).await?;
        let path = self.tenant.path(&format!("{}/{}/{action}", self.path, id_of(&found)?));
        Ok(self.session.object(Method::POST, &path, ()).await?)
    }

    async fn find(&mut self, which: &str) -> Result<Object, Failure> {
        let all = self.all().await?;
        find::one(all, self.what, which)
    }
}

/// What an account is called: users by their address.
fn called(object: &Object) -> &str {
    object.text("/email").or_else(|| object.text("/name")).unwrap_or_default()
}

/// `SIEM (1)`, harmless.
fn name(object: &Object) -> String {
    format!("{} ({})", terminal::safe(called(object)), object.value["id"].as_i64().unwrap_or_default())
}

/// A moment, as Unix seconds or as text, in a table.
fn moment(object: &Object, pointer: &str) -> Cell {
    match object.value.pointer(pointer) {
        Some(Value::Number(seconds)) => crate::units::day(seconds.as_u64().unwrap_or_default()).into(),
        Some(Value::String(text)) => text.as_str().into(),
        _ => Cell::from("-").styled(Style::Faint),
    }
}

/// A moment to the second, from Unix seconds: `2026-01-31T07:29:23Z`.
fn time(object: &Object, pointer: &str) -> Cell {
    let at = object.value.pointer(pointer).and_then(Value::as_i64);
    at.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| Cell::from("-").styled(Style::Faint), Cell::from)
}

/// A text in a table, or a dash.
fn text(object: &Object, pointer: &str) -> Cell {
    match object.value.pointer(pointer) {
        Some(Value::String(text)) => text.as_str().into(),
        None | Some(Value::Null) => Cell::from("-").styled(Style::Faint),
        Some(other) => other.to_string().into(),
    }
}

fn enabled(object: &Object) -> Cell {
    match object.value.get("enabled") {
        Some(Value::Bool(false)) => Cell::from("disabled").styled(Style::Notice),
        _ => Cell::from("enabled").styled(Style::Good),
    }
}

/// `enabled` of a body, from two flags that exclude each other.
fn switch(body: &mut Map<String, Value>, enable: bool, disable: bool) {
    if enable || disable {
        body.insert("enabled".to_owned(), enable.into());
    }
}

/// Adds what was given.
fn set(body: &mut Map<String, Value>, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

/// What a creation says.
fn created(object: &Object, facts: &crate::table::Facts, terminal: Terminal) -> String {
    format!("created {}\n{}", name(object), facts.lines(terminal))
}
