//! `/v1/users`: people with an account.

use super::page::ListPage;
use super::resource::{Resource, commit, find, full, no_more_than, not_found, shown};
use super::{USER_ROLES, asked, name, number, pass_over, required, role, same_id, uuid};
use crate::auth::Caller;
use crate::description::schema::{NewUserSettings, Success, SuccessList, UserRole, UserSettings};
use crate::fields::Fields;
use crate::incoming::IncomingCall;
use crate::path::Path;
use crate::precondition::IfMatch;
use crate::problem::Problem;
use crate::query::Query;
use crate::{Shared, success};
use axum::extract::State;
use axum::response::Response;
use hitwire_event::ClientId;
use hitwire_store::change::user as change;
use hitwire_store::{Role, Sequence, User, UserId};
use serde::Serialize;
use std::fmt::Display;
use utoipa::ToSchema;

/// Users of one client.
const USERS_MAX: usize = 1_000;

/// Characters of an e-mail (RFC 5321 section 4.5.3.1: a path of 256 with its brackets).
const EMAIL_CHARS_MAX: usize = 254;

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserAnswer {
    id: u64,
    uuid: String,
    clientid: u64,
    email: String,
    name: String,
    /// `operator`, `admin`, `analyst`, `read_only`
    #[schema(value_type = UserRole)]
    role: &'static str,
    /// False: the user cannot sign in, and the user's tokens are refused.
    enabled: bool,
    /// Unix seconds.
    created_at: u64,
    created_by: String,
    /// In which time zone the console shows times: an IANA name. Null: the browser's. The user chooses it.
    time_zone: Option<String>,
}

impl Resource for User {
    const NAME: &'static str = "user";
    const LIST: &'static str = "/v1/users";
    type Answer = UserAnswer;

    fn answer(self) -> UserAnswer {
        UserAnswer {
            id: self.id.0,
            uuid: self.uuid,
            clientid: self.client.0,
            email: self.email,
            name: self.name,
            role: self.role.name(),
            enabled: self.enabled,
            created_at: self.created_at,
            created_by: self.created_by,
            time_zone: self.time_zone,
        }
    }

    fn id(&self) -> impl Display {
        self.id
    }

    fn client(&self) -> ClientId {
        self.client
    }

    fn revision(&self) -> Option<u64> {
        Some(self.revision)
    }

    async fn find(api: &Shared, caller: &Caller, id: &str) -> Result<Option<Self>, Problem> {
        let user = match number(id) {
            Some(id) => api.store.user(UserId(id)).await?,
            None => None,
        };
        Ok(user.filter(|user| caller.reaches(user.client)))
    }
}

/// What is asked for; none: not named.
struct Asked {
    clientid: Option<u64>,
    email: Option<String>,
    name: Option<String>,
    role: Option<Role>,
    enabled: Option<bool>,
}

impl Asked {
    /// Of a new user (`id` is none), or of a change.
    fn read(fields: &mut Fields<'_>, id: Option<u64>) -> Asked {
        for field in ["email", "role"] {
            required(fields, field, id.is_none());
        }
        if let Some(id) = id {
            same_id(fields, id);
            pass_over(fields, &["uuid", "created_at", "created_by", "time_zone"]);
        }
        Asked {
            clientid: fields.integer("clientid", 0..=u64::MAX),
            email: email(fields),
            name: name(fields, "name"),
            role: role(fields, &USER_ROLES),
            enabled: fields.bool("enabled"),
        }
    }

    fn apply(self, user: &mut User) {
        let Asked { email, name, role, enabled, .. } = self;
        user.email = email.unwrap_or_else(|| user.email.clone());
        user.name = name.unwrap_or_else(|| user.name.clone());
        user.role = role.unwrap_or(user.role);
        user.enabled = enabled.unwrap_or(user.enabled);
    }
}

/// Takes an e-mail: whether there is somebody behind it cannot be known, only that it is one address.
fn email(fields: &mut Fields<'_>) -> Option<String> {
    let email = fields.string("email")?;
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',' | ';');
    let parts = email.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if parts.is_none() || !email.chars().all(is_plain) {
        fields.refuse("email", "is no e-mail address; write it as somebody@example.com");
    }
    if email.chars().count() > EMAIL_CHARS_MAX {
        fields.refuse("email", format!("has more than {EMAIL_CHARS_MAX} characters"));
    }
    Some(email)
}

/// The users of a client.
#[utoipa::path(
    get,
    path = "/v1/users",
    tag = "accounts",
    operation_id = "listUsers",
    params(
        ("after" = Option<i64>, Query, description = "only those with higher ids: the last one of the answer before"),
        ("limit" = Option<u64>, Query, description = "at most so many; without it all", minimum = 1, maximum = 500),
        ("clientid" = Option<u64>, Query, description = "whose: an operator may name any client, others their own")
    ),
    responses((status = 200, description = "Users.", body = SuccessList<UserAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    mut caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let page = ListPage::asked(&api, &mut caller, query).await?;
    let users = api.store.users(Some(caller.client())).await?;
    Ok(page.of(users, |user| user.id.0 as i64, User::answer))
}

/// One user.
#[utoipa::path(
    get,
    path = "/v1/users/{id}",
    tag = "accounts",
    operation_id = "showUser",
    params(("id" = u64, Path, description = "the user")),
    responses((status = 200, description = "The user.", body = Success<UserAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(shown(find::<User>(&api, &caller, &id).await?))
}

/// A new user.
#[utoipa::path(
    post,
    path = "/v1/users",
    tag = "accounts",
    operation_id = "createUser",
    request_body = NewUserSettings,
    responses((status = 200, description = "The user.", body = Success<UserAnswer>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn create(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, asked) = asked(&api, incoming, "created", |fields, _| Asked::read(fields, None)).await?;
    let caller = caller.naming(&api, asked.clientid)?;
    let client = caller.client();
    if let Some(role) = asked.role {
        no_more_than::<User>(&caller, role, "made")?;
    }
    let _making = api.making.wait(caller.holder()).await;
    if api.store.users(Some(client)).await?.len() >= USERS_MAX {
        return Err(full::<User>(client, USERS_MAX));
    }
    let mut user = User {
        id: UserId(api.accounts.next_id(Sequence::User).await?),
        uuid: uuid(),
        client,
        email: String::new(),
        name: String::new(),
        role: Role::ReadOnly,
        enabled: true,
        created_at: api.now_s(),
        created_by: caller.name().to_owned(),
        time_zone: None,
        revision: 0,
    };
    asked.apply(&mut user);
    commit(&api, &caller, &user, "created", change::created(user.clone(), &api.by(&caller))).await?;
    user.revision = 1;
    Ok(shown(user))
}

/// A change: what the body names; the rest stays.
#[utoipa::path(
    put,
    path = "/v1/users/{id}",
    tag = "accounts",
    operation_id = "changeUser",
    params(
        ("id" = u64, Path, description = "the user"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that the change is made from")
    ),
    request_body = UserSettings,
    responses((status = 200, description = "The user as it is now.", body = Success<UserAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn change(
    State(api): State<Shared>,
    Path(id): Path<String>,
    if_match: IfMatch,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let named = number(&id).unwrap_or_default();
    let (caller, asked) =
        asked(&api, incoming, "changed", |fields, _| Asked::read(fields, Some(named))).await?;
    // Who is the last one who may, is so until the change is made. Taken after the body: nobody may hold it by sending slowly.
    let _making = api.making.wait(caller.holder()).await;
    let before: User = find(&api, &caller, &id).await?;
    if_match.check(before.revision)?;
    if !caller.clone().naming(&api, asked.clientid)?.reaches(before.client) {
        return Err(not_found::<User>());
    }
    let mut after = before.clone();
    asked.apply(&mut after);
    no_more_than::<User>(&caller, before.role, "changed")?;
    no_more_than::<User>(&caller, after.role, "made")?;
    if !after.enabled || after.role > before.role {
        leave_somebody(&api, &caller, &before).await?;
    }
    if let Some(ops) = change::changed(&before, after.clone(), &api.by(&caller)) {
        commit(&api, &caller, &after, "changed", ops).await?;
        after.revision += 1;
    }
    Ok(shown(after))
}

/// Takes a user away, and revokes the user's tokens.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}",
    tag = "accounts",
    operation_id = "deleteUser",
    params(
        ("id" = u64, Path, description = "the user"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that the deletion is made from")
    ),
    responses((status = 200, description = "The user as it was.", body = Success<UserAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    // Nobody makes another token of his meanwhile.
    let _making = api.making.wait(caller.holder()).await;
    let user: User = find(&api, &caller, &id).await?;
    if_match.check(user.revision)?;
    no_more_than::<User>(&caller, user.role, "deleted")?;
    leave_somebody(&api, &caller, &user).await?;
    let mut tokens = api.store.tokens(Some(user.client)).await?;
    tokens.retain(|token| token.user == Some(user.id));
    commit(&api, &caller, &user, "deleted", change::deleted(&user, &tokens, &api.by(&caller))).await?;
    Ok(success(user.answer()))
}

/// Refuses that somebody takes away their own power if nobody else has it who could sign in and give it back.
async fn leave_somebody(api: &Shared, caller: &Caller, user: &User) -> Result<(), Problem> {
    let is_caller = caller.identity.user.as_ref().is_some_and(|own| own.id == user.id);
    if !is_caller || user.role > Role::Administrator {
        return Ok(());
    }
    // An operator may be of any client; an administrator is needed in this one.
    let client = (user.role == Role::Administrator).then_some(user.client);
    for other in api.store.users(client).await? {
        if other.id == user.id || !other.enabled || other.role > user.role {
            continue;
        }
        let credential = api.store.credential(other.id).await?;
        if credential.is_some_and(|one| one.password.is_some() || one.subject.is_some()) {
            return Ok(());
        }
    }
    Err(Problem::conflict(format!(
        "you are the last one with the role {} who can sign in; give it to somebody else first, who has signed in once",
        user.role.name()
    )))
}
