//! What the machine can do without hitwire: the measure for what is seen with it.

use crate::Failure;
use crate::hit::{Body, now_ns};
use rusqlite::Connection;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Syncs of one page after the other.
pub(crate) struct Syncs {
    /// In a second.
    pub(crate) per_second: f64,
    /// The median, in microseconds.
    pub(crate) median_us: u64,
}

/// Writes 4 KiB and syncs, again and again.
pub(crate) fn fdatasync(dir: &Path, time: Duration) -> Result<Syncs, Failure> {
    let mut file = std::fs::File::create(dir.join("sync"))?;
    let mut times = Vec::new();
    let started = Instant::now();
    while started.elapsed() < time {
        let began = Instant::now();
        // Over 64 MiB and round again: appending and overwriting, as a write-ahead log does.
        file.seek(SeekFrom::Start((times.len() % 16_384) as u64 * 4_096))?;
        file.write_all(&[times.len() as u8; 4_096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_micros() as u64);
    }
    let per_second = times.len() as f64 / started.elapsed().as_secs_f64();
    times.sort_unstable();
    Ok(Syncs { per_second, median_us: times.get(times.len() / 2).copied().unwrap_or_default() })
}

/// Rows a second into a table like the log's, with the log's settings, `batch` rows to a transaction.
pub(crate) fn sqlite_rows(dir: &Path, batch: usize, time: Duration) -> Result<f64, Failure> {
    let mut database = Connection::open(dir.join(format!("rows-{batch}.db")))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch(
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, appended_ms INTEGER NOT NULL, client INTEGER NOT NULL,
         kind INTEGER NOT NULL, flags INTEGER NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL) STRICT",
    )?;
    let body = Body::of(1).bytes;
    let body = std::str::from_utf8(&body[1..body.len() - 1])?;
    let started = Instant::now();
    let mut rows: i64 = 0;
    while started.elapsed() < time {
        let transaction = database.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO event VALUES (?1, ?2, 1, 1, 0, ?3, ?4)")?;
            for _ in 0..batch {
                rows += 1;
                insert.execute((
                    rows,
                    (now_ns() / 1_000_000) as i64,
                    format!("hits_bench_1_202601_v_1/{rows:020}"),
                    body,
                ))?;
            }
        }
        transaction.commit()?;
    }
    Ok(rows as f64 / started.elapsed().as_secs_f64())
}
