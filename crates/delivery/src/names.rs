//! What the installation and its clients are called in envelopes.

use hitwire_event::ClientId;
use hitwire_receiver::Labels;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The labels of every client: the installation's names, and each client's own. Cheap to clone; clones share what is known
/// of clients.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Of a client whose name is not known.
    installation: Arc<Labels>,
    clients: RwLock<HashMap<ClientId, Arc<Labels>>>,
}

impl Names {
    /// The installation's names; no client has one yet.
    pub fn new(installation: Labels) -> Names {
        Names(Arc::new(Known { installation: Arc::new(installation), clients: RwLock::default() }))
    }

    /// The labels in what is rendered for this client.
    pub fn labels(&self, client: ClientId) -> Arc<Labels> {
        let clients = self.0.clients.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(clients.get(&client).unwrap_or(&self.0.installation))
    }

    /// The configured address of the console, without a slash at the end; none if none is configured.
    pub fn link_base(&self) -> Option<&str> {
        self.0.installation.link_base.as_deref()
    }

    /// From now on the client has this name. What was rendered already keeps the one before.
    pub fn set_client(&self, client: ClientId, name: &str) {
        let labels = Labels { client_name: name.to_owned(), ..Labels::clone(&self.0.installation) };
        let mut clients = self.0.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.insert(client, Arc::new(labels));
    }

    /// The client is no more.
    pub fn forget_client(&self, client: ClientId) {
        self.0.clients.write().unwrap_or_else(PoisonError::into_inner).remove(&client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_has_its_own_name_and_the_installations() {
        let names = Names::new(Labels { product: "Shield".to_owned(), ..Labels::default() });
        names.set_client(ClientId(2), "Two");
        let of = |client| {
            let labels = names.labels(ClientId(client));
            (labels.product.clone(), labels.client_name.clone())
        };
        assert_eq!(of(1), ("Shield".to_owned(), "default".to_owned()));
        assert_eq!(of(2), ("Shield".to_owned(), "Two".to_owned()));
        names.clone().set_client(ClientId(2), "Second");
        assert_eq!(of(2).1, "Second");
        names.forget_client(ClientId(2));
        assert_eq!(of(2).1, "default");
    }
}
