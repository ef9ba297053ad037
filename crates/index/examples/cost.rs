//! What indexing costs: `cargo run --release -p hitwire-index --example cost -- 200000`.
//!
//! Appends hits as a site under attack has them, then indexes them from the disk, and says the time of each. Searching is
//! measured over what is there then.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use hitwire_event::hit::{BlockStatus, Hit};
use hitwire_event::{ClientId, Event};
use hitwire_index::{Index, Options, Search, TopOf};
use hitwire_store::{Append, Op, SqliteStore, Store};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Hits of one append.
const AT_ONCE: u64 = 1_000;

/// Some 1,000 bytes; a hundred thousand addresses, twenty domains, four types.
fn hit(number: u64) -> Event {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let address = (mixed >> 40) as u32 % 100_000;
    Hit {
        domain: Some(format!("shop-{}.example", mixed % 20)),
        method: Some("GET".to_owned()),
        path: Some(format!("/catalogue/items/{number}/reviews")),
        parameter: Some("GET_query_value".to_owned()),
        payloads: vec![format!(
            "' union select password from users where id = {mixed} -- {}",
            "x".repeat(280)
        )],
        remote_addr4: Some((0xc612_0000 + address).into()),
        response_status: Some(403),
        request_time: 1_700_000_000,
        attack_type: ["sqli", "xss", "rce", "ptrav"][(mixed % 4) as usize].into(),
        block_status: BlockStatus::Blocked,
        id: ["hits_production_1_202601_v_1".to_owned(), format!("{mixed:020}")],
        ..Hit::default()
    }
    .to_event(ClientId(1))
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hits: u64 = std::env::args().nth(1).map_or(Ok(100_000), |number| number.parse())?;
    let directory = tempfile::tempdir()?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(hitwire_store::Options::new(directory.path()))?);
    let began = cpu();
    for from in (0..hits).step_by(AT_ONCE as usize) {
        let events = (from..from + AT_ONCE).map(hit).collect();
        store.commit(vec![Op::Append(Append { events, ..Append::default() })]).await?;
    }
    let per_thousand = |time: Duration| time.as_secs_f64() * 1_000.0 / hits as f64;
    println!(
        "made and appended {hits} hits: {:.4} CPU s per 1,000",
        per_thousand(cpu().saturating_sub(began))
    );
    let (index, mut following) = Index::new(Options::new(directory.path()), Arc::clone(&store) as _, store);
    let (began, at) = (cpu(), Instant::now());
    following.catch_up().await?;
    println!(
        "read and indexed them: {:.4} CPU s per 1,000, {:.0} a second",
        per_thousand(cpu().saturating_sub(began)),
        hits as f64 / at.elapsed().as_secs_f64()
    );
    let bytes: u64 = ["index.db", "index.db-wal"]
        .iter()
        .filter_map(|name| std::fs::metadata(directory.path().join(name)).ok())
        .map(|file| file.len())
        .sum();
    println!("{} bytes a hit on the disk", bytes / hits);
    let any = Search { client: ClientId(1), limit: 50, ..Search::default() };
    for (what, search) in [
        ("newest page", any.clone()),
        ("an id", Search { id: Some(hit(7).id.to_string()), ..any.clone() }),
        (
            "an address",
            Search { networks: vec![std::net::IpAddr::from([198, 18, 0, 7]).into()], ..any.clone() },
        ),
        ("a text that is nowhere", Search { text: Some("nowhere at all".into()), ..any }),
    ] {
        index.search(search.clone()).await?;
        let at = Instant::now();
        let found = index.search(search).await?;
        println!(
            "{what}: {:.2} ms, {} of {} rows",
            at.elapsed().as_secs_f64() * 1e3,
            found.events.len(),
            found.looked_at
        );
    }
    let at = Instant::now();
    let minutes = index.per_minute(ClientId(1), 60).await?;
    for what in TopOf::ALL {
        index.tops(ClientId(1), what, 24).await?;
    }
    println!("minutes and tops: {:.2} ms, {} counts", at.elapsed().as_secs_f64() * 1e3, minutes.len());
    following.finish().await;
    Ok(())
}
