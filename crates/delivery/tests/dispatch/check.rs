//! What happened, held against the invariants.

use super::network::Arrival;
use super::world::{KINDS, Known, Sent, Wants, World, is_urgent};
use hitwire_event::{IntegrationId, Lane, Seq, Stream};
use hitwire_store::{LostRow, Read, Store, StreamFrom};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How long after an event was appended, or after the process came up, a healthy receiver has it, whatever the others
/// do. What comes in a burst waits for what came before it, in batches of one event if the limits are such; 60 of them fit
/// in, with their latencies, the store's pauses and some refusals of the disk. A hanging receiver takes longer.
const HEALTHY_MS: u64 = 10_000;

/// How much longer it may take to prepare one request than the next: reading settings, and making a body again.
const PREPARED_MS: u64 = 50;

/// The streams of a lane as they are subscribed now.
pub(super) async fn streams(known: &Known, lane: Lane, store: &dyn Store) -> Vec<StreamFrom> {
    let Ok(Some(integration)) = store.integration(known.id).await else { return Vec::new() };
    integration
        .events
        .iter()
        .filter(|ticked| ticked.active && ticked.kind.lane() == lane)
        .map(|ticked| StreamFrom {
            stream: Stream { client: known.client, kind: ticked.kind },
            from: ticked.from,
        })
        .collect()
}

/// All checks.
pub(super) async fn all(world: &World, store: &dyn Store) {
    assert_eq!(world.network.complaints(), Vec::<String>::new());
    let positions = positions(world, store).await;
    for known in world.known.iter().filter(|known| !known.deleted) {
        let arrivals = world.network.arrivals(known.id);
        let lost = lost(known.id, store).await;
        a_resent_batch_has_the_same_body(known.id, &arrivals);
        if known.in_order {
            each_lane_is_in_log_order(world, known, &arrivals, &positions);
        }
        it_keeps_its_pace(world, known);
        nothing_is_dropped_silently(world, known, &arrivals, &lost, &positions);
        if known.healthy {
            the_others_cost_it_nothing(world, known, &arrivals);
        }
    }
}

/// The log holds every acknowledged event, once, in the order of acknowledgement.
async fn positions(world: &World, store: &dyn Store) -> HashMap<u64, Seq> {
    let mut positions = HashMap::new();
    for client in [1, 2] {
        let streams = KINDS
            .into_iter()
            .map(|kind| StreamFrom {
                stream: Stream { client: hitwire_event::ClientId(client), kind },
                from: Seq::ZERO,
            })
            .collect();
        let mut read = Read { streams, after: Seq::ZERO, through: None, max_events: 100, max_bytes: 1 << 20 };
        loop {
            let page = store.read(read.clone()).await.expect("the log can be read");
            for record in &page.records {
                let n = record.event.id.as_str()[1..].parse().expect("an id of this history");
                assert!(positions.insert(n, record.seq).is_none(), "event {n} is in the log twice");
            }
            if !page.more {
                break;
            }
            assert!(page.scanned_to > read.after, "a page moves on");
            read.after = page.scanned_to;
        }
    }
    let mut last = Seq::ZERO;
    for sent in &world.sent {
        let seq = *positions.get(&sent.n).unwrap_or_else(|| panic!("acknowledged event {} is lost", sent.n));
        assert!(seq > last, "event {} lies before one that was acknowledged earlier", sent.n);
        last = seq;
    }
    positions
}

async fn lost(id: IntegrationId, store: &dyn Store) -> Vec<LostRow> {
    let mut rows = Vec::new();
    loop {
        let before = rows.last().map(|row: &LostRow| row.id);
        let page = store.lost(id, before, 100).await.expect("lost ranges can be read");
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// The numbers of the events in a body, array or lines.
fn numbers(body: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(body).expect("bodies are UTF-8");
    let of = |object: &serde_json::Value| object["n"].as_u64().expect("an event of this history");
    match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Ok(array) => array.iter().map(of).collect(),
        Err(_) => {
            text.lines().map(|line| of(&serde_json::from_str(line).expect("a line is an object"))).collect()
        }
    }
}

fn a_resent_batch_has_the_same_body(id: IntegrationId, arrivals: &[Arrival]) {
    let mut bodies: HashMap<&str, &[u8]> = HashMap::new();
    for arrival in arrivals {
        let first = bodies.entry(&arrival.webhook_id).or_insert(&arrival.body);
        assert_eq!(*first, &arrival.body[..], "{id}: batch {} was sent with two bodies", arrival.webhook_id);
    }
}

/// Events that a receiver takes for the first time come after all that it took before; what it took before may come
/// again, in a batch that is sent again or cut anew. So may what a filter held back that was changed before the answer to
/// such a batch was known.
fn each_lane_is_in_log_order(
    world: &World,
    known: &Known,
    arrivals: &[Arrival],
    positions: &HashMap<u64, Seq>,
) {
    let id = known.id;
    let held_back: HashSet<u64> =
        world.sent.iter().filter(|sent| known.wants(sent) == Wants::Perhaps).map(|sent| sent.n).collect();
    for urgent in [true, false] {
        let mut taken: HashSet<u64> = HashSet::new();
        let mut last = Seq::ZERO;
        for arrival in arrivals.iter().filter(|arrival| is_urgent(&arrival.body) == urgent) {
            let numbers = numbers(&arrival.body);
            let seqs: Vec<Seq> = numbers.iter().map(|n| positions[n]).collect();
            assert!(seqs.is_sorted(), "{id}: a batch is out of order: {numbers:?}");
            for (n, seq) in numbers.iter().zip(&seqs) {
                assert!(
                    *seq > last || taken.contains(n) || held_back.contains(n),
                    "{id}: event {n} came after later ones: {numbers:?}"
                );
            }
            if arrival.taken {
                taken.extend(&numbers);
                last = last.max(seqs.last().copied().unwrap_or_default());
            }
        }
    }
}

/// As many requests a minute as the user allows, one after the other, in each life of the process.
fn it_keeps_its_pace(world: &World, known: &Known) {
    let Some(rate) = known.rate else { return };
    let life = |at: u64| world.lives_began_ms.iter().filter(|began| **began <= at).count();
    for pair in world.network.begun_ms(known.id).windows(2) {
        let apart = pair[1] - pair[0] + PREPARED_MS;
        assert!(
            apart >= 60_000 / u64::from(rate) || life(pair[0]) != life(pair[1]),
            "{}: {pair:?}, at most {rate} a minute",
            known.id
        );
    }
}

fn nothing_is_dropped_silently(
    world: &World,
    known: &Known,
    arrivals: &[Arrival],
    lost: &[LostRow],
    positions: &HashMap<u64, Seq>,
) {
    let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
    for arrival in arrivals {
        for n in numbers(&arrival.body) {
            *taken.entry(n).or_default() += u64::from(arrival.taken);
        }
    }
    for sent in &world.sent {
        let seq = positions[&sent.n];
        let lane = sent.kind.lane();
        let covered = lost.iter().any(|row| {
            let range = &row.range;
            range.lane == lane && range.kinds.contains(&sent.kind) && range.first <= seq && seq <= range.last
        });
        let delivered = taken.get(&sent.n).is_some_and(|times| *times > 0);
        let wants = known.wants(sent);
        if sent.expected.contains(&known.id) && wants == Wants::Surely {
            assert!(
                delivered || covered,
                "{}: event {} ({:?}, position {seq}) was neither delivered nor is it in a lost range: {lost:?}",
                known.id,
                sent.n,
                sent.kind,
            );
        }
        if sent.forbidden.contains(&known.id) || sent.client != known.client {
            assert!(
                !taken.contains_key(&sent.n),
                "{}: event {} was sent though not ticked",
                known.id,
                sent.n
            );
        }
        assert!(
            wants != Wants::Never || !taken.contains_key(&sent.n),
            "{}: event {} was sent though no filter lets it pass: {:?}",
            known.id,
            sent.n,
            known,
        );
    }
}

fn the_others_cost_it_nothing(world: &World, known: &Known, arrivals: &[Arrival]) {
    let mut first: HashMap<u64, u64> = HashMap::new();
    for arrival in arrivals {
        for n in numbers(&arrival.body) {
            first.entry(n).or_insert(arrival.at_ms);
        }
    }
    let expected = |sent: &&Sent| sent.expected.contains(&known.id) && known.wants(sent) == Wants::Surely;
    for sent in world.sent.iter().filter(expected) {
        let arrived = first[&sent.n];
        let in_time = std::iter::once(&sent.appended_ms)
            .chain(&world.lives_began_ms)
            .any(|from| *from <= arrived && arrived - from <= HEALTHY_MS);
        assert!(in_time, "the healthy receiver got event {} after {} ms", sent.n, arrived - sent.appended_ms);
    }
}
