//! Calls with a body: a handler learns who makes the call only together with the body.
//!
//! A body may take minutes to arrive, and meanwhile the token may be revoked, its user disabled, or its client deleted. So the
//! caller is identified twice: before the first byte, so that strangers take up no memory, and after the last one. The handler
//! gets the second answer. What is taken from the caller after that is noticed by the commit
//! ([`Op::Require`](hitwire_store::Op::Require)).

use super::Shared;
use super::auth::Caller;
use super::body::{Held, SETTINGS_BYTES_MAX};
use super::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use hitwire_share::Holder;
use http::request::Parts;

/// A call whose body has not arrived yet, by a caller who may make it at this moment.
#[derive(Debug)]
pub(super) struct IncomingCall {
    parts: Parts,
    body: Body,
    holder: Holder,
}

impl FromRequest<Shared> for IncomingCall {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // Without a place: a body may take minutes.
        let holder = Caller::identified(&parts, api).await?.holder();
        Ok(IncomingCall { parts, body, holder })
    }
}

impl IncomingCall {
    /// Reads a body that sets something up, and says who the caller is after its last byte.
    pub(super) async fn settings(self, api: &Shared) -> Result<(Caller, Held), Problem> {
        self.read(api, SETTINGS_BYTES_MAX).await
    }

    /// Reads a body of at most `bytes_max`, and says who the caller is after its last byte.
    pub(super) async fn read(self, api: &Shared, bytes_max: u64) -> Result<(Caller, Held), Problem> {
        let IncomingCall { mut parts, body, holder } = self;
        let held = api.bodies.read(body, bytes_max, holder).await?;
        let caller = Caller::from_request_parts(&mut parts, api).await?;
        Ok((caller, held))
    }
}
