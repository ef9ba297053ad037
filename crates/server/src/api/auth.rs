//! Who calls, and what the caller may do.

use super::Shared;
use super::problem::Problem;
use axum::extract::FromRequestParts;
use hitwire_event::{Actor, ClientId};
use hitwire_log::{Role, Token};
use http::header::AUTHORIZATION;
use http::request::Parts;

/// The headers of the original's clients (contract.md section 1): today's, and the one in which older clients send the
/// secret half of a pair. Of the other half, `X-WallarmAPI-UUID`, nothing is needed: the secret alone tells whose it is.
const TOKEN_HEADERS: [&str; 2] = ["x-wallarmapi-token", "x-wallarmapi-secret"];

/// The longest token that is looked at; a longer one is no token of ours.
const TOKEN_BYTES_MAX: usize = 1_024;

/// Whoever presented a known token.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) token: Token,
}

/// A caller who may set up integrations and read about their deliveries.
#[derive(Clone, Debug)]
pub(super) struct Administrator(pub(super) Caller);

/// A caller who looks after the installation.
#[derive(Clone, Debug)]
pub(super) struct Operator;

/// A caller who may send events.
#[derive(Clone, Debug)]
pub(super) struct Ingester(pub(super) Caller);

/// A caller who may read what is no secret.
#[derive(Clone, Debug)]
pub(super) struct Reader(pub(super) Caller);

impl Caller {
    /// The tenant: always the token's, never the body's.
    pub(super) fn client(&self) -> ClientId {
        self.token.client
    }

    /// Who it is, for the activity log and for events.
    pub(super) fn actor(&self) -> Actor {
        Actor { name: self.token.name.clone(), email: None }
    }

    /// Refuses a `clientid` that is not the token's.
    pub(super) fn must_own(&self, clientid: u64) -> Result<(), Problem> {
        if clientid == self.client().0 {
            return Ok(());
        }
        let own = self.client();
        Err(Problem::forbidden(format!(
            "the token belongs to client {own}, not to client {clientid}; leave clientid out or send {own}"
        )))
    }

    fn may(self, allowed: &[Role], what: &str) -> Result<Self, Problem> {
        if allowed.contains(&self.token.role) {
            return Ok(self);
        }
        let role = self.token.role.name();
        Err(Problem::forbidden(format!("a token with the role {role} may not {what}")))
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let text = presented(parts)?;
        match api.tokens.find(&*api.store, text).await? {
            Some(token) => Ok(Caller { token }),
            None => Err(Problem::unauthorized("the token is not known; check that it was copied whole")),
        }
    }
}

impl FromRequestParts<Shared> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        caller
            .may(&[Role::Operator, Role::Administrator], "set up integrations or read about them")
            .map(Administrator)
    }
}

impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        caller.may(&[Role::Operator], "see or change what concerns the whole installation").map(|_| Operator)
    }
}

impl FromRequestParts<Shared> for Ingester {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        caller.may(&[Role::Operator, Role::Administrator, Role::Ingest], "send events").map(Ingester)
    }
}

impl FromRequestParts<Shared> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let readers = [Role::Operator, Role::Administrator, Role::Analyst, Role::ReadOnly];
        caller.may(&readers, "read anything").map(Reader)
    }
}

/// The token that the request carries.
fn presented(parts: &Parts) -> Result<&str, Problem> {
    let bearer = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let sent = |name: &&str| parts.headers.get(*name).and_then(|value| value.to_str().ok()).map(str::trim);
    let token = bearer.or_else(|| TOKEN_HEADERS.iter().find_map(sent));
    match token {
        Some(token) if !token.is_empty() && token.len() <= TOKEN_BYTES_MAX => Ok(token),
        _ => Err(Problem::unauthorized(
            "send a token: \"Authorization: Bearer <token>\" or \"X-WallarmAPI-Token: <token>\"",
        )),
    }
}
