//! What happens to an installation itself: users, integrations, applications, tokens, the guard, sources.
//!
//! hitwire alone makes these events. Each is a flat object, `summary` first. The types of `notification_type` are the
//! original's published names where it has one, and follow their manner where it has none.

pub mod notices;

use crate::{Actor, ClientId, Event, IntegrationId};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum System {
    /// An account was made.
    UserCreated {
        /// Whose.
        user: User,
        /// By whom.
        by: Actor,
    },
    /// An account was deleted.
    UserDeleted {
        /// Whose.
        user: User,
        /// By whom.
        by: Actor,
    },
    /// A user may do other things than before.
    UserRoleChanged {
        /// Whose role; `role` is the new one.
        user: User,
        /// The role before, as the console shows it.
        previous_role: String,
        /// By whom.
        by: Actor,
    },
    /// An integration was set up.
    IntegrationCreated {
        /// Which.
        integration: IntegrationRef,
        /// By whom.
        by: Actor,
    },
    /// Settings of an integration were changed.
    IntegrationChanged {
        /// Which; `name` is the new one.
        integration: IntegrationRef,
        /// The names of the settings that are other than before; never their values, which may be secret.
        settings: Vec<String>,
        /// By whom.
        by: Actor,
    },
    /// An integration sends again.
    IntegrationEnabled {
        /// Which.
        integration: IntegrationRef,
        /// What was missed meanwhile is sent too; else it goes on from now.
        resumes_missed: bool,
        /// By whom.
        by: Actor,
    },
    /// A user disabled an integration.
    IntegrationDisabled {
        /// Which.
        integration: IntegrationRef,
        /// By whom.
        by: Actor,
    },
    /// hitwire disabled an integration.
    IntegrationBroken {
        /// Which.
        integration: IntegrationRef,
        /// Why, as the end of a sentence. Holds neither the path nor the query of the URL.
        reason: String,
    },
    /// A user had what waits for an integration tried at once.
    IntegrationRetried {
        /// Which.
        integration: IntegrationRef,
        /// By whom.
        by: Actor,
    },
    /// A user has events sent once more to an integration, or steers that.
    Replay {
        /// Which.
        integration: IntegrationRef,
        /// What is sent, as a part of a sentence.
        what: String,
        /// What the user did.
        act: ReplayAct,
        /// By whom.
        by: Actor,
    },
    /// An integration was deleted.
    IntegrationDeleted {
        /// Which.
        integration: IntegrationRef,
        /// By whom.
        by: Actor,
    },
    /// An application was made.
    ApplicationCreated {
        /// Which.
        application: ApplicationRef,
        /// By whom.
        by: Actor,
    },
    /// An application was deleted.
    ApplicationDeleted {
        /// Which.
        application: ApplicationRef,
        /// By whom.
        by: Actor,
    },
    /// An application has another name.
    ApplicationRenamed {
        /// Which; `name` is the new one.
        application: ApplicationRef,
        /// The name before.
        previous_name: String,
        /// By whom.
        by: Actor,
    },
    /// An API token was made.
    TokenCreated {
        /// Which.
        token: TokenRef,
        /// When it expires: Unix seconds; none: never.
        expires_s: Option<u64>,
        /// By whom.
        by: Actor,
    },
    /// An API token no longer counts.
    TokenRevoked {
        /// Which.
        token: TokenRef,
        /// By whom.
        by: Actor,
    },
    /// The guard refuses the target of an integration.
    GuardRefused {
        /// Whose.
        integration: IntegrationRef,
        /// The target's host, with its port; neither path nor query.
        host: String,
        /// The rule that refuses it, as the end of a sentence.
        reason: String,
    },
    /// A source cannot be read, or makes no sense.
    SourceTrouble {
        /// Its name.
        source: String,
        /// What is wrong, as the end of a sentence.
        reason: String,
    },
    /// A source that was in trouble works again.
    SourceRecovered {
        /// Its name.
        source: String,
    },
}

/// A user, as events name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The real name; may be empty.
    pub name: String,
    /// The e-mail.
    pub email: String,
    /// The role as the console shows it: `Administrator`, `Analyst`, `Read only`.
    pub role: String,
}

/// An integration, as events name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationRef {
    /// Its id.
    pub id: IntegrationId,
    /// Its name.
    pub name: String,
}

/// What a user did with a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayAct {
    /// Began it.
    Begun {
        /// How many events it has, before a filter.
        events: u64,
    },
    /// Holds it.
    Paused,
    /// Lets it go on.
    Resumed,
    /// Made it faster or slower.
    Changed {
        /// At most this many events a second; none: no limit.
        events_per_s: Option<u32>,
    },
    /// Called it off.
    Cancelled,
}

/// An application, as events name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationRef {
    /// Its id; -1 is the default application.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// An API token, as events name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRef {
    /// Its name.
    pub name: String,
    /// Its role: that of a user as the console shows it, or `ingest`.
    pub role: String,
}

impl System {
    /// The event of `client`. `time_s` (Unix seconds) is when it happened; the id stands for the client, the type and
    /// `id_parts`, which must tell this event from any other of its type: such as the integration's id and its revision. So a
    /// change that is made again after a crash makes the same event.
    pub fn to_event(&self, client: ClientId, time_s: u64, id_parts: &[&[u8]]) -> Event {
        self.notice().into_event(client, time_s, id_parts)
    }
}
