//! Whether what a change needs is still there, in the transaction that makes it.

use crate::sqlite::state::codes::Code;
use crate::sqlite::state::context::{Context, Trouble};
use crate::{Authority, Revoked, Role, StoreError, UserId};
use hitwire_event::ClientId;
use rusqlite::{Connection, OptionalExtension};

/// Refuses if somebody may no longer do what they were allowed to do.
pub(in crate::sqlite) fn require(context: &Context<'_>, authority: &Authority) -> Result<(), Trouble> {
    let connection = context.connection;
    let sql = "SELECT enabled FROM client WHERE id = ?1";
    let enabled: Option<bool> = connection
        .prepare_cached(sql)?
        .query_row([authority.client.0 as i64], |row| row.get(0))
        .optional()?;
    if !enabled.ok_or_else(|| revoked(Revoked::Client))? {
        return Err(revoked(Revoked::ClientDisabled));
    }
    if let Some(token) = authority.token {
        let sql = "SELECT expires_at FROM token WHERE id = ?1";
        let expires_at: Option<Option<i64>> =
            connection.prepare_cached(sql)?.query_row([token.0 as i64], |row| row.get(0)).optional()?;
        let expires_at = expires_at.ok_or_else(|| revoked(Revoked::Token))?;
        if expires_at.is_some_and(|at| at as u64 <= context.now_ms / 1_000) {
            return Err(revoked(Revoked::TokenExpired));
        }
    }
    if let Some(sha256) = authority.session
        && !connection.prepare_cached("SELECT 1 FROM session WHERE sha256 = ?1")?.exists([sha256])?
    {
        return Err(revoked(Revoked::Session));
    }
    match authority.user {
        Some((user, least)) => may_act(connection, user, least),
        None => Ok(()),
    }
}

/// Refuses a user who is gone, is disabled, or has less power than this role.
fn may_act(connection: &Connection, user: UserId, least: Role) -> Result<(), Trouble> {
    let sql = "SELECT enabled, role FROM user WHERE id = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([user.0 as i64], |row| Ok((row.get::<_, bool>(0)?, Role::from_row(row.get(1)?)?)))
        .optional()?;
    let (enabled, role) = found.ok_or_else(|| revoked(Revoked::User))?;
    if !enabled {
        return Err(revoked(Revoked::UserDisabled));
    }
    // The order is that of power, the most first.
    if role > least { Err(revoked(Revoked::Role)) } else { Ok(()) }
}

/// Refuses a user who cannot sign in: gone, or disabled.
pub(in crate::sqlite) fn may_sign_in(connection: &Connection, user: UserId) -> Result<(), Trouble> {
    may_act(connection, user, Role::Ingest)
}

/// Refuses what would be left over: of a client that is not there.
pub(in crate::sqlite) fn client_exists(connection: &Connection, client: ClientId) -> Result<(), Trouble> {
    if connection.prepare_cached("SELECT 1 FROM client WHERE id = ?1")?.exists([client.0 as i64])? {
        return Ok(());
    }
    Err(StoreError::Gone(format!("there is no client {client} any more")).into())
}

/// Refuses what would be left over: of a user who is not there.
pub(in crate::sqlite) fn user_exists(connection: &Connection, user: UserId) -> Result<(), Trouble> {
    if connection.prepare_cached("SELECT 1 FROM user WHERE id = ?1")?.exists([user.0 as i64])? {
        return Ok(());
    }
    Err(StoreError::Gone(format!("there is no user {user} any more")).into())
}

fn revoked(why: Revoked) -> Trouble {
    StoreError::Revoked(why).into()
}
