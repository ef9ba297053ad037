use super::*;
use hitwire_event::Kind;
use proptest::prelude::*;

/// A full hour.
const NOON: u64 = 1_700_006_400 / HOUR_S * HOUR_S;

fn counter(client: u64, requests: u64, at: u64) -> Counter {
    Counter { client: ClientId(client), requests, at }
}

/// What events say: client, requests, beginning of the hour.
fn said(events: &[Event]) -> Vec<(u64, u64, u64)> {
    let said = events.iter().map(|event| {
        assert_eq!(event.kind, Kind::RequestsPerHour);
        let body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
        let number = |name: &str| body[name].as_u64().expect("a number");
        assert_eq!(number("time_to") - number("time_from"), HOUR_S);
        (event.client.0, number("requests"), number("time_from"))
    });
    said.collect()
}

#[test]
fn an_hour_is_told_a_minute_after_its_end_once_for_each_client() {
    let mut hours = Hours::default();
    hours.count(counter(1, 10, NOON), NOON);
    hours.count(counter(2, 5, NOON + 30), NOON + 40);
    hours.count(counter(1, 7, NOON + HOUR_S - 1), NOON + HOUR_S + 59);
    assert_eq!(hours.due_s(), Some(NOON + HOUR_S + 60));
    assert_eq!(said(&hours.tell(NOON + HOUR_S + 59, 100)), []);
    assert_eq!(said(&hours.tell(NOON + HOUR_S + 60, 100)), [(1, 17, NOON), (2, 5, NOON)]);
    assert_eq!(said(&hours.tell(NOON + HOUR_S + 61, 100)), []);
    assert_eq!(hours.due_s(), None);
}

#[test]
fn a_counter_of_nothing_is_told_and_no_counter_is_not() {
    let mut hours = Hours::default();
    hours.count(counter(1, 0, NOON), NOON);
    assert_eq!(said(&hours.tell(NOON + 2 * HOUR_S, 100)), [(1, 0, NOON)]);
    assert_eq!(said(&hours.tell(NOON + 9 * HOUR_S, 100)), []);
}

#[test]
fn what_comes_too_late_counts_in_the_hour_of_its_arrival() {
    let mut hours = Hours::default();
    let late = NOON + HOUR_S + 60;
    assert_eq!(hour_of(NOON, late + HOUR_S - 30), (NOON / HOUR_S + 2, true));
    assert_eq!(hour_of(NOON, late - 1), (NOON / HOUR_S, false));
    assert_eq!(hour_of(NOON, late), (NOON / HOUR_S + 1, true));
    hours.count(counter(1, 3, NOON), late);
    hours.count(counter(1, 4, 0), late);
    assert_eq!(said(&hours.tell(NOON + 3 * HOUR_S, 100)), [(1, 7, NOON + HOUR_S)]);
}

#[test]
fn what_comes_from_the_future_counts_in_the_hour_of_its_arrival() {
    let mut hours = Hours::default();
    hours.count(counter(1, 3, u64::MAX), NOON + 5);
    assert_eq!(said(&hours.tell(NOON + 2 * HOUR_S, 100)), [(1, 3, NOON)]);
}

#[test]
fn an_hour_that_was_told_early_by_a_clock_that_jumped_is_not_told_again() {
    let mut hours = Hours::default();
    hours.count(counter(1, 3, NOON), NOON);
    // The clock goes forward by a day, and back again.
    assert_eq!(said(&hours.tell(NOON + 24 * HOUR_S, 100)), [(1, 3, NOON)]);
    hours.count(counter(1, 4, NOON + 10), NOON + 10);
    assert_eq!(said(&hours.tell(NOON + HOUR_S + 60, 100)), []);
    assert_eq!(said(&hours.tell(NOON + 2 * HOUR_S + 60, 100)), [(1, 4, NOON + HOUR_S)]);
}

#[test]
fn many_clients_are_told_in_portions_and_what_comes_meanwhile_counts_in_the_next_hour() {
    let mut hours = Hours::default();
    for client in 1..=5 {
        hours.count(counter(client, client, NOON), NOON);
    }
    let now = NOON + HOUR_S + 60;
    assert_eq!(said(&hours.tell(now, 2)), [(1, 1, NOON), (2, 2, NOON)]);
    hours.count(counter(1, 9, NOON), now - 1);
    assert_eq!(said(&hours.tell(now, 2)), [(3, 3, NOON), (4, 4, NOON)]);
    assert_eq!(said(&hours.tell(now, 2)), [(5, 5, NOON)]);
    assert_eq!(said(&hours.tell(now, 2)), []);
    assert_eq!(said(&hours.tell(now + HOUR_S, 2)), [(1, 9, NOON + HOUR_S)]);
}

#[test]
fn the_state_is_kept_whole_and_that_of_a_newer_form_is_refused() {
    let mut hours = Hours::default();
    hours.count(counter(1, u64::MAX, NOON), NOON);
    hours.count(counter(1, 1, NOON), NOON);
    hours.passed(Seq(7));
    let text = String::from_utf8(hours.to_bytes()).expect("text");
    assert_eq!(Hours::from_bytes(text.as_bytes()), Ok(hours));
    let newer = text.replace("\"version\":1", "\"version\":2");
    let words = Hours::from_bytes(newer.as_bytes()).expect_err("refused");
    assert_eq!(words, "it is of form 2, and this hitwire knows 1");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However counters, tellings, clock jumps and restarts mix: every request is told exactly once, and no hour of a client
    /// twice.
    #[test]
    fn every_request_is_told_once_and_no_hour_twice(
        steps in prop::collection::vec((1_u64..4, 0_u64..1_000, 0_u64..30_000, -9_000_i64..9_000, any::<bool>()), 1..60),
    ) {
        let mut hours = Hours::default();
        let mut now = NOON;
        let (mut counted, mut told) = (BTreeMap::new(), BTreeMap::new());
        let mut seen = std::collections::BTreeSet::new();
        let mut events = Vec::new();
        for (client, requests, at, jump, restart) in steps {
            now = now.saturating_add_signed(jump);
            hours.count(counter(client, requests, NOON + at), now);
            *counted.entry(client).or_insert(0) += requests;
            events.extend(hours.tell(now, 2));
            if restart {
                hours = Hours::from_bytes(&hours.to_bytes()).expect("read");
            }
        }
        loop {
            let last = hours.tell(u64::MAX / 2, 3);
            if last.is_empty() {
                break;
            }
            events.extend(last);
        }
        for event in &events {
            prop_assert!(seen.insert(event.id.clone()), "an hour of a client is told twice");
        }
        for (client, requests, _) in said(&events) {
            *told.entry(client).or_insert(0) += requests;
        }
        prop_assert_eq!(counted, told);
    }
}
