//! One hostile client or host beside another client: what the other one sends is taken and delivered all the same, as often as it
//! likes, while the hostile side holds all that it can get. How fast is for `hitwire-bench hostile` to tell.

use crate::support::{PlainReceiver, RunningServer, TOKEN, hits, in_time, integration};
use http::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Calls of the other client, each followed to its receiver.
const ROUNDS: u64 = 20;

/// Descriptors of the test beside those of the slow heads.
const OTHER_DESCRIPTORS: u64 = 400;

async fn server(data: &tempfile::TempDir) -> RunningServer {
    RunningServer::start(data.path(), &["--allow-http"]).await
}

fn addr(server: &RunningServer) -> SocketAddr {
    server.url().strip_prefix("http://").expect("in clear").parse().expect("an address")
}

/// A call of the operator; the object of its answer.
async fn make(server: &RunningServer, path: &str, body: Value) -> Value {
    let api = server.api();
    let made: Value =
        api.request(Method::POST, path, body).await.expect("an answer").successful(&api).expect("made");
    made["body"]["object"].clone()
}

/// The hostile client: its id, and a token that sends events.
async fn hostile_client(server: &RunningServer) -> (u64, String) {
    let client = make(server, "/v1/clients", json!({"name": "hostile"})).await["id"].as_u64().expect("an id");
    let token = json!({"name": "hostile", "role": "ingest", "clientid": client});
    let token = make(server, "/v1/tokens", token).await["token"].as_str().expect("a token").to_owned();
    (client, token)
}

/// A figure of the metrics.
async fn figure(server: &RunningServer, series: &str) -> f64 {
    let answer = server.api().request(Method::GET, "/metrics", ()).await.expect("an answer");
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in {text}")).parse().expect("a number")
}

async fn until_refused(server: &RunningServer, share: &str) {
    let series = format!("hitwire_share_refusals_total{{share=\"{share}\"}}");
    let refused = async {
        while figure(server, &series).await < 1.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    in_time("a share to be used up", refused).await;
}

/// The other client: sends, and gets each event delivered, again and again.
async fn goes_on(server: &RunningServer, receiver: &mut PlainReceiver, run: &str) {
    for round in 0..ROUNDS {
        assert_eq!(server.accept(&hits::hits(run, 0, round * 10..round * 10 + 10)).await, (10, 0));
        receiver.until_received(&format!("{run}s0n{:0>10}", round * 10 + 9)).await;
    }
}

/// Takes requests and never answers.
async fn hanging_receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_four_hanging_integrations_of_one_client_leave_the_other_alone() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data).await;
    let mut receiver = PlainReceiver::start().await;
    integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
    let (client, token) = hostile_client(&server).await;
    let url = hanging_receiver().await;
    for _ in 0..34 {
        let target = json!({"url": url, "timeout": 300, "in_flight": 16, "max_events": 1});
        let body = json!({"clientid": client, "target": target, "events": [{"event": "siem"}]});
        make(&server, "/v2/integration", body).await;
    }
    let hostile =
        hitwire::api::Client::new(server.url(), Some(hitwire_store::Secret::new(&*token)), None).unwrap();
    for n in 0..16 {
        let mut event = hits::hit("hostile", 1, n);
        event["payloads"] = json!(["x".repeat(1_000_000)]);
        let answer =
            in_time("a large event", hostile.request(Method::POST, "/v1/events", event)).await.unwrap();
        assert_eq!(answer.status, 202);
    }
    until_refused(&server, "delivery_body_kib").await;
    until_refused(&server, "probe_body_kib").await;
    goes_on(&server, &mut receiver, "beside").await;
    let mut hanging = 0.0;
    for share in ["well", "probes"] {
        let series = format!("hitwire_delivery_requests_in_flight{{share=\"{share}\"}}");
        hanging += figure(&server, &series).await;
    }
    assert!(hanging > 8.0, "{hanging} requests still hang");
}

/// Begins a request, and sends a byte of it now and then; whenever it is ended, begins again.
async fn trickle(from: Ipv4Addr, to: SocketAddr, begin: Vec<u8>) {
    loop {
        let begun = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            let mut stream = socket.connect(to).await?;
            stream.write_all(&begin).await?;
            hold(&mut stream).await
        };
        // However it ends, there is another one.
        let _: std::io::Result<()> = begun.await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn hold(stream: &mut TcpStream) -> std::io::Result<()> {
    let (mut read, mut write) = stream.split();
    let mut answer = [0; 512];
    loop {
        tokio::select! {
            answered = read.read(&mut answer) => return answered.map(drop),
            () = tokio::time::sleep(Duration::from_secs(15)) => write.write_all(b" ").await?,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_bodies_that_never_end_leave_the_other_client_alone() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data).await;
    let mut receiver = PlainReceiver::start().await;
    integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
    let (_, token) = hostile_client(&server).await;
    let mut begin = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 8000000\r\n\r\n"
    )
    .into_bytes();
    begin.resize(begin.len() + 7_900_000, b' ');
    let mut hostile = JoinSet::new();
    for _ in 0..9 {
        hostile.spawn(trickle(Ipv4Addr::LOCALHOST, addr(&server), begin.clone()));
    }
    until_refused(&server, "body_kib").await;
    goes_on(&server, &mut receiver, "beside").await;
    // Large ones too: as much as one client can have is left.
    let mut large = hits::hits("large", 0, 0..6);
    for event in large.as_array_mut().unwrap() {
        event["payloads"] = json!(["x".repeat(1_000_000)]);
    }
    assert_eq!(server.accept(&large).await, (6, 0));
    receiver.until_received("larges0n0000000005").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_thousands_of_slow_heads_leaves_the_other_client_alone() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("raised");
    let descriptors = limit.maximum.unwrap_or(u64::MAX);
    // More than all connections that there are; fewer where descriptors are few, and then there are fewer connections too.
    let heads = 4_200.min(descriptors.saturating_sub(OTHER_DESCRIPTORS));
    let data = tempfile::tempdir().unwrap();
    let server = server(&data).await;
    let mut receiver = PlainReceiver::start().await;
    integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
    let begin = b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-slow: ".to_vec();
    let mut hostile = JoinSet::new();
    for _ in 0..heads {
        hostile.spawn(trickle(Ipv4Addr::new(127, 0, 0, 2), addr(&server), begin.clone()));
    }
    until_refused(&server, "connections").await;
    goes_on(&server, &mut receiver, "beside").await;
    let log = server.log();
    assert!(log.contains("a share is used up") && log.contains("127.0.0.2"), "{log}");
    let lines = log.lines().filter(|line| line.contains("a share is used up")).count();
    assert!(lines < 30, "{lines} lines");
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hitwire.toml");
    std::fs::write(&file, "[api]\nmax_body = \"40MiB\"\n").unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_hitwire"));
    command.arg("serve").arg("--config").arg(&file).arg("--data").arg(dir.path().join("data"));
    command.env("HITWIRE_ADMIN_TOKEN", TOKEN);
    let ended = in_time("serve to end", command.output()).await.unwrap();
    let words = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success());
    assert!(
        words.contains("api.bodies_in_flight") && words.contains("api.max_body 33554432 bytes or less"),
        "{words}"
    );
}
