//! How full the store is, from what the system and one short read say.

use super::files;
use super::ground::Ground;
use super::state::context::Trouble;
use crate::Figures;
use rusqlite::Connection;

const INTEGRATIONS: &str =
    "SELECT count(*) FILTER (WHERE disabled IS NULL), count(*) FILTER (WHERE disabled = 'user'),
     count(*) FILTER (WHERE disabled <> 'user') FROM integration";

/// What the files say.
pub(super) fn of_files(ground: &Ground) -> Figures {
    let slices = ground.log.catalog.all();
    let state = ground.state.path();
    let oldest_ms = slices.iter().map(|slice| slice.oldest_ms()).min().filter(|ms| *ms != u64::MAX);
    Figures {
        log_bytes: slices.iter().map(|slice| files::database_bytes(&slice.path)).sum(),
        log_wal_bytes: slices.last().map_or(0, |slice| files::file_bytes(&files::wal(&slice.path))),
        slices: slices.len() as u64,
        oldest_ms,
        state_bytes: files::database_bytes(state),
        state_wal_bytes: files::file_bytes(&files::wal(state)),
        disk_free_bytes: ground.directory.free_bytes().ok(),
        ..Figures::default()
    }
}

/// The same, with what the state says.
pub(super) fn with_state(files: Figures, connection: &Connection) -> Result<Figures, Trouble> {
    let count = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(|count| count as u64);
    let (active, disabled_by_user, disabled_automatically) = connection
        .prepare_cached(INTEGRATIONS)?
        .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
    let outbox =
        connection.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| count(row, 0))?;
    Ok(Figures { active, disabled_by_user, disabled_automatically, outbox, ..files })
}
