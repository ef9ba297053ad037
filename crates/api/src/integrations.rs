//! `/v2/integration`: webhooks that users set up (contract.md section 1).

use super::auth::Caller;
use super::contract::{Answer, Asked, Creation};
use super::description::schema::{
    IntegrationSettings, NewIntegrationSettings, ResumeFrom, Success, SuccessWithWarnings,
};
use super::fields::{self, Errors};
use super::incoming::IncomingCall;
use super::path::Path;
use super::precondition::{IfMatch, with_etag};
use super::problem::{FieldError, Problem};
use super::query::Query;
use super::rules::{self, Author, Random, RuleContext};
use super::status::courier;
use super::turnstile::ComeAgain;
use super::{Shared, broken, quota, success, unknown_applications, with_warnings};
use axum::extract::State;
use axum::response::Response;
use hitwire_delivery::lane_streams;
use hitwire_endpoint::sign;
use hitwire_event::{ClientId, IntegrationId, Lane};
use hitwire_store::change::integration::{self as change, Undelivered};
use hitwire_store::{Done, Integration, NewIntegration, Op, Resume, Sequence, StoreError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Changes with client certificates of one client in a minute: opening one with its password may take a second or two, and
/// they are opened one after the other.
pub const IDENTITIES_A_MINUTE: usize = 30;

/// The same at once: whoever waits for the one before does not hold up other clients.
pub const IDENTITIES_AT_ONCE: usize = 2;

/// The same of all clients.
pub const IDENTITIES_OF_ALL: usize = 16;

/// How often a change is made again when hitwire itself changed the integration meanwhile (disabled it, for example).
const CHANGE_TRIES: usize = 5;

/// One integration.
#[utoipa::path(
    get,
    path = "/v2/integration/{id}",
    tag = "integrations",
    operation_id = "showIntegration",
    params(("id" = u64, Path, description = "the integration")),
    responses((status = 200, description = "The integration.", body = Success<Answer<'_>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let integration = find(&api, &caller, &id).await?;
    Ok(with_etag(success(Answer::of(&integration, api.sender.outbound())), integration.revision))
}

/// A new integration.
///
/// The answer is the only one that shows the signing secret.
#[utoipa::path(
    post,
    path = "/v2/integration",
    tag = "integrations",
    operation_id = "createIntegration",
    request_body = NewIntegrationSettings,
    responses((status = 200, description = "The integration.", body = SuccessWithWarnings<Creation<'_>>), (status = 409)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn create(
    State(api): State<Shared>,
    query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    let (mut asked, caller) = read(&api, &caller, bytes, "created")?;
    let mut warnings = std::mem::take(&mut asked.warnings);
    let new =
        as_new(&api, &caller, asked, "created").await.map_err(|problem| problem.with_warnings(&warnings))?;
    warnings.extend(unknown_applications::warnings(&api, new.client, &new.filter).await?);
    // After the rules, which may have waited for others' certificates: whoever holds the room holds up everybody.
    let _room = quota::room(&api, &caller).await?;
    let id = IntegrationId(next_id(&api).await?);
    let created =
        integration_of(commit(&api, &caller, id, change::created(new, id, &api.by(&caller))).await?)?;
    tracing::info!(integration = %created.id, client = %created.client, by = caller.name(), "integration created");
    let answer = with_warnings("success", Creation::of(&created, api.sender.outbound()), &warnings);
    Ok(with_etag(answer, created.revision))
}

/// A change: the full object or any part of it.
#[utoipa::path(
    put,
    path = "/v2/integration/{id}",
    tag = "integrations",
    operation_id = "changeIntegration",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("resume" = inline(Option<ResumeFrom>), Query, description = "where to go on when the change enables it: `missed` or `now`"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that the change is made from")
    ),
    request_body = IntegrationSettings,
    responses((status = 200, description = "The integration as it is now.", body = SuccessWithWarnings<Answer<'_>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn change(
    State(api): State<Shared>,
    Path(id): Path<String>,
    if_match: IfMatch,
    mut query: Query,
    incoming: IncomingCall,
) -> Result<Response, Problem> {
    let resume = query.one_of("resume", &[("missed", Resume::Missed), ("now", Resume::Now)])?;
    query.finish()?;
    let (caller, held) = incoming.settings(&api).await?;
    let bytes = &held.bytes;
    for _ in 0..CHANGE_TRIES {
        let (mut asked, caller) = read(&api, &caller, bytes, "changed")?;
        let mut warnings = std::mem::take(&mut asked.warnings);
        let current = find(&api, &caller, &id).await?;
        if_match.check(current.revision)?;
        let integration = as_changed(&api, current.clone(), asked, "changed")
            .await
            .map_err(|problem| problem.with_warnings(&warnings))?;
        warnings.extend(unknown_applications::warnings(&api, integration.client, &integration.filter).await?);
        let answer = |integration: &Integration| {
            with_etag(
                with_warnings("success", Answer::of(integration, api.sender.outbound()), &warnings),
                integration.revision,
            )
        };
        let Some(ops) = change::changed(&current, integration, resume, &api.by(&caller)) else {
            return Ok(answer(&current));
        };
        match commit(&api, &caller, current.id, ops).await {
            Ok(done) => {
                let changed = integration_of(done)?;
                tracing::info!(integration = %changed.id, client = %changed.client, by = caller.name(), "integration changed");
                return Ok(answer(&changed));
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Takes an integration away for good.
#[utoipa::path(
    delete,
    path = "/v2/integration/{id}",
    tag = "integrations",
    operation_id = "deleteIntegration",
    params(
        ("id" = u64, Path, description = "the integration"),
        ("If-Match" = Option<String>, Header, description = "the ETag of the answer that the deletion is made from")
    ),
    responses((status = 200, description = "The integration as it was.", body = Success<Answer<'_>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    for _ in 0..CHANGE_TRIES {
        let integration = match find(&api, &caller, &id).await {
            Ok(integration) => integration,
            Err(problem) => {
                let Ok(id) = id.parse().map(IntegrationId) else { return Err(problem) };
                let broken = broken::find(&api, &caller, id).await?.ok_or(problem)?;
                return broken::delete(&api, &caller, broken).await;
            }
        };
        if_match.check(integration.revision)?;
        let undelivered = undelivered(&api, &integration).await?;
        let (ops, event) = change::deleted(&integration, &undelivered, &api.by(&caller));
        let deleting = tokio::spawn({
            let (api, integration, by) = (Arc::clone(&api), integration.clone(), caller.identity.clone());
            async move {
                by.commit(&*api.store, ops).await?;
                api.dispatch.deleted(&integration, event);
                Ok::<_, StoreError>(())
            }
        });
        match deleting.await.unwrap_or(Ok(())) {
            Ok(()) => {
                tracing::info!(integration = %integration.id, client = %integration.client, by = caller.name(), "integration deleted");
                return Ok(success(Answer::of(&integration, api.sender.outbound())));
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// The integration that a path names, if it is the caller's. One of another client looks as if it were not there.
pub(super) async fn find(api: &Shared, caller: &Caller, id: &str) -> Result<Integration, Problem> {
    let not_found = || Problem::not_found("there is no such integration; GET /v2/integration lists them");
    let id = IntegrationId(id.parse().map_err(|_| not_found())?);
    match api.store.integration(id).await {
        Ok(Some(integration)) if caller.reaches(integration.client) => Ok(integration),
        Ok(_) => Err(not_found()),
        Err(error) => Err(match broken::find(api, caller, id).await? {
            Some(broken) => Problem::unavailable(broken.why),
            None => error.into(),
        }),
    }
}

/// The new integration that a caller asks for. `done`: what is not done if the rules refuse.
pub(super) async fn as_new(
    api: &Shared,
    caller: &Caller,
    asked: Asked,
    done: &str,
) -> Result<NewIntegration, Problem> {
    let random = random()?;
    let (sender, client, name, now_s) =
        (api.sender.clone(), caller.client(), caller.name().to_owned(), api.now_s());
    let default_rendering = api.default_rendering;
    let new = by_the_rules(api, client, asked.brings_an_identity(), move || {
        let (guard, outbound) = (sender.guard(), sender.outbound());
        let context = RuleContext { guard, outbound, default_rendering, random: &random };
        rules::create(asked, &context, &Author { client, name: &name, now_s })
    });
    new.await?.map_err(|errors| invalid(errors, done))
}

/// The integration as a caller wants it to be. `done`: what is not done if the rules refuse.
pub(super) async fn as_changed(
    api: &Shared,
    current: Integration,
    asked: Asked,
    done: &str,
) -> Result<Integration, Problem> {
    let random = random()?;
    let (sender, default_rendering) = (api.sender.clone(), api.default_rendering);
    let client = current.client;
    let changed = by_the_rules(api, client, asked.brings_an_identity(), move || {
        let (guard, outbound) = (sender.guard(), sender.outbound());
        let context = RuleContext { guard, outbound, default_rendering, random: &random };
        rules::change(&current, asked, &context)
    });
    changed.await?.map_err(|errors| invalid(errors, done))
}

/// Applies rules. Where a password is tried, that may take a second or two, whose length the caller has a say in: apart from
/// the threads that serve others, and for one caller at a time.
async fn by_the_rules<T: Send + 'static>(
    api: &Shared,
    client: ClientId,
    slow: bool,
    rules: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);
    if !slow {
        return Ok(rules());
    }
    let _passage = api.identities.pass(client, api.clock.now()).map_err(|ComeAgain(wait)| {
        let detail = format!(
            "a client may set client certificates {IDENTITIES_A_MINUTE} times a minute, and {IDENTITIES_AT_ONCE} at once; the header Retry-After says when to come again"
        );
        Problem::too_many(detail, wait)
    })?;
    // The semaphore is never closed; the error cannot occur.
    let turn = ONE_AT_A_TIME.acquire().await.map_err(|_| Problem::internal())?;
    let ruled = tokio::task::spawn_blocking(move || {
        let ruled = rules();
        // Also when the caller has gone meanwhile, the next one waits until here.
        drop(turn);
        ruled
    });
    ruled.await.map_err(|_| Problem::internal())
}

/// The random bytes of a signing secret and of a private key.
pub(super) fn random() -> Result<Random, Problem> {
    let mut random = Random { secret: [0; sign::SECRET_BYTES], key: [0; sign::SEED_BYTES] };
    for bytes in [&mut random.secret, &mut random.key] {
        getrandom::fill(bytes).map_err(|error| {
            tracing::error!(%error, "no randomness for a signing secret");
            Problem::unavailable("the system gives no random bytes for a signing secret; try again later")
        })?;
    }
    Ok(random)
}

/// What is asked for, and the caller for the client that it names.
fn read(api: &Shared, caller: &Caller, bytes: &[u8], done: &str) -> Result<(Asked, Caller), Problem> {
    let errors = Errors::default();
    let asked = Asked::read(fields::document(bytes)?, &errors);
    let caller = caller.clone().naming(api, asked.clientid)?;
    if errors.is_empty() {
        Ok((asked, caller))
    } else {
        Err(invalid(errors.into_vec(), done).with_warnings(&asked.warnings))
    }
}

pub(super) fn invalid(errors: Vec<FieldError>, done: &str) -> Problem {
    let fields =
        if errors.len() == 1 { "1 field is".to_owned() } else { format!("{} fields are", errors.len()) };
    Problem::invalid(format!("{fields} not valid, so nothing was {done}"), errors)
}

/// What of its events the integration has not got.
async fn undelivered(api: &Shared, integration: &Integration) -> Result<Vec<Undelivered>, Problem> {
    let courier = courier(api, integration).await?;
    let head = api.store.head().now();
    let mut undelivered = Vec::with_capacity(Lane::LIVE.len());
    for (lane, now) in courier.lanes.into_iter().filter(|(lane, _)| !lane.is_replay()) {
        let streams = lane_streams(integration, lane);
        let events = if streams.is_empty() {
            0
        } else {
            api.store.lag(streams, now.cursor, head).await?.events.saturating_sub(now.settled_ahead)
        };
        undelivered.push(Undelivered { lane, events, open: now.open });
    }
    Ok(undelivered)
}

async fn next_id(api: &Shared) -> Result<u64, Problem> {
    match api.store.commit(vec![Op::NextId(Sequence::Integration)]).await?.pop() {
        Some(Done::Id(id)) => Ok(id),
        _ => Err(Problem::internal()),
    }
}

/// Commits a caller's change and tells the dispatch of it, also when the caller goes away meanwhile: what is on record must not wait
/// for the next start to take effect.
pub(super) async fn commit(
    api: &Shared,
    caller: &Caller,
    id: IntegrationId,
    ops: Vec<Op>,
) -> Result<Vec<Done>, StoreError> {
    let (api, by) = (Arc::clone(api), caller.identity.clone());
    let committing = tokio::spawn(async move {
        let done = by.commit(&*api.store, ops).await;
        api.dispatch.configured(id);
        done
    });
    committing.await.unwrap_or(Ok(Vec::new()))
}

pub(super) fn integration_of(done: Vec<Done>) -> Result<Box<Integration>, Problem> {
    match done.into_iter().next() {
        Some(Done::Integration(integration)) => Ok(integration),
        _ => Err(Problem::internal()),
    }
}
