//! A receiver that takes so many requests a minute, and no more.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// One that may send sixty a minute, with events 1 to 3 on their way in the bulk lane since this moment.
fn paced() -> Run {
    let mut run = Run::idle(Preset::Patient);
    run.edit(|settings| settings.rate = Some(60));
    run.nothing(Urgent, 0);
    run.nothing(Bulk, 0);
    run.advanced(Bulk);
    run.cut(Bulk, 1..=3);
    run
}

#[test]
fn the_next_request_begins_a_second_after_the_one_before_and_takes_what_came_meanwhile() {
    let mut run = paced();
    run.now += SECOND / 4;
    run.advanced(Bulk);
    assert_eq!(run.ok_after(Bulk, SECOND / 4), ["save bulk@3 | Delivered 1"], "settled at once");
    assert_eq!(run.lane(Bulk).state, "waiting");
    assert_eq!(run.wake(), (SECOND * 3 / 4, vec!["read bulk after 3".to_owned()]));
    assert_eq!(run.machine.wake_at(), None, "the answer to the read comes as an input");
    run.cut(Bulk, 4..=90);
    assert_eq!(run.lane(Bulk).state, "sending");
}

#[test]
fn a_receiver_slower_than_its_rate_waits_for_nothing() {
    let mut run = paced();
    run.now += 3 * SECOND;
    run.advanced(Bulk);
    assert_eq!(run.ok_after(Bulk, 3 * SECOND), ["read bulk after 3"]);
}

#[test]
fn nothing_is_saved_up_while_there_is_nothing_to_send() {
    let mut run = paced();
    run.ok_after(Bulk, Duration::ZERO);
    run.now += 100 * SECOND;
    assert_eq!(run.advanced(Bulk), ["read bulk after 3"]);
    run.cut(Bulk, 4..=4);
    run.advanced(Urgent);
    assert_eq!(run.wake(), (SECOND, vec!["read urgent after 0".to_owned()]));
}

#[test]
fn both_lanes_share_the_pace_and_the_urgent_one_goes_first() {
    let mut run = paced();
    run.advanced(Bulk);
    run.advanced(Urgent);
    run.ok_after(Bulk, Duration::ZERO);
    assert_eq!(run.wake(), (SECOND, vec!["read urgent after 0".to_owned()]));
    assert_eq!(run.cut(Urgent, 4..=4)[1], "send urgent 4-4 msg_2");
    run.ok_after(Urgent, Duration::ZERO);
    assert_eq!(run.wake(), (SECOND, vec!["read bulk after 3".to_owned()]));
}

#[test]
fn an_urgent_lane_without_anything_wanted_lets_the_bulk_lane_go() {
    let mut run = paced();
    run.advanced(Bulk);
    run.advanced(Urgent);
    run.ok_after(Bulk, Duration::ZERO);
    assert_eq!(run.wake().1, ["read urgent after 0"]);
    assert_eq!(run.nothing(Urgent, 3), ["read bulk after 3"]);
}

#[test]
fn retries_keep_the_pace_too() {
    let mut run = paced();
    run.edit(|settings| settings.rate = Some(1));
    run.no_answer(Bulk);
    assert_eq!(run.wake(), (60 * SECOND, vec!["read urgent after 0".to_owned()]));
    assert_eq!(run.nothing(Urgent, 0), ["probe bulk 1-3 msg_1"]);
}

#[test]
fn a_request_that_had_to_wait_in_the_shell_counts_from_when_it_began() {
    let mut run = paced();
    run.advanced(Bulk);
    run.now += 10 * SECOND;
    run.ok_after(Bulk, SECOND / 4);
    assert_eq!(run.wake(), (SECOND * 3 / 4, vec!["read bulk after 3".to_owned()]));
}

#[test]
fn a_request_whose_batch_takes_long_to_save_counts_from_then() {
    let mut run = Run::idle(Preset::Patient);
    run.edit(|settings| settings.rate = Some(60));
    run.nothing(Urgent, 0);
    run.cut_with_more(Bulk, 1..=3);
    run.now += SECOND / 2;
    run.machine.carried_out(run.now);
    run.machine.carried_out(run.now + SECOND / 4);
    run.advanced(Urgent);
    assert_eq!(run.wake().0, SECOND);
}

#[test]
fn another_rate_counts_from_the_last_request() {
    let mut run = paced();
    run.advanced(Bulk);
    run.ok_after(Bulk, Duration::ZERO);
    assert_eq!(run.edit(|settings| settings.rate = Some(6)), [""; 0]);
    assert_eq!(run.wake().0, 10 * SECOND);
    let mut run = paced();
    run.advanced(Bulk);
    run.ok_after(Bulk, Duration::ZERO);
    assert_eq!(run.edit(|settings| settings.rate = None), ["read urgent after 0", "read bulk after 3"]);
}

#[test]
fn a_batch_that_was_under_way_before_a_restart_counts_as_just_sent() {
    let run = paced();
    let mut again = run.restarted();
    assert_eq!(again.machine.wake_at(), Some(SECOND));
    assert_eq!(again.feed(Input::Due), [""; 0]);
    assert_eq!(again.wake().1, ["read urgent after 0"]);
    assert_eq!(again.nothing(Urgent, 0), ["send bulk 1-3 msg_1"]);
}
