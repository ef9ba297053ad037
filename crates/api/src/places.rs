//! Places for calls, and for answers that take memory or go on for longer than a moment. Of each sort there is a total, and a client
//! has its share of it and no more; so has an address, until it is known whose token it sends.

use super::auth::Caller;
use super::problem::Problem;
use bytes::Bytes;
use hitwire_share::Peer;
use hitwire_share::{Holder, Share, Shares};
use http::Method;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::time::timeout;

/// Calls that are answered at once, of all clients and of one. The store answers a few at a time, in the order in which it is asked:
/// what else one client asks for waits here, where others pass.
const CALLS_MAX: usize = 128;
const CALLS_OF_EACH: usize = 32;

/// Tokens that are looked up at once.
const LOOKUPS_MAX: usize = 32;

/// Lists that are written at once, each with [a piece](super::listing) in memory: of all clients, and of one.
const LISTS_MAX: usize = 32;
const LISTS_OF_EACH: usize = 4;

/// How long a call waits for its place. A call takes milliseconds, a list not many more.
const PLACE_WAIT: Duration = Duration::from_secs(10);

/// When a caller who got no place should come again.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// The places of one installation.
#[derive(Clone, Debug)]
pub struct AnswerPlaces {
    calls: Shares<Holder>,
    lookups: Shares<Holder>,
    lists: Shares<Holder>,
}

impl Default for AnswerPlaces {
    fn default() -> Self {
        AnswerPlaces {
            calls: Shares::with_each("calls", CALLS_MAX, CALLS_OF_EACH),
            lookups: Shares::new("token_lookups", LOOKUPS_MAX),
            lists: Shares::with_each("lists", LISTS_MAX, LISTS_OF_EACH),
        }
    }
}

/// Whether a call takes a place. Those that bring events do not: they wait for the log, which takes what waits together.
pub(super) fn takes_a_place(method: &Method, route: &str) -> bool {
    *method != Method::POST || !matches!(route, "/v1/events" | "/v1/counters")
}

impl AnswerPlaces {
    /// A place for a call.
    pub(super) async fn call(&self, caller: &Caller) -> Result<Share<Holder>, Problem> {
        waited(&self.calls, caller.holder(), "calls").await
    }

    /// A place for looking up a token that comes from somewhere.
    pub(super) async fn lookup(&self, from: Option<&Peer>) -> Result<Share<Holder>, Problem> {
        let address = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| address.ip());
        waited(&self.lookups, Holder::address(address), "calls with tokens that are not known yet").await
    }

    /// A place for a list.
    pub(super) async fn list(&self, caller: &Caller) -> Result<Share<Holder>, Problem> {
        waited(&self.lists, caller.holder(), "lists").await
    }

    /// Of what there are shares.
    pub fn shares(&self) -> [Shares<Holder>; 3] {
        [self.calls.clone(), self.lookups.clone(), self.lists.clone()]
    }
}

/// A text on its way out, and what it holds until all of it has left.
struct Leaving<T> {
    text: Vec<u8>,
    _held: T,
}

impl<T> AsRef<[u8]> for Leaving<T> {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// A text that holds something until all of it has left: it is in memory for so long, and counts as under way.
pub(super) fn leaving(text: Vec<u8>, held: impl Send + 'static) -> Bytes {
    Bytes::from_owner(Leaving { text, _held: held })
}

/// A place, waited for where the holder has its share.
async fn waited(shares: &Shares<Holder>, holder: Holder, what: &str) -> Result<Share<Holder>, Problem> {
    timeout(PLACE_WAIT, shares.take(holder, 1)).await.map_err(|_| {
        let detail = format!(
            "{holder} has as many {what} under way as it may have; the header Retry-After says when to come again"
        );
        Problem::too_many(detail, RETRY_WHEN_FULL)
    })
}
