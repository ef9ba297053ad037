//! What is asked of a store, and what it answers.

use crate::{
    ActivityEntry, Append, Appended, Application, Authority, Client, CourierToken, Credential, Integration,
    Link, LoadedCourier, NewIntegration, NewReplay, Sequence, Session, SteerReplay, Token, TokenId,
    UpdateIntegration, User, UserId,
};
use hitwire_courier::Progress;
use hitwire_event::{ClientId, Event, IntegrationId};

/// One thing to be made durable.
#[derive(Clone, Debug)]
pub enum Op {
    /// Succeeds only if this still holds; otherwise [`StoreError::Revoked`](crate::StoreError::Revoked): a change that was
    /// decided on before something was taken from its author must not be made after.
    Require(Authority),

    // The log.
    /// Events into the log.
    Append(Append),

    // The ledger.
    /// Loads a courier to save on from there; see [`Ledger::load_courier`](crate::Ledger::load_courier).
    LoadCourier(IntegrationId),
    /// One step of a courier; [`StoreError::Overtaken`](crate::StoreError::Overtaken) if this is not the token of the last load,
    /// or somebody else has changed the courier since. Ranges that cannot be read and follow each other become one.
    Save(CourierToken, Progress),

    /// Begins a replay, of an integration that exists; [`StoreError::Taken`](crate::StoreError::Taken) if it has
    /// [`Replay::UNDER_WAY_MAX`](crate::Replay::UNDER_WAY_MAX) under way.
    BeginReplay(NewReplay),
    /// Changes a replay; [`StoreError::NotFound`](crate::StoreError::NotFound) if it has ended.
    SteerReplay(SteerReplay),

    // The registry: integrations.
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

    // The registry: clients and users.
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
    /// An application, new or in place of the one with the same id, of a client that exists.
    PutApplication(Application),
    /// Takes an application away.
    DeleteApplication {
        /// Whose.
        client: ClientId,
        /// Which.
        id: i64,
    },

    // The registry: how users and programs get in.
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

    // The registry: what it remembers.
    /// A text to be remembered under a name, such as what was configured at the last start.
    Remember {
        /// The name.
        name: &'static str,
        /// The text.
        text: String,
    },
    /// An entry into the activity log, in the same transaction as what it tells of.
    Record(ActivityEntry),

    // The outbox.
    /// An event that tells of a change, in the same transaction as the change: it is put into the *outbox*, from which it is
    /// moved to the log at once (see [`Outbox::outbox`](crate::Outbox::outbox)). So an event is told exactly if its change
    /// took effect.
    Announce(Event),
    /// The events of the outbox up to this number are in the log.
    Announced {
        /// The number.
        through: u64,
    },
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
    /// To `LoadCourier`; none: there is no such integration.
    Courier(Option<Box<LoadedCourier>>),
    /// To `Save`.
    Saved,
    /// To `NextId`.
    Id(u64),
    /// To `BeginReplay`: its number.
    Replay(u32),
    /// To what is simply kept, gone, or so: `Put...`, `Require`, `...Used`, `RedeemLink`, `SteerReplay`, `Remember`, `Record`, `Announce`, `Announced`.
    Kept,
}
