//! How SQLite goes about every statement that stands in this module's sources: none may walk through a table that grows,
//! unless it is named here with the reason.

use super::schema::{self, Access, Kind};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

/// What statements begin with.
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// Statements, by how they begin, that may go through a whole table.
const WHOLE: &[(&str, &str)] = &[
    ("SELECT id FROM integration ORDER", "all integrations: at the start, of each its id"),
    (
        "SELECT count(*) FILTER (WHERE disabled IS NULL)",
        "metrics: a scan of an index of small entries, once in three seconds at most",
    ),
    (
        "SELECT coalesce(sum(bytes), 0) FROM activity_size",
        "once in 64 entries of the activity log; three small rows for each client",
    ),
    ("SELECT count(*) FROM outbox", "metrics; the outbox is emptied within seconds"),
    ("SELECT count(*) FROM attempt", "when the file is opened, on the thread that writes it"),
    ("SELECT coalesce(max(max(urgent, bulk)), 0) FROM courier", "once, at the start"),
    (
        "SELECT endpoint, urgent, urgent_open, bulk, bulk_open FROM courier WHERE urgent_open",
        "once, at the start",
    ),
    ("SELECT coalesce(max(last), 0) FROM replay WHERE ended_ms", "once, at the start"),
    ("DELETE FROM running WHERE head", "once, at the start; the table is bounded"),
    (
        "SELECT id, sha256, client, user, role, name, created_at, created_by, expires_at, last_used_at FROM token ORDER BY id",
        "an operator's list of all tokens",
    ),
    (
        "SELECT id, uuid, client, email, name, role, enabled, created_at, created_by, revision, time_zone FROM user ORDER BY id",
        "an operator's list of all users",
    ),
    (
        "SELECT id, uuid, name, enabled, limits, created_at, created_by, revision FROM client ORDER BY id",
        "clients, of whom there are 10,000 at most",
    ),
    (
        "SELECT 1 FROM credential WHERE password IS NOT NULL",
        "at the start, and ends with the first user who can sign in",
    ),
    ("DELETE FROM session WHERE created_at", "every few minutes: sessions are a hundred a user at most"),
    ("DELETE FROM link WHERE expires_at", "with them; links end within days"),
    (
        "SELECT user FROM credential ORDER BY user",
        "`hitwire verify` and `hitwire key rotate`, which look at everything",
    ),
    ("SELECT id, secrets FROM integration ORDER BY id", "the same"),
    ("SELECT user, totp FROM credential WHERE totp IS NOT NULL", "the same"),
    ("SELECT first, last FROM span ORDER BY first", "the same"),
    ("SELECT first, client, kind, events, bytes, oldest_ms FROM span_stream", "the same"),
    ("SELECT id FROM integration ORDER BY id", "the same"),
    (
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence",
        "SQLite's own, a single row, when the delivery log is opened",
    ),
    ("UPDATE sqlite_sequence SET seq", "SQLite's own, one row for each of five tables"),
    ("SELECT source, position FROM checkpoint", "at the start; one row for each source"),
    (
        "SELECT max(last), min(oldest_ms), max(newest_ms) FROM span",
        "when a slice is opened, whose size is bounded",
    ),
];

/// A statement, and the file that it stands in.
struct Statement {
    file: PathBuf,
    sql: String,
}

/// All statements of the sources in a directory, without those of tests.
fn statements(directory: &Path) -> Vec<Statement> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources") {
        let path = entry.expect("the sources").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            found.extend(statements(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !matches!(name, "tests.rs" | "plans.rs")
        {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            found.extend(literals(code).map(|sql| Statement { file: path.clone(), sql }));
        }
    }
    found
}

/// The string literals that begin as statements do, on one line each.
fn literals(code: &str) -> impl Iterator<Item = String> {
    let begins = code.match_indices('"').map(|(at, _)| &code[at + 1..]);
    let statements = begins.filter(|rest| VERBS.iter().any(|verb| rest.starts_with(verb)));
    // None of them has a quotation mark or a backslash in it.
    statements.map(|rest| {
        rest.split('"').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// Each step of SQLite's plan; none: there is no such table, or it is no statement.
fn plan(connection: &Connection, sql: &str) -> Option<Vec<String>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).ok()?;
    let parameters = vec![0_i64; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get("detail")).ok()?;
    steps.collect::<Result<_, _>>().ok()
}

/// Whether a statement ends with the first so many rows of an order that a key gives.
fn ends_early(sql: &str, steps: &[String]) -> bool {
    sql.contains(" LIMIT ") && !sql.contains(" WHERE ") && steps.len() == 1
}

/// What a statement does that it should not.
fn faults(sql: &str, steps: &[String]) -> Vec<String> {
    let may_scan = ends_early(sql, steps) || WHOLE.iter().any(|(begin, _)| sql.starts_with(begin));
    let scans = steps.iter().filter(|step| step.starts_with("SCAN ") && *step != "SCAN CONSTANT ROW");
    // What is sorted was read as a whole, whatever limit there is.
    let sorts =
        steps.iter().filter(|step| *step == "USE TEMP B-TREE FOR ORDER BY" && sql.contains(" LIMIT "));
    let alternative = sql.contains(" IS NULL OR ").then(|| "a condition that no index can answer".to_owned());
    scans
        .filter(|_| !may_scan)
        .chain(sorts)
        .cloned()
        .chain(alternative.filter(|_| sql.starts_with("SELECT")))
        .collect()
}

fn connections(directory: &Path) -> [Connection; 3] {
    [(Kind::State, "state.db"), (Kind::Log, "log.db"), (Kind::Attempts, "attempts.db")].map(|(kind, name)| {
        schema::create(&directory.join(name), kind, |_| Ok(())).expect("made");
        schema::open(&directory.join(name), kind, Access::Write).expect("opened")
    })
}

#[test]
fn no_statement_walks_through_a_table_that_grows() {
    let directory = tempfile::tempdir().expect("a directory");
    let connections = connections(directory.path());
    let statements = statements(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sqlite"));
    assert!(statements.len() > 80, "{} statements", statements.len());
    let mut wrong = Vec::new();
    for Statement { file, sql } in &statements {
        let file = file.display();
        match connections.iter().find_map(|connection| plan(connection, sql)) {
            Some(steps) => {
                wrong.extend(faults(sql, &steps).iter().map(|fault| format!("{file}: {sql}: {fault}")));
            }
            // Put together at run time, or of pieces: then its own tests look at the plan (`attempts/tests.rs`).
            None if sql.contains('{') || sql == "SELECT" => {}
            None => wrong.push(format!("{file}: SQLite does not know what this is: {sql}")),
        }
    }
    for (begin, _) in WHOLE {
        if !statements.iter().any(|statement| statement.sql.starts_with(begin)) {
            wrong.push(format!("no statement begins so any more: {begin}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_statement_that_walks_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let [state, _, attempts] = connections(directory.path());
    let is_faulty = |sql: &str| {
        let steps = [&state, &attempts].iter().find_map(|connection| plan(connection, sql));
        !faults(sql, &steps.expect("a plan")).is_empty()
    };
    assert!(is_faulty("SELECT id FROM activity WHERE action = ?1 LIMIT 10"));
    assert!(is_faulty(
        "SELECT id FROM attempt WHERE (?1 IS NULL OR integration = ?1) AND id < ?2 ORDER BY id DESC LIMIT 10"
    ));
    assert!(is_faulty("SELECT id FROM attempt WHERE integration = ?1 ORDER BY took_us LIMIT 10"));
    assert!(!is_faulty(
        "SELECT id FROM attempt WHERE integration = ?1 AND id < ?2 ORDER BY id DESC LIMIT 10"
    ));
}
