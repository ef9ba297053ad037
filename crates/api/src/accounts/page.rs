//! Lists of accounts, as a whole or page by page.

use super::super::auth::Caller;
use super::super::places::leaving;
use super::super::problem::Problem;
use super::super::query::Query;
use super::super::{Shared, enveloped_text, json_bytes};
use axum::response::Response;
use hitwire_share::{Holder, Share};
use http::StatusCode;
use serde::Serialize;

/// Objects of one page.
const LIMIT_MAX: u64 = 500;

/// Which part of a list is asked for, and a place for it among the lists that are under way.
pub(super) struct ListPage {
    after: i64,
    limit: usize,
    place: Share<Holder>,
}

impl ListPage {
    /// Takes `after` and `limit`, and ends the reading of the query. Waits for a place.
    pub(super) async fn asked(
        api: &Shared,
        caller: &mut Caller,
        mut query: Query,
    ) -> Result<ListPage, Problem> {
        let after = match query.text("after")?.map(|text| text.parse::<i64>()) {
            None => i64::MIN,
            Some(Ok(after)) => after,
            Some(Err(_)) => return Err(Problem::bad_request("the parameter after must be an id")),
        };
        let limit = query.integer("limit", 1..=LIMIT_MAX)?.map_or(usize::MAX, |limit| limit as usize);
        query.finish()?;
        // A list that nobody reads has a place of its own, and not one of the calls.
        caller.release();
        Ok(ListPage { after, limit, place: api.places.list(caller).await? })
    }

    /// The answer, from all objects in the order of their ids.
    pub(super) fn of<T, A: Serialize>(
        self,
        all: Vec<T>,
        id: impl Fn(&T) -> i64,
        answer: impl Fn(T) -> A,
    ) -> Response {
        let ListPage { after, limit, place } = self;
        let page: Vec<_> = all.into_iter().filter(|one| id(one) > after).take(limit).map(answer).collect();
        json_bytes(StatusCode::OK, leaving(enveloped_text("success", page, &[]), place))
    }
}
