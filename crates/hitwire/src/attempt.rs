//! `hitwire attempt`: the delivery log of an integration.

use crate::api::{ApiError, Lines};
use crate::failure::Failure;
use crate::integration::{self, id_of};
use crate::listen::line;
use crate::output::{Output, print, print_while_read};
use crate::pages::{Paging, Query, moment};
use crate::remote::{Common, Object};
use crate::table::{Cell, Facts, Table};
use crate::terminal::{self, Style, Terminal};
use crate::units;
use clap::Subcommand;
use http::StatusCode;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Characters of a body that are shown to people.
const BODY_SHOWN: usize = 4_000;

/// What `hitwire attempt` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The attempts of an integration, the newest first
    ///
    /// With --output json: {"attempts": [...], "next": ...}; "next" is the value for --before.
    List {
        /// The integration: its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        #[command(flatten)]
        filter: Filter,

        #[command(flatten)]
        paging: Paging,
    },
    /// One attempt in full: times, headers, response, and the body that was sent
    Show {
        /// The integration: its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// The attempt's id, as the list shows it
        #[arg(value_name = "ATTEMPT")]
        number: u64,
    },
    /// One attempt as a script for bash or zsh that makes the same request again with curl
    ///
    /// Method, headers and body are those that were sent. What is secret is a variable, which the script names and asks for. The
    /// signature is the recorded one, which a receiver takes for 5 minutes; with HITWIRE_SIGNING_SECRET set the script signs anew.
    Curl {
        /// The integration: its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        /// The attempt's id, as the list shows it
        #[arg(value_name = "ATTEMPT")]
        number: u64,
    },
    /// All attempts that match, to a file: CSV, or with --output json one JSON object a line
    ///
    /// It is written while it is read, the newest attempt first: hitwire attempt export SIEM > attempts.csv. Exit code 1 if it
    /// ended before it was whole.
    Export {
        /// The integration: its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,

        #[command(flatten)]
        filter: Filter,

        /// Write at most this many
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        limit: Option<u64>,
    },
}

/// Which attempts are listed.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Only attempts with this outcome; failed: all that were not delivered
    #[arg(long, value_parser = ["delivered", "failed", "sick", "refused", "gone"])]
    outcome: Option<String>,

    /// Only attempts that were answered with this status (503), or one of its class (5xx)
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,

    /// Only attempts that ended then or later: 2026-01-31T07:29:23Z, Unix seconds, or how long ago (12h)
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    from: Option<String>,

    /// Only attempts that ended before then
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<String>,

    /// Only attempts whose batch covers the event with this id
    #[arg(long, value_name = "ID", conflicts_with = "seq")]
    event: Option<String>,

    /// Only attempts of the batch with this webhook-id
    #[arg(long, value_name = "ID")]
    webhook_id: Option<String>,

    /// Only attempts whose batch covers this position of the log
    #[arg(long, value_name = "POSITION")]
    seq: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Args { command, common: Common { output, tenant, remote } } = args;
    let mut session = remote.session()?;
    match command {
        Command::List { which, filter, paging } => {
            let id = id_of(&integration::named(&mut session, tenant, &which).await?)?;
            let query = filter.query();
            // People read how many there are; programs read the rows.
            let query = if output.is_json() { query } else { query.counted() };
            let path = format!("{}/{id}/attempts", integration::PATH);
            let listing = session.listing(&path, "attempts", query, paging, tenant).await?;
            listing.print(output, "attempt", table)
        }
        Command::Show { which, number } => {
            let integration = integration::named(&mut session, tenant, &which).await?;
            let id = id_of(&integration)?;
            let path = tenant.path(&format!("{}/{id}/attempts/{number}", integration::PATH));
            let name = integration::show::name(&integration);
            let attempt = session.raw(&path).await.map_err(|error| match error {
                ApiError::Refused { status: StatusCode::NOT_FOUND, .. } => Failure::Runtime(format!(
                    "there is no attempt {number} of {name}, or it is no longer kept; see hitwire attempt list {id}"
                )),
                error => error.into(),
            })?;
            output.print(&attempt.json, |terminal| in_full(&attempt.value, &name, terminal))
        }
        Command::Curl { which, number } => {
            let id = id_of(&integration::named(&mut session, tenant, &which).await?)?;
            let path = tenant.path(&format!("{}/{id}/attempts/{number}/curl", integration::PATH));
            let script = session.text(&path).await?;
            print(&if output.is_json() { json!({"script": script}).to_string() } else { script })
        }
        Command::Export { which, filter, limit } => {
            let id = id_of(&integration::named(&mut session, tenant, &which).await?)?;
            let format = if output.is_json() { "ndjson" } else { "csv" };
            let query = filter.query().set("format", Some(format)).set("limit", limit);
            let path = tenant.path(&query.of(&format!("{}/{id}/attempts", integration::PATH)));
            export(session.lines(&path).await?, output).await
        }
    }
}

/// Prints a file of the API as it comes.
async fn export(mut lines: Lines, output: Output) -> Result<(), Failure> {
    while let Some(line) = lines.next().await? {
        let text = String::from_utf8_lossy(&line);
        // In tables the API escapes what a terminal would act on.
        let text = if output.is_json() { line::harmless(&text).into() } else { text };
        if !print_while_read(&text)? {
            break;
        }
    }
    Ok(())
}

impl Filter {
    fn query(self) -> Query {
        let Filter { outcome, status, from, until, event, webhook_id, seq } = self;
        Query::default()
            .set("outcome", outcome)
            .set("status", status)
            .set("from", from)
            .set("until", until)
            .set("event", event)
            .set("webhook_id", webhook_id)
            .set("seq", seq)
    }
}

fn table(attempts: &[Object]) -> Table {
    let mut table =
        Table::new(&["ID", "STARTED", "TOOK", "OUTCOME", "STATUS", "TRY", "EVENTS", "WEBHOOK-ID", "ERROR"]);
    for Object { value, .. } in attempts {
        table.row([
            words(&value["id"]),
            words(&value["started_at"]),
            took(value),
            outcome(value),
            words(&value["status"]),
            words(&value["number"]),
            words(&value["events"]),
            words(&value["webhook_id"]),
            value["error"].as_str().unwrap_or_default().into(),
        ]);
    }
    table
}

/// A text, a number, or a dash for what is not there.
fn words(value: &Value) -> Cell {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

fn took(attempt: &Value) -> Cell {
    let took = attempt["took_us"].as_u64().map(Duration::from_micros);
    took.map_or_else(|| "-".into(), |took| units::short(took).into())
}

fn outcome(attempt: &Value) -> Cell {
    // Why it failed, and what follows, stands in its error; the API's words for it are those of `--outcome`.
    if attempt["verdict"] == "delivered" {
        Cell::from("delivered").styled(Style::Good)
    } else {
        Cell::from("failed").styled(Style::Bad)
    }
}

/// An attempt with its request and its response.
fn in_full(answer: &Value, integration: &str, terminal: Terminal) -> String {
    let attempt = &answer["attempt"];
    let detail = &answer["detail"];
    let mut facts = Facts::default();
    facts.add("outcome", outcome(attempt));
    facts.maybe("error", attempt["error"].as_str().map(|error| Cell::from(error).styled(Style::Bad)));
    facts.add("started", words(&attempt["started_at"]));
    facts.add("took", took(attempt));
    facts.maybe("times", times(&detail["timings_ms"]));
    facts.maybe("address", attempt["address"].as_str());
    facts.maybe("cause", detail["cause"].as_str());
    facts.add("lane", words(&attempt["lane"]));
    facts.add("webhook-id", words(&attempt["webhook_id"]));
    facts.add("try", words(&attempt["number"]));
    let events = units::counted(attempt["events"].as_u64().unwrap_or_default(), "event");
    let position = |name: &str| attempt[name].as_u64().unwrap_or_default();
    facts.add("batch", format!("{events}, positions {} to {}", position("first"), position("last")));
    facts.maybe("not kept", answer["no_detail"].as_str());
    let heading = |text: &str| terminal.paint(Style::Strong, text.to_owned()).to_string();
    let id = attempt["id"].as_u64().unwrap_or_default();
    let mut page =
        format!("{} of {integration}\n{}", heading(&format!("attempt {id}")), facts.lines(terminal));

    let mut request = Facts::default();
    if detail["request"].is_object() {
        let part = |name: &str| detail["request"][name].as_str().unwrap_or_default().to_owned();
        request.add("line", format!("{} {}", part("method"), part("url")));
        headers(&detail["request"]["headers"], &mut request);
    }
    let body = &answer["body"];
    let bytes = units::counted(body["bytes"].as_u64().unwrap_or_default(), "byte");
    match body["why"].as_str() {
        Some(why) => request.add("body", format!("{bytes}; cannot be shown: {why}")),
        None => request.add("body", format!("{bytes}, exactly as sent")),
    }
    let _ = write!(page, "\n{}\n{}", heading("request"), request.lines(terminal));
    push_body(&body["text"], &mut page);

    if detail["response"].is_object() {
        let mut response = Facts::default();
        response.add("status", words(&detail["response"]["status"]));
        headers(&detail["response"]["headers"], &mut response);
        let _ = write!(page, "\n{}\n{}", heading("response"), response.lines(terminal));
        push_body(&detail["response"]["body"], &mut page);
    }
    page
}

/// A body on lines of its own, so that it can be copied.
fn push_body(body: &Value, page: &mut String) {
    if let Some(text) = body.as_str().filter(|text| !text.is_empty()) {
        page.push_str(&terminal::cut_naming_length(text, BODY_SHOWN));
        page.push('\n');
    }
}

fn times(timings: &Value) -> Option<String> {
    let part = |name: &str| {
        let ms = timings[name].as_f64()?;
        let took = units::short(Duration::from_secs_f64((ms / 1_000.0).max(0.0)));
        Some(format!("{} {took}", name.replace('_', " ")))
    };
    let parts: Vec<_> =
        ["dns", "connect", "tls", "first_byte", "total"].into_iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn headers(headers: &Value, facts: &mut Facts) {
    for (name, value) in headers.as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => values.iter().for_each(|value| facts.add(name, words(value))),
            value => facts.add(name, words(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_shown_with_request_and_response() {
        let answer = json!({
            "attempt": {"id": 7, "lane": "bulk", "webhook_id": "msg_1", "number": 2, "first": 3, "last": 9, "events": 5,
                "started_at": "2026-01-01T00:00:00Z", "took_us": 12_000, "status": 500, "verdict": "refused",
                "address": "203.0.113.7:443", "error": "the endpoint returned 500"},
            "detail": {"timings_ms": {"dns": 1.2, "connect": 8.4, "tls": null, "first_byte": 230.1, "total": 257.8},
                "cause": null, "request": {"method": "POST", "url": "https://a/********", "headers": {"x-a": ["1", "2"]}},
                "response": {"status": 500, "headers": {"content-type": "text/html"}, "body": "oops\u{1b}[2J"}},
            "no_detail": null,
            "body": {"state": "reproduced", "text": "[{}]", "bytes": 4, "why": null},
        });
        insta::assert_snapshot!(in_full(&answer, "SIEM (1)", Terminal::plain()), @r"
        attempt 7 of SIEM (1)
          outcome     failed
          error       the endpoint returned 500
          started     2026-01-01T00:00:00Z
          took        12 ms
          times       dns 1.2 ms, connect 8.4 ms, first byte 230 ms, total 258 ms
          address     203.0.113.7:443
          lane        bulk
          webhook-id  msg_1
          try         2
          batch       5 events, positions 3 to 9

        request
          line  POST https://a/********
          x-a   1
          x-a   2
          body  4 bytes, exactly as sent
        [{}]

        response
          status        500
          content-type  text/html
        oops\u{1b}[2J
        ");
    }
}
