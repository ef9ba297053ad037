//! How long the console's pages take, with a full log and many integrations, while events come in.

use crate::http::{Connection, find_header};
use crate::load::histogram;
use crate::process::Process;
use crate::run::{Receiver, Server, TOKEN};
use crate::table::{self, Table};
use crate::{Failure, Options, http};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The pages, and what stands beside them for comparison. A new page is a line here.
const PAGES: &[&str] = &[
    "/healthz",
    "/dashboard",
    "/events",
    "/events?type=sqli&q=union",
    "/events/1000",
    "/vulnerabilities",
    "/settings/integrations",
    "/settings/integrations?state=disabled",
    "/settings/integrations?q=9999",
    "/settings/integrations/add",
    "/settings/integrations/1",
    "/settings/integrations/1/edit",
    "/settings/integrations/1/attempts",
    "/settings/profile",
    "/settings/general",
    "/settings/general/clients",
    "/settings/sources",
    "/settings/applications",
    "/settings/users",
    "/settings/tokens",
    "/settings/activity",
    "/settings/activity?type=user",
    "/healthz",
];

/// A page's median should stay below this on an idle machine.
const TARGET: Duration = Duration::from_millis(20);

/// Events a second that come in meanwhile.
const RATE: u64 = 5_000;

/// Integrations that are sent to; all others wait for events of a kind that does not come.
const SENT_TO: u64 = 5;

/// Connections by which integrations are made.
const MAKERS: u64 = 8;

/// A page that takes so long, all requests together, is not asked for again.
const PAGE_MAX: Duration = Duration::from_secs(10);

/// The load ends by itself after so long, should nobody end it.
const LOAD_MAX_S: u64 = 3_600;

/// How much of everything.
struct Sizes {
    events: u64,
    integrations: u64,
    /// Requests for each page after those that warm it up.
    requests: usize,
}

/// `hitwire-bench pages`
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let sizes = if options.has("quick") {
        Sizes { events: 20_000, integrations: 200, requests: 20 }
    } else {
        Sizes { events: 1_000_000, integrations: 10_000, requests: 200 }
    };
    let me = std::env::current_exe()?;
    let server = options.text("server").map_or_else(|| me.with_file_name("hitwire"), PathBuf::from);
    let base = options.text("dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::Builder::new().prefix("hitwire-bench-").tempdir_in(base)?;
    let receiver = Receiver::start(&me, dir.path())?;
    let data = dir.path().join("data");
    let server = Server::start(&server, &data)?;
    let cookie = sign_in(&server.addr, &data)?;

    let began = Instant::now();
    make_integrations(&server.addr, sizes.integrations, &receiver)?;
    eprintln!("{} integrations in {:.0} s", sizes.integrations, began.elapsed().as_secs_f64());
    let events = sizes.events.to_string();
    let loaded =
        server.load(&me, TOKEN, &["--batch", "100", "--connections", "16", "--events", &events], 600)?;
    eprintln!("{} events in {:.0} s", loaded.acknowledged, loaded.seconds);

    let mut table = Table::default();
    table.section(&format!(
        "pages, with {} events and {} integrations, while {} events/s come in; {} requests each",
        table::count(loaded.acknowledged as f64),
        table::count(sizes.integrations as f64),
        table::count(RATE as f64),
        sizes.requests
    ));
    let meanwhile = begin_load(&me, &server)?;
    std::thread::sleep(Duration::from_secs(2));
    let (before, began) = (head(&server.addr)?, Instant::now());
    for page in PAGES {
        measure(&mut table, &server.addr, page, &cookie, sizes.requests)?;
    }
    let came_in = (head(&server.addr)? - before) as f64 / began.elapsed().as_secs_f64();
    drop(meanwhile);
    table.row("events that came in meanwhile", format!("{}/s", table::count(came_in)));
    table.row("memory of the server", table::bytes(server.process.resident_bytes()?));
    print!("{table}");
    Ok(())
}

/// One page, again and again over one connection.
fn measure(table: &mut Table, addr: &str, page: &str, cookie: &str, requests: usize) -> Result<(), Failure> {
    let request =
        format!("GET {page} HTTP/1.1\r\nhost: {addr}\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n");
    let mut connection = Connection::to(addr)?;
    let (mut times, mut bytes, began) = (histogram()?, 0, Instant::now());
    for number in 0..requests + requests / 10 {
        let asked = Instant::now();
        let answer = connection.ask(request.as_bytes())?;
        let took = asked.elapsed();
        if answer.status != 200 {
            table.row(page, format!("answered {}", answer.status));
            return Ok(());
        }
        bytes = answer.body.len();
        if number >= requests / 10 {
            times.saturating_record(took.as_micros() as u64);
        }
        if began.elapsed() > PAGE_MAX && !times.is_empty() {
            break;
        }
    }
    let median = times.value_at_quantile(0.5);
    let slow = if u128::from(median) > TARGET.as_micros() { "  SLOW" } else { "" };
    let p99 = table::micros(times.value_at_quantile(0.99));
    let figure = format!("median {}, p99 {p99}, {} KB{slow}", table::micros(median), bytes.div_ceil(1_000));
    table.row(page, figure);
    Ok(())
}

/// The load that runs until it is dropped.
fn begin_load(me: &Path, server: &Server) -> Result<Process, Failure> {
    let (rate, seconds) = (RATE.to_string(), LOAD_MAX_S.to_string());
    let mut command = Command::new(me);
    command.args(["load", "--addr", &server.addr, "--token", TOKEN, "--seconds", &seconds]);
    command.args(["--batch", "10", "--connections", "16", "--rate", &rate]);
    Process::start(&mut command)
}

/// The last position of the log.
fn head(addr: &str) -> Result<u64, Failure> {
    let request = http::head("GET", "/v1/events?tail=1", TOKEN, 0);
    let mut connection = Connection::to(addr)?;
    let page: serde_json::Value = serde_json::from_slice(connection.ask(request.as_bytes())?.body)?;
    page["events"][0]["seq"].as_u64().ok_or_else(|| "the log is empty".into())
}

/// Makes the first user with the link that the server wrote. Answers the session's cookie.
fn sign_in(addr: &str, data: &Path) -> Result<String, Failure> {
    let link = std::fs::read_to_string(data.join("set-up-link"))?;
    let path = link.trim().split_once("/set-up/").ok_or("what is in set-up-link?")?.1;
    let password = "benchmark+of+the+console";
    let body = format!("name=Bench&email=bench%40example.com&password={password}&password_again={password}");
    let request = format!(
        "POST /set-up/{path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::to(addr)?;
    let answer = connection.ask(request.as_bytes())?;
    let cookie = find_header(answer.head, "set-cookie").ok_or_else(|| {
        format!("nobody is signed in: {} {}", answer.status, String::from_utf8_lossy(answer.body))
    })?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

fn make_integrations(addr: &str, number: u64, receiver: &Receiver) -> Result<(), Failure> {
    let makers: Vec<_> = (0..MAKERS)
        .map(|maker| {
            let (addr, url, ca) = (addr.to_owned(), receiver.url.clone(), receiver.ca_pem.clone());
            std::thread::spawn(move || -> Result<(), Failure> {
                let mut connection = Connection::to(&addr)?;
                for at in (maker..number).step_by(MAKERS as usize) {
                    let target = if at < SENT_TO {
                        json!({"url": url, "ca_file": ca})
                    } else {
                        json!({"url": format!("https://receiver-{at}.example.com/hook")})
                    };
                    let event = if at < SENT_TO { "siem" } else { "security_issue_critical" };
                    let body = json!({
                        "name": format!("Receiver {at}"), "active": at % 10 != 9, "type": "web_hooks", "target": target,
                        "events": [{"event": event, "active": true}],
                    })
                    .to_string();
                    let request = http::head("POST", "/v2/integration", TOKEN, body.len()) + &body;
                    let answer = connection.ask(request.as_bytes())?;
                    if answer.status != 200 {
                        let words = String::from_utf8_lossy(answer.body);
                        return Err(format!("no integration: {} {words}", answer.status).into());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for maker in makers {
        maker.join().map_err(|_| "a thread panicked")??;
    }
    Ok(())
}
