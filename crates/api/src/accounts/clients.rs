//! `/v1/clients`: the clients (tenants) of an installation, and what they may use.

use super::resource::{Resource, commit, find, shown};
use super::{asked, name, number, pass_over, required, same_id, uuid};
use crate::auth::Caller;
use crate::description::schema::{ClientSettings, NewClientSettings, Success, SuccessList};
use crate::fields::{Errors, Fields, elements};
use crate::identity::FIRST_CLIENT;
use crate::incoming::IncomingCall;
use crate::path::Path;
use crate::precondition::IfMatch;
use crate::problem::Problem;
use crate::query::Query;
use crate::{Shared, success};
use axum::extract::State;
use axum::response::Response;
use hitwire_event::ClientId;
use hitwire_store::change::client as change;
use hitwire_store::{Client, ClientLimits, Role, Sequence, StoreError};
use ipnet::IpNet;
use serde::Serialize;
use std::fmt::Display;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Clients of one installation: each costs some hundred bytes of memory.
const CLIENTS_MAX: usize = 10_000;

/// Clients of one page.
const LIMIT_MAX: u64 = 500;

/// Networks that one client may be allowed.
const ALLOW_TARGETS_MAX: usize = 100;

/// A client.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
pub(crate) struct ClientAnswer {
    id: u64,
    uuid: String,
    name: String,
    /// False: its tokens are refused, and its integrations send nothing.
    enabled: bool,
    /// Integrations that it may have; null: any number.
    integrations_max: Option<u32>,
    /// Events a second that it may send, on average over ten seconds; null: any number.
    events_per_s: Option<u32>,
    /// Networks that its integrations may send to although the guard refuses them otherwise.
    allow_targets: Vec<String>,
    /// Unix seconds.
    created_at: u64,
    created_by: String,
}

impl Resource for Client {
    const NAME: &'static str = "client";
    const LIST: &'static str = "/v1/clients";
    type Answer = ClientAnswer;

    fn answer(self) -> ClientAnswer {
        ClientAnswer {
            id: self.id.0,
            uuid: self.uuid,
            name: self.name,
            enabled: self.enabled,
            integrations_max: self.limits.integrations_max,
            events_per_s: self.limits.events_per_s,
            allow_targets: self.limits.allow_targets,
            created_at: self.created_at,
            created_by: self.created_by,
        }
    }

    fn id(&self) -> impl Display {
        self.id
    }

    fn client(&self) -> ClientId {
        self.id
    }

    fn revision(&self) -> Option<u64> {
        Some(self.revision)
    }

    async fn find(api: &Shared, caller: &Caller, id: &str) -> Result<Option<Self>, Problem> {
        let id = number(id).map(ClientId);
        match id.filter(|id| caller.role() == Role::Operator || *id == caller.client()) {
            Some(id) => Ok(one(api, id).await?),
            None => Ok(None),
        }
    }
}

/// What is asked for; none: not named.
struct Asked {
    name: Option<String>,
    enabled: Option<bool>,
    integrations_max: Limit,
    events_per_s: Limit,
    allow_targets: Option<Vec<String>>,
}

impl Asked {
    /// Of a new client (`id` is none), or of a change.
    fn read(fields: &mut Fields<'_>, errors: &Errors, id: Option<ClientId>) -> Asked {
        required(fields, "name", id.is_none());
        if let Some(id) = id {
            same_id(fields, id.0);
            pass_over(fields, &["uuid", "created_at", "created_by"]);
        }
        Asked {
            name: name(fields, "name"),
            enabled: fields.bool("enabled"),
            integrations_max: Limit::read(fields, "integrations_max", 0..=1_000_000),
            events_per_s: Limit::read(fields, "events_per_s", 1..=1_000_000),
            allow_targets: fields.has("allow_targets").then(|| networks(fields, errors)),
        }
    }

    fn apply(self, client: &mut Client) {
        let Asked { name, enabled, integrations_max, events_per_s, allow_targets } = self;
        client.name = name.unwrap_or_else(|| client.name.clone());
        client.enabled = enabled.unwrap_or(client.enabled);
        let limits = &mut client.limits;
        integrations_max.apply(&mut limits.integrations_max);
        events_per_s.apply(&mut limits.events_per_s);
        if let Some(networks) = allow_targets {
            limits.allow_targets = networks;
        }
    }
}

/// What is asked for of a limit.
enum Limit {
    /// It is not named.
    Stays,
    /// None: it is lifted.
    Becomes(Option<u32>),
}

impl Limit {
    /// `null` lifts it.
    fn read(fields: &mut Fields<'_>, name: &str, range: RangeInclusive<u64>) -> Limit {
        if !fields.has(name) {
            return Limit::Stays;
        }
        Limit::Becomes(fields.integer(name, range).map(|limit| limit as u32))
    }

    fn apply(self, limit: &mut Option<u32>) {
        if let Limit::Becomes(becomes) = self {
            *limit = becomes;
        }
    }
}

fn networks(fields: &mut Fields<'_>, errors: &Errors) -> Vec<String> {
    let at = fields.pointer("allow_targets");
    let Some(raw) = fields.raw("allow_targets") else { return Vec::new() };
    let mut networks = Vec::new();
    let elements = elements(raw, &at, ALLOW_TARGETS_MAX, errors).unwrap_or_default();
    for (index, raw) in elements.into_iter().enumerate() {
        let network =
            serde_json::from_str::<String>(raw.get()).ok().and_then(|text| text.parse::<IpNet>().ok());
        match network.map(|network| network.trunc().to_string()) {
            Some(network) if networks.contains(&network) => {}
            Some(network) => networks.push(network),
            None => errors.add(
                format!("{at}/{index}"),
                "is no network; write it as 10.1.0.0/16, a single address as 10.1.2.3/32",
            ),
        }
    }
    networks
}

/// The clients: all of them for operators, for others their own.
#[utoipa::path(
    get,
    path = "/v1/clients",
    tag = "accounts",
    operation_id = "listClients",
    params(
        ("after" = Option<u64>, Query, description = "only those with higher ids: the last one of the answer before"),
        ("limit" = Option<u64>, Query, description = "at most so many; without it all", minimum = 1, maximum = 500)
    ),
    responses((status = 200, description = "Clients.", body = SuccessList<ClientAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    let after = ClientId(query.integer("after", 0..=i64::MAX as u64)?.unwrap_or(0));
    let limit = query.integer("limit", 1..=LIMIT_MAX)?.map_or(CLIENTS_MAX, |limit| limit as usize);
    query.finish()?;
    let clients = page(&api, &caller, after, limit).await?;
    Ok(success(clients.into_iter().map(Client::answer).collect::<Vec<_>>()))
}

/// One client.
#[utoipa::path(
    get,
    path = "/v1/clients/{id}",
    tag = "accounts",
    operation_id = "showClient",
    params(("id" = u64, Path, description = "the client")),
    responses((status = 200, description = "The client.", body = Success<ClientAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(shown(find::<Client>(&api, &caller, &id).await?))
}

/// A new client.
#[utoipa::path(
    post,
    path = "/v1/clients",
    tag = "accounts",
    operation_id = "createClient",
    request_body = NewClientSettings,
    responses((status = 200, description = "The client.", body = Success<ClientAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn create(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, asked) =
        asked(&api, incoming, "created", |fields, errors| Asked::read(fields, errors, None)).await?;
    let _making = api.making.wait(caller.holder()).await;
    if api.store.clients().await?.len() >= CLIENTS_MAX {
        return Err(Problem::conflict(format!(
            "there are {CLIENTS_MAX} clients, the most that there can be"
        )));
    }
    let mut client = Client {
        id: ClientId(api.accounts.next_id(Sequence::Client).await?),
        uuid: uuid(),
        name: String::new(),
        enabled: true,
        limits: ClientLimits::default(),
        created_at: api.now_s(),
        created_by: caller.name().to_owned(),
        revision: 0,
    };
    asked.apply(&mut client);
    commit(&api, &caller, &client, "created", change::created(client.clone(), &api.by(&caller))).await?;
    client.revision = 1;
    Ok(shown(client))
}

/// A change: what the body names; the rest stays. `null` lifts a limit.
#[utoipa::path(
    put,
    path = "/v1/clients/{id}",
    tag = "accounts",
    operation_id = "changeClient",
    params(
        ("id" = u64, Path, description = "the client"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that the change is made from")
    ),
    request_body = ClientSettings,
    responses((status = 200, description = "The client as it is now.", body = Success<ClientAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn change(
    State(api): State<Shared>,
    Path(id): Path<String>,
    if_match: IfMatch,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let named = number(&id).map_or(ClientId(0), ClientId);
    let (caller, asked) =
        asked(&api, incoming, "changed", |fields, errors| Asked::read(fields, errors, Some(named))).await?;
    let before: Client = find(&api, &caller, &id).await?;
    if_match.check(before.revision)?;
    let mut after = before.clone();
    asked.apply(&mut after);
    if after.id == FIRST_CLIENT && !after.enabled {
        return Err(first("disabled"));
    }
    if let Some(ops) = change::changed(&before, after.clone(), &api.by(&caller)) {
        commit(&api, &caller, &after, "changed", ops).await?;
        after.revision += 1;
    }
    Ok(shown(after))
}

/// Takes a client away, with its users, tokens and applications. Its integrations must be gone before.
#[utoipa::path(
    delete,
    path = "/v1/clients/{id}",
    tag = "accounts",
    operation_id = "deleteClient",
    params(
        ("id" = u64, Path, description = "the client"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that the deletion is made from")
    ),
    responses((status = 200, description = "The client as it was.", body = Success<ClientAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let client: Client = find(&api, &caller, &id).await?;
    if_match.check(client.revision)?;
    if client.id == FIRST_CLIENT {
        return Err(first("deleted"));
    }
    commit(&api, &caller, &client, "deleted", change::deleted(&client, &api.by(&caller))).await?;
    Ok(success(client.answer()))
}

fn first(done: &str) -> Problem {
    Problem::conflict(format!(
        "client {FIRST_CLIENT} is that of the sources and of the configured tokens; it cannot be {done}"
    ))
}

/// The clients that a caller may see.
pub(super) async fn visible(api: &Shared, caller: &Caller) -> Result<Vec<Client>, StoreError> {
    page(api, caller, ClientId(0), CLIENTS_MAX).await
}

/// The clients after one that a caller may see, at most so many.
async fn page(
    api: &Shared,
    caller: &Caller,
    after: ClientId,
    limit: usize,
) -> Result<Vec<Client>, StoreError> {
    if caller.role() == Role::Operator {
        return api.store.client_page(after, limit).await;
    }
    let own = one(api, caller.client()).await?;
    Ok(own.into_iter().filter(|own| own.id > after).collect())
}

/// The client with this id.
async fn one(api: &Shared, id: ClientId) -> Result<Option<Client>, StoreError> {
    // The first one after the one before.
    let found = api.store.client_page(ClientId(id.0.saturating_sub(1)), 1).await?.pop();
    Ok(found.filter(|client| client.id == id))
}
