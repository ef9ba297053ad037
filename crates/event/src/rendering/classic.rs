//! The classic rendering: the stored object, bare.

use crate::json;
use crate::{Event, Kind};

/// The object as the classic rendering writes it, or none if that is the stored body as it is: the canonical form already
/// has the classic order of fields, so all that can differ is that a hit's request headers are left out.
pub(super) fn render(event: &Event, with_headers: bool) -> Option<Box<str>> {
    if with_headers || event.kind != Kind::Hit || !event.body.contains(r#""headers":"#) {
        return None;
    }
    json::without_member(&event.body, "headers").map(String::into_boxed_str)
}
