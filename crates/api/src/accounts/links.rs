//! `/v1/users/{id}/sign-in-link`: links with which users choose a password.

use super::resource::{find, no_more_than};
use crate::auth::Caller;
use crate::description::schema::Success;
use crate::identity::hash;
use crate::path::Path;
use crate::problem::Problem;
use crate::query::Query;
use crate::{Shared, success};
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hitwire_store::change::user as change;
use hitwire_store::{Link, User};
use serde::Serialize;
use utoipa::ToSchema;

/// How long a link is good, in seconds: over a weekend.
const GOOD_FOR_S: u64 = 72 * 3_600;

/// Random bytes of a link.
const BYTES: usize = 32;

/// A link that is good once.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInLink {
    /// The user.
    id: u64,
    email: String,
    /// What to open, after the address of the console: `/set-up/...`. No other answer shows it.
    path: String,
    /// The whole link, which begins with the configured `public_url`; null if there is none. It is never taken from the request.
    url: Option<String>,
    /// Unix seconds: from then on it is refused.
    expires_at: u64,
}

/// A link with which a user chooses a password, good once and for 72 hours.
///
/// Until then the user cannot sign in: a password and a second factor that were there are taken back, sessions end, and so does
/// a link that was made before. Tokens stay good.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/sign-in-link",
    tag = "accounts",
    operation_id = "makeSignInLink",
    params(("id" = u64, Path, description = "the user")),
    responses((status = 200, description = "The link.", body = Success<SignInLink>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn make(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let _making = api.making.wait(caller.holder()).await;
    let user: User = find(&api, &caller, &id).await?;
    no_more_than::<User>(&caller, user.role, "given a link")?;
    if caller.identity.user.as_ref().is_some_and(|own| own.id == user.id) {
        return Err(Problem::conflict(
            "this is your own account, and you could not sign in until you used the link; \
             change your password on the page Profile of the console",
        ));
    }
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "no randomness for a link");
        Problem::unavailable("the system gives no random bytes for a link; try again later")
    })?;
    let token = URL_SAFE_NO_PAD.encode(random);
    let expires_at = api.now_s() + GOOD_FOR_S;
    let link = Link { sha256: hash(&token), user: Some(user.id), expires_at };
    let credential = api.store.credential(user.id).await?;
    api.accounts
        .commit(&caller.identity, change::given_link(&user, credential, link, &api.by(&caller)))
        .await?;
    tracing::info!(user = %user.id, client = %user.client, by = caller.name(), "sign-in link made");
    let path = format!("/set-up/{token}");
    let url = api.names.link_base().map(|base| format!("{base}{path}"));
    Ok(success(SignInLink { id: user.id.0, email: user.email, path, url, expires_at }))
}
