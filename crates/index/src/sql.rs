//! Every statement, in one place: a test asks SQLite how it would carry each one out.

use crate::row::COLUMNS;

/// What is made once.
pub(crate) const SCHEMA: &str = "
-- name: see the module `file`.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The volumes that there are. what: 1 = events, 2 = attempts.
CREATE TABLE volume (
    what   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (what, number)
) STRICT, WITHOUT ROWID;

-- The positions that were appended in a minute. The minute is that of the latest time seen so far, so that it never goes back.
CREATE TABLE mark (
    minute INTEGER PRIMARY KEY,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL
) STRICT;

-- Events that came in a minute, by kind and type.
CREATE TABLE minute (
    minute INTEGER NOT NULL,
    client INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    type   TEXT    NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (minute, client, kind, type)
) STRICT, WITHOUT ROWID;

-- The most frequent values of an hour. error: so many of events may have been others.
CREATE TABLE top (
    hour   INTEGER NOT NULL,
    client INTEGER NOT NULL,
    what   INTEGER NOT NULL,
    slot   INTEGER NOT NULL,
    value  TEXT    NOT NULL,
    events INTEGER NOT NULL,
    error  INTEGER NOT NULL,
    PRIMARY KEY (hour, client, what, slot)
) STRICT, WITHOUT ROWID;

-- Requests of an integration in so many minutes from a minute on. lag_ms: the longest that an event had waited when it was
-- delivered.
CREATE TABLE rollup (
    minutes     INTEGER NOT NULL,
    start       INTEGER NOT NULL,
    integration INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    sick        INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    gone        INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    lag_ms      INTEGER,
    latencies   BLOB    NOT NULL,
    PRIMARY KEY (minutes, start, integration)
) STRICT, WITHOUT ROWID;
";

/// A volume of events. Domains are compared without regard to case.
pub(crate) fn create_events(number: u64) -> String {
    format!(
        "CREATE TABLE event_{number} (
            seq         INTEGER PRIMARY KEY,
            client      INTEGER NOT NULL,
            kind        INTEGER NOT NULL,
            appended_ms INTEGER NOT NULL,
            time_s      INTEGER,
            id          TEXT    NOT NULL,
            id_reused   INTEGER NOT NULL,
            type        TEXT,
            domain      TEXT    COLLATE NOCASE,
            method      TEXT,
            path        TEXT,
            parameter   TEXT,
            address     BLOB,
            status      INTEGER,
            blocked     INTEGER,
            score       REAL,
            title       TEXT,
            tool        TEXT,
            text        TEXT    NOT NULL,
            id_key      INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX event_{number}_by_kind ON event_{number} (client, kind);
        CREATE INDEX event_{number}_by_type ON event_{number} (client, type) WHERE type IS NOT NULL;
        CREATE INDEX event_{number}_by_domain ON event_{number} (client, domain) WHERE domain IS NOT NULL;
        CREATE INDEX event_{number}_by_address ON event_{number} (client, address) WHERE address IS NOT NULL;
        CREATE INDEX event_{number}_by_id ON event_{number} (id_key);"
    )
}

/// A volume of attempts, as what they spanned is asked for.
pub(crate) fn create_attempts(number: u64) -> String {
    format!(
        "CREATE TABLE attempt_{number} (
            integration INTEGER NOT NULL,
            last        INTEGER NOT NULL,
            id          INTEGER NOT NULL,
            first       INTEGER NOT NULL,
            lane        INTEGER NOT NULL,
            events      INTEGER NOT NULL,
            number      INTEGER NOT NULL,
            verdict     INTEGER NOT NULL,
            status      INTEGER,
            ended_ms    INTEGER NOT NULL,
            -- The integration's content revision with which the batch was cut; none: not known.
            revision    INTEGER,
            webhook_key INTEGER NOT NULL,
            PRIMARY KEY (integration, lane, verdict, last, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX attempt_{number}_by_webhook ON attempt_{number} (webhook_key, integration, id);"
    )
}

pub(crate) fn insert_event(number: u64) -> String {
    format!(
        "INSERT INTO event_{number} ({COLUMNS}, id_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
    )
}

pub(crate) fn insert_attempt(number: u64) -> String {
    format!(
        "INSERT INTO attempt_{number}
         (integration, last, id, first, lane, events, number, verdict, status, ended_ms, revision, webhook_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    )
}

/// By what a search gets at its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Kind,
    Type,
    Domain,
    Address,
    Id,
}

impl By {
    const fn column(self) -> &'static str {
        match self {
            By::Kind => "kind",
            By::Type => "type",
            By::Domain => "domain",
            By::Address => "address",
            By::Id => "id_key",
        }
    }

    const fn index(self) -> &'static str {
        match self {
            By::Kind => "by_kind",
            By::Type => "by_type",
            By::Domain => "by_domain",
            By::Address => "by_address",
            By::Id => "by_id",
        }
    }
}

/// Events of a client with one value, newest first, between two positions (inclusive).
pub(crate) fn events_by(number: u64, by: By) -> String {
    let (column, index) = (by.column(), by.index());
    format!(
        "SELECT {COLUMNS} FROM event_{number} INDEXED BY event_{number}_{index}
         WHERE client = ?1 AND {column} = ?2 AND seq BETWEEN ?3 AND ?4 ORDER BY seq DESC"
    )
}

pub(crate) fn event_at(number: u64) -> String {
    format!("SELECT {COLUMNS} FROM event_{number} WHERE seq = ?1 AND client = ?2")
}

pub(crate) fn appended_at(number: u64) -> String {
    format!("SELECT appended_ms FROM event_{number} WHERE seq = ?1")
}

/// The attempts of an integration's lane with one verdict that end at or after a position, the first ones first.
pub(crate) fn attempts_from(number: u64) -> String {
    format!(
        "SELECT id, first, last, events, number, status, ended_ms, revision FROM attempt_{number}
         WHERE integration = ?1 AND lane = ?2 AND verdict = ?3 AND last >= ?4 ORDER BY last, id LIMIT ?5"
    )
}

/// The attempts of an integration's batches with this key, newest first.
pub(crate) fn attempts_of_webhook(number: u64) -> String {
    format!(
        "SELECT id FROM attempt_{number} INDEXED BY attempt_{number}_by_webhook
         WHERE webhook_key = ?1 AND integration = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
    )
}

/// Positions of a client's events between two (inclusive) whose address lies between two, by their addresses.
pub(crate) fn positions_by_address(number: u64) -> String {
    format!(
        "SELECT seq FROM event_{number} INDEXED BY event_{number}_by_address
         WHERE client = ?1 AND address BETWEEN ?2 AND ?3 AND seq BETWEEN ?4 AND ?5 LIMIT ?6"
    )
}

/// Positions alone of what [`events_by`] reads: so many at most, from the index without the rows.
pub(crate) fn positions_by(number: u64, by: By) -> String {
    let (column, index) = (by.column(), by.index());
    format!(
        "SELECT seq FROM event_{number} INDEXED BY event_{number}_{index}
         WHERE client = ?1 AND {column} = ?2 AND seq BETWEEN ?3 AND ?4 ORDER BY seq DESC LIMIT ?5"
    )
}

/// The first event of a volume at or after a position.
pub(crate) fn first_event(number: u64) -> String {
    format!("SELECT seq, appended_ms FROM event_{number} WHERE seq >= ?1 ORDER BY seq LIMIT 1")
}

pub(crate) const META: &str = "SELECT value FROM meta WHERE name = ?1";
pub(crate) const PUT_META: &str =
    "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
pub(crate) const VOLUMES: &str = "SELECT number FROM volume WHERE what = ?1 ORDER BY number DESC";
pub(crate) const PUT_VOLUME: &str = "INSERT INTO volume (what, number) VALUES (?1, ?2)";
pub(crate) const DROP_VOLUME: &str = "DELETE FROM volume WHERE what = ?1 AND number = ?2";
pub(crate) const PUT_MARK: &str = "INSERT INTO mark (minute, first, last) VALUES (?1, ?2, ?3)
     ON CONFLICT (minute) DO UPDATE SET last = excluded.last";
pub(crate) const MARK_FROM: &str = "SELECT first FROM mark WHERE minute >= ?1 ORDER BY minute LIMIT 1";
pub(crate) const MARK_TO: &str = "SELECT last FROM mark WHERE minute <= ?1 ORDER BY minute DESC LIMIT 1";
pub(crate) const PUT_MINUTE: &str =
    "INSERT INTO minute (minute, client, kind, type, events) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (minute, client, kind, type) DO UPDATE SET events = events + excluded.events";
pub(crate) const MINUTE: &str = "SELECT kind, type, events FROM minute WHERE minute = ?1 AND client = ?2";
pub(crate) const PUT_TOP: &str =
    "INSERT INTO top (hour, client, what, slot, value, events, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
     ON CONFLICT (hour, client, what, slot)
     DO UPDATE SET value = excluded.value, events = excluded.events, error = excluded.error";
pub(crate) const TOP: &str =
    "SELECT value, events, error FROM top WHERE hour = ?1 AND client = ?2 AND what = ?3 ORDER BY slot";
pub(crate) const ROLLUP: &str = "SELECT delivered, sick, refused, gone, events, lag_ms, latencies FROM rollup
     WHERE minutes = ?1 AND start = ?2 AND integration = ?3";
pub(crate) const PUT_ROLLUP: &str =
    "INSERT INTO rollup (minutes, start, integration, delivered, sick, refused, gone, events, lag_ms, latencies)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
     ON CONFLICT (minutes, start, integration) DO UPDATE SET delivered = excluded.delivered, sick = excluded.sick,
     refused = excluded.refused, gone = excluded.gone, events = excluded.events, lag_ms = excluded.lag_ms,
     latencies = excluded.latencies";

/// Takes away a portion of what is older: the oldest first.
pub(crate) const DROP_MARKS: &str =
    "DELETE FROM mark WHERE minute IN (SELECT minute FROM mark WHERE minute < ?1 ORDER BY minute LIMIT ?2)";
pub(crate) const DROP_MINUTES: &str = "DELETE FROM minute WHERE (minute, client, kind, type) IN
     (SELECT minute, client, kind, type FROM minute WHERE minute < ?1 ORDER BY minute LIMIT ?2)";
pub(crate) const DROP_TOPS: &str = "DELETE FROM top WHERE (hour, client, what, slot) IN
     (SELECT hour, client, what, slot FROM top WHERE hour < ?1 ORDER BY hour LIMIT ?2)";
pub(crate) const DROP_ROLLUPS: &str = "DELETE FROM rollup WHERE (minutes, start, integration) IN
     (SELECT minutes, start, integration FROM rollup WHERE minutes = ?1 AND start < ?2 ORDER BY start LIMIT ?3)";

/// All statements on tables that are always there, and on a volume of each.
#[cfg(test)]
pub(crate) fn all(number: u64) -> Vec<String> {
    let fixed = [
        META,
        PUT_META,
        VOLUMES,
        PUT_VOLUME,
        DROP_VOLUME,
        PUT_MARK,
        MARK_FROM,
        MARK_TO,
        PUT_MINUTE,
        MINUTE,
        PUT_TOP,
        TOP,
        ROLLUP,
        PUT_ROLLUP,
        DROP_MARKS,
        DROP_MINUTES,
        DROP_TOPS,
        DROP_ROLLUPS,
    ];
    let by = [By::Kind, By::Type, By::Domain, By::Address, By::Id].map(|by| events_by(number, by));
    let of_volumes = [
        insert_event(number),
        insert_attempt(number),
        event_at(number),
        appended_at(number),
        attempts_from(number),
        first_event(number),
        attempts_of_webhook(number),
        positions_by_address(number),
    ];
    let positions = [By::Kind, By::Type, By::Domain, By::Address].map(|by| positions_by(number, by));
    let by = by.into_iter().chain(positions);
    fixed.into_iter().map(str::to_owned).chain(by).chain(of_volumes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn no_statement_reads_a_table_from_end_to_end() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        connection.execute_batch(&create_events(7)).unwrap();
        connection.execute_batch(&create_attempts(7)).unwrap();
        for sql in all(7) {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps: Vec<String> =
                plan.raw_query().mapped(|row| row.get(3)).collect::<rusqlite::Result<_>>().unwrap();
            for step in steps {
                assert!(!step.contains("SCAN") && !step.contains("TEMP B-TREE"), "{step}: {sql}");
            }
        }
    }

    #[test]
    fn every_statement_of_this_crate_stands_here() {
        let sources = [
            include_str!("file.rs"),
            include_str!("follow.rs"),
            include_str!("read/mod.rs"),
            include_str!("read/charts.rs"),
            include_str!("read/search.rs"),
            include_str!("row.rs"),
            include_str!("write/mod.rs"),
            include_str!("write/keep.rs"),
            include_str!("write/rollups.rs"),
            include_str!("write/tops.rs"),
        ];
        for source in sources {
            for word in ["SELECT ", "INSERT ", "UPDATE ", "DELETE "] {
                let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
                assert!(!shipped.contains(word), "{word} outside of sql.rs");
            }
        }
    }
}
