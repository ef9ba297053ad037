//! Settings of integrations that were active lately.

use hitwire_event::IntegrationId;
use hitwire_store::Integration;
use std::collections::HashMap;
use std::sync::Arc;

/// Integrations in each of two generations.
const INTEGRATIONS_MAX: usize = 256;

/// Bytes of their certificates, headers and filters in one generation: integrations of a megabyte each must not add up.
const BYTES_MAX: usize = 8 << 20;

/// Two generations: when the young one is full it becomes the old one, and what nobody asked for meanwhile is dropped.
#[derive(Default)]
pub(crate) struct SettingsCache {
    generation: u64,
    young_bytes: usize,
    young: HashMap<IntegrationId, Arc<Integration>>,
    old: HashMap<IntegrationId, Arc<Integration>>,
}

impl SettingsCache {
    /// Changes whenever something is forgotten: what was read before must not be kept after.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn get(&mut self, id: IntegrationId) -> Option<Arc<Integration>> {
        if let Some(integration) = self.young.get(&id) {
            return Some(Arc::clone(integration));
        }
        let integration = self.old.remove(&id)?;
        self.insert(Arc::clone(&integration));
        Some(integration)
    }

    /// Keeps what was read in a generation, if that is still the one.
    pub(crate) fn keep(&mut self, integration: Arc<Integration>, generation: u64) {
        if self.generation == generation {
            self.insert(integration);
        }
    }

    pub(crate) fn forget(&mut self, id: IntegrationId) {
        self.generation += 1;
        self.young.remove(&id);
        self.old.remove(&id);
    }

    fn insert(&mut self, integration: Arc<Integration>) {
        if self.young.len() >= INTEGRATIONS_MAX || self.young_bytes >= BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += integration.settings_bytes();
        self.young.insert(integration.id, integration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitwire_event::filter::Filter;
    use hitwire_event::{ClientId, IntegrationId};
    use hitwire_store::{Activity, Target};

    fn integration() -> Integration {
        Integration {
            id: IntegrationId(7),
            client: ClientId(1),
            name: "SIEM".to_owned(),
            activity: Activity::Active,
            created_at: 0,
            created_by: "Jane".to_owned(),
            target: Target::new("https://siem.example.com/in", "whsec_1"),
            events: Vec::new(),
            filter: Filter::default(),
            revision: 1,
            content_revision: 1,
        }
    }

    fn kept(cache: &mut SettingsCache, ids: std::ops::Range<u64>, bytes: usize) {
        for id in ids {
            let mut integration = integration();
            integration.id = IntegrationId(id);
            integration.target.ca_file = "x".repeat(bytes);
            cache.keep(Arc::new(integration), cache.generation());
        }
    }

    fn bytes(cache: &SettingsCache) -> usize {
        cache.young.values().chain(cache.old.values()).map(|integration| integration.settings_bytes()).sum()
    }

    #[test]
    fn large_settings_do_not_add_up() {
        let mut cache = SettingsCache::default();
        kept(&mut cache, 0..200, 500_000);
        assert!(bytes(&cache) <= 2 * (BYTES_MAX + 501_000), "{}", bytes(&cache));
        assert!(cache.get(IntegrationId(199)).is_some());
        assert!(cache.get(IntegrationId(0)).is_none());
    }

    #[test]
    fn small_settings_are_bounded_in_number_and_those_in_use_stay() {
        let mut cache = SettingsCache::default();
        kept(&mut cache, 0..1, 10);
        for round in 1..20 {
            kept(&mut cache, round * 100..round * 100 + 100, 10);
            assert!(cache.get(IntegrationId(0)).is_some());
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * INTEGRATIONS_MAX);
    }

    #[test]
    fn what_was_read_before_something_was_forgotten_is_not_kept() {
        let mut cache = SettingsCache::default();
        let read_in = cache.generation();
        cache.forget(IntegrationId(1));
        cache.keep(Arc::new(integration()), read_in);
        assert!(cache.young.is_empty());
    }
}
