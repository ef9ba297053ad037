//! Clients, users and applications; ids, and what is remembered by name.

use super::{access, authority};
use crate::sqlite::state::codes::{Code, from_json, to_json};
use crate::sqlite::state::context::Trouble;
use crate::{Application, Client, Role, Sequence, StoreError, User, UserId};
use hitwire_event::ClientId;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params, params_from_iter};

const SELECT_CLIENTS: &str =
    "SELECT id, uuid, name, enabled, limits, created_at, created_by, revision FROM client ORDER BY id";
const SELECT_CLIENTS_AFTER: &str =
    "SELECT id, uuid, name, enabled, limits, created_at, created_by, revision FROM client
     WHERE id > ?1 ORDER BY id LIMIT ?2";
const INSERT_CLIENT: &str =
    "INSERT INTO client (id, uuid, name, enabled, limits, created_at, created_by, revision)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)";
const UPDATE_CLIENT: &str = "UPDATE client SET name = ?2, enabled = ?3, limits = ?4, revision = revision + 1
     WHERE id = ?1 AND revision = ?5";
const SELECT_USERS: &str = "SELECT id, uuid, client, email, name, role, enabled, created_at, created_by, revision, time_zone FROM user ORDER BY id";
const SELECT_USERS_OF_CLIENT: &str =
    "SELECT id, uuid, client, email, name, role, enabled, created_at, created_by, revision, time_zone
     FROM user WHERE client = ?1 ORDER BY id";
const INSERT_USER: &str =
    "INSERT INTO user (id, uuid, client, email, name, role, enabled, created_at, created_by, revision, time_zone)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10)";
const UPDATE_USER: &str =
    "UPDATE user SET email = ?2, name = ?3, role = ?4, enabled = ?5, time_zone = ?7, revision = revision + 1
     WHERE id = ?1 AND revision = ?6";
const SELECT_USER: &str = "SELECT id, uuid, client, email, name, role, enabled, created_at, created_by, revision, time_zone FROM user WHERE id = ?1";
const SELECT_USERS_OF_EMAIL: &str = "SELECT id, uuid, client, email, name, role, enabled, created_at, created_by, revision, time_zone FROM user WHERE email = ?1 ORDER BY client";
const USER_OF_EMAIL: &str = "SELECT id FROM user WHERE email = ?1 AND client = ?2";
const SELECT_APPLICATIONS: &str = "SELECT id, name FROM application WHERE client = ?1 ORDER BY id";
const PUT_APPLICATION: &str = "INSERT INTO application (client, id, name) VALUES (?1, ?2, ?3)
     ON CONFLICT (client, id) DO UPDATE SET name = excluded.name";

/// Reserves an id.
pub(in crate::sqlite) fn next_id(connection: &Connection, sequence: Sequence) -> Result<u64, Trouble> {
    let table = match sequence {
        Sequence::Integration => "integration",
        Sequence::Client => "client",
        Sequence::User => "user",
        Sequence::Token => "token",
        // The key of an application is the client's and its own: it is no AUTOINCREMENT.
        Sequence::Application => {
            let mut statement = connection.prepare_cached(
                "INSERT INTO sequence (name, last) VALUES ('application', 1)
                 ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last",
            )?;
            return Ok(statement.query_row([], |row| row.get::<_, i64>(0))? as u64);
        }
    };
    // The table in which SQLite itself keeps what AUTOINCREMENT gave last; it has no row before the first one.
    let mut advance = connection
        .prepare_cached("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = ?1 RETURNING seq")?;
    if let Some(id) = advance.query_row([table], |row| row.get::<_, i64>(0)).optional()? {
        return Ok(id as u64);
    }
    connection.prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, 1)")?.execute([table])?;
    Ok(1)
}

/// Texts are kept beside the store's own notes, under names of their own.
fn meta_name(name: &str) -> String {
    format!("remembered:{name}")
}

/// Remembers a text.
pub(in crate::sqlite) fn remember(connection: &Connection, name: &str, text: &str) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute([&*meta_name(name), text])?;
    Ok(())
}

/// The text that was remembered under a name.
pub(in crate::sqlite) fn remembered(connection: &Connection, name: &str) -> Result<Option<String>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([meta_name(name)], |row| row.get(0)).optional()?)
}

/// All clients.
pub(in crate::sqlite) fn clients(connection: &Connection) -> Result<Vec<Client>, Trouble> {
    read_clients(connection.prepare_cached(SELECT_CLIENTS)?.query([])?)
}

/// The next clients after one.
pub(in crate::sqlite) fn client_page(
    connection: &Connection,
    after: ClientId,
    limit: usize,
) -> Result<Vec<Client>, Trouble> {
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    read_clients(connection.prepare_cached(SELECT_CLIENTS_AFTER)?.query(params![after, limit as i64])?)
}

fn read_clients(mut rows: Rows<'_>) -> Result<Vec<Client>, Trouble> {
    let mut clients = Vec::new();
    while let Some(row) = rows.next()? {
        clients.push(Client {
            id: ClientId(row.get::<_, i64>(0)? as u64),
            uuid: row.get(1)?,
            name: row.get(2)?,
            enabled: row.get(3)?,
            limits: from_json(row.get_ref(4)?.as_bytes()?, 4)?,
            created_at: row.get::<_, i64>(5)? as u64,
            created_by: row.get(6)?,
            revision: row.get::<_, i64>(7)? as u64,
        });
    }
    Ok(clients)
}

/// A client, new or changed.
pub(in crate::sqlite) fn put_client(connection: &Connection, client: &Client) -> Result<(), Trouble> {
    let limits = to_json(&client.limits)?;
    if client.revision == 0 {
        connection.prepare_cached(INSERT_CLIENT)?.execute(params![
            client.id.0 as i64,
            client.uuid,
            client.name,
            client.enabled,
            limits,
            client.created_at as i64,
            client.created_by
        ])?;
        return Ok(());
    }
    let updated = connection.prepare_cached(UPDATE_CLIENT)?.execute(params![
        client.id.0 as i64,
        client.name,
        client.enabled,
        limits,
        client.revision as i64
    ])?;
    changed_one(connection, updated, "SELECT 1 FROM client WHERE id = ?1", client.id.0)
}

/// Takes a client away, with its users, tokens and applications.
pub(in crate::sqlite) fn delete_client(connection: &Connection, id: ClientId) -> Result<bool, Trouble> {
    let id = id.0 as i64;
    if connection.prepare_cached("SELECT 1 FROM integration WHERE client = ?1 LIMIT 1")?.exists([id])? {
        let words = "the client still has integrations; delete them before the client";
        return Err(StoreError::Taken(words.to_owned()).into());
    }
    access::forget(connection, "SELECT id FROM user WHERE client = ?1", id)?;
    for sql in [
        "DELETE FROM token WHERE client = ?1",
        "DELETE FROM user WHERE client = ?1",
        "DELETE FROM application WHERE client = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([id])?;
    }
    Ok(connection.prepare_cached("DELETE FROM client WHERE id = ?1")?.execute([id])? > 0)
}

/// The users of one client or of all.
pub(in crate::sqlite) fn users(
    connection: &Connection,
    client: Option<ClientId>,
) -> Result<Vec<User>, Trouble> {
    let sql = if client.is_some() { SELECT_USERS_OF_CLIENT } else { SELECT_USERS };
    let mut statement = connection.prepare_cached(sql)?;
    let users = statement.query_map(params_from_iter(client.map(|client| client.0 as i64)), user)?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// The user with this id.
pub(in crate::sqlite) fn user_of_id(connection: &Connection, id: UserId) -> Result<Option<User>, Trouble> {
    Ok(connection.prepare_cached(SELECT_USER)?.query_row([id.0 as i64], user).optional()?)
}

/// The users with this e-mail, letter case aside.
pub(in crate::sqlite) fn users_of_email(connection: &Connection, email: &str) -> Result<Vec<User>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_USERS_OF_EMAIL)?;
    let users = statement.query_map([email], user)?;
    Ok(users.collect::<Result<_, _>>()?)
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get::<_, i64>(0)? as u64),
        uuid: row.get(1)?,
        client: ClientId(row.get::<_, i64>(2)? as u64),
        email: row.get(3)?,
        name: row.get(4)?,
        role: Role::from_row(row.get(5)?)?,
        enabled: row.get(6)?,
        created_at: row.get::<_, i64>(7)? as u64,
        created_by: row.get(8)?,
        revision: row.get::<_, i64>(9)? as u64,
        time_zone: row.get(10)?,
    })
}

/// A user, new or changed.
pub(in crate::sqlite) fn put_user(connection: &Connection, user: &User) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached(USER_OF_EMAIL)?;
    let owner = statement.query_row(params![user.email, user.client.0 as i64], |row| row.get::<_, i64>(0));
    let owner = owner.optional()?;
    if owner.is_some_and(|owner| owner as u64 != user.id.0) {
        let words = format!("there is a user with the e-mail {} already", user.email);
        return Err(StoreError::Taken(words).into());
    }
    if user.revision == 0 {
        authority::client_exists(connection, user.client)?;
        connection.prepare_cached(INSERT_USER)?.execute(params![
            user.id.0 as i64,
            user.uuid,
            user.client.0 as i64,
            user.email,
            user.name,
            user.role.code(),
            user.enabled,
            user.created_at as i64,
            user.created_by,
            user.time_zone
        ])?;
        return Ok(());
    }
    if let Some(before) = user_of_id(connection, user.id)?
        && (&before.email, before.role, before.enabled) != (&user.email, user.role, user.enabled)
    {
        // A link was given to somebody who was to have less, or who is somebody else.
        access::delete_links(connection, user.id)?;
    }
    let updated = connection.prepare_cached(UPDATE_USER)?.execute(params![
        user.id.0 as i64,
        user.email,
        user.name,
        user.role.code(),
        user.enabled,
        user.revision as i64,
        user.time_zone
    ])?;
    changed_one(connection, updated, "SELECT 1 FROM user WHERE id = ?1", user.id.0)
}

/// Takes a user away, with the user's tokens, credential, sessions and links.
pub(in crate::sqlite) fn delete_user(connection: &Connection, id: UserId) -> Result<bool, Trouble> {
    let id = id.0 as i64;
    access::forget(connection, "?1", id)?;
    connection.prepare_cached("DELETE FROM token WHERE user = ?1")?.execute([id])?;
    Ok(connection.prepare_cached("DELETE FROM user WHERE id = ?1")?.execute([id])? > 0)
}

/// The applications of a client.
pub(in crate::sqlite) fn applications(
    connection: &Connection,
    client: ClientId,
) -> Result<Vec<Application>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_APPLICATIONS)?;
    let applications = statement
        .query_map([client.0 as i64], |row| Ok(Application { client, id: row.get(0)?, name: row.get(1)? }))?;
    Ok(applications.collect::<Result<_, _>>()?)
}

/// An application, new or renamed.
pub(in crate::sqlite) fn put_application(
    connection: &Connection,
    application: &Application,
) -> Result<(), Trouble> {
    let Application { client, id, name } = application;
    authority::client_exists(connection, *client)?;
    connection.prepare_cached(PUT_APPLICATION)?.execute(params![client.0 as i64, id, name])?;
    Ok(())
}

/// Takes an application away.
pub(in crate::sqlite) fn delete_application(
    connection: &Connection,
    client: ClientId,
    id: i64,
) -> Result<bool, Trouble> {
    let mut statement = connection.prepare_cached("DELETE FROM application WHERE client = ?1 AND id = ?2")?;
    Ok(statement.execute(params![client.0 as i64, id])? > 0)
}

/// A change from an older revision is a conflict; of something that is gone, there is nothing to change.
fn changed_one(connection: &Connection, updated: usize, exists: &str, id: u64) -> Result<(), Trouble> {
    if updated > 0 {
        return Ok(());
    }
    let exists = connection.prepare_cached(exists)?.exists([id as i64])?;
    Err(if exists { StoreError::Conflict } else { StoreError::NotFound }.into())
}
