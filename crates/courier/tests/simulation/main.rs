//! The machine in a simulated world: a model log, a model store, a model shell and a model endpoint, all driven by one
//! seed. Requests fail in every way, the process is killed between any two commands, users edit and disable, retention
//! moves cursors. After each step the world is checked; at the end faults stop, and everything must have arrived or be
//! visibly lost.
//!
//! - [`world`]: time, what happens when, crashes.
//! - [`shell`]: carries the machine's commands out, as the server does.
//! - [`model`]: the log, the store and the endpoint, as simple as they can be.
//! - [`check`]: what must hold.
//! - [`tally`]: how often each thing happened.
//! - [`random`]: numbers from the seed.
//!
//! A failing seed is printed. `HITWIRE_SEED=<n>` replays it alone, with a trace of every input and command;
//! `HITWIRE_DEEP=1` runs thirty times as many seeds.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod check;
mod model;
mod random;
mod shell;
mod tally;
mod world;

use tally::Tally;
use world::World;

/// Seeds in each of the four tests of a normal run.
const SEEDS: u64 = 2_500;
/// How many times more in a deep run.
const DEEP: u64 = 30;

/// Says which seed it was when a check fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "seed {0} failed; see it with: HITWIRE_SEED={0} cargo test -p hitwire-courier --test simulation \
                 -- --nocapture quarter_1",
                self.0
            );
        }
    }
}

/// Runs a quarter of the seeds; together the quarters run each seed once.
fn quarter(quarter: u64) {
    if let Ok(seed) = std::env::var("HITWIRE_SEED") {
        let seed = seed.parse().expect("HITWIRE_SEED is a number");
        // One test is enough for one seed.
        if quarter == 0 {
            let _said = Seed(seed);
            println!("{:#?}", World::new(seed, true).run());
        }
        return;
    }
    let deep = std::env::var_os("HITWIRE_DEEP").is_some_and(|deep| deep != "0");
    let seeds = if deep { SEEDS * DEEP } else { SEEDS };
    let mut tally = Tally::default();
    for seed in quarter * seeds..(quarter + 1) * seeds {
        let said = Seed(seed);
        tally.add(&World::new(seed, false).run());
        drop(said);
    }
    println!("{tally:#?}");
    tally.assert_that_everything_happened();
}

#[test]
fn every_event_is_delivered_in_order_or_visibly_lost_quarter_1() {
    quarter(0);
}

#[test]
fn every_event_is_delivered_in_order_or_visibly_lost_quarter_2() {
    quarter(1);
}

#[test]
fn every_event_is_delivered_in_order_or_visibly_lost_quarter_3() {
    quarter(2);
}

#[test]
fn every_event_is_delivered_in_order_or_visibly_lost_quarter_4() {
    quarter(3);
}
