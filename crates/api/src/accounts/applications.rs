//! `/v1/applications`: parts of what is protected, as their owners call them.

use super::page::ListPage;
use super::resource::{Resource, commit, find, full, shown};
use super::{asked, name, required};
use crate::Shared;
use crate::auth::Caller;
use crate::description::schema::{ApplicationSettings, NewApplicationSettings, Success, SuccessList};
use crate::fields::Fields;
use crate::incoming::IncomingCall;
use crate::path::Path;
use crate::problem::Problem;
use crate::query::Query;
use axum::extract::State;
use axum::response::Response;
use hitwire_event::ClientId;
use hitwire_store::change::application as change;
use hitwire_store::{Application, Sequence};
use serde::Serialize;
use std::fmt::Display;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Applications of one client.
const APPLICATIONS_MAX: usize = 10_000;

/// Ids that callers may choose: -1 is the default application; the rest is exact in every JSON reader.
const IDS: RangeInclusive<i64> = -1..=9_007_199_254_740_991;

/// How often another id is tried, if somebody has chosen the next one already.
const ID_TRIES: usize = 1_000;

/// An application.
#[derive(Serialize, ToSchema)]
#[schema(as = Application)]
pub(crate) struct ApplicationAnswer {
    /// Unique within the client; -1 is the default application.
    id: i64,
    clientid: u64,
    name: String,
}

impl Resource for Application {
    const NAME: &'static str = "application";
    const LIST: &'static str = "/v1/applications";
    type Answer = ApplicationAnswer;

    fn answer(self) -> ApplicationAnswer {
        ApplicationAnswer { id: self.id, clientid: self.client.0, name: self.name }
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

    /// Its id is one within the client, so an operator has to say which client's.
    async fn find(api: &Shared, caller: &Caller, id: &str) -> Result<Option<Self>, Problem> {
        let id: Option<i64> = id.parse().ok();
        let applications = api.store.applications(caller.client()).await?;
        Ok(applications.into_iter().find(|application| Some(application.id) == id))
    }

    /// Filters may name it.
    async fn tell(&self, api: &Shared) {
        // The change is made: filters that could not be looked at now are when their integrations are read next.
        if let Err(error) = api.dispatch.applications_changed(self.client).await {
            tracing::warn!(client = %self.client, %error, "integrations were not told of a change of applications");
        }
    }
}

/// What is asked for.
struct Asked {
    clientid: Option<u64>,
    id: Option<i64>,
    name: Option<String>,
}

impl Asked {
    fn read(fields: &mut Fields<'_>, id: Option<i64>) -> Asked {
        required(fields, "name", true);
        let asked = Asked {
            clientid: fields.integer("clientid", 0..=u64::MAX),
            id: fields.signed("id", IDS),
            name: name(fields, "name"),
        };
        if let (Some(id), Some(other)) = (id, asked.id)
            && other != id
        {
            fields.refuse("id", format!("is {other}, but the path names {id}"));
        }
        asked
    }
}

/// The applications of a client.
#[utoipa::path(
    get,
    path = "/v1/applications",
    tag = "accounts",
    operation_id = "listApplications",
    params(
        ("after" = Option<i64>, Query, description = "only those with higher ids: the last one of the answer before"),
        ("limit" = Option<u64>, Query, description = "at most so many; without it all", minimum = 1, maximum = 500),
        ("clientid" = Option<u64>, Query, description = "whose: an operator may name any client, others their own")
    ),
    responses((status = 200, description = "Applications.", body = SuccessList<ApplicationAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    mut caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let page = ListPage::asked(&api, &mut caller, query).await?;
    let applications = api.store.applications(caller.client()).await?;
    Ok(page.of(applications, |application| application.id, Application::answer))
}

/// One application.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    tag = "accounts",
    operation_id = "showApplication",
    params(("id" = i64, Path, description = "the application")),
    responses((status = 200, description = "The application.", body = Success<ApplicationAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(shown(find::<Application>(&api, &caller, &id).await?))
}

/// A new application. Without an id it gets one.
#[utoipa::path(
    post,
    path = "/v1/applications",
    tag = "accounts",
    operation_id = "createApplication",
    request_body = NewApplicationSettings,
    responses((status = 200, description = "The application.", body = Success<ApplicationAnswer>), (status = 409)),
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
    // From looking which ids are taken until one of them is: two callers must not get the same.
    let _making = api.making.wait(caller.holder()).await;
    let there = api.store.applications(client).await?;
    let is_taken = |id: i64| there.iter().any(|application| application.id == id);
    if there.len() >= APPLICATIONS_MAX {
        return Err(full::<Application>(client, APPLICATIONS_MAX));
    }
    let id = match asked.id {
        Some(id) if is_taken(id) => {
            return Err(Problem::conflict(format!("client {client} has an application {id} already")));
        }
        Some(id) => id,
        None => free_id(&api, is_taken).await?,
    };
    let application = Application { client, id, name: asked.name.unwrap_or_default() };
    let ops = change::created(application.clone(), &api.by(&caller), hitwire_store::new_uuid().as_bytes());
    commit(&api, &caller, &application, "created", ops).await?;
    Ok(shown(application))
}

/// Renames an application.
#[utoipa::path(
    put,
    path = "/v1/applications/{id}",
    tag = "accounts",
    operation_id = "renameApplication",
    params(("id" = i64, Path, description = "the application")),
    request_body = ApplicationSettings,
    responses((status = 200, description = "The application as it is now.", body = Success<ApplicationAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn rename(
    State(api): State<Shared>,
    Path(id): Path<String>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, asked) =
        asked(&api, incoming, "changed", |fields, _| Asked::read(fields, id.parse().ok())).await?;
    let caller = caller.naming(&api, asked.clientid)?;
    let _making = api.making.wait(caller.holder()).await;
    let before: Application = find(&api, &caller, &id).await?;
    let after = Application { name: asked.name.unwrap_or_default(), ..before.clone() };
    let nonce = hitwire_store::new_uuid();
    if let Some(ops) = change::renamed(&before, after.clone(), &api.by(&caller), nonce.as_bytes()) {
        commit(&api, &caller, &after, "renamed", ops).await?;
    }
    Ok(shown(after))
}

/// Takes an application away.
#[utoipa::path(
    delete,
    path = "/v1/applications/{id}",
    tag = "accounts",
    operation_id = "deleteApplication",
    params(("id" = i64, Path, description = "the application")),
    responses((status = 200, description = "The application as it was.", body = Success<ApplicationAnswer>)),
    security(("bearer" = []), ("token" = []))
)]
pub(crate) async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let _making = api.making.wait(caller.holder()).await;
    let application: Application = find(&api, &caller, &id).await?;
    let ops = change::deleted(&application, &api.by(&caller), hitwire_store::new_uuid().as_bytes());
    commit(&api, &caller, &application, "deleted", ops).await?;
    Ok(shown(application))
}

/// The next id that nobody has chosen.
async fn free_id(api: &Shared, is_taken: impl Fn(i64) -> bool) -> Result<i64, Problem> {
    for _ in 0..ID_TRIES {
        let id = i64::try_from(api.accounts.next_id(Sequence::Application).await?).unwrap_or(i64::MAX);
        if !is_taken(id) {
            return Ok(id);
        }
    }
    Err(Problem::conflict(
        "the next free ids were all chosen by callers; choose one yourself, in the field id",
    ))
}
