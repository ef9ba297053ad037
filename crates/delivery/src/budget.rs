//! How much may be under way at once, over all integrations, and of one client.

use hitwire_event::ClientId;
use hitwire_share::{Share, Shares};

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
    /// Connections that are kept for the next request.
    pub kept: usize,
}

impl Bounds {
    /// The default bounds, lowered in proportion where deliveries may have fewer descriptors than these take. A request that
    /// has to wait for its turn is better than one that finds no descriptor.
    pub fn of_descriptors(deliveries: usize) -> Bounds {
        let all = Bounds::default();
        let wanted = all.requests + all.probes + all.kept;
        if deliveries >= wanted {
            return all;
        }
        let share = |part: usize| (part * deliveries / wanted).max(1);
        Bounds { requests: share(all.requests), probes: share(all.probes), kept: share(all.kept), ..all }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            requests: 2_048,
            probes: 512,
            body_kib: 64 * 1024,
            probe_body_kib: 32 * 1024,
            reads: 16,
            kept: 1_024,
        }
    }
}

/// From which share a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShareOf {
    /// Endpoints that are well and answer within a second.
    Well,
    /// The others: they queue among themselves.
    Probes,
}

/// What is handed out, by the rule of [`hitwire_share`]: no client takes what others need.
#[derive(Debug)]
pub(crate) struct Budget {
    well: Part,
    probes: Part,
    reads: Shares<ClientId>,
}

/// The requests and their bodies of [`ShareOf::Well`], or of [`ShareOf::Probes`].
#[derive(Debug)]
struct Part {
    requests: Shares<ClientId>,
    kib: Shares<ClientId>,
}

/// Requests under way, from each share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// To endpoints that are well.
    pub well: u64,
    /// To others.
    pub probes: u64,
}

/// Held while a request is under way.
#[derive(Debug)]
pub(crate) struct Slot {
    _request: Share<ClientId>,
    _kib: Share<ClientId>,
}

impl Part {
    /// Waits; memory first: who waits for it holds no request's place.
    async fn slot(&self, client: ClientId, kib: usize) -> Slot {
        let kib = self.kib.take(client, kib).await;
        let request = self.requests.take(client, 1).await;
        Slot { _request: request, _kib: kib }
    }
}

/// A body larger than all there is takes all of it.
fn kib_of(body_bytes: u64) -> usize {
    usize::try_from(body_bytes.div_ceil(1024)).unwrap_or(usize::MAX).max(1)
}

impl Budget {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let part = |requests: (&'static str, usize), kib: (&'static str, usize)| Part {
            requests: Shares::new(requests.0, requests.1),
            kib: Shares::new(kib.0, kib.1),
        };
        Budget {
            well: part(("deliveries", bounds.requests), ("delivery_body_kib", bounds.body_kib)),
            probes: part(("probes", bounds.probes), ("probe_body_kib", bounds.probe_body_kib)),
            reads: Shares::new("delivery_reads", bounds.reads),
        }
    }

    fn part(&self, of: ShareOf) -> &Part {
        match of {
            ShareOf::Well => &self.well,
            ShareOf::Probes => &self.probes,
        }
    }

    /// Waits for the right to send a body of this many bytes for a client.
    pub(crate) async fn slot(&self, of: ShareOf, client: ClientId, body_bytes: u64) -> Slot {
        self.part(of).slot(client, kib_of(body_bytes)).await
    }

    /// How many requests are under way.
    pub(crate) fn in_flight(&self) -> InFlight {
        let count = |part: &Part| part.requests.used() as u64;
        InFlight { well: count(&self.well), probes: count(&self.probes) }
    }

    /// Waits for the right to read a batch from the log for a client.
    pub(crate) async fn read(&self, client: ClientId) -> Share<ClientId> {
        self.reads.take(client, 1).await
    }

    /// What there is, and how often clients had to wait for their own share.
    pub(crate) fn refusals(&self) -> Vec<(&'static str, u64)> {
        let all = [&self.well.requests, &self.well.kib, &self.probes.requests, &self.probes.kib, &self.reads];
        all.map(|shares| (shares.name(), shares.refusals())).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const HOSTILE: ClientId = ClientId(1);
    const OTHER: ClientId = ClientId(2);

    #[test]
    fn a_client_whose_requests_hang_leaves_places_and_memory_to_the_others() {
        let budget = Budget::new(Bounds::default());
        for part in [ShareOf::Well, ShareOf::Probes] {
            let at_once = |client| budget.slot(part, client, 1_000_000).now_or_never();
            // 34 integrations with 16 requests of 1 MB each.
            let hanging: Vec<_> = (0..34 * 16).filter_map(|_| at_once(HOSTILE)).collect();
            assert!(hanging.len() < 34, "its share of the memory is used up: {}", hanging.len());
            let others: Vec<_> = (0..8).filter_map(|_| at_once(OTHER)).collect();
            assert_eq!(others.len(), 8, "{part:?}");
        }
    }
}
