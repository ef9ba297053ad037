//! How much is written for what couriers do.

#![allow(clippy::print_stdout)]

use crate::support::{
    Bench, ONE, append, attempt, commit, create, hits, lane_at, loaded, open_batch, progress,
};
use hitwire_courier::{Attempt, Progress, Unsettled, Verdict};
use hitwire_event::{Kind, Lane, Seq, WebhookId};
use hitwire_store::Op;
use std::fs;

/// Batches that are settled.
const BATCHES: u64 = 50;

#[tokio::test]
async fn a_settled_batch_writes_few_bytes_into_the_wal_of_the_state() {
    let bench = Bench::new(true);
    let store = bench.start();
    let id = create(&store, ONE, &[Kind::Hit]).await.id;
    append(&store, hits(1..=1_000)).await;
    let token = loaded(&store, id).await;
    let wal_bytes = || fs::metadata(bench.path().join("state.db-wal")).unwrap().len();
    let before = wal_bytes();
    for batch in 0..BATCHES {
        let (first, last) = (batch * 10 + 1, batch * 10 + 10);
        let mut lane = lane_at(batch * 10);
        lane.open = vec![Unsettled { batch: open_batch(first, last), settled_behind: 0, refusal: None }];
        let sent = Attempt {
            webhook_id: WebhookId(format!("msg_{first:032}").into()),
            first: Seq(first),
            last: Seq(last),
            status: Some(200),
            verdict: Verdict::Delivered,
            error: None,
            ..attempt(1)
        };
        let step = Progress { lanes: vec![(Lane::Bulk, lane)], attempts: vec![sent], ..progress(id) };
        commit(&store, Op::Save(token, step)).await;
    }
    let each = (wal_bytes() - before) / BATCHES;
    println!("{each} bytes of the state's WAL for each settled batch");
    assert!(each <= 5_000, "{each} bytes");
}
