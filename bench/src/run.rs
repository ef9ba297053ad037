//! Measures everything and prints one table.

use crate::hit::now_ns;
use crate::http::{self, Connection};
use crate::load::Loaded;
use crate::process::Process;
use crate::receive::{Ready, Received};
use crate::table::{self, Table};
use crate::volume::Volume;
use crate::{Failure, Options, bare, baseline};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// An administrator's token for one run, in the shape that the server asks for.
pub(crate) const TOKEN: &str = "bench0bench1bench2bench3bench4bench5bench6bench7bench8bench9bench";
/// Batches that are measured.
const BATCHES: [usize; 3] = [1, 10, 100];
/// Connections for sustained load: enough to fill a group commit.
const CONNECTIONS: u64 = 16;
/// Sustained loads: events in a request, and connections.
const SUSTAINED: [(usize, u64); 5] =
    [(1, 8), (1, CONNECTIONS), (1, 64), (10, CONNECTIONS), (100, CONNECTIONS)];
/// How long stragglers are waited for after a load.
const DRAIN: Duration = Duration::from_mins(1);
/// How long the server may take until it answers.
const START: Duration = Duration::from_secs(20);

/// How long each step takes.
struct Lengths {
    baseline: Duration,
    latency_s: u64,
    sustained_s: u64,
    backlog_events: u64,
    backlog_s: u64,
}

/// `hitwire-bench run`
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let lengths = if options.has("quick") {
        Lengths {
            baseline: Duration::from_millis(500),
            latency_s: 2,
            sustained_s: 2,
            backlog_events: 50_000,
            backlog_s: 10,
        }
    } else {
        Lengths {
            baseline: Duration::from_secs(3),
            latency_s: 10,
            sustained_s: 10,
            backlog_events: 1_000_000,
            backlog_s: 90,
        }
    };
    let me = std::env::current_exe()?;
    let server = options.text("server").map_or_else(|| me.with_file_name("hitwire"), PathBuf::from);
    if !server.exists() {
        return Err(format!("{} is not there; cargo build --release -p hitwire", server.display()).into());
    }
    let base = options.text("dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::Builder::new().prefix("hitwire-bench-").tempdir_in(base)?;
    let mut table = Table::default();

    let mut receiver = Receiver::start(&me, dir.path())?;
    machine(&mut table, &lengths, dir.path())?;
    client(&mut table, &lengths, &mut receiver)?;
    hitwire(&mut table, &lengths, &me, &server, dir.path(), &mut receiver)?;
    let volume = Volume { me: &me, server: &server, dir: dir.path(), options };
    volume.measure(&mut table, &mut receiver)?;
    load_average(&mut table)?;
    print!("{table}");
    Ok(())
}

/// What else the machine did while it was measured.
fn load_average(table: &mut Table) -> Result<(), Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let averages: Vec<&str> = load.split_whitespace().take(3).collect();
    table.section("this machine at the end");
    table.row("load average, 1, 5 and 15 minutes, this run included", averages.join(", "));
    Ok(())
}

fn machine(table: &mut Table, lengths: &Lengths, dir: &Path) -> Result<(), Failure> {
    table.section("this machine, without hitwire");
    let syncs = baseline::fdatasync(dir, lengths.baseline)?;
    table.row(
        "fdatasync of 4 KiB",
        format!("{}/s, median {}", table::count(syncs.per_second), table::micros(syncs.median_us)),
    );
    for batch in BATCHES {
        let rows = baseline::sqlite_rows(dir, batch, lengths.baseline)?;
        table.row(
            &format!("SQLite, WAL, FULL, {batch} rows a transaction"),
            format!("{} rows/s", table::count(rows)),
        );
    }
    Ok(())
}

fn client(table: &mut Table, lengths: &Lengths, receiver: &mut Receiver) -> Result<(), Failure> {
    for events in [1, 500] {
        let requests = bare::requests_per_second(&receiver.url, &receiver.ca_pem, events, lengths.baseline)?;
        table.row(
            &format!("the bare client, {events} events a request, one at a time"),
            format!(
                "{} requests/s, {} events/s",
                table::count(requests),
                table::count(requests * events as f64)
            ),
        );
    }
    receiver.take()?;
    Ok(())
}

fn hitwire(
    table: &mut Table,
    lengths: &Lengths,
    me: &Path,
    server: &Path,
    dir: &Path,
    receiver: &mut Receiver,
) -> Result<(), Failure> {
    let server = Server::start(server, &dir.join("data"))?;
    server.subscribe(receiver, "benchmark")?;
    std::thread::sleep(Duration::from_secs(2));
    table.section("hitwire: one integration, HTTPS, everything on this machine");
    table.row("memory, idle", table::bytes(server.process.resident_bytes()?));

    for rate in [100, 1_000] {
        let load = ["--batch", "1", "--connections", "16", "--rate", &rate.to_string()];
        let (loaded, received) = measure(me, &server, TOKEN, receiver, &load, lengths.latency_s)?;
        table.row(
            &format!("ingest to receiver at {rate} events/s"),
            format!(
                "p50 {}, p99 {}, worst {}; acknowledged in p50 {}",
                table::micros(received.p50_us),
                table::micros(received.p99_us),
                table::micros(received.max_us),
                table::micros(loaded.ack_p50_us)
            ),
        );
    }
    for (batch, connections) in SUSTAINED {
        let load = ["--batch", &batch.to_string(), "--connections", &connections.to_string()];
        let (began_ns, cpu_before) = (now_ns(), server.process.cpu_seconds()?);
        let (loaded, received) = measure(me, &server, TOKEN, receiver, &load, lengths.sustained_s)?;
        let cpu = server.process.cpu_seconds()? - cpu_before;
        let delivered_s = received.last_ns.saturating_sub(began_ns) as f64 / 1e9;
        table.row(
            &format!("sustained, {batch} events a request, {connections} connections"),
            format!(
                "acknowledged {}/s, delivered {}/s in {} requests; {:.1} CPU s per million events",
                table::count(loaded.acknowledged as f64 / loaded.seconds),
                table::count(received.events as f64 / delivered_s),
                received.requests,
                cpu * 1e6 / loaded.acknowledged.max(1) as f64
            ),
        );
        if loaded.refused > 0 || received.events != loaded.acknowledged {
            table.row(
                "",
                format!(
                    "NOTE: {} acknowledged, {} received, {} requests refused",
                    loaded.acknowledged, received.events, loaded.refused
                ),
            );
        }
    }

    receiver.tell("hang")?;
    let events = lengths.backlog_events.to_string();
    let load = ["--batch", "100", "--connections", &CONNECTIONS.to_string(), "--events", &events];
    let loaded = server.load(me, TOKEN, &load, lengths.backlog_s)?;
    table.row(
        &format!("memory, {} events behind a hanging receiver", table::count(loaded.acknowledged as f64)),
        format!(
            "{}; acknowledged {}/s meanwhile",
            table::bytes(server.process.resident_bytes()?),
            table::count(loaded.acknowledged as f64 / loaded.seconds)
        ),
    );
    Ok(())
}

/// One load, and what had arrived when all of it had.
pub(crate) fn measure(
    me: &Path,
    server: &Server,
    token: &str,
    receiver: &mut Receiver,
    load: &[&str],
    seconds: u64,
) -> Result<(Loaded, Received), Failure> {
    measure_copies(me, server, token, receiver, load, seconds, 1)
}

/// The same where each event goes to so many integrations.
pub(crate) fn measure_copies(
    me: &Path,
    server: &Server,
    token: &str,
    receiver: &mut Receiver,
    load: &[&str],
    seconds: u64,
    copies: u64,
) -> Result<(Loaded, Received), Failure> {
    receiver.take()?;
    let loaded = server.load(me, token, load, seconds)?;
    let until = Instant::now() + DRAIN;
    let mut received = Received::default();
    while received.events < loaded.acknowledged * copies && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
        let more = receiver.take()?;
        // The first report has all but the stragglers; its quantiles stand.
        if received.events == 0 {
            received = more;
        } else if more.events > 0 {
            received.events += more.events;
            received.requests += more.requests;
            received.last_ns = more.last_ns;
            received.max_us = received.max_us.max(more.max_us);
        }
    }
    Ok((loaded, received))
}

/// The receiver, in a process of its own.
pub(crate) struct Receiver {
    process: Process,
    pub(crate) url: String,
    pub(crate) ca_pem: String,
}

impl Receiver {
    pub(crate) fn start(me: &Path, dir: &Path) -> Result<Receiver, Failure> {
        let ca = dir.join("ca.pem");
        let mut process = Process::start(Command::new(me).arg("receive").arg("--ca-out").arg(&ca))?;
        let ready: Ready = serde_json::from_str(&process.line()?)?;
        Ok(Receiver { process, url: ready.url, ca_pem: std::fs::read_to_string(ca)? })
    }

    /// Says what it is to do from now on.
    pub(crate) fn tell(&mut self, manner: &str) -> Result<(), Failure> {
        self.process.tell(manner)
    }

    fn take(&mut self) -> Result<Received, Failure> {
        self.process.tell("take")?;
        Ok(serde_json::from_str(&self.process.line()?)?)
    }
}

/// The server, in a process of its own.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) addr: String,
}

impl Server {
    pub(crate) fn start(program: &Path, data: &Path) -> Result<Server, Failure> {
        Server::start_with(program, data, &[])
    }

    /// The same with further options.
    pub(crate) fn start_with(program: &Path, data: &Path, options: &[&str]) -> Result<Server, Failure> {
        // A port that was free a moment ago: the server's words are for people, not for parsing.
        let addr = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new(program);
        command.arg("serve").arg("--data").arg(data).args([
            "--listen",
            &addr,
            "--allow-target",
            "127.0.0.0/8",
        ]);
        command.args(options);
        command.env("HITWIRE_ADMIN_TOKEN", TOKEN);
        let process = Process::start(&mut command)?;
        let until = Instant::now() + START;
        let ready = http::head("GET", "/readyz", TOKEN, 0);
        loop {
            let answer = Connection::to(&addr).and_then(|mut to| Ok(to.ask(ready.as_bytes())?.status));
            match answer {
                Ok(200) => return Ok(Server { process, addr }),
                _ if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                Ok(status) => return Err(format!("the server is not ready: {status}").into()),
                Err(failure) => return Err(format!("the server does not answer: {failure}").into()),
            }
        }
    }

    /// Makes an integration that gets every hit.
    pub(crate) fn subscribe(&self, receiver: &Receiver, name: &str) -> Result<(), Failure> {
        let body = serde_json::json!({
            "name": name, "active": true, "type": "web_hooks",
            "target": { "url": receiver.url, "ca_file": receiver.ca_pem },
            "events": [{ "event": "siem", "active": true }],
        })
        .to_string();
        let request = http::head("POST", "/v2/integration", TOKEN, body.len()) + &body;
        let mut connection = Connection::to(&self.addr)?;
        let answer = connection.ask(request.as_bytes())?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(format!("no integration: {} {}", answer.status, String::from_utf8_lossy(answer.body)).into())
    }

    /// A load in the name of whose token this is.
    pub(crate) fn load(
        &self,
        me: &Path,
        token: &str,
        load: &[&str],
        seconds: u64,
    ) -> Result<Loaded, Failure> {
        let mut command = Command::new(me);
        command
            .args(["load", "--addr", &self.addr, "--token", token, "--seconds", &seconds.to_string()])
            .args(load);
        Ok(serde_json::from_str(&Process::start(&mut command)?.line()?)?)
    }
}
