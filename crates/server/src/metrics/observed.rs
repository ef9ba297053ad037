//! What is looked at when somebody asks: the lanes, the store, the sources, what is in memory.
//!
//! The cost is bounded, however many integrations there are: lanes that are caught up are counted and not measured; of the
//! others those that are furthest behind are measured, lanes with the same streams and cursor once. What was seen is told
//! again for a few seconds.

use super::writing::{bytes, counter, counters, family, gauge, gauges, histogram, seconds};
use crate::certificate::Certificate;
use hitwire_api::SourceGauge;
use hitwire_api::SourceStatus;
use hitwire_api::body::BodyBudget;
use hitwire_courier::progress::LostReason;
use hitwire_delivery::counted::{Deliveries, One, VERDICTS, outcome};
use hitwire_delivery::{Clock, Dispatch, InFlight, Surveyed};
use hitwire_event::{IntegrationId, Lane, Seq};
use hitwire_share::{Holder, Shares};
use hitwire_store::{Counts, Details, Figures, Lag, Store, StreamFrom};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What was seen is told again for this long.
const SEEN_FOR: Duration = Duration::from_secs(3);

/// Lanes that are measured, those furthest behind first. One takes up to some milliseconds when it is far behind.
const MEASURED_MAX: usize = 200;

/// And no longer than this.
const MEASURING_MAX: Duration = Duration::from_secs(1);

/// A store or a dispatch that does not answer within this is left out.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The states that a lane can be in.
const STATES: [&str; 5] = ["caught_up", "sending", "waiting", "refused", "disabled"];

/// Stands for the integrations that are not told one by one.
const OTHER: &str = "other";

/// What is looked at.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) live: hitwire_console::Places,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) dispatch: Dispatch,
    pub(crate) details: Arc<Details>,
    pub(crate) sources: Vec<Arc<SourceGauge>>,
    pub(crate) bodies: BodyBudget,
    /// Of which somebody may find theirs used up.
    pub(crate) shares: Vec<Shares<Holder>>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) clock: Clock,
    /// `--retention-size`.
    pub(crate) log_bytes_max: u64,
    /// `--disk-floor`.
    pub(crate) disk_floor_bytes: u64,
}

/// What was seen last.
pub(super) struct Observed {
    around: Around,
    deliveries: Deliveries,
    counts: Arc<Counts>,
    seen: Mutex<Arc<Seen>>,
    looked: tokio::sync::Mutex<Option<Instant>>,
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Seen {
    head: Seq,
    /// None: the dispatch did not answer.
    lanes: Option<Lanes>,
    /// None: the store did not answer.
    figures: Option<Figures>,
    sources: Vec<SourceStatus>,
}

/// The lanes of all integrations.
#[derive(Debug, Default)]
struct Lanes {
    in_state: BTreeMap<(&'static str, &'static str), InState>,
    not_measured: u64,
    failing: u64,
    each: HashMap<IntegrationId, Behind>,
}

/// The lanes in one state.
#[derive(Clone, Copy, Debug, Default)]
struct InState {
    lanes: u64,
    lag_events: u64,
    lag_s: f64,
}

/// How far one integration is behind.
#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    events: u64,
    seconds: f64,
    failures: u64,
}

impl Behind {
    /// Several together: events add up, the rest is that of the worst.
    fn with(self, other: Behind) -> Behind {
        Behind {
            events: self.events + other.events,
            seconds: self.seconds.max(other.seconds),
            failures: self.failures.max(other.failures),
        }
    }
}

impl Observed {
    pub(super) fn new(around: Around, deliveries: Deliveries) -> Observed {
        let counts = around.store.counts();
        Observed { around, deliveries, counts, seen: Mutex::default(), looked: tokio::sync::Mutex::default() }
    }

    /// Looks again, unless that was done a moment ago.
    pub(super) async fn look(&self) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < SEEN_FOR) {
            return;
        }
        let head = self.around.store.head().now();
        let surveyed = timeout(ANSWER_MAX, self.around.dispatch.survey()).await.ok().flatten();
        let lanes = match surveyed {
            Some(surveyed) => Some(self.lanes(surveyed, head).await),
            None => None,
        };
        let figures = timeout(ANSWER_MAX, self.around.store.figures()).await.ok().and_then(Result::ok);
        let sources = self.around.sources.iter().map(|source| source.status()).collect();
        let seen = Arc::new(Seen { head, lanes, figures, sources });
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        *looked = Some(Instant::now());
    }

    async fn lanes(&self, surveyed: Vec<Surveyed>, head: Seq) -> Lanes {
        let lags = self.measure(&surveyed, head).await;
        let now_ms = self.around.clock.wall_ms();
        let mut lanes = Lanes::default();
        for lane in Lane::LIVE {
            for state in STATES {
                lanes.in_state.insert((lane.group(), state), InState::default());
            }
        }
        for one in surveyed {
            let mut behind = Behind { failures: one.failures_in_a_row.into(), ..Behind::default() };
            lanes.failing += u64::from(one.failures_in_a_row > 0);
            for (lane, now) in one.lanes {
                let state = lanes.in_state.entry((lane.group(), now.state)).or_default();
                state.lanes += 1;
                if now.streams.is_empty() {
                    continue;
                }
                let Some(lag) = lags.get(&place(now.cursor, &now.streams)) else {
                    lanes.not_measured += 1;
                    continue;
                };
                let seconds =
                    lag.oldest_ms.map_or(0.0, |oldest| now_ms.saturating_sub(oldest) as f64 / 1_000.0);
                let events = lag.events.saturating_sub(now.settled_ahead);
                state.lag_events += events;
                state.lag_s = state.lag_s.max(seconds);
                behind = behind.with(Behind { events, seconds, failures: 0 });
            }
            lanes.each.insert(one.id, behind);
        }
        lanes
    }

    /// Measures the lanes that are furthest behind, within bounds of number and time.
    async fn measure(&self, surveyed: &[Surveyed], head: Seq) -> HashMap<Place, Lag> {
        let mut wanted: Vec<(Seq, &Vec<StreamFrom>)> = surveyed
            .iter()
            .flat_map(|one| one.lanes.values())
            .filter(|lane| !lane.streams.is_empty())
            .map(|lane| (lane.cursor, &lane.streams))
            .collect();
        wanted.sort_unstable_by_key(|(cursor, _)| *cursor);
        let deadline = Instant::now() + MEASURING_MAX;
        let mut lags = HashMap::new();
        for (cursor, streams) in wanted {
            let place = place(cursor, streams);
            if lags.contains_key(&place) {
                continue;
            }
            if lags.len() >= MEASURED_MAX {
                break;
            }
            let measured = self.around.store.lag(streams.clone(), cursor, head);
            match tokio::time::timeout_at(deadline, measured).await {
                Ok(Ok(lag)) => lags.insert(place, lag),
                // What cannot be read now is told as not measured.
                Ok(Err(_)) => None,
                Err(_) => break,
            };
        }
        lags
    }
}

/// Where a lane stands: those that stand at the same place are measured once.
type Place = (Seq, Vec<(u64, u8, u64)>);

fn place(cursor: Seq, streams: &[StreamFrom]) -> Place {
    let streams = streams.iter().map(|from| (from.stream.client.0, from.stream.kind.code(), from.from.0));
    (cursor, streams.collect())
}

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let seen = Arc::clone(&self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(lanes) = &seen.lanes {
            lanes.write(encoder)?;
        }
        self.write_each(encoder, seen.lanes.as_ref())?;
        self.write_memory(encoder)?;
        self.write_store(encoder, &seen)?;
        write_sources(encoder, &seen.sources)
    }
}

impl Lanes {
    fn write(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let of = |value: fn(&InState) -> f64| {
            self.in_state
                .iter()
                .map(move |((lane, state), figures)| ([("lane", *lane), ("state", *state)], value(figures)))
        };
        gauges(
            encoder,
            family("lanes", "Lanes of integrations, by state"),
            of(|figures| figures.lanes as f64),
        )?;
        let help = "Events that lanes have not settled, by state; of the lanes that were measured";
        gauges(encoder, family("lane_lag_events", help), of(|figures| figures.lag_events as f64))?;
        let help = "Age of the oldest event that a lane has not settled, the worst lane, by state";
        gauges(encoder, seconds("lane_lag", help), of(|figures| figures.lag_s))?;
        let help = "Lanes that are behind and were not measured, for there are too many";
        gauge(encoder, family("lanes_not_measured", help), Some(self.not_measured))?;
        let help = "Integrations whose last attempt failed";
        gauge(encoder, family("integrations_failing", help), Some(self.failing))
    }
}

impl Observed {
    /// Integrations one by one, and the others together.
    fn write_each(&self, encoder: &mut DescriptorEncoder<'_>, lanes: Option<&Lanes>) -> fmt::Result {
        let (single, other) = self.deliveries.one_by_one();
        let named: Vec<(String, One)> = single
            .iter()
            .map(|(id, one)| (id.to_string(), *one))
            .chain([(OTHER.to_owned(), other)])
            .collect();
        let help = "Attempts of single integrations, by outcome";
        let batches = named.iter().flat_map(|(id, one)| {
            VERDICTS.into_iter().zip(one.batches).map(move |(verdict, count)| {
                ([("integration", id.as_str()), ("outcome", outcome(verdict))], count)
            })
        });
        counters(encoder, family("integration_batches", help), batches)?;
        let help = "Events that were delivered to single integrations";
        let events = named.iter().map(|(id, one)| ([("integration", id.as_str())], one.delivered_events));
        counters(encoder, family("integration_events_delivered", help), events)?;

        let Some(lanes) = lanes else { return Ok(()) };
        let is_single = |id: &IntegrationId| single.binary_search_by_key(id, |(id, _)| *id).is_ok();
        let others = lanes.each.iter().filter(|(id, _)| !is_single(id));
        let together = others.fold(Behind::default(), |all, (_, behind)| all.with(*behind));
        let behind: Vec<(&str, Behind)> = single
            .iter()
            .zip(&named)
            .filter_map(|((id, _), (name, _))| Some((name.as_str(), *lanes.each.get(id)?)))
            .chain([(OTHER, together)])
            .collect();
        let of = |value: fn(&Behind) -> f64| {
            behind.iter().map(move |(id, behind)| ([("integration", *id)], value(behind)))
        };
        let help = "Events that single integrations have not settled";
        gauges(encoder, family("integration_lag_events", help), of(|behind| behind.events as f64))?;
        let help = "Age of the oldest event that single integrations have not settled";
        gauges(encoder, seconds("integration_lag", help), of(|behind| behind.seconds))?;
        let help = "Failed attempts in a row of single integrations";
        gauges(encoder, family("integration_failures_in_a_row", help), of(|behind| behind.failures as f64))
    }

    fn write_memory(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let InFlight { well, probes } = self.around.dispatch.in_flight();
        let help = "Requests under way to receivers: to those that are well, and to those that failed last time or are slow";
        let shares = [([("share", "well")], well), ([("share", "probes")], probes)];
        gauges(encoder, family("delivery_requests_in_flight", help), shares)?;
        let mut refusals = self.around.dispatch.share_refusals();
        refusals.extend(self.around.shares.iter().map(|shares| (shares.name(), shares.refusals())));
        refusals.push(self.around.bodies.refusals());
        let refusals = refusals.into_iter().map(|(name, count)| ([("share", name)], count));
        let help =
            "How often a client or an address was refused, or had to wait, because its share was used up";
        counters(encoder, family("share_refusals", help), refusals)?;
        let help = "Request bodies in memory beyond what each may have of its own";
        gauge(encoder, bytes("api_bodies_in_memory", help), Some(self.around.bodies.used_bytes()))?;
        let help = "How much of them there may be";
        gauge(encoder, bytes("api_bodies_in_memory_limit", help), Some(self.around.bodies.bytes_max()))?;
        let help = "Streams by which open pages of the console are told that something has come";
        gauge(encoder, family("console_streams", help), Some(self.around.live.streams() as u64))?;
        let expires = self.around.certificate.as_deref().and_then(Certificate::expires_s);
        let help = "When the API's certificate expires, since the Unix epoch";
        gauge(encoder, seconds("api_certificate_expiry_timestamp", help), expires)
    }

    fn write_store(&self, encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
        gauge(encoder, family("log_head", "The last position of the log"), Some(seen.head.0))?;
        let help = "Transactions of the log, from the first row to the end of the sync";
        histogram(encoder, seconds("log_commit_duration", help), &self.counts.log_commit_us, 1e6)?;
        let help = "Events in a transaction of the log";
        histogram(encoder, family("log_commit_events", help), &self.counts.log_commit_events, 1.0)?;
        let help = "Transactions of the state";
        histogram(encoder, seconds("state_commit_duration", help), &self.counts.state_commit_us, 1e6)?;
        let files = [("log", self.counts.log_failures()), ("state", self.counts.state_failures())];
        let help = "How often a file was given up because it could not be written";
        let failures = files.map(|(file, count)| ([("file", file)], count));
        counters(encoder, family("store_failures", help), failures)?;
        let help = "Ranges of the log that could not be read, because a file is damaged or missing";
        counter(encoder, family("log_damaged_ranges", help), self.counts.damaged_ranges())?;
        let help =
            "Events that an integration did not get, by reason; dead: given up, skipped: by a user's change";
        let lost = LostReason::ALL.map(|reason| {
            let fate = if reason.is_dead() { "dead" } else { "skipped" };
            ([("fate", fate), ("reason", reason.name())], self.counts.lost_events(reason))
        });
        counters(encoder, family("events_lost", help), lost)?;
        let help = "How much of the disk the log may take";
        gauge(encoder, bytes("log_limit", help), Some(self.around.log_bytes_max))?;
        let help = "Nothing is accepted while less than this is free on the disk";
        gauge(encoder, bytes("disk_floor", help), Some(self.around.disk_floor_bytes))?;

        let help =
            "Attempts missing from the delivery log, because it could not be written, or not fast enough";
        counter(encoder, family("attempts_dropped", help), self.counts.dropped_attempts())?;
        let help =
            "Details of attempts that were not kept, because too many came at once or could not be written";
        counter(encoder, family("attempt_details_dropped", help), self.around.details.dropped())?;

        let Some(figures) = &seen.figures else { return Ok(()) };
        let size = Some(figures.log_bytes);
        gauge(encoder, bytes("log_size", "What the log takes of the disk, WALs included"), size)?;
        gauge(encoder, family("log_slices", "Slices of the log"), Some(figures.slices))?;
        let oldest = figures.oldest_ms.map(|ms| ms as f64 / 1_000.0);
        let help = "When the oldest event of the log was appended, since the Unix epoch";
        gauge(encoder, seconds("log_oldest_event_timestamp", help), oldest)?;
        let size = Some(figures.state_bytes);
        gauge(encoder, bytes("state_size", "What the state takes of the disk, its WAL included"), size)?;
        let wals = [("log", figures.log_wal_bytes), ("state", figures.state_wal_bytes)];
        let wals = wals.map(|(file, size)| ([("file", file)], size));
        gauges(encoder, bytes("wal_size", "The write-ahead logs that are being written"), wals)?;
        gauge(
            encoder,
            bytes("disk_free", "What is free on the data directory's disk"),
            figures.disk_free_bytes,
        )?;
        let states = [
            ("active", figures.active),
            ("disabled_by_user", figures.disabled_by_user),
            ("disabled_automatically", figures.disabled_automatically),
        ];
        let states = states.map(|(state, count)| ([("state", state)], count));
        gauges(encoder, family("integrations", "Integrations, by state"), states)?;
        let help = "Events that tell of changes and are not in the log yet";
        gauge(encoder, family("outbox_events", help), Some(figures.outbox))
    }
}

fn write_sources(encoder: &mut DescriptorEncoder<'_>, sources: &[SourceStatus]) -> fmt::Result {
    let counted = |value: fn(&SourceStatus) -> u64| {
        sources.iter().map(move |source| ([("source", source.name.as_str())], value(source)))
    };
    let help = "Records of a source that were read and settled";
    counters(encoder, family("source_records", help), counted(|source| source.records))?;
    let help = "Hits that they became";
    counters(encoder, family("source_hits", help), counted(|source| source.hits))?;
    let help = "Lines of a source that are no records, or too long";
    counters(encoder, family("source_errors", help), counted(|source| source.errors))?;
    let help = "Records of a source that were not valid UTF-8";
    counters(encoder, family("source_lossy_records", help), counted(|source| source.lossy))?;
    let help = "1: something keeps the source from going on";
    gauges(encoder, family("source_problem", help), counted(|source| source.problem.is_some().into()))?;
    let help = "1: everything that was in the source when it was last looked at is in the log";
    gauges(encoder, family("source_caught_up", help), counted(|source| source.caught_up.into()))?;
    let help = "When the last record of a source was settled, since the Unix epoch";
    let last = sources.iter().filter_map(|source| {
        let at: jiff::Timestamp = source.last_record_at.as_deref()?.parse().ok()?;
        Some(([("source", source.name.as_str())], at.as_millisecond() as f64 / 1_000.0))
    });
    gauges(encoder, seconds("source_last_record_timestamp", help), last)
}
