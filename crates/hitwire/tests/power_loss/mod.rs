//! Power loss: the real binary runs under load, a library loaded into it records each change of its files and each sync, and
//! from that record any moment can be looked at as a disk would have kept it. Decision 0005 tells more.
//!
//! - [`trace`]: the recording library, and reading what it wrote.
//! - [`disk`]: what is sure to be on a disk at some moment, and what may be.
//! - [`load`], [`receiver`], [`server`], [`events`]: the run; every promise is noted with the moment at which it came.
//! - [`waf`]: an audit log that grows meanwhile, and is followed.
//! - [`check`]: opens what is left with the real store and compares it with the promises.
//!
//! A point that fails is printed with its seed. `HITWIRE_SEED=<seed>` repeats the load's choices and the points, though not
//! the timing of threads; the folder that is named keeps trace and promises of the failing run.

mod check;
mod disk;
mod disk_tests;
mod events;
mod load;
mod random;
mod receiver;
mod server;
mod trace;
mod waf;

use check::{Left, Point};
use disk::Disk;
use load::{Known, Load};
use server::{Server, Traced};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use trace::Trace;

/// Points that are looked at in an ordinary run, and in a long one.
const POINTS: usize = 200;
const POINTS_DEEP: usize = 5_000;
/// Threads that open what is left, and how much of it waits for them.
const CHECKERS: usize = 2;
const WAITING: usize = 4;
/// The trace is long enough to be worth looking at; retention has worked by then.
const TRACE_BYTES: u64 = 60 << 20;
/// The same where the beginning is looked at: before a slice has ended.
const SHORT_TRACE_BYTES: u64 = 2 << 20;
/// Integrations that are made, and the first hits.
const FIRST_PROMISES: usize = 12;
/// Less than the minute after which hitwire takes what cannot be read for damaged.
const READS_FAIL_FOR: Duration = Duration::from_secs(5);
/// A load that gets nowhere ends after this, and fails the test by what it did not do.
const PATIENCE: Duration = Duration::from_mins(8);

#[test]
fn everything_acknowledged_survives_a_power_loss_at_any_point() {
    let run = Run::new();
    let server = Server::start(&run.traced);
    let load = Load::start(&server.api, &run.traced, run.seed);
    run.until("the trace is long enough", || run.traced.trace_bytes() > TRACE_BYTES);
    let known = load.stop().into_known();
    server.stop();
    let records = waf::records_within(&known.audit_log, u64::MAX);
    assert!(records > 100, "the audit log has {records} records only");

    let trace = run.trace();
    nothing_escaped(&trace, &run.traced.data);
    let removed = trace.changes.iter().filter(|(_, change)| is_removed_slice(change)).count();
    assert!(removed >= 3, "retention removed {removed} slices; the run was to see more of it");

    let failures = run.look(&trace, &known, Disk::new, POINTS);
    assert!(failures.is_empty(), "{}", run.report(&failures));

    // The same promises on a disk that never syncs: if nothing is missed there, the check sees nothing.
    let failures = run.look(&trace, &known, Disk::lying, 20);
    assert!(failures.len() >= 10, "only {} of 20 losses were noticed", failures.len());
    let panics: Vec<_> = failures.into_iter().filter(|(_, failure)| failure.starts_with(PANICKED)).collect();
    assert!(panics.is_empty(), "on a disk that never syncs: {}", run.report(&panics));
}

#[test]
fn while_syncs_fail_nothing_is_acknowledged_and_afterwards_all_of_it_is_kept() {
    let run = Run::new();
    let server = Server::start(&run.traced);
    let load = Load::start(&server.api, &run.traced, run.seed);
    let notes = load.notes.clone();
    run.until("hits are taken", || notes.taken() > 500);

    std::fs::write(&run.traced.eio, "").unwrap();
    run.until("the API refuses", || notes.refusals(503) > 0);
    // What was on its way when the first sync failed has been answered by now, or waits for an answer that says no.
    std::thread::sleep(Duration::from_millis(500));
    let taken = notes.taken();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(notes.taken(), taken, "hits were acknowledged while no sync could succeed");
    std::fs::remove_file(&run.traced.eio).unwrap();

    run.until("hits are taken again", || notes.taken() > taken + 500);

    // Reads that fail now and then may make hitwire refuse, and must not make it lose or invent anything.
    std::fs::write(&run.traced.read_eio, "").unwrap();
    std::thread::sleep(READS_FAIL_FOR);
    std::fs::remove_file(&run.traced.read_eio).unwrap();
    let taken = notes.taken();
    run.until("hits are taken after reads have failed", || notes.taken() > taken + 500);
    let known = load.stop().into_known();
    server.stop();
    let only_503 = known.refusals.keys().all(|status| *status == 503);
    assert!(only_503, "a disk that fails is answered with 503, not with {:?}", known.refusals);

    let trace = run.trace();
    nothing_escaped(&trace, &run.traced.data);
    let failures = run.look(&trace, &known, Disk::new, POINTS / 2);
    assert!(failures.is_empty(), "{}", run.report(&failures));
}

#[test]
fn what_is_acknowledged_after_a_start_on_files_without_wals_survives_too() {
    let run = Run::new();
    Server::start(&run.traced).stop();
    // As a restored backup has none: a reader makes them anew, and a writer must see to it that their names last.
    run.traced.remove(|name| name.ends_with("-wal"));
    let server = Server::start(&run.traced);
    let load = Load::start(&server.api, &run.traced, run.seed);
    run.until("the trace is long enough", || run.traced.trace_bytes() > SHORT_TRACE_BYTES);
    let mut known = load.stop().into_known();
    server.stop();
    let trace = run.trace();
    nothing_escaped(&trace, &run.traced.data);
    // Later something else may have synced the directory: the first promises are what is looked at.
    known.promises.truncate(FIRST_PROMISES);
    let failures = run.look(&trace, &known, Disk::new, POINTS / 2);
    assert!(failures.is_empty(), "{}", run.report(&failures));
}

/// What a failure begins with that is a panic.
const PANICKED: &str = "the store panicked: ";

fn panicked(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("{PANICKED}{}", words.unwrap_or("without words"))
}

/// A folder, a seed, and what is done with them.
struct Run {
    folder: tempfile::TempDir,
    traced: Arc<Traced>,
    seed: u64,
}

impl Run {
    fn new() -> Run {
        let folder = tempfile::Builder::new().prefix("hitwire-power-loss-").tempdir().unwrap();
        let traced = Arc::new(Traced::below(&folder.path().canonicalize().unwrap()));
        let seed = crate::support::seed();
        Run { folder, traced, seed }
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < until, "never happened: {what}; the server said:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    fn trace(&self) -> Trace {
        Trace::read(&self.traced.trace, &self.traced.data)
    }

    /// Looks at points of the trace on a kind of disk; what did not hold, by point.
    fn look<'a>(
        &self,
        trace: &'a Trace,
        known: &Known,
        disk: fn(&'a Trace, u64) -> Disk<'a>,
        points: usize,
    ) -> Vec<(Point, String)> {
        let points =
            if std::env::var_os("HITWIRE_DEEP").is_some() { points * POINTS_DEEP / POINTS } else { points };
        let points = Point::choose(trace, known, points, self.seed);
        let (send, receive) = mpsc::sync_channel::<(Point, Left)>(WAITING);
        let receive = std::sync::Mutex::new(receive);
        std::thread::scope(|scope| {
            let checkers: Vec<_> = (0..CHECKERS)
                .map(|_| {
                    scope.spawn(|| {
                        let runtime =
                            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                        let next = || receive.lock().unwrap().recv();
                        let mut failures = Vec::new();
                        while let Ok((point, left)) = next() {
                            // A damaged file is no reason to panic either.
                            let check = AssertUnwindSafe(|| runtime.block_on(left.check(known)));
                            let checked = catch_unwind(check).unwrap_or_else(|panic| Err(panicked(&*panic)));
                            if let Err(failure) = checked {
                                failures.push((point, failure));
                            }
                        }
                        failures
                    })
                })
                .collect();
            let mut disk = disk(trace, self.seed);
            for point in points {
                let left = Left::at(point, &mut disk, trace);
                send.send((point, left)).expect("the checkers are there");
            }
            drop(send);
            checkers.into_iter().flat_map(|checker| checker.join().expect("panics are caught")).collect()
        })
    }

    /// What to read when something failed.
    fn report(&self, failures: &[(Point, String)]) -> String {
        let kept = std::env::temp_dir().join(format!("hitwire-power-loss-failed-{}", self.seed));
        let _ = std::fs::create_dir_all(&kept);
        let _ = std::fs::copy(&self.traced.trace, kept.join("trace"));
        let mut text = format!(
            "{} points failed; HITWIRE_SEED={} repeats the choices; the trace is kept in {}\n",
            failures.len(),
            self.seed,
            kept.display()
        );
        for (point, failure) in failures.iter().take(10) {
            let _ = writeln!(text, "{point:?}: {failure}");
        }
        text
    }
}

/// The trace played to its end gives the files that are there: it saw everything.
fn nothing_escaped(trace: &Trace, data: &Path) {
    let mut disk = Disk::new(trace, 0);
    disk.play_to(trace.changes.len());
    let traced: BTreeMap<String, Vec<u8>> = disk.live();
    let there: BTreeMap<String, Vec<u8>> = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| !name.ends_with("-shm"))
        .collect();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&traced), names(&there));
    for (name, content) in &there {
        assert!(traced[name] == *content, "the trace does not lead to what is in {name}");
    }
}

fn is_removed_slice(change: &trace::Change) -> bool {
    matches!(change, trace::Change::Unlink { path } if check::first_of_slice(path).is_some())
}
