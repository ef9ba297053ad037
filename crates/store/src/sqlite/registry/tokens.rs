//! Tokens, by their number and by their hash.

use super::authority;
use crate::sqlite::state::codes::Code;
use crate::sqlite::state::context::Trouble;
use crate::{Role, Token, TokenId, UserId};
use hitwire_event::ClientId;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

const PUT: &str = "INSERT INTO token
     (id, sha256, client, user, role, name, created_at, created_by, expires_at, last_used_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
     ON CONFLICT (id) DO UPDATE SET sha256 = excluded.sha256, client = excluded.client, user = excluded.user,
     role = excluded.role, name = excluded.name, created_at = excluded.created_at, created_by = excluded.created_by,
     expires_at = excluded.expires_at, last_used_at = excluded.last_used_at";
const ALL: &str =
    "SELECT id, sha256, client, user, role, name, created_at, created_by, expires_at, last_used_at
     FROM token ORDER BY id";
const OF_CLIENT: &str =
    "SELECT id, sha256, client, user, role, name, created_at, created_by, expires_at, last_used_at
     FROM token WHERE client = ?1 ORDER BY id";
const SELECT_BY_HASH: &str =
    "SELECT id, sha256, client, user, role, name, created_at, created_by, expires_at, last_used_at
     FROM token WHERE sha256 = ?1";

const SELECT_BY_ID: &str =
    "SELECT id, sha256, client, user, role, name, created_at, created_by, expires_at, last_used_at
     FROM token WHERE id = ?1";

/// Puts a token, new or in place of the one with the same id.
pub(in crate::sqlite) fn put(connection: &Connection, token: &Token) -> Result<(), Trouble> {
    authority::client_exists(connection, token.client)?;
    if let Some(user) = token.user {
        authority::user_exists(connection, user)?;
    }
    connection.prepare_cached(PUT)?.execute(params![
        token.id.0 as i64,
        token.sha256,
        token.client.0 as i64,
        token.user.map(|user| user.0 as i64),
        token.role.code(),
        token.name,
        token.created_at as i64,
        token.created_by,
        token.expires_at.map(|at| at as i64),
        token.last_used_at.map(|at| at as i64)
    ])?;
    Ok(())
}

/// Takes a token away.
pub(in crate::sqlite) fn delete(connection: &Connection, id: TokenId) -> Result<bool, Trouble> {
    Ok(connection.prepare_cached("DELETE FROM token WHERE id = ?1")?.execute([id.0 as i64])? > 0)
}

/// Notes when tokens were last used.
pub(in crate::sqlite) fn used(connection: &Connection, used: &[(TokenId, u64)]) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached("UPDATE token SET last_used_at = ?2 WHERE id = ?1")?;
    for (id, at) in used {
        statement.execute([id.0 as i64, *at as i64])?;
    }
    Ok(())
}

/// The token with this hash.
pub(in crate::sqlite) fn load(connection: &Connection, sha256: [u8; 32]) -> Result<Option<Token>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_BY_HASH)?;
    Ok(statement.query_row([sha256], token).optional()?)
}

/// The token with this number.
pub(in crate::sqlite) fn of_id(connection: &Connection, id: TokenId) -> Result<Option<Token>, Trouble> {
    Ok(connection.prepare_cached(SELECT_BY_ID)?.query_row([id.0 as i64], token).optional()?)
}

/// The tokens of one client or of all.
pub(in crate::sqlite) fn list(
    connection: &Connection,
    client: Option<ClientId>,
) -> Result<Vec<Token>, Trouble> {
    let mut statement = connection.prepare_cached(if client.is_some() { OF_CLIENT } else { ALL })?;
    let tokens = statement.query_map(params_from_iter(client.map(|client| client.0 as i64)), token)?;
    Ok(tokens.collect::<Result<_, _>>()?)
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    let time = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(|at| at as u64));
    Ok(Token {
        id: TokenId(row.get::<_, i64>(0)? as u64),
        sha256: row.get(1)?,
        client: ClientId(row.get::<_, i64>(2)? as u64),
        user: time(3)?.map(UserId),
        role: Role::from_row(row.get(4)?)?,
        name: row.get(5)?,
        created_at: row.get::<_, i64>(6)? as u64,
        created_by: row.get(7)?,
        expires_at: time(8)?,
        last_used_at: time(9)?,
    })
}
