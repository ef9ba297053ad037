//! Lanes that begin further back, and end.

use super::*;
use crate::{LaneState, ReplayTerms};

const FIRST: Lane = Lane::Replay(1);
const SECOND: Lane = Lane::Replay(2);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Run {
    /// A user has what lies in this range sent once more.
    fn replay(&mut self, lane: Lane, range: RangeInclusive<u64>) -> Vec<String> {
        let last = Seq(*range.end());
        let cursor = Seq(*range.start() - 1);
        self.saved.lanes.insert(lane, LaneState { cursor, open: Vec::new() });
        let terms = ReplayTerms { last, paused: false, events_per_s: None, kinds: vec![Kind::Hit] };
        self.saved.replays.insert(lane, terms);
        self.reloaded(None, Vec::new())
    }

    fn steer(&mut self, lane: Lane, change: impl FnOnce(&mut ReplayTerms)) -> Vec<String> {
        change(&mut self.saved.replays[lane]);
        self.reloaded(None, Vec::new())
    }

    fn cancel(&mut self, lane: Lane) -> Vec<String> {
        self.saved.lanes.remove(lane);
        self.saved.replays.remove(lane);
        self.reloaded(None, Vec::new())
    }

    /// One live request from its read to its success.
    fn live_request(&mut self, event: u64) {
        self.advanced(Bulk);
        self.cut(Bulk, event..=event);
    }
}

/// An idle integration, and a replay of events 1 to 6.
fn replaying() -> Run {
    let mut run = Run::idle(Preset::Patient);
    assert_eq!(run.replay(FIRST, 1..=6), ["read replay-1 after 0"]);
    run
}

#[test]
fn a_replay_reads_from_its_beginning_and_is_gone_after_its_last_event() {
    let mut run = replaying();
    assert_eq!(
        run.cut_with_more(FIRST, 1..=4),
        ["save replay-1@0 open 1-4 msg_1 tried 0", "send replay-1 1-4 msg_1"]
    );
    assert_eq!(run.status(FIRST, 200), ["read replay-1 after 4"]);
    run.cut(FIRST, 5..=6);
    assert_eq!(run.status(FIRST, 200), ["save replay-1@6 | Delivered 1"]);
    assert!(run.machine.status().lanes.lanes().eq(Lane::LIVE), "it is gone");
    assert!(run.machine.is_parked());
    assert_eq!(run.machine.wake_at(), None);
}

#[test]
fn a_replay_of_nothing_ends_at_once() {
    let mut run = replaying();
    assert_eq!(run.nothing(FIRST, 6), ["save replay-1@6"]);
    assert!(run.machine.status().lanes.lanes().eq(Lane::LIVE));
}

#[test]
fn a_replay_goes_on_after_a_crash_where_it_was() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=4);
    let mut run = run.restarted();
    assert_eq!(run.feed(Input::Due)[..2], ["read urgent after 0", "read bulk after 0"], "live lanes first");
    run.nothing(Urgent, 0);
    assert_eq!(run.nothing(Bulk, 0), ["send replay-1 1-4 msg_1"]);
    assert_eq!(run.status(FIRST, 200), ["read replay-1 after 4"]);
}

#[test]
fn live_events_go_first_and_do_not_wait_for_a_replay() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=2);
    run.advanced(Bulk);
    assert_eq!(run.cut(Bulk, 7..=7)[1], "send bulk 7-7 msg_2", "beside the one of the replay");
    assert_eq!(
        run.status(FIRST, 200),
        ["save replay-1@2 | Delivered 1"],
        "it waits while the live one is under way"
    );
    assert_eq!(run.lane(FIRST).state, "waiting");
    assert_eq!(run.status(Bulk, 200), ["read replay-1 after 2", "save bulk@7 | Delivered 1"]);
}

#[test]
fn one_request_in_ten_is_a_replays_while_live_lanes_are_never_at_rest() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=1);
    run.live_request(10);
    run.status(FIRST, 200);
    let mut live = 1;
    for event in 11.. {
        // More has come before each answer, so that the lane has no rest.
        run.advanced(Bulk);
        if run.status(Bulk, 200).iter().any(|command| command.starts_with("read replay-1")) {
            break;
        }
        if run.cut(Bulk, event..=event).iter().any(|command| command.starts_with("read replay-1")) {
            live += 1;
            break;
        }
        live += 1;
    }
    assert_eq!(live, 9);
    assert!(run.cut_with_more(FIRST, 2..=2).iter().any(|command| command.starts_with("send replay-1 2-2 ")));
}

#[test]
fn several_replays_take_turns_one_request_at_a_time() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=1);
    assert_eq!(run.replay(SECOND, 1..=6), [""; 0]);
    assert_eq!(run.status(FIRST, 200), ["read replay-2 after 0", "save replay-1@1 | Delivered 1"]);
    run.cut_with_more(SECOND, 1..=1);
    assert_eq!(run.status(SECOND, 200), ["read replay-1 after 1", "save replay-2@1 | Delivered 1"]);
}

#[test]
fn a_paused_replay_keeps_its_place_and_lets_others_go() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=4);
    run.steer(FIRST, |terms| terms.paused = true);
    assert_eq!(run.status(FIRST, 200), ["save replay-1@4 | Delivered 1"], "what is under way may arrive");
    assert_eq!((run.lane(FIRST).state, run.machine.wake_at()), ("paused", None));
    assert_eq!(run.replay(SECOND, 1..=2), ["read replay-2 after 0"]);
    run.cut(SECOND, 1..=2);
    run.status(SECOND, 200);
    assert_eq!(run.steer(FIRST, |terms| terms.paused = false), ["read replay-1 after 4"]);
}

#[test]
fn a_batch_of_a_paused_replay_that_failed_waits_for_its_user() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=4);
    run.steer(FIRST, |terms| terms.paused = true);
    run.no_answer(FIRST);
    assert_eq!(run.machine.wake_at(), None);
    run.now += s(60);
    assert_eq!(
        run.steer(FIRST, |terms| terms.paused = false),
        ["probe replay-1 1-4 msg_1"],
        "the same batch"
    );
}

#[test]
fn a_cancelled_replay_sends_nothing_more_and_what_was_under_way_is_in_the_log() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=4);
    assert_eq!(run.cancel(FIRST), [""; 0]);
    assert!(run.machine.status().lanes.lanes().eq(Lane::LIVE));
    assert_eq!(run.status(FIRST, 200), ["save | Delivered 1"], "an attempt, and no lane");
    assert!(run.machine.is_parked());
    assert_eq!(run.status(FIRST, 200), [""; 0], "nobody waits for it");
}

#[test]
fn a_replay_that_is_cancelled_while_it_reads_is_gone_with_the_answer() {
    let mut run = replaying();
    run.cancel(FIRST);
    assert_eq!(run.cut_with_more(FIRST, 1..=4), [""; 0]);
    assert!(run.machine.is_parked());
}

#[test]
fn a_replay_sends_no_more_events_a_second_than_it_may() {
    let mut run = Run::idle(Preset::Patient);
    run.replay(FIRST, 1..=100);
    run.steer(FIRST, |terms| terms.events_per_s = Some(20));
    assert_eq!(run.cut_with_more(FIRST, 1..=100), ["read replay-1 after 0"], "too many were asked for");
    assert_eq!(run.machine.couriers[FIRST].asked.max_events, 20);
    run.cut_with_more(FIRST, 1..=20);
    run.now += s(1) / 4;
    run.status(FIRST, 200);
    assert_eq!(run.lane(FIRST).state, "waiting");
    assert_eq!(run.wake(), (s(1) * 3 / 4, vec!["read replay-1 after 20".to_owned()]));
}

#[test]
fn the_failures_of_a_replay_count_in_no_health_figure_and_give_nothing_up() {
    let mut run = Run::idle(Preset::Original);
    run.replay(FIRST, 1..=6);
    run.cut(FIRST, 1..=6);
    for failures in 1..60 {
        let commands = run.no_answer(FIRST);
        let text = format!("save replay-1@0 open 1-6 msg_1 tried {failures} | Sick {failures}");
        assert_eq!(commands[0], text);
        assert_eq!(run.machine.status().failures_in_a_row, 0);
        // One of the waits is none.
        let again = if commands.len() == 2 { commands[1..].to_vec() } else { run.wake().1 };
        assert_eq!(again, ["probe replay-1 1-6 msg_1"]);
    }
    assert_eq!(run.status(FIRST, 200), ["save replay-1@6 | Delivered 60"]);
}

#[test]
fn a_replay_waits_for_a_sick_endpoint_as_live_lanes_do() {
    let mut run = Run::sending(Preset::Patient);
    run.replay(FIRST, 1..=3);
    assert_eq!(run.no_answer(Bulk).len(), 1, "nothing but the save");
    assert_eq!(run.wake_after(s(1)), ["probe bulk 1-3 msg_1"], "the live lane probes");
    run.status(Bulk, 200);
    assert_eq!(run.nothing(Bulk, 3)[1], "read replay-1 after 0");
}

#[test]
fn a_replay_is_not_given_up_with_the_endpoint() {
    let mut run = Run::sending(Preset::Original);
    run.replay(FIRST, 1..=3);
    let (commands, _) = run.fail_until_the_end(|run| run.no_answer(Bulk));
    assert_eq!(commands.iter().filter(|command| command.starts_with("measure")).count(), 1, "{commands:?}");
    run.measured(Bulk, 3, 3);
    assert_eq!(run.saved.lanes[FIRST].cursor, Seq(0));
}

#[test]
fn changed_content_supersedes_the_batch_of_a_replay_too() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=4);
    run.no_answer(FIRST);
    let commands = run.edit(|settings| settings.content_revision = 2);
    assert!(commands.iter().any(|command| command.starts_with("read")), "{commands:?}");
    run.nothing(Urgent, 0);
    run.nothing(Bulk, 0);
    assert_eq!(run.lane(FIRST).open, [], "cut anew");
}

#[test]
fn retention_moves_a_replay_on() {
    let mut run = replaying();
    run.cut_with_more(FIRST, 1..=4);
    run.saved.lanes[FIRST].pass(Seq(5));
    run.reloaded(None, Vec::new());
    assert_eq!(run.lane(FIRST).cursor, Seq(5));
    run.status(FIRST, 200);
    assert_eq!(run.cut(FIRST, 6..=6)[1], "send replay-1 6-6 msg_2");
}

#[test]
fn what_was_retried_now_keeps_its_id_and_its_place_in_the_schedule() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    run.wake();
    run.no_answer(Bulk);
    assert_eq!(run.feed(Input::RetryNow), ["probe bulk 1-3 msg_1"]);
    run.no_answer(Bulk);
    run.wake_after(s(5));
}

#[test]
fn a_refused_batch_is_retried_now_too() {
    let mut run = Run::sending(Preset::Patient);
    run.status(Bulk, 400);
    assert_eq!(run.feed(Input::RetryNow), ["probe bulk 1-3 msg_1"]);
    run.status(Bulk, 400);
    run.wake_after(s(3));
}

#[test]
fn a_batch_that_may_be_too_large_is_cut_smaller_at_once() {
    let mut run = replaying();
    run.cut(FIRST, 1..=6);
    run.status(FIRST, 500);
    run.wake_after(s(1));
    run.status(FIRST, 500);
    run.wake_after(s(3));
    run.status(FIRST, 500);
    assert_eq!(run.wake_after(s(5)), ["read replay-1 after 0"], "it does not stand still");
    assert_eq!(run.cut_with_more(FIRST, 1..=3)[1], "send replay-1 1-3 msg_2");
}

#[test]
fn a_batch_that_is_refused_to_the_end_is_lost_alone() {
    let mut run = Run::idle(Preset::Original);
    run.replay(FIRST, 1..=1_000_000);
    run.cut_with_more(FIRST, 1..=4);
    let refused = loop {
        let commands = run.status(FIRST, 400);
        if commands.iter().any(|command| command.contains("lost")) {
            break commands;
        }
        if run.lane(FIRST).state != "sending" {
            run.wake();
        }
    };
    assert!(refused.iter().any(|command| command.contains("lost replay-1 1-4 (4)")), "{refused:?}");
    assert!(refused.contains(&"read replay-1 after 4".to_owned()), "{refused:?}");
}

#[test]
fn a_replay_that_reads_for_its_turn_is_not_overtaken_by_a_live_lane() {
    let mut run = replaying();
    run.edit(|settings| settings.rate = Some(60));
    run.nothing(Urgent, 0);
    run.nothing(Bulk, 0);
    run.cut_with_more(FIRST, 1..=1);
    run.now += s(1);
    run.status(FIRST, 200);
    // Live events come without a pause: nine requests of theirs, and then the replay's.
    let mut sent = Vec::new();
    for event in 10..32 {
        run.advanced(Bulk);
        let reads_for_its_turn = run.machine.couriers[FIRST].reading.is_some();
        let commands = if reads_for_its_turn {
            run.cut_with_more(FIRST, event - 8..=event - 8)
        } else {
            run.cut(Bulk, event..=event)
        };
        sent.extend(
            commands
                .iter()
                .filter(|command| command.starts_with("send"))
                .map(|command| command[5..10].to_owned()),
        );
        run.now += s(1);
        run.advanced(Bulk);
        if run.lane(FIRST).state == "sending" && run.machine.couriers[FIRST].reading.is_none() {
            run.status(FIRST, 200);
        } else {
            run.status(Bulk, 200);
        }
        run.advanced(Bulk);
    }
    let turns = sent.iter().filter(|lane| *lane == "repla").count();
    assert!((1..=3).contains(&turns), "{sent:?}");
}
