//! Decoded settings of integrations that were active lately: within a bound of bytes, however many those are.

use hitwire_event::IntegrationId;
use hitwire_store::Integration;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use std::sync::Arc;

/// Bytes of all of them. Usual settings take one to three kilobytes, so some ten thousand active integrations are read and
/// decoded once; integrations of a megabyte each do not add up.
const BYTES_MAX: u64 = 32 << 20;

/// Integrations that the cache expects to hold: its table begins with as many places.
const INTEGRATIONS_EXPECTED: usize = 64;

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<IntegrationId, Arc<Integration>> for ByBytes {
    fn weight(&self, _: &IntegrationId, integration: &Arc<Integration>) -> u64 {
        integration.settings_bytes() as u64
    }
}

/// The settings known last of each integration. Whoever needs those of a revision looks at the one that they have.
pub(crate) struct SettingsCache {
    generation: u64,
    known: Cache<IntegrationId, Arc<Integration>, ByBytes>,
}

impl Default for SettingsCache {
    fn default() -> Self {
        SettingsCache {
            generation: 0,
            known: Cache::with_weighter(INTEGRATIONS_EXPECTED, BYTES_MAX, ByBytes),
        }
    }
}

impl SettingsCache {
    /// Changes whenever something is forgotten: what was read before must not be kept after.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The settings of an integration, if they are of this revision or a later one.
    pub(crate) fn get(&self, id: IntegrationId, revision: u64) -> Option<Arc<Integration>> {
        self.known.get(&id).filter(|known| known.revision >= revision).cloned()
    }

    /// Keeps what was read in a generation, if that is still the one, and nothing later is known.
    pub(crate) fn keep(&mut self, integration: Arc<Integration>, generation: u64) {
        if self.generation == generation && self.get(integration.id, integration.revision).is_none() {
            self.known.insert(integration.id, integration);
        }
    }

    pub(crate) fn forget(&mut self, id: IntegrationId) {
        self.generation += 1;
        self.known.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_event::{ClientId, Kind, Seq};
    use hitwire_store::Ticked;
    use hitwire_store::{Activity, Secret, Target};

    fn integration(id: u64, ca_bytes: usize) -> Integration {
        let header = ("authorization".to_owned(), Secret::new("Bearer 0123456789abcdef0123456789abcdef"));
        let ticked = |kind| Ticked { kind, active: true, with_headers: false, from: Seq(1) };
        Integration {
            id: IntegrationId(id),
            client: ClientId(1),
            name: format!("webhook {id}"),
            activity: Activity::Active,
            created_at: 0,
            created_by: "admin@example.com".to_owned(),
            target: Target {
                headers: vec![header],
                ca_file: "x".repeat(ca_bytes),
                ..Target::new("https://receiver.example/hook", "whsec_c2lnbmluZy1pcy1zZWNyZXQ")
            },
            events: vec![ticked(Kind::Hit), ticked(Kind::System)],
            filter: serde_json::from_str("{}").unwrap(),
            revision: 1,
            content_revision: 1,
        }
    }

    /// Asks for the settings of integrations in turn, and reads what is not known. Returns how many were read.
    fn read_in_turn(cache: &mut SettingsCache, ids: std::ops::Range<u64>, ca_bytes: usize) -> usize {
        let mut read = 0;
        for id in ids {
            if cache.get(IntegrationId(id), 1).is_none() {
                read += 1;
                cache.keep(Arc::new(integration(id, ca_bytes)), cache.generation());
            }
        }
        read
    }

    #[test]
    fn the_settings_of_thousands_that_are_active_in_turn_are_read_once() {
        let mut cache = SettingsCache::default();
        // An own CA each, of two certificates.
        assert_eq!(read_in_turn(&mut cache, 0..2_000, 3_000), 2_000);
        for _ in 0..5 {
            assert_eq!(read_in_turn(&mut cache, 0..2_000, 3_000), 0);
        }
    }

    #[test]
    fn settings_of_any_size_take_no_more_than_the_bound() {
        let mut cache = SettingsCache::default();
        for ca_bytes in [500_000, 100, 20_000] {
            read_in_turn(&mut cache, 0..500, ca_bytes);
            read_in_turn(&mut cache, 10_000..30_000, ca_bytes.min(5_000));
            assert!(cache.known.weight() <= BYTES_MAX);
            let held: usize = cache.known.iter().map(|(_, integration)| integration.settings_bytes()).sum();
            assert_eq!(cache.known.weight(), held as u64);
        }
        assert!(
            integration(1, 0).settings_bytes() > size_of::<Integration>(),
            "what each of them takes counts too"
        );
    }

    #[test]
    fn what_was_read_before_something_was_forgotten_is_not_kept() {
        let mut cache = SettingsCache::default();
        let read_in = cache.generation();
        cache.forget(IntegrationId(1));
        cache.keep(Arc::new(integration(1, 0)), read_in);
        assert!(cache.get(IntegrationId(1), 0).is_none());
    }

    #[test]
    fn an_older_revision_is_not_what_is_asked_for_and_does_not_take_the_place_of_a_later_one() {
        let mut cache = SettingsCache::default();
        let of = |revision| Arc::new(Integration { revision, ..integration(1, 0) });
        cache.keep(of(2), cache.generation());
        assert!(cache.get(IntegrationId(1), 3).is_none());
        assert_eq!(cache.get(IntegrationId(1), 0).unwrap().revision, 2);
        cache.keep(of(1), cache.generation());
        assert_eq!(cache.get(IntegrationId(1), 0).unwrap().revision, 2);
        cache.keep(of(3), cache.generation());
        assert_eq!(cache.get(IntegrationId(1), 3).unwrap().revision, 3);
    }
}
