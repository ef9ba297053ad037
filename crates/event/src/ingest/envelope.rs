//! An item in an envelope, as the envelope rendering sends it: what is inside, as the classic rendering would have it.
//!
//! Everything of a hit, a vulnerability or a change of scope is in its envelope, so that one hitwire can feed another in
//! either rendering. What hitwire alone makes is refused as in the classic rendering.

use super::field::{Refusal, quoted, string};
use super::items::Item;
use crate::json::{self, Member, ObjectWriter, Shape, elements};
use crate::scope::ScopeType;

/// The notifications that may be sent in.
const ACCEPTED: &str =
    "accepted are \"new_hits\", \"security_issue\", \"new_scope_object_...\" and \"scope_object\"";

/// The object inside, if the item is an envelope: it has no `object_type`, and `details` with a `notification_type`.
///
/// # Errors
///
/// If it is one of something that callers may not send, or a change of scope whose records do not fit together.
pub(super) fn opened(item: &Item<'_>) -> Result<Option<String>, Refusal> {
    if find(item.members, "object_type").is_some() {
        return Ok(None);
    }
    let Some(details) = find(item.members, "details").filter(|details| details.value.shape == Shape::Object)
    else {
        return Ok(None);
    };
    let Some(details) = json::members(details.value.text) else { return Ok(None) };
    let Some(notification_type) = find(&details, "notification_type") else { return Ok(None) };
    let inside = |name| find(&details, name).filter(|inside| inside.value.shape == Shape::Object);
    if let Some(hit) = inside("hit") {
        return Ok(Some(hit.value.text.to_owned()));
    }
    for (name, link) in [("security_issue", "security_issue_link"), ("vuln", "vuln_link")] {
        if let Some(issue) = inside(name) {
            return Ok(vulnerability(issue, find(&details, link)));
        }
    }
    match find(&details, "data") {
        Some(data) if data.value.shape == Shape::Array => scope(data, inside("scope")).map(Some),
        _ => {
            let name = string(notification_type)?.unwrap_or_default();
            Err(at(
                "/details/notification_type",
                format!("notifications of type {} cannot be sent in; {ACCEPTED}", quoted(&name)),
            ))
        }
    }
}

fn find<'m, 'a>(members: &'m [Member<'a>], name: &str) -> Option<&'m Member<'a>> {
    members.iter().find(|member| member.name == name)
}

fn at(pointer: &str, message: impl Into<String>) -> Refusal {
    Refusal { pointer: pointer.to_owned(), message: message.into() }
}

fn vulnerability(issue: &Member<'_>, link: Option<&Member<'_>>) -> Option<String> {
    let mut object = ObjectWriter::with_capacity(issue.value.text.len() + 64);
    for member in json::members(issue.value.text)? {
        object.member(&member.name, member.value.text);
    }
    if let Some(link) = link {
        object.raw("link", link.value.text);
    }
    object.string("object_type", "vuln");
    Some(object.finish())
}

/// A record of `data`.
struct Record<'a> {
    action: &'a str,
    object_type: &'a str,
    user: Option<&'a str>,
    entity: &'a str,
}

fn scope(data: &Member<'_>, rest: Option<&Member<'_>>) -> Result<String, Refusal> {
    let mut records = Vec::new();
    for (index, record) in elements(data.value).enumerate() {
        let members = json::members(record.text).unwrap_or_default();
        let of = |name: &str| find(&members, name).map(|member| member.value.text);
        let (Some(action), Some(object_type), Some(entity)) = (of("action"), of("object_type"), of("entity"))
        else {
            return Err(at(
                &format!("/details/data/{index}"),
                "a record has an action, an object_type and an entity",
            ));
        };
        records.push(Record { action, object_type, user: of("object_userid"), entity });
    }
    let Some(first) = records.first() else {
        return Err(at("/details/data", "a change of nothing: list at least one"));
    };
    if let Some(other) = records.iter().position(|record| {
        (record.action, record.object_type, record.user) != (first.action, first.object_type, first.user)
    }) {
        return Err(at(
            &format!("/details/data/{other}"),
            "the records of one event have the same action, object_type and object_userid; send them in several",
        ));
    }
    let field = match first.object_type {
        "\"subnetorip\"" => ScopeType::Ip,
        "\"domain\"" => ScopeType::Domain,
        "\"service\"" => ScopeType::Service,
        other => {
            return Err(at(
                "/details/data/0/object_type",
                format!("{} is none of \"subnetorip\", \"domain\", \"service\"", quoted(other)),
            ));
        }
    };
    let entities = records.iter().map(|record| record.entity).collect::<Vec<_>>().join(",");
    let mut object = ObjectWriter::with_capacity(data.value.text.len());
    object.raw("action", first.action);
    object.raw(field.field(), &format!("[{entities}]"));
    if let Some(user) = first.user {
        object.raw("object_userid", user);
    }
    for member in rest.and_then(|rest| json::members(rest.value.text)).unwrap_or_default() {
        object.member(&member.name, member.value.text);
    }
    object.string("object_type", "scope");
    Ok(object.finish())
}
