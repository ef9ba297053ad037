//! The activity log: who changed what.

use super::Trouble;
use super::codes::{Code, from_json, to_json};
use super::work::Context;
use crate::{ActivityEntry, ActivityQuery, ActivityRow, ActivitySource};
use hitwire_event::{Actor, ClientId};
use rusqlite::{Connection, params};

/// Entries that are kept; some 300 bytes each.
const ENTRIES_MAX: i64 = 1_000_000;

/// Entries above the bound are taken away once in so many.
const PRUNED_EVERY: i64 = 256;

const INSERT: &str = "INSERT INTO activity
     (client, at_ms, actor_name, actor_email, source, action, object_type, object_id, object_name, changes)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const SELECT: &str = "SELECT id, client, at_ms, actor_name, actor_email, source, action, object_type, object_id,
     object_name, changes FROM activity
     WHERE id < ?1 AND (?2 IS NULL OR client = ?2) AND (?3 IS NULL OR object_type = ?3) AND (?4 IS NULL OR action = ?4)
     ORDER BY id DESC LIMIT ?5";

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
) -> Result<Vec<ActivityRow>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![
        query.before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX)),
        query.client.map(|client| client.0 as i64),
        query.object_type,
        query.action,
        query.limit as i64
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(3)?;
        let email = row.get(4)?;
        found.push(ActivityRow {
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
        });
    }
    Ok(found)
}
