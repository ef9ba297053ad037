//! The couriers' shell and the real SQLite store under simulated time, network and crashes.
//!
//! One seed is one history: several lives of the process on one data directory, ended by crashes at arbitrary points,
//! with integrations that are made, edited, disabled and enabled while events of several clients arrive and receivers
//! answer, refuse, hang, or take a batch and lose the answer. Then the faults stop, time runs on, and what happened is
//! held against the invariants of ARCHITECTURE.md.
//!
//! `HITWIRE_SEED=<n>` replays one history and prints it; `HITWIRE_DEEP=1` runs ten times as many.

#![allow(clippy::print_stderr)]

mod check;
mod edits;
mod failing;
mod network;
mod random;
mod resuming;
mod small_world;
mod told;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

const SEEDS: u64 = 300;
const SEEDS_DEEP: u64 = 3_000;
/// The seeds are spread over this many tests, so that they run side by side.
const SHARDS: u64 = 3;

fn run_shard(shard: u64) {
    if let Some(seed) = std::env::var("HITWIRE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        if shard == 0 {
            world::live(seed, true);
        }
        return;
    }
    let mut most = 0;
    let seeds = if std::env::var_os("HITWIRE_DEEP").is_some() { SEEDS_DEEP } else { SEEDS };
    for seed in (0..seeds).filter(|seed| seed % SHARDS == shard) {
        match catch_unwind(AssertUnwindSafe(|| world::live(seed, false))) {
            Ok(in_flight) => most = most.max(in_flight),
            Err(panic) => {
                eprintln!("seed {seed} failed; replay it with HITWIRE_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(most >= 4, "no history had more than {most} requests in flight in a lane");
}

#[test]
fn the_invariants_hold_in_every_history_first_third() {
    run_shard(0);
}

#[test]
fn the_invariants_hold_in_every_history_second_third() {
    run_shard(1);
}

#[test]
fn the_invariants_hold_in_every_history_last_third() {
    run_shard(2);
}
