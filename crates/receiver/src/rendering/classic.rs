//! The classic rendering: the stored object, bare.

use super::{Labels, TEST_PREFIX, may_have_headers};
use hitwire_event::hit::without_secrets;
use hitwire_event::json::{self, Member, ObjectWriter, Shape};
use hitwire_event::system::notices::{CREATE_USER, CREATE_USER_CLASSIC};
use hitwire_event::{Event, Kind};
use serde_json::value::RawValue;

/// The object as the classic rendering writes it, or none if that is the stored body as it is: the canonical form already
/// has the classic order of fields. What can differ:
///
/// - a hit's request headers are left out, or, if an older version took them in with secrets, those are masked;
/// - a vulnerability without a link of its own has one to its page of the console;
/// - of a new user only the four fields are sent that the original sent;
/// - a test message is marked: in its summary, or, since a hit has none, in its payloads.
pub(super) fn render(event: &Event, labels: &Labels, with_headers: bool, test: bool) -> Option<Box<str>> {
    let left_out = left_out(event, with_headers);
    let masked = if with_headers { masked_headers(event) } else { None };
    let link = link(event, labels);
    if left_out == LeftOut::Nothing && masked.is_none() && link.is_none() && !test {
        return None;
    }
    let members = json::members(&event.body)?;
    let kept = |member: &&Member<'_>| match left_out {
        LeftOut::Nothing => true,
        LeftOut::Headers => member.name != "headers",
        LeftOut::AllButFour => CREATE_USER_CLASSIC.contains(&&*member.name),
    };
    let mut object = ObjectWriter::with_capacity(event.body.len() + TEST_PREFIX.len());
    for member in members.iter().filter(kept) {
        match (&*member.name, &masked, &link) {
            ("summary" | "payloads", ..) if test => {
                let marked = marked(member);
                object.member(&member.name, marked.as_deref().unwrap_or(member.value.text));
            }
            ("headers", Some(masked), _) => object.member("headers", masked.get()),
            ("link", _, Some(link)) if member.value.text == "null" => object.string("link", link),
            _ => object.member(&member.name, member.value.text),
        }
    }
    Some(object.finish().into_boxed_str())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    Nothing,
    Headers,
    AllButFour,
}

/// The headers with their secrets masked, if there are any that are not.
fn masked_headers(event: &Event) -> Option<Box<RawValue>> {
    if !may_have_headers(event) || !event.body.contains(HEADERS) {
        return None;
    }
    let members = json::members(&event.body)?;
    let headers = members.iter().find(|member| member.name == "headers")?;
    without_secrets(headers.value.text)
}

/// The link to a vulnerability's page, if it has none of its own.
fn link(event: &Event, labels: &Labels) -> Option<String> {
    let needs_one = matches!(event.kind, Kind::Vulnerability(_)) && event.body.contains(NO_LINK);
    needs_one.then(|| labels.link(event.id.as_str())).flatten()
}

/// How its absence is written in canonical JSON.
const NO_LINK: &str = r#""link":null"#;

/// How they begin in canonical JSON.
const HEADERS: &str = r#""headers":"#;

fn left_out(event: &Event, with_headers: bool) -> LeftOut {
    match event.kind {
        Kind::Hit if !with_headers && may_have_headers(event) && event.body.contains(HEADERS) => {
            LeftOut::Headers
        }
        Kind::System if is_new_user(event) => LeftOut::AllButFour,
        _ => LeftOut::Nothing,
    }
}

fn is_new_user(event: &Event) -> bool {
    let is_type = |member: &Member<'_>| {
        member.name == "notification_type"
            && member.value.shape == Shape::String
            && member.value.unquoted() == CREATE_USER
    };
    event.body.contains(CREATE_USER)
        && json::members(&event.body).is_some_and(|members| members.iter().any(is_type))
}

/// The value of a field that tells people what they see, with the mark before its words.
fn marked(member: &Member<'_>) -> Option<String> {
    let (before, words) = match &*member.name {
        "summary" => ("\"", member.value.text.strip_prefix('"')?),
        "payloads" => ("[\"", member.value.text.strip_prefix("[\"")?),
        _ => return None,
    };
    Some([before, TEST_PREFIX, words].concat())
}
