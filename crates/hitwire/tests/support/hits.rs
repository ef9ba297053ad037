//! Hits that carry a number: what was sent can be compared with what arrived.

use hitwire::listen::Received;
use serde::Deserialize;
use serde_json::{Value, json};

/// Which hit it is: the run of the test, who sent it, its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(crate) struct Numbered {
    pub(crate) run: String,
    pub(crate) sender: u64,
    pub(crate) n: u64,
}

/// A hit of this run. Its number travels in fields that hitwire does not know, and passes on.
pub(crate) fn hit(run: &str, sender: u64, n: u64) -> Value {
    json!({
        "method": "GET",
        "domain": "shop.example.com",
        "path": "/search",
        "parameter": "GET_q_value",
        "point": ["get", "q"],
        "payloads": [format!("' or {n}={n}--")],
        "remote_addr4": "203.0.113.7",
        "request_time": 1_795_419_114,
        "create_time": 1_795_419_115,
        "response_status": 200,
        "stamps": [942_100],
        "type": "sqli",
        "block_status": "monitored",
        "id": ["hits_production_1_202611_v_1", format!("{run}s{sender}n{n:0>10}")],
        "object_type": "hit",
        "run": run,
        "sender": sender,
        "n": n,
    })
}

/// Hits of this run, numbered one after the other.
pub(crate) fn hits(run: &str, sender: u64, numbers: impl IntoIterator<Item = u64>) -> Value {
    numbers.into_iter().map(|n| hit(run, sender, n)).collect()
}

/// The hits of a notification, in its order.
pub(crate) fn numbered(received: &Received) -> Vec<Numbered> {
    let objects = received.objects.as_ref().expect("a notification holds objects");
    objects.iter().map(|object| serde_json::from_str(object.get()).expect("a numbered hit")).collect()
}
