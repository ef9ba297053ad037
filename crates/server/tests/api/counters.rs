//! `POST /v1/counters`.

use crate::support::{Hitwire, until};
use hitwire_event::{ClientId, Counter, Kind, Seq, Stream};
use hitwire_server::SourceSpec;
use hitwire_store::{Log, Options, Read, SqliteStore, StreamFrom};
use serde_json::json;

/// What the log of a hitwire that has stopped holds.
async fn counted(hitwire: &mut Hitwire) -> Vec<Counter> {
    hitwire.stop().await;
    let store = SqliteStore::open(Options::new(hitwire.data_dir())).expect("opened");
    let stream = Stream { client: ClientId::HITWIRE, kind: Kind::Counter };
    let read = Read {
        streams: vec![StreamFrom { stream, from: Seq::ZERO }],
        after: Seq::ZERO,
        through: None,
        max_events: 100,
        max_bytes: 1 << 20,
    };
    let page = store.read(read).await.expect("read");
    page.records.iter().map(|record| Counter::of(&record.event).expect("a counter")).collect()
}

#[tokio::test]
async fn counters_are_kept_once_for_each_id_and_shown_to_nobody() {
    let mut hitwire = Hitwire::start().await;
    let post = async |body: serde_json::Value| {
        hitwire.caller(crate::support::INGEST).send("POST", "/v1/counters", &body).await.expect(202)
    };
    assert_eq!(post(json!({"requests": 7})).await, json!({"accepted": 1, "duplicates": 0, "late": 0}));
    assert_eq!(post(json!({"requests": 7})).await["accepted"], 1, "without an id each call counts");
    let several = json!([{"requests": 1, "id": "a"}, {"requests": 2, "id": "b", "at": 1_700_000_000}]);
    assert_eq!(post(several).await, json!({"accepted": 2, "duplicates": 0, "late": 1}));
    assert_eq!(post(json!({"requests": 5, "id": "a"})).await["duplicates"], 1);
    assert_eq!(post(json!([])).await["accepted"], 0);
    let shown = hitwire.admin().get("/v1/events?after=0").await.expect(200);
    assert_eq!(shown["events"], json!([]));
    let requests: Vec<_> = counted(&mut hitwire).await.iter().map(|counter| counter.requests).collect();
    assert_eq!(requests, [7, 7, 1, 2]);
}

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_counted() {
    let mut hitwire = Hitwire::start().await;
    let admin = hitwire.admin();
    for (body, pointer) in [
        (json!({}), "/requests"),
        (json!([{"requests": 1}, {"requests": null}]), "/1/requests"),
        (json!({"requests": -1}), "/requests"),
        (json!({"requests": 1.5}), "/requests"),
        (json!([{"requests": 1}, {"requests": 1, "at": "now"}]), "/1/at"),
        (json!({"requests": 1, "id": ""}), "/id"),
        (json!({"requests": 1, "client": 2}), "/client"),
        (json!("many"), ""),
    ] {
        let problem = admin.send("POST", "/v1/counters", &body).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    admin.send_bytes("POST", "/v1/counters", &[], "{").await.expect(400);
    hitwire.nobody().send("POST", "/v1/counters", &json!({"requests": 1})).await.expect(401);
    assert_eq!(counted(&mut hitwire).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_counts_its_records_if_it_is_told_to() {
    let records = concat!(env!("CARGO_MANIFEST_DIR"), "/../source/tests/data/modsecurity/blocking.jsonl");
    for count_requests in [true, false] {
        let spec = SourceSpec::parse(&format!("modsecurity:{records}")).expect("a source");
        let spec = SourceSpec { count_requests, ..spec };
        let mut hitwire = Hitwire::start_with(|config| config.sources = vec![spec]).await;
        until(async || hitwire.server().source_status()[0].caught_up).await;
        let read = hitwire.server().source_status()[0].records;
        hitwire.restart().await;
        let requests: u64 = counted(&mut hitwire).await.iter().map(|counter| counter.requests).sum();
        assert_eq!(requests, if count_requests { read } else { 0 });
    }
}
