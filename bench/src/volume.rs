//! Much of something: many integrations for each event, many events on the disk.

use crate::hit::now_ns;
use crate::http::{self, Connection};
use crate::run::{Receiver, Server, TOKEN, measure_copies};
use crate::table::{self, Table};
use crate::{Failure, Options};
use hitwire_event::ClientId;
use hitwire_event::hit::{Hit, document_id};
use hitwire_source::modsecurity::convert;
use hitwire_source::{Position, Settings};
use rusqlite::{Connection as Database, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Integrations for each event, with how many events: as many deliveries in all.
const FAN_OUT: [(u64, u64); 2] = [(10, 300_000), (100, 30_000)];
/// Integrations that each get every event, which come at this rate.
const ACTIVE: [u64; 2] = [500, 1_000];
const ACTIVE_PER_S: u64 = 5;
const ACTIVE_S: u64 = 20;
/// Events of real hits, and how many of them a request carries.
const REAL_EVENTS: usize = 400_000;
const REAL_AT_ONCE: usize = 100;
/// With this limit a slice ends at an eighth of it.
const REAL_RETENTION: &str = "64MiB";
/// How long ended slices may take until they are packed.
const PACKED_WITHIN: Duration = Duration::from_secs(90);
/// Events in a log that is started with.
const START_EVENTS: u64 = 10_000_000;
/// Of which a quick run does one in so many.
const QUICK: u64 = 20;

/// Everything here, each with a server of its own.
pub(crate) struct Volume<'a> {
    pub(crate) me: &'a Path,
    pub(crate) server: &'a Path,
    pub(crate) dir: &'a Path,
    pub(crate) options: &'a Options,
}

impl Volume<'_> {
    /// Measures all of it.
    pub(crate) fn measure(&self, table: &mut Table, receiver: &mut Receiver) -> Result<(), Failure> {
        receiver.tell("answer")?;
        table.section("hitwire: many integrations, HTTPS, one receiver for all of them");
        for (integrations, events) in FAN_OUT {
            self.fan_out(table, receiver, integrations, self.share(events))?;
        }
        for integrations in ACTIVE {
            self.active(table, receiver, integrations)?;
        }
        table.section("hitwire: on the disk");
        self.real_hits(table)?;
        self.start(table)?;
        self.binary(table)
    }

    fn share(&self, number: u64) -> u64 {
        if self.options.has("quick") { number / QUICK } else { number }
    }

    fn fan_out(
        &self,
        table: &mut Table,
        receiver: &mut Receiver,
        integrations: u64,
        events: u64,
    ) -> Result<(), Failure> {
        let server = self.subscribed(&format!("fan-out-{integrations}"), receiver, integrations)?;
        let events = events.to_string();
        let load = ["--batch", "100", "--connections", "16", "--events", &events];
        let (began_ns, cpu_before) = (now_ns(), server.process.cpu_seconds()?);
        let (loaded, received) = measure_copies(self.me, &server, TOKEN, receiver, &load, 60, integrations)?;
        let cpu = server.process.cpu_seconds()? - cpu_before;
        let seconds = received.last_ns.saturating_sub(began_ns) as f64 / 1e9;
        table.row(
            &format!("fan-out {integrations}, {} events", table::count(loaded.acknowledged as f64)),
            format!(
                "{} deliveries/s in {} requests; {:.2} CPU s per million deliveries{}",
                table::count(received.events as f64 / seconds),
                received.requests,
                cpu * 1e6 / received.events.max(1) as f64,
                missing(received.events, loaded.acknowledged * integrations)
            ),
        );
        Ok(())
    }

    fn active(&self, table: &mut Table, receiver: &mut Receiver, integrations: u64) -> Result<(), Failure> {
        let server = self.subscribed(&format!("active-{integrations}"), receiver, integrations)?;
        // The first delivery of each opens its connection.
        measure_copies(
            self.me,
            &server,
            TOKEN,
            receiver,
            &["--batch", "1", "--events", "1"],
            1,
            integrations,
        )?;
        let rate = ACTIVE_PER_S.to_string();
        let load = ["--batch", "1", "--connections", "4", "--rate", &rate];
        let cpu_before = server.process.cpu_seconds()?;
        let seconds = self.share(ACTIVE_S).max(2);
        let (loaded, received) =
            measure_copies(self.me, &server, TOKEN, receiver, &load, seconds, integrations)?;
        let cpu = server.process.cpu_seconds()? - cpu_before;
        table.row(
            &format!("{integrations} active integrations, {ACTIVE_PER_S} events/s each"),
            format!(
                "p50 {}, p99 {}, worst {}; {:.1} CPU s per million deliveries{}",
                table::micros(received.p50_us),
                table::micros(received.p99_us),
                table::micros(received.max_us),
                cpu * 1e6 / received.events.max(1) as f64,
                missing(received.events, loaded.acknowledged * integrations)
            ),
        );
        Ok(())
    }

    /// A server with so many integrations that all get every hit.
    fn subscribed(&self, name: &str, receiver: &Receiver, integrations: u64) -> Result<Server, Failure> {
        let server = Server::start(self.server, &self.dir.join(name))?;
        for number in 0..integrations {
            server.subscribe(receiver, &format!("benchmark {number}"))?;
        }
        std::thread::sleep(Duration::from_secs(2));
        Ok(server)
    }

    /// What real hits take on the disk once their slices have ended and are packed.
    fn real_hits(&self, table: &mut Table) -> Result<(), Failure> {
        const WHAT: &str = "disk per event, real hits in ended slices";
        let Some(samples) = self.options.text("samples") else {
            table.row(WHAT, "not measured: give --samples, a folder of ModSecurity audit logs".to_owned());
            return Ok(());
        };
        let mut hits = read_samples(Path::new(samples))?;
        let data = self.dir.join("real-hits");
        let server = Server::start_with(self.server, &data, &["--retention-size", REAL_RETENTION])?;
        let (mut sent, mut sent_bytes) = (0_u64, 0_u64);
        let mut connection = Connection::to(&server.addr)?;
        let rounds = self.share(REAL_EVENTS as u64).max(100_000) as usize / REAL_AT_ONCE;
        let mut order = (0..hits.len()).cycle();
        for _ in 0..rounds {
            let mut body = String::from("[");
            for at in order.by_ref().take(REAL_AT_ONCE) {
                let Some(hit) = hits.get_mut(at) else { continue };
                // An id of its own, as each hit has; everything else as it was seen.
                hit.id[1] = document_id(&[&sent.to_le_bytes()]);
                let event = hit.to_event(ClientId(1));
                sent += 1;
                sent_bytes += event.body.len() as u64;
                if body.len() > 1 {
                    body.push(',');
                }
                body.push_str(&event.body);
            }
            body.push(']');
            let request = http::head("POST", "/v1/events", TOKEN, body.len()) + &body;
            let answer = connection.ask(request.as_bytes())?;
            if answer.status != 202 {
                return Err(format!("hits are not taken: {}", String::from_utf8_lossy(answer.body)).into());
            }
        }
        let until = Instant::now() + PACKED_WITHIN;
        while packed(&data)?.len() < 2 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(200));
        }
        drop(server);
        let (mut events, mut bytes) = (0, 0);
        for slice in packed(&data)? {
            bytes += slice.metadata()?.len();
            let database = Database::open_with_flags(&slice, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            events += database.query_row("SELECT sum(events) FROM block", [], |row| row.get::<_, i64>(0))?;
        }
        let body_bytes = sent_bytes as f64 / sent.max(1) as f64;
        let on_disk = bytes as f64 / events.max(1) as f64;
        table.row(
            WHAT,
            format!(
                "{on_disk:.0} bytes for bodies of {body_bytes:.0}: {:.3} of them ({} hits that differ, {} events)",
                on_disk / body_bytes,
                hits.len(),
                table::count(events as f64)
            ),
        );
        Ok(())
    }

    /// How long a start takes after a kill, with a long log.
    fn start(&self, table: &mut Table) -> Result<(), Failure> {
        let data = self.dir.join("start");
        let server = Server::start(self.server, &data)?;
        let events = self.share(START_EVENTS).to_string();
        let load = ["--batch", "500", "--connections", "16", "--events", &events];
        let cpu_before = server.process.cpu_seconds()?;
        let loaded = server.load(self.me, TOKEN, &load, 600)?;
        let cpu = server.process.cpu_seconds()? - cpu_before;
        table.row(
            "taken in without any integration, 500 events a request",
            format!(
                "{}/s; {:.1} CPU s per million events",
                table::count(loaded.acknowledged as f64 / loaded.seconds),
                cpu * 1e6 / loaded.acknowledged.max(1) as f64
            ),
        );
        drop(server);
        let began = Instant::now();
        let server = Server::start(self.server, &data)?;
        let took = began.elapsed();
        table.row(
            &format!("start after a kill, {} events in the log", table::count(loaded.acknowledged as f64)),
            format!(
                "{:.0} ms until /readyz; memory then {}",
                took.as_secs_f64() * 1e3,
                table::bytes(server.process.resident_bytes()?)
            ),
        );
        Ok(())
    }

    fn binary(&self, table: &mut Table) -> Result<(), Failure> {
        let stripped = self.dir.join("hitwire-stripped");
        let strip = std::process::Command::new("strip").arg("-o").arg(&stripped).arg(self.server).status();
        let size = match strip {
            Ok(status) if status.success() => table::bytes(stripped.metadata()?.len()),
            _ => format!(
                "{}, not stripped: there is no strip here",
                table::bytes(self.server.metadata()?.len())
            ),
        };
        table.row("the program, stripped", size);
        Ok(())
    }
}

fn missing(received: u64, expected: u64) -> String {
    if received == expected { String::new() } else { format!("; NOTE: {received} of {expected} arrived") }
}

/// The hits of the audit logs in a folder, or of one of them.
fn read_samples(samples: &Path) -> Result<Vec<Hit>, Failure> {
    let mut files = vec![samples.to_owned()];
    if samples.is_dir() {
        files = std::fs::read_dir(samples)?.map(|file| Ok(file?.path())).collect::<Result<_, Failure>>()?;
        files.sort();
    }
    let settings = Settings { client: ClientId(1), ..Settings::default() };
    let mut hits = Vec::new();
    for file in files {
        let log = std::fs::read(&file)?;
        let mut offset = 0;
        for line in log.split(|byte| *byte == b'\n') {
            // Other files lie beside the logs: what is no record is passed over.
            if let Ok(converted) = convert(line, Position { offset }, &settings, now_ns() / 1_000_000_000) {
                hits.extend(converted.hits);
            }
            offset += line.len() as u64 + 1;
        }
    }
    if hits.is_empty() {
        Err(format!("{}: there is no hit in it", samples.display()).into())
    } else {
        Ok(hits)
    }
}

fn packed(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = std::fs::read_dir(data)?.map(|file| Ok(file?.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, Failure>>()?;
    let is_packed = |file: &PathBuf| file.to_str().is_some_and(|name| name.ends_with(".packed.db"));
    Ok(files.into_iter().filter(is_packed).collect())
}
