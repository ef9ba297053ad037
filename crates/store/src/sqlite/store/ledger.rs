//! [`Ledger`] on the state's file, and that of attempts.

use super::SqliteStore;
use crate::sqlite::attempts::{rows, search};
use crate::sqlite::ledger::{lanes, lost, replays};
use crate::{
    Answer, AttemptPage, AttemptQuery, AttemptRow, Done, Ledger, LoadedCourier, LostRow, Moved, Op, Replay,
    StoreError,
};
use hitwire_courier::Saved;
use hitwire_event::IntegrationId;
use tokio::sync::watch;

impl Ledger for SqliteStore {
    fn load_courier(&self, id: IntegrationId) -> Answer<'_, Option<LoadedCourier>> {
        Box::pin(async move {
            match self.change(vec![Op::LoadCourier(id)]).await?.pop() {
                Some(Done::Courier(courier)) => Ok(courier.map(|courier| *courier)),
                _ => Err(StoreError::Closed),
            }
        })
    }

    fn saved(&self, id: IntegrationId) -> Answer<'_, Option<Saved>> {
        Box::pin(self.read_state(move |connection| lanes::load(connection, id)))
    }

    fn attempts(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AttemptRow>> {
        Box::pin(self.read_attempts(move |connection| rows::of_integration(connection, id, before, limit)))
    }

    fn attempts_after(&self, after: u64, limit: usize) -> Answer<'_, Vec<(IntegrationId, AttemptRow)>> {
        Box::pin(self.read_attempts(move |connection| rows::after(connection, after, limit)))
    }

    fn find_attempts(&self, query: AttemptQuery) -> Answer<'_, AttemptPage> {
        Box::pin(self.read_attempts(move |connection| search::search(connection, &query)))
    }

    fn attempt(&self, id: IntegrationId, number: u64) -> Answer<'_, Option<AttemptRow>> {
        Box::pin(self.read_attempts(move |connection| search::one(connection, id, number)))
    }

    fn lost(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<LostRow>> {
        Box::pin(self.read_state(move |connection| lost::lost(connection, id, before, limit)))
    }

    fn replays(&self, id: IntegrationId) -> Answer<'_, Vec<Replay>> {
        Box::pin(self.read_state(move |connection| replays::all(connection, id)))
    }

    fn replay(&self, id: IntegrationId, number: u32) -> Answer<'_, Option<Replay>> {
        Box::pin(self.read_state(move |connection| replays::one(connection, id, number)))
    }

    fn moved(&self) -> watch::Receiver<Vec<Moved>> {
        self.ground.state.watch_moved()
    }
}
