//! Bodies of hits, built once; before each request only ids and send times are written into them.

use std::time::{SystemTime, UNIX_EPOCH};

/// A hit as the seed shows it, its id and the field that hitwire does not know left to be filled in.
const BEFORE_ID: &str = concat!(
    r#"{"anomality":0.9806949806949808,"domain":"shop.example.com","heur_distance":36.28571421111111,"#,
    r#""method":"GET","parameter":"GET_id_value","path":"/catalogue/products/search","payloads":["#,
    r#""' union select table_name, column_name from information_schema.columns where table_schema = database() -- "],"#,
    r#""point":["get","id"],"probability":36.11111118571429,"remote_country":null,"remote_port":41616,"#,
    r#""remote_addr4":"198.51.100.17","remote_addr6":null,"datacenter":"unknown","tor":"none","#,
    r#""request_time":1767225600,"create_time":1767225601,"response_len":345,"response_status":403,"#,
    r#""response_time":257,"stamps":[942100,942190,942270],"regex":[],"stamps_hash":-1888294073,"#,
    r#""regex_hash":-2147483648,"type":"sqli","block_status":"blocked","id":["hits_bench_1_202601_v_1",""#
);
const AFTER_ID: &str = r#""],"object_type":"hit","sent_ns":"#;
const ID_BYTES: usize = 20;
const TIME_BYTES: usize = 19;

/// What stands before the send time in a body.
pub(crate) const SENT_MARK: &str = r#""sent_ns":"#;

/// The body of a request: a JSON array of `batch` hits.
#[derive(Clone)]
pub(crate) struct Body {
    /// Ready to send after [`Body::stamp`].
    pub(crate) bytes: Vec<u8>,
    ids: Vec<usize>,
}

impl Body {
    /// A body of so many hits.
    pub(crate) fn of(batch: usize) -> Body {
        let mut bytes = vec![b'['];
        let mut ids = Vec::with_capacity(batch);
        for at in 0..batch {
            if at > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(BEFORE_ID.as_bytes());
            ids.push(bytes.len());
            bytes.extend_from_slice(&[b'0'; ID_BYTES]);
            bytes.extend_from_slice(AFTER_ID.as_bytes());
            bytes.extend_from_slice(&[b'1'; TIME_BYTES]);
            bytes.push(b'}');
        }
        bytes.push(b']');
        Body { bytes, ids }
    }

    /// Gives each hit an id of its own, counted from `first`, and the time of sending.
    pub(crate) fn stamp(&mut self, first: u64, sent_ns: u64) {
        for (number, at) in (first..).zip(&self.ids) {
            write_digits(&mut self.bytes[*at..*at + ID_BYTES], number);
            let time = at + ID_BYTES + AFTER_ID.len();
            write_digits(&mut self.bytes[time..time + TIME_BYTES], sent_ns);
        }
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The send times in a body.
pub(crate) fn sent_times(body: &str) -> impl Iterator<Item = u64> {
    body.match_indices(SENT_MARK).filter_map(|(at, mark)| {
        let digits = at + mark.len();
        body.get(digits..digits + TIME_BYTES)?.parse().ok()
    })
}

/// Nanoseconds since the epoch: processes of one machine agree on it.
pub(crate) fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamped_body_is_json_with_ids_of_its_own() {
        let mut body = Body::of(3);
        body.stamp(7, 1_767_225_600_123_456_789);
        let hits: Vec<serde_json::Value> = serde_json::from_slice(&body.bytes).unwrap();
        let ids: Vec<_> = hits.iter().map(|hit| hit["id"][1].as_str().unwrap()).collect();
        assert_eq!(ids, ["00000000000000000007", "00000000000000000008", "00000000000000000009"]);
        let text = String::from_utf8(body.bytes).unwrap();
        assert_eq!(sent_times(&text).collect::<Vec<_>>(), [1_767_225_600_123_456_789; 3]);
    }
}
