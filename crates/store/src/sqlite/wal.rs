//! How a WAL is moved into its database beside the one who writes it, and kept from growing.
//!
//! SQLite goes back to the beginning of a WAL when a commit finds all of it moved, and nobody reading it. Under steady
//! writing that never happens by itself: while the last pages are moved, the next ones come. So the keeper moves nearly all
//! of them beside the writer and the readers. Only for the rest, a few pages and one sync, it closes their gates. Whoever
//! finds a gate closed waits a moment, and then passes all the same: nobody who appends ever waits for a slow disk or for a
//! reader here. Then the WAL goes on growing, and the next try follows.

use rusqlite::Connection;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of the header before each page in a WAL.
const FRAME_HEADER_BYTES: u64 = 24;

/// Passes beside the writer. Each has less to move than the one before; a lull ends them.
const OPEN_PASSES_MAX: u32 = 3;

/// So few pages are moved within a sync or two.
const FEW_PAGES: u64 = 128;

/// Passes with the gates closed. The first one may have to sync what the passes before it wrote, and take longer than the
/// writer waits; it leaves little to the second.
const CLOSED_PASSES_MAX: u32 = 2;

/// How long a writer waits before its gate.
pub(super) const WRITER_WAITS_MAX: Duration = Duration::from_millis(5);

/// How long a reader waits before its gate. One read of the log lasts some 50 ms at most.
pub(super) const READERS_WAIT_MAX: Duration = Duration::from_millis(200);

/// A place that writers or readers pass through, and that can be closed for a moment.
#[derive(Debug)]
pub(super) struct Gate {
    waits_max: Duration,
    passing: Mutex<Passing>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Passing {
    inside: usize,
    closed: bool,
}

/// Somebody who passed a gate; dropped, he is out again.
#[derive(Debug)]
pub(super) struct Inside<'a>(&'a Gate);

impl Gate {
    /// An open gate. While it is closed, it makes nobody wait for longer than `waits_max`.
    pub(super) fn new(waits_max: Duration) -> Self {
        Gate { waits_max, passing: Mutex::default(), changed: Condvar::new() }
    }

    /// Passes, after a moment if the gate is closed.
    pub(super) fn enter(&self) -> Inside<'_> {
        let waited =
            self.changed.wait_timeout_while(self.passing(), self.waits_max, |passing| passing.closed);
        let (mut passing, _) = waited.unwrap_or_else(PoisonError::into_inner);
        passing.inside += 1;
        Inside(self)
    }

    /// Works while the gate is closed and nobody is inside, except for those who have waited too long. `None`: somebody
    /// stayed inside, and nothing was done.
    pub(super) fn while_closed<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut passing = self.passing();
        passing.closed = true;
        let waited = self.changed.wait_timeout_while(passing, READERS_WAIT_MAX, |passing| passing.inside > 0);
        let (passing, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_empty = passing.inside == 0;
        drop(passing);
        let done = is_empty.then(work);
        self.passing().closed = false;
        self.changed.notify_all();
        done
    }

    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.passing().inside -= 1;
        self.0.changed.notify_all();
    }
}

/// What a WAL holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WalContent {
    /// Pages since its beginning.
    pub pages: u64,
    /// Those of them that are in the database too.
    pub moved: u64,
    /// What was asked could not be done as a whole.
    pub busy: bool,
}

impl WalContent {
    /// Pages that are still to be moved.
    pub(super) fn left(self) -> u64 {
        self.pages.saturating_sub(self.moved)
    }

    /// Bytes of the WAL that are in use.
    pub(super) fn bytes(self, page_bytes: u32) -> u64 {
        self.pages * (u64::from(page_bytes) + FRAME_HEADER_BYTES)
    }
}

/// What to do with a WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Only look. It costs no system call.
    Look,
    /// Move what can be moved without making anybody wait.
    Move,
    /// Move everything, and cut the file.
    Cut,
}

/// Looks at the WAL, or moves what it holds.
pub(super) fn checkpoint(connection: &Connection, what: Checkpoint) -> rusqlite::Result<WalContent> {
    let sql = match what {
        Checkpoint::Look => "PRAGMA wal_checkpoint(NOOP)",
        Checkpoint::Move => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Cut => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.prepare_cached(sql)?.query_row([], |row| {
        // Both are -1 if there is no WAL.
        let count = |column| row.get::<_, i64>(column).map(|pages| u64::try_from(pages).unwrap_or_default());
        Ok(WalContent { pages: count(1)?, moved: count(2)?, busy: row.get::<_, i64>(0)? != 0 })
    })
}

/// Moves what can be moved, and tells what is left then: what a checkpoint itself tells is what there was when it began.
pub(super) fn move_some(connection: &Connection) -> rusqlite::Result<WalContent> {
    checkpoint(connection, Checkpoint::Move)?;
    checkpoint(connection, Checkpoint::Look)
}

/// Moves all of a WAL, of which `content` is known, or does one pass if that is due, or nothing. Answers what it holds then.
pub(super) fn move_what_is_due(
    content: WalContent,
    all: bool,
    due: bool,
    pass: &dyn Fn() -> rusqlite::Result<WalContent>,
    writer: &Gate,
    readers: &Gate,
) -> rusqlite::Result<WalContent> {
    if all {
        move_all(pass, writer, readers)
    } else if due {
        pass()
    } else {
        Ok(content)
    }
}

/// Moves everything that the WAL holds by passes of [`move_some`], with closed gates at the end if it cannot be done
/// otherwise. If something is left, somebody reads it who passed no gate, or whose reading takes very long.
///
/// A pass that leaves something has not synced the database. So after an error nothing may be moved any more: what an earlier
/// pass wrote may be lost, and would not be written again.
fn move_all(
    pass: &dyn Fn() -> rusqlite::Result<WalContent>,
    writer: &Gate,
    readers: &Gate,
) -> rusqlite::Result<WalContent> {
    let mut content = pass()?;
    for _ in 1..OPEN_PASSES_MAX {
        if content.left() <= FEW_PAGES {
            break;
        }
        content = pass()?;
    }
    for _ in 0..CLOSED_PASSES_MAX {
        if content.left() == 0 {
            break;
        }
        let closed = || writer.while_closed(pass);
        content = readers.while_closed(closed).flatten().unwrap_or(Ok(content))?;
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn nobody_passes_a_gate_while_it_is_closed() {
        let gate = Gate::new(LONG);
        let passed = AtomicBool::new(false);
        thread::scope(|scope| {
            gate.while_closed(|| {
                scope.spawn(|| {
                    let _inside = gate.enter();
                    passed.store(true, Ordering::SeqCst);
                });
                thread::sleep(Duration::from_millis(20));
                assert!(!passed.load(Ordering::SeqCst));
            });
        });
        assert!(passed.load(Ordering::SeqCst));
    }

    #[test]
    fn who_has_waited_long_enough_passes_a_closed_gate() {
        let gate = Gate::new(Duration::from_millis(1));
        let passed =
            gate.while_closed(|| thread::scope(|scope| scope.spawn(|| drop(gate.enter())).join().is_ok()));
        assert_eq!(passed, Some(true));
    }

    #[test]
    fn nothing_is_done_while_somebody_stays_inside() {
        let gate = Gate::new(LONG);
        let inside = gate.enter();
        assert_eq!(gate.while_closed(|| ()), None);
        drop(inside);
        assert_eq!(gate.while_closed(|| ()), Some(()));
        drop(gate.enter());
    }
}
