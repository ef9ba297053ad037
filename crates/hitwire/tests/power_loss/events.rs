//! The hits that the load sends: each can be made again from its sender and number, byte for byte.

use super::random::Random;
use std::sync::LazyLock;

/// What hits are filled with, from different places: cheap to make, and unlike at any two offsets.
static FILLER: LazyLock<String> = LazyLock::new(|| {
    let mut random = Random::new(0);
    (0..128 * 1024).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
});

/// A hit of one sender, as it is sent and as the log must keep it: it is in canonical form already.
pub(crate) fn hit(sender: u64, number: u64) -> String {
    let mut random = Random::new(sender << 32 | number);
    // Mostly small, some that fill pages, a few that span many.
    let filler_bytes = match random.below(20) {
        0 => 20_000 + random.below(20_000),
        1..=4 => 2_000 + random.below(3_000),
        _ => 100 + random.below(600),
    };
    let from = random.below(FILLER.len() as u64 / 2) as usize;
    let filler = &FILLER[from..from + filler_bytes as usize];
    format!(
        concat!(
            r#"{{"anomality":0.125,"domain":"example.com","heur_distance":5,"method":"GET","parameter":"GET_id_value","#,
            r#""path":"/","payloads":["'or 1=1--"],"point":["get","id"],"probability":5,"remote_country":null,"#,
            r#""remote_port":41616,"remote_addr4":"203.0.113.7","remote_addr6":null,"datacenter":"unknown","tor":"none","#,
            r#""request_time":1767225600,"create_time":1767225601,"response_len":345,"response_status":404,"#,
            r#""response_time":257,"stamps":[942100],"regex":[],"stamps_hash":-1888294073,"regex_hash":-2147483648,"#,
            r#""type":"sqli","block_status":"monitored","id":["hits_power_1_202601_v_1","s{sender:03}n{number:015}"],"#,
            r#""object_type":"hit","sender":{sender},"number":{number},"filler":"{filler}"}}"#
        ),
        sender = sender,
        number = number,
        filler = filler
    )
}

/// The body of a request with the hits `from..to` of a sender.
pub(crate) fn body(sender: u64, from: u64, to: u64) -> String {
    let hits: Vec<String> = (from..to).map(|number| hit(sender, number)).collect();
    format!("[{}]", hits.join(","))
}

/// Which hit this is, from its id alone.
pub(crate) fn which(body: &str) -> Option<(u64, u64)> {
    let id = body.split_once(r#""hits_power_1_202601_v_1","s"#)?.1;
    let sender = id.get(..3)?.parse().ok()?;
    let number = id.get(4..19)?.parse().ok()?;
    Some((sender, number))
}
