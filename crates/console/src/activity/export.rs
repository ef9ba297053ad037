//! The activity log as a file: one row for each changed field, written while it is read.

use super::entry::{Entry, in_words};
use super::filters::Filters;
use super::{Found, find};
use crate::failure::Failure;
use crate::session::{Session, good};
use crate::{Shared, text};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use hitwire_event::csv::row;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use std::io;

/// Rows of one file: a spreadsheet takes ten times as many.
pub(super) const ROWS_MAX: usize = 100_000;

/// Entries that are asked for at once.
const ENTRIES: usize = 500;

const HEADER: [&str; 12] = [
    "time",
    "client",
    "actor",
    "actor_email",
    "source",
    "action",
    "object_type",
    "object_id",
    "object_name",
    "field",
    "old",
    "new",
];

/// A file that is being written.
struct Writing {
    console: Shared,
    session: Session,
    filters: Filters,
    /// Rows that still fit.
    left: usize,
    /// Where to go on; none: this was the last page.
    next: Option<u64>,
    /// Written and not sent yet.
    text: String,
}

/// The whole log with the page's filters, from the newest entry on.
pub(super) async fn export(
    State(console): State<Shared>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let filters = Filters::read(query.as_deref().unwrap_or_default());
    let refused = |problem: String| Failure::new(StatusCode::BAD_REQUEST, "There is no such part", problem);
    let call = filters.call(ENTRIES, None).map_err(refused)?;
    // Whoever may not is told so before anything is sent.
    let (found, problem) = find(&console, &session, &call).await?;
    if !problem.is_empty() {
        return Err(refused(problem));
    }
    let mut writing = Writing { console, session, filters, left: ROWS_MAX, next: None, text: String::new() };
    row(&mut writing.text, HEADER);
    writing.add(found);
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"hitwire-activity.csv\""),
    ];
    let parts = stream::try_unfold(writing, |mut writing| async move {
        if writing.text.is_empty() {
            // A file that breaks off is known to be broken: the answer does not end as it should.
            writing
                .go_on()
                .await
                .map_err(|_| io::Error::other("the activity log cannot be read any more"))?;
        }
        let text = Bytes::from(std::mem::take(&mut writing.text));
        Ok::<_, io::Error>((!text.is_empty()).then_some((text, writing)))
    });
    Ok((headers, Body::from_stream(parts)).into_response())
}

impl Writing {
    /// Reads until there is something to send, or nothing left.
    async fn go_on(&mut self) -> Result<(), Failure> {
        while let Some(next) = self.next.take().filter(|_| self.text.is_empty()) {
            self.still_signed_in().await?;
            let call = self.filters.call(ENTRIES, Some(next)).unwrap_or_default();
            let (found, _) = find(&self.console, &self.session, &call).await?;
            self.add(found);
        }
        Ok(())
    }

    /// A long file ends with the session, and goes on with the role that its reader has by then.
    async fn still_signed_in(&mut self) -> Result<(), Failure> {
        let good = good(&self.console, self.session.kept.sha256).await?;
        let Some((_, user)) = good else { return Err(Failure::SignIn { next: "/".to_owned() }) };
        self.session.user = user;
        Ok(())
    }

    fn add(&mut self, found: Found) {
        self.next = found.next;
        for entry in &found.activity {
            let rows = entry.changes.len().max(1);
            if rows > self.left {
                let rows = text::number(ROWS_MAX as u64);
                let words =
                    format!("The file ends here: it has {rows} rows at most. Ask for a part of the log.");
                row(&mut self.text, [words.as_str()]);
                self.next = None;
                return;
            }
            self.left -= rows;
            entry.write(&mut self.text);
        }
    }
}

impl Entry {
    fn write(&self, table: &mut String) {
        let client = self.client_id.to_string();
        let actor = self.actor.as_ref();
        let begin = [
            &*self.time,
            &*client,
            actor.map_or("", |actor| &actor.name),
            actor.and_then(|actor| actor.email.as_deref()).unwrap_or_default(),
            &*self.source,
            &*self.action,
            &*self.object_type,
            &*self.object_id,
            &*self.object_name,
        ];
        if self.changes.is_empty() {
            row(table, begin.into_iter().chain(["", "", ""]));
        }
        for change in &self.changes {
            let [old, new] = [&change.old, &change.new].map(|value| in_words(value).unwrap_or_default());
            row(table, begin.into_iter().chain([&*change.field, &*old, &*new]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_is_a_row_for_each_changed_field() {
        let entry: Entry = serde_json::from_value(json!({
            "time": "2026-01-01T00:00:09.200Z", "client_id": 1, "actor": {"name": "=HYPERLINK(1)", "email": null},
            "source": "api", "action": "update", "object_type": "integration", "object_id": "7", "object_name": "SIEM",
            "changes": [{"field": "name", "old": "@old", "new": "SIEM"}, {"field": "active", "old": true, "new": null}],
        }))
        .unwrap();
        let mut table = String::new();
        entry.write(&mut table);
        let begin =
            r#""2026-01-01T00:00:09.200Z","1","'=HYPERLINK(1)","","api","update","integration","7","SIEM","#;
        assert_eq!(
            table,
            format!("{begin}\"name\",\"'@old\",\"SIEM\"\r\n{begin}\"active\",\"yes\",\"\"\r\n")
        );
        let mut table = String::new();
        Entry { changes: Vec::new(), ..entry }.write(&mut table);
        assert_eq!(table, format!("{begin}\"\",\"\",\"\"\r\n"));
        let mut table = String::new();
        row(&mut table, HEADER);
        assert_eq!(table.matches(',').count(), begin.matches(',').count() + 2);
    }
}
