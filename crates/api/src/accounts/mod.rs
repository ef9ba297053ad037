//! Who may do what: clients, users, tokens, applications.
//!
//! - [`clients`], [`users`], [`tokens`], [`applications`]: hitwire's own calls; [`links`]: with which users choose how they sign in;
//!   [`own`]: what people may change of their own account.
//! - [`resource`]: what they have in common; [`page`]: lists, as a whole or page by page.
//! - [`original`]: what the original's clients ask before they do anything else.
//!
//! What a change is (its activity entry, its event) is decided in [`change`](hitwire_store::change); here is what may be asked for.

pub(super) mod applications;
pub(super) mod clients;
pub(super) mod links;
pub(super) mod original;
pub(super) mod own;
mod page;
mod resource;
pub(super) mod tokens;
pub(super) mod users;

use super::auth::Caller;
use super::fields::{self, Errors, Fields};
use super::incoming::IncomingCall;
use super::problem::Problem;
use super::{Shared, integrations};
use hitwire_store::Role;

/// The roles that people have, and all that tokens have.
const USER_ROLES: [Role; 4] = [Role::Operator, Role::Administrator, Role::Analyst, Role::ReadOnly];
const TOKEN_ROLES: [Role; 5] = Role::ALL;

/// Reads a body field by field; `done`: what is not done if it is not valid. Answers who asks, identified after the last byte.
async fn asked<T>(
    api: &Shared,
    incoming: IncomingCall,
    done: &str,
    read: impl FnOnce(&mut Fields<'_>, &Errors) -> T,
) -> Result<(Caller, T), Problem> {
    let (caller, held) = incoming.settings(api).await?;
    let bytes = &held.bytes;
    let errors = Errors::default();
    let document = fields::document(bytes)?;
    let asked = Fields::of(document, "", &errors).map(|mut fields| {
        let asked = read(&mut fields, &errors);
        fields.finish();
        asked
    });
    match asked {
        Some(asked) if errors.is_empty() => Ok((caller, asked)),
        _ => Err(integrations::invalid(errors.into_vec(), done)),
    }
}

/// Notes that a field is missing where it must be.
fn required(fields: &Fields<'_>, name: &str, new: bool) {
    if new && !fields.tells(name) {
        fields.refuse(name, "is missing");
    }
}

/// Takes a name.
fn name(fields: &mut Fields<'_>, field: &str) -> Option<String> {
    let name = fields.string(field)?.trim().to_owned();
    for problem in super::name::problems(&name) {
        fields.refuse(field, problem);
    }
    Some(name)
}

/// Takes a role.
fn role(fields: &mut Fields<'_>, roles: &[Role]) -> Option<Role> {
    let choices: Vec<_> = roles.iter().map(|role| (role.name(), *role)).collect();
    fields.one_of("role", &choices)
}

/// An answer may be sent back as it came: what hitwire alone decides is not looked at.
fn pass_over(fields: &mut Fields<'_>, answered: &[&str]) {
    for name in answered {
        fields.raw(name);
    }
}

/// Takes the id that an answer has, which must be the path's.
fn same_id(fields: &mut Fields<'_>, id: u64) {
    if let Some(other) = fields.integer("id", 0..=u64::MAX)
        && other != id
    {
        fields.refuse("id", format!("is {other}, but the path names {id}"));
    }
}

/// The number in a path; none if it is no number.
fn number(path: &str) -> Option<u64> {
    path.parse().ok()
}

/// An id that nothing else has.
fn uuid() -> String {
    hitwire_store::new_uuid().to_string()
}
