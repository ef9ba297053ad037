//! Changes whose author, client or user is gone when they are committed.

use crate::suite::{token, user};
use crate::support::{BEGIN_MS, Backend, ONE, TWO, commit, make_client, new_integration};
use hitwire_store::{
    Application, Authority, Credential, Link, Op, Revoked, Role, Session, Store, StoreError, Token, TokenId,
    User, UserId,
};

const SESSION: [u8; 32] = [50; 32];

fn session(user: u64) -> Session {
    Session {
        sha256: SESSION,
        user: UserId(user),
        created_at: 100,
        last_used_at: 100,
        signed_in_with: "password".to_owned(),
        address: "127.0.0.1".to_owned(),
        agent: "test".to_owned(),
    }
}

/// A store with client two, its user 1 with session and token 1.
async fn with_a_user(backend: &dyn Backend) -> Box<dyn Store> {
    let store = backend.open();
    make_client(&*store, TWO).await;
    commit(&*store, Op::PutUser(user(1, TWO, "jane@example.com"))).await;
    commit(&*store, Op::PutSession(session(1))).await;
    commit(&*store, Op::PutToken(Token { user: Some(UserId(1)), ..token(1, TWO, Role::Analyst) })).await;
    store
}

/// What a change needs, each in another way.
fn authorities() -> [Authority; 2] {
    let signed_in = Authority {
        client: TWO,
        token: None,
        session: Some(SESSION),
        user: Some((UserId(1), Role::Analyst)),
    };
    [Authority { token: Some(TokenId(1)), session: None, ..signed_in.clone() }, signed_in]
}

pub(crate) async fn a_change_is_refused_once_what_allowed_it_is_gone(backend: &dyn Backend) {
    let store = with_a_user(backend).await;
    let change = |authority: &Authority, text: &str| {
        vec![Op::Require(authority.clone()), Op::Remember { name: "changed", text: text.to_owned() }]
    };
    let [by_token, by_session] = authorities();
    for authority in [&by_token, &by_session] {
        store.commit(change(authority, "once")).await.expect("allowed");
    }
    let jane = store.user(UserId(1)).await.unwrap().unwrap();
    let two = store.clients().await.unwrap().pop().unwrap();
    let soon = Token { expires_at: Some(BEGIN_MS / 1_000 + 60), ..token(2, TWO, Role::Ingest) };
    let expires = Authority { client: TWO, token: Some(TokenId(2)), session: None, user: None };
    commit(&*store, Op::PutToken(soon)).await;
    store.commit(change(&expires, "once")).await.expect("allowed");
    backend.pass(std::time::Duration::from_mins(1));
    let refused = async |authority: &Authority, why: Revoked| {
        let error = store.commit(change(authority, "twice")).await.unwrap_err();
        assert_eq!(error, StoreError::Revoked(why));
        assert_eq!(store.remembered("changed").await.unwrap().as_deref(), Some("once"));
    };
    refused(&expires, Revoked::TokenExpired).await;
    commit(&*store, Op::PutUser(User { role: Role::Administrator, ..jane.clone() })).await;
    store.commit(change(&by_token, "once")).await.expect("more power is no reason to refuse");
    commit(&*store, Op::PutUser(User { role: Role::ReadOnly, revision: 2, ..jane.clone() })).await;
    refused(&by_token, Revoked::Role).await;
    commit(&*store, Op::PutUser(User { enabled: false, revision: 3, ..jane.clone() })).await;
    refused(&by_session, Revoked::UserDisabled).await;
    commit(&*store, Op::PutUser(User { revision: 4, ..jane })).await;
    commit(&*store, Op::DeleteSession { sha256: SESSION }).await;
    refused(&by_session, Revoked::Session).await;
    commit(&*store, Op::DeleteToken { id: TokenId(1) }).await;
    refused(&by_token, Revoked::Token).await;
    let by_nobody = Authority { client: TWO, token: None, session: None, user: None };
    let by_user = Authority { user: Some((UserId(1), Role::Analyst)), ..by_nobody.clone() };
    commit(&*store, Op::PutClient(hitwire_store::Client { enabled: false, ..two.clone() })).await;
    refused(&by_nobody, Revoked::ClientDisabled).await;
    commit(&*store, Op::PutClient(hitwire_store::Client { revision: 2, ..two })).await;
    commit(&*store, Op::DeleteUser { id: UserId(1) }).await;
    refused(&by_user, Revoked::User).await;
    commit(&*store, Op::DeleteClient { id: TWO }).await;
    refused(&by_nobody, Revoked::Client).await;
}

pub(crate) async fn nothing_is_made_of_a_client_that_is_gone(backend: &dyn Backend) {
    let store = with_a_user(backend).await;
    commit(&*store, Op::DeleteClient { id: TWO }).await;
    for op in [
        Op::CreateIntegration(new_integration(TWO, &[])),
        Op::PutUser(user(2, TWO, "late@example.com")),
        Op::PutToken(token(2, TWO, Role::Ingest)),
        Op::PutApplication(Application { client: TWO, id: 1, name: "late".to_owned() }),
    ] {
        let error = store.commit(vec![op.clone()]).await.unwrap_err();
        assert!(matches!(&error, StoreError::Gone(words) if words.contains("client 2")), "{op:?}: {error}");
    }
    assert!(store.integration_ids(None).await.unwrap().is_empty());
    assert!(store.users(None).await.unwrap().is_empty() && store.tokens(None).await.unwrap().is_empty());
    assert!(store.applications(TWO).await.unwrap().is_empty());
}

pub(crate) async fn nothing_is_made_of_a_user_who_is_gone(backend: &dyn Backend) {
    let store = with_a_user(backend).await;
    commit(&*store, Op::DeleteUser { id: UserId(1) }).await;
    let link = Link { sha256: [9; 32], user: Some(UserId(1)), expires_at: u64::MAX >> 1 };
    let credential = Credential { user: UserId(1), password: Some("$".to_owned()), ..Credential::default() };
    for op in [
        Op::PutToken(Token { user: Some(UserId(1)), ..token(2, ONE, Role::Ingest) }),
        Op::PutLink(link),
        Op::PutCredential(credential),
    ] {
        let error = store.commit(vec![op.clone()]).await.unwrap_err();
        assert!(matches!(&error, StoreError::Gone(words) if words.contains("user 1")), "{op:?}: {error}");
    }
    let error = store.commit(vec![Op::PutSession(session(1))]).await.unwrap_err();
    assert_eq!(error, StoreError::Revoked(Revoked::User));
    assert!(!store.anybody_signs_in().await.unwrap());
}

pub(crate) async fn who_is_disabled_is_not_signed_in(backend: &dyn Backend) {
    let store = with_a_user(backend).await;
    let jane = store.user(UserId(1)).await.unwrap().unwrap();
    commit(&*store, Op::DeleteSession { sha256: SESSION }).await;
    commit(&*store, Op::PutUser(User { enabled: false, ..jane })).await;
    let error = store.commit(vec![Op::PutSession(session(1))]).await.unwrap_err();
    assert_eq!(error, StoreError::Revoked(Revoked::UserDisabled));
    assert_eq!(store.session(SESSION).await.unwrap(), None);
}
