use super::super::fields;
use super::*;
use hitwire_courier::DisableReason;
use hitwire_event::IntegrationId;
use proptest::prelude::*;
use serde_json::{Value, json};

const RANDOM: Random = Random { secret: [7; sign::SECRET_BYTES], key: [8; sign::SEED_BYTES] };

fn guard() -> Guard {
    Guard::new(Vec::new(), false)
}

fn context<'a>(guard: &'a Guard, outbound: &'a Outbound) -> RuleContext<'a> {
    RuleContext { guard, outbound, default_rendering: Style::Classic, random: &RANDOM }
}

fn asked(body: &Value) -> Asked {
    let errors = Errors::default();
    let asked = Asked::read(fields::document(body.to_string().as_bytes()).expect("JSON"), &errors);
    assert!(errors.is_empty(), "{errors:?}");
    asked
}

fn author() -> Author<'static> {
    // 2020-06-04, the day of the seed's example.
    Author { client: ClientId(1), name: "John Smith", now_s: 1_591_261_381 }
}

fn created(body: &Value) -> NewIntegration {
    create(asked(body), &context(&guard(), &Outbound::default()), &author()).expect("created")
}

/// An integration as the store would answer it.
fn integration(body: &Value) -> Integration {
    let new = created(body);
    Integration {
        id: IntegrationId(5),
        client: new.client,
        name: new.name,
        activity: if new.active { Activity::Active } else { Activity::DisabledByUser },
        created_at: new.created_at,
        created_by: new.created_by,
        target: new.target,
        events: new.events,
        filter: new.filter,
        revision: 1,
        content_revision: 1,
    }
}

/// Every setting that is hitwire's own, by name. A new field of a target does not build here until it is said whose it is.
fn own_settings(target: &Target) -> Vec<(&'static str, String)> {
    let Target {
        // The original's: whole in a change.
        url: _,
        http_method: _,
        headers: _,
        ca_file: _,
        ca_verify: _,
        timeout_s: _,
        open_timeout_s: _,
        format: _,
        // hitwire's.
        http_version,
        proxy,
        proxy_credentials,
        rendering,
        retry,
        max_events,
        max_bytes,
        client_cert,
        client_key,
        pins,
        rate,
        in_flight,
        signing_secret,
        previous_secret,
        signing_key,
    } = target;
    vec![
        ("http_version", format!("{http_version:?}")),
        ("proxy", format!("{proxy:?}")),
        ("proxy_credentials", format!("{:?}", proxy_credentials.as_ref().map(Secret::expose))),
        ("rendering", format!("{rendering:?}")),
        ("retry", format!("{retry:?}")),
        ("max_events", format!("{max_events:?}")),
        ("max_bytes", format!("{max_bytes:?}")),
        ("client_cert", client_cert.clone()),
        ("client_key", format!("{:?}", client_key.as_ref().map(Secret::expose))),
        ("pin_sha256", format!("{pins:?}")),
        ("rate", format!("{rate:?}")),
        ("in_flight", format!("{in_flight:?}")),
        ("signing_secret", signing_secret.expose().to_owned()),
        (
            "previous_secret",
            format!("{:?}", previous_secret.as_ref().map(|previous| previous.secret.expose())),
        ),
        ("signing_key", format!("{:?}", signing_key.as_ref().map(Secret::expose))),
    ]
}

/// An integration in which every setting of hitwire's own is another than the default.
fn with_every_own_setting() -> Integration {
    let client =
        rcgen::generate_simple_self_signed(vec!["client.example".to_owned()]).expect("a certificate");
    let mut current = integration(&json!({"target": {
        "url": "https://example.com/", "headers": {"X-Key": "k"}, "rendering": "envelope", "retry": "original",
        "http_version": "1.1", "proxy": "socks5://user:s3cret@proxy.example.com",
        "max_events": 10, "max_bytes": 8_192, "rate": 600, "in_flight": 4, "pin_sha256": ["AB".repeat(32)], "signing": "v1a",
        "client_cert": client.cert.pem(), "client_key": client.signing_key.serialize_pem(),
    }}));
    current.target.signing_secret = Secret::new("whsec_rotated");
    current.target.previous_secret =
        Some(hitwire_store::PreviousSecret { secret: Secret::new("whsec_before"), expires_at: 5 });
    let new = created(&at_example()).target;
    for (own, default) in own_settings(&current.target).iter().zip(own_settings(&new)) {
        assert_ne!(*own, default, "the test must set {} to another value than the default", own.0);
    }
    current
}

#[test]
fn a_target_that_names_only_the_originals_fields_keeps_every_own_setting() {
    let current = with_every_own_setting();
    for target in [
        json!({"url": "https://example.com/"}),
        json!({"url": "https://example.com/other", "http_method": "PUT", "headers": {"X-Key": "k2"}, "ca_file": "",
               "ca_verify": true, "timeout": 16, "open_timeout": 21, "format": "jsonl", "subtype": "web_hooks"}),
    ] {
        let changed =
            change(&current, asked(&json!({"target": target})), &context(&guard(), &Outbound::default()))
                .expect("changed");
        assert_eq!(own_settings(&changed.target), own_settings(&current.target));
        assert_eq!(
            changed.target.timeout_s,
            target["timeout"].as_u64().unwrap_or(15) as u16,
            "the original's fields are whole"
        );
    }
}

#[test]
fn null_gives_an_own_setting_its_default() {
    let current = with_every_own_setting();
    let target = json!({
        "url": "https://example.com/", "headers": {"X-Key": "k"}, "http_version": null, "proxy": null, "rendering": null, "retry": null, "max_events": null, "max_bytes": null, "rate": null,
        "in_flight": null, "signing": "v1", "client_cert": "", "client_key": "",
    });
    let changed =
        change(&current, asked(&json!({"target": target})), &context(&guard(), &Outbound::default()))
            .expect("changed");
    let new = created(&at_example()).target;
    let secrets = ["signing_secret", "previous_secret", "pin_sha256"];
    for (own, default) in own_settings(&changed.target).iter().zip(own_settings(&new)) {
        assert!(secrets.contains(&own.0) || *own == default, "{own:?}");
    }
}

#[test]
fn pins_that_are_left_out_are_no_move_and_others_ask_for_the_secrets_again() {
    let current = with_every_own_setting();
    let changed = |pins: Option<Value>| {
        let mut target = json!({"url": "https://example.com/", "headers": {"X-Key": MASK}});
        if let Some(pins) = pins {
            target["pin_sha256"] = pins;
        }
        let changed =
            change(&current, asked(&json!({"target": target})), &context(&guard(), &Outbound::default()));
        changed.map_err(|errors| errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>())
    };
    assert!(changed(None).is_ok());
    for pins in [json!(null), json!([]), json!(["CD".repeat(32)])] {
        let pointers = changed(Some(pins)).expect_err("moved");
        assert_eq!(pointers, ["/target/client_key", "/target/headers/X-Key"]);
    }
}

#[test]
fn a_proxy_that_changes_needs_every_secret_again_and_its_own() {
    let current = with_every_own_setting();
    let changed = |proxy: Value| {
        let mut target = json!({"url": "https://example.com/", "headers": {"X-Key": MASK}});
        target.as_object_mut().expect("an object").extend(proxy.as_object().expect("an object").clone());
        let changed =
            change(&current, asked(&json!({"target": target})), &context(&guard(), &Outbound::default()));
        changed
            .map(|changed| {
                let credentials = changed.target.proxy_credentials.map(|it| it.expose().to_owned());
                (changed.target.proxy.unwrap_or_default(), credentials.unwrap_or_default())
            })
            .map_err(|errors| errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>())
    };
    let url = "socks5://proxy.example.com:1080".to_owned();
    let as_it_was = Ok((url.clone(), "user:s3cret".to_owned()));
    for same in [
        json!({}),
        json!({"proxy": url}),
        json!({"proxy": "socks5://PROXY.example.com", "proxy_credentials": MASK}),
        json!({"proxy": "socks5://user:s3cret@proxy.example.com"}),
        json!({"proxy_credentials": null}),
    ] {
        assert_eq!(changed(same.clone()), as_it_was, "{same}");
    }
    assert_eq!(changed(json!({"proxy_credentials": "user:new"})), Ok((url, "user:new".to_owned())));
    let others = ["/target/client_key", "/target/headers/X-Key"];
    for moved in [
        json!({"proxy": null}),
        json!({"proxy": ""}),
        json!({"proxy_credentials": ""}),
        json!({"proxy_credentials": "other:s3cret"}),
        json!({"proxy": "socks5://user:s3cret@other.example.com"}),
        json!({"proxy": "http://user:s3cret@proxy.example.com:1080"}),
        json!({"proxy": "socks5://user:s3cret@proxy.example.com:1081"}),
    ] {
        assert_eq!(changed(moved.clone()), Err(others.map(str::to_owned).to_vec()), "{moved}");
    }
    // Its credentials are sent to nobody else either.
    let own = ["/target/proxy_credentials", others[0], others[1]].map(str::to_owned).to_vec();
    for moved in [
        json!({"proxy": "socks5://other.example.com"}),
        json!({"proxy": "socks5://proxy.example.com:1081", "proxy_credentials": MASK}),
        json!({"proxy": "http://proxy.example.com:1080"}),
    ] {
        assert_eq!(changed(moved.clone()), Err(own.clone()), "{moved}");
    }
}

#[test]
fn a_proxy_is_judged_like_a_target_unless_the_operator_trusts_it() {
    let pointers = |target: Value, outbound: &Outbound| {
        let asked = asked(&json!({"target": target}));
        let created = create(asked, &context(&guard(), outbound), &author()).map(drop);
        created.map_err(|errors| errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>())
    };
    let target = |proxy: &str| json!({"url": "https://example.com/", "proxy": proxy});
    let none = Outbound::default();
    assert_eq!(pointers(target("http://203.0.113.9:3128"), &none).map_err(drop), Err(()), "documentation");
    assert_eq!(pointers(target("http://proxy.example.com:3128"), &none), Ok(()), "judged when it is dialled");
    for refused in [
        "http://10.1.2.3:3128",
        "socks5://127.0.0.1:1080",
        "https://[::1]:443",
        "http://0x7f.1:80",
        "ftp://x",
    ] {
        assert_eq!(pointers(target(refused), &none), Err(vec!["/target/proxy".to_owned()]), "{refused}");
    }
    let trusted = vec![hitwire_endpoint::ProxyAddress::parse("10.1.2.3:3128").expect("an address")];
    let trusting = Outbound { trusted, ..Outbound::default() };
    assert_eq!(pointers(target("http://10.1.2.3:3128"), &trusting), Ok(()));
    assert!(pointers(target("http://10.1.2.3:3129"), &trusting).is_err());
    let alone = json!({"url": "https://example.com/", "proxy_credentials": "user:password"});
    assert_eq!(pointers(alone, &none), Err(vec!["/target/proxy_credentials".to_owned()]));
    for wrong in ["nonsense", "user:", MASK] {
        let target = json!({"url": "https://example.com/", "proxy": "socks5://proxy.example.com", "proxy_credentials": wrong});
        assert_eq!(pointers(target, &none), Err(vec!["/target/proxy_credentials".to_owned()]), "{wrong}");
    }
}

#[test]
fn a_rendering_that_is_not_named_is_the_installations_at_first_and_stays_then() {
    let guard = guard();
    let outbound = Outbound::default();
    let envelope = RuleContext { default_rendering: Style::Envelope, ..context(&guard, &outbound) };
    let new = create(asked(&at_example()), &envelope, &author()).expect("created");
    assert_eq!(new.target.rendering, Style::Envelope);
    let mut named = at_example();
    named["target"]["rendering"] = json!("classic");
    assert_eq!(
        create(asked(&named), &envelope, &author()).expect("created").target.rendering,
        Style::Classic
    );
    let current = integration(&at_example());
    let changed = change(&current, asked(&at_example()), &envelope).expect("changed");
    assert_eq!(changed.target.rendering, Style::Classic, "it had it");
}

fn at_example() -> Value {
    json!({"target": {"url": "https://example.com/", "headers": {"X-Key": "k"}}, "events": [{"event": "siem"}]})
}

#[test]
fn the_default_name_is_the_originals() {
    assert_eq!(created(&at_example()).name, "Webhook integration by John Smith, Jun 4");
}

#[test]
fn defaults_are_those_of_the_contract() {
    let target = created(&json!({"target": {"url": "https://example.com/"}})).target;
    assert_eq!((target.timeout_s, target.open_timeout_s, target.ca_verify), (15, 20, true));
    assert_eq!((target.max_events, target.max_bytes, target.headers.len()), (None, None, 0));
    assert_eq!(target.signing_secret.expose(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
}

#[test]
fn a_signing_secret_is_not_taken_but_may_come_back() {
    let body = json!({"signing_secret": "whsec_mine", "target": {"url": "https://example.com/"}});
    let errors =
        create(asked(&body), &context(&guard(), &Outbound::default()), &author()).expect_err("refused");
    assert_eq!(errors[0].pointer, "/signing_secret");
    let current = integration(&at_example());
    let own = current.target.signing_secret.expose().to_owned();
    assert!(
        change(&current, asked(&json!({"signing_secret": own})), &context(&guard(), &Outbound::default()))
            .is_ok()
    );
    assert!(
        change(
            &current,
            asked(&json!({"signing_secret": "********"})),
            &context(&guard(), &Outbound::default())
        )
        .is_ok()
    );
    assert!(
        change(
            &current,
            asked(&json!({"signing_secret": "whsec_other"})),
            &context(&guard(), &Outbound::default())
        )
        .is_err()
    );
}

#[test]
fn what_hitwire_disabled_keeps_its_reason_until_it_is_enabled() {
    let mut current = integration(&at_example());
    current.activity = Activity::DisabledAutomatically(DisableReason::Gone);
    let changed = |body| {
        change(&current, asked(&body), &context(&guard(), &Outbound::default())).expect("changed").activity
    };
    assert_eq!(changed(json!({"active": false, "name": "x"})), current.activity);
    assert_eq!(changed(json!({"active": true})), Activity::Active);
}

#[test]
fn an_id_that_is_another_is_refused() {
    let errors = change(
        &integration(&at_example()),
        asked(&json!({"id": 6})),
        &context(&guard(), &Outbound::default()),
    )
    .expect_err("refused");
    assert_eq!(
        (errors[0].pointer.as_str(), errors[0].message.as_str()),
        ("/id", "is 6, but the path names 5")
    );
}

#[test]
fn only_hits_keep_with_headers() {
    let events = json!([{"event": "siem", "with_headers": true}, {"event": "system", "with_headers": false}]);
    let ticked = created(&json!({"target": {"url": "https://example.com/"}, "events": events})).events;
    assert_eq!((ticked[0].with_headers, ticked[1].with_headers), (true, false));
}

#[test]
fn a_name_is_bounded_and_plain() {
    for name in [" ", "a\nb", &"x".repeat(crate::name::NAME_CHARS_MAX + 1)] {
        let errors = change(
            &integration(&at_example()),
            asked(&json!({"name": name})),
            &context(&guard(), &Outbound::default()),
        )
        .expect_err("refused");
        assert_eq!(errors[0].pointer, "/name");
    }
    let changed = change(
        &integration(&at_example()),
        asked(&json!({"name": " Größe "})),
        &context(&guard(), &Outbound::default()),
    )
    .expect("changed");
    assert_eq!(changed.name, "Größe");
}

/// Targets as an attacker who may edit could try them.
fn targets() -> impl Strategy<Value = Value> {
    let url = prop::sample::select(vec![
        "https://example.com/",
        "https://example.com:443/else",
        "https://EXAMPLE.com/",
        "https://example.com:444/",
        "https://evil.example/",
        "https://example.com.evil.example/",
    ]);
    let header = ("(?i)x-key", prop::sample::select(vec!["********", "other"]));
    let headers = prop::option::of(prop::collection::btree_map(header.0, header.1, 0..3));
    let proxy =
        prop::option::of(prop::sample::select(vec![json!(null), json!("http://proxy.evil.example:3128")]));
    (url, headers, any::<bool>(), proxy).prop_map(|(url, headers, verify, proxy)| {
        let mut target = json!({"url": url, "ca_verify": verify});
        if let Some(proxy) = proxy {
            target["proxy"] = proxy;
        }
        if let Some(headers) = headers {
            target["headers"] = json!(headers);
        }
        target
    })
}

proptest! {
    #[test]
    fn no_chain_of_edits_sends_a_secret_anywhere_else(edits in prop::collection::vec(targets(), 1..6)) {
        let mut current = integration(&json!({"target": {"url": "https://example.com/", "headers": {"X-Key": "secret"}}}));
        for target in edits {
            let Ok(changed) = change(&current, asked(&json!({"target": target})), &context(&guard(), &Outbound::default())) else { continue };
            current = changed;
            let url = Url::parse(current.target.url.expose()).expect("a URL");
            let at_home = url.host_str() == Some("example.com")
                && url.port_or_known_default() == Some(443)
                && current.target.ca_verify
                && current.target.proxy.is_none();
            let values: Vec<_> = current.target.headers.iter().map(|(_, value)| value.expose()).collect();
            prop_assert!(at_home || !values.contains(&"secret"), "{url}");
            prop_assert!(!values.contains(&MASK));
        }
    }
}
