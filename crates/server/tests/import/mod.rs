//! A whole file through the API.

use crate::support::{Hitwire, INGEST};
use hitwire_event::ClientId;
use hitwire_server::import::{Chunk, ModSecurityFile, Summary};
use hitwire_source::Settings;
use std::fs;
use std::io::BufReader;
use std::path::Path;

fn log() -> Vec<u8> {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../source/tests/data/modsecurity/blocking.jsonl");
    fs::read(log).expect("the sample")
}

fn read(log: &[u8]) -> (Vec<Chunk>, Summary) {
    let settings = Settings { client: ClientId(1), ..Settings::default() };
    let mut file = ModSecurityFile::new(BufReader::new(log), settings);
    let mut chunks = Vec::new();
    while let Some(chunk) = file.next_chunk().expect("read") {
        chunks.push(chunk);
    }
    (chunks, file.summary().clone())
}

/// Sends the chunks and answers how many events were accepted, and how many were duplicates.
async fn send(hitwire: &Hitwire, chunks: Vec<Chunk>) -> (u64, u64) {
    let (mut accepted, mut duplicates) = (0, 0);
    for chunk in chunks {
        let lines = [("content-type", "application/x-ndjson")];
        let answer =
            hitwire.caller(INGEST).send_bytes("POST", "/v1/events", &lines, chunk.body).await.expect(202);
        accepted += answer["accepted"].as_u64().expect("a number");
        duplicates += answer["duplicates"].as_u64().expect("a number");
    }
    (accepted, duplicates)
}

#[tokio::test]
async fn a_file_that_is_imported_twice_makes_no_new_events() {
    let hitwire = Hitwire::start().await;
    let (chunks, summary) = read(&log());
    let hits = summary.hits_total();
    assert_eq!(chunks.iter().map(|chunk| chunk.events as u64).sum::<u64>(), hits);
    assert!(summary.records == 262 && summary.blocked > 200 && summary.errors == 0, "{summary:?}");
    assert_eq!(send(&hitwire, chunks).await, (hits, 0));
    assert_eq!(send(&hitwire, read(&log()).0).await, (0, hits));
}

#[test]
fn a_line_that_is_no_record_is_told_with_its_place() {
    let log = log();
    let first = log.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let damaged = [&log[..first], b"no record\n", &log[first..]].concat();
    let (_, summary) = read(&damaged);
    assert_eq!((summary.records, summary.errors), (262, 1));
    assert_eq!(summary.problems[0].0, first as u64);
}
