//! What one client or one host takes does not keep others from what they need. Nothing here is about time: the hostile side
//! holds what it has until the end, so that what others get, they get beside it.

use crate::support::{Hitwire, Receiver, hit, hits, until};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// A client with a token that may send events.
struct Tenant {
    id: u64,
    token: String,
}

impl Tenant {
    async fn new(hitwire: &Hitwire, name: &str) -> Tenant {
        let id = hitwire.new_client(name).await;
        let token = hitwire.new_token(&json!({"name": name, "role": "ingest", "clientid": id})).await;
        Tenant { id, token }
    }

    /// An integration of this client for hits.
    async fn subscribe(&self, hitwire: &Hitwire, mut target: Value, receiver: &Receiver) {
        target["url"] = receiver.url().into();
        hitwire.create(&json!({"clientid": self.id, "target": target, "events": [{"event": "siem"}]})).await;
    }

    /// Sends events, which must be accepted at once.
    async fn send(&self, hitwire: &Hitwire, events: &Value) {
        hitwire.caller(&self.token).send("POST", "/v1/events", events).await.expect(202);
    }
}

/// How often somebody found a share used up.
async fn refusals(hitwire: &Hitwire, share: &str) -> u64 {
    let metrics = hitwire.admin().get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).expect("text");
    let line = format!("hitwire_share_refusals_total{{share=\"{share}\"}} ");
    let value = text.lines().find_map(|told| told.strip_prefix(&line)).expect("the series");
    value.parse().expect("a number")
}

/// A connection from an address of this machine.
async fn connect_from(address: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((address, 0).into()).expect("bound");
    socket.connect(to).await.expect("connected")
}

/// Whether the other side has closed a connection on which it had nothing to say.
fn is_closed(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; 64]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_large_requests_hang_does_not_delay_the_deliveries_of_another() {
    let hitwire = Hitwire::start().await;
    let (hostile, other) = (Tenant::new(&hitwire, "hostile").await, Tenant::new(&hitwire, "other").await);
    let (hanging, well) = (Receiver::start().await, Receiver::start().await);
    hanging.hold(true);
    for _ in 0..34 {
        let target = json!({"timeout": 300, "in_flight": 16, "max_events": 1});
        hostile.subscribe(&hitwire, target, &hanging).await;
    }
    other.subscribe(&hitwire, json!({}), &well).await;
    // Two requests of each of the 34 are more than all the memory for bodies of endpoints that are well.
    for number in 0..17 {
        let mut event = hit(number);
        event["payloads"] = json!(["x".repeat(1_040_000)]);
        hostile.send(&hitwire, &event).await;
    }
    until(async || refusals(&hitwire, "delivery_body_kib").await > 0).await;
    until(async || refusals(&hitwire, "probe_body_kib").await > 0).await;
    until(async || hanging.received().len() >= 40).await;

    for round in 0..20 {
        other.send(&hitwire, &hits(100 + round * 10..110 + round * 10)).await;
    }
    well.until_objects(200).await;
    assert!(hanging.received().len() < 64, "what the hostile client has under way is its share");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_many_slow_heads_leaves_connections_to_the_others() {
    let hitwire = Hitwire::start_with(|config| config.api.connections_max = 100).await;
    let mut slow = Vec::new();
    for _ in 0..105 {
        let mut stream = connect_from(Ipv4Addr::new(127, 0, 0, 2), hitwire.server().addr()).await;
        // One that is closed already may refuse it.
        let _ = stream.write_all(b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
        slow.push(stream);
    }
    until(async || slow.iter().filter(|stream| is_closed(stream)).count() >= 55).await;

    for number in 0..20 {
        hitwire.send(&hit(number)).await.expect(202);
    }
    let open = slow.iter().filter(|stream| !is_closed(stream)).count();
    assert_eq!(open, 50, "half of all places, still held");
    assert_eq!(refusals(&hitwire, "connections").await, 55);
}

#[tokio::test]
async fn a_trusted_proxy_may_take_more_than_the_share_of_an_address() {
    let hitwire = Hitwire::start_with(|config| {
        config.api.connections_max = 20;
        config.console.proxies = vec!["127.0.0.2/32".parse().expect("a network")];
    })
    .await;
    let mut of_proxy = Vec::new();
    for _ in 0..15 {
        of_proxy.push(connect_from(Ipv4Addr::new(127, 0, 0, 2), hitwire.server().addr()).await);
    }
    hitwire.nobody().get("/healthz").await.expect(200);
    assert!(!of_proxy.iter().any(is_closed), "more than half of all places");
    assert_eq!(refusals(&hitwire, "connections").await, 0);
}

/// Begins a body of 8 MB, and keeps sending a byte now and then instead of its end; whenever that is ended, it begins again.
async fn hold_a_large_body(addr: SocketAddr, token: String) {
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 8000000\r\n\r\n"
    );
    loop {
        let Ok(mut stream) = TcpStream::connect(addr).await else { continue };
        let mut sent = stream.write_all(head.as_bytes()).await;
        if sent.is_ok() {
            sent = stream.write_all(&vec![b' '; 7_900_000]).await;
        }
        while sent.is_ok() && !is_closed(&stream) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sent = stream.write_all(b" ").await;
        }
    }
}

/// A figure that stands alone in the metrics.
async fn figure(hitwire: &Hitwire, name: &str) -> u64 {
    let metrics = hitwire.admin().get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).expect("the series");
    value.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_holds_large_bodies_leaves_room_for_those_of_another() {
    let hitwire = Hitwire::start().await;
    let (hostile, other) = (Tenant::new(&hitwire, "hostile").await, Tenant::new(&hitwire, "other").await);
    let mut holding = JoinSet::new();
    for _ in 0..9 {
        holding.spawn(hold_a_large_body(hitwire.server().addr(), hostile.token.clone()));
    }
    until(async || refusals(&hitwire, "body_kib").await > 0).await;
    for round in 0..3 {
        until(async || figure(&hitwire, "hitwire_api_bodies_in_memory_bytes").await > 24 << 20).await;
        let mut events = hits(round * 10..round * 10 + 7);
        for event in events.as_array_mut().expect("a list") {
            event["payloads"] = json!(["x".repeat(1_000_000)]);
        }
        other.send(&hitwire, &events).await;
        other.send(&hitwire, &hit(100 + round)).await;
    }
    holding.abort_all();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_without_end_waits_for_its_own_share_of_calls() {
    let hitwire = Hitwire::start().await;
    let client = hitwire.new_client("hostile").await;
    let token = hitwire.new_token(&json!({"name": "x", "role": "admin", "clientid": client})).await;
    let mut asking = JoinSet::new();
    for _ in 0..80 {
        let caller = hitwire.caller(&token);
        asking.spawn(async move {
            loop {
                caller.get("/v1/activity?object_type=none").await.expect(200);
            }
        });
    }
    until(async || refusals(&hitwire, "calls").await > 0).await;
    for number in 0..20 {
        hitwire.send(&hit(number)).await.expect(202);
        hitwire.admin().get("/v2/integration/overview").await.expect(200);
    }
    asking.abort_all();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_tries_tokens_without_end_waits_for_its_own_share_of_lookups() {
    let hitwire = Hitwire::start().await;
    let addr = hitwire.server().addr();
    let token = hitwire.new_token(&json!({"name": "x", "role": "ingest"})).await;
    let mut trying = JoinSet::new();
    for _ in 0..60 {
        trying.spawn(async move {
            for number in 0.. {
                let mut stream = connect_from(Ipv4Addr::new(127, 0, 0, 2), addr).await;
                let head = format!(
                    "GET /v1/sources HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {number:0>64}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.expect("sent");
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.expect("an answer");
                assert!(answer.starts_with(b"HTTP/1.1 401"));
            }
        });
    }
    until(async || refusals(&hitwire, "token_lookups").await > 0).await;
    for number in 0..20 {
        hitwire.caller(&token).send("POST", "/v1/events", &hit(number)).await.expect(202);
    }
    trying.abort_all();
}
