//! The values after real events and deliveries, who may read them, and the page that lists them.

use super::exposition::Exposition;
use crate::support::{Hitwire, INGEST, Receiver, ask, hit, hits, until};
use http::Request;
use http_body_util::Full;
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) async fn told(hitwire: &Hitwire) -> Exposition {
    let accept =
        ("accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2");
    let answer = hitwire.admin().send_bytes("GET", "/metrics", &[accept], "").await;
    assert_eq!(answer.status, 200);
    let kind = answer.headers["content-type"].to_str().expect("text");
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    Exposition::read(std::str::from_utf8(&answer.body).expect("UTF-8"))
}

/// Asks until a series has this value: what is looked at is told again for a few seconds.
pub(crate) async fn until_told(hitwire: &Hitwire, series: &str, value: f64) -> Exposition {
    loop {
        let told = told(hitwire).await;
        if told.samples.get(series) == Some(&value) {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// A hitwire that has every series but those of TLS: it has followed a source and sent something.
pub(crate) async fn everything() -> (Hitwire, Exposition) {
    let records = concat!(env!("CARGO_MANIFEST_DIR"), "/../source/tests/data/modsecurity/blocking.jsonl");
    let source = hitwire_server::SourceSpec::parse(&format!("modsecurity:{records}")).expect("a source");
    let hitwire = Hitwire::start_with(|config| config.sources = vec![source]).await;
    let series = format!("hitwire_source_caught_up{{source=\"modsecurity:{records}\"}}");
    let told = until_told(&hitwire, &series, 1.0).await;
    (hitwire, told)
}

#[tokio::test]
async fn events_are_counted_from_their_arrival_to_their_delivery() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..7)).await.expect(202);
    hitwire.send(&hits(0..7)).await.expect(202);
    hitwire.send(&json!({"object_type": "hit", "attack_id": 5})).await.expect(422);
    until(async || receiver.delivered().len() == 7).await;
    let series = format!("hitwire_integration_events_delivered_total{{integration=\"{id}\"}}");
    until_told(&hitwire, &series, 7.0).await;
    // The making of the integration is an event too.
    let of_hitwire = "hitwire_events_received_total{kind=\"system\",source=\"hitwire\"}";
    let told = until_told(&hitwire, of_hitwire, 1.0).await;
    for (series, value) in [
        ("hitwire_events_received_total{kind=\"siem\",source=\"api\"}", 7.0),
        ("hitwire_events_duplicate_total{source=\"api\"}", 7.0),
        ("hitwire_ingest_requests_total{outcome=\"accepted\"}", 2.0),
        ("hitwire_ingest_requests_total{outcome=\"invalid\"}", 1.0),
        ("hitwire_delivery_events_total{outcome=\"delivered\"}", 7.0),
        ("hitwire_delivery_events_total{outcome=\"sick\"}", 0.0),
        ("hitwire_log_head", 8.0),
        ("hitwire_integrations{state=\"active\"}", 1.0),
        ("hitwire_api_connections", 1.0),
        ("hitwire_log_slices", 1.0),
        ("hitwire_events_lost_total{fate=\"dead\",reason=\"gave_up\"}", 0.0),
    ] {
        assert!((told.value(series) - value).abs() < f64::EPSILON, "{series} {}", told.value(series));
    }
    let batches = told.value("hitwire_delivery_batches_total{outcome=\"delivered\"}");
    let timed = told.value("hitwire_delivery_duration_seconds_count{outcome=\"delivered\"}");
    assert!(batches >= 1.0 && (batches - timed).abs() < f64::EPSILON);
    let bodies: usize = receiver.received().iter().map(|received| received.body.len()).sum();
    let sent = told.value("hitwire_delivery_bytes_total{outcome=\"delivered\"}");
    assert!((sent - bodies as f64).abs() < f64::EPSILON);
    assert!(told.value("hitwire_log_commit_duration_seconds_count") >= 2.0);
    assert!((told.value("hitwire_log_commit_events_sum") - 8.0).abs() < f64::EPSILON);
    assert!(told.value("hitwire_log_size_bytes") > 4_096.0);
    assert!(told.value("process_resident_memory_bytes") > 1e6);
}

#[tokio::test]
async fn what_is_behind_is_told_by_the_state_of_its_lane() {
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    until_told(&hitwire, "hitwire_lanes{lane=\"bulk\",state=\"caught_up\"}", 1.0).await;
    hitwire.send(&hits(0..3)).await.expect(202);
    let series = "hitwire_lane_lag_events{lane=\"bulk\",state=\"waiting\"}";
    let told = until_told(&hitwire, series, 3.0).await;
    assert!((told.value("hitwire_lanes{lane=\"bulk\",state=\"waiting\"}") - 1.0).abs() < f64::EPSILON);
    assert!((told.value("hitwire_integrations_failing") - 1.0).abs() < f64::EPSILON);
    let of_it = |name: &str| told.value(&format!("hitwire_integration_{name}{{integration=\"{id}\"}}"));
    assert!((of_it("lag_events") - 3.0).abs() < f64::EPSILON);
    assert!(of_it("failures_in_a_row") >= 1.0);
    assert!(of_it("lag_seconds") > 0.0);
    assert!(told.value("hitwire_delivery_batches_total{outcome=\"sick\"}") >= 1.0);
    assert!(told.value("hitwire_lanes_not_measured") < 1.0);

    hitwire
        .admin()
        .send("PUT", &format!("/v2/integration/{id}"), &json!({"active": false}))
        .await
        .expect(200);
    let told = until_told(&hitwire, "hitwire_integrations{state=\"disabled_by_user\"}", 1.0).await;
    assert!((told.value("hitwire_lanes{lane=\"bulk\",state=\"disabled\"}") - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn what_the_guard_refuses_is_told_by_its_rule() {
    let receiver = Receiver::start().await;
    let mut hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.restart_with(|config| config.allow_targets.clear()).await;
    hitwire.send(&hit(1)).await.expect(202);
    let attempts = async || {
        let told = told(&hitwire).await;
        told.value("hitwire_guard_refusals_total{rule=\"loopback\"}") >= 1.0
    };
    until(attempts).await;
    assert!(receiver.received().is_empty());
    let told = told(&hitwire).await;
    assert!(told.value("hitwire_delivery_failures_total{cause=\"guard\"}") >= 1.0);
    assert!(told.value("hitwire_delivery_failures_total{cause=\"tls\"}") < 1.0);
    hitwire.admin().call("DELETE", &format!("/v2/integration/{id}")).await;
    let gone = async || {
        let told = self::told(&hitwire).await;
        !told.samples.keys().any(|series| series.contains(&format!("integration=\"{id}\"")))
    };
    until(gone).await;
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_is_told_by_its_class() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    hitwire.subscribe(&receiver.url().replace("http://", "https://")).await;
    hitwire.send(&hit(1)).await.expect(202);
    until(async || {
        let told = told(&hitwire).await;
        told.value("hitwire_delivery_tls_errors_total{class=\"not_tls\"}") >= 1.0
    })
    .await;
}

#[tokio::test]
async fn only_operators_read_metrics_on_the_api() {
    let hitwire = Hitwire::start().await;
    hitwire.nobody().get("/metrics").await.expect(401);
    hitwire.caller(INGEST).get("/metrics").await.expect(403);
    told(&hitwire).await;
}

#[tokio::test]
async fn a_listener_of_their_own_tells_metrics_and_nothing_else_without_a_token() {
    let listen = Some(([127, 0, 0, 1], 0).into());
    let hitwire = Hitwire::start_with(|config| config.metrics_listen = listen).await;
    let url = hitwire.server().metrics_url().expect("it listens");
    let addr = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/metrics")).expect("an address");
    let get = |path: &str| {
        let request = Request::get(path)
            .header("host", addr)
            .header("accept", "application/openmetrics-text")
            .body(Full::default())
            .expect("a request");
        ask(addr.parse().expect("an address"), request)
    };
    let answer = get("/metrics").await;
    assert_eq!(answer.status, 200);
    let told = Exposition::read(std::str::from_utf8(&answer.body).expect("UTF-8"));
    assert!(told.value("hitwire_log_head") < 1.0);
    get("/healthz").await.expect(200);
    get("/v2/integration").await.expect(404);
    get("/v1/sources").await.expect(404);
}

#[tokio::test]
async fn who_does_not_ask_for_openmetrics_gets_the_older_format_with_the_same_samples() {
    let hitwire = Hitwire::start().await;
    let answer = hitwire.admin().get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = std::str::from_utf8(&answer.body).expect("UTF-8");
    let families: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let known = |name: &str| families.iter().any(|family| family.split(' ').next() == Some(name));
    let mut samples = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let of_histogram =
            ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end).is_some_and(known));
        assert!(known(name) || of_histogram, "{line}");
        samples += 1;
    }
    assert!(samples > 100 && families.contains("hitwire_build_info gauge"), "{text}");
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
}

/// The names in the first column of the page's tables.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../../../../docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name.to_owned()).collect()
}

#[tokio::test]
async fn the_page_lists_every_series_and_no_other() {
    let (_hitwire, told) = everything().await;
    let mut names: BTreeSet<String> = told
        .families
        .iter()
        .map(|(name, family)| match &*family.kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        })
        .collect();
    // There only when TLS is served, which the callers of these tests do not speak.
    names.insert("hitwire_api_certificate_expiry_timestamp_seconds".to_owned());
    assert_eq!(names, documented());
}
