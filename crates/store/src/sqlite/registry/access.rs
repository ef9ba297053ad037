//! Credentials, sessions and links.

use super::{accounts, authority};
use crate::sqlite::seal::{Place, Sealer, from_hex, to_hex};
use crate::sqlite::state::codes::{from_json, to_json};
use crate::sqlite::state::context::Trouble;
use crate::{Credential, Link, Secret, Session, StoreError, User, UserId};
use hitwire_event::ClientId;
use rusqlite::{Connection, OptionalExtension, Row, params};

const SELECT_CREDENTIAL: &str =
    "SELECT user, revision, password, password_set_at, totp, totp_step, recovery, issuer, subject
     FROM credential WHERE user = ?1";
const USERS_OF_SUBJECT: &str =
    "SELECT user.client, user.id FROM credential JOIN user ON user.id = credential.user
     WHERE issuer = ?1 AND subject = ?2 ORDER BY user.client";
const INSERT_CREDENTIAL: &str = "INSERT INTO credential
     (user, revision, password, password_set_at, totp, totp_step, recovery, issuer, subject)
     VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (user) DO NOTHING";
const UPDATE_CREDENTIAL: &str = "UPDATE credential SET revision = revision + 1, password = ?2,
     password_set_at = ?3, totp = ?4, totp_step = ?5, recovery = ?6, issuer = ?7, subject = ?8
     WHERE user = ?1 AND revision = ?9";
const PUT_SESSION: &str = "INSERT INTO session
     (sha256, user, created_at, last_used_at, signed_in_with, address, agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const SELECT_SESSION: &str = "SELECT sha256, user, created_at, last_used_at, signed_in_with, address, agent FROM session WHERE sha256 = ?1";
const SELECT_SESSIONS: &str =
    "SELECT sha256, user, created_at, last_used_at, signed_in_with, address, agent FROM session
     WHERE user = ?1 ORDER BY created_at DESC LIMIT 100";
const PUT_LINK: &str = "INSERT INTO link (sha256, user, expires_at) VALUES (?1, ?2, ?3)";

/// Sessions of one user; the oldest ones end when there are more.
const SESSIONS_MAX: i64 = 50;

/// A credential, new or changed.
pub(in crate::sqlite) fn put_credential(
    connection: &Connection,
    sealer: &Sealer,
    credential: &Credential,
) -> Result<(), Trouble> {
    authority::user_exists(connection, credential.user)?;
    let user = credential.user.0 as i64;
    let place = place(credential.user);
    let totp = credential.totp.as_ref().map(|secret| sealer.seal(place, secret.expose().as_bytes()));
    let totp = totp.transpose()?;
    let recovery: Vec<String> = credential.recovery.iter().map(|sha256| to_hex(sha256)).collect();
    let recovery = to_json(&recovery)?;
    let (issuer, subject) = credential.subject.as_ref().map(|(i, s)| (i.as_str(), s.as_str())).unzip();
    let set_at = credential.password_set_at.map(|at| at as i64);
    let step = credential.totp_step as i64;
    if let (Some(issuer), Some(subject)) = (issuer, subject) {
        let client = accounts::user_of_id(connection, credential.user)?.map(|user| user.client);
        let others = users_of_subject(connection, issuer, subject)?;
        if others.iter().any(|&(of, other)| Some(of) == client && other != credential.user) {
            let words = "another user of the client signs in as this account of the OpenID provider";
            return Err(StoreError::Taken(words.to_owned()).into());
        }
    }
    let password = &credential.password;
    let changed = if credential.revision == 0 {
        connection
            .prepare_cached(INSERT_CREDENTIAL)?
            .execute(params![user, password, set_at, totp, step, recovery, issuer, subject])?
    } else {
        connection.prepare_cached(UPDATE_CREDENTIAL)?.execute(params![
            user,
            password,
            set_at,
            totp,
            step,
            recovery,
            issuer,
            subject,
            credential.revision as i64
        ])?
    };
    if changed == 0 {
        return Err(StoreError::Conflict.into());
    }
    if password.is_some() || subject.is_some() {
        connection.prepare_cached("DELETE FROM link WHERE user = ?1 OR user IS NULL")?.execute([user])?;
    }
    Ok(())
}

/// Refuses if a credential is not at this revision any more.
pub(in crate::sqlite) fn same_credential(
    connection: &Connection,
    user: UserId,
    revision: u64,
) -> Result<(), Trouble> {
    let mut statement = connection.prepare_cached("SELECT revision FROM credential WHERE user = ?1")?;
    let found = statement.query_row([user.0 as i64], |row| row.get::<_, i64>(0)).optional()?;
    if found.unwrap_or_default() as u64 == revision { Ok(()) } else { Err(StoreError::Conflict.into()) }
}

/// Takes the links of a user away.
pub(in crate::sqlite) fn delete_links(connection: &Connection, user: UserId) -> Result<(), Trouble> {
    connection.prepare_cached("DELETE FROM link WHERE user = ?1")?.execute([user.0 as i64])?;
    Ok(())
}

/// Seals the second factors of all users with another key. Answers how many.
pub(in crate::sqlite) fn seal_anew(
    connection: &Connection,
    old: &Sealer,
    new: &Sealer,
) -> Result<u64, Trouble> {
    let mut statement =
        connection.prepare("SELECT user, totp FROM credential WHERE totp IS NOT NULL ORDER BY user")?;
    let mut rows = statement.query([])?;
    let mut sealed = 0;
    while let Some(row) = rows.next()? {
        let user = UserId(row.get::<_, i64>(0)? as u64);
        let opened = old.open(place(user), row.get_ref(1)?.as_blob()?).map_err(|_| {
            StoreError::Open(format!(
                "the second factor of user {user} does not open; reset how this user signs in"
            ))
        })?;
        let anew = new.seal(place(user), &opened)?;
        let mut update = connection.prepare_cached("UPDATE credential SET totp = ?2 WHERE user = ?1")?;
        update.execute(params![user.0 as i64, anew])?;
        sealed += 1;
    }
    Ok(sealed)
}

/// The credential of a user.
pub(in crate::sqlite) fn credential(
    connection: &Connection,
    sealer: &Sealer,
    user: UserId,
) -> Result<Option<Credential>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_CREDENTIAL)?;
    let mut rows = statement.query([user.0 as i64])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let totp = match row.get_ref(4)?.as_blob_or_null()? {
        None => None,
        Some(sealed) => {
            let opened = sealer.open(place(user), sealed).map_err(|_| {
                StoreError::Open(format!(
                    "the second factor of user {user} does not open: its row is damaged, or was changed from outside; \
                     reset how this user signs in"
                ))
            })?;
            Some(Secret::new(String::from_utf8_lossy(&opened).into_owned()))
        }
    };
    let recovery: Vec<String> = from_json(row.get_ref(6)?.as_bytes()?, 6)?;
    Ok(Some(Credential {
        user,
        revision: row.get::<_, i64>(1)? as u64,
        password: row.get(2)?,
        password_set_at: row.get::<_, Option<i64>>(3)?.map(|at| at as u64),
        totp,
        totp_step: row.get::<_, i64>(5)? as u64,
        recovery: recovery.iter().filter_map(|hash| from_hex(hash).map(|sha256| *sha256)).collect(),
        subject: row.get::<_, Option<String>>(7)?.zip(row.get(8)?),
    }))
}

/// The users who are this account of an OpenID provider, one of a client, and their clients.
pub(in crate::sqlite) fn users_of_subject(
    connection: &Connection,
    issuer: &str,
    subject: &str,
) -> Result<Vec<(ClientId, UserId)>, Trouble> {
    let mut statement = connection.prepare_cached(USERS_OF_SUBJECT)?;
    let users = statement.query_map([issuer, subject], |row| {
        Ok((ClientId(row.get::<_, i64>(0)? as u64), UserId(row.get::<_, i64>(1)? as u64)))
    })?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// Whether anybody could sign in.
pub(in crate::sqlite) fn anybody(connection: &Connection) -> Result<bool, Trouble> {
    let sql = "SELECT 1 FROM credential WHERE password IS NOT NULL OR subject IS NOT NULL LIMIT 1";
    Ok(connection.prepare_cached(sql)?.exists([])?)
}

/// A new session; the oldest ones of the user end if there are too many.
pub(in crate::sqlite) fn put_session(connection: &Connection, session: &Session) -> Result<(), Trouble> {
    authority::may_sign_in(connection, session.user)?;
    let user = session.user.0 as i64;
    connection.prepare_cached(PUT_SESSION)?.execute(params![
        session.sha256,
        user,
        session.created_at as i64,
        session.last_used_at as i64,
        session.signed_in_with,
        session.address,
        session.agent
    ])?;
    let sql = "DELETE FROM session WHERE user = ?1 AND sha256 NOT IN
        (SELECT sha256 FROM session WHERE user = ?1 ORDER BY created_at DESC, sha256 LIMIT ?2)";
    connection.prepare_cached(sql)?.execute([user, SESSIONS_MAX])?;
    Ok(())
}

/// Ends one session.
pub(in crate::sqlite) fn delete_session(connection: &Connection, sha256: &[u8; 32]) -> Result<bool, Trouble> {
    Ok(connection.prepare_cached("DELETE FROM session WHERE sha256 = ?1")?.execute([sha256])? > 0)
}

/// Ends the sessions of a user, but for one.
pub(in crate::sqlite) fn delete_sessions(
    connection: &Connection,
    user: UserId,
    but: Option<[u8; 32]>,
) -> Result<bool, Trouble> {
    let mut statement =
        connection.prepare_cached("DELETE FROM session WHERE user = ?1 AND (?2 IS NULL OR sha256 <> ?2)")?;
    Ok(statement.execute(params![user.0 as i64, but])? > 0)
}

/// Ends what has expired: sessions made, or last used, before these times (Unix seconds), and links.
pub(in crate::sqlite) fn delete_expired(
    connection: &Connection,
    created_before: u64,
    used_before: u64,
    now: u64,
) -> Result<bool, Trouble> {
    let sessions = connection
        .prepare_cached("DELETE FROM session WHERE created_at < ?1 OR last_used_at < ?2")?
        .execute([created_before as i64, used_before as i64])?;
    let links =
        connection.prepare_cached("DELETE FROM link WHERE expires_at <= ?1")?.execute([now as i64])?;
    Ok(sessions + links > 0)
}

/// Notes when sessions were last used.
pub(in crate::sqlite) fn used(connection: &Connection, used: &[([u8; 32], u64)]) -> Result<(), Trouble> {
    let mut statement = connection
        .prepare_cached("UPDATE session SET last_used_at = max(last_used_at, ?2) WHERE sha256 = ?1")?;
    for (sha256, at) in used {
        statement.execute(params![sha256, *at as i64])?;
    }
    Ok(())
}

/// The session with this hash, and whose it is.
pub(in crate::sqlite) fn session(
    connection: &Connection,
    sha256: [u8; 32],
) -> Result<Option<(Session, User)>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_SESSION)?;
    let Some(session) = statement.query_row([sha256], as_session).optional()? else { return Ok(None) };
    let user = accounts::user_of_id(connection, session.user)?;
    Ok(user.map(|user| (session, user)))
}

/// The newest sessions of a user.
pub(in crate::sqlite) fn sessions(connection: &Connection, user: UserId) -> Result<Vec<Session>, Trouble> {
    let mut statement = connection.prepare_cached(SELECT_SESSIONS)?;
    let sessions = statement.query_map([user.0 as i64], as_session)?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

/// A new link in place of those that were there for the same.
pub(in crate::sqlite) fn put_link(connection: &Connection, link: &Link) -> Result<(), Trouble> {
    if let Some(user) = link.user {
        authority::user_exists(connection, user)?;
    }
    let user = link.user.map(|user| user.0 as i64);
    connection.prepare_cached("DELETE FROM link WHERE user IS ?1")?.execute([user])?;
    connection.prepare_cached(PUT_LINK)?.execute(params![link.sha256, user, link.expires_at as i64])?;
    Ok(())
}

/// Uses a link up. Whoever comes second finds nothing.
pub(in crate::sqlite) fn redeem_link(connection: &Connection, sha256: &[u8; 32]) -> Result<(), Trouble> {
    match connection.prepare_cached("DELETE FROM link WHERE sha256 = ?1")?.execute([sha256])? {
        0 => Err(StoreError::NotFound.into()),
        _ => Ok(()),
    }
}

/// The link with this hash.
pub(in crate::sqlite) fn link(connection: &Connection, sha256: [u8; 32]) -> Result<Option<Link>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT user, expires_at FROM link WHERE sha256 = ?1")?;
    let link = statement.query_row([sha256], |row| {
        Ok(Link {
            sha256,
            user: row.get::<_, Option<i64>>(0)?.map(|user| UserId(user as u64)),
            expires_at: row.get::<_, i64>(1)? as u64,
        })
    });
    Ok(link.optional()?)
}

/// Takes away what belongs to users: those of this condition, whose parameter is given.
pub(in crate::sqlite) fn forget(connection: &Connection, users: &str, parameter: i64) -> Result<(), Trouble> {
    for table in ["credential", "session", "link"] {
        let sql = format!("DELETE FROM {table} WHERE user IN ({users})");
        connection.prepare_cached(&sql)?.execute([parameter])?;
    }
    Ok(())
}

fn as_session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        sha256: row.get(0)?,
        user: UserId(row.get::<_, i64>(1)? as u64),
        created_at: row.get::<_, i64>(2)? as u64,
        last_used_at: row.get::<_, i64>(3)? as u64,
        signed_in_with: row.get(4)?,
        address: row.get(5)?,
        agent: row.get(6)?,
    })
}

fn place(user: UserId) -> Place {
    Place { table: "credential", id: user.0, field: "totp" }
}
