//! `POST /v1/user` and `/v1/objects/client`: what the original's clients ask before they do anything else (contract.md
//! section 1).

use super::clients::visible;
use crate::auth::Caller;
use crate::description::schema::{ClientSearch, OlderSuccess};
use crate::fields::{self, Errors, Fields};
use crate::incoming::IncomingCall;
use crate::problem::Problem;
use crate::query::Query;
use crate::{Shared, older_success};
use axum::extract::State;
use axum::response::Response;
use hitwire_store::Role;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Clients of one answer at most.
const LIMIT_MAX: u64 = 1_000;

/// Whose token it is. Clients take the client id from it; every field is one that some client insists on. There is no
/// `create_at`: the original's clients until November 2022 want an integer there, later ones RFC 3339; all do without.
#[derive(Serialize, ToSchema)]
#[schema(as = CurrentUser)]
pub(crate) struct CurrentUser {
    id: u64,
    uuid: String,
    client_id: u64,
    clientid: u64,
    client_name: String,
    username: String,
    email: String,
    realname: String,
    #[schema(value_type = Vec<String>)]
    permissions: [&'static str; 1],
    enabled: bool,
}

/// A client as the original's older calls answer it.
#[derive(Serialize, ToSchema)]
#[schema(as = OlderClient)]
pub(crate) struct FoundClient {
    id: u64,
    uuid: String,
    name: String,
    enabled: bool,
}

/// The caller.
///
/// A body is not looked at: clients send none, or `{}`.
#[utoipa::path(
    post,
    path = "/v1/user",
    tag = "accounts",
    operation_id = "whoAmI",
    responses((status = 200, description = "Whose token it is.", body = OlderSuccess<CurrentUser>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn user(State(api): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let (token, user) = (&caller.identity.token, &caller.identity.user);
    let client = token.client;
    let clients = api.store.clients().await?;
    let client_name = clients.into_iter().find(|other| other.id == client).map(|client| client.name);
    let (id, uuid, email, name) = match user {
        Some(user) => (user.id.0, user.uuid.clone(), &user.email, &user.name),
        None => (token.id.0, uuid_of(&token.sha256), &token.name, &token.name),
    };
    Ok(older_success(CurrentUser {
        id,
        uuid,
        client_id: client.0,
        clientid: client.0,
        client_name: client_name.unwrap_or_default(),
        username: email.clone(),
        email: email.clone(),
        realname: name.clone(),
        permissions: [match caller.role() {
            Role::Operator | Role::Administrator => "admin",
            Role::Analyst => "analytic",
            Role::ReadOnly => "auditor",
            Role::Ingest => "deploy",
        }],
        enabled: true,
    }))
}

/// Which clients are wanted.
#[derive(Default)]
struct Wanted {
    ids: Option<Vec<u64>>,
    names: Option<Vec<String>>,
    uuids: Option<Vec<String>>,
    enabled: Option<bool>,
    limit: Option<u64>,
    offset: Option<u64>,
}

/// The clients that the caller may see: all of them for operators, for others their own.
#[utoipa::path(
    get,
    path = "/v1/objects/client",
    tag = "accounts",
    operation_id = "findClients",
    params(
        ("filter[id]" = Option<u64>, Query, description = "only this client"),
        ("filter[name]" = Option<String>, Query, description = "only clients of this name"),
        ("filter[uuid]" = Option<String>, Query, description = "only this client"),
        ("filter[enabled]" = Option<bool>, Query, description = "only clients that are enabled, or are not"),
        ("limit" = Option<u64>, Query, description = "at most so many", minimum = 0, maximum = 1_000),
        ("offset" = Option<u64>, Query, description = "leave out so many")
    ),
    responses((status = 200, description = "Clients.", body = OlderSuccess<Vec<FoundClient>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    // What else is asked for is passed over: clients of the original ask for more than hitwire knows.
    let wanted = Wanted {
        ids: query.integer("filter[id]", 0..=u64::MAX)?.map(|id| vec![id]),
        names: query.text("filter[name]")?.map(|name| vec![name]),
        uuids: query.text("filter[uuid]")?.map(|uuid| vec![uuid]),
        enabled: query.one_of("filter[enabled]", &[("true", true), ("false", false)])?,
        limit: query.integer("limit", 0..=LIMIT_MAX)?,
        offset: query.integer("offset", 0..=u64::MAX)?,
    };
    found(&api, &caller, &wanted).await
}

/// The same, as older clients ask it: the filter, `limit` and `offset` in the body.
#[utoipa::path(
    post,
    path = "/v1/objects/client",
    tag = "accounts",
    operation_id = "findClientsByPost",
    request_body = Option<ClientSearch>,
    responses((status = 200, description = "Clients.", body = OlderSuccess<Vec<FoundClient>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn list_by_post(
    State(api): State<Shared>,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    let wanted = if bytes.is_empty() { Wanted::default() } else { read(fields::document(bytes)?)? };
    found(&api, &caller, &wanted).await
}

fn read(document: &RawValue) -> Result<Wanted, Problem> {
    let errors = Errors::default();
    let Some(mut fields) = Fields::of(document, "", &errors) else {
        return Err(Problem::invalid("the body is no object", errors.into_vec()));
    };
    let mut wanted = Wanted {
        limit: fields.integer("limit", 0..=LIMIT_MAX),
        offset: fields.integer("offset", 0..=u64::MAX),
        ..Wanted::default()
    };
    let filter = fields.raw("filter").and_then(|raw| Fields::of(raw, fields.pointer("filter"), &errors));
    if let Some(mut filter) = filter {
        wanted.ids = one_or_more(&mut filter, "id", "a number, or an array of them");
        wanted.names = one_or_more(&mut filter, "name", "a string, or an array of them");
        wanted.uuids = one_or_more(&mut filter, "uuid", "a string, or an array of them");
        wanted.enabled = filter.bool("enabled");
    }
    if errors.is_empty() {
        return Ok(wanted);
    }
    Err(Problem::invalid("the filter is not valid", errors.into_vec()))
}

/// Takes one value, or an array of them.
fn one_or_more<T: serde::de::DeserializeOwned>(
    fields: &mut Fields<'_>,
    name: &str,
    what: &str,
) -> Option<Vec<T>> {
    let text = fields.raw(name)?.get();
    let one = || serde_json::from_str(text).map(|one| vec![one]).ok();
    let values = serde_json::from_str(text).ok().or_else(one);
    if values.is_none() {
        fields.refuse(name, format!("must be {what}"));
    }
    values
}

async fn found(api: &Shared, caller: &Caller, wanted: &Wanted) -> Result<Response, Problem> {
    let mut clients = visible(api, caller).await?;
    clients.retain(|client| {
        wanted.ids.as_ref().is_none_or(|ids| ids.contains(&client.id.0))
            && wanted.names.as_ref().is_none_or(|names| names.contains(&client.name))
            && wanted.uuids.as_ref().is_none_or(|uuids| uuids.contains(&client.uuid))
            && wanted.enabled.is_none_or(|enabled| enabled == client.enabled)
    });
    let offset = usize::try_from(wanted.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = wanted.limit.unwrap_or(LIMIT_MAX) as usize;
    let answer = |client: hitwire_store::Client| FoundClient {
        id: client.id.0,
        uuid: client.uuid,
        name: client.name,
        enabled: client.enabled,
    };
    Ok(older_success(clients.into_iter().skip(offset).take(limit).map(answer).collect::<Vec<_>>()))
}

/// A stable id of a token that tells nothing about it.
fn uuid_of(sha256: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sha256[16..]);
    Uuid::from_bytes(bytes).to_string()
}
