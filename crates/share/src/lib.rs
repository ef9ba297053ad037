//! Fair shares of what is bounded for the whole installation: memory, places, connections.
//!
//! The cast:
//!
//! - [`Shares`]: a bounded number of units (places, KiB) of which many holders take some. [`Share`]: units that are taken, until
//!   they are dropped.
//! - [`Turns`]: a lock that holders get in turn.
//! - [`Holder`]: who takes them: a client, or a network address while no client is known.
//!
//! # The rule
//!
//! A holder that has something already gets more only if afterwards at least as much is free as it holds. A holder
//! that has nothing gets what it asks for if that is free. So one holder alone has at most half of all units, two have at most a third
//! each, and a newcomer always finds room, however long the others keep what they have. [`Shares::with_each`] adds a fixed
//! bound for each holder.
//!
//! Holders that wait are served in turn, one request each, and not in the order of their requests: a thousand waiting requests of
//! one holder delay another holder's request by one. A request of a holder with nothing that waits because too little is free
//! is not passed by others, so that a large request is served however many small ones there are.

mod holder;
mod notice;
mod pool;

pub use holder::{Holder, Peer, network};
pub use pool::{Key, Share, Shares, Turns, UsedUp};
