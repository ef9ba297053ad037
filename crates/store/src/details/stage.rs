//! Drafts that wait to be written, bounded in number and bytes.

use super::{AttemptKey, DELIVERED_OF_EACH, Draft};
use hitwire_event::IntegrationId;
use std::collections::{HashMap, VecDeque};

/// Failures that wait: two goes of writing.
const FAILED_MAX: usize = 4_000;

/// Successes that wait: the newest of a thousand integrations.
const DELIVERED_MAX: usize = 20_000;

/// Bytes of the drafts of either kind.
const BYTES_MAX: usize = 16 << 20;

/// Drafts that wait.
#[derive(Debug, Default)]
pub(super) struct Stage {
    failed: VecDeque<Draft>,
    failed_bytes: usize,
    /// Of each integration the newest, oldest first.
    delivered: HashMap<IntegrationId, VecDeque<Draft>>,
    /// The integrations in `delivered`, in the order of their turns.
    turns: VecDeque<IntegrationId>,
    delivered_count: usize,
    delivered_bytes: usize,
}

impl Stage {
    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty() && self.delivered_count == 0
    }

    /// Takes a draft; false if there is no room. An integration's newer success takes the place of its oldest one, so that
    /// what is left of a flood is the newest of it.
    pub(super) fn put(&mut self, draft: Draft) -> bool {
        if draft.delivered { self.put_delivered(draft) } else { self.put_failed(draft) }
    }

    fn put_failed(&mut self, draft: Draft) -> bool {
        if self.failed.len() >= FAILED_MAX || self.failed_bytes + draft.bytes > BYTES_MAX {
            return false;
        }
        self.failed_bytes += draft.bytes;
        self.failed.push_back(draft);
        true
    }

    fn put_delivered(&mut self, draft: Draft) -> bool {
        let id = draft.key.integration;
        if let Some(own) = self.delivered.get_mut(&id) {
            let crowded =
                self.delivered_count >= DELIVERED_MAX || self.delivered_bytes + draft.bytes > BYTES_MAX;
            if (own.len() >= DELIVERED_OF_EACH || crowded)
                && let Some(oldest) = own.pop_front()
            {
                self.delivered_count -= 1;
                self.delivered_bytes -= oldest.bytes;
            }
        }
        if self.delivered_count >= DELIVERED_MAX || self.delivered_bytes + draft.bytes > BYTES_MAX {
            self.drop_if_empty(id);
            return false;
        }
        self.delivered_count += 1;
        self.delivered_bytes += draft.bytes;
        let own = self.delivered.entry(id).or_insert_with(|| {
            self.turns.push_back(id);
            VecDeque::new()
        });
        own.push_back(draft);
        true
    }

    fn drop_if_empty(&mut self, id: IntegrationId) {
        if self.delivered.get(&id).is_some_and(VecDeque::is_empty) {
            self.delivered.remove(&id);
            self.turns.retain(|other| *other != id);
        }
    }

    /// The next drafts, about so many: half of them failures, if there are so many; successes of one integration after the other.
    pub(super) fn take(&mut self, about: usize) -> Vec<Draft> {
        let failures = self.failed.len().min(about.saturating_sub(self.delivered_count.min(about / 2)));
        let mut taken: Vec<Draft> = self.failed.drain(..failures).collect();
        self.failed_bytes -= taken.iter().map(|draft| draft.bytes).sum::<usize>();
        while taken.len() < about
            && let Some(id) = self.turns.pop_front()
        {
            let own = self.delivered.remove(&id).unwrap_or_default();
            self.delivered_count -= own.len();
            self.delivered_bytes -= own.iter().map(|draft| draft.bytes).sum::<usize>();
            taken.extend(own);
        }
        taken
    }

    /// Whether the draft of this attempt waits.
    pub(super) fn holds(&self, key: &AttemptKey) -> bool {
        let own = self.delivered.get(&key.integration).into_iter().flatten();
        own.chain(&self.failed).any(|draft| draft.key == *key)
    }

    /// Drops what waits of an integration.
    pub(super) fn forget(&mut self, integration: IntegrationId) {
        self.failed.retain(|draft| draft.key.integration != integration);
        self.failed_bytes = self.failed.iter().map(|draft| draft.bytes).sum();
        if let Some(own) = self.delivered.remove(&integration) {
            self.turns.retain(|other| *other != integration);
            self.delivered_count -= own.len();
            self.delivered_bytes -= own.iter().map(|draft| draft.bytes).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::Detail;
    use hitwire_event::WebhookId;

    fn draft(integration: u64, name: u64, delivered: bool, bytes: usize) -> Draft {
        let webhook_id = WebhookId(format!("msg_{name}").into());
        let key = AttemptKey { integration: IntegrationId(integration), webhook_id, number: 1 };
        Draft { key, delivered, bytes, make: Box::new(Detail::default) }
    }

    fn names(drafts: &[Draft]) -> Vec<&str> {
        drafts.iter().map(|draft| draft.key.webhook_id.as_str()).collect()
    }

    #[test]
    fn of_a_flood_of_successes_the_newest_wait() {
        let mut stage = Stage::default();
        for name in 0..100_000 {
            assert!(stage.put(draft(1, name, true, 1_000)));
        }
        let taken = stage.take(1_000);
        assert_eq!(taken.len(), DELIVERED_OF_EACH);
        assert_eq!(names(&taken)[0], "msg_99980");
        assert!(stage.is_empty());
        assert_eq!((stage.delivered_bytes, stage.turns.len()), (0, 0));
    }

    #[test]
    fn failures_beyond_the_bound_are_refused_and_leave_successes_their_room() {
        let mut stage = Stage::default();
        let taken = (0..10_000).filter(|name| stage.put(draft(1, *name, false, 10))).count();
        assert_eq!(taken, FAILED_MAX);
        assert!(stage.put(draft(1, 1, true, 10)));
        assert_eq!(stage.take(100).len(), 100);
        let mut large = Stage::default();
        let taken = (0..100).filter(|name| large.put(draft(1, *name, false, 1 << 20))).count();
        assert_eq!(taken, 16, "bytes are bounded too");
    }

    #[test]
    fn when_there_is_no_room_an_integration_pushes_out_its_own_alone() {
        let mut stage = Stage::default();
        for integration in 0..16 {
            assert!(stage.put(draft(integration, 1, true, 1 << 20)));
        }
        assert!(!stage.put(draft(99, 1, true, 1)), "a stranger finds no room");
        assert!(stage.put(draft(3, 2, true, 1 << 20)));
        assert!(!stage.put(draft(3, 3, true, 2 << 20)), "larger than what it had");
        let key = draft(3, 2, true, 0).key;
        assert!(!stage.holds(&key));
        assert_eq!(stage.take(usize::MAX).len(), 15);
    }

    #[test]
    fn integrations_take_turns_and_failures_wait_for_no_success() {
        let mut stage = Stage::default();
        for name in 0..10 {
            for integration in 1..=3 {
                stage.put(draft(integration, name, true, 1));
            }
            stage.put(draft(9, name, false, 1));
        }
        let taken = stage.take(12);
        assert_eq!(taken.iter().filter(|draft| !draft.delivered).count(), 6);
        assert_eq!(taken.iter().filter(|draft| draft.key.integration.0 == 1).count(), 10);
        let next = stage.take(100);
        assert_eq!(next.iter().filter(|draft| !draft.delivered).count(), 4);
        assert_eq!(next.len(), 24);
    }

    #[test]
    fn nothing_waits_of_an_integration_that_is_gone() {
        let mut stage = Stage::default();
        stage.put(draft(1, 1, true, 5));
        stage.put(draft(1, 2, false, 5));
        stage.put(draft(2, 3, false, 5));
        stage.forget(IntegrationId(1));
        assert_eq!(names(&stage.take(100)), ["msg_3"]);
        assert!(stage.is_empty());
    }
}
