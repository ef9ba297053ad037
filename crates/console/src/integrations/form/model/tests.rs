use super::*;
use proptest::prelude::*;

/// What a browser sends of a form that is shown and not touched.
fn untouched(form: &Form) -> Fields {
    let mut pairs: Vec<(&str, &str)> = vec![
        ("name", &form.name),
        ("url", &form.url),
        ("method", &form.method),
        ("ca", &form.ca),
        ("pins", &form.pins),
        ("client_cert", &form.client_cert),
        ("client_key", &form.client_key),
        ("client_key_password", &form.client_key_password),
        ("timeout", &form.timeout),
        ("open_timeout", &form.open_timeout),
        ("http_version", &form.http_version),
        ("proxy", &form.proxy),
        ("proxy_credentials", &form.proxy_credentials),
        ("format", &form.format),
        ("rendering", &form.rendering),
        ("retry", &form.retry),
        ("max_events", &form.max_events),
        ("max_bytes", &form.max_bytes),
        ("rate", &form.rate),
        ("in_flight", &form.in_flight),
        ("signing", &form.signing),
        ("applications", &form.filter.applications),
        ("attack_types", &form.filter.attack_types),
        ("domains", &form.filter.domains),
        ("within", &form.filter.within),
        ("not_in", &form.filter.not_in),
        ("min_score", &form.filter.min_score),
        ("example", &form.example),
    ];
    for header in &form.headers {
        pairs.extend([
            ("header_name", &*header.name),
            ("header_value", &header.value),
            ("header_kept", &header.kept),
        ]);
    }
    for (name, values) in
        [("events", &form.events), ("block_status", &form.filter.block_status), ("risks", &form.filter.risks)]
    {
        pairs.extend(values.iter().map(|value| (name, &**value)));
    }
    for (name, ticked) in [("verify", form.verify), ("with_headers", form.with_headers)] {
        pairs.extend(ticked.then_some((name, "on")));
    }
    // Browsers end lines in their own way.
    let sent: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.replace('\n', "\r\n"))).collect();
    Fields::of(&sent.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>())
}

fn body(form: &Form, stored: &Value) -> Value {
    let mut errors = Errors::default();
    let body = form.to_body(stored, &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    body
}

/// An integration, as the API shows it.
fn integration() -> impl Strategy<Value = Value> {
    let word = "[a-z][a-z0-9.-]{0,8}[a-z]";
    let words = || prop::collection::btree_set(word, 0..4).prop_map(Vec::from_iter);
    let some = |of: std::ops::Range<u64>| prop::option::of(of);
    let headers = prop::collection::btree_map("X-[A-Z][a-z]{1,6}", Just(MASK), 0..4);
    let events = prop::collection::btree_map(
        prop::sample::select(&hitwire_event::Kind::ALL[..]),
        (any::<bool>(), any::<bool>()),
        0..9,
    );
    let proxy = prop::option::of(Just("http://proxy.example.com:3128"));
    let filter = (words(), words(), prop::option::of(0_u32..9_000), prop::bool::ANY);
    let target = (
        headers,
        words(),
        any::<bool>(),
        some(1..5_000),
        some(4_096..9_999),
        some(1..60_000),
        1_u64..17,
        proxy,
    );
    ("[A-Za-zé][ -~]{0,20}[a-z]", target, events, filter).prop_map(|(name, target, events, filter)| {
        let (headers, pins, ca_verify, max_events, max_bytes, rate, in_flight, proxy) = target;
        let (applications, domains, tenths, blocked) = filter;
        let mut of_filter = Map::new();
        if !applications.is_empty() {
            let applications: Vec<_> = applications.iter().map(|name| format!("the {name}, no 1")).collect();
            of_filter.insert("applications".to_owned(), json!(applications));
        }
        if !domains.is_empty() {
            of_filter.insert("domains".to_owned(), json!(domains));
            of_filter.insert("addresses".to_owned(), json!({"not_in": ["10.0.0.0/8", "2001:db8::1"]}));
        }
        if let Some(tenths) = tenths {
            of_filter.insert("min_score".to_owned(), score(&(f64::from(tenths) / 8.0).to_string()));
        }
        if blocked {
            of_filter.insert("block_status".to_owned(), json!(["blocked"]));
            of_filter.insert("risks".to_owned(), json!(["critical", "info"]));
        }
        let events = events.into_iter().map(|(kind, (active, with_headers))| {
            let mut entry = json!({"event": kind.name(), "active": active});
            if kind.name() == "siem" {
                entry["with_headers"] = json!(with_headers);
            }
            entry
        });
        json!({
            "id": 7, "name": name, "active": true, "type": "web_hooks", "events": events.collect::<Vec<_>>(), "filter": of_filter,
            "target": {
                "url": "https://receiver.example/a?b=c", "http_method": "PUT", "headers": headers,
                "ca_file": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n", "ca_verify": ca_verify,
                "pin_sha256": pins, "client_cert": "-----BEGIN CERTIFICATE-----", "client_key": MASK, "signing": "v1a",
                "signing_public_key": "whpk_x", "timeout": 15, "open_timeout": 300, "format": "jsonl", "subtype": "web_hooks",
                "rendering": "envelope", "retry": "original", "max_events": max_events, "max_bytes": max_bytes, "rate": rate,
                "in_flight": in_flight, "http_version": "1.1", "proxy": proxy, "proxy_credentials": MASK,
            },
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_and_sent_back_untouched_asks_for_what_is_there(stored in integration()) {
        let form = Form::of(&stored);
        let sent = Form::read(&untouched(&form));
        prop_assert_eq!(&sent, &form);
        let body = body(&sent, &stored);
        for part in ["name", "events", "filter"] {
            prop_assert_eq!(&body[part], &stored[part], "{}", part);
        }
        for (name, value) in body["target"].as_object().unwrap() {
            prop_assert_eq!(value, &stored["target"][name], "{}", name);
        }
        // What the API leaves as it is if it is left out.
        for secret in ["client_cert", "client_key", "client_key_password", "proxy_credentials"] {
            prop_assert!(body["target"].get(secret).is_none());
        }
    }
}

#[test]
fn a_new_form_asks_for_the_defaults() {
    let form = Form::new("Webhook integration by Jane Roe, Nov 25".to_owned(), "classic");
    assert!(!form.is_advanced("classic"));
    let form = Form::read(&untouched(&form));
    assert!(!form.is_advanced("classic"), "{form:?}");
    let body = body(&form, &Value::Null);
    assert_eq!(body["name"], "Webhook integration by Jane Roe, Nov 25");
    assert_eq!((&body["events"], &body["filter"]), (&json!([]), &json!({})));
    let expected = json!({
        "url": "", "http_method": "POST", "headers": {}, "ca_file": "", "ca_verify": true, "pin_sha256": [], "timeout": 15,
        "open_timeout": 20, "format": "json", "rendering": "classic", "retry": "patient", "max_events": null, "max_bytes": null,
        "rate": null, "in_flight": 1, "signing": "v1", "http_version": "auto", "proxy": null,
    });
    assert_eq!(body["target"], expected);
}

#[test]
fn an_empty_value_keeps_a_header_and_an_empty_name_takes_it_away() {
    let stored = json!({"target": {"headers": {"A": MASK, "B": MASK, "C": MASK}}});
    let mut form = Form::of(&stored);
    form.headers[0].value = "new".to_owned();
    form.headers[1].name = String::new();
    form.headers.push(Header { name: "D".to_owned(), value: "first".to_owned(), kept: String::new() });
    form.headers.push(Header::default());
    assert_eq!(body(&form, &stored)["target"]["headers"], json!({"A": "new", "C": MASK, "D": "first"}));
}

#[test]
fn what_no_body_can_say_is_said_beside_its_row() {
    let row = |name: &str, value: &str| Header {
        name: name.to_owned(),
        value: value.to_owned(),
        kept: String::new(),
    };
    let headers = vec![row("A", "1"), row("", "2"), row("a", "3")];
    let mut errors = Errors::default();
    Form { headers, ..Form::default() }.to_body(&Value::Null, &mut errors);
    let found: Vec<_> = errors.all().iter().map(|wrong| (&*wrong.id, &*wrong.message)).collect();
    assert_eq!(found, [("header-1", "a value needs a name"), ("header-2", "is there twice")]);
}

#[test]
fn certificates_are_kept_replaced_and_removed() {
    let stored = json!({"target": {"ca_file": "old"}});
    let target = |form: &Form| body(form, &stored)["target"].clone();
    let mut form = Form::of(&stored);
    assert_eq!(target(&form)["ca_file"], "old");
    form.remove_ca = true;
    assert_eq!(target(&form)["ca_file"], "");
    form.ca = "new".to_owned();
    assert_eq!(target(&form)["ca_file"], "new");
    form.remove_client_cert = true;
    assert_eq!((&target(&form)["client_cert"], &target(&form)["client_key"]), (&json!(""), &json!("")));
    form.client_key = "key".to_owned();
    let with_key = target(&form);
    assert_eq!((with_key.get("client_cert"), &with_key["client_key"]), (None, &json!("key")));
}

#[test]
fn what_is_no_number_is_left_to_the_api_to_refuse() {
    let form = Form { timeout: "1.5".to_owned(), rate: "many".to_owned(), ..Form::default() };
    let target = &body(&form, &Value::Null)["target"];
    assert_eq!((&target["timeout"], &target["rate"]), (&json!("1.5"), &json!("many")));
}
