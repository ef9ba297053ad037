//! What the system says of the process, under the names that all clients of Prometheus use.

use super::writing::{bytes, counter, family, gauge, seconds};
use crate::{descriptors, log_lines};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The process.
#[derive(Debug)]
pub(super) struct Process {
    /// Since the epoch. The metrics are made when hitwire starts, which is near enough.
    started: Duration,
}

impl Default for Process {
    fn default() -> Self {
        Process { started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let start = seconds("process_start_time", "When hitwire was started, since the Unix epoch");
        gauge(encoder, start, Some(self.started.as_secs_f64()))?;
        let memory = bytes("process_resident_memory", "Memory of the process that is in RAM");
        gauge(encoder, memory, resident_bytes())?;
        gauge(encoder, family("process_open_fds", "Open file descriptors"), open_files())?;
        let most = Some(descriptors::limit()).filter(|limit| *limit < u64::MAX);
        gauge(encoder, family("process_max_fds", "The most file descriptors that may be open"), most)
    }
}

/// What became of the log lines of the process.
#[derive(Debug)]
pub(super) struct LogLines;

impl Collector for LogLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Log lines that were dropped because they could not be written, or not soon enough";
        counter(&mut encoder, family("log_lines_dropped", help), log_lines::dropped())
    }
}

fn resident_bytes() -> Option<u64> {
    resident_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmRSS:     12345 kB`; the unit is always this one (proc(5)).
fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_systems_words() {
        assert_eq!(resident_of("Name:\thitwire\nVmRSS:\t   2048 kB\nThreads:\t4\n"), Some(2 << 20));
        assert_eq!(resident_of("Name:\thitwire\n"), None);
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1 << 20));
    }
}
