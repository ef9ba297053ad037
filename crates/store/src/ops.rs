//! What is asked of a store, and what it answers.

use crate::{
    ActivityEntry, Application, Authority, Client, Credential, Integration, Lease, Link, NewIntegration,
    Sequence, Session, Token, TokenId, User, UserId,
};
use hitwire_courier::{Attempt, LostRange, Progress, Verdict};
use hitwire_event::{ClientId, Event, IntegrationId, Lane, Record, Seq, Stream, WebhookId};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// One thing to be made durable.
#[derive(Clone, Debug)]
pub enum Op {
    /// Succeeds only if this still holds; otherwise [`StoreError::Revoked`](crate::StoreError::Revoked): a change that was
    /// decided on before something was taken from its author must not be made after.
    Require(Authority),
    /// Events into the log.
    Append(Append),
    /// A new integration, of a client that exists; its streams start at the end of the log.
    CreateIntegration(NewIntegration),
    /// A changed integration.
    UpdateIntegration(UpdateIntegration),
    /// Takes an integration away, its secrets wiped.
    DeleteIntegration {
        /// Which.
        id: IntegrationId,
        /// The revision that the deletion was decided on: it must be there, and still have it. None: whatever it has, if it
        /// is there at all.
        revision: Option<u64>,
    },
    /// One step of a courier.
    Save(Lease, Progress),
    /// An integration does not get a range of the log, as it cannot be read. Ranges that follow each other become one; what is
    /// on record already is not recorded again.
    RecordLost(IntegrationId, LostRange),
    /// Reserves an id, so that all that belongs to the making of something can name it in one transaction.
    NextId(Sequence),
    /// A client, new (revision 0) or changed (the revision that the change was made from).
    PutClient(Client),
    /// Takes a client away, with its users, tokens and applications. Its integrations must be gone before.
    DeleteClient {
        /// Which.
        id: ClientId,
    },
    /// A user, new (revision 0) or changed (the revision that the change was made from). A change of e-mail, role or `enabled`
    /// uses up the links that were given to the user before.
    PutUser(User),
    /// Takes a user away, with the user's tokens, credential, sessions and links.
    DeleteUser {
        /// Which.
        id: UserId,
    },
    /// How a user signs in. One that lets in uses up the links that would set another, and the one that makes the first user. New (revision 0) or changed (the revision that the change was made from).
    PutCredential(Credential),
    /// Succeeds only if how a user signs in is still what it was at this revision (0: not at all); otherwise
    /// [`StoreError::Conflict`](crate::StoreError::Conflict): what was proved with it must not outlive it.
    SameCredential {
        /// Whose.
        user: UserId,
        /// The revision.
        revision: u64,
    },
    /// A user signed in, who must exist and be enabled. A user keeps at most 50 sessions; the oldest are ended first.
    PutSession(Session),
    /// Ends a session.
    DeleteSession {
        /// Which.
        sha256: [u8; 32],
    },
    /// Ends the sessions of a user.
    DeleteSessions {
        /// Whose.
        user: UserId,
        /// But not this one.
        but: Option<[u8; 32]>,
    },
    /// When sessions were last used, Unix seconds. Not synced.
    SessionsUsed(Vec<([u8; 32], u64)>),
    /// Ends sessions and links that have expired; Unix seconds.
    DeleteExpired {
        /// Sessions made before.
        created_before: u64,
        /// Sessions last used before.
        used_before: u64,
        /// Links that expire until now.
        now: u64,
    },
    /// A link that is good once, in place of the one that was there for the same user, who must exist.
    PutLink(Link),
    /// Uses a link up; [`StoreError::NotFound`](crate::StoreError::NotFound) if it was used before, so that the rest of the same
    /// commit does not happen twice.
    RedeemLink {
        /// Which.
        sha256: [u8; 32],
    },
    /// A token, new or in place of the one with the same id, of a client and a user that exist.
    PutToken(Token),
    /// Takes a token away.
    DeleteToken {
        /// Which.
        id: TokenId,
    },
    /// When tokens were last used, Unix seconds. Not synced.
    TokensUsed(Vec<(TokenId, u64)>),
    /// An application, new or in place of the one with the same id, of a client that exists.
    PutApplication(Application),
    /// Takes an application away.
    DeleteApplication {
        /// Whose.
        client: ClientId,
        /// Which.
        id: i64,
    },
    /// A text to be remembered under a name, such as what was configured at the last start.
    Remember {
        /// The name.
        name: &'static str,
        /// The text.
        text: String,
    },
    /// An entry into the activity log, in the same transaction as what it tells of.
    Record(ActivityEntry),
    /// An event that tells of a change, in the same transaction as the change: it is put into the *outbox*, from which it is
    /// moved to the log at once (see [`Store::outbox`](crate::Store::outbox)). So an event is told exactly if its change
    /// took effect.
    Announce(Event),
    /// The events of the outbox up to this number are in the log.
    Announced {
        /// The number.
        through: u64,
    },
}

/// Events to append, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Leave out events that were appended within the deduplication window: same client, id and content.
    pub deduplicate: bool,
    /// The source's name and its new checkpoint, committed with the events.
    pub checkpoint: Option<(String, Vec<u8>)>,
}

/// What became of an append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Events that are in the log now because of this call.
    pub accepted: u64,
    /// For each event of the call: it was there before, and was left out.
    pub duplicate: Vec<bool>,
}

/// The answer to one op.
#[derive(Clone, Debug)]
pub enum Done {
    /// To `Append`.
    Appended(Appended),
    /// To `CreateIntegration` and `UpdateIntegration`: as it is now.
    Integration(Box<Integration>),
    /// To every `Delete...`: whether it was there.
    Deleted(bool),
    /// To `Save`.
    Saved,
    /// To `NextId`.
    Id(u64),
    /// To what is simply kept, gone, or so: `Put...`, `Require`, `...Used`, `RedeemLink`, `Remember`, `Record`, `Announce`, `Announced`.
    Kept,
}

/// Where to go on when an integration is enabled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Skip what came meanwhile; it becomes a skipped range.
    Now,
    /// Deliver what was missed.
    Missed,
}

/// A change of an integration. The store works out what it means for the lanes, in the same transaction:
/// a newly ticked kind counts from the end of the log as it is then; what an unticked kind had outstanding becomes a
/// skipped range; enabling follows `resume`.
#[derive(Clone, Debug)]
pub struct UpdateIntegration {
    /// The integration as it shall be (its `revision` is the one the change was made from).
    pub integration: Integration,
    /// Where to go on, if the change enables it. `None`: after an automatic disable what was missed, else from now.
    pub resume: Option<Resume>,
}

/// A stream and where the subscription to it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFrom {
    /// The stream.
    pub stream: Stream,
    /// Events from this position on (inclusive).
    pub from: Seq,
}

/// A read of the log.
#[derive(Clone, Debug)]
pub struct Read {
    /// Only these streams.
    pub streams: Vec<StreamFrom>,
    /// Only events after this position.
    pub after: Seq,
    /// Only events up to this position, if set.
    pub through: Option<Seq>,
    /// At most this many events.
    pub max_events: usize,
    /// At most this many bytes of bodies; a single larger event is still returned.
    pub max_bytes: usize,
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events, oldest first.
    pub records: Vec<Arc<Record>>,
    /// Every event of the streams up to here (inclusive) was returned, is no longer in the log, or is in `unreadable`.
    pub scanned_to: Seq,
    /// There is more of the streams, or more to search, before the end of the log (or `through`).
    pub more: bool,
    /// A range that cannot be read, passed by this page. Such a page has no events: what lies before was returned by the page
    /// before.
    pub unreadable: Option<Unreadable>,
}

/// A range of the log that cannot be read, because a file is damaged or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its first position.
    pub first: Seq,
    /// Its last position.
    pub last: Seq,
    /// How many events of the streams that were asked for it holds.
    pub events: u64,
    /// The number of events is known; otherwise it is an estimate: all that can have been there.
    pub exact: bool,
    /// What is wrong, in words for people. Names a file, but no directory.
    pub why: String,
}

impl Unreadable {
    /// What is told of it on a dead range.
    pub fn detail(&self) -> String {
        if self.exact {
            self.why.clone()
        } else {
            format!("{}; how many events it had is not known, the number is an estimate", self.why)
        }
    }
}

/// How far something is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events not settled.
    pub events: u64,
    /// When the oldest of them was appended, milliseconds since the epoch; none if there is none.
    pub oldest_ms: Option<u64>,
}

/// An attempt in the delivery log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its number within the store: higher is newer.
    pub id: u64,
    /// The attempt.
    pub attempt: Attempt,
}

/// Which attempts of an integration are wanted: what is left open excludes none.
#[derive(Clone, Debug)]
pub struct AttemptQuery {
    /// Whose.
    pub integration: IntegrationId,
    /// Only with a number below this.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Only with one of these outcomes; empty: with any.
    pub verdicts: Vec<Verdict>,
    /// Only with a status in this range.
    pub statuses: Option<RangeInclusive<u16>>,
    /// Only what ended at this time or later, milliseconds since the epoch.
    pub ended_from_ms: Option<u64>,
    /// Only what ended before this time, milliseconds since the epoch.
    pub ended_before_ms: Option<u64>,
    /// Only those whose batch reaches over this position.
    pub seq: Option<Seq>,
    /// Only those of this lane.
    pub lane: Option<Lane>,
    /// Only those of the batch with this id.
    pub webhook_id: Option<WebhookId>,
}

impl AttemptQuery {
    /// All attempts of an integration.
    pub fn of(integration: IntegrationId, before: Option<u64>, limit: usize) -> Self {
        AttemptQuery {
            integration,
            before,
            limit,
            verdicts: Vec::new(),
            statuses: None,
            ended_from_ms: None,
            ended_before_ms: None,
            seq: None,
            lane: None,
            webhook_id: None,
        }
    }
}

/// Attempts that were found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptPage {
    /// The attempts. There may be fewer than asked for, even none, although there are more.
    pub rows: Vec<AttemptRow>,
    /// There may be more below this number; none: there are not.
    pub next: Option<u64>,
}

/// A dead or skipped range on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRow {
    /// Its number within the store: higher is newer.
    pub id: u64,
    /// When it was recorded, milliseconds since the epoch.
    pub recorded_ms: u64,
    /// The range.
    pub range: LostRange,
}
