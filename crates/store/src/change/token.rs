//! Changes of tokens: they are made and revoked, never changed. Nothing here shows a token or its hash.

use super::plain::{Fields, differences, part};
use super::{By, Object, record};
use crate::{Op, Token};
use hitwire_event::system::{System, TokenRef};

/// A new token.
pub fn created(token: Token, by: &By) -> Vec<Op> {
    let entry = record(Some(by), "create", object(&token), differences(None, Some(fields(&token))));
    let event =
        System::TokenCreated { token: told(&token), expires_s: token.expires_at, by: by.actor.clone() };
    let event = event.to_event(token.client, by.now_s, &[&part(token.id.0)]);
    vec![Op::PutToken(token), entry, Op::Announce(event)]
}

/// A token that is good no longer.
pub fn revoked(token: &Token, by: &By) -> Vec<Op> {
    let entry = record(Some(by), "revoke", object(token), differences(Some(fields(token)), None));
    let event = System::TokenRevoked { token: told(token), by: by.actor.clone() };
    let event = event.to_event(token.client, by.now_s, &[&part(token.id.0)]);
    vec![Op::DeleteToken { id: token.id }, entry, Op::Announce(event)]
}

fn told(token: &Token) -> TokenRef {
    TokenRef { name: token.name.clone(), role: token.role.title().to_owned() }
}

fn fields(token: &Token) -> Fields {
    vec![
        ("name", token.name.as_str().into()),
        ("role", token.role.name().into()),
        ("user", token.user.map(|user| user.0).into()),
        ("expires_at", token.expires_at.into()),
    ]
}

fn object(token: &Token) -> Object<'_> {
    Object { client: token.client, kind: "token", id: token.id.to_string(), name: &token.name }
}
