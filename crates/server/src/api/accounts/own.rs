//! `/v1/user`: what people may change of their own account.

use super::users::UserAnswer;
use super::{asked, name, required};
use crate::api::description::schema::{OwnSettings, Success};
use crate::api::incoming::IncomingCall;
use crate::api::problem::Problem;
use crate::api::query::Query;
use crate::api::{Shared, success};
use crate::change::user as change;
use axum::extract::State;
use axum::response::Response;

/// One's own name. The e-mail, which says who somebody is, and the role are for administrators to change.
#[utoipa::path(
    put,
    path = "/v1/user",
    tag = "accounts",
    operation_id = "changeOwnUser",
    request_body = OwnSettings,
    responses((status = 200, description = "The user as it is now.", body = Success<UserAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(in crate::api) async fn change(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let asked = asked(&api, incoming, "changed", |fields, _| {
        required(fields, "name", true);
        name(fields, "name")
    });
    let (caller, name) = asked.await?;
    let Some(own) = &caller.identity.user else {
        return Err(Problem::conflict("the token belongs to no user, so there is no account of its own"));
    };
    let _making = api.making.lock().await;
    let Some(before) = api.store.user(own.id).await? else { return Err(Problem::internal()) };
    let mut after = before.clone();
    after.name = name.unwrap_or(after.name);
    if let Some(ops) = change::changed(&before, after.clone(), &api.by(&caller)) {
        api.accounts.commit(&caller.identity, ops).await?;
    }
    Ok(success(UserAnswer::from(after)))
}
