//! Who may do what: clients (tenants), their users, tokens and applications; and what the activity log says of changes.

use hitwire_event::{Actor, ClientId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a user or a token's bearer may do (contract.md section 6). The order is that of power, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything of the installation.
    Operator,
    /// Everything of one client.
    Administrator,
    /// Views.
    Analyst,
    /// Views, less.
    ReadOnly,
    /// Sends events, reads nothing.
    Ingest,
}

impl Role {
    /// All of them, the most powerful first.
    pub const ALL: [Role; 5] =
        [Role::Operator, Role::Administrator, Role::Analyst, Role::ReadOnly, Role::Ingest];

    /// As the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Administrator => "admin",
            Role::Analyst => "analyst",
            Role::ReadOnly => "read_only",
            Role::Ingest => "ingest",
        }
    }

    /// As people and notifications call it (contract.md section 6).
    pub const fn title(self) -> &'static str {
        match self {
            Role::Operator => "Operator",
            Role::Administrator => "Administrator",
            Role::Analyst => "Analyst",
            Role::ReadOnly => "Read only",
            Role::Ingest => "ingest",
        }
    }

    /// The role of this name in the API.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Identifies a user; never given again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// Identifies a token; never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tenant. Number 1 is there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Unique over the installation.
    pub id: ClientId,
    /// The same in the form that some callers want.
    pub uuid: String,
    /// For people; in envelopes `client_name`.
    pub name: String,
    /// False: its tokens are refused, nothing of it is sent.
    pub enabled: bool,
    /// What it may use.
    pub limits: ClientLimits,
    /// Unix seconds.
    pub created_at: u64,
    /// E-mail of the user or name of the token.
    pub created_by: String,
    /// Rises with every change; given to a change, it is the one that the change was made from (0: a new client).
    pub revision: u64,
}

/// What a client may use; `None` and empty: what the installation's own settings allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientLimits {
    /// Integrations that it may have.
    pub integrations_max: Option<u32>,
    /// Events a second that it may send, on average over ten seconds.
    pub events_per_s: Option<u32>,
    /// Networks in CIDR notation that its integrations may send to although the guard refuses them otherwise.
    pub allow_targets: Vec<String>,
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Unique over the installation.
    pub id: UserId,
    /// The same in the form that some callers want.
    pub uuid: String,
    /// The client it belongs to.
    pub client: ClientId,
    /// Unique within the client, letter case aside.
    pub email: String,
    /// The real name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// False: its tokens are refused.
    pub enabled: bool,
    /// Unix seconds.
    pub created_at: u64,
    /// E-mail of the user or name of the token.
    pub created_by: String,
    /// In which time zone the console shows times to this user: an IANA name. None: the browser's.
    pub time_zone: Option<String>,
    /// As [`Client::revision`].
    pub revision: u64,
}

/// A token as the store keeps it: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Unique over the installation.
    pub id: TokenId,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// The client it belongs to.
    pub client: ClientId,
    /// Whose it is: it does no more than this user may, and nothing once the user is disabled or gone.
    pub user: Option<UserId>,
    /// What it may do.
    pub role: Role,
    /// Shown as the author of changes.
    pub name: String,
    /// Unix seconds.
    pub created_at: u64,
    /// E-mail of the user or name of the token.
    pub created_by: String,
    /// Unix seconds; from then on it is refused. None: never.
    pub expires_at: Option<u64>,
    /// Unix seconds, to about a minute. None: not used yet.
    pub last_used_at: Option<u64>,
}

/// A part of what is protected, as its owners call it: hits name the applications they concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The client it belongs to.
    pub client: ClientId,
    /// Unique within the client; -1 is the default application.
    pub id: i64,
    /// For people.
    pub name: String,
}

/// What is asked of the store's counter of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Integrations.
    Integration,
    /// Clients.
    Client,
    /// Users.
    User,
    /// Tokens.
    Token,
    /// Applications.
    Application,
}

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivitySource {
    /// A call of the API.
    Api,
    /// The configuration: the file, flags or the environment.
    Configuration,
    /// hitwire itself.
    Hitwire,
    /// Somebody who is signed in to the console.
    Console,
}

/// One field of a change. Values are JSON texts or plain words; what is secret is masked before it comes here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// A path: `target.timeout`.
    pub field: String,
    /// Before; null for something new.
    pub old: serde_json::Value,
    /// After; null for something that is gone.
    pub new: serde_json::Value,
}

/// An entry of the activity log to be made; the store adds the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityEntry {
    /// The client that it concerns.
    pub client: ClientId,
    /// Who did it; none: hitwire itself, or the configuration.
    pub actor: Option<Actor>,
    /// From where.
    pub source: ActivitySource,
    /// `create`, `update`, `delete`, `enable`, `disable`, `rotate`, ...
    pub action: String,
    /// `integration`, `client`, `user`, `token`, `application`, `source`, ...
    pub object_type: String,
    /// Which one.
    pub object_id: String,
    /// How it is called.
    pub object_name: String,
    /// What is other than before.
    pub changes: Vec<FieldChange>,
}

/// An entry of the activity log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityRow {
    /// Its number within the store: higher is newer.
    pub id: u64,
    /// When it was recorded: milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What happened.
    pub entry: ActivityEntry,
}

/// Which entries of the activity log are wanted: the newest ones that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Of this client alone.
    pub client: Option<ClientId>,
    /// About objects of this type alone.
    pub object_type: Option<String>,
    /// About objects with this id alone.
    pub object_id: Option<String>,
    /// Of this action alone.
    pub action: Option<String>,
    /// By whoever has this name or this e-mail, letter case aside.
    pub actor: Option<String>,
    /// Recorded at or after this time, milliseconds since the Unix epoch. It is taken for granted that later entries have later
    /// times; where a clock was set back, entries from around then may be missed.
    pub since_ms: Option<u64>,
    /// Recorded before this time, likewise.
    pub until_ms: Option<u64>,
    /// With numbers below this one.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A page of the activity log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityPage {
    /// The newest first.
    pub rows: Vec<ActivityRow>,
    /// Where to go on: [`ActivityQuery::before`] of the next page. None: there is nothing older. A page may end before it is
    /// full: it looks at a bounded number of entries.
    pub next: Option<u64>,
}
