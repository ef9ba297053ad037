//! Who calls, for which client, and whether that role may.

use super::problem::Problem;
use super::query::Query;
use super::{Shared, places, roles};
use crate::identity::{Identity, Refusal, hash};
use axum::extract::{FromRequestParts, MatchedPath};
use hitwire_event::{Actor, ClientId};
use hitwire_share::Peer;
use hitwire_share::{Holder, Share};
use hitwire_store::SignedIn;
use hitwire_store::{ActivitySource, Revoked, Role, StoreError};
use http::header::AUTHORIZATION;
use http::request::Parts;
use std::sync::Arc;

/// The headers of the original's clients (contract.md section 1): today's, and the one in which older clients send the
/// secret half of a pair. Of the other half, `X-WallarmAPI-UUID`, nothing is needed: the secret alone tells whose it is.
const TOKEN_HEADERS: [&str; 2] = ["x-wallarmapi-token", "x-wallarmapi-secret"];

/// The longest token that is looked at; a longer one is no token of ours.
const TOKEN_BYTES_MAX: usize = 1_024;

/// Whoever presented a good token, and may make the call.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    /// The client that the caller names; the token's, if it names none.
    client: ClientId,
    named: bool,
    /// Among the calls that are answered at once; none: it needs no place, or has it no more.
    place: Option<Arc<Share<Holder>>>,
}

impl Caller {
    /// The client (tenant) that the call is about.
    pub(super) fn client(&self) -> ClientId {
        self.client
    }

    /// The client that the caller named; none: it left that open.
    pub(super) fn named_client(&self) -> Option<ClientId> {
        self.named.then_some(self.client)
    }

    /// Whose share the call uses: that of the token's own client, whatever client the call is about.
    pub(super) fn holder(&self) -> Holder {
        Holder::Client(self.own_client())
    }

    /// The token's own client.
    pub(super) fn own_client(&self) -> ClientId {
        self.identity.token.client
    }

    /// Gives the call's place to others: what follows takes long and waits for somebody else.
    pub(super) fn release(&mut self) {
        self.place = None;
    }

    pub(super) fn role(&self) -> Role {
        self.identity.role
    }

    /// As `created_by` and hitwire's own log name the caller.
    pub(super) fn name(&self) -> &str {
        self.identity.name()
    }

    /// By which way the call comes.
    pub(super) fn source(&self) -> ActivitySource {
        self.identity.source
    }

    /// Who it is, for the activity log and for events.
    pub(super) fn actor(&self) -> Actor {
        self.identity.actor()
    }

    /// Whether something of this client may be reached by its own id: an operator need not say whose it is.
    pub(super) fn reaches(&self, client: ClientId) -> bool {
        self.client == client || (self.role() == Role::Operator && !self.named)
    }

    /// Refuses if the caller could not make the call any more: to be asked after a step that may have taken long.
    pub(super) async fn check_again(&self, api: &Shared) -> Result<(), Problem> {
        let now = match self.identity.session {
            Some(session) => match api.store.session(session).await? {
                Some((_, user)) => api.accounts.signed_in(user, session)?,
                None => return Err(StoreError::Revoked(Revoked::Session).into()),
            },
            None => api.accounts.identify(&self.identity.token.sha256, api.now_s()).await?,
        };
        // The order is that of power, the most first.
        if now.role > self.role() { Err(StoreError::Revoked(Revoked::Role).into()) } else { Ok(()) }
    }

    /// The caller for the client that a body names, if it names one. Everybody may name their own; an operator any.
    pub(super) fn naming(mut self, api: &Shared, clientid: Option<u64>) -> Result<Self, Problem> {
        let Some(clientid) = clientid.map(ClientId) else { return Ok(self) };
        if self.named && clientid != self.client {
            return Err(Problem::bad_request(format!(
                "the call names client {} and client {clientid}; name one",
                self.client
            )));
        }
        let own = self.identity.token.client;
        if clientid != own && self.role() != Role::Operator {
            return Err(Problem::forbidden(format!(
                "the token belongs to client {own}, not to client {clientid}; leave clientid out or send {own}"
            )));
        }
        if clientid != own && !api.accounts.clients().knows(clientid) {
            return Err(Problem::not_found(format!(
                "there is no client {clientid}; GET /v1/clients lists them"
            )));
        }
        self.client = clientid;
        self.named = true;
        Ok(self)
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let mut caller = Caller::identified(parts, api).await?;
        if places::takes_a_place(&parts.method, route(parts)) {
            caller.place = Some(Arc::new(api.places.call(&caller).await?));
        }
        Ok(caller)
    }
}

/// The route of a request; empty if it has none.
fn route(parts: &Parts) -> &str {
    parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str)
}

impl Caller {
    /// Whoever makes a request, without a place for it.
    pub(super) async fn identified(parts: &Parts, api: &Shared) -> Result<Self, Problem> {
        let identity = match parts.extensions.get::<SignedIn>() {
            // The console's own request: nothing that comes over a connection has this.
            // Read again: what was taken from somebody counts for every call that comes after.
            Some(SignedIn { session }) => match api.store.session(*session).await? {
                Some((_, user)) => api.accounts.signed_in(user, *session)?,
                None => return Err(Problem::unauthorized("the session has ended; sign in again")),
            },
            None => by_token(parts, api).await?,
        };
        let path = route(parts);
        let allowed = roles::allowed(&parts.method, path);
        if !allowed.contains(&identity.role) {
            let names: Vec<_> = allowed.iter().map(|role| role.name()).collect();
            return Err(Problem::forbidden(format!(
                "the role {} may not call {} {path}; these may: {}",
                identity.role.name(),
                parts.method,
                names.join(", ")
            )));
        }
        let client = identity.token.client;
        let clientid = Query::of_parts(parts).clientid()?;
        Caller { identity, client, named: false, place: None }.naming(api, clientid)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(error) => error.into(),
            Refusal::Unknown | Refusal::Expired => Problem::unauthorized(refusal.to_string()),
            Refusal::ClientDisabled(_) | Refusal::UserDisabled(_) | Refusal::BeyondUser(_) => {
                Problem::forbidden(refusal.to_string())
            }
        }
    }
}

/// Whose token the request carries.
async fn by_token(parts: &Parts, api: &Shared) -> Result<Identity, Problem> {
    let sha256 = hash(presented(parts)?);
    // Nobody knows yet whose it is: the address takes its turn at the store.
    let _place = if api.accounts.remembers(&sha256) {
        None
    } else {
        Some(api.places.lookup(parts.extensions.get::<Peer>()).await?)
    };
    Ok(api.accounts.identify(&sha256, api.now_s()).await?)
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
