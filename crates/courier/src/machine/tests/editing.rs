//! Users change things.

use super::*;

fn content(settings: &mut Settings) {
    settings.content_revision += 1;
}

#[test]
fn changed_content_supersedes_a_waiting_batch_and_resets_the_schedule() {
    let mut run = Run::sending(Preset::Patient);
    for _ in 0..3 {
        run.no_answer(Bulk);
        run.wake();
    }
    run.no_answer(Bulk);
    assert_eq!(run.edit(content), ["read urgent after 0"], "the urgent lane has a look first: one probe");
    assert_eq!(run.nothing(Urgent, 0), ["read bulk after 0"]);
    assert_eq!(run.cut(Bulk, 1..=2), ["save bulk@0 open 1-2 msg_2 tried 0", "probe bulk 1-2 msg_2"]);
    assert_eq!(run.saved.lanes[Lane::Bulk].open.first().map(|open| open.batch.content_revision), Some(2));
    run.no_answer(Bulk);
    run.wake_after(Duration::from_secs(1));
}

#[test]
fn a_batch_under_way_is_settled_as_it_was_if_it_is_delivered() {
    let mut run = Run::sending(Preset::Patient);
    assert_eq!(run.edit(content), ["read urgent after 0"]);
    assert_eq!(run.status(Bulk, 200), ["read bulk after 3"]);
    assert_eq!(run.nothing(Bulk, 3), ["save bulk@3 | Delivered 1"]);
}

#[test]
fn a_batch_under_way_is_superseded_if_it_fails() {
    for status in [400, 413, 410, 503] {
        let mut run = Run::sending(Preset::Patient);
        run.edit(content);
        run.nothing(Urgent, 0);
        let saved = run.status(Bulk, status).remove(0);
        assert!(saved.starts_with("save bulk@0 |"), "{status}: {saved}");
        assert_eq!(run.saved.lanes[Lane::Bulk].open, [], "{status}");
    }
}

#[test]
fn a_batch_that_was_not_sent_because_its_integration_was_disabled_stays_as_it_is() {
    let mut run = Run::sending(Preset::Patient);
    run.no_answer(Bulk);
    assert_eq!(run.wake().1, ["probe bulk 1-3 msg_1"]);
    run.edit(|settings| settings.enabled = false);
    assert_eq!(run.not_sent(Bulk), [""; 0]);
    assert_eq!(run.saved.lanes[Lane::Bulk].open.first().map(|open| open.batch.tries), Some(1));
    let mut commands = run.edit(|settings| settings.enabled = true);
    commands.extend(run.nothing(Urgent, 0));
    assert_eq!(commands.last().map(String::as_str), Some("send bulk 1-3 msg_1"), "{commands:?}");
}

#[test]
fn what_was_read_under_other_settings_is_read_again() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.edit(content);
    assert_eq!(run.cut(Bulk, 1..=3), ["read bulk after 0"]);
}

#[test]
fn an_edit_of_the_transport_tries_again_at_once_and_keeps_the_tries() {
    for fail in [Run::no_answer, |run: &mut Run, lane| run.status(lane, 404)] {
        let mut run = Run::sending(Preset::Patient);
        for _ in 0..3 {
            fail(&mut run, Bulk);
            run.wake();
        }
        fail(&mut run, Bulk);
        let mut commands = run.edit(|_| {});
        // A sick endpoint gets one probe, and the urgent lane looks first whether it has something to send.
        commands.extend(run.nothing(Urgent, 0));
        assert_eq!(commands, ["read urgent after 0", "probe bulk 1-3 msg_1"]);
        fail(&mut run, Bulk);
        assert_eq!(run.saved.lanes[Lane::Bulk].open.first().map(|open| open.batch.tries), Some(5));
        run.wake_after(Duration::from_secs(10));
    }
}

#[test]
fn a_disabled_integration_sends_nothing_and_records_what_was_under_way() {
    let mut run = Run::sending(Preset::Patient);
    run.edit(|settings| settings.enabled = false);
    assert_eq!(run.advanced(Bulk), [""; 0]);
    assert_eq!(run.advanced(Urgent), [""; 0]);
    assert_eq!(run.status(Bulk, 200), ["save bulk@3 | Delivered 1"]);
    assert_eq!((run.lane(Bulk).state, run.machine.wake_at()), ("disabled", None));
    assert_eq!(run.edit(|settings| settings.enabled = true), ["read urgent after 0", "read bulk after 3"]);
}

#[test]
fn what_is_read_while_it_is_disabled_is_not_opened_and_the_settlement_is_kept() {
    let mut run = Run::sending(Preset::Patient);
    run.advanced(Bulk);
    run.status(Bulk, 200);
    run.edit(|settings| settings.enabled = false);
    assert_eq!(run.cut(Bulk, 4..=5), ["save bulk@3 | Delivered 1"]);
}

#[test]
fn a_batch_that_failed_while_it_was_disabled_is_sent_again_as_it_was() {
    let mut run = Run::sending(Preset::Patient);
    run.edit(|settings| settings.enabled = false);
    assert_eq!(
        run.status(Bulk, 410),
        ["save bulk@0 open 1-3 msg_1 tried 1 | Gone 1"],
        "it is disabled already"
    );
    let commands = run.edit(|settings| settings.enabled = true);
    assert_eq!(commands, ["read urgent after 0", "send bulk 1-3 msg_1"]);
}

#[test]
fn the_answer_gone_of_the_url_before_does_not_disable_the_present_one() {
    let mut run = Run::sending(Preset::Patient);
    run.edit(|_| ());
    assert_eq!(run.status(Bulk, 410), ["save bulk@0 open 1-3 msg_1 tried 1 | Gone 1"]);
    run.retry();
    let gone = "save bulk@0 open 1-3 msg_1 tried 2 | Gone 2 | disable Gone";
    assert_eq!(run.status(Bulk, 410), [gone], "the present one was asked, and says so itself");
}

#[test]
fn enabling_from_now_drops_the_batch_that_was_open() {
    let mut run = Run::sending(Preset::Patient);
    run.edit(|settings| settings.enabled = false);
    run.no_answer(Bulk);
    run.moved(Bulk, 90);
    assert_eq!(run.edit(|settings| settings.enabled = true), ["read urgent after 0", "read bulk after 90"]);
}
