//! What hitwire tells about itself: the flat fields as they are stored, among the details.

use super::{Frame, Stored};
use hitwire_event::system::notices::{CREATE_USER, CREATE_USER_ENVELOPE};

pub(super) fn render(stored: &Stored<'_>, frame: Frame<'_>) -> String {
    let event = stored.event;
    let notification_type =
        stored.text("notification_type").unwrap_or_else(|| event.kind.object_type().name().to_owned());
    let summary = if notification_type == CREATE_USER {
        CREATE_USER_ENVELOPE.to_owned()
    } else {
        stored.text("summary").unwrap_or_default()
    };
    let words = stored.text("description");
    frame.around(&notification_type, &summary, words.as_deref(), event.body.len(), |details| {
        for member in &stored.members {
            let name = &*member.name;
            if !matches!(name, "summary" | "description" | "notification_type" | "object_type") {
                details.member(name, member.value.text);
            }
        }
        if stored.member("id").is_none() {
            details.string("id", event.id.as_str());
        }
    })
}
