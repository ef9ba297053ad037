//! File descriptors: how many there may be, and who gets them.
//!
//! Each connection takes one, and so does each file of the store. Callers who open as many connections as they can must
//! leave enough for deliveries and for the store, so the number of connections is bounded by what there is.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for files of the store and the index, sources, name lookups, and the listener for metrics.
const OWN: usize = 512;

/// What deliveries take at most with the bounds of the dispatch: requests to healthy and other endpoints, and connections
/// that are kept for the next request.
const DELIVERIES_MAX: usize = 3_584;

/// Whatever the limit is, this many connections are taken: an operator must be able to look.
const CONNECTIONS_MIN: usize = 8;

/// The limit of open files of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// As the process was started with (`ulimit -Sn`); `u64::MAX`: none.
    pub before: u64,
    /// As it is now.
    pub now: u64,
}

/// Raises the soft limit of open files to the hard one. Programs that use `select` need a low soft limit, which is why
/// systems have one; hitwire does not. If the system refuses, the limit stays as it was.
pub fn raise() -> OpenFiles {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    OpenFiles { before: current.unwrap_or(u64::MAX), now: limit() }
}

/// The soft limit of open files at this moment; `u64::MAX`: none.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many descriptors are for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Division {
    /// Connections to the API.
    pub(crate) connections: usize,
    /// Deliveries: requests and kept connections.
    pub(crate) deliveries: usize,
}

/// Divides the descriptors of a process that may have `limit`, if `connections` are asked for.
pub(crate) fn divide(limit: u64, connections: usize) -> Division {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // A small limit is shared by all: hitwire has to work with it somehow.
    let rest = limit - OWN.min(limit / 2);
    let for_connections = rest.saturating_sub(DELIVERIES_MAX).max(rest / 2);
    let connections = connections.min(for_connections.max(CONNECTIONS_MIN));
    Division {
        connections,
        deliveries: rest.saturating_sub(connections).clamp(CONNECTIONS_MIN, DELIVERIES_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_enough_for_the_store_and_deliveries() {
        for limit in [256, 1_024, 4_096, 8_192, 65_536, u64::MAX] {
            let Division { connections, deliveries } = divide(limit, 4_096);
            let taken = (connections + deliveries) as u64;
            assert!(taken + (limit / 2).min(OWN as u64) <= limit, "{limit}: {connections}, {deliveries}");
            assert!(deliveries >= connections.min(DELIVERIES_MAX), "{limit}: {connections}, {deliveries}");
        }
    }

    #[test]
    fn who_has_many_descriptors_gets_the_connections_that_were_asked_for() {
        assert_eq!(divide(65_536, 4_096), Division { connections: 4_096, deliveries: DELIVERIES_MAX });
        assert_eq!(divide(u64::MAX, 100_000).connections, 100_000);
        assert_eq!(divide(1_024, 4_096), Division { connections: 256, deliveries: 256 });
        assert_eq!(divide(1_024, 100), Division { connections: 100, deliveries: 412 });
        assert_eq!(divide(20, 4_096).connections, CONNECTIONS_MIN, "an operator must be able to look");
    }

    #[test]
    fn the_limit_is_raised_as_far_as_the_system_allows() {
        let OpenFiles { before, now } = raise();
        assert!(now >= before);
        assert_eq!(now, getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX));
        assert_eq!(limit(), now);
    }
}
