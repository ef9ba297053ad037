//! Integrations whose rows cannot be read: they can be deleted, and nothing else.

use super::auth::Caller;
use super::problem::Problem;
use super::{Shared, success};
use axum::response::Response;
use hitwire_event::IntegrationId;
use hitwire_store::change::integration as change;
use hitwire_store::{BrokenIntegration, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// A broken integration that was deleted.
#[derive(Serialize, ToSchema)]
struct Deleted {
    id: u64,
    name: String,
    /// Why it was broken.
    broken: String,
}

/// The broken integration that a path names, if it is the caller's.
pub(super) async fn find(
    api: &Shared,
    caller: &Caller,
    id: &str,
) -> Result<Option<BrokenIntegration>, StoreError> {
    let Ok(id) = id.parse().map(IntegrationId) else { return Ok(None) };
    let broken = api.store.broken_integrations(None).await?;
    Ok(broken.into_iter().find(|broken| broken.id == id && caller.reaches(broken.client)))
}

/// Takes one away for good.
pub(super) async fn delete(
    api: &Shared,
    caller: &Caller,
    broken: BrokenIntegration,
) -> Result<Response, Problem> {
    let BrokenIntegration { id, client, name, why } = broken;
    let ops = change::deleted_broken(client, id, &name, &why, &api.by(caller));
    caller.identity.commit(&*api.store, ops).await?;
    api.dispatch.configured(id);
    tracing::info!(integration = %id, %client, by = caller.name(), "a broken integration was deleted");
    Ok(success(Deleted { id: id.0, name, broken: why }))
}
