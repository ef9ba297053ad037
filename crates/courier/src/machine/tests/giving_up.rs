//! The end of a schedule: unsettled events become a dead range.

use super::*;

const ORIGINAL_LIMIT_S: u64 = 3_068;

fn no_answer(run: &mut Run) -> Vec<String> {
    run.no_answer(Bulk)
}

fn refused(run: &mut Run) -> Vec<String> {
    run.status(Bulk, 400)
}

#[test]
fn original_gives_up_after_sixteen_retries_and_begins_anew_with_what_comes_next() {
    let mut run = Run::sending(Preset::Original);
    let (last, failures) = run.fail_until_the_end(no_answer);
    assert_eq!(failures, 17, "one attempt and sixteen retries");
    assert_eq!(
        last,
        [
            "save bulk@0 open 1-3 msg_1 tried 17 | Sick 17".to_owned(),
            format!("measure bulk after 0, older than {ORIGINAL_LIMIT_S} s, at least 3"),
        ]
    );
    assert_eq!(run.measured(Bulk, 40, 9), ["save bulk@40 | lost bulk 1-40 (9)", "read bulk after 40"]);
    assert_eq!(run.last_step().lost[0].detail, "no success in 16 retries; last: connection refused");
    assert_eq!(run.cut(Bulk, 41..=42), ["save bulk@40 open 41-42 msg_2 tried 0", "probe bulk 41-42 msg_2"]);
    run.no_answer(Bulk);
    run.wake_after(Duration::from_secs(1));
}

#[test]
fn beginning_anew_still_waits_as_long_as_the_receiver_asked_for() {
    let mut run = Run::sending(Preset::Original);
    let retry_after = Some(Duration::from_mins(1));
    let busy = |run: &mut Run| run.outcome(Bulk, Reply::Complete { status: 429, retry_after });
    for _ in 0..16 {
        busy(&mut run);
        run.retry();
    }
    assert!(busy(&mut run)[1].starts_with("measure"));
    assert_eq!(run.measured(Bulk, 3, 3), ["save bulk@3 | lost bulk 1-3 (3)"]);
    assert_eq!(run.wake_after(Duration::from_mins(1)), ["read bulk after 3"]);
}

#[test]
fn at_least_the_open_batch_goes() {
    let mut run = Run::sending(Preset::Original);
    run.fail_until_the_end(no_answer);
    assert_eq!(run.measured(Bulk, 0, 0)[0], "save bulk@3 | lost bulk 1-3 (3)");
}

#[test]
fn both_lanes_are_given_up_in_one_step() {
    let mut run = Run::sending(Preset::Original);
    run.no_answer(Bulk);
    run.advanced(Urgent);
    run.wake();
    run.cut(Urgent, 4..=4);
    let mut last = Vec::new();
    while run.lane(Urgent).state == "sending" {
        last = run.no_answer(Urgent);
        if run.machine.is_parked() {
            run.wake();
        }
    }
    let measure = |lane: &str, at_least| {
        format!("measure {lane} after 0, older than {ORIGINAL_LIMIT_S} s, at least {at_least}")
    };
    assert_eq!(last[1..], [measure("urgent", 4), measure("bulk", 3)]);
    assert_eq!(run.measured(Urgent, 4, 1), [""; 0]);
    assert_eq!(
        run.measured(Bulk, 9, 5),
        ["save urgent@4 bulk@9 | lost urgent 1-4 (1) | lost bulk 1-9 (5)", "read urgent after 4"]
    );
}

#[test]
fn a_dead_range_says_which_kinds_it_holds() {
    let mut run = Run::sending(Preset::Original);
    run.fail_until_the_end(no_answer);
    run.measured(Bulk, 40, 9);
    assert_eq!(run.last_step().lost[0].kinds, [Kind::Hit, Kind::Scope], "those of the lane that are ticked");
}

#[test]
fn patient_gives_up_after_72_hours_without_a_success_and_disables() {
    let mut run = Run::sending(Preset::Patient);
    let (last, failures) = run.fail_until_the_end(no_answer);
    assert!((80..90).contains(&failures), "{failures} failures: sixteen retries, then hourly");
    let hours = run.now.as_secs() / 3_600;
    assert!((72..75).contains(&hours), "{hours} hours");
    assert_eq!(last[1], "measure bulk after 0, older than 259200 s, at least 3");
    let disable = DisableReason::NoSuccess { limit_s: 259_200 };
    assert_eq!(run.measured(Bulk, 3, 3), [format!("save bulk@3 | lost bulk 1-3 (3) | disable {disable:?}")]);
    assert_eq!(run.last_step().lost[0].detail, "no success in 72 h; last: connection refused");
    assert_eq!(run.lane(Bulk).state, "disabled");
}

#[test]
fn refusing_everything_counts_like_sickness() {
    let mut run = Run::sending(Preset::Patient);
    run.fail_until_the_end(refused);
    let last = run.measured(Bulk, 3, 3);
    assert!(last[0].ends_with("disable NoSuccess { limit_s: 259200 }"), "{last:?}");
    assert_eq!(run.last_step().lost[0].detail, "no success in 72 h; last: answered with status 400");
}

#[test]
fn after_giving_up_and_enabling_again_it_has_its_72_hours_again() {
    let mut run = Run::sending(Preset::Patient);
    run.fail_until_the_end(no_answer);
    run.measured(Bulk, 3, 3);
    let commands = run.edit(|settings| settings.enabled = true);
    assert_eq!(commands, ["read urgent after 0", "read bulk after 3"]);
    run.nothing(Urgent, 0);
    run.cut(Bulk, 4..=4);
    run.no_answer(Bulk);
    run.wake_after(Duration::from_secs(1));
}

#[test]
fn original_gives_up_a_refused_batch_in_its_lane_alone() {
    let mut run = Run::sending(Preset::Original);
    let (last, failures) = run.fail_until_the_end(refused);
    assert_eq!(failures, 17);
    assert!(last[1].starts_with("measure bulk"), "{last:?}");
    run.advanced(Urgent);
    assert_eq!(run.cut(Urgent, 4..=4).len(), 2, "the other lane goes on meanwhile");
    assert_eq!(run.measured(Bulk, 3, 3), ["save bulk@3 | lost bulk 1-3 (3)", "read bulk after 3"]);
    assert_eq!(run.last_step().lost[0].detail, "refused in 16 retries; last: answered with status 400");
    assert_eq!(run.last_step().disable, None);
}

#[test]
fn patient_gives_up_a_refused_batch_after_72_hours_though_the_other_lane_succeeds() {
    let mut run = Run::sending(Preset::Patient);
    let mut at = 10;
    let last = loop {
        let commands = run.status(Bulk, 422);
        if commands.len() > 1 && commands[1].starts_with("measure") {
            break commands;
        }
        run.advanced(Urgent);
        run.cut(Urgent, at..=at);
        at += 1;
        run.status(Urgent, 200);
        run.retry();
    };
    assert_eq!(last[1], "measure bulk after 0, older than 259200 s, at least 3");
    assert_eq!(run.measured(Bulk, 3, 3)[0], "save bulk@3 | lost bulk 1-3 (3)");
    assert_eq!(run.last_step().disable, None, "the endpoint is alive");
    assert_eq!(run.last_step().lost[0].detail, "refused for 72 h; last: answered with status 422");
    assert!(run.now >= Duration::from_hours(72));
}

#[test]
fn time_with_nothing_to_send_is_not_time_without_a_success() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    run.moved(Bulk, 3);
    run.wake();
    run.nothing(Bulk, 3);
    run.now += Duration::from_hours(24 * 30);
    run.advanced(Bulk);
    run.cut(Bulk, 4..=4);
    assert_eq!(run.no_answer(Bulk).len(), 1, "one failure after a month: no reason to give up");
}

#[test]
fn a_request_that_is_still_under_way_may_be_the_success() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    while run.now < Duration::from_hours(69) {
        run.retry();
        run.status(Bulk, 503);
    }
    run.retry();
    run.status(Bulk, 400);
    run.advanced(Urgent);
    run.cut(Urgent, 9..=9);
    while run.now < Duration::from_hours(73) {
        run.retry();
        let commands = run.status(Bulk, 400);
        assert!(commands.iter().all(|command| !command.starts_with("measure")), "not yet: {commands:?}");
    }
    run.status(Urgent, 200);
    assert_ne!(run.lane(Bulk).state, "disabled");
}

#[test]
fn a_cursor_that_moves_meanwhile_calls_it_off_and_the_next_failure_gives_up() {
    let mut run = Run::sending(Preset::Original);
    run.fail_until_the_end(no_answer);
    run.moved(Bulk, 2);
    run.measured(Bulk, 40, 9);
    assert!(run.last_step().lost.is_empty(), "the answer is to another question");
    run.retry();
    run.cut(Bulk, 3..=3);
    let measure = format!("measure bulk after 2, older than {ORIGINAL_LIMIT_S} s, at least 3");
    assert_eq!(run.no_answer(Bulk)[1], measure);
    assert_eq!(run.measured(Bulk, 40, 9)[0], "save bulk@40 | lost bulk 3-40 (9)");
}

#[test]
fn an_edit_calls_it_off() {
    let mut run = Run::sending(Preset::Original);
    run.fail_until_the_end(no_answer);
    assert_eq!(run.edit(|_| {}), ["read urgent after 0"]);
    assert_eq!(run.nothing(Urgent, 0), [""; 0], "the batch is still being measured");
    assert_eq!(run.measured(Bulk, 40, 9), ["probe bulk 1-3 msg_1"]);
}

#[test]
fn an_edit_calls_off_a_lane_that_was_measured_already() {
    let mut run = Run::sending(Preset::Original);
    run.no_answer(Bulk);
    run.advanced(Urgent);
    run.wake();
    run.cut(Urgent, 4..=4);
    while run.machine.ending.is_none() {
        run.no_answer(Urgent);
        if run.machine.is_parked() {
            run.wake();
        }
    }
    assert_eq!(run.measured(Urgent, 4, 1), [""; 0]);
    assert_eq!(run.edit(|settings| settings.retry = Preset::Patient), ["probe urgent 4-4 msg_2"]);
    assert_eq!(run.measured(Bulk, 9, 5), [""; 0]);
    assert_eq!(run.status(Urgent, 200), ["read urgent after 4", "send bulk 1-3 msg_1"]);
}

#[test]
fn a_stop_calls_it_off_and_the_next_failure_gives_up() {
    let mut run = Run::sending(Preset::Original);
    run.fail_until_the_end(no_answer);
    run.feed(Input::Stop);
    assert_eq!(run.measured(Bulk, 40, 9), [""; 0]);
    let mut run = run.restarted();
    run.feed(Input::Due);
    run.nothing(Urgent, 0);
    let (waited, _) = run.wake();
    assert!(waited <= Duration::from_mins(5));
    run.nothing(Urgent, 0);
    assert!(run.no_answer(Bulk)[1].starts_with("measure bulk"));
}
