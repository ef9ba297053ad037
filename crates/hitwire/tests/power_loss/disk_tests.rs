//! The model of a disk, held to its rules.

use super::disk::{Disk, Files, Unsynced};
use super::random::Random;
use super::trace::{Change, Trace};
use std::collections::BTreeSet;
use std::ops::Range;

const SEED: u64 = 1;

fn create(fd: i32, path: &str) -> Change {
    Change::Open { fd, path: path.into(), created: true, truncated: false, directory: false }
}

fn open_root(fd: i32) -> Change {
    Change::Open { fd, path: String::new(), created: false, truncated: false, directory: true }
}

fn write(fd: i32, at: u64, bytes: Range<usize>) -> Change {
    Change::Write { fd, at, bytes }
}

fn sync(fd: i32, number: i64) -> [Change; 2] {
    [Change::SyncBegin { fd, number }, Change::SyncEnd { number }]
}

fn changes(parts: &[&[Change]]) -> Trace {
    Trace::made_of(parts.concat(), b"abcdefgh".to_vec())
}

fn kept(trace: &Trace) -> Files {
    let mut disk = Disk::new(trace, SEED);
    disk.play_to(trace.changes.len());
    disk.after_power_loss(Unsynced::Gone, &mut Random::new(SEED))
}

fn one(name: &str, content: &[u8]) -> Files {
    Files::from([(name.to_owned(), content.to_vec())])
}

#[test]
fn bytes_and_name_are_kept_once_file_and_directory_are_synced() {
    let trace = changes(&[&[create(3, "a"), write(3, 0, 0..4)], &sync(3, 1), &[open_root(4)], &sync(4, 2)]);
    assert_eq!(kept(&trace), one("a", b"abcd"));
}

#[test]
fn a_synced_file_is_gone_while_its_name_is_not_synced() {
    let trace = changes(&[&[create(3, "a"), write(3, 0, 0..4)], &sync(3, 1)]);
    assert_eq!(kept(&trace), Files::new());
}

#[test]
fn what_is_written_while_a_sync_runs_is_not_covered_by_it() {
    let trace = changes(&[
        &[create(3, "a"), open_root(4)],
        &sync(4, 1),
        &[write(3, 0, 0..2), Change::SyncBegin { fd: 3, number: 2 }],
        &[write(3, 2, 2..4), Change::SyncEnd { number: 2 }],
    ]);
    assert_eq!(kept(&trace), one("a", b"ab"));
}

#[test]
fn an_unlink_that_is_not_synced_is_undone() {
    let trace =
        changes(&[&[create(3, "a"), open_root(4)], &sync(4, 1), &[Change::Unlink { path: "a".into() }]]);
    assert_eq!(kept(&trace), one("a", b""));
}

#[test]
fn a_sync_after_a_failed_one_does_not_save_what_the_failed_one_lost() {
    let trace = changes(&[
        &[create(3, "a"), open_root(4)],
        &sync(4, 1),
        &[write(3, 0, 0..2), Change::SyncFailed { fd: 3 }],
        &sync(3, 2),
    ]);
    let outcomes: BTreeSet<Files> = (0..20)
        .map(|seed| {
            let mut disk = Disk::new(&trace, seed);
            disk.play_to(trace.changes.len());
            assert_eq!(disk.live(), one("a", b"ab"));
            disk.after_power_loss(Unsynced::Gone, &mut Random::new(SEED))
        })
        .collect();
    assert_eq!(outcomes, BTreeSet::from([one("a", b""), one("a", b"ab")]));
}

#[test]
fn any_part_of_what_was_not_synced_may_be_there_and_nothing_else() {
    let trace =
        changes(&[&[create(3, "a"), open_root(4)], &sync(4, 1), &[write(3, 0, 0..2), write(3, 2, 2..4)]]);
    let mut disk = Disk::new(&trace, SEED);
    disk.play_to(trace.changes.len());
    let mut random = Random::new(SEED);
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        seen.insert(disk.after_power_loss(Unsynced::Any, &mut random)["a"].clone());
    }
    for expected in [&b""[..], b"ab", b"abcd", b"\0\0cd", b"\0\0", b"ab\0\0", b"\0\0\0\0"] {
        assert!(seen.remove(expected), "{expected:?} did not come");
    }
    assert_eq!(seen, BTreeSet::new());
}

#[test]
fn on_a_lying_disk_nothing_is_ever_safe() {
    let trace = changes(&[&[create(3, "a"), write(3, 0, 0..4)], &sync(3, 1), &[open_root(4)], &sync(4, 2)]);
    let mut disk = Disk::lying(&trace, SEED);
    disk.play_to(trace.changes.len());
    assert_eq!(disk.after_power_loss(Unsynced::Gone, &mut Random::new(SEED)), Files::new());
}
