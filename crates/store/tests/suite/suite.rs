//! What any store must do.

pub(crate) use crate::rights::*;
use crate::support::{
    BEGIN_MS, Backend, HIGH, ONE, TWO, append, append_once, append_with, attempt, commit, create,
    create_from, disable, event, hits, ids, integrations, lane_at, loaded, lost_range, make_client,
    new_integration, progress, read_all, save, save_cursor, stream, ticked, unsettled, update, update_with,
};
use hitwire_courier::{ByLane, DisableReason, EndpointState, LostReason, Progress};
use hitwire_event::{Actor, ClientId, IntegrationId, Kind, Lane, Seq};
use hitwire_receiver::Format;
use hitwire_store::{
    Activity, ActivityEntry, ActivityQuery, ActivitySource, Append, Application, Client, ClientLimits,
    CourierToken, Credential, Done, FieldChange, Integration, IntegrationCounts, IntegrationQuery,
    IntegrationRange, IntegrationRow, Lag, Link, NewIntegration, Op, Read, Resume, Role, Secret, Sequence,
    Session, Store, StoreError, StreamFrom, Token, TokenId, UpdateIntegration, User, UserId,
};
use serde_json::Value;
use std::time::Duration;

fn read(streams: Vec<StreamFrom>, after: u64) -> Read {
    Read { streams, after: Seq(after), through: None, max_events: 100, max_bytes: 1 << 20 }
}

fn head(store: &dyn Store) -> u64 {
    store.head().now().0
}

pub(crate) async fn appended_events_are_read_back_in_order(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(append(&*store, hits(1..=3)).await.accepted, 3);
    append(&*store, hits(4..=5)).await;
    let records = read_all(&*store, vec![stream(ONE, Kind::Hit)]).await;
    assert_eq!(ids(&records), ["hit-1", "hit-2", "hit-3", "hit-4", "hit-5"]);
    assert_eq!(records.iter().map(|record| record.seq.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(records[0].event, hits(1..=1)[0]);
    assert_eq!(records[0].appended_ms, BEGIN_MS);
    assert!(!records[0].id_reused);
}

pub(crate) async fn a_read_gives_only_the_streams_asked_for_from_where_they_begin(backend: &dyn Backend) {
    let store = backend.open();
    let events = vec![
        event(ONE, Kind::Hit, "a", ""),
        event(TWO, Kind::Hit, "b", ""),
        event(ONE, HIGH, "c", ""),
        event(ONE, Kind::Hit, "d", ""),
        event(ONE, Kind::System, "e", ""),
        event(ONE, HIGH, "f", ""),
    ];
    append(&*store, events).await;
    let late = StreamFrom { from: Seq(4), ..stream(ONE, HIGH) };
    let page = store.read(read(vec![stream(ONE, Kind::Hit), late], 0)).await.unwrap();
    assert_eq!(ids(&page.records), ["a", "d", "f"]);
    assert_eq!((page.scanned_to, page.more), (Seq(6), false));
    let page = store.read(read(vec![stream(ONE, Kind::Scope)], 0)).await.unwrap();
    assert_eq!((page.records.len(), page.scanned_to, page.more), (0, Seq(6), false));
}

pub(crate) async fn a_page_ends_at_its_bounds_and_says_that_there_is_more(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=10)).await;
    let by_count = Read { max_events: 4, ..read(vec![stream(ONE, Kind::Hit)], 2) };
    let page = store.read(by_count).await.unwrap();
    assert_eq!(ids(&page.records), ["hit-3", "hit-4", "hit-5", "hit-6"]);
    assert_eq!((page.scanned_to, page.more), (Seq(6), true));
    let body_bytes = hits(1..=1)[0].body.len();
    let by_bytes = Read { max_bytes: 3 * body_bytes, ..read(vec![stream(ONE, Kind::Hit)], 0) };
    let page = store.read(by_bytes).await.unwrap();
    assert_eq!(ids(&page.records), ["hit-1", "hit-2", "hit-3"]);
    assert!(page.more);
}

pub(crate) async fn whoever_follows_the_log_gets_everything_in_order(backend: &dyn Backend) {
    let store = backend.open();
    let events = vec![
        event(ONE, Kind::Hit, "a", ""),
        event(TWO, Kind::Hit, "b", ""),
        event(ClientId::HITWIRE, Kind::Counter, "c", ""),
        event(ONE, HIGH, "d", ""),
    ];
    append(&*store, events).await;
    for store in twice(store, backend) {
        let page = store.follow(Seq::ZERO, 3, 1 << 20).await.unwrap();
        assert_eq!(ids(&page.records), ["a", "b", "c"]);
        assert_eq!((page.scanned_to, page.more), (Seq(3), true));
        let page = store.follow(Seq(3), 3, 1).await.unwrap();
        assert_eq!((ids(&page.records), page.more), (vec!["d"], false));
        let page = store.follow(Seq(4), 3, 1 << 20).await.unwrap();
        assert_eq!((page.records.len(), page.scanned_to, page.more), (0, Seq(4), false));
    }
}

pub(crate) async fn the_attempts_of_all_integrations_are_followed_in_the_order_in_which_they_ended(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let (one, two) = (create(&*store, ONE, &[]).await.id, create(&*store, TWO, &[]).await.id);
    for (id, number) in [(one, 1), (two, 2), (one, 3)] {
        let step = Progress { attempts: vec![attempt(number)], ..progress(id) };
        save(&*store, step).await;
    }
    let first = store.attempts_after(0, 2).await.unwrap();
    assert_eq!(
        first.iter().map(|(id, row)| (*id, row.attempt.number)).collect::<Vec<_>>(),
        [(one, 1), (two, 2)]
    );
    let second = store.attempts_after(first[1].1.id, 2).await.unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!((second[0].0, &second[0].1.attempt), (one, &attempt(3)));
    assert_eq!(store.attempts_after(second[0].1.id, 2).await.unwrap(), []);
}

pub(crate) async fn a_single_event_larger_than_a_page_is_still_given(backend: &dyn Backend) {
    let store = backend.open();
    append(
        &*store,
        vec![event(ONE, Kind::Hit, "large", &"x".repeat(5000)), event(ONE, Kind::Hit, "small", "")],
    )
    .await;
    let small = Read { max_bytes: 10, ..read(vec![stream(ONE, Kind::Hit)], 0) };
    let page = store.read(small).await.unwrap();
    assert_eq!(ids(&page.records), ["large"]);
    assert!(page.more);
}

pub(crate) async fn nothing_is_read_past_the_position_asked_for(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=10)).await;
    let page =
        store.read(Read { through: Some(Seq(5)), ..read(vec![stream(ONE, Kind::Hit)], 3) }).await.unwrap();
    assert_eq!(ids(&page.records), ["hit-4", "hit-5"]);
    assert_eq!((page.scanned_to, page.more), (Seq(5), false));
    let page =
        store.read(Read { through: Some(Seq(2)), ..read(vec![stream(ONE, Kind::Hit)], 3) }).await.unwrap();
    assert_eq!((page.records.len(), page.scanned_to, page.more), (0, Seq(3), false));
    let page = store.read(read(vec![stream(ONE, Kind::Hit)], 99)).await.unwrap();
    assert_eq!((page.records.len(), page.scanned_to, page.more), (0, Seq(99), false));
}

pub(crate) async fn the_head_moves_with_each_append_and_is_never_ahead_of_what_can_be_read(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let mut watched = store.head();
    assert_eq!(watched.seen(), Seq::ZERO);
    append(&*store, hits(1..=3)).await;
    assert!(watched.has_changed());
    let seen = watched.seen();
    assert_eq!(seen, Seq(3));
    assert_eq!(store.read(read(vec![stream(ONE, Kind::Hit)], 0)).await.unwrap().scanned_to, seen);
    append(&*store, Vec::new()).await;
    assert!(!watched.has_changed(), "an append of nothing moves nothing");
}

pub(crate) async fn a_dispatcher_is_told_which_streams_have_news(backend: &dyn Backend) {
    let store = backend.open();
    append(
        &*store,
        vec![event(ONE, Kind::Hit, "a", ""), event(TWO, HIGH, "b", ""), event(ONE, Kind::Hit, "c", "")],
    )
    .await;
    let touched = store.touched(Seq::ZERO);
    assert_eq!(touched.through, Seq(3));
    assert_eq!(touched.streams, Some(vec![stream(ONE, Kind::Hit).stream, stream(TWO, HIGH).stream]));
    assert_eq!(store.touched(Seq(2)).streams, Some(vec![stream(ONE, Kind::Hit).stream]));
    assert_eq!(store.touched(Seq(3)).streams, Some(vec![]));
    drop(store);
    let store = backend.open();
    assert_eq!(store.touched(Seq(1)).streams, None, "after a restart the tail does not reach back");
    assert_eq!(store.touched(Seq(3)).streams, Some(vec![]));
}

pub(crate) async fn an_event_sent_again_is_left_out_and_said_to_be_a_duplicate(backend: &dyn Backend) {
    let store = backend.open();
    append_once(&*store, hits(1..=2)).await;
    let appended = append_once(&*store, hits(2..=3)).await;
    assert_eq!((appended.accepted, appended.duplicate), (1, vec![true, false]));
    let other_client = append_once(&*store, vec![event(TWO, Kind::Hit, "hit-1", "1")]).await;
    assert_eq!(other_client.accepted, 1, "another client's ids are its own");
    assert_eq!(ids(&read_all(&*store, vec![stream(ONE, Kind::Hit)]).await), ["hit-1", "hit-2", "hit-3"]);
}

pub(crate) async fn an_event_sent_twice_in_one_append_is_taken_once(backend: &dyn Backend) {
    let store = backend.open();
    let appended = append_once(&*store, hits([1, 2, 1, 2, 3])).await;
    assert_eq!((appended.accepted, appended.duplicate), (3, vec![false, false, true, true, false]));
}

pub(crate) async fn an_id_with_other_content_is_taken_and_marked(backend: &dyn Backend) {
    let store = backend.open();
    append_once(&*store, vec![event(ONE, Kind::Hit, "a", "first")]).await;
    let other = append_once(&*store, vec![event(ONE, Kind::Hit, "a", "second")]).await;
    assert_eq!((other.accepted, other.duplicate), (1, vec![false]));
    for content in ["first", "second"] {
        let again = append_once(&*store, vec![event(ONE, Kind::Hit, "a", content)]).await;
        assert_eq!(again.duplicate, [true], "both are known now");
    }
    let records = read_all(&*store, vec![stream(ONE, Kind::Hit)]).await;
    assert_eq!(records.iter().map(|record| record.id_reused).collect::<Vec<_>>(), [false, true]);
    drop(store);
    let store = backend.open();
    let records = read_all(&*store, vec![stream(ONE, Kind::Hit)]).await;
    assert_eq!(records.iter().map(|record| record.id_reused).collect::<Vec<_>>(), [false, true]);
}

pub(crate) async fn without_deduplication_everything_is_taken(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits([1, 1])).await;
    assert_eq!(append(&*store, hits(1..=1)).await.accepted, 1);
    assert_eq!(
        append_once(&*store, hits(1..=1)).await.accepted,
        1,
        "a file's events do not count for callers"
    );
    assert_eq!(head(&*store), 4);
}

pub(crate) async fn duplicates_are_known_after_a_restart(backend: &dyn Backend) {
    let store = backend.open();
    append_once(&*store, hits(1..=2)).await;
    append_once(&*store, vec![event(ONE, Kind::Hit, "hit-1", "other")]).await;
    drop(store);
    let store = backend.open();
    let again = append_once(
        &*store,
        vec![
            event(ONE, Kind::Hit, "hit-1", "1"),
            event(ONE, Kind::Hit, "hit-1", "other"),
            event(ONE, Kind::Hit, "hit-1", "third"),
        ],
    );
    assert_eq!(again.await.duplicate, [true, true, false]);
    drop(store);
    backend.pass(Duration::from_hours(48));
    let store = backend.open();
    assert_eq!(
        append_once(&*store, hits(1..=1)).await.duplicate,
        [false],
        "two days later it is a new event"
    );
}

pub(crate) async fn a_checkpoint_is_there_exactly_with_its_events(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(store.checkpoint("file").await.unwrap(), None);
    let of = |n: u64| Append {
        events: hits(n..=n),
        deduplicate: false,
        checkpoint: Some(("file".to_owned(), n.to_be_bytes().to_vec())),
    };
    append_with(&*store, of(1)).await;
    append_with(&*store, of(2)).await;
    let empty = Append { checkpoint: Some(("other".to_owned(), vec![7])), ..Append::default() };
    append_with(&*store, empty).await;
    for store in twice(store, backend) {
        assert_eq!(store.checkpoint("file").await.unwrap(), Some(2_u64.to_be_bytes().to_vec()));
        assert_eq!(store.checkpoint("other").await.unwrap(), Some(vec![7]));
        assert_eq!(head(&*store), 2);
    }
}

/// The store as it is, and as it is after a restart. The loop must drop the first before it takes the second.
fn twice(store: Box<dyn Store>, backend: &dyn Backend) -> impl Iterator<Item = Box<dyn Store>> {
    std::iter::once(store).chain(std::iter::once_with(|| backend.open()))
}

pub(crate) async fn everything_is_there_after_a_restart(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=3)).await;
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    drop(store);
    let store = backend.open();
    assert_eq!(head(&*store), 3);
    assert_eq!(ids(&read_all(&*store, vec![stream(ONE, Kind::Hit)]).await), ["hit-1", "hit-2", "hit-3"]);
    assert_eq!(store.integration(integration.id).await.unwrap(), Some(integration));
    append(&*store, hits(4..=4)).await;
    let page = store.read(read(vec![stream(ONE, Kind::Hit)], 3)).await.unwrap();
    assert_eq!((page.records[0].seq, page.more), (Seq(4), false));
}

pub(crate) async fn lag_counts_what_lies_between_and_says_since_when(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=3)).await;
    backend.pass(Duration::from_secs(5));
    append(&*store, vec![event(ONE, HIGH, "v", ""), event(ONE, Kind::Hit, "h", "")]).await;
    let streams = vec![stream(ONE, Kind::Hit)];
    for store in twice(store, backend) {
        let lag = |after, through| store.lag(streams.clone(), Seq(after), Seq(through));
        assert_eq!(lag(0, 5).await.unwrap(), Lag { events: 4, oldest_ms: Some(BEGIN_MS) });
        assert_eq!(lag(3, 5).await.unwrap(), Lag { events: 1, oldest_ms: Some(BEGIN_MS + 5000) });
        assert_eq!(lag(1, 3).await.unwrap().events, 2);
        assert_eq!(lag(0, 99).await.unwrap().events, 4);
        assert_eq!(lag(5, 5).await.unwrap(), Lag::default());
    }
}

pub(crate) async fn a_position_is_found_by_time(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(store.position_at(u64::MAX).await.unwrap(), Seq::ZERO);
    append(&*store, hits(1..=3)).await;
    backend.pass(Duration::from_secs(10));
    append(&*store, hits(4..=4)).await;
    for store in twice(store, backend) {
        assert_eq!(store.position_at(BEGIN_MS - 1).await.unwrap(), Seq::ZERO);
        assert_eq!(store.position_at(BEGIN_MS).await.unwrap(), Seq(3));
        assert_eq!(store.position_at(BEGIN_MS + 9_999).await.unwrap(), Seq(3));
        assert_eq!(store.position_at(BEGIN_MS + 10_000).await.unwrap(), Seq(4));
    }
}

pub(crate) async fn a_new_integration_begins_at_the_end_of_the_log(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=3)).await;
    let integration = create(&*store, ONE, &[Kind::Hit, HIGH]).await;
    assert_eq!((integration.revision, integration.content_revision), (1, 1));
    assert_eq!(integration.activity, Activity::Active);
    assert_eq!(integration.target, new_integration(ONE, &[]).target);
    assert!(integration.events.iter().all(|ticked| ticked.from == Seq(4)));
    let saved = store.saved(integration.id).await.unwrap().unwrap();
    assert_eq!(saved.lanes, ByLane::live(|_| lane_at(3)));
    assert_eq!(saved.endpoint, EndpointState::default());
    let mut inactive = new_integration(ONE, &[Kind::Hit]);
    inactive.active = false;
    let Done::Integration(inactive) = commit(&*store, Op::CreateIntegration(inactive)).await else {
        panic!()
    };
    assert_eq!(inactive.activity, Activity::DisabledByUser);
}

pub(crate) async fn integrations_are_listed_by_client(backend: &dyn Backend) {
    let store = backend.open();
    let first = create(&*store, ONE, &[Kind::Hit]).await;
    let second = create(&*store, TWO, &[Kind::Hit]).await;
    let third = create(&*store, ONE, &[]).await;
    assert_eq!(store.integration_ids(None).await.unwrap(), [first.id, second.id, third.id]);
    assert_eq!(store.integration_ids(Some(ONE)).await.unwrap(), [first.id, third.id]);
    let all = IntegrationRange::all(ONE);
    let listed = async |range| integrations(&*store, range).await;
    assert_eq!(listed(all).await, [first.clone(), third.clone()]);
    assert_eq!(listed(IntegrationRange { after: first.id, ..all }).await, [third]);
    assert_eq!(listed(IntegrationRange { count_max: 1, ..all }).await, [first]);
    assert_eq!(store.integration(second.id).await.unwrap(), Some(second));
    assert_eq!(store.integration(IntegrationId(99)).await.unwrap(), None);
    assert_eq!(store.saved(IntegrationId(99)).await.unwrap(), None);
}

pub(crate) async fn a_stretch_of_integrations_is_bounded_in_bytes(backend: &dyn Backend) {
    let store = backend.open();
    let mut made = Vec::new();
    for _ in 0..4 {
        let mut new = new_integration(ONE, &[Kind::Hit]);
        new.target.ca_file = "x".repeat(100_000);
        made.push(create_from(&*store, new).await);
    }
    let range = IntegrationRange { bytes_max: 150_000, ..IntegrationRange::all(ONE) };
    assert_eq!(integrations(&*store, range).await, made[..2]);
    let rest = IntegrationRange { after: made[1].id, bytes_max: 1, ..range };
    assert_eq!(integrations(&*store, rest).await, made[2..3], "one at least");
    assert_eq!(integrations(&*store, IntegrationRange { after: made[3].id, ..range }).await, []);
}

/// A client's integrations, at most so many of a page.
fn listed(client: ClientId, enabled: Option<bool>, name: &str, limit: usize) -> IntegrationQuery {
    IntegrationQuery { client, enabled, name: name.to_owned(), after: IntegrationId(0), limit }
}

/// The ids of each page.
async fn pages(store: &dyn Store, mut query: IntegrationQuery) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    loop {
        let page = store.integration_page(query.clone()).await.unwrap();
        pages.push(page.rows.iter().map(|row| row.id.0).collect());
        match page.next {
            Some(next) => query.after = next,
            None => return pages,
        }
    }
}

pub(crate) async fn integrations_are_listed_page_by_page_by_state_and_by_a_part_of_the_name(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let mut made = Vec::new();
    for name in ["SIEM", "Pager", "siem \u{c4}rger", "Archive", "The Siem"] {
        let new = NewIntegration { name: name.to_owned(), ..new_integration(ONE, &[Kind::Hit, HIGH]) };
        let Done::Integration(one) = commit(&*store, Op::CreateIntegration(new)).await else { panic!() };
        made.push(*one);
    }
    let foreign = create(&*store, TWO, &[Kind::Hit]).await;
    let pager = disable(&*store, made[1].clone()).await;
    let reason = DisableReason::TooManyFailures { failed: 12, total: 20 };
    let step = Progress { disable: Some(reason.clone()), ..progress(made[3].id) };
    save(&*store, step).await;

    assert_eq!(pages(&*store, listed(ONE, None, "", 2)).await, [vec![1, 2], vec![3, 4], vec![5]]);
    assert_eq!(pages(&*store, listed(ONE, None, "", 5)).await, [vec![1, 2, 3, 4, 5]]);
    assert_eq!(pages(&*store, listed(ONE, Some(true), "", 2)).await, [vec![1, 3], vec![5]]);
    assert_eq!(pages(&*store, listed(ONE, Some(false), "", 9)).await, [vec![2, 4]]);
    assert_eq!(pages(&*store, listed(ONE, None, "sIEM", 2)).await, [vec![1, 3], vec![5]]);
    assert_eq!(pages(&*store, listed(ONE, Some(true), "\u{e4}RG", 2)).await, [vec![3]]);
    assert_eq!(pages(&*store, listed(ONE, None, "nowhere", 2)).await, [Vec::<u64>::new()]);

    let page = store.integration_page(listed(ONE, Some(false), "", 9)).await.unwrap();
    assert_eq!(page.counts, IntegrationCounts { enabled: 3, disabled: 2 });
    let expected = |integration: &Integration, activity| IntegrationRow {
        id: integration.id,
        client: ONE,
        name: integration.name.clone(),
        activity,
        created_at: integration.created_at,
        created_by: integration.created_by.clone(),
        events: integration.events.clone(),
        broken: None,
    };
    let automatically = Activity::DisabledAutomatically(reason);
    assert_eq!(page.rows, [expected(&pager, Activity::DisabledByUser), expected(&made[3], automatically)]);

    commit(&*store, Op::DeleteIntegration { id: pager.id, revision: None }).await;
    commit(&*store, Op::DeleteIntegration { id: foreign.id, revision: None }).await;
    drop(store);
    let store = backend.open();
    let counts = async |client| store.integration_page(listed(client, None, "", 1)).await.unwrap().counts;
    assert_eq!(counts(ONE).await, IntegrationCounts { enabled: 3, disabled: 1 });
    assert_eq!(counts(TWO).await, IntegrationCounts::default());
}

pub(crate) async fn a_search_among_many_names_goes_on_where_it_stopped(backend: &dyn Backend) {
    let store = backend.open();
    let named = |name: &str| {
        let new = NewIntegration { name: name.to_owned(), ..new_integration(ONE, &[]) };
        Op::CreateIntegration(new)
    };
    let mut ops: Vec<Op> = (0..5_100).map(|_| named("one of many")).collect();
    ops[4_000] = named("the first");
    ops[5_050] = named("the second");
    for ops in ops.chunks(500) {
        store.commit(ops.to_vec()).await.unwrap();
    }
    assert_eq!(pages(&*store, listed(ONE, None, "THE", 48)).await, [vec![4_001], vec![5_051]]);
    let page = store.integration_page(listed(ONE, None, "THE", 48)).await.unwrap();
    assert_eq!(page.next, Some(IntegrationId(5_000)), "it stops after 5,000 names");
}

pub(crate) async fn an_update_raises_the_revision_and_the_content_revision_only_with_the_content(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let made = create(&*store, ONE, &[Kind::Hit, HIGH]).await;

    let mut renamed = made.clone();
    renamed.name = String::from("another name");
    renamed.target.url = Secret::new("https://elsewhere.example/");
    renamed.target.headers.clear();
    let renamed = update(&*store, renamed).await;
    assert_eq!((renamed.revision, renamed.content_revision), (2, 1));
    assert_eq!(renamed.target.url.expose(), "https://elsewhere.example/");

    let mut reordered = renamed.clone();
    reordered.events.reverse();
    let reordered = update(&*store, reordered).await;
    assert_eq!((reordered.revision, reordered.content_revision), (3, 1));
    assert_eq!(reordered.events.iter().map(|ticked| ticked.kind).collect::<Vec<_>>(), [HIGH, Kind::Hit]);

    let mut lines = reordered.clone();
    lines.target.format = Format::Jsonl;
    let lines = update(&*store, lines).await;
    assert_eq!((lines.revision, lines.content_revision), (4, 2));

    let mut with_headers = lines.clone();
    with_headers.events[1].with_headers = true;
    let with_headers = update(&*store, with_headers).await;
    assert_eq!((with_headers.revision, with_headers.content_revision), (5, 3));
    assert!(with_headers.events[1].with_headers);
    assert_eq!(store.integration(made.id).await.unwrap(), Some(with_headers));
}

pub(crate) async fn an_update_from_an_older_revision_is_a_conflict(backend: &dyn Backend) {
    let store = backend.open();
    let made = create(&*store, ONE, &[Kind::Hit]).await;
    update(&*store, made.clone()).await;
    let stale = UpdateIntegration { integration: made.clone(), resume: None };
    assert_eq!(store.commit(vec![Op::UpdateIntegration(stale)]).await.unwrap_err(), StoreError::Conflict);
    let mut unknown = made;
    unknown.id = IntegrationId(99);
    let unknown = UpdateIntegration { integration: unknown, resume: None };
    assert_eq!(store.commit(vec![Op::UpdateIntegration(unknown)]).await.unwrap_err(), StoreError::NotFound);
}

pub(crate) async fn a_newly_ticked_kind_counts_from_the_moment_it_is_ticked(backend: &dyn Backend) {
    let store = backend.open();
    let mut integration = create(&*store, ONE, &[Kind::Hit]).await;
    append(&*store, vec![event(ONE, HIGH, "before", ""), event(ONE, Kind::Hit, "hit", "")]).await;
    integration.events.extend(ticked(&[HIGH]));
    let integration = update(&*store, integration).await;
    append(&*store, vec![event(ONE, HIGH, "after", "")]).await;
    assert_eq!(integration.events.iter().map(|ticked| ticked.from.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(store.lost(integration.id, None, 10).await.unwrap(), []);
}

pub(crate) async fn what_an_unticked_kind_had_outstanding_is_a_skipped_range(backend: &dyn Backend) {
    let store = backend.open();
    let mut integration = create(&*store, ONE, &[Kind::Hit, HIGH]).await;
    append(&*store, hits(1..=4)).await;
    append(&*store, vec![event(ONE, HIGH, "v", "")]).await;
    save_cursor(&*store, integration.id, Lane::Bulk, 1).await;
    integration.events[0].active = false;
    backend.pass(Duration::from_secs(1));
    let mut integration = update(&*store, integration).await;
    let lost = store.lost(integration.id, None, 10).await.unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].recorded_ms, BEGIN_MS + 1000);
    let range = &lost[0].range;
    assert_eq!((range.lane, range.reason, range.events), (Lane::Bulk, LostReason::Unticked, 3));
    assert_eq!(range.kinds, [Kind::Hit], "nothing is said of what goes on");
    assert_eq!((range.first, range.last), (Seq(2), Seq(5)));
    // Ticked again, it counts from now; unticked with nothing outstanding, nothing is skipped.
    integration.events[0].active = true;
    let mut integration = update(&*store, integration).await;
    assert_eq!(integration.events[0].from, Seq(6));
    integration.events.remove(0);
    let integration = update(&*store, integration).await;
    assert_eq!(integration.events.len(), 1);
    assert_eq!(store.lost(integration.id, None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn enabling_after_a_user_disabled_it_skips_to_now_and_says_what_was_skipped(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit, HIGH]).await;
    append(&*store, hits(1..=2)).await;
    let mut disabled = disable(&*store, integration).await;
    append(&*store, hits(3..=5)).await;
    let mut moved = store.moved();
    moved.mark_unchanged();
    disabled.activity = Activity::Active;
    let enabled = update(&*store, disabled).await;
    assert_eq!(enabled.activity, Activity::Active);
    let lost = store.lost(enabled.id, None, 10).await.unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].range.reason, lost[0].range.events), (LostReason::EnabledFromNow, 5));
    assert_eq!((lost[0].range.first, lost[0].range.last), (Seq(1), Seq(5)));
    let saved = store.saved(enabled.id).await.unwrap().unwrap();
    assert_eq!(saved.lanes, ByLane::live(|_| lane_at(5)));
    assert!(moved.has_changed().unwrap(), "couriers are told that their cursors were moved");
    assert_eq!(moved.borrow_and_update()[0].integration, enabled.id);
}

pub(crate) async fn enabling_after_hitwire_disabled_it_resumes_with_what_was_missed(backend: &dyn Backend) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    append(&*store, hits(1..=2)).await;
    let step = Progress { disable: Some(DisableReason::Gone), ..progress(integration.id) };
    save(&*store, step).await;
    let mut disabled = store.integration(integration.id).await.unwrap().unwrap();
    assert_eq!(disabled.activity, Activity::DisabledAutomatically(DisableReason::Gone));
    assert_eq!(disabled.revision, 2, "disabling is a change");
    disabled.activity = Activity::Active;
    let enabled = update(&*store, disabled).await;
    let saved = store.saved(enabled.id).await.unwrap().unwrap();
    assert_eq!(saved.lanes, ByLane::live(|_| lane_at(0)));
    assert_eq!(saved.endpoint, EndpointState::default(), "its failures belong to the time before");
    assert_eq!(store.lost(enabled.id, None, 10).await.unwrap(), []);
}

pub(crate) async fn enabling_resumes_where_the_caller_says(backend: &dyn Backend) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    append(&*store, hits(1..=2)).await;
    let mut integration = disable(&*store, integration).await;
    integration.activity = Activity::Active;
    let change = UpdateIntegration { integration, resume: Some(Resume::Missed) };
    let integration = update_with(&*store, change).await;
    assert_eq!(store.saved(integration.id).await.unwrap().unwrap().lanes[Lane::Bulk], lane_at(0));
    let step = Progress { disable: Some(DisableReason::Gone), ..progress(integration.id) };
    save(&*store, step).await;
    let mut integration = store.integration(integration.id).await.unwrap().unwrap();
    integration.activity = Activity::Active;
    let change = UpdateIntegration { integration, resume: Some(Resume::Now) };
    let integration = update_with(&*store, change).await;
    assert_eq!(store.saved(integration.id).await.unwrap().unwrap().lanes[Lane::Bulk], lane_at(2));
    assert_eq!(store.lost(integration.id, None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn a_deleted_integration_is_gone_with_all_it_had(backend: &dyn Backend) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    let id = integration.id;
    let before = loaded(&*store, id).await;
    let step = Progress { attempts: vec![attempt(1)], lost: vec![lost_range(1, 2)], ..progress(id) };
    commit(&*store, Op::Save(before, step)).await;
    assert!(matches!(
        commit(&*store, Op::DeleteIntegration { id, revision: None }).await,
        Done::Deleted(true)
    ));
    assert!(matches!(
        commit(&*store, Op::DeleteIntegration { id, revision: None }).await,
        Done::Deleted(false)
    ));
    assert_eq!(store.integration(id).await.unwrap(), None);
    assert_eq!(store.saved(id).await.unwrap(), None);
    assert_eq!(store.attempts(id, None, 10).await.unwrap(), []);
    assert_eq!(store.lost(id, None, 10).await.unwrap(), []);
    assert_eq!(store.load_courier(id).await.unwrap(), None);
    let late = store.commit(vec![Op::Save(before, progress(id))]).await;
    assert_eq!(late.unwrap_err(), StoreError::NotFound);
    assert!(create(&*store, ONE, &[]).await.id > id, "an id is never given again");
}

pub(crate) async fn a_step_of_a_courier_is_saved_as_a_whole(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=9)).await;
    let id = create(&*store, ONE, &[Kind::Hit]).await.id;
    append(&*store, hits(10..=20)).await;
    let mut lane = lane_at(10);
    lane.open = vec![unsettled(11, 12, 2), unsettled(15, 15, 0), unsettled(16, 20, 0)];
    let step = Progress {
        lanes: vec![(Lane::Bulk, lane.clone())],
        attempts: vec![attempt(1), attempt(2)],
        lost: vec![lost_range(10, 10)],
        ..progress(id)
    };
    save(&*store, step.clone()).await;
    drop(store);
    let store = backend.open();
    let saved = store.saved(id).await.unwrap().unwrap();
    assert_eq!(saved.endpoint, step.endpoint);
    assert_eq!(saved.lanes, [(Lane::Urgent, lane_at(9)), (Lane::Bulk, lane)].into_iter().collect());
    let attempts = store.attempts(id, None, 10).await.unwrap();
    assert_eq!(attempts.iter().map(|row| &row.attempt).collect::<Vec<_>>(), [&attempt(2), &attempt(1)]);
    assert_eq!(store.lost(id, None, 10).await.unwrap()[0].range, lost_range(10, 10));
}

pub(crate) async fn what_was_settled_out_of_turn_is_not_skipped(backend: &dyn Backend) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    let id = integration.id;
    append(&*store, hits(1..=20)).await;
    let mut lane = lane_at(2);
    lane.open = vec![unsettled(3, 5, 4), unsettled(10, 12, 0)];
    let step = Progress { lanes: vec![(Lane::Bulk, lane)], ..progress(id) };
    save(&*store, step).await;
    let mut disabled = disable(&*store, integration).await;
    disabled.activity = Activity::Active;
    update(&*store, disabled).await;
    let lost = store.lost(id, None, 10).await.unwrap();
    let lost: Vec<_> =
        lost.iter().map(|row| (row.range.first.0, row.range.last.0, row.range.events)).collect();
    assert_eq!(lost, [(10, 20, 11), (3, 5, 3)], "6 to 9 were delivered beside 3 to 5");
    assert_eq!(store.saved(id).await.unwrap().unwrap().lanes[Lane::Bulk], lane_at(20));
}

pub(crate) async fn only_who_loaded_a_courier_last_may_save_it(backend: &dyn Backend) {
    let store = backend.open();
    let (id, other) = (create(&*store, ONE, &[Kind::Hit]).await.id, create(&*store, ONE, &[]).await.id);
    let (first, of_other) = (loaded(&*store, id).await, loaded(&*store, other).await);
    drop(store);
    let store = backend.open();
    let second = loaded(&*store, id).await;
    let before = store.saved(id).await.unwrap();
    for refused in [first, of_other, CourierToken(second.0.wrapping_add(1))] {
        let step = Progress { attempts: vec![attempt(1)], lost: vec![lost_range(1, 2)], ..progress(id) };
        let beside = Op::Remember { name: "sources", text: "beside".to_owned() };
        let refused = store.commit(vec![beside, Op::Save(refused, step)]).await;
        assert_eq!(refused.unwrap_err(), StoreError::Overtaken);
    }
    assert_eq!(store.saved(id).await.unwrap(), before);
    assert_eq!(store.attempts(id, None, 10).await.unwrap(), []);
    assert_eq!(store.lost(id, None, 10).await.unwrap(), []);
    assert_eq!(
        store.remembered("sources").await.unwrap(),
        None,
        "what belongs to the step is not made either"
    );
    for _ in 0..2 {
        commit(&*store, Op::Save(second, progress(id))).await;
    }
    commit(&*store, Op::Save(of_other, progress(other))).await;
    assert_eq!(store.load_courier(IntegrationId(99)).await.unwrap(), None);
}

pub(crate) async fn every_change_by_somebody_else_has_a_courier_load_again(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=5)).await;
    let id = create(&*store, ONE, &[Kind::Hit]).await.id;
    let changes: [fn(&mut Integration); 5] = [
        |integration| "renamed".clone_into(&mut integration.name),
        |integration| integration.target.timeout_s += 1,
        |integration| integration.events.extend(ticked(&[Kind::System])),
        |integration| integration.activity = Activity::DisabledByUser,
        |integration| integration.activity = Activity::Active,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let token = loaded(&*store, id).await;
        append(&*store, hits(10 + at as u64..=10 + at as u64)).await;
        let mut integration = store.integration(id).await.unwrap().unwrap();
        change(&mut integration);
        let changed = update(&*store, integration).await;
        let step = Progress { lanes: vec![(Lane::Bulk, lane_at(1_000))], ..progress(id) };
        let late = store.commit(vec![Op::Save(token, step)]).await;
        assert_eq!(late.unwrap_err(), StoreError::Overtaken, "{at}");
        let loaded = store.load_courier(id).await.unwrap().unwrap();
        assert_eq!(loaded.revision, changed.revision, "{at}");
        assert_eq!(Some(&loaded.saved), store.saved(id).await.unwrap().as_ref(), "{at}");
        commit(&*store, Op::Save(loaded.token, progress(id))).await;
    }
    let saved = store.saved(id).await.unwrap().unwrap();
    assert_eq!(saved.lanes[Lane::Bulk], lane_at(head(&*store)), "enabling from now moved the cursor");
}

pub(crate) async fn what_is_ticked_begins_behind_all_that_a_courier_has_saved(backend: &dyn Backend) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    let id = integration.id;
    append(&*store, hits(1..=5)).await;
    append(&*store, vec![event(ONE, Kind::Scope, "scope-6", "before")]).await;
    let before = loaded(&*store, id).await;
    // It has searched for hits alone, up to the end of the log.
    let step = || Progress { lanes: vec![(Lane::Bulk, lane_at(6))], ..progress(id) };
    commit(&*store, Op::Save(before, step())).await;
    append(&*store, vec![event(ONE, Kind::Scope, "scope-7", "before")]).await;
    let mut wanted = integration;
    wanted.events.extend(ticked(&[Kind::Scope]));
    let ticked = update(&*store, wanted).await;
    assert_eq!(ticked.events[1].from, Seq(8));
    append(&*store, vec![event(ONE, Kind::Scope, "scope-8", "after")]).await;
    // Before it heard of the change, it searched on.
    let step = Progress { lanes: vec![(Lane::Bulk, lane_at(8))], ..progress(id) };
    let late = store.commit(vec![Op::Save(before, step)]).await;
    assert_eq!(late.unwrap_err(), StoreError::Overtaken);
    let cursor = store.load_courier(id).await.unwrap().unwrap().saved.lanes[Lane::Bulk].cursor;
    assert!(cursor < ticked.events[1].from, "{cursor}");
}

pub(crate) async fn a_lane_that_did_not_change_stays_as_it_is(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=20)).await;
    let id = create(&*store, ONE, &[Kind::Hit]).await.id;
    let mut lane = lane_at(20);
    lane.open = vec![unsettled(21, 25, 0)];
    for changed in Lane::LIVE {
        save(&*store, Progress { lanes: vec![(changed, lane.clone())], ..progress(id) }).await;
    }
    save(&*store, progress(id)).await;
    assert_eq!(store.saved(id).await.unwrap().unwrap().lanes, ByLane::live(|_| lane.clone()));
    save(&*store, Progress { lanes: vec![(Lane::Urgent, lane_at(25))], ..progress(id) }).await;
    assert_eq!(
        store.saved(id).await.unwrap().unwrap().lanes,
        [(Lane::Urgent, lane_at(25)), (Lane::Bulk, lane)].into_iter().collect()
    );
}

pub(crate) async fn a_step_that_disables_does_not_overrule_the_user(backend: &dyn Backend) {
    let store = backend.open();
    let integration = create(&*store, ONE, &[Kind::Hit]).await;
    let disabled = disable(&*store, integration).await;
    let step =
        Progress { disable: Some(DisableReason::NoSuccess { limit_s: 259_200 }), ..progress(disabled.id) };
    save(&*store, step).await;
    let now = store.integration(disabled.id).await.unwrap().unwrap();
    assert_eq!((now.activity, now.revision), (Activity::DisabledByUser, disabled.revision));
}

pub(crate) async fn the_delivery_log_is_read_page_by_page_newest_first(backend: &dyn Backend) {
    let store = backend.open();
    let (one, two) = (create(&*store, ONE, &[]).await.id, create(&*store, ONE, &[]).await.id);
    for number in 1..=5 {
        for id in [one, two] {
            let step = Progress { attempts: vec![attempt(number)], ..progress(id) };
            save(&*store, step).await;
        }
    }
    let first = store.attempts(one, None, 3).await.unwrap();
    assert_eq!(first.iter().map(|row| row.attempt.number).collect::<Vec<_>>(), [5, 4, 3]);
    let second = store.attempts(one, Some(first[2].id), 3).await.unwrap();
    assert_eq!(second.iter().map(|row| row.attempt.number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(second[0].attempt, attempt(2));
}

pub(crate) async fn lost_ranges_are_read_page_by_page_newest_first(backend: &dyn Backend) {
    let store = backend.open();
    let id = create(&*store, ONE, &[]).await.id;
    let step = Progress { lost: (1..=5).map(|n| lost_range(10 * n, 10 * n + 1)).collect(), ..progress(id) };
    save(&*store, step).await;
    let first = store.lost(id, None, 3).await.unwrap();
    assert_eq!(first.iter().map(|row| row.range.first.0).collect::<Vec<_>>(), [50, 40, 30]);
    let second = store.lost(id, Some(first[2].id), 3).await.unwrap();
    assert_eq!(second.iter().map(|row| row.range.first.0).collect::<Vec<_>>(), [20, 10]);
}

pub(crate) fn token(id: u64, client: ClientId, role: Role) -> Token {
    Token {
        id: TokenId(id),
        sha256: [id as u8; 32],
        client,
        user: None,
        role,
        name: "ci".to_owned(),
        created_at: 5,
        created_by: "admin".to_owned(),
        expires_at: Some(1_800_000_000),
        last_used_at: None,
    }
}

pub(crate) fn user(id: u64, client: ClientId, email: &str) -> User {
    User {
        id: UserId(id),
        uuid: format!("uuid-{id}"),
        client,
        email: email.to_owned(),
        name: "Jane Roe".to_owned(),
        role: Role::Analyst,
        enabled: true,
        created_at: 5,
        created_by: "admin".to_owned(),
        time_zone: None,
        revision: 0,
    }
}

pub(crate) async fn a_token_is_found_by_its_hash_replaced_by_its_number_and_taken_away(
    backend: &dyn Backend,
) {
    let store = backend.open();
    assert_eq!(store.token([3; 32]).await.unwrap(), None);
    make_client(&*store, TWO).await;
    commit(&*store, Op::PutToken(token(3, TWO, Role::Ingest))).await;
    commit(&*store, Op::PutToken(token(3, TWO, Role::Administrator))).await;
    commit(&*store, Op::PutToken(token(4, ONE, Role::Ingest))).await;
    commit(&*store, Op::TokensUsed(vec![(TokenId(3), 77), (TokenId(9), 78)])).await;
    drop(store);
    let store = backend.open();
    let used = Token { last_used_at: Some(77), ..token(3, TWO, Role::Administrator) };
    assert_eq!(store.token([3; 32]).await.unwrap(), Some(used.clone()));
    assert_eq!(store.token([5; 32]).await.unwrap(), None);
    assert_eq!(store.tokens(Some(TWO)).await.unwrap(), [used]);
    let all = store.tokens(None).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(store.token_of_id(all[1].id).await.unwrap().as_ref(), Some(&all[1]));
    assert_eq!(store.token_of_id(TokenId(99)).await.unwrap(), None);
    assert!(matches!(commit(&*store, Op::DeleteToken { id: TokenId(3) }).await, Done::Deleted(true)));
    assert!(matches!(commit(&*store, Op::DeleteToken { id: TokenId(3) }).await, Done::Deleted(false)));
    assert_eq!(store.token([3; 32]).await.unwrap(), None);
}

pub(crate) async fn reserved_ids_are_never_given_again(backend: &dyn Backend) {
    let store = backend.open();
    let next = async |store: &dyn Store, sequence| match commit(store, Op::NextId(sequence)).await {
        Done::Id(id) => id,
        other => panic!("a reservation was answered with {other:?}"),
    };
    for sequence in [Sequence::Integration, Sequence::User, Sequence::Token, Sequence::Application] {
        assert_eq!(next(&*store, sequence).await, 1, "{sequence:?}");
        assert_eq!(next(&*store, sequence).await, 2, "{sequence:?}");
    }
    assert_eq!(next(&*store, Sequence::Client).await, 2, "the first client is there from the beginning");
    let reserved = NewIntegration { id: Some(IntegrationId(2)), ..new_integration(ONE, &[Kind::Hit]) };
    let Done::Integration(made) = commit(&*store, Op::CreateIntegration(reserved)).await else {
        panic!("not made")
    };
    assert_eq!(made.id, IntegrationId(2));
    assert_eq!(create(&*store, ONE, &[Kind::Hit]).await.id, IntegrationId(3));
    commit(&*store, Op::DeleteIntegration { id: IntegrationId(3), revision: None }).await;
    drop(store);
    let store = backend.open();
    assert_eq!(next(&*store, Sequence::Integration).await, 4);
}

pub(crate) async fn clients_users_and_applications_are_kept_and_changed_from_their_revision(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let first = store.clients().await.unwrap();
    assert_eq!(first.iter().map(|client| (client.id, &*client.name)).collect::<Vec<_>>(), [(ONE, "default")]);
    let limits = ClientLimits {
        integrations_max: Some(3),
        events_per_s: Some(100),
        allow_targets: vec!["10.0.0.0/8".to_owned()],
    };
    let second = Client { id: TWO, name: "Two".to_owned(), revision: 0, limits, ..first[0].clone() };
    commit(&*store, Op::PutClient(second.clone())).await;
    commit(&*store, Op::PutUser(user(1, TWO, "Jane@example.com"))).await;
    let shop = Application { client: TWO, id: -1, name: "shop".to_owned() };
    commit(&*store, Op::PutApplication(shop.clone())).await;
    commit(&*store, Op::PutToken(Token { user: Some(UserId(1)), ..token(1, TWO, Role::Analyst) })).await;
    drop(store);
    let store = backend.open();
    let kept = Client { revision: 1, ..second };
    assert_eq!(store.clients().await.unwrap()[1], kept);
    let jane = User { revision: 1, ..user(1, TWO, "Jane@example.com") };
    assert_eq!(store.users(Some(TWO)).await.unwrap(), std::slice::from_ref(&jane));
    assert_eq!(store.users(Some(ONE)).await.unwrap(), []);
    assert_eq!(store.applications(TWO).await.unwrap(), [shop]);

    let renamed = Client { name: "2".to_owned(), ..kept };
    commit(&*store, Op::PutClient(renamed.clone())).await;
    assert_eq!(store.commit(vec![Op::PutClient(renamed)]).await.unwrap_err(), StoreError::Conflict);
    let gone = User { id: UserId(9), email: "other@example.com".to_owned(), ..jane };
    assert_eq!(store.commit(vec![Op::PutUser(gone)]).await.unwrap_err(), StoreError::NotFound);
    let twin = store.commit(vec![Op::PutUser(user(2, TWO, "jane@EXAMPLE.com"))]).await.unwrap_err();
    assert!(matches!(&twin, StoreError::Taken(words) if words.contains("jane@EXAMPLE.com")), "{twin}");
    // Of another client she is somebody else.
    commit(&*store, Op::PutUser(user(2, ONE, "jane@EXAMPLE.com"))).await;
    let found = store.users_of_email("JANE@example.com").await.unwrap();
    assert_eq!(found.iter().map(|user| (user.client, user.id.0)).collect::<Vec<_>>(), [(ONE, 2), (TWO, 1)]);

    create(&*store, TWO, &[Kind::Hit]).await;
    let in_use = store.commit(vec![Op::DeleteClient { id: TWO }]).await.unwrap_err();
    assert!(matches!(in_use, StoreError::Taken(_)), "{in_use}");
    commit(&*store, Op::DeleteUser { id: UserId(1) }).await;
    assert_eq!(store.tokens(Some(TWO)).await.unwrap(), [], "a user's tokens go with the user");
    let id = store.integration_ids(Some(TWO)).await.unwrap()[0];
    commit(&*store, Op::DeleteIntegration { id, revision: None }).await;
    commit(&*store, Op::DeleteApplication { client: TWO, id: -1 }).await;
    assert_eq!(store.applications(TWO).await.unwrap(), []);
    assert!(matches!(commit(&*store, Op::DeleteClient { id: TWO }).await, Done::Deleted(true)));
    assert_eq!(store.clients().await.unwrap().len(), 1);
}

pub(crate) async fn how_users_sign_in_is_kept_and_goes_with_them(backend: &dyn Backend) {
    let store = backend.open();
    commit(&*store, Op::PutUser(user(1, ONE, "jane@example.com"))).await;
    assert!(!store.anybody_signs_in().await.unwrap());
    let first = Credential {
        user: UserId(1),
        password: Some("$argon2id$...".to_owned()),
        password_set_at: Some(5),
        totp: Some(Secret::new("JBSWY3DPEHPK3PXP")),
        totp_step: 7,
        recovery: vec![[1; 32], [2; 32]],
        subject: Some(("https://id.example.com".to_owned(), "u1".to_owned())),
        ..Credential::default()
    };
    commit(&*store, Op::PutCredential(first.clone())).await;
    let again = store.commit(vec![Op::PutCredential(first.clone())]).await.unwrap_err();
    assert_eq!(again, StoreError::Conflict, "there is one already");
    drop(store);
    let store = backend.open();
    let kept = store.credential(UserId(1)).await.unwrap().unwrap();
    assert_eq!(kept, Credential { revision: 1, ..first.clone() });
    assert!(store.anybody_signs_in().await.unwrap());
    // Of two who use the same code, or the same recovery code, at once, one succeeds.
    let used = Credential { totp_step: 8, ..kept.clone() };
    commit(&*store, Op::PutCredential(used.clone())).await;
    let second = store.commit(vec![Op::PutCredential(used)]).await.unwrap_err();
    assert_eq!(second, StoreError::Conflict);
    let found = store.users_of_subject("https://id.example.com", "u1").await.unwrap();
    assert_eq!(found, [(ONE, UserId(1))]);
    assert_eq!(store.users_of_subject("https://other.example.com", "u1").await.unwrap(), []);
    commit(&*store, Op::PutUser(user(2, ONE, "joe@example.com"))).await;
    let twin = Credential { user: UserId(2), ..first.clone() };
    let twin = store.commit(vec![Op::PutCredential(twin)]).await.unwrap_err();
    assert!(matches!(twin, StoreError::Taken(_)), "{twin}");
    make_client(&*store, TWO).await;
    commit(&*store, Op::PutUser(user(3, TWO, "jane@example.com"))).await;
    commit(&*store, Op::PutCredential(Credential { user: UserId(3), ..first })).await;
    let found = store.users_of_subject("https://id.example.com", "u1").await.unwrap();
    assert_eq!(found, [(ONE, UserId(1)), (TWO, UserId(3))]);

    let session = |n: u8, at| Session {
        sha256: [n; 32],
        user: UserId(1),
        created_at: at,
        last_used_at: at,
        signed_in_with: "password".to_owned(),
        address: "127.0.0.1".to_owned(),
        agent: "test".to_owned(),
    };
    for n in 1..=60 {
        commit(&*store, Op::PutSession(session(n, 100 + u64::from(n)))).await;
    }
    assert_eq!(store.sessions(UserId(1)).await.unwrap().len(), 50, "the oldest end");
    assert_eq!(store.session([10; 32]).await.unwrap(), None);
    let (found, whose) = store.session([60; 32]).await.unwrap().unwrap();
    assert_eq!((found, whose.email.as_str()), (session(60, 160), "jane@example.com"));
    commit(&*store, Op::SessionsUsed(vec![([60; 32], 500), ([59; 32], 400)])).await;
    commit(&*store, Op::DeleteExpired { created_before: 0, used_before: 450, now: 0 }).await;
    assert_eq!(store.sessions(UserId(1)).await.unwrap(), [Session { last_used_at: 500, ..session(60, 160) }]);
    commit(&*store, Op::PutSession(session(61, 600))).await;
    commit(&*store, Op::DeleteSessions { user: UserId(1), but: Some([61; 32]) }).await;
    assert_eq!(store.session([60; 32]).await.unwrap(), None);

    let revision = store.credential(UserId(1)).await.unwrap().unwrap().revision;
    let sign_in =
        |revision| vec![Op::SameCredential { user: UserId(1), revision }, Op::PutSession(session(62, 601))];
    assert_eq!(store.commit(sign_in(revision - 1)).await.unwrap_err(), StoreError::Conflict);
    assert_eq!(
        store.session([62; 32]).await.unwrap(),
        None,
        "who proved it with what was changed is not let in"
    );
    store.commit(sign_in(revision)).await.unwrap();

    commit(&*store, Op::DeleteUser { id: UserId(1) }).await;
    assert_eq!(store.session([61; 32]).await.unwrap(), None);
    assert_eq!(store.credential(UserId(1)).await.unwrap(), None);
}

pub(crate) async fn a_link_is_good_once(backend: &dyn Backend) {
    let store = backend.open();
    let link = |n: u8, user: Option<u64>| Link { sha256: [n; 32], user: user.map(UserId), expires_at: 100 };
    commit(&*store, Op::PutLink(link(1, None))).await;
    commit(&*store, Op::PutLink(link(2, None))).await;
    commit(&*store, Op::PutUser(user(7, ONE, "7@example.com"))).await;
    commit(&*store, Op::PutLink(link(3, Some(7)))).await;
    assert_eq!(store.link([1; 32]).await.unwrap(), None, "a new one takes the place of the one before");
    assert_eq!(store.link([2; 32]).await.unwrap(), Some(link(2, None)));
    let redeem = |n: u8| {
        let user = user(u64::from(n), ONE, &format!("{n}@example.com"));
        vec![Op::RedeemLink { sha256: [n; 32] }, Op::PutUser(user)]
    };
    store.commit(redeem(2)).await.unwrap();
    assert_eq!(store.commit(redeem(2)).await.unwrap_err(), StoreError::NotFound);
    assert_eq!(store.commit(redeem(9)).await.unwrap_err(), StoreError::NotFound);
    assert_eq!(store.users(None).await.unwrap().len(), 2, "what hangs on a used link is not done");
    commit(&*store, Op::DeleteExpired { created_before: 0, used_before: 0, now: 100 }).await;
    assert_eq!(store.link([3; 32]).await.unwrap(), None);

    // A link dies with what it was given for.
    let id = 2;
    let before = store.user(UserId(id)).await.unwrap().unwrap();
    let renamed = User { name: "New".to_owned(), time_zone: Some("Asia/Tokyo".to_owned()), ..before.clone() };
    for (n, change, survives) in [
        (10, renamed, true),
        (11, User { role: Role::Operator, ..before.clone() }, false),
        (12, User { email: "other@example.com".to_owned(), ..before.clone() }, false),
        (13, User { enabled: false, ..before }, false),
    ] {
        commit(&*store, Op::PutLink(link(n, Some(id)))).await;
        let revision = store.user(UserId(id)).await.unwrap().unwrap().revision;
        commit(&*store, Op::PutUser(User { revision, ..change })).await;
        assert_eq!(store.link([n; 32]).await.unwrap().is_some(), survives, "{n}");
    }
    for user in [None, Some(id)] {
        commit(&*store, Op::PutLink(link(20, user))).await;
        let revision =
            store.credential(UserId(id)).await.unwrap().map_or(0, |credential| credential.revision);
        let password = Some("$argon2id$...".to_owned());
        let credential = Credential { user: UserId(id), revision, password, ..Credential::default() };
        commit(&*store, Op::PutCredential(credential)).await;
        assert_eq!(store.link([20; 32]).await.unwrap(), None, "nobody needs it any more");
    }
}

pub(crate) async fn the_activity_log_is_read_newest_first_by_what_it_is_about_and_when(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let entry = |client, action: &str, object_id: u64| ActivityEntry {
        client,
        actor: object_id.is_multiple_of(2).then(|| Actor { name: "Jane".to_owned(), email: None }),
        source: ActivitySource::Api,
        action: action.to_owned(),
        object_type: "integration".to_owned(),
        object_id: object_id.to_string(),
        object_name: "SIEM".to_owned(),
        changes: vec![FieldChange { field: "name".to_owned(), old: "a".into(), new: Value::Null }],
    };
    for n in 1..=6 {
        let action = if n <= 3 { "create" } else { "delete" };
        commit(&*store, Op::Record(entry(if n == 2 { TWO } else { ONE }, action, n))).await;
    }
    let read = async |query| {
        let page = store.activity(query).await.unwrap();
        page.rows.into_iter().map(|row| row.entry.object_id).collect::<Vec<_>>()
    };
    let of_one = ActivityQuery { client: Some(ONE), limit: 3, ..ActivityQuery::default() };
    assert_eq!(read(of_one.clone()).await, ["6", "5", "4"]);
    assert_eq!(read(ActivityQuery { before: Some(4), ..of_one.clone() }).await, ["3", "1"]);
    assert_eq!(read(ActivityQuery { action: Some("create".to_owned()), ..of_one.clone() }).await, ["3", "1"]);
    assert_eq!(read(ActivityQuery { object_id: Some("5".to_owned()), ..of_one.clone() }).await, ["5"]);
    assert_eq!(read(ActivityQuery { actor: Some("jane".to_owned()), ..of_one.clone() }).await, ["6", "4"]);
    assert!(read(ActivityQuery { object_type: Some("user".to_owned()), ..of_one.clone() }).await.is_empty());
    let all = ActivityQuery { limit: 10, ..ActivityQuery::default() };
    let page = store.activity(all.clone()).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (6, None));
    assert_eq!(page.rows[4].entry, entry(TWO, "create", 2));
    let at_ms = page.rows[0].at_ms;
    assert!(at_ms >= BEGIN_MS);
    assert!(read(ActivityQuery { since_ms: Some(at_ms + 1), ..all.clone() }).await.is_empty());
    assert_eq!(read(ActivityQuery { until_ms: Some(at_ms + 1), ..all.clone() }).await.len(), 6);
    assert!(read(ActivityQuery { until_ms: Some(BEGIN_MS), ..all }).await.is_empty());
    let page = store.activity(of_one).await.unwrap();
    assert_eq!(page.next, Some(page.rows[2].id), "there are more");
}

pub(crate) async fn what_is_remembered_outlives_a_restart_and_is_replaced(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(store.remembered("sources").await.unwrap(), None);
    for text in ["first", "second"] {
        commit(&*store, Op::Remember { name: "sources", text: text.to_owned() }).await;
    }
    drop(store);
    let store = backend.open();
    assert_eq!(store.remembered("sources").await.unwrap().as_deref(), Some("second"));
    assert_eq!(store.remembered("canary").await.unwrap(), None, "the store's own notes are not among them");
}

pub(crate) async fn an_announcement_is_kept_exactly_if_its_change_is(backend: &dyn Backend) {
    let store = backend.open();
    let events = hits(1..=3);
    let mut announced = store.announced();
    let announce = |n: usize| Op::Announce(events[n].clone());
    let put = Op::PutApplication(Application { client: ONE, id: 1, name: "shop".to_owned() });
    store.commit(vec![put, announce(0)]).await.unwrap();
    assert!(announced.has_changed().unwrap());
    assert_eq!(*announced.borrow_and_update(), 1);
    let impossible = Op::PutUser(User { revision: 7, ..user(1, ONE, "a@example.com") });
    store.commit(vec![announce(1), impossible]).await.unwrap_err();
    assert!(!announced.has_changed().unwrap());
    commit(&*store, announce(2)).await;
    drop(store);
    let store = backend.open();
    let kept = store.outbox(10).await.unwrap();
    assert_eq!(kept.iter().map(|(_, event)| event).collect::<Vec<_>>(), [&events[0], &events[2]]);
    assert_eq!(store.outbox(1).await.unwrap().len(), 1);
    commit(&*store, Op::Announced { through: kept[0].0 }).await;
    assert_eq!(store.outbox(10).await.unwrap(), kept[1..]);
}

pub(crate) async fn ops_of_one_call_are_answered_in_their_order(backend: &dyn Backend) {
    let store = backend.open();
    let append = |n| Op::Append(Append { events: hits(n..=n), ..Append::default() });
    let ops = vec![Op::CreateIntegration(new_integration(ONE, &[Kind::Hit])), append(1), append(2)];
    let done = store.commit(ops).await.unwrap();
    let [Done::Integration(integration), Done::Appended(_), Done::Appended(_)] = &done[..] else {
        panic!("answered with {done:?}")
    };
    assert_eq!(integration.events[0].from, Seq(3), "appends come first");
    assert_eq!(store.commit(Vec::new()).await.unwrap().len(), 0);
}

pub(crate) async fn an_append_beside_an_impossible_change_is_not_made(backend: &dyn Backend) {
    let store = backend.open();
    let made = create(&*store, ONE, &[Kind::Hit]).await;
    update(&*store, made.clone()).await;
    let append = Op::Append(Append { events: hits(1..=1), ..Append::default() });
    let stale = Op::UpdateIntegration(UpdateIntegration { integration: made, resume: None });
    assert_eq!(store.commit(vec![append.clone(), stale]).await.unwrap_err(), StoreError::Conflict);
    let unknown = Op::Save(CourierToken(1), progress(IntegrationId(99)));
    assert_eq!(store.commit(vec![append.clone(), unknown]).await.unwrap_err(), StoreError::NotFound);
    let before = loaded(&*store, IntegrationId(1)).await;
    loaded(&*store, IntegrationId(1)).await;
    let late = Op::Save(before, progress(IntegrationId(1)));
    assert_eq!(store.commit(vec![append, late]).await.unwrap_err(), StoreError::Overtaken);
    assert_eq!(head(&*store), 0);
}

pub(crate) async fn of_a_call_that_fails_nothing_counts(backend: &dyn Backend) {
    let store = backend.open();
    let ops = vec![
        Op::CreateIntegration(new_integration(ONE, &[Kind::Hit])),
        Op::Save(CourierToken(1), progress(IntegrationId(99))),
    ];
    assert_eq!(store.commit(ops).await.unwrap_err(), StoreError::NotFound);
    assert_eq!(store.integration_ids(None).await.unwrap(), []);
}

pub(crate) async fn callers_at_the_same_time_all_get_their_own_answer(backend: &dyn Backend) {
    let store = backend.open();
    let id = create(&*store, ONE, &[Kind::Hit]).await.id;
    let token = loaded(&*store, id).await;
    let callers = (0..200_u64).map(|caller| {
        let store = &store;
        async move {
            let events = hits(caller * 10..caller * 10 + 1 + caller % 3);
            let count = events.len() as u64;
            let appended = append_once(&**store, events).await;
            assert_eq!(appended.accepted, count);
            let step = Progress { attempts: vec![attempt(caller as u32)], ..progress(id) };
            assert!(matches!(commit(&**store, Op::Save(token, step)).await, Done::Saved));
            let unknown = Op::Save(CourierToken(1), progress(IntegrationId(99)));
            assert_eq!(store.commit(vec![unknown]).await.unwrap_err(), StoreError::NotFound);
        }
    });
    join_all(callers).await;
    let records = read_all(&*store, vec![stream(ONE, Kind::Hit)]).await;
    let expected: u64 = (0..200).map(|caller| 1 + caller % 3).sum();
    assert_eq!(records.len() as u64, expected);
    assert!(records.windows(2).all(|pair| pair[0].seq.next() == pair[1].seq), "positions have no gap");
    // The events of one caller stay together, in their order.
    for caller in 0..200_u64 {
        let own: Vec<_> = (0..=caller % 3).map(|n| format!("hit-{}", caller * 10 + n)).collect();
        let at = records.iter().position(|record| record.event.id.as_str() == own[0]).unwrap();
        assert_eq!(ids(&records[at..at + own.len()]), own);
    }
    assert_eq!(store.attempts(id, None, 1000).await.unwrap().len(), 200);
}

/// Polls all of them until each is done.
async fn join_all(futures: impl IntoIterator<Item = impl Future<Output = ()>>) {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

pub(crate) async fn a_closed_store_refuses_and_keeps_everything(backend: &dyn Backend) {
    let store = backend.open();
    append(&*store, hits(1..=2)).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    let refused = store.commit(vec![Op::Append(Append { events: hits(3..=3), ..Append::default() })]).await;
    assert_eq!(refused.unwrap_err(), StoreError::Closed);
    drop(store);
    assert_eq!(head(&*backend.open()), 2);
}
