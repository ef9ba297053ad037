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
        let refusal = run.saved.lanes[Lane::Bulk].open[0].refusal.clone().unwrap();
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
    assert_eq!(run.saved.lanes[Lane::Bulk].open, []);
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
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 400, "half of the 800 bytes that were refused");
    assert_eq!(run.cut(Bulk, 1..=4), ["save bulk@0 open 1-4 msg_2 tried 0", "probe bulk 1-4 msg_2"]);
    run.status(Bulk, 413);
    run.cut(Bulk, 1..=2);
    run.status(Bulk, 413);
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 100);
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
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 400);
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
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 512 * 1024);
}

/// Full batches that are delivered until more is asked for than before.
fn delivered_until_more_is_asked(run: &mut Run) -> u32 {
    let asked = run.machine.couriers[Bulk].asked.max_bytes;
    for successes in 1..100 {
        let first = run.lane(Bulk).cursor.0 + 1;
        let events = (run.machine.couriers[Bulk].asked.max_bytes / 100).clamp(1, 500);
        run.cut_with_more(Bulk, first..=first + events - 1);
        run.status(Bulk, 200);
        if run.machine.couriers[Bulk].asked.max_bytes > asked {
            return successes;
        }
    }
    panic!("{asked} bytes for ever");
}

#[test]
fn a_413_halves_and_twenty_full_batches_double_again() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    for events in [16, 8, 4, 2] {
        run.cut_with_more(Bulk, 1..=events);
        run.status(Bulk, 413);
    }
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 100, "one event a request");
    for asked in [200, 400, 800] {
        assert_eq!(delivered_until_more_is_asked(&mut run), 20);
        assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, asked);
    }
    let end = run.lane(Bulk).cursor.0;
    run.nothing(Bulk, end);
    let mut run = run.restarted();
    run.feed(Input::Due);
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 800, "a restart goes on there");
}

/// A large batch fails in this way; small ones pass.
fn fails_when_large(fail: fn(&mut Run) -> Vec<String>) {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.cut_with_more(Bulk, 1..=8);
    for _ in 0..2 {
        fail(&mut run);
        run.retry();
    }
    let under_way = run.under_way(Bulk);
    assert_eq!(under_way.as_str(), "msg_1", "it may be a moment's trouble");
    fail(&mut run);
    wait_for_a_read(&mut run);
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 400);
    let commands = run.cut_with_more(Bulk, 1..=4);
    assert_eq!(commands, ["save bulk@0 open 1-4 msg_2 tried 0", "probe bulk 1-4 msg_2"], "in one step");
    // Once more is enough now.
    fail(&mut run);
    wait_for_a_read(&mut run);
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 200);
    run.cut_with_more(Bulk, 1..=2);
    run.status(Bulk, 200);
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 400, "it may have been an outage");
    run.cut_with_more(Bulk, 3..=6);
    for _ in 0..2 {
        fail(&mut run);
        run.retry();
    }
    fail(&mut run);
    wait_for_a_read(&mut run);
    assert_eq!(run.machine.couriers[Bulk].asked.max_bytes, 200);
    assert_eq!(delivered_until_more_is_asked(&mut run), 4, "it was none");
}

/// Waits until the bulk lane is read, with nothing for the urgent one.
fn wait_for_a_read(run: &mut Run) {
    while run.machine.couriers[Bulk].reading.is_none() {
        assert_ne!(run.lane(Bulk).state, "sending", "the same batch is sent again");
        run.wake();
        if run.machine.couriers[Urgent].reading.is_some() {
            run.nothing(Urgent, 0);
        }
    }
}

#[test]
fn repeated_500s_resets_and_timeouts_have_a_smaller_batch_tried() {
    fails_when_large(|run| run.status(Bulk, 500));
    fails_when_large(|run| run.status(Bulk, 504));
    fails_when_large(|run| run.outcome(Bulk, Reply::BrokenOff));
}

#[test]
fn what_says_nothing_of_its_size_leaves_a_batch_as_it_is() {
    let overloaded = Reply::Complete { status: 500, retry_after: Some(S) };
    let others = [301, 400, 401, 404, 429, 503].map(|status| Reply::Complete { status, retry_after: None });
    for reply in [Reply::Incomplete, overloaded].into_iter().chain(others) {
        let mut run = Run::sending(Preset::Patient);
        for _ in 0..9 {
            run.outcome(Bulk, reply);
            run.retry();
        }
        assert_eq!(run.under_way(Bulk).as_str(), "msg_1", "{reply:?}");
    }
}

#[test]
fn the_schedule_of_a_refused_batch_goes_on_with_the_smaller_ones() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.cut(Bulk, 1..=2);
    for wait in [1, 3] {
        run.status(Bulk, 500);
        run.wake_after(wait * S);
    }
    run.status(Bulk, 500);
    assert_eq!(run.wake_after(5 * S), ["read bulk after 0"]);
    run.cut(Bulk, 1..=1);
    for wait in [10, 10] {
        run.status(Bulk, 500);
        assert_eq!(run.lane(Bulk).state, "refused");
        assert_eq!(run.wake_after(wait * S), ["probe bulk 1-1 msg_2"], "one event goes on");
    }
}
