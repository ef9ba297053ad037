//! `POST /v1/user` and `/v1/objects/client`: what the original's clients ask before they do anything else (contract.md
//! section 1).

use super::auth::{Caller, Reader};
use super::problem::Problem;
use super::query::Query;
use super::{Shared, older_success};
use axum::extract::State;
use axum::response::Response;
use hitwire_log::Role;
use serde::Serialize;
use uuid::Uuid;

/// Whose token it is. Clients take the client id from it; every field is one that some client insists on.
#[derive(Serialize)]
struct User {
    id: u64,
    uuid: String,
    client_id: u64,
    clientid: u64,
    client_name: String,
    username: String,
    email: String,
    realname: String,
    permissions: [&'static str; 1],
    enabled: bool,
    /// RFC 3339 here; a number breaks the original's Go client.
    create_at: String,
}

#[derive(Serialize)]
struct Client {
    id: u64,
    uuid: String,
    name: String,
    enabled: bool,
}

/// The caller. A body is not looked at: clients send none, or `{}`.
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

/// The clients that the caller may see: its own. A filter that leaves it out finds nothing.
pub(super) async fn list(
    State(_): State<Shared>,
    Reader(caller): Reader,
    mut query: Query,
) -> Result<Response, Problem> {
    let client = caller.client();
    let wanted = query.integer("filter[id]", 0..=u64::MAX)?.is_none_or(|id| id == client.0);
    let offset = query.integer("offset", 0..=u64::MAX)?.unwrap_or(0);
    let found = Client {
        id: client.0,
        uuid: Uuid::from_u128(client.0.into()).to_string(),
        name: client_name(&caller),
        enabled: true,
    };
    Ok(older_success(if wanted && offset == 0 { vec![found] } else { Vec::new() }))
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
