//! An answer that is complete, not 2xx and not sick: the batch is not liked.

use super::*;

const S: Duration = Duration::from_secs(1);

#[test]
fn a_refused_batch_waits_on_the_schedule_in_its_lane() {
    let mut run = Run::sending(Preset::Patient);
    for (tries, wait) in (1..).zip(crate::schedule::WAITS_S) {
        let mut commands = run.status(Bulk, 302);
        assert_eq!(commands.remove(0), format!("save bulk@0 open 1-3 msg_1 tried {tries} | Refused {tries}"));
        let stage = if tries <= 5 { "first_cycle" } else { "on_schedule" };
        let refusal = run.saved.lanes[1].open[0].refusal.clone().unwrap();
        assert_eq!((refusal["stage"].as_str(), refusal["retries"].as_u64()), (Some(stage), Some(tries)));
        if wait > 0 {
            assert_eq!(run.lane(Bulk).state, "refused");
            commands = run.wake_after(Duration::from_secs(wait));
        }
        assert_eq!(commands, ["probe bulk 1-3 msg_1"]);
    }
    run.status(Bulk, 500);
    run.wake_after(3_600 * S);
}

#[test]
fn retry_after_lengthens_the_lanes_wait_too() {
    let mut run = Run::sending(Preset::Patient);
    run.outcome(Bulk, Reply::Complete { status: 400, retry_after: Some(20 * S) });
    run.wake_after(20 * S);
}

#[test]
fn a_refusal_ends_with_the_batch() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    run.wake();
    run.status(Bulk, 200);
    assert_eq!(run.saved.lanes[1].open, []);
    run.advanced(Bulk);
    run.cut(Bulk, 4..=4);
    run.status(Bulk, 400);
    run.wake_after(S);
}

#[test]
fn sickness_in_between_does_not_use_up_the_refused_batchs_retries() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    run.wake_after(S);
    run.no_answer(Bulk);
    run.wake_after(S);
    run.status(Bulk, 400);
    run.wake_after(3 * S);
}

#[test]
fn a_batch_that_is_too_large_is_superseded_at_once_by_a_smaller_one() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.cut(Bulk, 1..=8);
    assert_eq!(run.status(Bulk, 413), ["save bulk@0 | Refused 1", "read bulk after 0"]);
    assert_eq!(run.machine.couriers[1].asked.max_bytes, 400, "half of the 800 bytes that were refused");
    assert_eq!(run.cut(Bulk, 1..=4), ["save bulk@0 open 1-4 msg_2 tried 0", "probe bulk 1-4 msg_2"]);
    run.status(Bulk, 413);
    run.cut(Bulk, 1..=2);
    run.status(Bulk, 413);
    assert_eq!(run.machine.couriers[1].asked.max_bytes, 100);
    run.cut(Bulk, 1..=1);
    assert_eq!(
        run.status(Bulk, 413),
        ["save bulk@0 open 1-1 msg_4 tried 1 | Refused 1"],
        "a single event waits"
    );
    assert_eq!(run.lane(Bulk).state, "refused");
}

#[test]
fn what_a_target_takes_is_remembered_across_success_and_restart() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.cut(Bulk, 1..=8);
    run.status(Bulk, 413);
    run.cut(Bulk, 1..=4);
    run.status(Bulk, 200);
    let mut run = run.restarted();
    run.feed(Input::Due);
    assert_eq!(run.machine.couriers[1].asked.max_bytes, 400);
}

#[test]
fn what_a_target_takes_is_forgotten_when_it_is_edited() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.cut(Bulk, 1..=8);
    run.status(Bulk, 413);
    run.cut(Bulk, 1..=4);
    run.status(Bulk, 200);
    assert_eq!(run.edit(|_| {}), ["read urgent after 0", "read bulk after 4"]);
    assert_eq!(run.machine.couriers[1].asked.max_bytes, 512 * 1024);
}
