//! Tokens, by their hash.

use super::Trouble;
use super::codes::Code;
use crate::{Role, Token};
use hitwire_event::ClientId;
use rusqlite::{Connection, OptionalExtension, params};

const PUT: &str = "INSERT INTO token (sha256, client, role, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (sha256) DO UPDATE SET client = excluded.client, role = excluded.role, name = excluded.name,
     created_at = excluded.created_at";
const SELECT: &str = "SELECT client, role, name, created_at FROM token WHERE sha256 = ?1";

/// Puts a token, new or in place of the one with the same hash.
pub(super) fn put(connection: &Connection, token: &Token) -> Result<(), Trouble> {
    connection.prepare_cached(PUT)?.execute(params![
        token.sha256,
        token.client.0 as i64,
        token.role.code(),
        token.name,
        token.created_at as i64
    ])?;
    Ok(())
}

/// The token with this hash.
pub(in crate::sqlite) fn load(connection: &Connection, sha256: [u8; 32]) -> Result<Option<Token>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let token = statement.query_row([sha256], |row| {
        Ok(Token {
            sha256,
            client: ClientId(row.get::<_, i64>(0)? as u64),
            role: Role::from_row(row.get(1)?)?,
            name: row.get(2)?,
            created_at: row.get::<_, i64>(3)? as u64,
        })
    });
    Ok(token.optional()?)
}
