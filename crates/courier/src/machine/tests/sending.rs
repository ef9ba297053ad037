//! Open before send, settle with the next.

use super::*;

#[test]
fn a_new_integration_reads_both_lanes_from_the_start() {
    let mut run = Run::built(settings(Preset::Patient), Saved::default(), BEGAN_MS, 0);
    assert_eq!(run.machine.wake_at(), Some(Duration::ZERO), "it has something to do at once");
    assert_eq!(run.feed(Input::Due), ["read urgent after 0", "read bulk after 0"]);
}

#[test]
fn a_batch_is_saved_as_open_before_it_is_sent() {
    let mut run = Run::idle(Preset::Patient);
    assert_eq!(run.advanced(Bulk), ["read bulk after 0"]);
    assert_eq!(run.cut(Bulk, 1..=3), ["save bulk@0 open 1-3 msg_1 tried 0", "send bulk 1-3 msg_1"]);
    assert_eq!(run.lane(Bulk).state, "sending");
}

#[test]
fn the_last_batch_is_settled_at_once() {
    let mut run = Run::sending(Preset::Patient);
    assert_eq!(run.status(Bulk, 200), ["save bulk@3 | Delivered 1"]);
    assert_eq!(run.lane(Bulk).state, "caught_up");
    assert!(run.machine.is_parked());
    assert_eq!(run.machine.wake_at(), None);
}

#[test]
fn a_batch_is_settled_in_one_step_with_the_opening_of_the_next() {
    let mut run = Run::sending(Preset::Patient);
    assert_eq!(run.advanced(Bulk), [""; 0]);
    assert_eq!(run.status(Bulk, 204), ["read bulk after 3"]);
    assert_eq!(
        run.cut(Bulk, 5..=6),
        ["save bulk@3 open 5-6 msg_2 tried 0 | Delivered 1", "send bulk 5-6 msg_2"]
    );
}

#[test]
fn without_a_next_batch_it_is_settled_where_the_search_ended() {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Bulk);
    run.status(Bulk, 200);
    assert_eq!(run.nothing(Bulk, 90), ["save bulk@90 | Delivered 1"]);
}

#[test]
fn an_idle_lane_moves_its_cursor_without_a_save() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.nothing(Bulk, 90), [""; 0]);
    assert_eq!(run.lane(Bulk).cursor, Seq(90));
    assert_eq!(run.feed(Input::NoneUpTo { lane: Bulk, seq: Seq(120) }), [""; 0]);
    assert_eq!(run.advanced(Bulk), ["read bulk after 120"]);
}

#[test]
fn a_search_that_is_not_at_its_end_goes_on() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    let page = |scanned_to| Input::Batch {
        lane: Bulk,
        cut: None,
        scanned_to: Seq(scanned_to),
        skipped: false,
        unreadable: None,
        more: true,
        webhook_id: WebhookId("msg_unused".into()),
    };
    assert_eq!(run.feed(page(4_096)), ["read bulk after 4096"]);
    assert_eq!(run.feed(page(4_096)), [""; 0], "one that does not get on is not asked again");
}

#[test]
fn a_settlement_does_not_wait_for_a_long_search() {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Bulk);
    run.status(Bulk, 200);
    let webhook_id = WebhookId("msg_unused".into());
    let page = Input::Batch {
        lane: Bulk,
        cut: None,
        scanned_to: Seq(4_096),
        skipped: false,
        unreadable: None,
        more: true,
        webhook_id,
    };
    assert_eq!(run.feed(page), ["save bulk@4096 | Delivered 1", "read bulk after 4096"]);
}

#[test]
fn what_is_said_while_the_log_is_read_is_not_forgotten() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.advanced(Bulk), [""; 0], "one read at a time");
    assert_eq!(run.nothing(Bulk, 0), ["read bulk after 0"]);
}

#[test]
fn a_lane_that_is_behind_asks_for_more_each_time() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    let mut asked = Vec::new();
    let mut first = 1;
    for _ in 0..5 {
        let events = u64::from(run.machine.couriers[Bulk].asked.max_events);
        asked.push(events);
        run.cut_with_more(Bulk, first..=first + events - 1);
        first += events;
        run.ok_after(Bulk, Duration::from_millis(300));
    }
    assert_eq!(asked, [500, 1_000, 2_000, 4_000, 5_000]);
    let events = u64::from(run.machine.couriers[Bulk].asked.max_events);
    run.cut_with_more(Bulk, first..=first + events - 1);
    run.ok_after(Bulk, Duration::from_secs(1));
    assert_eq!(run.machine.couriers[Bulk].asked.max_events, 500, "a slow request goes back to the base");
}

#[test]
fn the_users_limits_bound_what_is_asked_for() {
    let mut run = Run::idle(Preset::Patient);
    run.edit(|settings| settings.limits = Limits { max_events: Some(10), max_bytes: Some(1_000) });
    let asked = run.machine.couriers[Bulk].asked;
    assert_eq!((asked.max_events, asked.max_bytes), (10, 1_000));
}

#[test]
fn an_attempt_tells_everything_about_itself() {
    let mut run = Run::sending(Preset::Patient);
    run.feed(Input::Outcome {
        lane: Bulk,
        webhook_id: run.under_way(Bulk),
        reply: Reply::Complete { status: 503, retry_after: None },
        started_ms: 1_700_000_000_123,
        took: Duration::from_micros(1_500),
        address: Some("192.0.2.1:443".to_owned()),
        error: Some("the server is down for maintenance".to_owned()),
    });
    let attempt = &run.last_step().attempts[0];
    assert_eq!((attempt.lane, attempt.first, attempt.last, attempt.events), (Bulk, Seq(1), Seq(3), 3));
    assert_eq!((attempt.started_ms, attempt.took_us, attempt.status), (1_700_000_000_123, 1_500, Some(503)));
    assert_eq!(attempt.address.as_deref(), Some("192.0.2.1:443"));
    assert_eq!(attempt.error.as_deref(), Some("the server is down for maintenance"));
    assert_eq!((attempt.body_bytes, attempt.webhook_id.as_str(), attempt.number), (300, "msg_1", 1));
}

#[test]
fn a_delivered_attempt_has_no_error() {
    let mut run = Run::sending(Preset::Patient);
    let reply = Reply::Complete { status: 200, retry_after: None };
    let (took, error, webhook_id) = (Duration::ZERO, Some("odd".to_owned()), run.under_way(Bulk));
    run.feed(Input::Outcome { lane: Bulk, webhook_id, reply, started_ms: 0, took, address: None, error });
    assert_eq!(run.last_step().attempts[0].error, None);
}

#[test]
fn a_batch_that_cannot_be_made_again_is_superseded_by_one_with_the_same_first_event() {
    let mut run = Run::sending(Preset::Patient);
    assert_eq!(run.unreproducible(Bulk), ["save bulk@0", "read bulk after 0"]);
    assert_eq!(run.cut(Bulk, 1..=2), ["save bulk@0 open 1-2 msg_2 tried 0", "send bulk 1-2 msg_2"]);
}

#[test]
fn a_batch_that_the_cursor_has_passed_is_dropped() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    assert_eq!(run.moved(Bulk, 2), [""; 0]);
    assert_eq!(run.wake_after(Duration::from_secs(1)), ["read bulk after 2"]);
}

#[test]
fn a_batch_that_the_cursor_passes_under_way_settles_nothing() {
    let mut run = Run::sending(Preset::Patient);
    run.moved(Bulk, 2);
    assert_eq!(run.status(Bulk, 200), ["read bulk after 2"]);
    assert_eq!(
        run.cut(Bulk, 3..=3),
        ["save bulk@2 open 3-3 msg_2 tried 0 | Delivered 1", "send bulk 3-3 msg_2"]
    );
}

#[test]
fn a_cursor_never_goes_back() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 200);
    assert_eq!(run.moved(Bulk, 1), [""; 0]);
    assert_eq!(run.lane(Bulk).cursor, Seq(3));
}

#[test]
fn what_was_read_before_the_cursor_moved_is_read_again() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.moved(Bulk, 2);
    assert_eq!(run.cut(Bulk, 1..=3), ["read bulk after 2"]);
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut run = Run::idle(Preset::Patient);
    assert_eq!(run.status(Bulk, 500), [""; 0]);
    assert_eq!(run.cut(Bulk, 1..=3), [""; 0]);
    assert_eq!(run.measured(Bulk, 9, 9), [""; 0]);
    assert_eq!(run.unreproducible(Bulk), [""; 0]);
    assert_eq!(run.lane(Bulk).state, "caught_up");
}

#[test]
fn after_a_stop_outcomes_are_saved_and_nothing_begins() {
    let mut run = Run::sending(Preset::Patient);
    assert_eq!(run.feed(Input::Stop), [""; 0]);
    assert_eq!(run.advanced(Urgent), [""; 0]);
    assert_eq!(run.advanced(Bulk), [""; 0]);
    assert_eq!(run.status(Bulk, 200), ["save bulk@3 | Delivered 1"]);
    assert_eq!(run.machine.wake_at(), None);
}

#[test]
fn a_stop_saves_what_waits_for_the_next_batch() {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Bulk);
    run.status(Bulk, 200);
    assert_eq!(run.feed(Input::Stop), ["save bulk@3 | Delivered 1"]);
    assert_eq!(run.cut(Bulk, 4..=5), [""; 0]);
}
