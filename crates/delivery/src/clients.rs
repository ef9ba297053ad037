//! What is known of clients (tenants) without asking the store: what every request and every courier wants to know.

use hitwire_event::ClientId;
use hitwire_store::{Client, ClientLimits};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The clients. Cheap to clone; clones share what is known.
#[derive(Clone, Debug, Default)]
pub struct Clients(Arc<RwLock<HashMap<ClientId, Known>>>);

#[derive(Clone, Debug)]
struct Known {
    enabled: bool,
    limits: ClientLimits,
}

impl Clients {
    fn known(&self) -> RwLockReadGuard<'_, HashMap<ClientId, Known>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on there are these, and no others. Answers those that were enabled or disabled by it, and those that are gone.
    pub fn replace(&self, clients: &[Client]) -> Replaced {
        let known =
            |client: &Client| (client.id, Known { enabled: client.enabled, limits: client.limits.clone() });
        let now: HashMap<_, _> = clients.iter().map(known).collect();
        let mut clients = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *clients, now);
        let switched = clients
            .iter()
            .filter(|(id, now)| before.get(id).is_some_and(|before| before.enabled != now.enabled));
        Replaced {
            switched: switched.map(|(id, _)| *id).collect(),
            gone: before.into_keys().filter(|id| !clients.contains_key(id)).collect(),
        }
    }

    /// Whether there is such a client.
    pub fn knows(&self, client: ClientId) -> bool {
        self.known().contains_key(&client)
    }

    /// Whether its tokens are good and its integrations send. One that is not known is not disabled.
    pub fn is_enabled(&self, client: ClientId) -> bool {
        self.known().get(&client).is_none_or(|client| client.enabled)
    }

    /// Integrations that it may have; none: any number.
    pub fn integrations_max(&self, client: ClientId) -> Option<u32> {
        self.known().get(&client).and_then(|client| client.limits.integrations_max)
    }

    /// Events a second that it may send; none: any number.
    pub fn events_per_s(&self, client: ClientId) -> Option<u32> {
        self.known().get(&client).and_then(|client| client.limits.events_per_s)
    }
}

/// What became other than before.
#[derive(Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Clients that were enabled or disabled.
    pub switched: Vec<ClientId>,
    /// Clients that are no more.
    pub gone: Vec<ClientId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: u64, enabled: bool) -> Client {
        Client {
            id: ClientId(id),
            uuid: String::new(),
            name: String::new(),
            enabled,
            limits: ClientLimits { integrations_max: Some(3), ..ClientLimits::default() },
            created_at: 0,
            created_by: String::new(),
            revision: 1,
        }
    }

    #[test]
    fn what_changed_is_told() {
        let clients = Clients::default();
        assert!(clients.is_enabled(ClientId(1)) && !clients.knows(ClientId(1)));
        clients.replace(&[client(1, true), client(2, true), client(3, false)]);
        let replaced = clients.clone().replace(&[client(1, true), client(2, false), client(4, true)]);
        assert_eq!(replaced, Replaced { switched: vec![ClientId(2)], gone: vec![ClientId(3)] });
        assert!(!clients.is_enabled(ClientId(2)) && clients.knows(ClientId(4)));
        assert_eq!(clients.integrations_max(ClientId(4)), Some(3));
        assert_eq!(clients.events_per_s(ClientId(4)), None);
    }
}
