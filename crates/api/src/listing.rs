//! `GET /v2/integration`: a client's integrations. The original's clients look for theirs in this list, so it has all of them; it
//! is written piece by piece as it is read, so that it takes little memory however long it is.

use super::auth::Caller;
use super::broken::BrokenAnswer;
use super::contract::Answer;
use super::description::schema::SuccessList;
use super::problem::Problem;
use super::query::Query;
use super::{Shared, json_body, json_bytes, json_text};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hitwire_event::IntegrationId;
use hitwire_share::{Holder, Share};
use hitwire_store::IntegrationRange;
use http::StatusCode;
use serde::Serialize;
use std::io;
use utoipa::ToSchema;

/// Stored settings that are in memory at once for one list. A single integration may have a megabyte.
const PIECE_BYTES: usize = 256 << 10;

/// Integrations of one piece.
const PIECE_MAX: usize = 256;

/// Integrations of one answer, where the caller sets a limit.
const LIMIT_MAX: u64 = 500;

/// What stands around the integrations: the envelope of the original's newer calls.
const HEAD: &[u8] = br#"{"body":{"result":"success","object":["#;
const TAIL: &[u8] = b"]}}";

/// An integration in a list. One whose stored settings are damaged has only `id`, `name` and `broken`; it can be deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedIntegration)]
#[serde(untagged)]
enum Listed<'a> {
    Whole(Box<Answer<'a>>),
    Broken(BrokenAnswer),
}

/// A list that is being written.
struct Listing {
    api: Shared,
    caller: Caller,
    after: IntegrationId,
    left: usize,
    with_certificates: bool,
    /// Whether something stands before what comes next.
    is_begun: bool,
    _place: Share<Holder>,
}

/// All integrations of the caller's client, in the order of their ids.
///
/// One whose stored settings are damaged has only `id`, `name` and `broken`. Certificates are shown as their mask, which a change may send back; `certificates=true` shows them.
#[utoipa::path(
    get,
    path = "/v2/integration",
    tag = "integrations",
    operation_id = "listIntegrations",
    params(
        ("certificates" = Option<bool>, Query, description = "with the text of certificates: `target.ca_file` and `target.client_cert`"),
        ("after" = Option<u64>, Query, description = "only those with higher ids: the last one of the answer before"),
        ("limit" = Option<u64>, Query, description = "at most so many; without it all", minimum = 1, maximum = 500),
        ("clientid" = Option<u64>, Query, description = "whose: an operator may name any client, others their own")
    ),
    responses((status = 200, description = "Integrations.", body = SuccessList<Listed<'_>>)),
    security(("bearer" = []), ("token" = []))
)]
pub(super) async fn list(
    State(api): State<Shared>,
    mut caller: Caller,
    mut query: Query,
) -> Result<Response, Problem> {
    let with_certificates =
        query.one_of("certificates", &[("true", true), ("false", false)])?.unwrap_or(false);
    let after = IntegrationId(query.integer("after", 0..=i64::MAX as u64)?.unwrap_or(0));
    let limit = query.integer("limit", 1..=LIMIT_MAX)?;
    query.finish()?;
    let left = limit.map_or(usize::MAX, |limit| limit as usize);
    // The one who reads may take minutes: a list has a place of its own, and not one of the calls.
    caller.release();
    let place = api.places.list(&caller).await?;
    let mut listing = Listing { api, caller, after, left, with_certificates, is_begun: false, _place: place };
    // Before the status: what fails at once is answered as an error.
    let mut begin = HEAD.to_vec();
    let is_whole = !listing.write_piece(&mut begin).await?;
    if is_whole {
        begin.extend_from_slice(TAIL);
        return Ok(json_bytes(StatusCode::OK, begin.into()));
    }
    let begin = stream::once(async { Ok(Bytes::from(begin)) });
    let rest = stream::try_unfold(Some(listing), async |listing| match listing {
        Some(listing) => listing.go_on().await.map(Some),
        None => Ok(None),
    });
    Ok(json_body(StatusCode::OK, Body::from_stream(begin.chain(rest))))
}

impl Listing {
    /// Writes the next integrations; false: there are no more.
    async fn write_piece(&mut self, text: &mut Vec<u8>) -> Result<bool, Problem> {
        if self.left == 0 {
            return Ok(false);
        }
        let range = IntegrationRange {
            client: self.caller.client(),
            after: self.after,
            count_max: self.left.min(PIECE_MAX),
            bytes_max: PIECE_BYTES,
        };
        let integrations = self.api.store.integrations(range).await?;
        let Some(last) = integrations.last() else { return Ok(false) };
        self.after = last.as_ref().map_or_else(|broken| broken.id, |integration| integration.id);
        self.left -= integrations.len();
        for integration in integrations {
            if self.is_begun {
                text.push(b',');
            }
            self.is_begun = true;
            text.extend(json_text(&match &integration {
                Ok(integration) => {
                    let answer = Answer::of(integration, self.api.sender.outbound());
                    let answer = if self.with_certificates { answer } else { answer.without_certificates() };
                    Listed::Whole(Box::new(answer))
                }
                Err(broken) => Listed::Broken(broken.clone().into()),
            }));
        }
        Ok(true)
    }

    /// The next bytes, and the list if it goes on after them. Its place is free when the last ones are about to leave.
    async fn go_on(mut self) -> io::Result<(Bytes, Option<Self>)> {
        // The one who reads may take minutes, and may have lost the right to meanwhile.
        self.caller.check_again(&self.api).await.map_err(cut_short)?;
        let mut text = Vec::new();
        if self.write_piece(&mut text).await.map_err(cut_short)? {
            return Ok((text.into(), Some(self)));
        }
        Ok((Bytes::from_static(TAIL), None))
    }
}

/// The status has been sent, so the connection is closed in the middle: the caller sees that the list is not whole.
fn cut_short(problem: Problem) -> io::Error {
    let (status, why) = problem.in_words();
    tracing::warn!(%status, why, "a list of integrations ends early");
    io::Error::other(why)
}
