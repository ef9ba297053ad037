//! The delivery log as a file, CSV or NDJSON: written page by page while it is read, so that it takes little memory however
//! long it is.

use super::auth::Caller;
use super::history::{Attempt, Wanted};
use super::problem::Problem;
use super::query::Query;
use super::{Shared, json_text};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hitwire_courier::Verdict;
use hitwire_event::csv::row;
use hitwire_share::{Holder, Share};
use hitwire_store::{AttemptPage, Integration};
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::io;

/// Attempts of one piece of a file: some 200 KB.
const PIECE_ROWS: usize = 500;

/// Attempts of one file: as many as the delivery log keeps.
const ROWS_MAX: u64 = 1_000_000;

/// The columns of a table, named like the fields of an attempt.
const COLUMNS: [&str; 14] = [
    "id",
    "started_at",
    "verdict",
    "status",
    "number",
    "lane",
    "webhook_id",
    "first",
    "last",
    "events",
    "body_bytes",
    "took_us",
    "address",
    "error",
];

/// Where a file begins, and how many attempts it has at most.
pub(super) fn bounds(mut query: Query) -> Result<(Option<u64>, u64), Problem> {
    let before = query.integer("before", 0..=i64::MAX as u64)?;
    let limit = query.integer("limit", 1..=ROWS_MAX)?.unwrap_or(ROWS_MAX);
    query.finish()?;
    Ok((before, limit))
}

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// A table for spreadsheets.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl FileFormat {
    /// What a call asks for, by `format` or by its header `Accept`; none: pages of JSON.
    pub(super) fn asked(query: &mut Query, headers: &HeaderMap) -> Result<Option<FileFormat>, Problem> {
        let choices = [("json", None), ("csv", Some(FileFormat::Csv)), ("ndjson", Some(FileFormat::Ndjson))];
        if let Some(format) = query.one_of("format", &choices)? {
            return Ok(format);
        }
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut types = accepted.flat_map(|value| value.split(',')).map(|part| {
            let media_type = part.split(';').next().unwrap_or_default().trim();
            media_type.to_ascii_lowercase()
        });
        // The first type that the call can answer with counts; weights are not compared.
        Ok(types
            .find_map(|media_type| match &*media_type {
                "application/json" | "application/*" | "*/*" => Some(None),
                "text/csv" | "text/*" => Some(Some(FileFormat::Csv)),
                "application/x-ndjson" | "application/jsonl" => Some(Some(FileFormat::Ndjson)),
                _ => None,
            })
            .flatten())
    }

    fn content_type(self) -> &'static str {
        match self {
            FileFormat::Csv => "text/csv; charset=utf-8; header=present",
            FileFormat::Ndjson => "application/x-ndjson",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            FileFormat::Csv => "csv",
            FileFormat::Ndjson => "ndjson",
        }
    }

    fn write(self, attempt: &Attempt, text: &mut Vec<u8>) {
        match self {
            FileFormat::Csv => text.extend(attempt.as_row().into_bytes()),
            FileFormat::Ndjson => {
                text.extend(json_text(attempt));
                text.push(b'\n');
            }
        }
    }
}

/// A file that is being written.
struct Export {
    api: Shared,
    caller: Caller,
    integration: Integration,
    wanted: Wanted,
    format: FileFormat,
    /// Attempts that still fit.
    left: usize,
    /// Only attempts older than this one.
    before: Option<u64>,
    is_done: bool,
    _place: Share<Holder>,
}

/// The whole delivery log with the call's filters, from the newest attempt on.
pub(super) async fn file(
    api: Shared,
    mut caller: Caller,
    integration: Integration,
    wanted: Wanted,
    format: FileFormat,
    (before, limit): (Option<u64>, u64),
) -> Result<Response, Problem> {
    // The one who reads may take minutes: a file has a place among the lists, and not one of the calls.
    caller.release();
    let place = api.places.list(&caller).await?;
    let name = format!("attempts-of-{}.{}", integration.id, format.extension());
    let left = limit as usize;
    let mut export =
        Export { api, caller, integration, wanted, format, left, before, is_done: false, _place: place };
    let mut begin = Vec::new();
    if format == FileFormat::Csv {
        let mut head = String::new();
        row(&mut head, COLUMNS);
        begin.extend(head.into_bytes());
    }
    // Before the status: what fails at once is answered as an error.
    export.write_page(&mut begin).await?;
    let begin = stream::once(async { Ok::<_, io::Error>(Bytes::from(begin)) });
    let rest = stream::try_unfold(export, async |mut export: Export| {
        let text = export.go_on().await?;
        Ok((!text.is_empty()).then_some((text, export)))
    });
    let headers = [
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(begin.chain(rest))).into_response())
}

impl Export {
    /// Writes the next page: some attempts, or none, where a search goes on.
    async fn write_page(&mut self, text: &mut Vec<u8>) -> Result<(), Problem> {
        let limit = self.left.min(PIECE_ROWS);
        let AttemptPage { rows, next } =
            self.wanted.find(&self.api, &self.integration, self.before, limit).await?;
        self.left = self.left.saturating_sub(rows.len());
        self.before = next;
        self.is_done = next.is_none() || self.left == 0;
        for row in rows {
            self.format.write(&Attempt::of(row, self.caller.role()), text);
        }
        Ok(())
    }

    /// The next bytes; none: the file is whole.
    async fn go_on(&mut self) -> io::Result<Bytes> {
        let mut text = Vec::new();
        while !self.is_done && text.is_empty() {
            // The one who reads may take minutes, and may have lost the right to meanwhile.
            self.caller.check_again(&self.api).await.map_err(cut_short)?;
            self.write_page(&mut text).await.map_err(cut_short)?;
        }
        Ok(text.into())
    }
}

/// As JSON has it too.
const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Sick => "sick",
        Verdict::Refused => "refused",
        Verdict::Gone => "gone",
    }
}

/// The status has been sent, so the connection is closed in the middle: the caller sees that the file is not whole.
fn cut_short(problem: Problem) -> io::Error {
    let (status, why) = problem.in_words();
    tracing::warn!(%status, why, "an export of the delivery log ends early");
    io::Error::other(why)
}

impl Attempt {
    /// A row of the table.
    fn as_row(&self) -> String {
        let number = |number: u64| number.to_string();
        let cells = [
            number(self.id),
            self.started_at.clone(),
            verdict(self.verdict).to_owned(),
            self.status.map(|status| status.to_string()).unwrap_or_default(),
            number(self.number.into()),
            self.lane.to_string(),
            self.webhook_id.clone(),
            number(self.first),
            number(self.last),
            number(self.events.into()),
            number(self.body_bytes),
            number(self.took_us),
            self.address.clone().unwrap_or_default(),
            self.error.clone().unwrap_or_default(),
        ];
        let mut text = String::new();
        row(&mut text, cells.iter().map(String::as_str));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, accept: &str) -> Option<FileFormat> {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().expect("a value"))]);
        FileFormat::asked(&mut Query::of(query), &headers).expect("read")
    }

    #[test]
    fn the_parameter_says_what_a_file_is_written_in_and_else_the_header() {
        assert_eq!(asked("format=csv", "application/json"), Some(FileFormat::Csv));
        assert_eq!(asked("format=json", "text/csv"), None);
        assert_eq!(asked("", "text/csv; charset=utf-8"), Some(FileFormat::Csv));
        assert_eq!(asked("", "text/html, Application/X-NDJSON;q=0.9"), Some(FileFormat::Ndjson));
        assert_eq!(asked("", "application/json, text/csv"), None);
        assert_eq!(asked("", "*/*"), None);
        assert!(FileFormat::asked(&mut Query::of("format=xml"), &HeaderMap::new()).is_err());
    }
}
