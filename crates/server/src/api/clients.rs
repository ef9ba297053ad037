//! `POST /v1/user` and `/v1/objects/client`: what the original's clients ask before they do anything else (contract.md
//! section 1).

use super::auth::{Caller, Reader};
use super::description::schema::OlderSuccess;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, older_success};
use axum::extract::State;
use axum::response::Response;
use hitwire_log::Role;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Clients of one answer at most.
const LIMIT_MAX: u64 = 1_000;

/// Whose token it is. Clients take the client id from it; every field is one that some client insists on.
#[derive(Serialize, ToSchema)]
#[schema(as = CurrentUser)]
pub(super) struct User {
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
    /// RFC 3339 here; a number breaks the original's Go client.
    create_at: String,
}

/// A client as the original's older calls answer it.
#[derive(Serialize, ToSchema)]
#[schema(as = OlderClient)]
pub(super) struct Client {
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
    responses((status = 200, description = "Whose token it is.", body = OlderSuccess<User>)),
    security(("bearer" = []), ("token" = []))
)]
// A body is not looked at: clients send none, or `{}`.
pub(super) async fn user(Reader(caller): Reader) -> Response {
    let token = &caller.token;
    let client = caller.client();
    older_success(User {
        id: 1,
        uuid: uuid_of(&token.sha256),
        client_id: client.0,
        clientid: client.0,
        client_name: client_name(&caller),
        username: token.name.clone(),
        email: token.name.clone(),
        realname: token.name.clone(),
        permissions: [match token.role {
            Role::Operator | Role::Administrator => "admin",
            Role::Analyst => "analytic",
            Role::ReadOnly => "auditor",
            Role::Ingest => "deploy",
        }],
        enabled: true,
        create_at: super::rfc3339(token.created_at * 1_000),
    })
}

/// The clients that the caller may see: its own.
///
/// A filter that leaves it out finds nothing.
#[utoipa::path(
    get,
    path = "/v1/objects/client",
    tag = "accounts",
    operation_id = "findClients",
    params(
        ("filter[id]" = Option<u64>, Query, description = "only this client"),
        ("limit" = Option<u64>, Query, description = "at most so many", minimum = 0, maximum = 1_000),
        ("offset" = Option<u64>, Query, description = "leave out so many")
    ),
    responses((status = 200, description = "Clients.", body = OlderSuccess<Vec<Client>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn list(
    State(_): State<Shared>,
    Reader(caller): Reader,
    mut query: Query,
) -> Result<Response, Problem> {
    let client = caller.client();
    let wanted = query.integer("filter[id]", 0..=i64::MAX as u64)?.is_none_or(|id| id == client.0);
    let limit = query.integer("limit", 0..=LIMIT_MAX)?.unwrap_or(LIMIT_MAX);
    let offset = query.integer("offset", 0..=i64::MAX as u64)?.unwrap_or(0);
    let found = Client {
        id: client.0,
        uuid: Uuid::from_u128(client.0.into()).to_string(),
        name: client_name(&caller),
        enabled: true,
    };
    Ok(older_success(if wanted && offset == 0 && limit > 0 { vec![found] } else { Vec::new() }))
}

/// The same, as older clients ask it.
#[utoipa::path(
    post,
    path = "/v1/objects/client",
    tag = "accounts",
    operation_id = "findClientsByPost",
    responses((status = 200, description = "Clients.", body = OlderSuccess<Vec<Client>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn list_by_post(
    state: State<Shared>,
    reader: Reader,
    query: Query,
) -> Result<Response, Problem> {
    list(state, reader, query).await
}

fn client_name(caller: &Caller) -> String {
    format!("Client {}", caller.client())
}

/// A stable id of a token that tells nothing about it.
fn uuid_of(sha256: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sha256[16..]);
    Uuid::from_bytes(bytes).to_string()
}
