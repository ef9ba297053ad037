//! What every shell shares: the store, the way out, the clocks, the bounds, and the settings of those active lately.

use super::applications;
use super::board::Surroundings;
use super::budget::{Budget, ShareOf};
use super::clock::Clock;
use super::failing::Failing;
use super::farewell::Farewell;
use super::inbox::{CourierStatus, Surveyed};
use super::refused::Refused;
use super::settings_cache::SettingsCache;
use super::transport::Transport;
use crate::counted::Deliveries;
use crate::{Clients, Names};
use hitwire_courier::Progress;
use hitwire_event::{ClientId, IntegrationId, WebhookId};
use hitwire_store::{
    Activity, CourierToken, Details, Integration, Op, Page, Read, Store, StoreError, StreamFrom,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// An endpoint that takes longer than this for an answer shares its place and memory with those that fail.
const SLOW: Duration = Duration::from_secs(1);

/// Requests of one integration that may take their place among those of the healthy ones: one for each lane. An
/// integration that has more under way at once must not hold up the others if its endpoint hangs of a sudden.
const WELL_OF_EACH: u32 = 2;

/// How long to wait before the store is asked again when it cannot write or read.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What every shell needs.
pub(crate) struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Clock,
    pub(crate) names: Names,
    clients: Clients,
    pub(crate) deliveries: Deliveries,
    pub(crate) details: Option<Arc<Details>>,
    pub(crate) budget: Budget,
    pub(crate) stop: CancellationToken,
    pub(crate) abandon: CancellationToken,
    notes: mpsc::UnboundedSender<Note>,
    mint: Box<dyn Fn() -> WebhookId + Send + Sync>,
    cache: Mutex<SettingsCache>,
    /// Integrations whose targets the guard refuses.
    pub(crate) refused: Refused,
    /// Integrations whose deliveries fail.
    pub(crate) failing: Failing,
    /// Integrations whose last answer took longer than [`SLOW`].
    slow: Mutex<HashSet<IntegrationId>>,
    /// Requests that each integration has under way, or waiting for their turn.
    under_way: Mutex<HashMap<IntegrationId, u32>>,
    /// What deleted integrations are to be told, until their shells have ended.
    farewells: Mutex<HashMap<IntegrationId, Farewell>>,
}

/// A request under way, or waiting for its turn.
pub(crate) struct UnderWay {
    context: Arc<Context>,
    id: IntegrationId,
    /// How many others there were when it began.
    pub(crate) beside: u32,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = self.context.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.id);
            }
        }
    }
}

/// What is told to the board. Bounded by nature: one at most for each API call or running shell.
pub(crate) enum Note {
    /// An integration was made, changed or deleted.
    Configured(IntegrationId),
    /// A test message to it was delivered.
    Tested(IntegrationId),
    /// A user wants it to be tried at once.
    Retry(IntegrationId),
    /// These streams wake the integration from now on.
    Subscribed(IntegrationId, Vec<StreamFrom>),
    /// How is it doing?
    Status(IntegrationId, oneshot::Sender<Option<CourierStatus>>),
    /// For tests of what happens when the board fails.
    Break,
    /// How is everybody doing?
    Survey(oneshot::Sender<Vec<Surveyed>>),
}

/// Why a run ends before it parks.
pub(crate) enum Interrupt {
    Gone,
    Stopped,
}

impl Context {
    pub(crate) fn new(surroundings: Surroundings, notes: mpsc::UnboundedSender<Note>) -> Self {
        let Surroundings { store, transport, clock, bounds, names, clients, deliveries, details, mint } =
            surroundings;
        Context {
            store,
            transport,
            clock,
            names,
            clients,
            deliveries,
            details,
            budget: Budget::new(bounds),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
            notes,
            mint,
            cache: Mutex::default(),
            refused: Refused::default(),
            failing: Failing::default(),
            slow: Mutex::default(),
            under_way: Mutex::default(),
            farewells: Mutex::default(),
        }
    }

    pub(crate) fn note(&self, note: Note) {
        // The board is gone only when hitwire stops; then nobody needs the note.
        let _ = self.notes.send(note);
    }

    pub(crate) fn webhook_id(&self) -> WebhookId {
        (self.mint)()
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, SettingsCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self, id: IntegrationId) {
        self.cache().forget(id);
    }

    /// Whether an integration sends: it is active, and so is its client.
    pub(crate) fn sends(&self, integration: &Integration) -> bool {
        integration.activity == Activity::Active && self.clients.is_enabled(integration.client)
    }

    /// From which share a request to this endpoint is taken.
    pub(crate) fn share_of(&self, id: IntegrationId, probe: bool, beside: u32) -> ShareOf {
        let is_slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner).contains(&id);
        if probe || is_slow || beside >= WELL_OF_EACH { ShareOf::Probes } else { ShareOf::Well }
    }

    /// A request of an integration begins; until the answer is dropped it counts.
    pub(crate) fn under_way(self: &Arc<Self>, id: IntegrationId) -> UnderWay {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(id).or_default();
        let beside = *count;
        *count += 1;
        UnderWay { context: Arc::clone(self), id, beside }
    }

    /// Takes note of how long an endpoint took.
    pub(crate) fn took(&self, id: IntegrationId, took: Duration) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if took > SLOW {
            slow.insert(id);
        } else {
            slow.remove(&id);
        }
    }

    /// Reads the log, a bounded number at once. A part that cannot be read holds nobody else's place while it is tried
    /// again.
    pub(crate) async fn read(&self, client: ClientId, read: Read) -> Result<Page, Interrupt> {
        self.patiently(|store| {
            let read = read.clone();
            Box::pin(async move {
                let _permit = self.budget.read(client).await;
                store.read(read).await
            })
        })
        .await
    }

    /// Asks the store until it answers: a disk that refuses for a while delays couriers and loses nothing.
    pub(crate) async fn patiently<'a, T, F>(&'a self, mut ask: F) -> Result<T, Interrupt>
    where
        F: FnMut(&'a dyn hitwire_store::Store) -> hitwire_store::Answer<'a, T>,
    {
        loop {
            match ask(&*self.store).await {
                Ok(answer) => return Ok(answer),
                Err(StoreError::Closed) => return Err(Interrupt::Stopped),
                Err(StoreError::NotFound) => return Err(Interrupt::Gone),
                Err(error) => tracing::error!(%error, "the store does not answer a courier; asking again"),
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_RETRY) => {}
                () = self.stop.cancelled() => return Err(Interrupt::Stopped),
            }
        }
    }

    /// Saves a step, and what belongs to it, in one transaction. `false`: load the courier again. Somebody else has changed it
    /// since it was loaded, and nothing was saved; or the store failed, so that nobody knows whether it was: repeated, the
    /// step could count twice.
    pub(crate) async fn save(
        &self,
        token: CourierToken,
        progress: Progress,
        with_it: Vec<Op>,
    ) -> Result<bool, Interrupt> {
        let mut ops = vec![Op::Save(token, progress)];
        ops.extend(with_it);
        match self.store.commit(ops).await {
            Ok(_) => return Ok(true),
            Err(StoreError::Overtaken) => return Ok(false),
            Err(StoreError::Closed) => return Err(Interrupt::Stopped),
            Err(StoreError::NotFound) => return Err(Interrupt::Gone),
            Err(error) => {
                tracing::error!(%error, "the store did not save a step of a courier; loading it again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(STORE_RETRY) => Ok(false),
            () = self.stop.cancelled() => Err(Interrupt::Stopped),
        }
    }

    fn farewells(&self) -> std::sync::MutexGuard<'_, HashMap<IntegrationId, Farewell>> {
        self.farewells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put_farewell(&self, id: IntegrationId, farewell: Farewell) {
        self.farewells().insert(id, farewell);
    }

    pub(crate) fn take_farewell(&self, id: IntegrationId) -> Option<Farewell> {
        self.farewells().remove(&id)
    }

    pub(crate) fn has_farewell(&self, id: IntegrationId) -> bool {
        self.farewells().contains_key(&id)
    }

    /// An integration with its settings, as they were last heard of: a change of the last moments may not be in them.
    pub(crate) async fn integration(&self, id: IntegrationId) -> Result<Option<Arc<Integration>>, Interrupt> {
        self.integration_at(id, 0).await
    }

    /// The same, of this revision at least.
    pub(crate) async fn integration_at(
        &self,
        id: IntegrationId,
        revision: u64,
    ) -> Result<Option<Arc<Integration>>, Interrupt> {
        let generation = {
            let cache = self.cache();
            if let Some(integration) = cache.get(id, revision) {
                return Ok(Some(integration));
            }
            cache.generation()
        };
        let integration = self.patiently(|store| {
            Box::pin(async move {
                match store.integration(id).await? {
                    Some(integration) => applications::matching_in(store, integration).await.map(Some),
                    None => Ok(None),
                }
            })
        });
        let integration = integration.await?.map(Arc::new);
        if let Some(integration) = &integration {
            self.cache().keep(Arc::clone(integration), generation);
        }
        Ok(integration)
    }
}
