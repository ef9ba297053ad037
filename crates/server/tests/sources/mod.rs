//! A real audit log, followed.

use crate::support::{Hitwire, Receiver, until};
use hitwire_server::{Config, SourceSpec, SourceStatus};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Records of a real ModSecurity, one a line.
fn records() -> Vec<Vec<u8>> {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../source/tests/data/modsecurity/blocking.jsonl");
    let bytes = fs::read(log).expect("the sample");
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Lines that are whole.
fn lines(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').count() as u64 - 1
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("opened");
    file.write_all(bytes).expect("written");
}

fn follow(path: &Path) -> impl FnOnce(&mut Config) {
    let spec = SourceSpec::parse(&format!("modsecurity:{}", path.display())).expect("a source");
    move |config| config.sources = vec![spec]
}

fn status(hitwire: &Hitwire) -> SourceStatus {
    hitwire.server().source_status().remove(0)
}

/// A server that is set up to follow a file, its receiver, and the file.
async fn following() -> (Hitwire, Receiver, PathBuf) {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    hitwire.subscribe(&receiver.url()).await;
    let log = hitwire.file("audit.log");
    hitwire.restart_with(follow(&log)).await;
    (hitwire, receiver, log)
}

async fn all_read(hitwire: &Hitwire, records: u64) {
    until(async || {
        let status = status(hitwire);
        status.caught_up && status.records + status.errors >= records
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_becomes_its_hits_exactly_once_across_restarts() {
    let (mut hitwire, receiver, log) = following().await;
    let records = records();
    let mut hits = 0;
    // Each part ends within a record, which the next part completes.
    let whole: Vec<u8> = records.concat();
    let cuts = [0, whole.len() / 5, whole.len() / 2 + 17, whole.len() * 4 / 5, whole.len()];
    for part in cuts.windows(2) {
        append(&log, &whole[part[0]..part[1]]);
        all_read(&hitwire, lines(&whole[..part[1]]) - lines(&whole[..part[0]])).await;
        hits += status(&hitwire).hits;
        hitwire.restart().await;
    }
    until(async || receiver.delivered().len() as u64 >= hits).await;
    hitwire.stop().await;
    let delivered = receiver.delivered();
    let distinct: BTreeSet<_> = delivered.iter().collect();
    assert!(hits > 200, "{hits} hits");
    assert_eq!((delivered.len() as u64, distinct.len() as u64), (hits, hits));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_file_repeats_and_loses_nothing() {
    let (mut hitwire, receiver, log) = following().await;
    let whole = records().concat();
    let mut expected = 0;
    for _ in 0..4 {
        append(&log, &whole);
        hitwire.restart().await;
    }
    until(async || status(&hitwire).caught_up).await;
    until(async || {
        let settled = hitwire.admin().get("/v2/integration/1/status").await.expect(200);
        // The making of the integration and the new source are events too.
        expected = settled["head"].as_u64().expect("a position").saturating_sub(2);
        settled["lanes"][1]["lag"]["events"] == 0
    })
    .await;
    hitwire.stop().await;
    let delivered = receiver.delivered();
    let distinct: BTreeSet<_> = delivered.iter().collect();
    assert_eq!(delivered.len(), distinct.len(), "positions make the ids of repeated records differ");
    assert_eq!(delivered.len() % 4, 0, "four times the same records");
    assert_eq!(delivered.len() as u64, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_no_record_is_counted_and_passed_over() {
    let (hitwire, receiver, log) = following().await;
    let records = records();
    append(&log, &records[0]);
    append(&log, b"this is no record\n{\"transaction\": 5}\n");
    append(&log, &records[1]);
    all_read(&hitwire, 4).await;
    let status = status(&hitwire);
    assert_eq!((status.records, status.errors), (2, 2), "{status:?}");
    until(async || receiver.delivered().len() as u64 == status.hits).await;
    let shown = hitwire.admin().get("/v1/sources").await.expect(200);
    let shown = &shown["sources"][0];
    assert_eq!(shown["name"], format!("modsecurity:{}", log.display()));
    assert_eq!(
        (&shown["records"], &shown["errors"], &shown["caught_up"]),
        (&2.into(), &2.into(), &true.into())
    );
    assert!(shown["last_record_at"].is_string(), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_there_yet_is_waited_for() {
    let (hitwire, receiver, log) = following().await;
    until(async || status(&hitwire).problem.is_some()).await;
    assert_eq!(status(&hitwire).problem.as_deref(), Some("the file is not there yet"));
    append(&log, &records()[..10].concat());
    all_read(&hitwire, 10).await;
    assert_eq!(status(&hitwire).problem, None);
    until(async || receiver.delivered().len() as u64 == status(&hitwire).hits).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_new_is_taken_if_the_operator_says_so() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    hitwire.subscribe(&receiver.url()).await;
    let log = hitwire.file("audit.log");
    let records = records();
    append(&log, &records[..20].concat());
    let set_up = follow(&log);
    hitwire
        .restart_with(|config| {
            set_up(config);
            config.sources[0].from_end = true;
        })
        .await;
    until(async || status(&hitwire).caught_up).await;
    append(&log, &records[20..25].concat());
    all_read(&hitwire, 5).await;
    assert_eq!(status(&hitwire).records, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_the_log_does_not_take_is_offered_again_after_the_disk_has_room() {
    let (mut hitwire, receiver, log) = following().await;
    hitwire.restart_with(|config| config.log.disk_floor_bytes = u64::MAX / 2).await;
    append(&log, &records()[..10].concat());
    until(async || status(&hitwire).problem.is_some_and(|problem| problem.contains("free"))).await;
    assert_eq!(status(&hitwire).records, 0);
    hitwire.restart_with(|config| config.log.disk_floor_bytes = 0).await;
    all_read(&hitwire, 10).await;
    let hits = status(&hitwire).hits;
    until(async || receiver.delivered().len() as u64 == hits).await;
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_told_at_the_start() {
    let mut hitwire = Hitwire::start().await;
    let log = hitwire.file("audit.log");
    File::create(&log).expect("made");
    hitwire.stop().await;
    let store =
        hitwire_store::SqliteStore::open(hitwire_store::Options::new(hitwire.data_dir())).expect("opened");
    let name = format!("modsecurity:{}", log.display());
    let append = hitwire_store::Append {
        checkpoint: Some((name.clone(), b"nonsense".to_vec())),
        ..Default::default()
    };
    hitwire_store::Store::commit(&store, vec![hitwire_store::Op::Append(append)]).await.expect("kept");
    hitwire_store::Store::close(&store).await.expect("closed");
    drop(store);
    let mut config = Config { data_dir: hitwire.data_dir().to_owned(), ..Config::default() };
    config.listen = ([127, 0, 0, 1], 0).into();
    follow(&log)(&mut config);
    let Err(error) = hitwire_server::Server::start(config).await else { panic!("started") };
    assert!(error.to_string().contains(&name), "{error}");
}
