use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;

/// The whole of `text` as one value.
fn scan(text: &str) -> Result<Raw<'_>, Fault> {
    let mut scanner = Scanner::new(text);
    scanner.skip_blanks();
    let value = scanner.value()?;
    scanner.skip_blanks();
    if scanner.peek().is_some() { Err(scanner.fault("expected the end")) } else { Ok(value) }
}

fn repeated(text: &str) -> Option<String> {
    let mut scanner = Scanner::new(text);
    scanner.value().expect(text);
    scanner.take_marks().repeated
}

#[test]
fn depth_counts_the_arrays_and_objects_around_the_deepest_value() {
    for (text, depth) in [("1", 0), ("[]", 1), ("{}", 1), ("[1,[2],3]", 2), (r#"{"a":[{"b":{}}],"c":1}"#, 4)]
    {
        assert_eq!(scan(text).expect(text).depth, depth, "{text}");
    }
}

#[test]
fn no_depth_exhausts_the_stack_or_the_memory() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(scan(&nested(NESTING_MAX)).expect("well-formed").depth, NESTING_MAX);
    assert_eq!(scan(&nested(NESTING_MAX + 1)).expect_err("too deep").at, NESTING_MAX);
}

#[test]
fn names_far_into_a_value_are_not_kept() {
    let text = format!(r#"{{"a":"{}","b":1,"b":2}}"#, "x".repeat(EVENT_BYTES_MAX));
    let mut members = Vec::new();
    let (object, marks) = Scanner::new(&text).object(&mut members).expect("well-formed");
    assert_eq!((object.text.len(), members.len(), marks.repeated), (text.len(), 0, None));
    let inside = format!("[{text}]");
    let mut scanner = Scanner::new(&inside);
    scanner.value().expect("well-formed");
    assert_eq!(scanner.take_marks().repeated, None);
}

#[test]
fn a_name_given_twice_is_found_at_any_depth() {
    assert_eq!(repeated(r#"{"a":1,"b":1}"#), None);
    assert_eq!(repeated(r#"{"a":{"x":1},"b":{"x":1}}"#), None);
    assert_eq!(repeated(r#"[{"a":1},{"a":1}]"#), None);
    assert_eq!(repeated(r#"{"a":1,"a":2}"#).as_deref(), Some("/a"));
    assert_eq!(repeated(r#"{"a":[1,{"b":0,"c/~":{"x":[],"\u0078":1}}]}"#).as_deref(), Some("/a/1/c~1~0/x"));
    assert_eq!(repeated(r#"[[],[{},{"":1,"":2}]]"#).as_deref(), Some("/1/1/"));
}

#[test]
fn a_number_that_not_every_receiver_can_read_is_found_at_any_depth() {
    let marked = |text: &str| {
        let mut scanner = Scanner::new(text);
        scanner.value().expect(text);
        scanner.take_marks().number
    };
    assert_eq!(marked(r#"{"a":1e3,"b":[-0,0.1e+0001]}"#), None);
    assert_eq!(marked("1e999").as_deref(), Some(""));
    assert_eq!(marked(r#"{"a":1,"b":1e999,"c":1e999}"#).as_deref(), Some("/b"));
    assert_eq!(marked(r#"[[],[{},{"x/y":[0,1e-999]}]]"#).as_deref(), Some("/1/1/x~1y/1"));
    let mut members = Vec::new();
    let text = r#"{"a":{"b":[1e999]},"c":1e999,"c":1}"#;
    let (_, marks) = Scanner::new(text).object(&mut members).expect("well-formed");
    assert_eq!((marks.number.as_deref(), marks.repeated.as_deref()), (Some("/a/b/0"), Some("/c")));
}

#[test]
fn a_fault_lies_where_a_reader_would_point() {
    for (text, at) in [
        ("", 0),
        ("nulx", 3),
        ("01", 1),
        ("1.", 2),
        ("-", 1),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":1,}"#, 7),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("[}", 1),
        (r#"{"a":}"#, 5),
        ("{1:2}", 1),
        ("\"a", 2),
        ("\"a\u{1}\"", 2),
        (r#""\x""#, 1),
        (r#""a\u12g4""#, 2),
        ("[1", 2),
    ] {
        assert_eq!(scan(text).expect_err(text).at, at, "{text}");
    }
}

/// Pieces that are likely to make JSON, or to just miss it.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"\"",
        "\"\\u00e9\\ud800\"",
        "\"\\n",
        "\"",
        "1",
        "-",
        "0",
        ".5",
        "e+1",
        "true",
        "false",
        "null",
        "tru",
        " ",
        "\n",
        "é",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// JSON, with or without blanks, some of it with one character put in, taken out or exchanged.
fn nearly_json() -> impl Strategy<Value = String> {
    (
        json(),
        any::<bool>(),
        0..4_u8,
        any::<prop::sample::Index>(),
        prop::sample::select("{}[]:,\"\\0-e. \nx".chars().collect::<Vec<_>>()),
    )
        .prop_map(|(json, pretty, change, place, character)| {
            let text = if pretty { format!("{json:#}") } else { json.to_string() };
            let mut characters: Vec<char> = text.chars().collect();
            let place = place.index(characters.len());
            match change {
                0 => characters.insert(place, character),
                1 => drop(characters.remove(place)),
                2 => characters[place] = character,
                _ => {}
            }
            characters.into_iter().collect()
        })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\é]{0,3}", inner, 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_takes_what_serde_json_takes(text in prop_oneof![pieces(), nearly_json()]) {
        prop_assert_eq!(scan(&text).is_ok(), serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn without_blanks_it_is_what_serde_json_writes(json in json()) {
        let pretty = format!("{json:#}");
        let value = scan(&pretty).expect("well-formed");
        prop_assert_eq!(crate::json::compact(&value), json.to_string());
    }

    #[test]
    fn the_members_of_an_object_are_its_fields_in_order(fields in prop::collection::vec((any::<String>(), json()), 0..6)) {
        let members = fields.iter().map(|(name, value)| format!("{} : {value}", serde_json::json!(name)));
        let text = format!("{{ {} }}", members.collect::<Vec<_>>().join(" ,\n"));
        let mut members = Vec::new();
        let (object, _) = Scanner::new(&text).object(&mut members).expect("well-formed");
        prop_assert_eq!(object.text, &text);
        prop_assert_eq!(object.depth, scan(&text).expect("well-formed").depth);
        let read: Vec<_> = members.iter().map(|member| (member.name.to_string(), member.value.text.to_owned())).collect();
        let written: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.to_string())).collect();
        prop_assert_eq!(read, written);
    }
}
