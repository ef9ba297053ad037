//! [`Outbox`] on the state's file.

use super::SqliteStore;
use crate::sqlite::outbox;
use crate::{Answer, Outbox};
use hitwire_event::Event;
use tokio::sync::watch;

impl Outbox for SqliteStore {
    fn outbox(&self, limit: usize) -> Answer<'_, Vec<(u64, Event)>> {
        Box::pin(self.read_state(move |connection| outbox::load(connection, limit)))
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.ground.state.watch_announced()
    }
}
