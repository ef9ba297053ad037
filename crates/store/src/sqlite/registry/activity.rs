//! The activity log: who changed what.

use crate::sqlite::state::codes::{Code, from_json, to_json};
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use crate::{ActivityEntry, ActivityPage, ActivityQuery, ActivityRow, ActivitySource};
use hitwire_event::{Actor, ClientId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// How much is kept. An entry of a change takes some 500 bytes, one with a long filter or many headers more.
struct Bounds {
    /// Of all clients together.
    total_bytes: i64,
    /// Of one client: changes, sign-ins, refused sign-ins.
    part_bytes: [i64; 3],
}

const BOUNDS: Bounds = Bounds { total_bytes: 512 << 20, part_bytes: [128 << 20, 16 << 20, 4 << 20] };

/// What an entry takes beside its texts: its row, and its places in two indices.
const ENTRY_BYTES: usize = 100;

/// The total is looked at once in so many entries.
const ADDED_UP_EVERY: i64 = 64;

const INSERT: &str = "INSERT INTO activity
     (client, at_ms, actor_name, actor_email, source, action, object_type, object_id, object_name, changes, part, bytes)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const GROW: &str = "INSERT INTO activity_size (client, part, bytes) VALUES (?1, ?2, ?3)
     ON CONFLICT (client, part) DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes";
const SHRINK: &str = "UPDATE activity_size SET bytes = bytes - ?3 WHERE client = ?1 AND part = ?2";
const OLDEST: &str = "SELECT id, bytes FROM activity WHERE client = ?1 AND part = ?2 ORDER BY id";
const DROP: &str = "DELETE FROM activity WHERE client = ?1 AND part = ?2 AND id <= ?3";
const ADD_UP: &str = "SELECT coalesce(sum(bytes), 0) FROM activity_size";
const LARGEST: &str = "SELECT client, part FROM activity_size ORDER BY bytes DESC LIMIT 1";
const ALL: &str = "SELECT id, client, at_ms, actor_name, actor_email, source, action, object_type, object_id,
     object_name, changes FROM activity WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
const OF_CLIENT: &str =
    "SELECT id, client, at_ms, actor_name, actor_email, source, action, object_type, object_id,
     object_name, changes FROM activity WHERE client = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
const FROM: &str = "SELECT id, at_ms FROM activity WHERE id >= ?1 ORDER BY id LIMIT 1";
const LAST: &str = "SELECT id FROM activity ORDER BY id DESC LIMIT 1";

/// Entries that one page looks at for those that are wanted; whoever asks again goes on from there. It takes some milliseconds.
const LOOKED_AT: usize = 5_000;

/// Adds an entry. Where the client has as much as it may have, its oldest entries of the same part go; where all have, the oldest of
/// the client that has most.
pub(in crate::sqlite) fn record(context: &Context<'_>, entry: &ActivityEntry) -> Result<(), Trouble> {
    add(context.connection, context.now_ms, entry, &BOUNDS)
}

fn add(connection: &Connection, now_ms: u64, entry: &ActivityEntry, bounds: &Bounds) -> Result<(), Trouble> {
    let client = entry.client.0 as i64;
    let (name, email) = match &entry.actor {
        Some(Actor { name, email }) => (Some(name), email.as_ref()),
        None => (None, None),
    };
    let changes = to_json(&entry.changes)?;
    let texts = [&entry.action, &entry.object_type, &entry.object_id, &entry.object_name, &changes];
    let texts = texts.into_iter().chain(name).chain(email).map(String::len).sum::<usize>();
    let (part, bytes) = (part(entry), (texts + ENTRY_BYTES) as i64);
    connection.prepare_cached(INSERT)?.execute(params![
        client,
        now_ms as i64,
        name,
        email,
        entry.source.code(),
        entry.action,
        entry.object_type,
        entry.object_id,
        entry.object_name,
        changes,
        part as i64,
        bytes,
    ])?;
    let id = connection.last_insert_rowid();
    let has: i64 =
        connection.prepare_cached(GROW)?.query_row(params![client, part as i64, bytes], |row| row.get(0))?;
    drop_oldest(connection, client, part as i64, has - bounds.part_bytes[part])?;
    if id % ADDED_UP_EVERY == 0 {
        let all: i64 = connection.prepare_cached(ADD_UP)?.query_row([], |row| row.get(0))?;
        let largest = connection.prepare_cached(LARGEST)?;
        let largest = { largest }.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((client, part)) = largest {
            drop_oldest(connection, client, part, all - bounds.total_bytes)?;
        }
    }
    Ok(())
}

/// In which part of its client's entries one is: what strangers cause, or anybody by signing in, takes no room from changes.
fn part(entry: &ActivityEntry) -> usize {
    match (entry.object_type.as_str(), entry.action.as_str()) {
        ("sign_in", "refuse") => 2,
        ("sign_in", _) => 1,
        _ => 0,
    }
}

/// Takes the oldest entries of a part away, so many that at least these bytes are free.
fn drop_oldest(connection: &Connection, client: i64, part: i64, over: i64) -> Result<(), Trouble> {
    if over <= 0 {
        return Ok(());
    }
    let (mut freed, mut last) = (0, 0);
    let mut statement = connection.prepare_cached(OLDEST)?;
    let mut rows = statement.query([client, part])?;
    while freed < over
        && let Some(row) = rows.next()?
    {
        last = row.get(0)?;
        freed += row.get::<_, i64>(1)?;
    }
    connection.prepare_cached(DROP)?.execute([client, part, last])?;
    connection.prepare_cached(SHRINK)?.execute([client, part, freed])?;
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
                    "[]",
                    0,
                    100
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

    fn entry_of(client: u64, object_type: &str, action: &str, bytes: usize) -> ActivityEntry {
        ActivityEntry {
            client: ClientId(client),
            actor: None,
            source: ActivitySource::Api,
            action: action.to_owned(),
            object_type: object_type.to_owned(),
            object_id: "7".to_owned(),
            object_name: "x".repeat(bytes),
            changes: Vec::new(),
        }
    }

    /// How many entries a client has in each part; and that what is kept of their size is right.
    fn numbers(connection: &Connection, client: u64) -> [u64; 3] {
        [0, 1, 2].map(|part| {
            let sql = "SELECT count(*), coalesce(sum(bytes), 0), coalesce((SELECT bytes FROM activity_size
                       WHERE client = ?1 AND part = ?2), 0) FROM activity WHERE client = ?1 AND part = ?2";
            let row = connection.query_row(sql, [client as i64, part], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            });
            let (number, bytes, kept) = row.unwrap();
            assert_eq!(bytes, kept);
            number as u64
        })
    }

    #[test]
    fn a_client_that_writes_without_end_pushes_out_its_own_oldest_entries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let connection = schema::open(&path, Kind::State, Access::Write).unwrap();
        let bounds = Bounds { total_bytes: 100_000, part_bytes: [20_000, 5_000, 2_000] };
        let add = |client, object_type, action, bytes| {
            assert!(
                add(&connection, SINCE_MS, &entry_of(client, object_type, action, bytes), &bounds).is_ok()
            );
        };
        for _ in 0..5 {
            add(1, "user", "update", 10);
            add(1, "sign_in", "sign_in", 10);
        }
        for _ in 0..1_000 {
            add(2, "integration", "update", 100);
            add(2, "sign_in", "sign_in", 100);
            add(2, "sign_in", "refuse", 100);
            add(1, "sign_in", "refuse", 100);
        }
        let of_strangers = numbers(&connection, 1)[2];
        assert_eq!(numbers(&connection, 1), [5, 5, of_strangers], "what others write takes none of it");
        assert!((5..20).contains(&of_strangers), "{of_strangers}");
        let [changes, sign_ins, refusals] = numbers(&connection, 2);
        assert!((70..100).contains(&changes) && (20..25).contains(&sign_ins) && (5..20).contains(&refusals));
        let query = ActivityQuery { client: Some(ClientId(2)), limit: 1, ..ActivityQuery::default() };
        let Ok(page) = load(&connection, &query) else { panic!("no page") };
        assert_eq!(page.rows[0].entry.action, "refuse", "the newest are there");
        add(2, "integration", "update", 15_000);
        assert!(numbers(&connection, 2)[0] < 40, "a long entry counts by its length");
    }

    #[test]
    fn where_all_is_full_the_client_with_most_loses_its_oldest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let connection = schema::open(&path, Kind::State, Access::Write).unwrap();
        let bounds = Bounds { total_bytes: 50_000, part_bytes: [40_000, 5_000, 2_000] };
        let add = |client| {
            assert!(add(&connection, SINCE_MS, &entry_of(client, "user", "update", 100), &bounds).is_ok());
        };
        for _ in 0..20 {
            add(1);
        }
        for _ in 0..1_000 {
            add(2);
            add(3);
        }
        assert_eq!(numbers(&connection, 1)[0], 20);
        let both = [2, 3].map(|client| numbers(&connection, client)[0]);
        assert!(both.into_iter().all(|number| number > 50), "{both:?}");
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
