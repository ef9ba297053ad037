//! What is passed on as it came is what would have been written.

use super::*;
use crate::ingest::{hit as read_hit, items};
use proptest::prelude::*;

const CLIENT: ClientId = ClientId(6396);
const NOW_S: u64 = 1_767_225_600;

/// Canonical, with everything that takes care: escapes, both sorts of steps, headers, a field that nobody knows.
const CANONICAL: &str = concat!(
    r#"{"anomality":0.9806949806949808,"domain":"shop.example.com","heur_distance":1E3,"method":"GET","#,
    r#""parameter":"GET_id_value","path":"/a\\b\"c","payloads":["' union\n\u001f","é","\\"],"point":["get","id",0],"#,
    r#""probability":36.10,"remote_country":null,"remote_port":41616,"remote_addr4":null,"#,
    r#""remote_addr6":"2001:db8::1","datacenter":"unknown","tor":"none","request_time":1767225600,"#,
    r#""create_time":1767225601,"response_len":345,"response_status":403,"response_time":257,"#,
    r#""stamps":[942100,942190],"regex":[7.0],"stamps_hash":-1888294073,"regex_hash":-2147483648,"type":"sqli","#,
    r#""block_status":"blocked","id":["hits_production_1_202601_v_1","abc/def"],"object_type":"hit","#,
    r#""headers":{"Host":"shop.example.com","Cookie":"[redacted]"},"note":{"a":[1,"\u0041"]}}"#
);

/// The hit passed on as it came, and the same read field by field and written again.
fn both(text: &str) -> (Option<Event>, Option<Event>) {
    let mut events = None;
    let read = items::of_document(text, |item| {
        let is_fit = item.marks == crate::json::Marks::default() && item.value.shape == Shape::Object;
        let written = is_fit.then(|| read_hit::read(item, CLIENT, NOW_S).ok()).flatten();
        events = is_fit.then(|| (hit(item, CLIENT), written.map(|hit| hit.to_event(CLIENT))));
        Ok(())
    });
    if read.is_err() { (None, None) } else { events.unwrap_or_default() }
}

#[test]
fn canonical_json_is_passed_on_with_every_byte() {
    let (passed, written) = both(CANONICAL);
    assert_eq!(&*passed.as_ref().unwrap().body, CANONICAL);
    assert_eq!(passed, written);
}

/// Values that a field may have, canonical ones and others.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "0",
    "-0",
    "1",
    "7.0",
    "1e2",
    "-1",
    "99",
    "600",
    "65536",
    "4294967296",
    "253402300800",
    "\"\"",
    "\"a\"",
    "\"a/b\"",
    r#""\/""#,
    r#""\u0041""#,
    r#""\u0009""#,
    r#""\u001F""#,
    r#""\t\u000b""#,
    r#""\ud83e""#,
    "[]",
    "[1]",
    "[-0]",
    r#"["a"]"#,
    r#"["a","b"]"#,
    r#"["a/","b"]"#,
    r#"["","b"]"#,
    r#"["a", "b"]"#,
    "\"192.0.2.1\"",
    "\"2001:DB8::1\"",
    "\"::ffff:192.0.2.1\"",
    r#"{"Authorization":"x"}"#,
];

proptest! {
    /// One or two fields of a hit that is canonical but for them: another value, another name, another place, gone.
    #[test]
    fn what_is_passed_on_is_what_would_be_written(
        changes in prop::collection::vec((0..30_usize, 0..5_u8, 0..VALUES.len(), 0..30_usize), 1..3), blank in 0..400_usize,
    ) {
        let mut members: Vec<(String, String)> = crate::json::members(CANONICAL)
            .unwrap().iter().map(|member| (member.name.to_string(), member.value.text.to_owned())).collect();
        for (at, change, value, to) in changes {
            let at = at % members.len();
            match change {
                0 | 1 => members[at].1 = VALUES[value].to_owned(),
                2 => members[at].0 = ["anomaly", "host", "x", "headers", "id"][value % 5].to_owned(),
                3 => { let to = to % members.len(); members.swap(at, to); }
                _ => { members.remove(at); }
            }
        }
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let mut text = format!("{{{}}}", members.join(","));
        if blank < text.len() && text.is_char_boundary(blank) && matches!(text.as_bytes()[blank], b',' | b':' | b'}') {
            text.insert(blank, ' ');
        }
        let (passed, written) = both(&text);
        match (passed, written) {
            (Some(passed), written) => prop_assert_eq!(Some(passed), written),
            // What was written as it came must have been passed on, but for ids with escapes.
            (None, Some(written)) => prop_assert_ne!(&*written.body, &text),
            (None, None) => {}
        }
    }

    /// Whatever was written once is passed on the second time.
    #[test]
    fn what_was_written_is_passed_on(
        texts in prop::collection::vec(any::<String>(), 4), numbers in prop::collection::vec(any::<u32>(), 0..4), v6 in any::<u128>(),
    ) {
        let hit = crate::hit::Hit {
            domain: Some(texts[0].clone()),
            path: Some(texts[1].clone()),
            payloads: texts.clone(),
            remote_addr6: Some(v6.into()),
            stamps: numbers,
            attack_type: crate::hit::AttackType::from(format!("x{}", texts[2])),
            id: ["index".to_owned(), "document".to_owned()],
            extra: vec![(format!("y{}", texts[3]), serde_json::value::RawValue::from_string("[1]".to_owned()).unwrap())],
            ..Default::default()
        };
        let written = hit.to_event(CLIENT);
        let (passed, again) = both(&written.body);
        prop_assert_eq!(again.as_ref(), Some(&written));
        if !written.body.contains("\"y") || crate::json::members(&written.body).unwrap().iter().all(|member| matches!(member.name, Cow::Borrowed(_))) {
            prop_assert_eq!(passed, Some(written));
        }
    }
}
