//! The bounds of the delivery log.

use super::*;
use crate::sqlite::schema::{self, Access, Kind};

const NOW_MS: u64 = 1_000_000_000;
const BOUNDS: Bounds = Bounds { rows: 2_000, age_ms: 1_000_000, of_each: 100 };

struct Log {
    connection: Connection,
    pruner: Pruner,
    _directory: tempfile::TempDir,
}

impl Log {
    fn new(integrations: u64) -> Log {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        schema::create(&path, Kind::State, |_| Ok(())).unwrap();
        let connection = schema::open(&path, Kind::State, Access::Write).unwrap();
        for id in 1..=integrations {
            let insert = "INSERT INTO integration VALUES (?1, 1, '', NULL, 0, '', 1, 1, '', x'', '{}')";
            connection.execute(insert, [id as i64]).unwrap();
        }
        let pruner = Pruner { bounds: BOUNDS, ..Pruner::new(&connection).unwrap() };
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
    let mut log = Log::new(2);
    log.add(1, 150, NOW_MS - 2_000_000);
    log.add(2, 30, NOW_MS - 2_000_000);
    log.add(1, 80, NOW_MS);
    log.prune();
    assert_eq!((log.count(1), log.count(2)), (100, 30));
}

#[test]
fn too_many_attempts_of_one_do_not_push_out_the_others() {
    let mut log = Log::new(2);
    log.add(2, 50, NOW_MS);
    log.add(1, 5_000, NOW_MS);
    log.prune();
    assert_eq!((log.count(1), log.count(2)), (1_950, 50));
}

#[test]
fn when_even_the_newest_of_each_do_not_fit_the_oldest_go() {
    let mut log = Log::new(30);
    for integration in 1..=30 {
        log.add(integration, 100, NOW_MS);
    }
    log.prune();
    let counts: Vec<u64> = (1..=30).map(|integration| log.count(integration)).collect();
    assert_eq!(counts.iter().sum::<u64>(), 2_000);
    assert_eq!((counts[0], counts[29]), (0, 100));
}

#[test]
fn attempts_of_a_deleted_integration_go_as_they_grow_old() {
    let mut log = Log::new(1);
    log.add(9, 50, NOW_MS - 2_000_000);
    log.add(1, 10, NOW_MS - 2_000_000);
    log.prune();
    assert_eq!((log.count(9), log.count(1)), (0, 10));
}
