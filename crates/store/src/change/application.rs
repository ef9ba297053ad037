//! Changes of applications.
//!
//! An application has no revision, and its id may come again. So `nonce`, which no two changes have in common, tells its events
//! apart.

use super::plain::{Fields, differences};
use super::{By, Object, record};
use crate::{Application, Op};
use hitwire_event::system::{ApplicationRef, System};

/// A new application.
pub fn created(application: Application, by: &By, nonce: &[u8]) -> Vec<Op> {
    let changes = differences(None, Some(fields(&application)));
    let event = System::ApplicationCreated { application: told(&application), by: by.actor.clone() };
    let ends = ends("create", &application, changes, &event, by, nonce);
    [Op::PutApplication(application)].into_iter().chain(ends).collect()
}

/// An application with the name that it shall have; none if it has it.
pub fn renamed(before: &Application, after: Application, by: &By, nonce: &[u8]) -> Option<Vec<Op>> {
    let changes = differences(Some(fields(before)), Some(fields(&after)));
    if changes.is_empty() {
        return None;
    }
    let (application, previous_name) = (told(&after), before.name.clone());
    let event = System::ApplicationRenamed { application, previous_name, by: by.actor.clone() };
    let ends = ends("update", &after, changes, &event, by, nonce);
    Some([Op::PutApplication(after)].into_iter().chain(ends).collect())
}

/// An application that goes.
pub fn deleted(application: &Application, by: &By, nonce: &[u8]) -> Vec<Op> {
    let changes = differences(Some(fields(application)), None);
    let event = System::ApplicationDeleted { application: told(application), by: by.actor.clone() };
    let ends = ends("delete", application, changes, &event, by, nonce);
    let Application { client, id, .. } = *application;
    [Op::DeleteApplication { client, id }].into_iter().chain(ends).collect()
}

/// What every change ends with.
fn ends(
    action: &str,
    application: &Application,
    changes: Vec<crate::FieldChange>,
    event: &System,
    by: &By,
    nonce: &[u8],
) -> [Op; 2] {
    let object = Object {
        client: application.client,
        kind: "application",
        id: application.id.to_string(),
        name: &application.name,
    };
    let event = event.to_event(application.client, by.now_s, &[&application.id.to_le_bytes(), nonce]);
    [record(Some(by), action, object, changes), Op::Announce(event)]
}

fn told(application: &Application) -> ApplicationRef {
    ApplicationRef { id: application.id, name: application.name.clone() }
}

fn fields(application: &Application) -> Fields {
    vec![("name", application.name.as_str().into())]
}
