//! A sick endpoint is left alone, on the schedule.

use super::*;

const S: Duration = Duration::from_secs(1);

#[test]
fn a_sick_endpoint_is_tried_again_on_the_schedule_with_the_same_batch() {
    let mut run = Run::sending(Preset::Patient);
    let hourly = [3_600, 3_600, 3_600];
    let waits = crate::schedule::WAITS_S.into_iter().chain(hourly);
    for (tries, wait) in (1..).zip(waits) {
        let mut commands = run.no_answer(Bulk);
        assert_eq!(commands.remove(0), format!("save bulk@0 open 1-3 msg_1 tried {tries} | Sick {tries}"));
        if wait > 0 {
            assert_eq!(commands, [""; 0]);
            assert_eq!(run.lane(Bulk).state, "waiting");
            commands = run.wake_after(Duration::from_secs(wait));
        }
        assert_eq!(commands, ["probe bulk 1-3 msg_1"]);
    }
}

#[test]
fn each_sick_status_waits_and_leaves_no_refusal() {
    for status in [408, 429, 502, 503, 504] {
        let mut run = Run::sending(Preset::Patient);
        run.status(Bulk, status);
        assert_eq!(run.lane(Bulk).state, "waiting", "{status}");
        assert_eq!(run.saved.lanes[Lane::Bulk].open[0].refusal, None);
    }
}

#[test]
fn retry_after_lengthens_the_wait() {
    let mut run = Run::sending(Preset::Patient);
    run.outcome(Bulk, Reply::Complete { status: 429, retry_after: Some(60 * S) });
    run.wake_after(60 * S);
    run.outcome(Bulk, Reply::Complete { status: 503, retry_after: Some(S) });
    run.wake_after(3 * S);
    run.outcome(Bulk, Reply::Complete { status: 503, retry_after: Some(Duration::MAX) });
    run.wake_after(3_600 * S);
}

#[test]
fn a_success_resets_the_schedule() {
    let mut run = Run::sending(Preset::Patient);
    for _ in 0..3 {
        run.no_answer(Bulk);
        run.wake();
    }
    assert_eq!(run.machine.status().failures_in_a_row, 3);
    run.status(Bulk, 200);
    assert_eq!(run.machine.status().failures_in_a_row, 0);
    run.advanced(Bulk);
    run.cut(Bulk, 4..=4);
    run.no_answer(Bulk);
    run.wake_after(S);
}

#[test]
fn a_healthy_endpoint_is_kept_as_nothing() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    assert!(!run.saved.endpoint.0.is_null());
    run.wake();
    run.status(Bulk, 200);
    assert!(run.saved.endpoint.0.is_null());
}

#[test]
fn gone_disables_at_once_and_the_batch_stays() {
    let mut run = Run::sending(Preset::Patient);
    assert_eq!(run.status(Bulk, 410), ["save bulk@0 open 1-3 msg_1 tried 1 | Gone 1 | disable Gone"]);
    assert_eq!(run.lane(Bulk).state, "disabled");
    assert_eq!(run.machine.wake_at(), None);
    assert!(run.machine.is_parked());
    assert_eq!(run.advanced(Urgent), [""; 0]);
    let commands = run.edit(|settings| settings.enabled = true);
    assert_eq!(commands, ["read urgent after 0", "send bulk 1-3 msg_1"], "nothing is held against it");
}

#[test]
fn a_test_that_was_delivered_ends_the_wait_and_older_failures_are_no_news() {
    let mut run = Run::sending(Preset::Patient);
    for _ in 0..3 {
        run.no_answer(Bulk);
        run.wake();
    }
    run.no_answer(Bulk);
    assert_eq!(run.machine.status().failures_in_a_row, 4);
    let commands = run.feed(Input::TestDelivered);
    assert_eq!(run.machine.status().failures_in_a_row, 0);
    assert_eq!(commands, ["send bulk 1-3 msg_1", "save"]);
    let again = run.restarted();
    assert_eq!(again.machine.status().failures_in_a_row, 0, "on record too");
    run.no_answer(Bulk);
    assert_eq!(run.machine.status().failures_in_a_row, 1);
    run.wake_after(10 * S);
}

#[test]
fn a_test_that_was_delivered_ends_the_wait_of_a_refused_batch() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    assert_eq!(run.feed(Input::TestDelivered)[0], "send bulk 1-3 msg_1");
}

#[test]
fn a_test_does_not_stop_the_time_without_a_success() {
    let mut run = Run::sending(Preset::Patient);
    let gives_up = |commands: &[String]| commands.iter().any(|command| command.starts_with("measure"));
    let mut hours = 0;
    while !gives_up(&run.no_answer(Bulk)) {
        run.now += 3_600 * S;
        hours += 1;
        run.feed(Input::TestDelivered);
    }
    assert_eq!(hours, 72);
}

#[test]
fn since_when_a_response_is_awaited_is_told_unless_it_is_disabled() {
    let mut run = Run::sending(Preset::Patient);
    let sent = run.now;
    run.now += 100 * S;
    run.advanced(Urgent);
    assert_eq!((run.lane(Bulk).state, run.lane(Bulk).requested), ("sending", Some(sent)));
    run.edit(|settings| settings.enabled = false);
    assert_eq!((run.lane(Bulk).state, run.lane(Bulk).requested), ("disabled", None));
}

/// Requests of the bulk lane, twenty minutes apart: three of five are answered with this status, the others delivered.
fn three_of_five(run: &mut Run, requests: u64, status: u16) -> Vec<String> {
    let mut last = Vec::new();
    for n in 0..requests {
        if n > 0 {
            run.now += 1_200 * S;
            run.advanced(Bulk);
            if run.machine.couriers[Bulk].reading.is_some() {
                run.cut(Bulk, 10 * n..=10 * n + 2);
            } else {
                run.retry();
            }
        }
        last = run.status(Bulk, if n % 5 < 2 { 200 } else { status });
        if run.machine.couriers[Bulk].reading.is_some() {
            run.nothing(Bulk, 10 * n + 3);
        }
    }
    last
}

#[test]
fn original_disables_when_60_percent_failed_in_12_hours() {
    let mut run = Run::sending(Preset::Original);
    let last = three_of_five(&mut run, 20, 500);
    let reason = DisableReason::TooManyFailures { failed: 12, total: 20 };
    assert!(last[0].ends_with(&format!("disable {reason:?}")), "{last:?}");
    assert_eq!(run.lane(Bulk).state, "disabled");
    assert!(!run.lane(Bulk).open.is_empty(), "nothing is lost by it");
}

#[test]
fn being_asked_for_patience_does_not_count_as_failed() {
    let mut run = Run::sending(Preset::Original);
    three_of_five(&mut run, 100, 429);
    assert_ne!(run.lane(Bulk).state, "disabled");
}

#[test]
fn patient_does_not_count_failed_requests() {
    let mut run = Run::sending(Preset::Patient);
    three_of_five(&mut run, 100, 500);
    assert_ne!(run.lane(Bulk).state, "disabled");
}

#[test]
fn failed_requests_are_counted_across_restarts() {
    let mut run = Run::sending(Preset::Original);
    three_of_five(&mut run, 19, 500);
    let mut again = run.restarted();
    again.retry();
    again.now += 1_200 * S;
    let last = again.status(Bulk, 500);
    assert!(last[0].ends_with("disable TooManyFailures { failed: 12, total: 20 }"), "{last:?}");
}

#[test]
fn after_it_was_disabled_for_its_failures_it_can_be_enabled_again() {
    let mut run = Run::sending(Preset::Original);
    three_of_five(&mut run, 20, 500);
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Configured(run.settings.clone())), [""; 0]);
    again.edit(|settings| settings.enabled = true);
    again.status(Bulk, 500);
    assert_eq!(again.lane(Bulk).state, "refused", "one more failure does not disable it again");
}
