//! When to send what: the delivery brain. It has no IO, no clock, no database, and no randomness but the
//! seed that it is given.
//!
//! The cast:
//!
//! - [`Machine`]: serves one integration. It owns the endpoint's schedule and health and one courier for each lane. Time
//!   comes in as an argument (`now`, monotonic, since the shell started), what to do comes out as [`Command`]s.
//! - the *shell* (in the server): feeds [`Input`]s (log advanced, batch cut, outcome, timer, configuration, stop) and
//!   carries commands out, **in order, each one finished before the next is begun**; only `Send` and the answers to
//!   `Read` and `Measure` come back later, as inputs. A `Send` that follows a `Save` therefore leaves after the batch
//!   is on record: *open before send*.
//! - [`batch`]: how much to ask for (grows while behind) and where to cut.
//! - [`schedule`]: the endpoint's waits, the two presets, when to give up.
//! - [`ByLane`]: the lanes are a short list keyed by id: two live ones, which every integration has, and its replays.
//! - [`refusal`]: what an answer means: delivered, sick, refused, gone.
//! - [`health`]: the 60 % rule.
//! - [`progress`]: what the store keeps, so that a courier goes on after a crash where it was.
//!
//! What always holds (checked by assertions and by the simulation):
//!
//! 1. One request in flight in a lane, and events leave in log order, unless the user allows more; a cursor never goes back,
//!    and never passes an event that is not settled.
//! 2. What is sent was saved as an open batch before; a resent batch has the same id, range and body hash.
//! 3. An event leaves the open range only as delivered, or in a dead or skipped range that is saved in the same step.
//! 4. While the endpoint is sick, at most one request is in flight in all its lanes.
//! 5. Waits come from the monotonic `now` alone: a jump of the wall clock expires nothing.

pub mod batch;
mod by_lane;
pub mod health;
mod machine;
pub mod progress;
pub mod refusal;
pub mod schedule;

pub use batch::{Cut, Limits};
pub use by_lane::ByLane;
pub use machine::{Command, Input, LaneStatus, Machine, Reloaded, Reply, Settings, Status};
pub use progress::{
    Attempt, DisableReason, EndpointState, LaneState, LostRange, LostReason, OpenBatch, Progress,
    ReplayTerms, Saved, Unsettled, Verdict,
};
pub use refusal::RefusalState;
pub use schedule::{Preset, UnknownPreset, WallClock};
