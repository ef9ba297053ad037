//! `/v2/integration/{id}/rotate-secret`: a new signing secret; the old one signs too for a while.

use super::description::schema::{RotationSettings, Success};
use super::fields::{self, Errors, Fields};
use super::incoming::IncomingCall;
use super::integrations::{commit, find, integration_of, invalid, random};
use super::path::Path;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, success};
use axum::extract::State;
use axum::response::Response;
use hitwire_endpoint::sign;
use hitwire_store::change::integration as change;
use hitwire_store::{PreviousSecret, Secret};
use serde::Serialize;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Seconds for which the old secret may go on: none, up to a week.
const OVERLAP_S: RangeInclusive<u64> = 0..=7 * 86_400;

/// A day: enough for receivers that are changed by hand.
const OVERLAP_DEFAULT_S: u64 = 86_400;

/// The new secret. No later answer shows it.
#[derive(Serialize, ToSchema)]
pub(super) struct Rotated {
    /// `whsec_...`
    signing_secret: String,
    /// Unix seconds: until then requests are signed with the old secret as well. Null: they are not.
    previous_expires_at: Option<u64>,
}

/// A new signing secret.
///
/// Requests carry a signature of each secret until the old one expires; receivers accept either. An older secret that has
/// not expired yet is dropped.
#[utoipa::path(
    post,
    path = "/v2/integration/{id}/rotate-secret",
    tag = "integrations",
    operation_id = "rotateSecret",
    params(("id" = u64, Path, description = "the integration")),
    request_body = Option<RotationSettings>,
    responses((status = 200, description = "The new secret.", body = Success<Rotated>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn rotate(
    State(api): State<Shared>,
    Path(id): Path<String>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    let overlap_s = if bytes.is_empty() { OVERLAP_DEFAULT_S } else { read(bytes)? };
    let before = find(&api, &caller, &id).await?;
    let mut after = before.clone();
    let old = std::mem::replace(
        &mut after.target.signing_secret,
        Secret::new(sign::secret(&random()?.secret).as_str()),
    );
    let expires_at = (overlap_s > 0).then(|| api.now_s() + overlap_s);
    after.target.previous_secret = expires_at.map(|expires_at| PreviousSecret { secret: old, expires_at });
    let ops = change::rotated(&before, after, &api.by(&caller));
    let changed = integration_of(commit(&api, &caller, before.id, ops).await?)?;
    tracing::info!(integration = %changed.id, client = %changed.client, by = caller.name(), "signing secret rotated");
    Ok(success(Rotated {
        signing_secret: changed.target.signing_secret.expose().to_owned(),
        previous_expires_at: expires_at,
    }))
}

fn read(bytes: &[u8]) -> Result<u64, Problem> {
    let errors = Errors::default();
    let fields = Fields::of(fields::document(bytes)?, "", &errors);
    let overlap_s = fields.and_then(|mut fields| {
        let overlap_s = fields.integer("overlap", OVERLAP_S);
        fields.finish();
        overlap_s
    });
    if errors.is_empty() {
        Ok(overlap_s.unwrap_or(OVERLAP_DEFAULT_S))
    } else {
        Err(invalid(errors.into_vec(), "changed"))
    }
}
