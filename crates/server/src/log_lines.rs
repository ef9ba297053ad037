//! Where log lines go: a writer that neither fails nor waits.
//!
//! A log line only talks: when its reader has gone, when the disk is full, or when the reader no longer reads, the line is
//! dropped and counted, and the work goes on. A thread of its own writes, so that a pipe that is full stops that thread and
//! nothing else.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

/// Lines that wait for the writer: a burst, while the disk is busy for a moment.
const LINES_MAX: usize = 2_048;

/// Their bytes.
const BYTES_MAX: usize = 4 << 20;

/// How long the writer waits before it tries again when the other end takes nothing without waiting (a pipe that another
/// process has made non-blocking).
const RETRY: Duration = Duration::from_millis(20);

/// Lines that were dropped by this process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many log lines this process has dropped, because they could not be written or not soon enough.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The way to the thread that writes. Cheap to clone; the thread ends with the last clone.
#[derive(Clone, Debug)]
pub struct LogLines {
    queue: Option<SyncSender<Job>>,
    bytes: Arc<AtomicUsize>,
}

enum Job {
    Line(Vec<u8>),
    /// Answers when what came before is written.
    Flush(SyncSender<()>),
}

impl LogLines {
    /// Starts to write lines to `sink`. `between` is called by the writing thread about once a second, and after a line was
    /// dropped and a later one written.
    ///
    /// If the thread cannot be started every line is dropped.
    pub fn start(sink: impl Write + Send + 'static, between: impl FnMut(Gap) + Send + 'static) -> LogLines {
        let (queue, jobs) = mpsc::sync_channel(LINES_MAX);
        let bytes = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&bytes);
        let thread = thread::Builder::new().name("hitwire-store-lines".to_owned());
        let started = thread.spawn(move || run(sink, &jobs, &waiting, between));
        LogLines { queue: started.is_ok().then_some(queue), bytes }
    }

    /// Queues a line, or drops it.
    fn put(&self, line: &[u8]) {
        let waiting = self.bytes.fetch_add(line.len(), Ordering::Relaxed);
        let queued = match &self.queue {
            Some(queue) if waiting + line.len() <= BYTES_MAX => {
                queue.try_send(Job::Line(line.to_vec())).is_ok()
            }
            _ => false,
        };
        if !queued {
            self.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was queued is written, no longer than `within`.
    pub fn flush(&self, within: Duration) {
        let Some(queue) = &self.queue else { return };
        let (done, written) = mpsc::sync_channel(1);
        // A full queue is one that nobody empties; what is in it is lost with the process.
        if queue.try_send(Job::Flush(done)).is_ok() {
            let _ = written.recv_timeout(within);
        }
    }
}

/// One log line, or several: what is written at once is queued, or dropped, at once. Never fails, never waits.
impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why the writing thread calls between two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// About a second has gone by.
    Tick,
    /// Lines can be written again, and so many had to be dropped.
    Dropped(u64),
}

/// How often [`Gap::Tick`] is said.
const TICK: Duration = Duration::from_secs(1);

fn run(mut sink: impl Write, jobs: &Receiver<Job>, waiting: &AtomicUsize, mut between: impl FnMut(Gap)) {
    let mut told = 0;
    let mut ticked = std::time::Instant::now();
    loop {
        match jobs.recv_timeout(TICK) {
            Ok(Job::Line(line)) => {
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
                if write_all(&mut sink, &line).is_err() {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                } else if dropped() > told {
                    let gone = dropped();
                    between(Gap::Dropped(gone - told));
                    told = gone;
                }
            }
            Ok(Job::Flush(done)) => {
                let _ = sink.flush();
                // Who asked may have stopped waiting.
                let _ = done.try_send(());
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        if ticked.elapsed() >= TICK {
            between(Gap::Tick);
            ticked = std::time::Instant::now();
        }
    }
}

/// Writes a whole line, however little the other end takes at once.
fn write_all(sink: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match sink.write(line) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => line = &line[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Generous: only against hanging.
    const PATIENCE: Duration = Duration::from_mins(8);

    /// Takes lines while `open`, otherwise fails as a full disk does.
    #[derive(Clone, Default)]
    struct Disk {
        written: Arc<Mutex<Vec<u8>>>,
        is_full: Arc<std::sync::atomic::AtomicBool>,
    }

    impl Disk {
        fn text(&self) -> String {
            String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            // A few at once, as a pipe that is nearly full does.
            let taken = bytes.len().min(3);
            self.written.lock().unwrap().extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_told_when_lines_can_be_written_again() {
        let disk = Disk::default();
        let gaps = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&gaps);
        let mut lines = LogLines::start(disk.clone(), move |gap| told.lock().unwrap().push(gap));
        lines.write_all(b"first\n").unwrap();
        LogLines::flush(&lines, PATIENCE);
        let before = dropped();
        disk.is_full.store(true, Ordering::Relaxed);
        lines.write_all(b"second\n").unwrap();
        LogLines::flush(&lines, PATIENCE);
        assert!(dropped() > before);
        disk.is_full.store(false, Ordering::Relaxed);
        lines.write_all(b"third\n").unwrap();
        LogLines::flush(&lines, PATIENCE);
        assert_eq!(disk.text(), "first\nthird\n");
        let dropped = |gap: &Gap| matches!(gap, Gap::Dropped(1..));
        assert!(gaps.lock().unwrap().iter().any(dropped), "{gaps:?}");
    }

    #[test]
    fn a_reader_that_reads_nothing_stops_nobody() {
        struct Stuck(Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // Until the test ends: a pipe that is full.
                let _ = self.0.recv();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (_let_go, stuck) = mpsc::sync_channel(0);
        let mut lines = LogLines::start(Stuck(stuck), |_| ());
        let before = dropped();
        for _ in 0..3 * LINES_MAX {
            lines.write_all(b"a line\n").unwrap();
        }
        assert!(dropped() - before >= LINES_MAX as u64);
        let long = vec![b'x'; BYTES_MAX + 1];
        lines.write_all(&long).unwrap();
        assert!(lines.bytes.load(Ordering::Relaxed) <= BYTES_MAX, "what waits is bounded in bytes too");
    }
}
