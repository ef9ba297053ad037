//! Does one thing that happens to every event, so many times, for valgrind to count the instructions. `check` runs it twice
//! with different numbers: the difference has nothing of the start in it, and no clock is asked.

#![allow(clippy::print_stderr)]

use hitwire_courier::{Command, Cut, Input, Limits, Machine, Preset, Reply, Saved, Settings, WallClock};
use hitwire_event::ingest::{Invalid, Lines, parse};
use hitwire_event::{ClientId, Event, EventId, Glance, IntegrationId, Kind, Lane, Record, Seq, WebhookId};
use hitwire_receiver::{Format, Labels, Rendering, Style, body};
use hitwire_store::{Append, Op, Options, SqliteStore, Store};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong, in words.
type Failure = Box<dyn std::error::Error>;

const CLIENT: ClientId = ClientId(1);
const NOW_S: u64 = 1_767_225_600;

/// Events of a body, of a block, of a batch.
const EVENTS: u64 = 100;

/// Bytes of text that the index keeps of an event.
const TEXT_BYTES_MAX: usize = 512;

/// A hit in canonical JSON, without its document id.
const BEFORE_ID: &str = concat!(
    r#"{"anomality":0.9806949806949808,"domain":"shop.example.com","heur_distance":36.28571421111111,"#,
    r#""method":"GET","parameter":"GET_id_value","path":"/catalogue/products/search","payloads":["#,
    r#""' union select table_name, column_name from information_schema.columns where table_schema = database() -- "],"#,
    r#""point":["get","id"],"probability":36.11111118571429,"remote_country":null,"remote_port":41616,"#,
    r#""remote_addr4":"198.51.100.17","remote_addr6":null,"datacenter":"unknown","tor":"none","#,
    r#""request_time":1767225600,"create_time":1767225601,"response_len":345,"response_status":403,"#,
    r#""response_time":257,"stamps":[942100,942190,942270],"regex":[],"stamps_hash":-1888294073,"#,
    r#""regex_hash":-2147483648,"type":"sqli","block_status":"blocked","id":["hits_bench_1_202601_v_1",""#
);
const AFTER_ID: &str = r#""],"object_type":"hit"}"#;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match &words[..] {
        [what, times] => times.parse().map_err(Failure::from).and_then(|times| run(what, times)),
        _ => Err("say what, and how many times".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!(
                "hitwire-instructions: {failure}; usage: hitwire-instructions parse|parse-other|append|glance|render|machine TIMES"
            );
            ExitCode::FAILURE
        }
    }
}

fn run(what: &str, times: u64) -> Result<(), Failure> {
    match what {
        // A request of hits that are canonical already.
        "parse" => parsed(times, &request("")),
        // The same hits, with a blank in each: they are read field by field and written again.
        "parse-other" => parsed(times, &request(" ")),
        // A commit of as many events, with its block and its row in SQLite.
        "append" => appended(times),
        // What the index reads of events before it writes its rows.
        "glance" => glanced(times),
        // The body of a batch, of records that nobody has rendered before.
        "render" => {
            rendered(times);
            Ok(())
        }
        // A batch's way through the courier: there is news, it is cut, it was delivered.
        "machine" => delivered(times),
        _ => Err(format!("what is {what}?").into()),
    }
}

fn hit(number: u64) -> String {
    format!("{BEFORE_ID}{number:020}{AFTER_ID}")
}

fn request(blank: &str) -> String {
    let hits: Vec<String> =
        (0..EVENTS).map(|number| hit(number).replacen(':', &format!(":{blank}"), 1)).collect();
    format!("[{}]", hits.join(","))
}

fn parsed(times: u64, request: &str) -> Result<(), Failure> {
    for _ in 0..times {
        let taken = parse(request.as_bytes(), Lines::Detect, CLIENT, NOW_S, Invalid::Refuse)?;
        if black_box(taken).events.len() as u64 != EVENTS {
            return Err("a hit was not taken".into());
        }
    }
    Ok(())
}

fn event(number: u64) -> Event {
    Event {
        client: CLIENT,
        kind: Kind::Hit,
        id: EventId::from(format!("{number:020}")),
        body: hit(number).into(),
    }
}

fn appended(times: u64) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let options = Options { inline: true, secret_key: Some([1; 32]), ..Options::new(directory.path()) }
        // No work that depends on how long it takes.
        .with_simulated_clock(Arc::new(|| NOW_S * 1_000));
    let store = SqliteStore::open(options)?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
        for group in 0..times {
            let events = (group * EVENTS..(group + 1) * EVENTS).map(event).collect();
            let append = Append { events, deduplicate: true, checkpoint: None };
            store.commit(vec![Op::Append(append)]).await?;
        }
        Ok(())
    })
}

fn glanced(times: u64) -> Result<(), Failure> {
    let events: Vec<Event> = (0..EVENTS).map(event).collect();
    for _ in 0..times {
        for event in &events {
            if black_box(Glance::at(event, TEXT_BYTES_MAX)).domain.is_none() {
                return Err("a hit has no domain".into());
            }
        }
    }
    Ok(())
}

fn rendered(times: u64) {
    let rendering = Rendering { style: Style::Envelope, with_headers: false };
    let labels = Labels::default();
    for _ in 0..times {
        let records: Vec<_> =
            (1..=EVENTS).map(|seq| Arc::new(Record::new(Seq(seq), 0, false, event(seq)))).collect();
        black_box(body(&records, rendering, &labels, Format::Json));
    }
}

fn delivered(times: u64) -> Result<(), Failure> {
    let settings = Settings {
        retry: Preset::Patient,
        enabled: true,
        content_revision: 1,
        limits: Limits::default(),
        rate: None,
        in_flight: 1,
        kinds: [Kind::Hit].into(),
    };
    let wall = WallClock { at: Duration::ZERO, ms: NOW_S * 1_000 };
    let mut machine = Machine::new(IntegrationId(1), settings, Saved::default(), wall, 42);
    let mut now = Duration::ZERO;
    let mut on = |input| {
        now += Duration::from_millis(1);
        machine.on(now, input)
    };
    on(Input::Due);
    for lane in [Lane::Urgent, Lane::Bulk] {
        on(nothing(lane));
    }
    for batch in 1..=times {
        on(Input::Advanced { lane: Lane::Bulk });
        let webhook_id = WebhookId(format!("msg_{batch:032}").into());
        let last = Seq(batch * EVENTS);
        let cut = Cut {
            first: Seq(last.0 - EVENTS + 1),
            last,
            through: last,
            events: EVENTS as u32,
            body_bytes: 90_000,
            body_sha256: [0; 32],
        };
        let sent = on(Input::Batch {
            lane: Lane::Bulk,
            cut: Some(cut),
            scanned_to: last,
            skipped: false,
            more: false,
            unreadable: None,
            webhook_id: webhook_id.clone(),
        });
        if !sent.iter().any(|command| matches!(command, Command::Send { .. })) {
            return Err("the machine did not send the batch".into());
        }
        black_box(on(Input::Outcome {
            lane: Lane::Bulk,
            webhook_id,
            reply: Reply::Complete { status: 200, retry_after: None },
            started_ms: NOW_S * 1_000,
            took: Duration::from_millis(1),
            address: None,
            error: None,
        }));
        on(nothing(Lane::Bulk));
    }
    Ok(())
}

fn nothing(lane: Lane) -> Input {
    let webhook_id = WebhookId("msg_unused".into());
    Input::Batch {
        lane,
        cut: None,
        scanned_to: Seq(0),
        skipped: false,
        more: false,
        unreadable: None,
        webhook_id,
    }
}
