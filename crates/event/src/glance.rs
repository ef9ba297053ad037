//! What a list shows of an event, and a search looks through.

use crate::hit::BlockStatus;
use crate::json::{self, Member, Shape};
use crate::{Event, Kind};
use std::borrow::Cow;
use std::net::IpAddr;

/// So many payloads of a hit are put into [`Glance::text`] at most, and so many objects of a scope.
const PARTS_MAX: usize = 50;

/// What a list shows of an event. Texts are as the event says them: made harmless by whoever prints them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance<'a> {
    /// When it happened, as it says itself: Unix seconds.
    pub time_s: Option<u64>,
    /// A hit's or a vulnerability's `type`, a scope's `action`, a notice's `notification_type`.
    pub type_code: Option<Cow<'a, str>>,
    /// `domain`
    pub domain: Option<Cow<'a, str>>,
    /// `method` of the request.
    pub method: Option<Cow<'a, str>>,
    /// `path` of the request.
    pub path: Option<Cow<'a, str>>,
    /// `parameter`: where in the request.
    pub parameter: Option<Cow<'a, str>>,
    /// A hit's `remote_addr4` or `remote_addr6`.
    pub address: Option<IpAddr>,
    /// A hit's `response_status`.
    pub status: Option<u16>,
    /// A hit's `block_status`.
    pub block_status: Option<BlockStatus>,
    /// A hit's `probability`.
    pub score: Option<f64>,
    /// A vulnerability's `title`, the `summary` of the others.
    pub title: Option<Cow<'a, str>>,
    /// `discovered_by`
    pub discovered_by: Option<Cow<'a, str>>,
    /// A hit's payloads, a scope's objects, the `description` of the others; with blanks between the parts, cut after about as
    /// many bytes as were asked for.
    pub text: String,
}

impl<'a> Glance<'a> {
    /// Reads an event's body, once. `text_bytes` bounds [`Glance::text`].
    pub fn at(event: &'a Event, text_bytes: usize) -> Glance<'a> {
        let mut glance = Glance::default();
        for member in json::members(&event.body).unwrap_or_default() {
            glance.read(&member, event.kind, text_bytes);
        }
        glance
    }

    fn read(&mut self, member: &Member<'a>, kind: Kind, text_bytes: usize) {
        let value = member.value;
        let string = || (value.shape == Shape::String).then(|| value.unquoted());
        let number = || (value.shape == Shape::Number).then_some(value.text);
        match (&*member.name, kind) {
            ("domain", _) => self.domain = string(),
            ("method", _) => self.method = string(),
            ("path", _) => self.path = string(),
            ("parameter", _) => self.parameter = string(),
            ("discovered_by", _) => self.discovered_by = string(),
            ("type", Kind::Hit | Kind::Vulnerability(_))
            | ("action", Kind::Scope)
            | ("notification_type", Kind::System | Kind::RulesAndTriggers | Kind::RequestsPerHour) => {
                self.type_code = string();
            }
            ("request_time", Kind::Hit) => self.time_s = number().and_then(|text| text.parse().ok()),
            ("time", _) if kind != Kind::Hit => self.time_s = number().and_then(|text| text.parse().ok()),
            ("remote_addr4" | "remote_addr6", Kind::Hit) => {
                self.address = self.address.or_else(|| string()?.parse().ok());
            }
            ("response_status", Kind::Hit) => self.status = number().and_then(|text| text.parse().ok()),
            ("block_status", Kind::Hit) => {
                self.block_status = string().and_then(|name| BlockStatus::from_name(&name));
            }
            ("probability", Kind::Hit) => self.score = number().and_then(|text| text.parse().ok()),
            ("title", Kind::Vulnerability(_)) => self.title = string(),
            ("summary", _) if !matches!(kind, Kind::Hit | Kind::Vulnerability(_)) => self.title = string(),
            ("payloads", Kind::Hit) | ("ips" | "domains" | "services", Kind::Scope)
                if value.shape == Shape::Array =>
            {
                for part in json::elements(value).take(PARTS_MAX) {
                    match part.shape {
                        Shape::String => self.add(&part.unquoted(), text_bytes),
                        _ => self.add(part.text, text_bytes),
                    }
                }
            }
            ("description", _) if kind != Kind::Hit && value.shape == Shape::String => {
                self.add(&value.unquoted(), text_bytes);
            }
            _ => {}
        }
    }

    /// Adds a part to the text, as far as it finds room.
    fn add(&mut self, part: &str, bytes_max: usize) {
        let room = bytes_max.saturating_sub(self.text.len());
        if room == 0 {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(cut(part, room));
    }
}

/// The beginning of a text: as many whole characters as fit into so many bytes.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientId;
    use crate::hit::Hit;
    use crate::system::{System, TokenRef};
    use crate::{Actor, Risk, vulnerability::Vulnerability};

    #[test]
    fn a_hit_is_seen_by_where_it_went_and_what_it_carried() {
        let hit = Hit {
            domain: Some("shop.example".to_owned()),
            method: Some("POST".to_owned()),
            path: Some("/cart\"".to_owned()),
            parameter: Some("GET_id_value".to_owned()),
            payloads: vec!["' or 1=1".to_owned(), "é".repeat(10)],
            remote_addr4: Some([192, 0, 2, 1].into()),
            response_status: Some(403),
            request_time: 7,
            attack_type: "sqli".into(),
            block_status: BlockStatus::Blocked,
            probability: Some(5_u32.into()),
            ..Hit::default()
        };
        let event = hit.to_event(ClientId(1));
        let glance = Glance::at(&event, 14);
        assert_eq!(glance.domain.as_deref(), Some("shop.example"));
        assert_eq!((glance.method.as_deref(), glance.path.as_deref()), (Some("POST"), Some("/cart\"")));
        assert_eq!(glance.text, "' or 1=1 ééé", "cut between characters");
        assert_eq!(glance.address, Some([192, 0, 2, 1].into()));
        assert_eq!((glance.status, glance.time_s, glance.score), (Some(403), Some(7), Some(5.0)));
        assert_eq!((glance.type_code.as_deref(), glance.title), (Some("sqli"), None));
        assert_eq!(glance.block_status, Some(BlockStatus::Blocked));
    }

    #[test]
    fn the_others_are_seen_by_their_words() {
        let vulnerability = Vulnerability {
            title: "XSS".to_owned(),
            threat: Risk::High,
            description: Some("words".to_owned()),
            discovered_by: Some("nuclei".to_owned()),
            ..Vulnerability::default()
        };
        let event = vulnerability.to_event(ClientId(1));
        let glance = Glance::at(&event, 100);
        assert_eq!((glance.title.as_deref(), &*glance.text), (Some("XSS"), "words"));
        assert_eq!(glance.discovered_by.as_deref(), Some("nuclei"));

        let by = Actor { name: "Jane".to_owned(), email: None };
        let token = TokenRef { name: "ci".to_owned(), role: "ingest".to_owned() };
        let event = System::TokenRevoked { token, by }.to_event(ClientId(1), 9, &[]);
        let glance = Glance::at(&event, 100);
        assert_eq!(glance.time_s, Some(9));
        assert!(glance.type_code.is_some() && glance.title.is_some() && !glance.text.is_empty());
    }

    #[test]
    fn what_is_no_object_is_seen_empty() {
        let event = Event { client: ClientId(1), kind: Kind::Hit, id: "a".into(), body: "[1".into() };
        assert_eq!(Glance::at(&event, 10), Glance::default());
    }
}
