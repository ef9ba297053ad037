//! Integrations page by page, without their settings. What is looked through stands in indices as a whole, and how many there
//! are is kept: a page costs the same however many integrations there are, and however long their settings.

use super::integrations::{name_of, subscriptions, why_broken};
use super::standing::activity;
use crate::sqlite::state::context::Trouble;
use crate::{Activity, IntegrationCounts, IntegrationPage, IntegrationQuery, IntegrationRow};
use hitwire_event::{ClientId, IntegrationId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Names that one page looks at for a part of them; whoever asks again goes on from there. It takes some milliseconds.
const NAMES_LOOKED_AT: usize = 5_000;

const COUNTS: &str = "SELECT enabled, disabled FROM integration_count WHERE client = ?1";
const ALL: &str = "SELECT id, name FROM integration WHERE client = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
const ENABLED: &str = "SELECT id, name FROM integration WHERE client = ?1 AND id > ?2 AND disabled IS NULL
     ORDER BY id LIMIT ?3";
const DISABLED: &str =
    "SELECT id, name FROM integration WHERE client = ?1 AND id > ?2 AND disabled IS NOT NULL
     ORDER BY id LIMIT ?3";
const ROW: &str = "SELECT id, client, name, disabled, created_at, created_by FROM integration WHERE id = ?1";

/// A page.
pub(in crate::sqlite) fn page(
    connection: &Connection,
    query: &IntegrationQuery,
) -> Result<IntegrationPage, Trouble> {
    let (ids, next) = find(connection, query)?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(row(connection, id)?);
    }
    let counts = connection.prepare_cached(COUNTS)?.query_row([query.client.0 as i64], |row| {
        Ok(IntegrationCounts {
            enabled: row.get::<_, i64>(0)? as u64,
            disabled: row.get::<_, i64>(1)? as u64,
        })
    });
    Ok(IntegrationPage { rows, next, counts: counts.optional()?.unwrap_or_default() })
}

/// The ids of a page, and where the next one goes on.
fn find(
    connection: &Connection,
    query: &IntegrationQuery,
) -> Result<(Vec<i64>, Option<IntegrationId>), Trouble> {
    let part = query.name.to_lowercase();
    // One more than is shown, to know whether there is one.
    let looked_at = if part.is_empty() { query.limit } else { NAMES_LOOKED_AT }.saturating_add(1);
    let mut statement = connection.prepare_cached(match query.enabled {
        None => ALL,
        Some(true) => ENABLED,
        Some(false) => DISABLED,
    })?;
    let after = i64::try_from(query.after.0).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![query.client.0 as i64, after, looked_at as i64])?;
    let (mut found, mut passed, mut last) = (Vec::new(), 0, after);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        // A name that is no text is as good as none.
        let name = row.get_ref(1)?.as_str().unwrap_or_default();
        let matches = part.is_empty() || name.to_lowercase().contains(&part);
        passed += 1;
        if passed == looked_at || (matches && found.len() == query.limit) {
            return Ok((found, Some(IntegrationId(last as u64))));
        }
        if matches {
            found.push(id);
        }
        last = id;
    }
    Ok((found, None))
}

fn row(connection: &Connection, id: i64) -> Result<Option<IntegrationRow>, Trouble> {
    let mut statement = connection.prepare_cached(ROW)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(match whole(connection, row) {
        Ok(row) => row,
        Err(trouble) => IntegrationRow {
            id: IntegrationId(id as u64),
            client: ClientId(row.get::<_, i64>(1)? as u64),
            name: name_of(row)?,
            activity: Activity::DisabledByUser,
            created_at: 0,
            created_by: String::new(),
            events: Vec::new(),
            broken: Some(why_broken(row, trouble)?),
        },
    }))
}

fn whole(connection: &Connection, row: &Row<'_>) -> Result<IntegrationRow, Trouble> {
    let id: i64 = row.get(0)?;
    Ok(IntegrationRow {
        id: IntegrationId(id as u64),
        client: ClientId(row.get::<_, i64>(1)? as u64),
        name: row.get(2)?,
        activity: activity(row)?,
        created_at: row.get::<_, i64>(4)? as u64,
        created_by: row.get(5)?,
        events: subscriptions(connection, id)?,
        broken: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::registry::integrations::SUBSCRIPTIONS;
    use crate::sqlite::schema::{self, Access, Kind};

    /// Each step of SQLite's plan for a query.
    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = vec![0_i64; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get("detail"));
        steps.unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_page_is_looked_for_in_an_index_alone_and_nothing_is_sorted_or_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let connection = schema::open(&path, Kind::State, Access::Read).unwrap();
        for (sql, index) in [
            (ALL, "integration_by_client"),
            (ENABLED, "integration_enabled"),
            (DISABLED, "integration_disabled"),
        ] {
            let expected = format!("SEARCH integration USING COVERING INDEX {index} (client=? AND id>?)");
            assert_eq!(plan(&connection, sql), [expected]);
        }
        let by_key = "USING INTEGER PRIMARY KEY (rowid=?)";
        assert_eq!(plan(&connection, COUNTS), [format!("SEARCH integration_count {by_key}")]);
        assert_eq!(plan(&connection, ROW), [format!("SEARCH integration {by_key}")]);
        let subscriptions =
            "SEARCH subscription USING INDEX subscription_by_integration (integration=? AND until=?)";
        assert_eq!(plan(&connection, SUBSCRIPTIONS), [subscriptions]);
    }
}
