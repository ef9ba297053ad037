//! How much may be under way at once, over all integrations.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bounds of the dispatch, each for all integrations together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests under way to endpoints that are well. A connection takes some 50 KiB.
    pub requests: usize,
    /// Requests under way to endpoints that failed last time, or took longer than a second.
    pub probes: usize,
    /// KiB of request bodies in memory for endpoints that are well.
    pub body_kib: usize,
    /// KiB of request bodies in memory for those.
    pub probe_body_kib: usize,
    /// Reads of the log at once: each may hold a batch that is not cut yet.
    pub reads: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { requests: 2_048, probes: 512, body_kib: 64 * 1024, probe_body_kib: 32 * 1024, reads: 16 }
    }
}

/// From which share a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShareOf {
    /// Endpoints that are well and answer within a second.
    Well,
    /// The others: they queue among themselves.
    Probes,
}

/// The shares that are handed out.
#[derive(Debug)]
pub(super) struct Budget {
    well: Share,
    probes: Share,
    reads: Arc<Semaphore>,
}

#[derive(Debug)]
struct Share {
    requests: Arc<Semaphore>,
    requests_max: usize,
    kib: Arc<Semaphore>,
    kib_max: usize,
}

/// Requests under way, from each share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) well: u64,
    pub(crate) probes: u64,
}

/// Held while a request is under way.
#[derive(Debug)]
pub(super) struct Slot {
    _request: OwnedSemaphorePermit,
    _kib: OwnedSemaphorePermit,
}

impl Share {
    fn new(requests: usize, kib: usize) -> Self {
        Share {
            requests: Arc::new(Semaphore::new(requests)),
            requests_max: requests,
            kib: Arc::new(Semaphore::new(kib)),
            kib_max: kib,
        }
    }

    fn requests_under_way(&self) -> u64 {
        self.requests_max.saturating_sub(self.requests.available_permits()) as u64
    }

    fn kib_of(&self, body_bytes: u64) -> u32 {
        let kib = usize::try_from(body_bytes.div_ceil(1024)).unwrap_or(usize::MAX).clamp(1, self.kib_max);
        u32::try_from(kib).unwrap_or(u32::MAX)
    }
}

impl Budget {
    pub(super) fn new(bounds: Bounds) -> Self {
        Budget {
            well: Share::new(bounds.requests, bounds.body_kib),
            probes: Share::new(bounds.probes, bounds.probe_body_kib),
            reads: Arc::new(Semaphore::new(bounds.reads)),
        }
    }

    fn share(&self, of: ShareOf) -> &Share {
        match of {
            ShareOf::Well => &self.well,
            ShareOf::Probes => &self.probes,
        }
    }

    /// Waits for the right to send a body of this many bytes. A body larger than the whole share takes all of it.
    pub(super) async fn slot(&self, of: ShareOf, body_bytes: u64) -> Slot {
        let share = self.share(of);
        // Memory first: who waits for it holds no request's place.
        let kib = acquire(&share.kib, share.kib_of(body_bytes)).await;
        let request = acquire(&share.requests, 1).await;
        Slot { _request: request, _kib: kib }
    }

    /// The same right, if nobody need be waited for.
    pub(super) fn free_slot(&self, of: ShareOf, body_bytes: u64) -> Option<Slot> {
        let share = self.share(of);
        let kib = Arc::clone(&share.kib).try_acquire_many_owned(share.kib_of(body_bytes)).ok()?;
        let request = Arc::clone(&share.requests).try_acquire_owned().ok()?;
        Some(Slot { _request: request, _kib: kib })
    }

    /// How many requests are under way.
    pub(super) fn in_flight(&self) -> InFlight {
        InFlight { well: self.well.requests_under_way(), probes: self.probes.requests_under_way() }
    }

    /// Waits for the right to read a batch from the log.
    pub(super) async fn read(&self) -> OwnedSemaphorePermit {
        acquire(&self.reads, 1).await
    }
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    Arc::clone(semaphore).acquire_many_owned(permits).await.expect("the budget's semaphores are never closed")
}
