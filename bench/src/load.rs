//! The load generator: hits to the ingest API.

use crate::hit::{Body, now_ns};
use crate::http::{self, Connection};
use crate::{Failure, Options};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one run of the generator did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// Events that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Requests that were answered with something else than 202.
    pub(crate) refused: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// From sending to the acknowledgement, in microseconds.
    pub(crate) ack_p50_us: u64,
    /// The same, 99 %.
    pub(crate) ack_p99_us: u64,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The ingest API.
    pub(crate) addr: String,
    /// Its token.
    pub(crate) token: String,
    /// Events in a request.
    pub(crate) batch: usize,
    /// Connections, one request under way in each.
    pub(crate) connections: u64,
    /// Events a second over all connections; none: as fast as answers come.
    pub(crate) rate: Option<u64>,
    /// Ends after this.
    pub(crate) seconds: u64,
    /// Ends after so many events.
    pub(crate) events: u64,
}

/// `hitwire-bench load`
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let load = Load {
        addr: options.text("addr").ok_or("--addr is missing")?.to_owned(),
        token: options.text("token").ok_or("--token is missing")?.to_owned(),
        batch: options.number("batch")?.unwrap_or(1).clamp(1, 10_000) as usize,
        connections: options.number("connections")?.unwrap_or(4).clamp(1, 256),
        rate: options.number("rate")?,
        seconds: options.number("seconds")?.unwrap_or(10),
        events: options.number("events")?.unwrap_or(u64::MAX),
    };
    println!("{}", serde_json::to_string(&generate(&load)?)?);
    Ok(())
}

fn generate(load: &Load) -> Result<Loaded, Failure> {
    // Ids never repeat between runs of the generator, or deduplication would leave events out.
    let numbers = Arc::new(AtomicU64::new(now_ns()));
    let left = Arc::new(AtomicU64::new(load.events));
    let started = Instant::now();
    let workers: Vec<_> = (0..load.connections)
        .map(|worker| {
            let (load, numbers, left) = (load.clone(), Arc::clone(&numbers), Arc::clone(&left));
            std::thread::spawn(move || connection(&load, worker, &numbers, &left, started))
        })
        .collect();
    let mut all = Loaded::default();
    let mut acks = histogram()?;
    for worker in workers {
        let (acknowledged, refused, times) =
            worker.join().map_err(|_| "a connection's thread panicked")??;
        all.acknowledged += acknowledged;
        all.refused += refused;
        acks.add(times)?;
    }
    all.seconds = started.elapsed().as_secs_f64();
    all.ack_p50_us = acks.value_at_quantile(0.5);
    all.ack_p99_us = acks.value_at_quantile(0.99);
    Ok(all)
}

fn connection(
    load: &Load,
    worker: u64,
    numbers: &AtomicU64,
    left: &AtomicU64,
    started: Instant,
) -> Result<(u64, u64, Histogram<u64>), Failure> {
    let mut body = Body::of(load.batch);
    let head = http::head("POST", "/v1/events", &load.token, body.bytes.len()).into_bytes();
    let mut connection = Connection::to(&load.addr)?;
    let mut request = Vec::with_capacity(head.len() + body.bytes.len());
    let mut acks = histogram()?;
    let (mut acknowledged, mut refused) = (0, 0);
    let batch = load.batch as u64;
    // At a given rate the connections take turns; a request that is late is sent at once, and counts from when it was due.
    let turn = load.rate.map(|rate| {
        let gap = Duration::from_secs_f64(batch as f64 * load.connections as f64 / rate.max(1) as f64);
        (gap, gap.mul_f64(worker as f64 / load.connections as f64))
    });
    let until = started + Duration::from_secs(load.seconds);
    for number in 0_u32.. {
        let now = Instant::now();
        let due = turn.map_or(now, |(gap, offset)| started + offset + gap * number);
        if now.max(due) >= until || take(left, batch).is_none() {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(now));
        let late = due.elapsed();
        let sent_ns = now_ns() - late.as_nanos() as u64;
        body.stamp(numbers.fetch_add(batch, Ordering::Relaxed), sent_ns);
        request.clear();
        request.extend_from_slice(&head);
        request.extend_from_slice(&body.bytes);
        let answer = connection.ask(&request)?;
        if answer.status == 202 {
            acknowledged += batch;
        } else {
            refused += 1;
            eprintln!("{}: {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        acks.saturating_record((now_ns() - sent_ns) / 1_000);
    }
    Ok((acknowledged, refused, acks))
}

fn take(left: &AtomicU64, batch: u64) -> Option<u64> {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(batch)).ok()
}

/// Microseconds, up to ten minutes, three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new_with_bounds(1, 600_000_000, 3)?)
}
