//! Events that an integration does not want are settled without a batch.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn what_nobody_wants_is_put_on_record_after_a_minute() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.skipped(Bulk, 5, false), [""; 0]);
    assert_eq!(run.lane(Bulk).cursor, Seq(5));
    run.now += Duration::from_secs(20);
    run.advanced(Bulk);
    assert_eq!(run.skipped(Bulk, 9, false), [""; 0]);
    let (waited, commands) = run.wake();
    assert_eq!(
        (waited, commands),
        (MINUTE.saturating_sub(Duration::from_secs(20)), vec!["save bulk@9".to_owned()])
    );
    assert_eq!(run.machine.wake_at(), None);
}

#[test]
fn a_long_search_is_put_on_record_on_its_way() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.skipped(Bulk, 4_000, true), ["read bulk after 4000"]);
    assert_eq!(run.skipped(Bulk, 5_000, true), ["read bulk after 5000"]);
    assert_eq!(run.machine.wake_at(), None, "the answer to the read brings the save");
    assert_eq!(run.skipped(Bulk, 5_001, false), ["save bulk@5001"]);
}

#[test]
fn a_batch_puts_on_record_what_was_passed_before_it() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.skipped(Bulk, 5, false);
    run.advanced(Bulk);
    assert_eq!(run.cut(Bulk, 8..=9), ["save bulk@5 open 8-9 msg_1 tried 0", "send bulk 8-9 msg_1"]);
    assert_eq!(run.machine.wake_at(), None);
}

#[test]
fn what_was_passed_is_put_on_record_before_the_integration_rests() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.skipped(Bulk, 5, false);
    assert_eq!(run.edit(|settings| settings.enabled = false), ["save bulk@5"]);
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    run.skipped(Bulk, 5, false);
    assert_eq!(run.feed(Input::Stop), ["save bulk@5"]);
}

#[test]
fn what_held_nothing_at_all_needs_no_record() {
    let mut run = Run::idle(Preset::Patient);
    run.advanced(Bulk);
    assert_eq!(run.nothing(Bulk, 100_000), [""; 0]);
    assert_eq!(run.machine.wake_at(), None);
}
