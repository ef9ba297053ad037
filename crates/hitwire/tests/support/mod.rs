//! What the tests of the binary have in common.
//!
//! The cast:
//!
//! - [`Program`]: the binary, running; [`run`]: the binary, run to its end.
//! - [`RunningServer`]: `hitwire serve` on a free port, ready, with a client of its API.
//! - [`integration`]: an integration made over the API, pointing at a receiver.
//! - [`Sender`]: what sends notifications to `hitwire listen`, rightly or wrongly signed.
//! - [`PlainReceiver`]: a receiver without TLS.
//! - [`hints`]: whether errors name only flags that the command has; every run that fails is held to it.
//! - [`hits`]: hits that carry a number, so that loss, order and repetition can be seen at the other end.
//!
//! The receiver is [`hitwire::listen::Listener`], the same that `hitwire listen` and the demo use.

pub(crate) mod hints;
pub(crate) mod hits;
pub(crate) mod integration;
mod plain;
mod process;
mod sender;
mod server;

pub(crate) use plain::PlainReceiver;
pub(crate) use process::{Finished, Program, run, run_with_input};
pub(crate) use sender::Sender;
pub(crate) use server::{RunningServer, TOKEN};

use std::time::Duration;

/// Nothing in these tests takes as long, unless it hangs; then this is where the test ends and says so.
pub(crate) const PATIENCE: Duration = Duration::from_mins(8);

/// Waits for something that must happen.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("gave up after {} s: {what}", PATIENCE.as_secs()))
}

/// The next random number of a SplitMix64 generator: small, seedable, and good enough to choose moments and sizes with.
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The seed of a random test: from `HITWIRE_SEED` to replay one, else new. It is printed, and shown when the test fails.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("HITWIRE_SEED") {
        Ok(seed) => seed.parse().expect("HITWIRE_SEED is a whole number"),
        Err(_) => u64::from(std::process::id()) ^ std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64,
    };
    println!("seed {seed}: replay with HITWIRE_SEED={seed}");
    seed
}
