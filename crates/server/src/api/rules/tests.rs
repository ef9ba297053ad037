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
    create(asked(body), &guard(), &author(), &RANDOM).expect("created")
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
    let errors = create(asked(&body), &guard(), &author(), &RANDOM).expect_err("refused");
    assert_eq!(errors[0].pointer, "/signing_secret");
    let current = integration(&at_example());
    let own = current.target.signing_secret.expose().to_owned();
    assert!(change(&current, asked(&json!({"signing_secret": own})), &guard(), &RANDOM).is_ok());
    assert!(change(&current, asked(&json!({"signing_secret": "********"})), &guard(), &RANDOM).is_ok());
    assert!(change(&current, asked(&json!({"signing_secret": "whsec_other"})), &guard(), &RANDOM).is_err());
}

#[test]
fn what_hitwire_disabled_keeps_its_reason_until_it_is_enabled() {
    let mut current = integration(&at_example());
    current.activity = Activity::DisabledAutomatically(DisableReason::Gone);
    let changed = |body| change(&current, asked(&body), &guard(), &RANDOM).expect("changed").activity;
    assert_eq!(changed(json!({"active": false, "name": "x"})), current.activity);
    assert_eq!(changed(json!({"active": true})), Activity::Active);
}

#[test]
fn an_id_that_is_another_is_refused() {
    let errors = change(&integration(&at_example()), asked(&json!({"id": 6})), &guard(), &RANDOM)
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
    for name in [" ", "a\nb", &"x".repeat(crate::api::name::NAME_CHARS_MAX + 1)] {
        let errors = change(&integration(&at_example()), asked(&json!({"name": name})), &guard(), &RANDOM)
            .expect_err("refused");
        assert_eq!(errors[0].pointer, "/name");
    }
    let changed = change(&integration(&at_example()), asked(&json!({"name": " Größe "})), &guard(), &RANDOM)
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
    (url, headers, any::<bool>()).prop_map(|(url, headers, verify)| {
        let mut target = json!({"url": url, "ca_verify": verify});
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
            let Ok(changed) = change(&current, asked(&json!({"target": target})), &guard(), &RANDOM) else { continue };
            current = changed;
            let url = Url::parse(current.target.url.expose()).expect("a URL");
            let at_home = url.host_str() == Some("example.com")
                && url.port_or_known_default() == Some(443)
                && current.target.ca_verify;
            let values: Vec<_> = current.target.headers.iter().map(|(_, value)| value.expose()).collect();
            prop_assert!(at_home || !values.contains(&"secret"), "{url}");
            prop_assert!(!values.contains(&MASK));
        }
    }
}
