//! Random histories, on the store and on a naive model beside it: a vector of events, and what each integration would
//! have by the plain words of the contract.

use crate::support::{
    Backend, Bench, HIGH, ONE, TWO, attempt, event, lane_at, make_client, new_integration, progress, save,
    ticked, unsettled,
};
use hitwire_courier::{ByLane, DisableReason, LaneState, LostRange, LostReason, Progress};
use hitwire_event::{ClientId, Event, IntegrationId, Kind, Lane, Seq, Stream};
use hitwire_store::{
    Activity, Append, CourierToken, Done, Integration, IntegrationQuery, Op, Read, Resume, Store, StoreError,
    StreamFrom, UpdateIntegration,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const KINDS: [Kind; 3] = [Kind::Hit, HIGH, Kind::System];

/// One step of a history. Numbers stand for whatever there is by then: they are taken modulo its count.
#[derive(Clone, Debug)]
enum Step {
    Append { events: Vec<(u8, u8, u8)>, deduplicate: bool, checkpoint: Option<u8> },
    Read { streams: Vec<(u8, u8, u8)>, after: u8, through: Option<u8>, max_events: u8, max_bytes: u16 },
    Create { client: u8, kinds: u8, active: bool },
    Tick { integration: u8, kinds: u8 },
    Enable { integration: u8, enable: bool, resume: u8 },
    Delete { integration: u8 },
    Save { integration: u8, lane: bool, cursor: u8, open: u8, disable: bool },
    Restart,
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let events = prop::collection::vec((0..2_u8, 0..3_u8, 0..6_u8), 0..6);
    let streams = prop::collection::vec((0..2_u8, 0..3_u8, any::<u8>()), 0..4);
    let step = prop_oneof![
        6 => (events, any::<bool>(), any::<Option<u8>>())
            .prop_map(|(events, deduplicate, checkpoint)| Step::Append { events, deduplicate, checkpoint }),
        5 => (streams, any::<u8>(), any::<Option<u8>>(), 1..6_u8, 1..200_u16).prop_map(
            |(streams, after, through, max_events, max_bytes)| {
                Step::Read { streams, after, through, max_events, max_bytes }
            }
        ),
        2 => (0..2_u8, 0..8_u8, any::<bool>())
            .prop_map(|(client, kinds, active)| Step::Create { client, kinds, active }),
        2 => (any::<u8>(), 0..8_u8).prop_map(|(integration, kinds)| Step::Tick { integration, kinds }),
        2 => (any::<u8>(), any::<bool>(), 0..3_u8)
            .prop_map(|(integration, enable, resume)| Step::Enable { integration, enable, resume }),
        1 => any::<u8>().prop_map(|integration| Step::Delete { integration }),
        4 => (any::<u8>(), any::<bool>(), any::<u8>(), 0..4_u8, prop::bool::weighted(0.2)).prop_map(
            |(integration, lane, cursor, open, disable)| Step::Save { integration, lane, cursor, open, disable }
        ),
        1 => Just(Step::Restart),
        1 => any::<u16>().prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..40)
}

/// An event in the model's log.
struct Kept {
    event: Event,
    id_reused: bool,
    counts: bool,
}

/// An integration in the model.
struct Webhook {
    now: Integration,
    lanes: ByLane<LaneState>,
    /// Reason, lane, kinds, events.
    lost: Vec<(LostReason, Lane, Vec<Kind>, u64)>,
    attempts: u64,
}

#[derive(Default)]
struct Model {
    log: Vec<Kept>,
    checkpoint: Option<Vec<u8>>,
    webhooks: BTreeMap<IntegrationId, Webhook>,
}

impl Model {
    fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// Appends an event; `true`: it is a duplicate.
    fn append(&mut self, event: Event, deduplicate: bool) -> bool {
        let same_id =
            |kept: &&Kept| kept.counts && (kept.event.client, &kept.event.id) == (event.client, &event.id);
        let mut known = self.log.iter().filter(same_id).peekable();
        let id_reused = deduplicate && known.peek().is_some();
        if deduplicate && known.any(|kept| kept.event == event) {
            return true;
        }
        self.log.push(Kept { event, id_reused, counts: deduplicate });
        false
    }

    /// The positions of the streams' events in `after < seq <= through`.
    fn positions(&self, streams: &[StreamFrom], after: u64, through: u64) -> Vec<u64> {
        (after + 1..=through.min(self.head()))
            .filter(|&seq| {
                let stream = self.log[seq as usize - 1].event.stream();
                streams.iter().any(|wanted| wanted.stream == stream && wanted.from.0 <= seq)
            })
            .collect()
    }

    /// How much a lane has outstanding, in each part of the log that is not settled.
    fn outstanding(&self, webhook: &Webhook, lane: Lane, kinds: impl Fn(Kind) -> bool) -> Vec<u64> {
        let active = webhook.now.events.iter().filter(|ticked| ticked.active && ticked.kind.lane() == lane);
        let streams: Vec<_> = active
            .filter(|ticked| kinds(ticked.kind))
            .map(|ticked| StreamFrom {
                stream: Stream { client: webhook.now.client, kind: ticked.kind },
                from: ticked.from,
            })
            .collect();
        let parts = webhook.lanes[lane].unsettled().into_iter();
        parts
            .map(|(after, through)| self.positions(&streams, after.0, through.0).len() as u64)
            .filter(|events| *events > 0)
            .collect()
    }
}

fn pick<T: Copy>(from: &[T], at: u8) -> Option<T> {
    (!from.is_empty()).then(|| from[usize::from(at) % from.len()])
}

fn kinds(bits: u8) -> Vec<Kind> {
    KINDS.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, kind)| kind).collect()
}

fn sorted(kinds: impl Iterator<Item = Kind>) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = kinds.collect();
    kinds.sort_unstable();
    kinds
}

fn client(n: u8) -> hitwire_event::ClientId {
    if n == 0 { ONE } else { TWO }
}

struct History<'a> {
    bench: &'a Bench,
    store: Option<Box<dyn Store>>,
    model: Model,
}

impl History<'_> {
    fn store(&self) -> &dyn Store {
        &**self.store.as_ref().expect("the store is open")
    }

    fn integration(&self, at: u8) -> Option<IntegrationId> {
        pick(&self.model.webhooks.keys().copied().collect::<Vec<_>>(), at)
    }

    async fn step(&mut self, step: &Step) {
        match step.clone() {
            Step::Append { events, deduplicate, checkpoint } => {
                self.append(&events, deduplicate, checkpoint).await;
            }
            Step::Read { streams, after, through, max_events, max_bytes } => {
                let head = self.model.head();
                let bound = |at: u8| Seq(u64::from(at) % (head + 3));
                let streams = streams
                    .iter()
                    .map(|&(of, kind, from)| StreamFrom {
                        stream: Stream { client: client(of), kind: KINDS[usize::from(kind)] },
                        from: bound(from),
                    })
                    .collect();
                let read = Read {
                    streams,
                    after: bound(after),
                    through: through.map(bound),
                    max_events: usize::from(max_events),
                    max_bytes: usize::from(max_bytes),
                };
                self.read(read).await;
            }
            Step::Create { client: of, kinds: bits, active } => {
                make_client(self.store(), client(of)).await;
                let mut new = new_integration(client(of), &kinds(bits));
                new.active = active;
                let made = self.changed(Op::CreateIntegration(new)).await;
                let head = self.model.head();
                assert!(made.events.iter().all(|ticked| ticked.from.0 == head + 1));
                let webhook =
                    Webhook { now: made, lanes: ByLane::live(|_| lane_at(head)), lost: vec![], attempts: 0 };
                self.model.webhooks.insert(webhook.now.id, webhook);
            }
            Step::Tick { integration, kinds: bits } => {
                if let Some(id) = self.integration(integration) {
                    self.tick(id, &kinds(bits)).await;
                }
            }
            Step::Enable { integration, enable, resume } => {
                if let Some(id) = self.integration(integration) {
                    let resume = [None, Some(Resume::Now), Some(Resume::Missed)][usize::from(resume)];
                    self.enable(id, enable, resume).await;
                }
            }
            Step::Delete { integration } => {
                if let Some(id) = self.integration(integration) {
                    let done = self
                        .store()
                        .commit(vec![Op::DeleteIntegration { id, revision: None }])
                        .await
                        .unwrap();
                    assert!(matches!(done[0], Done::Deleted(true)));
                    self.model.webhooks.remove(&id);
                }
            }
            Step::Save { integration, lane, cursor, open, disable } => {
                if let Some(id) = self.integration(integration) {
                    let lane = if lane { Lane::Urgent } else { Lane::Bulk };
                    self.save(id, lane, u64::from(cursor) % (self.model.head() + 1), open, disable).await;
                }
            }
            Step::Restart => {
                self.store = None;
                self.store = Some(self.bench.open());
            }
            Step::Pass(seconds) => self.bench.pass(Duration::from_secs(u64::from(seconds) / 8)),
        }
    }

    async fn append(&mut self, events: &[(u8, u8, u8)], deduplicate: bool, checkpoint: Option<u8>) {
        let events: Vec<_> = events
            .iter()
            .map(|&(of, kind, n)| {
                event(client(of), KINDS[usize::from(kind)], &format!("id-{}", n / 2), &(n % 2).to_string())
            })
            .collect();
        let checkpoint = checkpoint.map(|position| ("source".to_owned(), vec![position]));
        let append = Append { events: events.clone(), deduplicate, checkpoint: checkpoint.clone() };
        let done = self.store().commit(vec![Op::Append(append)]).await.unwrap();
        let expected: Vec<bool> =
            events.into_iter().map(|event| self.model.append(event, deduplicate)).collect();
        let [Done::Appended(appended)] = &done[..] else { panic!("answered with {done:?}") };
        assert_eq!(appended.accepted, expected.iter().filter(|duplicate| !**duplicate).count() as u64);
        assert_eq!(appended.duplicate, expected);
        if let Some((_, position)) = checkpoint {
            self.model.checkpoint = Some(position);
        }
    }

    async fn read(&self, read: Read) {
        let page = self.store().read(read.clone()).await.unwrap();
        let through = read.through.map_or(u64::MAX, |through| through.0).min(self.model.head());
        let expected = self.model.positions(&read.streams, read.after.0, through);
        let found: Vec<u64> = page.records.iter().map(|record| record.seq.0).collect();
        assert!(expected.starts_with(&found), "{read:?}: {expected:?} {found:?}");
        assert!(found.len() <= read.max_events);
        for record in &page.records {
            let kept = &self.model.log[record.seq.0 as usize - 1];
            assert_eq!((&record.event, record.id_reused), (&kept.event, kept.id_reused));
        }
        let bytes: usize = page.records.iter().map(|record| record.event.body.len()).sum();
        assert!(found.len() <= 1 || bytes <= read.max_bytes);
        // What was not given lies beyond what was searched; and what was searched is not searched again.
        assert!(expected[found.len()..].iter().all(|&seq| seq > page.scanned_to.0));
        assert!(page.scanned_to >= read.after && page.scanned_to.0 <= through.max(read.after.0));
        assert_eq!(page.more, page.scanned_to.0 < through);
        assert!(!page.more || page.scanned_to > read.after, "a read gets on");

        let lag = self.store().lag(read.streams.clone(), read.after, Seq(through)).await.unwrap();
        assert_eq!(lag.events, expected.len() as u64);
        assert_eq!(lag.oldest_ms.is_some(), !expected.is_empty());
    }

    async fn changed(&self, op: Op) -> Integration {
        let mut done = self.store().commit(vec![op]).await.unwrap();
        match done.pop() {
            Some(Done::Integration(integration)) => *integration,
            other => panic!("answered with {other:?}"),
        }
    }

    async fn tick(&mut self, id: IntegrationId, kinds: &[Kind]) {
        let webhook = &self.model.webhooks[&id];
        let mut wanted = webhook.now.clone();
        wanted.events = ticked(kinds);
        let now = self
            .changed(Op::UpdateIntegration(UpdateIntegration { integration: wanted, resume: None }))
            .await;
        let webhook = &self.model.webhooks[&id];
        let before: Vec<Kind> = webhook.now.events.iter().map(|ticked| ticked.kind).collect();
        let mut lost = Vec::new();
        for &kind in before.iter().filter(|kind| !kinds.contains(kind)) {
            for events in self.model.outstanding(webhook, kind.lane(), |other| other == kind) {
                lost.push((LostReason::Unticked, kind.lane(), vec![kind], events));
            }
        }
        let head = self.model.head();
        for after in &now.events {
            let kept = webhook.now.events.iter().find(|before| before.kind == after.kind);
            assert_eq!(after.from.0, kept.map_or(head + 1, |before| before.from.0));
        }
        let changed = before != kinds;
        assert_eq!(now.content_revision, webhook.now.content_revision + u64::from(changed));
        let webhook = self.model.webhooks.get_mut(&id).unwrap();
        webhook.lost.extend(lost);
        webhook.now = now;
    }

    async fn enable(&mut self, id: IntegrationId, enable: bool, resume: Option<Resume>) {
        let webhook = &self.model.webhooks[&id];
        let mut wanted = webhook.now.clone();
        wanted.activity = if enable { Activity::Active } else { Activity::DisabledByUser };
        let now =
            self.changed(Op::UpdateIntegration(UpdateIntegration { integration: wanted, resume })).await;
        let webhook = &self.model.webhooks[&id];
        let begins = enable && webhook.now.activity != Activity::Active;
        let from_now = match resume {
            Some(resume) => resume == Resume::Now,
            None => webhook.now.activity == Activity::DisabledByUser,
        };
        let head = self.model.head();
        let mut lost = Vec::new();
        if begins && from_now {
            for lane in Lane::LIVE {
                for events in self.model.outstanding(webhook, lane, |_| true) {
                    let of_lane = webhook.now.events.iter().map(|ticked| ticked.kind);
                    let kinds = sorted(of_lane.filter(|kind| kind.lane() == lane));
                    lost.push((LostReason::EnabledFromNow, lane, kinds, events));
                }
            }
        }
        let webhook = self.model.webhooks.get_mut(&id).unwrap();
        if begins && from_now {
            for lane in webhook.lanes.values_mut() {
                lane.pass(Seq(head));
            }
        }
        webhook.lost.extend(lost);
        webhook.now = now;
    }

    async fn save(&mut self, id: IntegrationId, lane: Lane, cursor: u64, open: u8, disable: bool) {
        let cursor = cursor.max(self.model.webhooks[&id].lanes[lane].cursor.0);
        let state = LaneState {
            cursor: Seq(cursor),
            // Two events each, as far as there are any; one more is settled behind every other batch.
            open: (0..u64::from(open))
                .map(|n| unsettled(cursor + 1 + 3 * n, cursor + 2 + 3 * n, n % 2))
                .take_while(|open| open.batch.through.0 <= self.model.head())
                .collect(),
        };
        let reason = DisableReason::TooManyFailures { failed: 12, total: 20 };
        let step = Progress {
            lanes: vec![(lane, state.clone())],
            attempts: vec![attempt(cursor as u32)],
            disable: disable.then(|| reason.clone()),
            ..progress(id)
        };
        save(self.store(), step).await;
        let webhook = self.model.webhooks.get_mut(&id).unwrap();
        webhook.attempts += 1;
        webhook.lanes[lane] = state;
        if disable && webhook.now.activity == Activity::Active {
            webhook.now.activity = Activity::DisabledAutomatically(reason);
            webhook.now.revision += 1;
        }
    }

    /// Everything that can be asked is as in the model.
    async fn check(&self) {
        let store = self.store();
        assert_eq!(store.head().now().0, self.model.head());
        assert_eq!(store.checkpoint("source").await.unwrap(), self.model.checkpoint);
        let ids: Vec<_> = self.model.webhooks.keys().copied().collect();
        assert_eq!(store.integration_ids(None).await.unwrap(), ids);
        for of in [ONE, TWO] {
            self.check_pages(of).await;
        }
        for (id, webhook) in &self.model.webhooks {
            assert_eq!(store.integration(*id).await.unwrap(), Some(webhook.now.clone()));
            let saved = store.saved(*id).await.unwrap().unwrap();
            assert_eq!(saved.lanes, webhook.lanes);
            let lost: Vec<_> = store.lost(*id, None, 1000).await.unwrap();
            let lost: Vec<_> = lost.iter().rev().map(|row| &row.range).collect();
            assert!(lost.iter().all(|range| range.first <= range.last && range.last.0 <= self.model.head()));
            let all = |range: &&LostRange| {
                (range.reason, range.lane, sorted(range.kinds.iter().copied()), range.events)
            };
            let lost: Vec<_> = lost.iter().map(all).collect();
            let mut expected = webhook.lost.clone();
            let mut found = lost;
            let order = |row: &(LostReason, Lane, Vec<Kind>, u64)| (row.0 as u8, row.1, row.2.clone(), row.3);
            expected.sort_by_key(order);
            found.sort_by_key(order);
            assert_eq!(found, expected);
            assert_eq!(store.attempts(*id, None, 1000).await.unwrap().len() as u64, webhook.attempts);
        }
        let gone = store.commit(vec![Op::Save(CourierToken(1), progress(IntegrationId(9999)))]).await;
        assert_eq!(gone.unwrap_err(), StoreError::NotFound);
    }

    /// The pages of a client's integrations, two at a time.
    async fn check_pages(&self, of: ClientId) {
        let own = || self.model.webhooks.values().map(|webhook| &webhook.now).filter(|now| now.client == of);
        let is_enabled = |now: &&Integration| now.activity == Activity::Active;
        for enabled in [None, Some(true), Some(false)] {
            let wanted = own().filter(|now| enabled.is_none_or(|enabled| is_enabled(now) == enabled));
            let wanted: Vec<_> =
                wanted.map(|now| (now.id, now.activity.clone(), now.events.clone())).collect();
            let (mut found, mut after) = (Vec::new(), Some(IntegrationId(0)));
            while let Some(from) = after {
                let query =
                    IntegrationQuery { client: of, enabled, name: String::new(), after: from, limit: 2 };
                let page = self.store().integration_page(query).await.unwrap();
                let total = page.counts.enabled + page.counts.disabled;
                assert_eq!(
                    (page.counts.enabled, total),
                    (own().filter(is_enabled).count() as u64, own().count() as u64)
                );
                found.extend(page.rows.into_iter().map(|row| (row.id, row.activity, row.events)));
                after = page.next;
            }
            assert_eq!(found, wanted);
        }
    }
}

fn run(steps: &[Step], inline: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::new(inline);
        let mut history = History { bench: &bench, store: Some(bench.open()), model: Model::default() };
        for step in steps {
            history.step(step).await;
        }
        history.check().await;
        history.step(&Step::Restart).await;
        history.check().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_without_threads_is_as_the_model_says(steps in steps()) {
        run(&steps, true);
    }

    #[test]
    fn a_history_with_threads_is_as_the_model_says(steps in steps()) {
        run(&steps, false);
    }
}
