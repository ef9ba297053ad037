//! The outbox: events that tell of changes, until they are in the log.

use super::state::codes::Code;
use super::state::context::Trouble;
use hitwire_event::{ClientId, Event, EventId, Kind};
use rusqlite::{Connection, params};

const INSERT: &str = "INSERT INTO outbox (client, kind, event_id, body) VALUES (?1, ?2, ?3, ?4)";
const SELECT: &str = "SELECT id, client, kind, event_id, body FROM outbox ORDER BY id LIMIT ?1";

/// Puts an event in; its number.
pub(super) fn put(connection: &Connection, event: &Event) -> Result<u64, Trouble> {
    connection.prepare_cached(INSERT)?.execute(params![
        event.client.0 as i64,
        Code::code(event.kind),
        event.id.as_str(),
        event.body
    ])?;
    Ok(connection.last_insert_rowid() as u64)
}

/// The oldest events with their numbers.
pub(in crate::sqlite) fn load(connection: &Connection, limit: usize) -> Result<Vec<(u64, Event)>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let events = statement.query_map([limit as i64], |row| {
        let event = Event {
            client: ClientId(row.get::<_, i64>(1)? as u64),
            kind: Kind::from_row(row.get(2)?)?,
            id: EventId::from(row.get::<_, String>(3)?),
            body: row.get::<_, String>(4)?.into_boxed_str(),
        };
        Ok((row.get::<_, i64>(0)? as u64, event))
    })?;
    Ok(events.collect::<Result<_, _>>()?)
}

/// Takes the events up to a number away.
pub(super) fn taken(connection: &Connection, through: u64) -> Result<(), Trouble> {
    connection.prepare_cached("DELETE FROM outbox WHERE id <= ?1")?.execute([through as i64])?;
    Ok(())
}
