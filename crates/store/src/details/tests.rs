//! What is kept, for how long, and what it survives.

use super::*;
use crate::Secret;
use hitwire_event::WebhookId;

const SMALL: Bounds = Bounds { failed_file_bytes: 64 << 10, failed_files: 3, delivered_bytes: 1 << 20 };

fn key(integration: u64, name: u64) -> AttemptKey {
    let webhook_id = WebhookId(format!("msg_{name:06}").into());
    AttemptKey { integration: IntegrationId(integration), webhook_id, number: 1 }
}

/// A detail that can be told by its name.
fn detail(name: u64, body_bytes: usize) -> Detail {
    let response = ResponseDetail { status: 503, body: "x".repeat(body_bytes), ..ResponseDetail::default() };
    Detail { origin: format!("https://{name}.example"), response: Some(response), ..Detail::default() }
}

fn draft(integration: u64, name: u64, delivered: bool, body_bytes: usize) -> Draft {
    let make = Box::new(move || detail(name, body_bytes));
    Draft { key: key(integration, name), delivered, bytes: body_bytes, make }
}

fn all(integrations: impl IntoIterator<Item = u64>) -> BTreeSet<IntegrationId> {
    integrations.into_iter().map(IntegrationId).collect()
}

fn open(folder: &Path) -> Details {
    Details::with(folder, all(1..100), SMALL, Sealer::new(&[7; 32])).unwrap()
}

/// A draft of what has something to be sealed.
fn private_draft(integration: u64, name: u64) -> Draft {
    let private = PrivateDetail {
        path_and_query: Secret::new("/hooks/SECRET-PATH?key=1"),
        signature: Some(Secret::new("v1,SECRET-SIGNATURE")),
    };
    let make = Box::new(move || Detail { private: Some(private), ..detail(name, 10) });
    Draft { key: key(integration, name), delivered: false, bytes: 10, make }
}

/// Whatever it came to.
fn detail_of(details: &Details, key: &AttemptKey) -> Option<Detail> {
    details.find(key, false).unwrap().or_else(|| details.find(key, true).unwrap())
}

fn found(details: &Details, integration: u64, names: std::ops::Range<u64>) -> Vec<u64> {
    names.filter(|name| detail_of(details, &key(integration, *name)).is_some()).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

#[test]
fn what_was_handed_over_is_found_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, false, 10));
    details.keep(draft(1, 2, true, 10));
    assert_eq!(detail_of(&details, &key(1, 1)), Some(detail(1, 10)));
    assert_eq!(detail_of(&details, &key(1, 2)), Some(detail(2, 10)));
    assert_eq!(detail_of(&details, &AttemptKey { number: 2, ..key(1, 1) }), None);
    drop(details);
    assert_eq!(files(folder.path()), ["details-1.db", "details-delivered.db"]);
    let details = open(folder.path());
    assert_eq!(detail_of(&details, &key(1, 1)), Some(detail(1, 10)));
    assert_eq!(detail_of(&details, &key(1, 2)), Some(detail(2, 10)));
    assert_eq!(details.dropped(), 0);
}

#[test]
fn what_was_flushed_is_there_though_the_process_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, false, 10));
    assert!(detail_of(&details, &key(1, 1)).is_some());
    // What a kill leaves: the files as they are, the WAL not moved into its database.
    let left = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(detail_of(&open(left.path()), &key(1, 1)), Some(detail(1, 10)));
}

#[test]
fn a_failure_that_a_crash_left_behind_is_not_shown_for_the_success_with_the_same_number() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, false, 10));
    assert_eq!(details.find(&key(1, 1), true).unwrap(), None, "the success was not kept");
    details.keep(draft(1, 1, true, 20));
    assert_eq!(details.find(&key(1, 1), true).unwrap(), Some(detail(1, 20)));
    assert_eq!(details.find(&key(1, 1), false).unwrap(), Some(detail(1, 10)));
}

#[test]
fn the_newest_twenty_successes_of_each_integration_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    for name in 0..30 {
        details.keep(draft(1, name, true, 10));
        details.keep(draft(2, name, true, 10));
        // Some by the stage, some by the file.
        if name % 7 == 0 {
            assert!(detail_of(&details, &key(1, name)).is_some());
        }
    }
    details.keep(draft(3, 5, true, 10));
    assert!(detail_of(&details, &key(1, 29)).is_some(), "written with all before it");
    assert_eq!(found(&details, 1, 0..30), (10..30).collect::<Vec<_>>());
    assert_eq!(found(&details, 2, 0..30), (10..30).collect::<Vec<_>>());
    assert_eq!(found(&details, 3, 0..30), [5]);
}

#[test]
fn a_flood_of_failures_rotates_and_pushes_out_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 0, true, 100));
    for name in 1..200 {
        details.keep(draft(1, name, false, 4_000));
        if name % 10 == 0 {
            assert!(detail_of(&details, &key(1, name)).is_some());
        }
    }
    let kept = found(&details, 1, 1..200);
    assert!(kept.len() < 100, "{kept:?}");
    assert_eq!(kept.last(), Some(&199), "the newest are kept");
    assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]), "the oldest went: {kept:?}");
    assert_eq!(found(&details, 1, 0..1), [0], "the success");
    let names = files(folder.path());
    assert_eq!(names.len(), SMALL.failed_files + 1, "{names:?}");
    assert!(!names.contains(&"details-1.db".to_owned()), "{names:?}");
    drop(details);
    assert_eq!(found(&open(folder.path()), 1, 1..200), kept, "the same after a restart");
}

#[test]
fn the_file_of_successes_is_bounded_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    for name in 0..600 {
        details.keep(draft(name % 90 + 1, name, true, 8_000));
        if name % 100 == 99 {
            assert!(detail_of(&details, &key(name % 90 + 1, name)).is_some());
        }
    }
    let kept = (0..600).filter(|name| detail_of(&details, &key(name % 90 + 1, *name)).is_some());
    let kept: Vec<u64> = kept.collect();
    assert_eq!(kept.last(), Some(&599));
    assert!(kept.len() * 8_000 < 1 << 20, "{}", kept.len());
}

#[test]
fn too_many_at_once_are_counted_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    // Held, so that nothing can be written meanwhile.
    let held = details.shared.files();
    for name in 0..20_000 {
        details.keep(draft(1, name, false, 10));
    }
    assert!(details.dropped() > 10_000);
    drop(held);
    assert!(detail_of(&details, &key(1, 0)).is_some());
}

#[test]
fn nothing_is_left_of_an_integration_that_is_gone_not_even_in_the_bytes_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    for delivered in [true, false] {
        details.keep(draft(1, 7_001, delivered, 3_000));
        details.keep(draft(2, 7_002, delivered, 10));
        assert!(detail_of(&details, &key(1, 7_001)).is_some());
        assert!(detail_of(&details, &key(2, 7_002)).is_some());
    }
    details.forget(IntegrationId(1));
    // One that ends after the integration.
    details.keep(draft(1, 7_001, false, 3_000));
    drop(details);
    let mut others = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!holds("7001"), "{}", path.display());
        others += usize::from(holds("7002"));
    }
    assert!(others >= 2, "the search can find something");
}

#[test]
fn what_a_kill_left_of_a_deleted_integration_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, true, 10));
    details.keep(draft(2, 2, false, 10));
    details.keep(draft(3, 3, false, 10));
    drop(details);
    let details = Details::with(folder.path(), all([3]), SMALL, Sealer::new(&[7; 32])).unwrap();
    // The thread does it first of all.
    details.keep(draft(3, 4, false, 10));
    assert_eq!(found(&details, 3, 0..5), [3, 4]);
    assert_eq!((found(&details, 1, 0..5), found(&details, 2, 0..5)), (vec![], vec![]));
}

#[test]
fn a_damaged_file_is_begun_anew_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, false, 10));
    details.keep(draft(1, 2, true, 10));
    drop(details);
    std::fs::write(folder.path().join("details-1.db"), vec![7; 10_000]).unwrap();
    let details = open(folder.path());
    assert_eq!(found(&details, 1, 0..5), [2]);
    details.keep(draft(1, 3, false, 10));
    assert_eq!(found(&details, 1, 0..5), [2, 3]);
}

#[test]
fn no_statement_scans_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, false, 10));
    assert!(detail_of(&details, &key(1, 1)).is_some());
    let files = details.shared.files();
    let connection = files.any().unwrap().connection();
    for sql in [file::FIND, file::TRIM, file::FORGET, file::NEXT_INTEGRATION] {
        let plan = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = connection.prepare(&plan).unwrap();
        let parameters = vec![1; statement.parameter_count()];
        let steps =
            statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3));
        let steps: Vec<String> = steps.unwrap().collect::<Result<_, _>>().unwrap();
        assert!(steps.iter().any(|step| step.contains("SEARCH")), "{sql}: {steps:?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{sql}: {steps:?}");
    }
}

/// What all files of a folder hold.
fn bytes(folder: &Path) -> Vec<u8> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn holds(folder: &Path, text: &str) -> bool {
    bytes(folder).windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn signature_and_path_lie_sealed_and_open_with_the_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(private_draft(1, 1));
    let private = detail_of(&details, &key(1, 1)).unwrap().private.unwrap();
    assert_eq!(private.path_and_query.expose(), "/hooks/SECRET-PATH?key=1");
    assert_eq!(private.signature.unwrap().expose(), "v1,SECRET-SIGNATURE");
    drop(details);
    assert!(holds(folder.path(), "https://1.example"), "the search can find something");
    assert!(!holds(folder.path(), "SECRET-PATH") && !holds(folder.path(), "SECRET-SIGNATURE"));

    let other = Details::with(folder.path(), all([1]), SMALL, Sealer::new(&[8; 32])).unwrap();
    assert_eq!(detail_of(&other, &key(1, 1)), Some(detail(1, 10)), "the rest is there with another key");
}

#[test]
fn what_is_sealed_for_one_attempt_opens_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(private_draft(1, 1));
    details.keep(draft(1, 2, false, 10));
    details.keep(draft(2, 1, false, 10));
    assert!(detail_of(&details, &key(2, 1)).is_some());
    drop(details);
    let file = rusqlite::Connection::open(folder.path().join("details-1.db")).unwrap();
    let copy = "UPDATE detail SET sealed = (SELECT sealed FROM detail WHERE sealed IS NOT NULL)";
    assert_eq!(file.execute(copy, []).unwrap(), 3);
    drop(file);
    let details = open(folder.path());
    let is_open = |integration, name| detail_of(&details, &key(integration, name)).unwrap().private.is_some();
    assert_eq!((is_open(1, 1), is_open(1, 2), is_open(2, 1)), (true, false, false));
}

#[test]
fn before_the_key_changes_what_is_sealed_goes_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(private_draft(1, 1));
    assert!(detail_of(&details, &key(1, 1)).is_some());
    drop(details);
    Details::forget_sealed(folder.path()).unwrap();
    let file = rusqlite::Connection::open(folder.path().join("details-1.db")).unwrap();
    let left: i64 =
        file.query_row("SELECT count(*) FROM detail WHERE sealed IS NOT NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    drop(file);
    assert_eq!(detail_of(&open(folder.path()), &key(1, 1)), Some(detail(1, 10)));
}

#[test]
fn a_file_of_the_version_before_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let details = open(folder.path());
    details.keep(draft(1, 1, false, 10));
    assert!(detail_of(&details, &key(1, 1)).is_some());
    drop(details);
    let file = rusqlite::Connection::open(folder.path().join("details-1.db")).unwrap();
    file.execute_batch("ALTER TABLE detail DROP COLUMN sealed; PRAGMA user_version = 1").unwrap();
    drop(file);
    let details = open(folder.path());
    assert_eq!(detail_of(&details, &key(1, 1)), Some(detail(1, 10)));
    details.keep(private_draft(1, 2));
    assert!(detail_of(&details, &key(1, 2)).unwrap().private.is_some());
}
