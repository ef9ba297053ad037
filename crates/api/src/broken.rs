//! Integrations whose rows cannot be read: they can be deleted, and nothing else.

use super::auth::Caller;
use super::problem::Problem;
use super::{Shared, success};
use axum::response::Response;
use hitwire_event::{ClientId, IntegrationId};
use hitwire_store::change::integration as change;
use hitwire_store::{BrokenIntegration, IntegrationRange, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// A broken integration.
#[derive(Serialize, ToSchema)]
#[schema(as = BrokenIntegration)]
pub(super) struct BrokenAnswer {
    id: u64,
    /// Empty if it cannot be read either.
    name: String,
    /// Why, and what to do.
    broken: String,
}

impl From<BrokenIntegration> for BrokenAnswer {
    fn from(broken: BrokenIntegration) -> Self {
        BrokenAnswer { id: broken.id.0, name: broken.name, broken: broken.why }
    }
}

/// Why an integration cannot be read; none: it can.
pub(super) async fn why(
    api: &Shared,
    client: ClientId,
    id: IntegrationId,
) -> Result<Option<String>, StoreError> {
    let only = IntegrationRange {
        after: IntegrationId(id.0.saturating_sub(1)),
        count_max: 1,
        ..IntegrationRange::all(client)
    };
    let found = api.store.integrations(only).await?.pop();
    Ok(found.and_then(Result::err).filter(|broken| broken.id == id).map(|broken| broken.why))
}

/// The broken integration that a path names, if it is the caller's.
pub(super) async fn find(
    api: &Shared,
    caller: &Caller,
    id: IntegrationId,
) -> Result<Option<BrokenIntegration>, StoreError> {
    let broken = api.store.broken_integrations(None).await?;
    Ok(broken.into_iter().find(|broken| broken.id == id && caller.reaches(broken.client)))
}

/// Takes one away for good.
pub(super) async fn delete(
    api: &Shared,
    caller: &Caller,
    broken: BrokenIntegration,
) -> Result<Response, Problem> {
    let (id, client) = (broken.id, broken.client);
    let ops = change::deleted_broken(client, id, &broken.name, &broken.why, &api.by(caller));
    caller.identity.commit(&*api.store, ops).await?;
    api.dispatch.configured(id);
    tracing::info!(integration = %id, %client, by = caller.name(), "a broken integration was deleted");
    Ok(success(BrokenAnswer::from(broken)))
}
