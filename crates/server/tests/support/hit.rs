//! Events to send.

use serde_json::{Value, json};

/// The smallest hit, told apart by its number.
pub(crate) fn hit(number: usize) -> Value {
    json!({
        "object_type": "hit",
        "type": "sqli",
        "id": ["hits_production_1_202611_v_1", format!("hit{number:017}")],
        "request_time": 1_700_000_000,
        "create_time": 1_700_000_001,
    })
}

/// Hits with these numbers, as an array.
pub(crate) fn hits(numbers: std::ops::Range<usize>) -> Value {
    numbers.map(hit).collect()
}
