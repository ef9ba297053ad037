//! Two lanes, one endpoint.

use super::*;

/// Both lanes have a batch on its way: 1-3 in bulk, 4-4 in urgent.
fn both_sending() -> Run {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Urgent);
    run.cut(Urgent, 4..=4);
    run
}

#[test]
fn lanes_of_a_healthy_endpoint_do_not_wait_for_each_other() {
    let run = both_sending();
    assert_eq!((run.lane(Urgent).state, run.lane(Bulk).state), ("sending", "sending"));
}

#[test]
fn a_sick_endpoint_stops_both_lanes_and_the_urgent_one_probes() {
    let mut run = both_sending();
    run.no_answer(Bulk);
    run.no_answer(Urgent);
    assert_eq!((run.lane(Urgent).state, run.lane(Bulk).state), ("waiting", "waiting"));
    assert_eq!(run.wake_after(Duration::from_secs(1)), ["probe urgent 4-4 msg_2"]);
    assert_eq!(run.status(Urgent, 200), ["send bulk 1-3 msg_1", "save urgent@4 | Delivered 2"]);
}

#[test]
fn the_lanes_fail_together_but_wait_once() {
    let mut run = both_sending();
    run.no_answer(Bulk);
    run.no_answer(Urgent);
    run.wake_after(Duration::from_secs(1));
    run.no_answer(Urgent);
    run.wake_after(Duration::from_secs(3));
}

#[test]
fn a_late_sick_answer_can_still_lengthen_the_wait() {
    let mut run = both_sending();
    run.no_answer(Bulk);
    let retry_after = Some(Duration::from_secs(90));
    run.outcome(Urgent, Reply::Complete { status: 503, retry_after });
    run.wake_after(Duration::from_secs(90));
}

#[test]
fn no_probe_leaves_while_the_other_lane_still_hangs() {
    let mut run = both_sending();
    run.no_answer(Bulk);
    let (_, commands) = run.wake();
    assert_eq!(commands, [""; 0]);
    assert_eq!(run.machine.wake_at(), None, "the other outcome comes first");
    let commands = run.no_answer(Urgent);
    assert_eq!(commands[1..], ["probe urgent 4-4 msg_2"], "the wait is over already");
}

#[test]
fn an_urgent_probe_does_not_leave_while_a_bulk_request_hangs_either() {
    let mut run = both_sending();
    run.no_answer(Urgent);
    assert_eq!(run.wake().1, [""; 0]);
    assert_eq!(run.no_answer(Bulk)[1..], ["probe urgent 4-4 msg_2"]);
}

#[test]
fn a_success_of_the_other_lane_ends_the_wait() {
    let mut run = both_sending();
    run.no_answer(Bulk);
    assert_eq!(run.status(Urgent, 200)[0], "send bulk 1-3 msg_1");
}

#[test]
fn an_answer_that_is_not_sick_lets_the_other_lane_join() {
    let mut run = both_sending();
    run.no_answer(Bulk);
    run.no_answer(Urgent);
    run.wake();
    let commands = run.status(Urgent, 404);
    assert_eq!(commands[1..], ["probe bulk 1-3 msg_1"], "its own failure still makes it a probe");
    assert_eq!(run.lane(Urgent).state, "refused");
}

#[test]
fn bulk_probes_when_urgent_has_nothing() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    assert_eq!(run.wake().1, ["probe bulk 1-3 msg_1"]);
}

#[test]
fn urgent_events_that_come_while_it_is_sick_probe_first() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    assert_eq!(run.advanced(Urgent), [""; 0]);
    assert_eq!(run.lane(Urgent).state, "waiting", "not caught up: it has not looked");
    assert_eq!(run.wake().1, ["read urgent after 0"]);
    assert_eq!(run.cut(Urgent, 4..=4), ["save urgent@0 open 4-4 msg_2 tried 0", "probe urgent 4-4 msg_2"]);
}

#[test]
fn bulk_probes_when_urgent_looked_and_found_nothing() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    run.advanced(Urgent);
    run.wake();
    assert_eq!(run.nothing(Urgent, 3), ["probe bulk 1-3 msg_1"]);
}

#[test]
fn a_batch_that_was_being_cut_when_the_endpoint_fell_sick_is_cut_again_later() {
    let mut run = both_sending();
    run.advanced(Urgent);
    run.status(Urgent, 200);
    run.no_answer(Bulk);
    assert_eq!(run.cut(Urgent, 5..=5), [""; 0], "not opened: more may have come by then");
    assert_eq!(run.wake().1, ["read urgent after 4"]);
}

#[test]
fn when_one_lane_disables_the_request_of_the_other_stays_on_record() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    run.wake();
    run.advanced(Urgent);
    run.cut(Urgent, 4..=4);
    let saved = "save urgent@0 open 4-4 msg_2 tried 1 bulk@0 open 1-3 msg_1 tried 1 | Gone 1 | disable Gone";
    assert_eq!(run.status(Urgent, 410), [saved]);
    assert_eq!(
        run.saved.lanes[Lane::Bulk].open[0].refusal,
        None,
        "whoever enables it again begins with a clean slate"
    );
    assert_eq!(run.status(Bulk, 200), ["save bulk@3 | Delivered 2"]);
}

#[test]
fn a_refused_batch_blocks_its_own_lane_only() {
    let mut run = both_sending();
    run.status(Bulk, 400);
    run.status(Urgent, 200);
    run.advanced(Urgent);
    assert_eq!(run.cut(Urgent, 5..=5), ["save urgent@4 open 5-5 msg_3 tried 0", "send urgent 5-5 msg_3"]);
    assert_eq!(run.lane(Bulk).state, "refused");
}
