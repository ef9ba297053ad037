//! The bounds of the delivery log.

use super::prune::{Bounds, Pruner};
use super::rows;
use super::search::{self, one, search};
use crate::AttemptQuery;
use crate::sqlite::schema::{self, Access, Kind};
use hitwire_courier::Verdict;
use hitwire_event::{IntegrationId, Seq};
use rusqlite::{Connection, params};

const NOW_MS: u64 = 1_000_000_000;
const BOUNDS: Bounds = Bounds { rows: 2_000, age_ms: 1_000_000, of_each: 100 };

struct Log {
    connection: Connection,
    pruner: Pruner,
    _directory: tempfile::TempDir,
}

impl Log {
    fn new() -> Log {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attempts.db");
        schema::create(&path, Kind::Attempts, |_| Ok(())).unwrap();
        let connection = schema::open(&path, Kind::Attempts, Access::Write).unwrap();
        let pruner = Pruner::within(BOUNDS, &connection).unwrap();
        Log { connection, pruner, _directory: directory }
    }

    fn add(&mut self, integration: u64, count: u64, started_ms: u64) {
        let transaction = self.connection.unchecked_transaction().unwrap();
        for _ in 0..count {
            let values = params![integration as i64, started_ms as i64];
            let insert =
                "INSERT INTO attempt (integration, lane, webhook_id, number, first, last, events, body_bytes,
                 started_ms, took_us, verdict) VALUES (?1, 0, '', 1, 1, 1, 1, 1, ?2, 1, 1)";
            transaction.execute(insert, values).unwrap();
        }
        transaction.commit().unwrap();
        self.pruner.count(count as i64);
    }

    fn prune(&mut self) {
        let mut steps = 0;
        while self.pruner.step(&self.connection, NOW_MS).unwrap() {
            steps += 1;
            assert!(steps < 1_000, "pruning comes to an end");
        }
    }

    fn count(&self, integration: u64) -> u64 {
        let sql = "SELECT count(*) FROM attempt WHERE integration = ?1";
        self.connection.query_row(sql, [integration as i64], |row| row.get::<_, i64>(0)).unwrap() as u64
    }
}

#[test]
fn old_attempts_go_but_the_newest_of_each_integration_stay() {
    let mut log = Log::new();
    log.add(1, 150, NOW_MS - 2_000_000);
    log.add(2, 30, NOW_MS - 2_000_000);
    log.add(1, 80, NOW_MS);
    log.prune();
    assert_eq!((log.count(1), log.count(2)), (100, 30));
}

#[test]
fn too_many_attempts_of_one_do_not_push_out_the_others() {
    let mut log = Log::new();
    log.add(2, 50, NOW_MS);
    log.add(1, 5_000, NOW_MS);
    log.prune();
    assert_eq!((log.count(1), log.count(2)), (1_950, 50));
}

#[test]
fn when_even_the_newest_of_each_do_not_fit_the_oldest_go() {
    let mut log = Log::new();
    for integration in 1..=30 {
        log.add(integration, 100, NOW_MS);
    }
    log.prune();
    let counts: Vec<u64> = (1..=30).map(|integration| log.count(integration)).collect();
    assert_eq!(counts.iter().sum::<u64>(), 2_000);
    assert_eq!((counts[0], counts[29]), (0, 100));
}

/// Ten an hour, each taking ten minutes, of integration 1: every fifth fails, alternately with 503 and without an answer.
fn searched() -> Log {
    let log = Log::new();
    for at in 0..100_i64 {
        let (verdict, status) = match at % 10 {
            0 => (2, Some(503)),
            5 => (2, None),
            _ => (1, Some(204)),
        };
        let (first, started_ms) = (at * 10 + 1, at * 360_000);
        let insert = "INSERT INTO attempt (id, integration, lane, webhook_id, number, first, last, events, body_bytes,
             started_ms, took_us, verdict, status) VALUES (?1, ?2, 1, '', 1, ?3, ?4, 10, 1, ?5, 600000000, ?6, ?7)";
        let values = params![at * 2 + 1, 1, first, first + 9, started_ms, verdict, status];
        log.connection.execute(insert, values).unwrap();
        // Another integration's attempt between any two.
        let values = params![at * 2 + 2, 2, first, first + 9, started_ms, 1, Some(200)];
        log.connection.execute(insert, values).unwrap();
    }
    log
}

fn all() -> AttemptQuery {
    AttemptQuery::of(IntegrationId(1), None, 1_000)
}

fn found(log: &Log, query: &AttemptQuery) -> Vec<u64> {
    let page = search(&log.connection, query).unwrap();
    assert!(page.rows.len() <= query.limit);
    page.rows.iter().map(|row| row.id).collect()
}

#[test]
fn attempts_are_found_by_outcome_and_status() {
    let log = searched();
    let failed = AttemptQuery { verdicts: vec![Verdict::Sick, Verdict::Refused], ..all() };
    assert_eq!(found(&log, &failed).len(), 20);
    let delivered = AttemptQuery { verdicts: vec![Verdict::Delivered], ..all() };
    assert_eq!(found(&log, &delivered).len(), 80);
    let unavailable = AttemptQuery { statuses: Some(500..=599), ..all() };
    assert_eq!(found(&log, &unavailable), (0..10).rev().map(|at| at * 20 + 1).collect::<Vec<_>>());
    assert_eq!(found(&log, &AttemptQuery { statuses: Some(204..=204), ..all() }).len(), 80);
    assert_eq!(found(&log, &AttemptQuery { statuses: Some(400..=499), ..all() }), [0; 0]);
}

#[test]
fn attempts_are_found_by_the_time_when_they_ended() {
    let log = searched();
    let hour = |hour: u64| Some(hour * 3_600_000);
    let second_hour = AttemptQuery { ended_from_ms: hour(1), ended_before_ms: hour(2), ..all() };
    let ended = |id: u64| (id - 1) / 2 * 360_000 + 600_000;
    let expected: Vec<u64> = (0..100)
        .rev()
        .map(|at| at * 2 + 1)
        .filter(|id| (3_600_000..7_200_000).contains(&ended(*id)))
        .collect();
    assert_eq!(expected.len(), 10);
    assert_eq!(found(&log, &second_hour), expected);
    assert_eq!(found(&log, &AttemptQuery { ended_from_ms: hour(1_000), ..all() }), [0; 0]);
    assert_eq!(found(&log, &AttemptQuery { ended_before_ms: Some(0), ..all() }), [0; 0]);
    assert_eq!(found(&log, &AttemptQuery { ended_from_ms: Some(0), ..all() }).len(), 100);
}

#[test]
fn attempts_are_found_by_an_event_of_their_batch() {
    let log = searched();
    let of = |seq: u64| found(&log, &AttemptQuery { seq: Some(Seq(seq)), ..all() });
    assert_eq!((of(1), of(10), of(11), of(1_000)), (vec![1], vec![1], vec![3], vec![199]));
    assert_eq!((of(0), of(1_001)), (vec![], vec![]));
}

#[test]
fn pages_follow_each_other_without_a_gap_and_end() {
    let log = searched();
    for query in [
        all(),
        AttemptQuery { statuses: Some(503..=503), ..all() },
        AttemptQuery { seq: Some(Seq(55)), ..all() },
    ] {
        let mut paged = AttemptQuery { limit: 3, ..query.clone() };
        let mut ids = Vec::new();
        loop {
            let page = search(&log.connection, &paged).unwrap();
            ids.extend(page.rows.iter().map(|row| row.id));
            let Some(next) = page.next else { break };
            assert!(paged.before.is_none_or(|before| next < before), "it gets on");
            paged.before = Some(next);
        }
        assert_eq!(ids, found(&log, &query));
    }
}

#[test]
fn a_search_that_finds_little_ends_its_page_and_says_where_to_go_on() {
    let mut log = Log::new();
    log.add(1, 12_000, 5);
    let query = AttemptQuery { statuses: Some(200..=299), ..all() };
    let first = search(&log.connection, &query).unwrap();
    assert_eq!((first.rows.len(), first.next), (0, Some(7_001)));
    let second = search(&log.connection, &AttemptQuery { before: first.next, ..query.clone() }).unwrap();
    let third = search(&log.connection, &AttemptQuery { before: second.next, ..query }).unwrap();
    assert_eq!((third.rows.len(), third.next), (0, None));
}

#[test]
fn one_attempt_is_found_by_its_number_and_only_by_its_own_integration() {
    let log = searched();
    let one = |integration: u64, id: u64| one(&log.connection, IntegrationId(integration), id).unwrap();
    assert_eq!(one(1, 7).map(|row| row.id), Some(7));
    assert_eq!(one(2, 7), None);
    assert_eq!(one(1, u64::MAX), None);
}

#[test]
fn no_search_scans_the_delivery_log() {
    let log = searched();
    let index = |sql: &str| {
        let mut statement = log.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = vec![1; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3));
        let steps: Vec<String> = steps.unwrap().collect::<rusqlite::Result<_>>().unwrap();
        assert_eq!(steps.len(), 1, "one step, no sorting: {steps:?}");
        let step = steps[0].replace("SEARCH attempt USING ", "");
        assert!(
            steps[0].starts_with("SEARCH") && step.contains("integration=?") | step.contains("rowid"),
            "{steps:?}"
        );
        step.split(" (").next().unwrap_or_default().replace("COVERING INDEX", "INDEX")
    };
    assert_eq!(index(search::SELECT_ONE), "INTEGER PRIMARY KEY");
    assert_eq!(index(search::SELECT_ANY), "INDEX attempt_by_integration");
    assert_eq!(index(search::SELECT_FAILED), "INDEX attempt_failed");
    assert_eq!(index(search::SELECT_AROUND), "INDEX attempt_by_last");
    assert_eq!(index(search::SELECT_ENDED), "INDEX attempt_by_integration");
    assert_eq!(index(search::SELECT_NEWEST), "INDEX attempt_by_integration");
    assert_eq!(index(rows::OF_INTEGRATION), "INDEX attempt_by_integration");
}
