//! The registry: who and what is set up.

mod access;
mod account;
mod authority;
mod integration;

pub use access::{Credential, Link, Session, SignedIn};
pub use account::{
    ActivityEntry, ActivityPage, ActivityQuery, ActivityRow, ActivitySource, Application, Client,
    ClientLimits, FieldChange, Role, Sequence, Token, TokenId, User, UserId,
};
pub use authority::{Authority, Revoked};
pub use integration::{
    Activity, BrokenIntegration, HttpMethod, HttpVersion, Integration, IntegrationCounts, IntegrationPage,
    IntegrationQuery, IntegrationRange, IntegrationRow, ListedIntegration, NewIntegration, PreviousSecret,
    Resume, Target, Ticked, UpdateIntegration,
};

use crate::answer::Answer;
use hitwire_event::{ClientId, IntegrationId};

/// What is read of the registry: integrations, clients, users and how they sign in, tokens, applications, the activity log.
pub trait Registry: Send + Sync + 'static {
    /// A stretch of a client's integrations, with their settings. One whose row cannot be read conceals no other.
    fn integrations(&self, range: IntegrationRange) -> Answer<'_, Vec<ListedIntegration>>;

    /// The ids of all integrations, of one client or of all.
    fn integration_ids(&self, client: Option<ClientId>) -> Answer<'_, Vec<IntegrationId>>;

    /// The integrations whose rows cannot be read, of one client or of all, by id.
    fn broken_integrations(&self, client: Option<ClientId>) -> Answer<'_, Vec<BrokenIntegration>>;

    /// A page of a client's integrations, without their settings. What it costs does not grow with their number.
    fn integration_page(&self, query: IntegrationQuery) -> Answer<'_, IntegrationPage>;

    /// One integration, secrets opened.
    fn integration(&self, id: IntegrationId) -> Answer<'_, Option<Integration>>;

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
}
