//! Several requests under way in a lane.

use super::*;

/// One that may have three requests under way in a lane: 1-3, 4-6 and 7-9 are, and there is more.
fn three() -> Run {
    several(Preset::Patient)
}

fn several(retry: Preset) -> Run {
    let mut run = Run::idle(retry);
    run.edit(|settings| settings.in_flight = 3);
    run.nothing(Urgent, 0);
    run.cut_with_more(Bulk, 1..=3);
    run.cut_with_more(Bulk, 4..=6);
    run.cut_with_more(Bulk, 7..=9);
    run
}

impl Run {
    /// The outcome of the batch with this number.
    fn answered(&mut self, batch: u32, status: u16) -> Vec<String> {
        let webhook_id = WebhookId(format!("msg_{batch}").into());
        let (reply, took) = (Reply::Complete { status, retry_after: None }, Duration::from_millis(20));
        let started_ms = 1_700_000_000_000;
        let (lane, address, error) = (Bulk, None, None);
        self.feed(Input::Outcome { lane, webhook_id, reply, started_ms, took, address, error })
    }
}

#[test]
fn a_lane_reads_on_while_requests_are_under_way_up_to_what_is_allowed() {
    let mut run = Run::idle(Preset::Patient);
    assert_eq!(run.edit(|settings| settings.in_flight = 2), ["read urgent after 0", "read bulk after 0"]);
    run.nothing(Urgent, 0);
    assert_eq!(
        run.cut_with_more(Bulk, 1..=3),
        ["save bulk@0 open 1-3 msg_1 tried 0", "send bulk 1-3 msg_1", "read bulk after 3"]
    );
    assert_eq!(
        run.cut_with_more(Bulk, 4..=6),
        ["save bulk@0 open 1-3 msg_1 tried 0 open 4-6 msg_2 tried 0", "send bulk 4-6 msg_2"]
    );
    assert_eq!(run.answered(1, 200), ["read bulk after 6"]);
    assert_eq!(
        run.cut(Bulk, 7..=8),
        ["save bulk@3 open 4-6 msg_2 tried 0 open 7-8 msg_3 tried 0 | Delivered 1", "send bulk 7-8 msg_3"]
    );
}

#[test]
fn the_cursor_waits_for_the_first_and_then_passes_all_that_is_settled_behind_it() {
    let mut run = three();
    run.answered(3, 200);
    run.nothing(Bulk, 9);
    run.answered(2, 200);
    assert_eq!(run.lane(Bulk).cursor, Seq(0));
    assert_eq!(run.lane(Bulk).settled_ahead, 6);
    assert_eq!(run.answered(1, 200), ["save bulk@9 | Delivered 1"]);
}

#[test]
fn what_was_settled_out_of_turn_is_not_sent_again_after_a_restart() {
    let mut run = three();
    run.answered(2, 200);
    assert_eq!(
        run.nothing(Bulk, 9),
        ["save bulk@0 open 1-3 msg_1 tried 0 and 3 settled to 6 open 7-9 msg_3 tried 0 | Delivered 1"]
    );
    let mut again = run.restarted();
    let commands = again.feed(Input::Due);
    assert_eq!(
        commands,
        ["read urgent after 0", "send bulk 1-3 msg_1", "send bulk 7-9 msg_3", "read bulk after 9"]
    );
}

#[test]
fn a_refused_batch_waits_in_its_place_and_the_others_go_on() {
    let mut run = three();
    assert_eq!(run.answered(1, 422).len(), 1);
    run.answered(2, 200);
    run.cut_with_more(Bulk, 10..=12);
    run.answered(3, 200);
    run.cut_with_more(Bulk, 13..=15);
    assert_eq!(run.lane(Bulk).cursor, Seq(0));
    assert_eq!(run.wake_after(Duration::from_secs(1)), ["send bulk 1-3 msg_1"]);
    run.answered(1, 200);
    assert_eq!(run.lane(Bulk).cursor, Seq(9));
}

#[test]
fn a_batch_that_is_refused_to_the_end_goes_alone() {
    let mut run = several(Preset::Original);
    let mut at = 10;
    let last = loop {
        let commands = run.answered(1, 422);
        if run.last_step().lost.len() == 1 {
            break commands;
        }
        // The second place goes to one new batch after the other.
        run.answered(run.minted - 1, 200);
        run.cut_with_more(Bulk, at..=at);
        at += 1;
        while !run.sent_in(Bulk).contains(&WebhookId("msg_1".into())) {
            run.wake();
        }
    };
    let lost = last.iter().find(|command| command.contains("lost")).expect("it is told");
    assert!(lost.contains("| lost bulk 1-3 (3)"), "{lost}");
    assert_eq!(run.last_step().lost[0].detail, "refused in 16 retries; last: answered with status 422");
    assert!(run.lane(Bulk).cursor >= Seq(6), "the cursor passes what was settled behind it");
    assert_eq!(run.last_step().disable, None);
}

#[test]
fn a_sick_endpoint_is_probed_by_one_request_and_gets_all_of_them_again_when_it_is_well() {
    let mut run = three();
    for batch in 1..=3 {
        run.answered(batch, 503);
    }
    assert_eq!(run.wake_after(Duration::from_secs(1)), ["probe bulk 1-3 msg_1"]);
    assert_eq!(run.machine.wake_at(), None, "nothing else until its outcome");
    run.answered(1, 503);
    assert_eq!(run.wake_after(Duration::from_secs(3)), ["probe bulk 1-3 msg_1"]);
    assert_eq!(
        run.answered(1, 200),
        ["send bulk 4-6 msg_2", "send bulk 7-9 msg_3", "read bulk after 9"],
        "{:?}",
        run.machine
    );
}

#[test]
fn giving_up_leaves_out_what_was_settled_beside_it() {
    let mut run = several(Preset::Original);
    run.answered(2, 200);
    run.nothing(Bulk, 9);
    run.answered(1, 503);
    let mut commands = run.answered(3, 503);
    while !commands.iter().any(|command| command.starts_with("measure")) {
        commands = if run.machine.couriers[Bulk].is_sending() { run.no_answer(Bulk) } else { run.wake().1 };
    }
    assert_eq!(commands[1], "measure bulk after 0, older than 3068 s, at least 9");
    // Three of each batch, and five that nobody has read yet.
    let given_up = run.measured(Bulk, 20, 14);
    assert_eq!(given_up[0], "save bulk@20 | lost bulk 1-3 (3) | lost bulk 7-20 (8)");
}

#[test]
fn a_batch_that_is_too_large_begins_anew_with_those_behind_it() {
    let mut run = three();
    run.answered(3, 200);
    run.nothing(Bulk, 9);
    let commands = run.answered(1, 413);
    assert_eq!(commands, ["save bulk@0 | Refused 1", "read bulk after 0"]);
    assert_eq!(
        run.cut_with_more(Bulk, 1..=1).last().unwrap(),
        "read bulk after 1",
        "the second one still has its place"
    );
    assert_eq!(run.cut_with_more(Bulk, 2..=2).len(), 2);
    assert_eq!(run.answered(2, 200), ["read bulk after 2"], "it settles nothing");
}

#[test]
fn fewer_at_once_take_effect_as_those_under_way_end() {
    let mut run = three();
    run.edit(|settings| settings.in_flight = 1);
    let open = "open 4-6 msg_2 tried 0 open 7-9 msg_3 tried 0";
    assert_eq!(run.answered(1, 200), [format!("save bulk@3 {open} | Delivered 1")], "nothing new");
    assert_eq!(run.answered(2, 503).len(), 1);
    assert_eq!(run.answered(3, 200)[0], "send bulk 4-6 msg_2");
    assert_eq!(run.answered(2, 200), ["read bulk after 9"]);
}

#[test]
fn changed_content_supersedes_all_of_them_and_lets_those_under_way_be_delivered() {
    let mut run = three();
    run.answered(2, 422);
    run.edit(|settings| settings.content_revision += 1);
    run.nothing(Urgent, 0);
    // The second one waited, and made room for what is cut anew; the third came behind it.
    assert_eq!(run.answered(1, 200), ["read bulk after 3"]);
    assert_eq!(
        run.cut(Bulk, 4..=8),
        ["save bulk@3 open 4-8 msg_4 tried 0 | Delivered 1", "send bulk 4-8 msg_4"]
    );
}

#[test]
fn a_cursor_that_the_store_moves_takes_along_what_it_passes() {
    let mut run = three();
    run.answered(2, 200);
    run.nothing(Bulk, 9);
    run.moved(Bulk, 3);
    assert_eq!(run.lane(Bulk).cursor, Seq(6), "what was settled behind the first one is settled");
    assert_eq!(run.lane(Bulk).open.len(), 1);
    run.moved(Bulk, 8);
    assert_eq!((run.lane(Bulk).cursor, run.lane(Bulk).open.len()), (Seq(8), 0));
}

#[test]
fn a_batch_that_cannot_be_made_again_begins_anew_with_those_behind_it() {
    let mut run = three();
    let commands = run.feed(Input::Unreproducible { lane: Bulk, webhook_id: WebhookId("msg_2".into()) });
    assert_eq!(commands, ["save bulk@0 open 1-3 msg_1 tried 0", "read bulk after 3"]);
    run.answered(3, 200);
    assert_eq!(run.cut(Bulk, 4..=9)[1], "send bulk 4-9 msg_4");
}
