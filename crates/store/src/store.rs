//! The trait that every store fulfils.

use crate::{
    ActivityPage, ActivityQuery, Application, AttemptPage, AttemptQuery, AttemptRow, BrokenIntegration,
    Client, Counts, Credential, Done, Figures, Integration, IntegrationPage, IntegrationQuery,
    IntegrationRange, Lag, Link, LostRow, Op, Page, Read, Revoked, Session, StreamFrom, Token, TokenId, User,
    UserId,
};
use hitwire_courier::Saved;
use hitwire_event::{ClientId, Event, IntegrationId, Seq, Stream};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The right to settle: given once to each owner of the couriers; a settlement under an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease(pub u64);

/// Which streams have news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Looked at up to here (inclusive): the durable head at the time of asking.
    pub through: Seq,
    /// The distinct streams; none if the tail does not reach back to the position asked for: then any may have news.
    pub streams: Option<Vec<Stream>>,
}

/// What a store promises for later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The durable log, the lanes and the integrations.
///
/// All methods may be called from any task. Queues inside are bounded: a caller waits when they are full.
pub trait Store: Send + Sync + 'static {
    /// Carries the ops out in order, and answers, one for each, when they are durable. Appends are applied before any
    /// other op of the same call; ops that touch state are one transaction. On an error nothing of the call counts, but
    /// for one case: if a disk fails after the appends and before the rest, the events stay. A caller who repeats such a
    /// call gives its events the same ids again, and has them deduplicated.
    fn commit(&self, ops: Vec<Op>) -> Answer<'_, Vec<Done>>;

    /// The events of some streams after a position, oldest first; from the tail where it reaches back far enough.
    fn read(&self, read: Read) -> Answer<'_, Page>;

    /// Everything after a position, of all clients and kinds, oldest first; from the tail where it reaches back far enough.
    /// At most so many events, and bytes of bodies (a single larger one is returned all the same). For whoever indexes the
    /// log: it waits behind couriers if the disk must be read.
    fn follow(&self, after: Seq, max_events: usize, max_bytes: usize) -> Answer<'_, Page>;

    /// The last durable position; changes with every append. The records that made it move are in the tail by then.
    fn head(&self) -> watch::Receiver<Seq>;

    /// The distinct streams of the records appended after a position, from the tail alone: what a dispatcher wakes.
    fn touched(&self, after: Seq) -> Touched;

    /// The lease that this process holds.
    fn lease(&self) -> Lease;

    /// How many events of these streams lie in `after < seq <= through`. Exact for up to a few thousand positions past
    /// `after`; block by block from the directory beyond.
    fn lag(&self, streams: Vec<StreamFrom>, after: Seq, through: Seq) -> Answer<'_, Lag>;

    /// The last position appended at or before a wall-clock time (milliseconds since the epoch), `Seq::ZERO` if none.
    fn position_at(&self, appended_ms: u64) -> Answer<'_, Seq>;

    /// The last position that has been in the log for this long, counted in time that hitwire ran: time in which it was
    /// stopped makes nothing old, nor does a jump of the wall clock. Positions that are up to a minute older may be passed
    /// over, and up to an hour for ages of more than four days.
    fn position_aged(&self, age: Duration) -> Answer<'_, Seq>;

    /// A stretch of a client's integrations, with their settings.
    fn integrations(&self, range: IntegrationRange) -> Answer<'_, Vec<Integration>>;

    /// The ids of all integrations, of one client or of all.
    fn integration_ids(&self, client: Option<ClientId>) -> Answer<'_, Vec<IntegrationId>>;

    /// The integrations whose rows cannot be read, of one client or of all, by id.
    fn broken_integrations(&self, client: Option<ClientId>) -> Answer<'_, Vec<BrokenIntegration>>;

    /// A page of a client's integrations, without their settings. What it costs does not grow with their number.
    fn integration_page(&self, query: IntegrationQuery) -> Answer<'_, IntegrationPage>;

    /// One integration, secrets opened.
    fn integration(&self, id: IntegrationId) -> Answer<'_, Option<Integration>>;

    /// What was saved of an integration's couriers.
    fn saved(&self, id: IntegrationId) -> Answer<'_, Option<Saved>>;

    /// The delivery log of an integration, newest first, rows with a number below `before`.
    fn attempts(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AttemptRow>>;

    /// The attempts of all integrations with a number above `after`, oldest first.
    fn attempts_after(&self, after: u64, limit: usize) -> Answer<'_, Vec<(IntegrationId, AttemptRow)>>;

    /// Attempts of an integration by outcome, time and event, newest first. Looks at a bounded number of rows: a page may be
    /// short, or empty, and say all the same that there is a next one.
    fn find_attempts(&self, query: AttemptQuery) -> Answer<'_, AttemptPage>;

    /// One attempt of an integration, by its number.
    fn attempt(&self, id: IntegrationId, number: u64) -> Answer<'_, Option<AttemptRow>>;

    /// Dead and skipped ranges of an integration, newest first.
    fn lost(&self, id: IntegrationId, before: Option<u64>, limit: usize) -> Answer<'_, Vec<LostRow>>;

    /// A source's checkpoint, as it was committed with the events read up to it.
    fn checkpoint(&self, source: &str) -> Answer<'_, Option<Vec<u8>>>;

    /// The token with this SHA-256, if it is known.
    fn token(&self, sha256: [u8; 32]) -> Answer<'_, Option<Token>>;

    /// All clients, by id.
    fn clients(&self) -> Answer<'_, Vec<Client>>;

    /// The next clients after one, by id, at most so many.
    fn client_page(&self, after: ClientId, limit: usize) -> Answer<'_, Vec<Client>>;

    /// The users of one client or of all, by id.
    fn users(&self, client: Option<ClientId>) -> Answer<'_, Vec<User>>;

    /// One user.
    fn user(&self, id: UserId) -> Answer<'_, Option<User>>;

    /// The users with this e-mail, letter case aside: at most one of each client, by client.
    fn users_of_email(&self, email: &str) -> Answer<'_, Vec<User>>;

    /// How a user signs in.
    fn credential(&self, user: UserId) -> Answer<'_, Option<Credential>>;

    /// The users who are this account (issuer and subject) of an OpenID provider: at most one of each client, by client.
    fn users_of_subject(&self, issuer: &str, subject: &str) -> Answer<'_, Vec<(ClientId, UserId)>>;

    /// Whether there is anybody who could sign in.
    fn anybody_signs_in(&self) -> Answer<'_, bool>;

    /// The session with this SHA-256, and whose it is. Whether it has expired is for the caller to say.
    fn session(&self, sha256: [u8; 32]) -> Answer<'_, Option<(Session, User)>>;

    /// The newest sessions of a user, at most 100.
    fn sessions(&self, user: UserId) -> Answer<'_, Vec<Session>>;

    /// The link with this SHA-256. Whether it has expired is for the caller to say.
    fn link(&self, sha256: [u8; 32]) -> Answer<'_, Option<Link>>;

    /// The token with this number.
    fn token_of_id(&self, id: TokenId) -> Answer<'_, Option<Token>>;

    /// The tokens of one client or of all, by id.
    fn tokens(&self, client: Option<ClientId>) -> Answer<'_, Vec<Token>>;

    /// The applications of a client, by id.
    fn applications(&self, client: ClientId) -> Answer<'_, Vec<Application>>;

    /// The text that was remembered under a name.
    fn remembered(&self, name: &'static str) -> Answer<'_, Option<String>>;

    /// A page of the activity log, newest first.
    fn activity(&self, query: ActivityQuery) -> Answer<'_, ActivityPage>;

    /// The oldest events of the outbox with their numbers, at most so many.
    fn outbox(&self, limit: usize) -> Answer<'_, Vec<(u64, Event)>>;

    /// The number of the last event put into the outbox; changes with each.
    fn announced(&self) -> watch::Receiver<u64>;

    /// The integrations whose cursors the store itself moved lately (retention, enabling from now), the last ones first.
    /// Changes on each; an integration stays in the list for a while, so that a slow receiver misses none.
    fn moved(&self) -> watch::Receiver<Vec<IntegrationId>>;

    /// What the store counted since it was opened.
    fn counts(&self) -> Arc<Counts>;

    /// What is to be said of each file in use that was deleted or moved, as far as was noticed; looked for twice a second.
    fn missing_files(&self) -> Vec<String>;

    /// What of that the log's and the state's files say, without counts of what is in the state: costs a look at each file.
    fn file_figures(&self) -> Answer<'_, Figures>;

    /// How full the store is now. Costs a look at each file and one short read.
    fn figures(&self) -> Answer<'_, Figures>;

    /// Ends the writers after what is queued; nothing is accepted afterwards.
    fn close(&self) -> Answer<'_, ()>;
}

/// Why a store could not do what it was asked. The text tells the user what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk refuses: writing is suspended until a sync works again. Callers answer 503 and try later.
    #[error("the log cannot be written: {0}; nothing was accepted, try again later")]
    Unavailable(String),
    /// The disk has less free space than the floor.
    #[error(
        "only {free_bytes} bytes are free on the log's disk, the floor is {floor_bytes}; nothing was accepted"
    )]
    DiskFloor {
        /// Free bytes.
        free_bytes: u64,
        /// Configured floor.
        floor_bytes: u64,
    },
    /// A settlement under a lease that another process has taken over.
    #[error("this process no longer holds the lease; another hitwire has taken over")]
    LeaseLost,
    /// The revision that an update was made from is no longer the current one.
    #[error("it was changed meanwhile; read it again and repeat the change")]
    Conflict,
    /// What must be unique is there already, or something is still in use. Says which.
    #[error("{0}")]
    Taken(String),
    /// Something that the change belongs to is not there any more: its client, or its user. Says which.
    #[error("{0}")]
    Gone(String),
    /// Whoever makes the change may not do so any more. Nothing was changed.
    #[error("{0} while the call was under way; nothing was changed")]
    Revoked(Revoked),
    /// No such thing.
    #[error("there is no such thing any more")]
    NotFound,
    /// A file was written by a newer hitwire, is damaged, is in use, or has the wrong key. Says which and what to do.
    #[error("{0}")]
    Open(String),
    /// The store was closed.
    #[error("the log is closed")]
    Closed,
}
