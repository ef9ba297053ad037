//! `new_hits`: the hit as its newest public examples write it. It has no description.

use super::{Frame, Stored};
use hitwire_event::hit::without_secrets;

/// The fields of a hit in the order of the examples, under the names that they are stored by. What a source adds of the
/// node's fields (`brute_counter` to `wallarm_mode`, `applications`) takes its place among them.
const ORDER: [&str; 37] = [
    "domain",
    "heur_distance",
    "method",
    "path",
    "payloads",
    "point",
    "probability",
    "remote_country",
    "remote_port",
    "remote_addr4",
    "remote_addr6",
    "datacenter",
    "tor",
    "request_time",
    "create_time",
    "response_len",
    "response_status",
    "response_time",
    "stamps",
    "regex",
    "stamps_hash",
    "regex_hash",
    "type",
    "block_status",
    "brute_counter",
    "final_wallarm_mode",
    "libproton_version",
    "lom_id",
    "protocol",
    "proxy_type",
    "request_id",
    "wallarm_mode",
    "id",
    "object_type",
    "anomality",
    "parameter",
    "applications",
];

pub(super) fn render(stored: &Stored<'_>, frame: Frame<'_>, with_headers: bool) -> String {
    let mut placed = [None; ORDER.len()];
    let mut rest = Vec::new();
    for member in &stored.members {
        match ORDER.iter().position(|name| *name == member.name) {
            Some(place) => placed[place] = Some(member.value.text),
            None if member.name == "headers" && !with_headers => {}
            None => rest.push(member),
        }
    }
    frame.around("new_hits", "New hit detected", None, stored.event.body.len(), |details| {
        details.open("hit");
        for (name, value) in ORDER.into_iter().zip(placed) {
            if let Some(value) = value {
                details.raw(todays(name), value);
            }
        }
        for member in rest {
            // Headers that an older version took in may hold secrets.
            let masked = if member.name == "headers" { without_secrets(member.value.text) } else { None };
            details.member(&member.name, masked.as_ref().map_or(member.value.text, |masked| masked.get()));
        }
        details.close();
    })
}

/// Two fields have other names than in the seed.
fn todays(name: &'static str) -> &'static str {
    match name {
        "domain" => "host",
        "anomality" => "anomaly",
        name => name,
    }
}
