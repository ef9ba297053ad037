//! The activity log: who changed what.

use super::Trouble;
use super::codes::{Code, from_json, to_json};
use super::work::Context;
use crate::{ActivityEntry, ActivityPage, ActivityQuery, ActivityRow, ActivitySource};
use hitwire_event::{Actor, ClientId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Entries that are kept; some 300 bytes each.
const ENTRIES_MAX: i64 = 1_000_000;

/// Entries above the bound are taken away once in so many.
const PRUNED_EVERY: i64 = 256;

const INSERT: &str = "INSERT INTO activity
     (client, at_ms, actor_name, actor_email, source, action, object_type, object_id, object_name, changes)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const ALL: &str = "SELECT id, client, at_ms, actor_name, actor_email, source, action, object_type, object_id,
     object_name, changes FROM activity WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
const OF_CLIENT: &str =
    "SELECT id, client, at_ms, actor_name, actor_email, source, action, object_type, object_id,
     object_name, changes FROM activity WHERE client = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
const FROM: &str = "SELECT id, at_ms FROM activity WHERE id >= ?1 ORDER BY id LIMIT 1";
const LAST: &str = "SELECT id FROM activity ORDER BY id DESC LIMIT 1";

/// Entries that one page looks at for those that are wanted; whoever asks again goes on from there. It takes some milliseconds.
const LOOKED_AT: usize = 5_000;

/// Adds an entry.
pub(super) fn record(context: &Context<'_>, entry: &ActivityEntry) -> Result<(), Trouble> {
    let connection = context.connection;
    connection.prepare_cached(INSERT)?.execute(params![
        entry.client.0 as i64,
        context.now_ms as i64,
        entry.actor.as_ref().map(|actor| &actor.name),
        entry.actor.as_ref().and_then(|actor| actor.email.as_ref()),
        entry.source.code(),
        entry.action,
        entry.object_type,
        entry.object_id,
        entry.object_name,
        to_json(&entry.changes)?,
    ])?;
    let id = connection.last_insert_rowid();
    if id % PRUNED_EVERY == 0 {
        connection.prepare_cached("DELETE FROM activity WHERE id <= ?1")?.execute([id - ENTRIES_MAX])?;
    }
    Ok(())
}

/// The newest entries that are wanted.
pub(in crate::sqlite) fn load(
    connection: &Connection,
    query: &ActivityQuery,
) -> Result<ActivityPage, Trouble> {
    let mut before = query.before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    if let Some(until_ms) = query.until_ms {
        before = before.min(first_since(connection, until_ms)?);
    }
    let mut statement = connection.prepare_cached(if query.client.is_some() { OF_CLIENT } else { ALL })?;
    // One more than is looked at, to know whether there is one.
    let looked_at = if narrows(query) { LOOKED_AT } else { query.limit }.saturating_add(1);
    let mut rows = match query.client {
        Some(client) => statement.query(params![before, looked_at as i64, client.0 as i64])?,
        None => statement.query(params![before, looked_at as i64])?,
    };
    let (mut page, mut passed, mut last) = (ActivityPage::default(), 0, None);
    while let Some(row) = rows.next()? {
        if query.since_ms.is_some_and(|since_ms| row.get::<_, i64>(2).is_ok_and(|at| (at as u64) < since_ms))
        {
            return Ok(page);
        }
        let is_wanted = is_wanted(row, query)?;
        passed += 1;
        if passed == looked_at || (is_wanted && page.rows.len() == query.limit) {
            page.next = last;
            return Ok(page);
        }
        if is_wanted {
            page.rows.push(entry(row)?);
        }
        last = Some(row.get::<_, i64>(0)? as u64);
    }
    Ok(page)
}

/// Whether entries that are looked at may turn out not to be wanted.
fn narrows(query: &ActivityQuery) -> bool {
    [&query.object_type, &query.object_id, &query.action, &query.actor].iter().any(|asked| asked.is_some())
}

/// Compares before anything of the row is copied or parsed.
fn is_wanted(row: &Row<'_>, query: &ActivityQuery) -> Result<bool, Trouble> {
    for (column, asked) in [(6, &query.action), (7, &query.object_type), (8, &query.object_id)] {
        if let Some(asked) = asked
            && row.get_ref(column)?.as_str()? != asked
        {
            return Ok(false);
        }
    }
    let Some(actor) = &query.actor else { return Ok(true) };
    let actor = actor.to_lowercase();
    for column in [3, 4] {
        if row.get_ref(column)?.as_str_or_null()?.is_some_and(|name| name.to_lowercase() == actor) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn entry(row: &Row<'_>) -> Result<ActivityRow, Trouble> {
    let name: Option<String> = row.get(3)?;
    let email = row.get(4)?;
    Ok(ActivityRow {
        id: row.get::<_, i64>(0)? as u64,
        at_ms: row.get::<_, i64>(2)? as u64,
        entry: ActivityEntry {
            client: ClientId(row.get::<_, i64>(1)? as u64),
            actor: name.map(|name| Actor { name, email }),
            source: ActivitySource::from_row(row.get(5)?)?,
            action: row.get(6)?,
            object_type: row.get(7)?,
            object_id: row.get(8)?,
            object_name: row.get(9)?,
            changes: from_json(row.get_ref(10)?.as_bytes()?, 10)?,
        },
    })
}

/// The number of the first entry that was recorded at or after a time; found by halving, as numbers rise with time.
fn first_since(connection: &Connection, at_ms: u64) -> Result<i64, Trouble> {
    let mut from = connection.prepare_cached(FROM)?;
    let mut step = |id: i64| {
        from.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64))).optional()
    };
    let Some((first, _)) = step(0)? else { return Ok(i64::MAX) };
    let last: i64 = connection.prepare_cached(LAST)?.query_row([], |row| row.get(0))?;
    // Entries below `low` are older; `high` and those above are not.
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match step(middle)? {
            Some((id, at)) if at < at_ms => low = id + 1,
            _ => high = middle,
        }
    }
    Ok(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::{self, Access, Kind};

    const SINCE_MS: u64 = 1_700_000_000_000;

    /// A state with so many entries, a second apart, with numbers from 1; one of a hundred is about a user.
    fn state(directory: &tempfile::TempDir, entries: u64) -> Connection {
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |connection| {
            let transaction = connection.unchecked_transaction()?;
            for n in 1..=entries {
                let object = if n % 100 == 0 { "user" } else { "integration" };
                let values = params![
                    1,
                    (SINCE_MS + n * 1_000) as i64,
                    "Jane",
                    None::<String>,
                    ActivitySource::Api.code(),
                    "update",
                    object,
                    "7",
                    "SIEM",
                    "[]"
                ];
                connection.prepare_cached(INSERT)?.execute(values)?;
            }
            connection.execute("DELETE FROM activity WHERE id <= 3", [])?;
            transaction.commit()
        })
        .unwrap();
        schema::open(&path, Kind::State, Access::Read).unwrap()
    }

    fn ids(page: &ActivityPage) -> Vec<u64> {
        page.rows.iter().map(|row| row.id).collect()
    }

    #[test]
    fn a_page_looks_at_a_bounded_number_of_entries_and_says_where_to_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let connection = state(&directory, 12_000);
        let mut query =
            ActivityQuery { object_type: Some("user".to_owned()), limit: 1_000, ..ActivityQuery::default() };
        let Ok(page) = load(&connection, &query) else { panic!("no page") };
        assert_eq!((page.rows.len(), page.next), (50, Some(7_001)));
        query.before = page.next;
        let Ok(page) = load(&connection, &query) else { panic!("no page") };
        assert_eq!((page.rows.len(), page.next), (50, Some(2_001)));
        query.before = page.next;
        let Ok(page) = load(&connection, &query) else { panic!("no page") };
        assert_eq!((page.rows.len(), page.next), (20, None));
    }

    #[test]
    fn entries_of_a_time_are_found_wherever_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let connection = state(&directory, 1_000);
        let between = |since_ms, until_ms| {
            let query = ActivityQuery { since_ms, until_ms, limit: 4, ..ActivityQuery::default() };
            let Ok(page) = load(&connection, &query) else { panic!("no page") };
            ids(&page)
        };
        let at = |n: u64| Some(SINCE_MS + n * 1_000);
        assert_eq!(between(at(500), at(503)), [502, 501, 500]);
        assert_eq!(between(at(500), None), [1_000, 999, 998, 997]);
        assert_eq!(between(None, at(6)), [5, 4], "those before are gone");
        assert_eq!(between(None, at(2)), [0; 0]);
        assert_eq!(between(at(2_000), at(3_000)), [0; 0]);
    }
}
