//! The log's writer alone.

use super::*;
use crate::sqlite::cores::{self, Cores};
use crate::sqlite::options::Options;
use crate::{Append, Appended};
use hitwire_event::{ClientId, Event, EventId, Kind};
use std::hash::Hasher;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Letters that do not shrink much.
fn noise(seed: u64, length: usize) -> String {
    let mut hasher = siphasher::sip::SipHasher13::new_with_keys(seed, 0);
    let letter = || {
        hasher.write_u8(0);
        char::from(b'0' + (hasher.finish() % 75) as u8)
    };
    std::iter::repeat_with(letter).take(length).collect()
}

fn job(
    ids: std::ops::Range<u64>,
    bytes: usize,
) -> (Job, oneshot::Receiver<Result<Vec<Appended>, StoreError>>) {
    let event = |id: u64| Event {
        client: ClientId(1),
        kind: Kind::Hit,
        id: EventId::from(id.to_string()),
        body: noise(id, bytes).into(),
    };
    let append = Append { events: ids.map(event).collect(), deduplicate: false, checkpoint: None };
    let (reply, answer) = oneshot::channel();
    (Job { appends: vec![Prepared { append, fingerprints: Vec::new() }], reply }, answer)
}

#[test]
fn a_file_that_sqlite_finds_full_is_given_up_and_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let now_ms = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let clock = now_ms.clone();
    let options = Options::new(directory.path())
        .with_simulated_clock(Arc::new(move || clock.load(std::sync::atomic::Ordering::Relaxed)));
    let Cores { log: mut core, .. } = cores::open(options).unwrap().cores;
    let append = |core: &mut LogCore, ids, bytes| {
        let (job, mut answer) = job(ids, bytes);
        core.group(job, &mut || None);
        answer.try_recv().unwrap().map(|appended| appended[0].accepted)
    };
    assert_eq!(append(&mut core, 0..10, 100), Ok(10));
    let writer = core.writer.as_ref().unwrap().connection();
    let pages: i64 = writer.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    writer.pragma_update(None, "max_page_count", pages + 2).unwrap();
    let full = append(&mut core, 10..20, 10_000).unwrap_err().to_string();
    assert!(full.contains("full"), "{full}");
    assert_eq!(core.ground.log.head(), 10);
    now_ms.store(2_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(append(&mut core, 10..20, 10_000), Ok(10));
    let firsts: Vec<u64> = core.ground.log.catalog.all().iter().map(|slice| slice.first).collect();
    assert_eq!((firsts, core.ground.log.head()), (vec![1, 11], 20));
}

#[test]
fn several_callers_share_a_transaction_in_the_order_they_came() {
    let directory = tempfile::tempdir().unwrap();
    let Cores { log: mut core, .. } = cores::open(Options::new(directory.path())).unwrap().cores;
    let wal_bytes =
        |core: &LogCore| files::file_bytes(&files::wal(&core.writer.as_ref().unwrap().slice.path));
    let before = wal_bytes(&core);
    let (first, _answer) = job(0..2, 10);
    let mut answers = Vec::new();
    let mut waiting: Vec<Job> = (1..5)
        .map(|caller| {
            let (job, answer) = job(caller * 10..caller * 10 + 2, 10);
            answers.push(answer);
            job
        })
        .rev()
        .collect();
    core.group(first, &mut || waiting.pop());
    assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap().is_ok()));
    let one_group = wal_bytes(&core) - before;
    assert!(one_group < 3 * 8192, "{one_group} bytes of WAL for five callers: they share their pages");
    assert_eq!(core.head, 10);
}
