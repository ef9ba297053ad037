//! After a crash or a stop a courier goes on where it was.

use super::*;

#[test]
fn a_batch_that_was_under_way_is_sent_again_as_it_was_at_once() {
    let run = Run::sending(Preset::Patient);
    let mut again = run.restarted();
    assert_eq!(again.machine.wake_at(), Some(Duration::ZERO));
    assert_eq!(again.feed(Input::Due), ["read urgent after 0", "send bulk 1-3 msg_1"]);
}

#[test]
fn a_delivery_that_was_not_saved_is_repeated_with_the_same_id() {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.status(Bulk, 200), ["read bulk after 3"]);
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Due)[1], "send bulk 1-3 msg_1");
}

#[test]
fn a_batch_that_waited_waits_for_what_is_left_and_time_in_between_counts() {
    let s = Duration::from_secs;
    let mut run = Run::sending(Preset::Patient);
    for _ in 0..30 {
        run.no_answer(Bulk);
        run.retry();
    }
    run.no_answer(Bulk);
    let until = run.machine.wake_at().unwrap().saturating_sub(run.now);
    assert!(until >= Duration::from_hours(1));
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Due), [""; 0]);
    let left = again.machine.wake_at().unwrap();
    assert!(left >= until && left < until + s(1), "{left:?} of {until:?}");
    let left =
        run.restarted_after(Duration::from_mins(20)).machine.wake_at().unwrap() + Duration::from_mins(20);
    assert!(left >= until && left < until + s(1), "{left:?} of {until:?}");
    let ended = run.restarted_after(Duration::from_hours(9)).machine.wake_at().unwrap();
    assert!(ended <= crate::schedule::SPREAD);
}

#[test]
fn what_retry_after_asked_for_is_kept_over_restarts_one_after_the_other() {
    let mut run = Run::sending(Preset::Patient);
    run.outcome(Bulk, Reply::Complete { status: 429, retry_after: Some(Duration::from_mins(50)) });
    for _ in 0..9 {
        run = run.restarted_after(Duration::from_mins(5));
        assert_eq!(run.feed(Input::Due), [""; 0]);
        // Something is saved meanwhile, as a lane that passes events does.
        run.advanced(Urgent);
    }
    let left = run.machine.wake_at().unwrap();
    assert!(left >= Duration::from_mins(5) && left <= Duration::from_mins(10), "{left:?}");
}

#[test]
fn a_refused_batch_goes_on_with_its_retries() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    run.wake();
    run.status(Bulk, 400);
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Due), ["read urgent after 0"]);
    again.nothing(Urgent, 0);
    assert_eq!(again.lane(Bulk).state, "refused");
    assert_eq!(again.wake_after(Duration::from_secs(3)), ["probe bulk 1-3 msg_1"]);
    again.status(Bulk, 400);
    again.wake_after(Duration::from_secs(5));
}

#[test]
fn the_time_without_a_success_goes_on_but_not_while_the_process_is_down() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    while run.now < Duration::from_hours(71) {
        run.retry();
        run.no_answer(Bulk);
    }
    let mut again = run.restarted();
    let mut commands = Vec::new();
    while again.now < Duration::from_hours(2) && commands.len() < 2 {
        again.retry();
        commands = again.no_answer(Bulk);
    }
    assert!(commands[1].starts_with("measure"), "{commands:?}");
}

#[test]
fn a_batch_that_was_cut_under_other_content_settings_is_superseded() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    run.settings.content_revision += 1;
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Due), ["read urgent after 0"]);
    assert_eq!(again.nothing(Urgent, 0), ["read bulk after 0"]);
    assert_eq!(again.cut(Bulk, 1..=3)[0], "save bulk@0 open 1-3 msg_2 tried 0");
    again.no_answer(Bulk);
    again.wake_after(Duration::from_secs(1));
}

#[test]
fn a_batch_that_the_stored_cursor_has_passed_is_dropped() {
    let mut run = Run::sending(Preset::Patient);
    run.saved.lanes[Lane::Bulk].cursor = Seq(1);
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Due), ["read urgent after 0", "read bulk after 1"]);
}

#[test]
fn a_state_that_cannot_be_read_counts_as_a_healthy_endpoint() {
    let mut run = Run::sending(Preset::Original);
    run.saved.endpoint.0 = serde_json::json!({"retries": "many"});
    run.saved.lanes[Lane::Bulk].open[0].refusal = Some(serde_json::json!({"stage": "unheard_of"}));
    let mut again = run.restarted();
    assert_eq!(again.feed(Input::Due)[1], "send bulk 1-3 msg_1");
    run.saved.endpoint.0 = serde_json::json!({
        "retries": 3, "sick": {"until_ms": BEGAN_MS + 5_000, "whole_ms": 5_000}, "from_a_later_version": 1
    });
    let wake_at = run.restarted().machine.wake_at();
    assert_eq!(wake_at, Some(Duration::from_secs(5)), "what is known is kept");
}

#[test]
fn a_machine_that_is_disabled_at_its_start_waits_to_be_enabled() {
    let mut run = Run::sending(Preset::Patient);
    run.settings.enabled = false;
    let mut again = run.restarted();
    assert_eq!(again.machine.wake_at(), None);
    assert_eq!(again.feed(Input::Configured(run.settings.clone())), [""; 0]);
    assert_eq!(
        again.edit(|settings| settings.enabled = true),
        ["read urgent after 0", "send bulk 1-3 msg_1"]
    );
}
