//! An item of type `scope` into a [`Scope`].

use super::field::{self, Refusal};
use super::items::Item;
use crate::ClientId;
use crate::hit::document_id;
use crate::json::{Member, Shape};
use crate::scope::{Action, Objects, Scope, ScopeType, entity};

/// Reads the fields, and fills what is not given with the default of [`Scope`].
pub(super) fn read(item: &Item<'_>, client: ClientId) -> Result<Scope, Refusal> {
    let mut scope = Scope::default();
    let mut action = None;
    let mut objects: Option<Objects> = None;
    let mut id = None;
    for field in item.members {
        match &*field.name {
            "summary" => scope.summary = field::string(field)?.unwrap_or(scope.summary),
            "action" => action = read_action(field)?,
            "domain" => scope.domain = field::string(field)?,
            "discovered_by" => scope.discovered_by = field::string(field)?,
            "time" => scope.time = field::unix_time(field)?,
            "id" => id = field::id(field)?,
            "object_type" => {}
            name => match ScopeType::ALL.into_iter().find(|scope_type| scope_type.field() == name) {
                Some(_) if field.value.shape == Shape::Null => {}
                Some(scope_type) => match &objects {
                    None => objects = Some(read_objects(field, scope_type)?),
                    Some(other) => return Err(two_types(field, other.scope_type())),
                },
                None => scope.extra.push((name.to_owned(), field::raw(field)?)),
            },
        }
    }
    scope.action =
        action.ok_or_else(|| Refusal::field("action", format!("this field is required; {}", one_of())))?;
    scope.objects = objects
        .ok_or_else(|| Refusal::whole("one of \"ips\", \"domains\", \"services\" is required".to_owned()))?;
    scope.id =
        id.unwrap_or_else(|| document_id(&[b"scope", &client.0.to_le_bytes(), item.value.text.as_bytes()]));
    Ok(scope)
}

fn read_action(field: &Member<'_>) -> Result<Option<Action>, Refusal> {
    let Some(name) = field::string(field)? else { return Ok(None) };
    Action::from_name(&name).map(Some).ok_or_else(|| {
        Refusal::field(&field.name, format!("{} is no action; {}", field::quoted(&name), one_of()))
    })
}

fn one_of() -> String {
    format!("it is one of {}", Action::ALL.map(Action::name).join(", "))
}

fn read_objects(field: &Member<'_>, scope_type: ScopeType) -> Result<Objects, Refusal> {
    let entities = field::array(field, scope_type.expected(), |value| entity(scope_type, value))?;
    if entities.is_empty() {
        return Err(Refusal::field(&field.name, "a change of nothing: list at least one"));
    }
    Ok(Objects::read(scope_type, entities))
}

fn two_types(field: &Member<'_>, other: ScopeType) -> Refusal {
    Refusal::field(
        &field.name,
        format!("an event is about objects of one type, and \"{}\" is given: send two events", other.field()),
    )
}
