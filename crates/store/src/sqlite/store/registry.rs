//! [`Registry`] on the state's file.

use super::SqliteStore;
use crate::sqlite::registry::{access, accounts, activity, integrations, listing, tokens};
use crate::{
    ActivityPage, ActivityQuery, Answer, Application, BrokenIntegration, Client, Credential, Integration,
    IntegrationPage, IntegrationQuery, IntegrationRange, Link, ListedIntegration, Registry, Session, Token,
    TokenId, User, UserId,
};
use hitwire_event::{ClientId, IntegrationId};

impl Registry for SqliteStore {
    fn integrations(&self, range: IntegrationRange) -> Answer<'_, Vec<ListedIntegration>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| integrations::range(connection, &sealer, &range)))
    }

    fn integration_ids(&self, client: Option<ClientId>) -> Answer<'_, Vec<IntegrationId>> {
        Box::pin(self.read_state(move |connection| integrations::ids(connection, client)))
    }

    fn broken_integrations(&self, client: Option<ClientId>) -> Answer<'_, Vec<BrokenIntegration>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| integrations::broken(connection, &sealer, client)))
    }

    fn integration_page(&self, query: IntegrationQuery) -> Answer<'_, IntegrationPage> {
        Box::pin(self.read_state(move |connection| listing::page(connection, &query)))
    }

    fn integration(&self, id: IntegrationId) -> Answer<'_, Option<Integration>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| integrations::load(connection, &sealer, id)))
    }

    fn token(&self, sha256: [u8; 32]) -> Answer<'_, Option<Token>> {
        Box::pin(self.read_state(move |connection| tokens::load(connection, sha256)))
    }

    fn clients(&self) -> Answer<'_, Vec<Client>> {
        Box::pin(self.read_state(accounts::clients))
    }

    fn client_page(&self, after: ClientId, limit: usize) -> Answer<'_, Vec<Client>> {
        Box::pin(self.read_state(move |connection| accounts::client_page(connection, after, limit)))
    }

    fn users(&self, client: Option<ClientId>) -> Answer<'_, Vec<User>> {
        Box::pin(self.read_state(move |connection| accounts::users(connection, client)))
    }

    fn user(&self, id: UserId) -> Answer<'_, Option<User>> {
        Box::pin(self.read_state(move |connection| accounts::user_of_id(connection, id)))
    }

    fn users_of_email(&self, email: &str) -> Answer<'_, Vec<User>> {
        let email = email.to_owned();
        Box::pin(self.read_state(move |connection| accounts::users_of_email(connection, &email)))
    }

    fn credential(&self, user: UserId) -> Answer<'_, Option<Credential>> {
        let sealer = self.sealer.clone();
        Box::pin(self.read_state(move |connection| access::credential(connection, &sealer, user)))
    }

    fn users_of_subject(&self, issuer: &str, subject: &str) -> Answer<'_, Vec<(ClientId, UserId)>> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        Box::pin(self.read_state(move |connection| access::users_of_subject(connection, &issuer, &subject)))
    }

    fn anybody_signs_in(&self) -> Answer<'_, bool> {
        Box::pin(self.read_state(access::anybody))
    }

    fn session(&self, sha256: [u8; 32]) -> Answer<'_, Option<(Session, User)>> {
        Box::pin(self.read_state(move |connection| access::session(connection, sha256)))
    }

    fn sessions(&self, user: UserId) -> Answer<'_, Vec<Session>> {
        Box::pin(self.read_state(move |connection| access::sessions(connection, user)))
    }

    fn link(&self, sha256: [u8; 32]) -> Answer<'_, Option<Link>> {
        Box::pin(self.read_state(move |connection| access::link(connection, sha256)))
    }

    fn token_of_id(&self, id: TokenId) -> Answer<'_, Option<Token>> {
        Box::pin(self.read_state(move |connection| tokens::of_id(connection, id)))
    }

    fn tokens(&self, client: Option<ClientId>) -> Answer<'_, Vec<Token>> {
        Box::pin(self.read_state(move |connection| tokens::list(connection, client)))
    }

    fn applications(&self, client: ClientId) -> Answer<'_, Vec<Application>> {
        Box::pin(self.read_state(move |connection| accounts::applications(connection, client)))
    }

    fn remembered(&self, name: &'static str) -> Answer<'_, Option<String>> {
        Box::pin(self.read_state(move |connection| accounts::remembered(connection, name)))
    }

    fn activity(&self, query: ActivityQuery) -> Answer<'_, ActivityPage> {
        Box::pin(self.read_state(move |connection| activity::load(connection, &query)))
    }
}
