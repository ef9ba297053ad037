//! What one hostile client or host costs another client: ingest and deliveries of the other one alone, then beside it.

use crate::http::{self, Connection};
use crate::load::Loaded;
use crate::receive::Received;
use crate::run::{Receiver, Server, TOKEN, measure};
use crate::table::{Table, count, micros};
use crate::{Failure, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// Integrations of the hostile client, each with so many requests under way, each with one event of a megabyte.
const HANGING: usize = 34;
const HANGING_REQUESTS: u32 = 16;
const EVENT_BYTES: usize = 1_000_000;

/// Bodies that never end.
const SLOW_BODIES: usize = 9;
const SLOW_BODY_BYTES: usize = 8_000_000;
const SLOW_BYTE_EACH: Duration = Duration::from_secs(15);

/// Heads that never end, and from where they come: not from where the other client's load does.
const SLOW_HEADS: u64 = 4_200;
const SLOW_HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Descriptors that are needed beside the slow heads.
const OTHER_DESCRIPTORS: u64 = 100;

/// How long the hostile side has until all that it can hold is held.
const SETTLE: Duration = Duration::from_secs(5);

/// Events a second for the times; connections for it, and for the throughput.
const RATE: &str = "200";
const CONNECTIONS: &str = "16";

/// A client with a token that sends events.
struct Tenant {
    id: u64,
    token: String,
}

/// What the other client sees.
struct Seen {
    times: (Loaded, Received),
    throughput: (f64, f64),
}

/// The hostile side, until it is dropped.
struct Hostile {
    runtime: Option<Runtime>,
    _receiver: Option<Receiver>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Begins to be hostile to a server, as a client of it.
type Begin = fn(&Place<'_>, &Server, &Tenant) -> Result<Hostile, Failure>;

/// Where everything is.
struct Place<'a> {
    me: &'a Path,
    dir: &'a Path,
}

/// `hitwire-bench hostile`
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let seconds = if options.has("quick") { 5 } else { 20 };
    let me = std::env::current_exe()?;
    let program = options.text("server").map_or_else(|| me.with_file_name("hitwire"), PathBuf::from);
    let base = options.text("dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::Builder::new().prefix("hitwire-bench-").tempdir_in(base)?;
    let place = Place { me: &me, dir: dir.path() };
    let mut receiver = Receiver::start(&me, dir.path())?;
    let mut table = Table::default();
    let scenarios: [(&str, Begin); 3] = [
        ("a client with 34 hanging integrations, 16 requests of 1 MB each", hanging_integrations),
        ("a client with nine bodies of 8 MB, at a byte each 15 s", slow_bodies),
        ("a host with 4,200 slow heads", slow_heads),
    ];
    for (number, (title, begin)) in scenarios.into_iter().enumerate() {
        table.section(&format!("another client, alone and beside {title}"));
        let server = Server::start(&program, &dir.path().join(format!("data-{number}")))?;
        let (hostile, other) = (Tenant::new(&server, "hostile")?, Tenant::new(&server, "other")?);
        other.subscribe(&server, &receiver, json!({}))?;
        // The first seconds of a server are not like the others.
        seen(&place, &server, &mut receiver, &other, 2)?;
        let alone = seen(&place, &server, &mut receiver, &other, seconds)?;
        let held = begin(&place, &server, &hostile)?;
        std::thread::sleep(SETTLE);
        let beside = seen(&place, &server, &mut receiver, &other, seconds)?;
        drop(held);
        compare(&mut table, &alone, &beside);
    }
    print!("{table}");
    Ok(())
}

fn seen(
    place: &Place<'_>,
    server: &Server,
    receiver: &mut Receiver,
    other: &Tenant,
    seconds: u64,
) -> Result<Seen, Failure> {
    let steady = ["--batch", "1", "--connections", CONNECTIONS, "--rate", RATE];
    let times = measure(place.me, server, &other.token, receiver, &steady, seconds)?;
    let began_ns = crate::hit::now_ns();
    let flood = ["--batch", "10", "--connections", CONNECTIONS];
    let (loaded, received) = measure(place.me, server, &other.token, receiver, &flood, seconds)?;
    let delivered_s = received.last_ns.saturating_sub(began_ns) as f64 / 1e9;
    let throughput = (loaded.acknowledged as f64 / loaded.seconds, received.events as f64 / delivered_s);
    Ok(Seen { times, throughput })
}

/// What a row is called, and where it is found.
type Row<T> = (&'static str, fn(&Seen) -> T);

fn compare(table: &mut Table, alone: &Seen, beside: &Seen) {
    let times: [Row<u64>; 4] = [
        ("ingest, p50", |seen| seen.times.0.ack_p50_us),
        ("ingest, p99", |seen| seen.times.0.ack_p99_us),
        ("deliveries, p50", |seen| seen.times.1.p50_us),
        ("deliveries, p99", |seen| seen.times.1.p99_us),
    ];
    for (what, of) in times {
        let (alone, beside) = (of(alone), of(beside));
        let ratio = beside as f64 / alone.max(1) as f64;
        table.row(what, format!("{:>12}  {:>12}  x {ratio:.2}", micros(alone), micros(beside)));
    }
    let rates: [Row<f64>; 2] = [
        ("acknowledged events a second", |seen| seen.throughput.0),
        ("delivered events a second", |seen| seen.throughput.1),
    ];
    for (what, of) in rates {
        let (alone, beside) = (of(alone), of(beside));
        // As for times: above 1 is worse.
        let ratio = alone / beside.max(1.0);
        table.row(what, format!("{:>12}  {:>12}  x {ratio:.2}", count(alone), count(beside)));
    }
    let lost = [("alone", alone), ("beside", beside)].into_iter().filter(|(_, seen)| {
        let (loaded, received) = &seen.times;
        loaded.refused > 0 || received.events != loaded.acknowledged
    });
    for (which, Seen { times: (loaded, received), .. }) in lost {
        table.row(
            "",
            format!(
                "NOTE: {which}, {} acknowledged, {} received, {} requests refused",
                loaded.acknowledged, received.events, loaded.refused
            ),
        );
    }
}

impl Tenant {
    fn new(server: &Server, name: &str) -> Result<Tenant, Failure> {
        let client = ask(server, "/v1/clients", &json!({"name": name}))?;
        let id = client["id"].as_u64().ok_or("a client without id")?;
        let token = ask(server, "/v1/tokens", &json!({"name": name, "role": "ingest", "clientid": id}))?;
        let token = token["token"].as_str().ok_or("a token without its text")?.to_owned();
        Ok(Tenant { id, token })
    }

    /// Makes an integration for hits, with settings beside where it sends.
    fn subscribe(&self, server: &Server, receiver: &Receiver, mut target: Value) -> Result<(), Failure> {
        target["url"] = receiver.url.clone().into();
        target["ca_file"] = receiver.ca_pem.clone().into();
        let integration = json!({"clientid": self.id, "target": target, "events": [{"event": "siem"}]});
        ask(server, "/v2/integration", &integration).map(drop)
    }
}

/// A call of the administrator; the object of its answer.
fn ask(server: &Server, path: &str, body: &Value) -> Result<Value, Failure> {
    let body = body.to_string();
    let request = http::head("POST", path, TOKEN, body.len()) + &body;
    let mut connection = Connection::to(&server.addr)?;
    let answer = connection.ask(request.as_bytes())?;
    if answer.status != 200 {
        let words = String::from_utf8_lossy(answer.body);
        return Err(format!("{path}: {} {words}", answer.status).into());
    }
    Ok(serde_json::from_slice::<Value>(answer.body)?["body"]["object"].take())
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

fn hanging_integrations(place: &Place<'_>, server: &Server, hostile: &Tenant) -> Result<Hostile, Failure> {
    let dir = place.dir.join("hanging");
    std::fs::create_dir_all(&dir)?;
    let mut receiver = Receiver::start(place.me, &dir)?;
    receiver.tell("hang")?;
    for _ in 0..HANGING {
        let target = json!({"timeout": 300, "in_flight": HANGING_REQUESTS, "max_events": 1});
        hostile.subscribe(server, &receiver, target)?;
    }
    let mut connection = Connection::to(&server.addr)?;
    for number in 0..HANGING_REQUESTS {
        let event = json!({"object_type": "hit", "type": "sqli", "request_id": format!("hostile-{number}"),
            "payloads": ["x".repeat(EVENT_BYTES)]});
        let body = event.to_string();
        let request = http::head("POST", "/v1/events", &hostile.token, body.len()) + &body;
        let answer = connection.ask(request.as_bytes())?;
        if answer.status != 202 {
            return Err(format!("the hostile client's event: {}", answer.status).into());
        }
    }
    Ok(Hostile { runtime: None, _receiver: Some(receiver) })
}

fn slow_bodies(_place: &Place<'_>, server: &Server, hostile: &Tenant) -> Result<Hostile, Failure> {
    let runtime = runtime()?;
    let addr: SocketAddr = server.addr.parse()?;
    let head = http::head("POST", "/v1/events", &hostile.token, SLOW_BODY_BYTES).into_bytes();
    for _ in 0..SLOW_BODIES {
        let mut begin = head.clone();
        begin.resize(head.len() + SLOW_BODY_BYTES - 1_000, b' ');
        runtime.spawn(trickle(addr, Ipv4Addr::LOCALHOST, begin, SLOW_BYTE_EACH));
    }
    Ok(Hostile { runtime: Some(runtime), _receiver: None })
}

fn slow_heads(_place: &Place<'_>, server: &Server, _hostile: &Tenant) -> Result<Hostile, Failure> {
    let heads =
        SLOW_HEADS.min(descriptors(SLOW_HEADS + OTHER_DESCRIPTORS)?.saturating_sub(OTHER_DESCRIPTORS));
    if heads < SLOW_HEADS {
        eprintln!("only {heads} slow heads: the hard limit of open files (ulimit -Hn) allows no more");
    }
    let runtime = runtime()?;
    let addr: SocketAddr = server.addr.parse()?;
    let begin = b"POST /v1/events HTTP/1.1\r\nhost: bench\r\nx-slow: ".to_vec();
    for _ in 0..heads {
        runtime.spawn(trickle(addr, SLOW_HOST, begin.clone(), SLOW_BYTE_EACH));
    }
    Ok(Hostile { runtime: Some(runtime), _receiver: None })
}

/// Begins a request, and sends a byte of it now and then; whenever the server ends it, begins again.
async fn trickle(addr: SocketAddr, from: Ipv4Addr, begin: Vec<u8>, each: Duration) {
    loop {
        if let Ok(stream) = connect(addr, from).await {
            // However it ends, there is another one.
            let _ = hold(stream, &begin, each).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn connect(addr: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(addr).await
}

async fn hold(mut stream: TcpStream, begin: &[u8], each: Duration) -> std::io::Result<()> {
    let (mut read, mut write) = stream.split();
    write.write_all(begin).await?;
    let mut answer = [0; 512];
    loop {
        tokio::select! {
            // An answer to what is not whole yet is a refusal.
            answered = read.read(&mut answer) => return answered.map(drop),
            () = tokio::time::sleep(each) => write.write_all(b" ").await?,
        }
    }
}

/// Raises the limit of open files to so many, if it is lower and may be raised; what it is then.
fn descriptors(wanted: u64) -> Result<u64, Failure> {
    let limit = getrlimit(Resource::Nofile);
    let (current, maximum) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if current >= wanted {
        return Ok(current);
    }
    let raised = wanted.min(maximum);
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum })?;
    Ok(raised)
}
