//! Somebody else has changed what is on record, so a step is not saved, and the record is loaded again.

use super::*;
use crate::{LostRange, LostReason};

fn nothing(_: &mut Saved) {}

#[test]
fn the_outcome_of_a_batch_that_is_still_on_record_counts() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken(nothing);
    assert_eq!(run.status(Bulk, 200), ["reload", "read bulk after 3"]);
    assert_eq!(run.nothing(Bulk, 3), ["save bulk@3 | Delivered 1"]);
    assert_eq!(run.last_step().attempts.len(), 1, "it is on record once");
}

#[test]
fn a_batch_whose_opening_was_not_saved_is_cut_anew() {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.status(Bulk, 200), ["read bulk after 3"]);
    run.overtaken(nothing);
    assert_eq!(run.cut(Bulk, 4..=5), ["reload", "read bulk after 3"]);
    assert_eq!(
        run.cut(Bulk, 4..=6),
        ["save bulk@3 open 4-6 msg_3 tried 0 | Delivered 1", "send bulk 4-6 msg_3"]
    );
}

#[test]
fn a_failure_that_was_not_saved_counts_once() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken(nothing);
    assert_eq!(run.no_answer(Bulk), ["reload", "save bulk@0 open 1-3 msg_1 tried 1 | Sick 1"]);
    assert_eq!(run.machine.status().failures_in_a_row, 1);
    assert_eq!(run.wake_after(Duration::from_secs(1)), ["probe bulk 1-3 msg_1"]);
    run.overtaken(nothing);
    run.status(Bulk, 422);
    assert_eq!(
        (run.machine.status().failures_in_a_row, run.saved.lanes[Lane::Bulk].open[0].batch.tries),
        (2, 2)
    );
}

#[test]
fn what_is_under_way_is_not_sent_a_second_time() {
    let mut run = Run::started(Settings { in_flight: 2, ..settings(Preset::Patient) }, Saved::default());
    run.nothing(Urgent, 0);
    run.cut_with_more(Bulk, 1..=3);
    run.cut_with_more(Bulk, 4..=6);
    assert_eq!(run.status(Bulk, 200), ["read bulk after 6"]);
    run.overtaken(nothing);
    assert_eq!(run.nothing(Bulk, 6), ["reload", "read bulk after 6"]);
    assert_eq!(run.sent_in(Bulk).len(), 1, "the second one is still under way");
    assert_eq!(run.nothing(Bulk, 6), ["save bulk@3 open 4-6 msg_2 tried 0 | Delivered 1"]);
    run.status(Bulk, 200);
    assert_eq!(run.saved.lanes[Lane::Bulk].cursor, Seq(6));
}

#[test]
fn a_batch_that_an_edit_supersedes_is_settled_if_it_was_delivered() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken_by_an_edit(|settings| settings.content_revision += 1);
    assert_eq!(run.status(Bulk, 200), ["reload", "read urgent after 0", "read bulk after 3"]);
    assert_eq!(run.nothing(Bulk, 3), ["save bulk@3 | Delivered 1"]);
}

#[test]
fn a_batch_that_an_edit_supersedes_is_cut_anew_if_it_failed() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken_by_an_edit(|settings| settings.content_revision += 1);
    assert_eq!(run.status(Bulk, 400)[..2], ["reload", "save bulk@0 | Refused 1"]);
    assert_eq!(run.saved.lanes[Lane::Bulk].open, []);
}

#[test]
fn an_edit_that_came_first_is_not_undone_by_what_the_endpoint_before_said() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken_by_an_edit(|_| ());
    let commands = run.status(Bulk, 410);
    assert_eq!(commands, ["reload", "save bulk@0 open 1-3 msg_1 tried 1 | Gone 1"], "not disabled");
}

#[test]
fn a_user_who_disables_it_first_finds_it_disabled_by_himself() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken_by_an_edit(|settings| settings.enabled = false);
    assert_eq!(run.status(Bulk, 410), ["reload", "save bulk@0 open 1-3 msg_1 tried 1 | Gone 1"]);
    assert_eq!(run.lane(Bulk).state, "disabled");
}

#[test]
fn what_retention_took_meanwhile_is_not_settled_twice() {
    let mut run = Run::sending(Preset::Patient);
    run.overtaken(|saved| saved.lanes[Lane::Bulk].pass(Seq(5)));
    assert_eq!(run.status(Bulk, 200), ["reload", "read bulk after 5"]);
    assert_eq!(run.nothing(Bulk, 5), ["save bulk@5 | Delivered 1"], "the attempt was made all the same");
}

#[test]
fn what_was_to_be_given_up_is_decided_anew() {
    let mut run = Run::sending(Preset::Original);
    run.fail_until_the_end(|run| run.no_answer(Bulk));
    run.overtaken(|saved| saved.lanes[Lane::Bulk].pass(Seq(2)));
    let commands = run.measured(Bulk, 3, 3);
    assert_eq!(commands[0], "reload");
    assert!(
        run.steps.iter().all(|step| step.lost.is_empty()),
        "nothing is lost by a step that was not saved"
    );
    assert_eq!(run.lane(Bulk).cursor, Seq(2), "retention has it on record");
    run.retry();
    run.cut(Bulk, 3..=3);
    assert_eq!(run.no_answer(Bulk)[1], "measure bulk after 2, older than 3068 s, at least 3");
}

#[test]
fn what_is_known_to_be_of_no_concern_is_not_searched_again() {
    let mut run = Run::idle(Preset::Patient);
    run.feed(Input::NoneUpTo { lane: Bulk, seq: Seq(90) });
    assert_eq!(run.reloaded(None, Vec::new()), [""; 0]);
    assert_eq!(run.lane(Bulk).cursor, Seq(90));
}

#[test]
fn a_kind_that_was_ticked_counts_from_where_the_store_says() {
    let mut run = Run::idle(Preset::Patient);
    run.feed(Input::NoneUpTo { lane: Bulk, seq: Seq(90) });
    run.known_to = Seq(50);
    let ticked = Some(Settings { content_revision: 2, ..run.settings.clone() });
    assert_eq!(run.reloaded(ticked, Vec::new()), ["read urgent after 0", "read bulk after 50"]);
}

#[test]
fn what_was_passed_is_put_on_record_later_if_its_step_was_not_saved() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.skipped(Bulk, 5, false);
    run.overtaken(nothing);
    assert_eq!(run.wake().1, ["reload"]);
    assert_eq!((run.lane(Bulk).cursor, run.saved.lanes[Lane::Bulk].cursor), (Seq(5), Seq(0)));
    assert_eq!(run.wake().1, ["save bulk@5"]);
}

#[test]
fn what_was_read_before_is_read_again() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.reloaded(None, Vec::new());
    assert_eq!(run.cut(Bulk, 1..=3), ["read bulk after 0"]);
}

#[test]
fn what_cannot_be_read_is_passed_only_when_it_is_on_record_as_lost() {
    let mut run = Run::idle(Preset::Patient);
    let unreadable = || Input::Batch {
        lane: Bulk,
        cut: None,
        scanned_to: Seq(9),
        skipped: true,
        more: false,
        unreadable: Some(LostRange {
            lane: Bulk,
            kinds: vec![Kind::Hit],
            first: Seq(1),
            last: Seq(9),
            events: 9,
            reason: LostReason::Damaged,
            detail: "a page cannot be read".to_owned(),
        }),
        webhook_id: WebhookId("msg_unused".into()),
    };
    run.advanced(Bulk);
    run.overtaken(nothing);
    assert_eq!(run.feed(unreadable()), ["reload", "read bulk after 0"]);
    assert_eq!(run.feed(unreadable()), ["save bulk@9 | lost bulk 1-9 (9)"]);
}
