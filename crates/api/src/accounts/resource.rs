//! What clients, users, tokens and applications have in common: how each is found, shown, made, changed and taken away.

use super::super::auth::Caller;
use super::super::precondition::with_etag;
use super::super::problem::Problem;
use super::super::{Shared, success};
use axum::response::Response;
use hitwire_event::ClientId;
use hitwire_store::{Op, Role};
use serde::Serialize;
use std::fmt::Display;
use std::future::Future;

/// Something that is made, changed and taken away under a path of its own.
pub(super) trait Resource: Sized + Send + Sync {
    /// What it is called in sentences and in log lines.
    const NAME: &'static str;
    /// Where all of them are listed.
    const LIST: &'static str;

    /// What is told of it.
    type Answer: Serialize;

    fn answer(self) -> Self::Answer;

    fn id(&self) -> impl Display;

    /// Whose it is; a client is its own.
    fn client(&self) -> ClientId;

    /// What the `ETag` tells; none if a change need not say which state it was made from.
    fn revision(&self) -> Option<u64>;

    /// The one that a path names, if the caller may see it: one of another client looks as if it were not there.
    fn find(
        api: &Shared,
        caller: &Caller,
        id: &str,
    ) -> impl Future<Output = Result<Option<Self>, Problem>> + Send;

    /// What else must know that there is another one, that it was changed, or that it is gone.
    fn tell(&self, _: &Shared) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// The one that a path names.
pub(super) async fn find<R: Resource>(api: &Shared, caller: &Caller, id: &str) -> Result<R, Problem> {
    let found = R::find(api, caller, id).await?;
    found.ok_or_else(not_found::<R>)
}

pub(super) fn not_found<R: Resource>() -> Problem {
    Problem::not_found(format!("there is no such {}; GET {} lists them", R::NAME, R::LIST))
}

/// The answer that shows it.
pub(super) fn shown<R: Resource>(resource: R) -> Response {
    let revision = resource.revision();
    let answer = success(resource.answer());
    match revision {
        Some(revision) => with_etag(answer, revision),
        None => answer,
    }
}

/// Makes a change of it, in force when this returns. `done`: what was done to it.
pub(super) async fn commit<R: Resource>(
    api: &Shared,
    caller: &Caller,
    resource: &R,
    done: &str,
    ops: Vec<Op>,
) -> Result<(), Problem> {
    api.accounts.commit(&caller.identity, ops).await?;
    resource.tell(api).await;
    tracing::info!(id = %resource.id(), client = %resource.client(), by = caller.name(), "{} {done}", R::NAME);
    Ok(())
}

/// Says that a client can have no more of them.
pub(super) fn full<R: Resource>(client: ClientId, max: usize) -> Problem {
    let name = R::NAME;
    Problem::conflict(format!(
        "client {client} has {max} {name}s, the most that it can have; take one away that is not used"
    ))
}

/// Refuses a caller who would make, change or take away something with more power than the caller has.
pub(super) fn no_more_than<R: Resource>(caller: &Caller, role: Role, done: &str) -> Result<(), Problem> {
    // The order is that of power, the most first.
    if role >= caller.role() {
        return Ok(());
    }
    Err(Problem::forbidden(format!(
        "a {} with the role {} is {done} only by who has that role; yours is {}",
        R::NAME,
        role.name(),
        caller.role().name()
    )))
}
