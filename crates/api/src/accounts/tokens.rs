//! `/v1/tokens`: what programs and people show to be let in.

use super::page::ListPage;
use super::resource::{Resource, commit, find, full, no_more_than, shown};
use super::{TOKEN_ROLES, asked, name, number, required, role};
use crate::auth::Caller;
use crate::description::schema::{NewTokenSettings, Success, SuccessList, TokenRole};
use crate::fields::Fields;
use crate::identity::{capped, hash};
use crate::incoming::IncomingCall;
use crate::integrations::invalid;
use crate::path::Path;
use crate::problem::{FieldError, Problem};
use crate::query::Query;
use crate::random_token::random_token;
use crate::{Shared, success};
use axum::extract::State;
use axum::response::Response;
use hitwire_event::ClientId;
use hitwire_store::change::token as change;
use hitwire_store::{Role, Sequence, Token, TokenId, UserId};
use serde::Serialize;
use std::fmt::Display;
use utoipa::ToSchema;

/// Tokens of one client.
const TOKENS_MAX: usize = 1_000;

/// Unix seconds, up to the year 9999.
const TIMES: std::ops::RangeInclusive<u64> = 0..=253_402_300_799;

/// A token; never the token itself.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenAnswer {
    id: u64,
    clientid: u64,
    name: String,
    /// `operator`, `admin`, `analyst`, `read_only`, `ingest`
    #[schema(value_type = TokenRole)]
    role: &'static str,
    /// Whose it is; null: nobody's. It does no more than this user may.
    user: Option<u64>,
    /// Unix seconds.
    created_at: u64,
    created_by: String,
    /// Unix seconds: from then on it is refused; null: never.
    expires_at: Option<u64>,
    /// Unix seconds, to about a minute; null: not used yet.
    last_used_at: Option<u64>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    #[serde(flatten)]
    made: TokenAnswer,
    /// The token, 64 characters. No other answer shows it.
    token: String,
}

impl Resource for Token {
    const NAME: &'static str = "token";
    const LIST: &'static str = "/v1/tokens";
    type Answer = TokenAnswer;

    fn answer(self) -> TokenAnswer {
        TokenAnswer {
            id: self.id.0,
            clientid: self.client.0,
            name: self.name,
            role: self.role.name(),
            user: self.user.map(|user| user.0),
            created_at: self.created_at,
            created_by: self.created_by,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
        }
    }

    fn id(&self) -> impl Display {
        self.id
    }

    fn client(&self) -> ClientId {
        self.client
    }

    fn revision(&self) -> Option<u64> {
        None
    }

    async fn find(api: &Shared, caller: &Caller, id: &str) -> Result<Option<Self>, Problem> {
        let token = match number(id) {
            Some(id) => api.store.token_of_id(TokenId(id)).await?,
            None => None,
        };
        Ok(token.filter(|token| caller.reaches(token.client)))
    }
}

/// What is asked for.
struct Asked {
    clientid: Option<u64>,
    name: Option<String>,
    role: Option<Role>,
    user: Option<u64>,
    expires_at: Option<u64>,
}

impl Asked {
    fn read(fields: &mut Fields<'_>, now_s: u64) -> Asked {
        for field in ["name", "role"] {
            required(fields, field, true);
        }
        let expires_at = fields.integer("expires_at", TIMES);
        if expires_at.is_some_and(|expires_at| expires_at <= now_s) {
            fields.refuse("expires_at", format!("is past; it is {now_s} now"));
        }
        Asked {
            clientid: fields.integer("clientid", 0..=u64::MAX),
            name: name(fields, "name"),
            role: role(fields, &TOKEN_ROLES),
            user: fields.integer("user", 0..=u64::MAX),
            expires_at,
        }
    }
}

/// The tokens of a client, but for those that the configuration sets.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "accounts",
    operation_id = "listTokens",
    params(
        ("after" = Option<i64>, Query, description = "only those with higher ids: the last one of the answer before"),
        ("limit" = Option<u64>, Query, description = "at most so many; without it all", minimum = 1, maximum = 500),
        ("clientid" = Option<u64>, Query, description = "whose: an operator may name any client, others their own")
    ),
    responses((status = 200, description = "Tokens.", body = SuccessList<TokenAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    mut caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let page = ListPage::asked(&api, &mut caller, query).await?;
    let tokens = api.store.tokens(Some(caller.client())).await?;
    Ok(page.of(tokens, |token| token.id.0 as i64, Token::answer))
}

/// One token.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}",
    tag = "accounts",
    operation_id = "showToken",
    params(("id" = u64, Path, description = "the token")),
    responses((status = 200, description = "The token.", body = Success<TokenAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(shown(find::<Token>(&api, &caller, &id).await?))
}

/// A new token, with a role that is not above the caller's.
///
/// The answer is the only one that shows it.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    tag = "accounts",
    operation_id = "createToken",
    request_body = NewTokenSettings,
    responses((status = 200, description = "The token.", body = Success<NewToken>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn create(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let now_s = api.now_s();
    let (caller, asked) = asked(&api, incoming, "created", |fields, _| Asked::read(fields, now_s)).await?;
    let caller = caller.naming(&api, asked.clientid)?;
    let client = caller.client();
    let (Some(name), Some(role)) = (asked.name, asked.role) else { return Err(Problem::internal()) };
    no_more_than::<Token>(&caller, role, "made")?;
    let _making = api.making.wait(caller.holder()).await;
    let user = match asked.user {
        Some(user) => Some(owner(&api, client, user, role).await?),
        None => None,
    };
    if api.store.tokens(Some(client)).await?.len() >= TOKENS_MAX {
        return Err(full::<Token>(client, TOKENS_MAX));
    }
    let text = random_token().map_err(|error| {
        tracing::error!(%error, "no randomness for a token");
        Problem::unavailable("the system gives no random bytes for a token; try again later")
    })?;
    let token = Token {
        id: TokenId(api.accounts.next_id(Sequence::Token).await?),
        sha256: hash(&text),
        client,
        user,
        role,
        name,
        created_at: now_s,
        created_by: caller.name().to_owned(),
        expires_at: asked.expires_at,
        last_used_at: None,
    };
    commit(&api, &caller, &token, "created", change::created(token.clone(), &api.by(&caller))).await?;
    Ok(success(NewToken { made: token.answer(), token: text }))
}

/// Revokes a token: whoever has it may do nothing any more.
#[utoipa::path(
    delete,
    path = "/v1/tokens/{id}",
    tag = "accounts",
    operation_id = "revokeToken",
    params(("id" = u64, Path, description = "the token")),
    responses((status = 200, description = "The token as it was.", body = Success<TokenAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn revoke(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let token: Token = find(&api, &caller, &id).await?;
    no_more_than::<Token>(&caller, token.role, "revoked")?;
    commit(&api, &caller, &token, "revoked", change::revoked(&token, &api.by(&caller))).await?;
    Ok(shown(token))
}

/// The user whose a token with this role can be.
async fn owner(api: &Shared, client: ClientId, user: u64, role: Role) -> Result<UserId, Problem> {
    let found = api.store.user(UserId(user)).await?.filter(|found| found.client == client);
    let refused = |pointer, words: String| invalid(vec![FieldError::at(pointer, words)], "created");
    let Some(user) = found else {
        return Err(refused(
            "/user",
            format!("client {client} has no user {user}; GET /v1/users lists them"),
        ));
    };
    if capped(role, user.role) != Some(role) {
        let may = user.role.name();
        return Err(refused("/role", format!("is more than the user may do, whose role is \"{may}\"")));
    }
    Ok(user.id)
}
