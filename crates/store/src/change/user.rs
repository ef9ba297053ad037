//! Changes of users.

use super::plain::{Fields, action, differences, part};
use super::{By, Object, record, token};
use crate::{ActivitySource, Credential, Link, Op, Token, User};
use hitwire_event::Actor;
use hitwire_event::system::{self, System};

/// A new user.
pub fn created(user: User, by: &By) -> Vec<Op> {
    let entry = record(Some(by), "create", object(&user), differences(None, Some(fields(&user))));
    let event = System::UserCreated { user: told(&user), by: by.actor.clone() };
    let event = event.to_event(user.client, by.now_s, &[&part(user.id.0), &part(1)]);
    vec![Op::PutUser(user), entry, Op::Announce(event)]
}

/// The first user, by their own hand: whoever has the set-up link. `now_s`: Unix seconds.
pub fn first(user: User, now_s: u64) -> Vec<Op> {
    let actor = Actor { name: user.name.clone(), email: Some(user.email.clone()) };
    created(user, &By { actor, now_s, source: ActivitySource::Console })
}

/// A user as it shall be; none if nothing is other than before. Of changes the role alone is told by an event.
pub fn changed(before: &User, after: User, by: &By) -> Option<Vec<Op>> {
    let changes = differences(Some(fields(before)), Some(fields(&after)));
    if changes.is_empty() {
        return None;
    }
    let entry = record(Some(by), action(&changes), object(&after), changes);
    let event = (before.role != after.role).then(|| {
        let previous_role = before.role.title().to_owned();
        let event = System::UserRoleChanged { user: told(&after), previous_role, by: by.actor.clone() };
        event.to_event(after.client, by.now_s, &[&part(after.id.0), &part(before.revision + 1)])
    });
    let mut ops = Vec::new();
    if before.enabled && !after.enabled {
        // Who is enabled again signs in again.
        ops.push(Op::DeleteSessions { user: after.id, but: None });
    }
    ops.extend([Op::PutUser(after), entry]);
    ops.extend(event.map(Op::Announce));
    Some(ops)
}

/// A link with which a user chooses a password. How the user signed in before (`credential`, if there is one) is taken back.
pub fn given_link(user: &User, credential: Option<Credential>, link: Link, by: &By) -> Vec<Op> {
    let used = credential.as_ref().is_some_and(|one| one.password.is_some() || one.subject.is_some());
    let action = if used { "reset_sign_in" } else { "invite" };
    let mut ops = vec![record(Some(by), action, object(user), Vec::new())];
    if let Some(Credential { revision, .. }) = credential {
        ops.push(Op::PutCredential(Credential { user: user.id, revision, ..Credential::default() }));
    }
    ops.extend([Op::DeleteSessions { user: user.id, but: None }, Op::PutLink(link)]);
    ops
}

/// A user who goes, and whose tokens go too.
pub fn deleted(user: &User, tokens: &[Token], by: &By) -> Vec<Op> {
    let entry = record(Some(by), "delete", object(user), differences(Some(fields(user)), None));
    let event = System::UserDeleted { user: told(user), by: by.actor.clone() };
    let event = event.to_event(user.client, by.now_s, &[&part(user.id.0), &part(user.revision)]);
    let mut ops: Vec<Op> = tokens.iter().flat_map(|own| token::revoked(own, by)).collect();
    ops.extend([Op::DeleteUser { id: user.id }, entry, Op::Announce(event)]);
    ops
}

fn told(user: &User) -> system::User {
    let role = user.role.title().to_owned();
    system::User { name: user.name.clone(), email: user.email.clone(), role }
}

fn fields(user: &User) -> Fields {
    vec![
        ("email", user.email.as_str().into()),
        ("name", user.name.as_str().into()),
        ("role", user.role.name().into()),
        ("enabled", user.enabled.into()),
        ("time_zone", user.time_zone.as_deref().into()),
    ]
}

fn object(user: &User) -> Object<'_> {
    Object { client: user.client, kind: "user", id: user.id.to_string(), name: &user.email }
}
