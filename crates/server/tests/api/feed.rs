//! Events read back: in pages and as a stream.

use crate::support::{Caller, Hitwire, INGEST, hit, hits};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

async fn events(caller: &Caller, query: &str) -> Value {
    caller.get(&format!("/v1/events{query}")).await.expect(200)
}

fn positions(page: &Value) -> Vec<u64> {
    page["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["seq"].as_u64().expect("a position"))
        .collect()
}

fn finding(risk: &str) -> Value {
    json!({"object_type": "vuln", "title": "No HSTS", "threat": risk, "domain": "example.com", "type": "Info"})
}

/// A stream, line by line.
struct Stream {
    body: Incoming,
    text: Vec<u8>,
}

impl Stream {
    async fn open(caller: &Caller, query: &str) -> Stream {
        let stream = TcpStream::connect(caller.addr).await.expect("connected");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        let request = Request::get(format!("/v1/events{query}"))
            .header("host", caller.addr.to_string())
            .header("authorization", format!("Bearer {}", caller.token.as_deref().expect("a token")))
            .body(Full::<Bytes>::default())
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        // The connection lives as long as the answer.
        std::mem::forget(sender);
        Stream { body: response.into_body(), text: Vec::new() }
    }

    /// The next event; none at the stream's end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = self.text.drain(..=end).collect();
                if line != b"\n" {
                    return Some(serde_json::from_slice(&line).expect("an event"));
                }
                continue;
            }
            let frame = self.body.frame().await?.expect("the stream goes on");
            self.text.extend_from_slice(&frame.into_data().expect("data"));
        }
    }
}

#[tokio::test]
async fn events_are_read_back_in_pages() {
    let hitwire = Hitwire::start().await;
    hitwire.send(&hits(0..5)).await.expect(202);
    let first = events(&hitwire.admin(), "?after=0&limit=2").await;
    assert_eq!((positions(&first), &first["next"]), (vec![1, 2], &json!(2)));
    let event = &first["events"][0];
    assert_eq!(event["kind"], "siem");
    assert_eq!(event["body"]["object_type"], "hit");
    assert!(event["appended_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{event}");
    assert!(event["id"].as_str().is_some_and(|id| !id.is_empty()), "{event}");
    let rest = events(&hitwire.admin(), &format!("?after={}", first["next"])).await;
    assert_eq!(positions(&rest), [3, 4, 5]);
    let none = events(&hitwire.admin(), &format!("?after={}", rest["next"])).await;
    assert!(positions(&none).is_empty());
    assert_eq!(none["next"], rest["next"]);
}

#[tokio::test]
async fn the_newest_events_are_found_behind_a_flood_of_others() {
    let hitwire = Hitwire::start().await;
    hitwire.send(&json!([finding("Low"), finding("High")])).await.expect(202);
    hitwire.send(&hits(0..3_000)).await.expect(202);
    assert_eq!(positions(&events(&hitwire.admin(), "?tail=3").await), [3_000, 3_001, 3_002]);
    assert_eq!(positions(&events(&hitwire.admin(), "").await).len(), 50);
    let findings = events(&hitwire.admin(), "?tail=10&kind=vuln").await;
    assert_eq!((positions(&findings), &findings["next"]), (vec![1, 2], &json!(3_002)));
    assert_eq!(positions(&events(&hitwire.admin(), "?tail=1&kind=security_issue_low,scope").await), [1]);
    assert!(positions(&events(&hitwire.admin(), "?tail=0").await).is_empty());
    assert_eq!(positions(&events(&hitwire.admin(), "?after=0&kind=security_issue_high").await), [2]);
}

#[tokio::test]
async fn a_stream_begins_with_the_newest_events_and_goes_on_with_what_comes() {
    let hitwire = Hitwire::start().await;
    hitwire.send(&hits(0..3)).await.expect(202);
    let mut stream = Stream::open(&hitwire.admin(), "?follow=true&tail=2&kind=siem").await;
    for seq in [2, 3] {
        assert_eq!(stream.next().await.expect("an event")["seq"], seq);
    }
    hitwire.send(&finding("Low")).await.expect(202);
    hitwire.send(&hit(7)).await.expect(202);
    assert_eq!(stream.next().await.expect("an event")["seq"], 5, "the finding was not asked for");
    let mut from = Stream::open(&hitwire.admin(), "?follow=true&after=3").await;
    assert_eq!(from.next().await.expect("an event")["kind"], "security_issue_low");
    assert_eq!(from.next().await.expect("an event")["seq"], 5);
}

#[tokio::test]
async fn a_stream_ends_when_hitwire_stops_and_goes_on_after_the_restart() {
    let mut hitwire = Hitwire::start().await;
    let mut stream = Stream::open(&hitwire.admin(), "?follow=true").await;
    hitwire.send(&hit(1)).await.expect(202);
    let seq = stream.next().await.expect("an event")["seq"].clone();
    let stopping = async { hitwire.stop().await };
    let (end, ()) = tokio::join!(stream.next(), stopping);
    assert_eq!(end, None);
    hitwire.restart().await;
    hitwire.send(&hit(2)).await.expect(202);
    let mut again = Stream::open(&hitwire.admin(), &format!("?follow=true&after={seq}")).await;
    assert_eq!(again.next().await.expect("an event")["body"]["object_type"], "hit");
}

#[tokio::test]
async fn streams_are_bounded_and_leave_room_when_they_end() {
    let hitwire = Hitwire::start().await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(Stream::open(&hitwire.admin(), "?follow=true").await);
    }
    let refused = hitwire.admin().get("/v1/events?follow=true").await;
    assert_eq!(refused.headers["retry-after"], "10");
    refused.expect(429);
    events(&hitwire.admin(), "?tail=1").await;
}

#[tokio::test]
async fn who_only_sends_events_reads_none_and_what_cannot_be_is_refused() {
    let hitwire = Hitwire::start().await;
    hitwire.caller(INGEST).get("/v1/events").await.expect(403);
    hitwire.nobody().get("/v1/events?follow=true").await.expect(401);
    for query in [
        "?tail=1001",
        "?limit=0&after=0",
        "?limit=5",
        "?after=1&tail=1",
        "?follow=yes",
        "?kind=nonsense",
        "?until=1",
        "?after=1&limit=1&follow=true",
    ] {
        hitwire.admin().get(&format!("/v1/events{query}")).await.expect(400);
    }
    hitwire.admin().get("/v1/events?clientid=2").await.expect(404);
}
