//! The couriers' shell: it feeds their machines and carries out what they say.
//!
//! The cast:
//!
//! - [`Dispatch`]: the handle. Others tell it that an integration changed, ask how one is doing, and stop it.
//! - `board`: one task that owns the board: an entry for each integration, which streams wake it, when it wants to be
//!   woken. It follows the head of the log, matches what was appended to streams **once**, and wakes only their couriers.
//!   An idle courier is its machine, kept as data: no task, no connection, no settings in memory.
//! - `shell`: runs one integration's machine for as long as there is something to do: reads, opens, sends, settles.
//! - `flight`: what a machine has under way: a read, a request, a measurement. Each ends as an input.
//! - `farewell`: what a deleted integration is told.
//! - `context`: what every shell shares; `inbox`: what others leave for a running shell.
//! - `settings_cache`: settings of integrations that were active lately.
//! - `of_lane`: what a lane sends: the ticked kinds that are urgent or not, or what a replay was begun for.
//! - `search`: reads the log for the events that an integration wants, and passes the others.
//! - `preview`: how many of the newest events a filter would have let pass.
//! - `applications`: what a filter's applications are called otherwise.
//! - `batch_body`: records into the bytes of a request, the same bytes each time.
//! - `detail`: what is kept of an attempt for whoever looks at it.
//! - `again`: the body of an attempt, made again.
//! - `echo`: a receiver's words without the secrets that it was sent.
//! - `failing`: that an integration begins to fail, and that it recovers, for the log.
//! - `refused`: that the guard refuses a target, told once.
//! - `trial`: a test message, sent once the way batches go, and everything about it.
//! - `budget`: how many requests and bytes may be under way at once; probes of sick endpoints have their own share, so
//!   that a thousand hanging receivers cannot take the healthy ones' place.
//! - [`transport`]: the one way out: the real endpoint, or a simulated network in tests.
//! - [`clock`]: monotonic time for waits; wall time for people, anchored at the start so that a jump moves nothing.
//!
//! Ownership: the board spawns every shell and is told when it parks; stopping cancels a token, shells finish or abandon
//! what is in flight, and the board ends last.

mod again;
mod applications;
mod batch_body;
mod board;
mod budget;
mod clients;
pub mod clock;
mod context;
pub mod counted;
mod detail;
mod echo;
mod failing;
mod farewell;
mod flight;
mod inbox;
mod names;
mod of_lane;
mod preview;
mod refused;
mod search;
mod settings_cache;
mod shell;
pub mod supervisor;
pub mod transport;
mod trial;
mod unreadable;

pub use again::{Again, WhyNot};
pub use applications::matching;
pub use batch_body::{lane_streams, streams_of};
pub use board::{Dispatch, Surroundings};
pub use budget::{Bounds, InFlight};
pub use clients::{Clients, Replaced};
pub use clock::Clock;
pub use counted::Deliveries;
pub use echo::without_secrets;
pub use hitwire_endpoint::Message;
pub use inbox::{CourierStatus, LaneNow, Surveyed, SurveyedLane};
pub use names::Names;
pub use preview::Preview;
pub use transport::{Delivery, EndpointTransport, Exchange, Transport, refusal_in_words};
pub use trial::{Trial, Tried, compose, try_once};

/// A fresh id for a batch: unique over all installations, and of the order in which they were made.
pub fn webhook_id() -> hitwire_event::WebhookId {
    hitwire_event::WebhookId(format!("msg_{}", hitwire_store::new_uuid().simple()).into_boxed_str())
}
