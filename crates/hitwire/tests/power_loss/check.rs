//! Opens what a power loss left with the real store, and compares it with what had been promised.

use super::disk::{Disk, Files, Unsynced};
use super::events;
use super::load::{Known, Promised, name};
use super::random::Random;
use super::server::TOKEN_FILE;
use super::trace::Trace;
use super::waf;
use hitwire_event::{ClientId, Event, IntegrationId, Kind, Record, Seq, Stream};
use hitwire_store::{
    Append, Integration, Ledger, Log, Op, Options, Outbox, Read, Registry, SqliteStore, Store, StreamFrom,
};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// The client of all hits here: that of the first token.
const CLIENT: ClientId = ClientId(1);

/// A moment at which the power is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// So many changes of the trace happened.
    pub(crate) changes: usize,
    /// What becomes of what was not synced.
    pub(crate) unsynced: Unsynced,
    /// Decides the rest.
    pub(crate) seed: u64,
}

impl Point {
    /// `count` points in the order of the trace. Half of them lie anywhere, half of them where something has just been
    /// promised; in half of each some of what was not synced is there.
    pub(crate) fn choose(trace: &Trace, known: &Known, count: usize, seed: u64) -> Vec<Point> {
        let mut random = Random::new(seed);
        let mut points: Vec<Point> = (0..count)
            .map(|number| {
                let anywhere = random.below(trace.changes.len() as u64 + 1) as usize;
                let promise = &known.promises[random.below(known.promises.len() as u64) as usize];
                let promised = trace.changes.partition_point(|(end, _)| *end <= promise.trace_bytes);
                Point {
                    changes: if number % 2 == 0 { anywhere } else { promised },
                    unsynced: if number % 4 < 2 { Unsynced::Any } else { Unsynced::Gone },
                    seed: random.next(),
                }
            })
            .collect();
        points.sort_by_key(|point| point.changes);
        points
    }
}

/// What a disk holds after a power loss, with what the check must know of that moment.
pub(crate) struct Left {
    files: Files,
    /// Where the oldest slice begins that had not been removed.
    oldest_slice: u64,
    trace_bytes: u64,
}

impl Left {
    /// Plays the trace up to the point.
    pub(crate) fn at(point: Point, disk: &mut Disk<'_>, trace: &Trace) -> Left {
        disk.play_to(point.changes);
        let oldest_slice = disk.names().filter_map(first_of_slice).min().unwrap_or(1);
        let trace_bytes = point.changes.checked_sub(1).map_or(0, |last| trace.changes[last].0);
        let files = disk.after_power_loss(point.unsynced, &mut Random::new(point.seed));
        Left { files, oldest_slice, trace_bytes }
    }

    /// Everything that must hold. The error says what does not.
    pub(crate) async fn check(&self, known: &Known) -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let data = folder.path().join("data");
        lay_out(&data, &self.files).map_err(|error| error.to_string())?;
        let mut options = Options::new(&data);
        options.disk_floor_bytes = 0;
        options.inline = true;
        let store =
            SqliteStore::open(options).map_err(|error| format!("the store does not open: {error}"))?;
        let found = Found::read(&store).await?;
        self.check_log(&found, known)?;
        check_checkpoint(&store, &found, known).await?;
        self.check_state(&store, &found, known).await?;
        goes_on(&store, &found).await?;
        store.close().await.map_err(|error| format!("the store does not close: {error}"))
    }

    fn check_log(&self, found: &Found, known: &Known) -> Result<(), String> {
        let first = found.records.first().map_or(found.head.next(), |record| record.seq);
        let last = found.records.last().map_or(found.head, |record| record.seq);
        ensure(last == found.head, || format!("the head is {}, the last event {last}", found.head))?;
        ensure(found.records.len() as u64 == found.head.next().0 - first.0, || {
            format!("{} events in positions {first} to {last}", found.records.len())
        })?;
        ensure(first.0 <= self.oldest_slice, || {
            format!("the log begins at {first}, but the slice of {} had not been removed", self.oldest_slice)
        })?;

        // Hits of each sender, in the order of the log.
        let mut runs: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let sent = found.records.iter().filter(|record| waf::which(&record.event.body).is_none());
        for record in sent.filter(|record| record.event.kind == Kind::Hit) {
            let (sender, number) =
                events::which(&record.event.body).ok_or_else(|| format!("what is at {}?", record.seq))?;
            ensure(*record.event.body == *events::hit(sender, number), || {
                format!("hit {number} of sender {sender} is not what was sent")
            })?;
            runs.entry(sender).or_default().push(number);
        }
        for (sender, run) in &runs {
            let gap = run.windows(2).find(|pair| pair[1] != pair[0] + 1);
            ensure(gap.is_none(), || format!("sender {sender}: {gap:?} are neighbours in the log"))?;
            // The end of a run is the end of a request: they are taken whole.
            let end = run.last().map_or(0, |last| last + 1);
            let whole = known.requests.range((*sender, 0)..(*sender, end)).next_back().map(|(_, to)| *to);
            ensure(whole == Some(end), || {
                format!("sender {sender}: the log ends at hit {end}, within a request")
            })?;
        }
        for promise in self.promises(known) {
            let (sender, to) = match promise {
                Promised::Taken { sender, to } => (*sender, *to),
                Promised::Delivered { sender, number } => (*sender, number + 1),
                _ => continue,
            };
            match runs.get(&sender).and_then(|run| run.last()) {
                Some(last) => ensure(*last + 1 >= to, || {
                    format!("sender {sender}: {promise:?}, but hit {last} is the last one in the log")
                })?,
                // Retention may have taken all that a sender ever sent, if others went on.
                None => ensure(first.0 > to, || format!("sender {sender}: {promise:?}, but none is there"))?,
            }
        }
        Ok(())
    }

    async fn check_state(&self, store: &SqliteStore, found: &Found, known: &Known) -> Result<(), String> {
        for promise in self.promises(known) {
            if let Promised::Ready { token } = promise {
                let file = self.files.get(TOKEN_FILE).map(|content| content.trim_ascii());
                ensure(file == Some(token.as_bytes()), || "the first token is not in its file".to_owned())?;
            }
        }
        let mut integrations = Vec::new();
        for id in store.integration_ids(None).await.map_err(|error| error.to_string())? {
            integrations.extend(store.integration(id).await.map_err(|error| error.to_string())?);
        }
        let names: BTreeMap<u64, &str> =
            integrations.iter().map(|integration| (integration.id.0, integration.name.as_str())).collect();
        for (integration, allowed) in self.integrations(known) {
            let is = names.get(&integration).copied().map(str::to_owned);
            ensure(allowed.contains(&is), || {
                format!("integration {integration} is {is:?}, not one of {allowed:?}")
            })?;
        }
        for integration in &integrations {
            check_lanes(store, integration.id, found.head).await?;
        }
        check_told(store, &integrations, found).await
    }

    fn promises<'a>(&'a self, known: &'a Known) -> impl Iterator<Item = &'a Promised> {
        known
            .promises
            .iter()
            .filter(|promise| promise.trace_bytes <= self.trace_bytes)
            .map(|promise| &promise.what)
    }

    /// For each integration that was promised: its name as last promised, or as asked for since. None: deleted.
    fn integrations(&self, known: &Known) -> BTreeMap<u64, Vec<Option<String>>> {
        let mut allowed: BTreeMap<u64, Vec<Option<String>>> = BTreeMap::new();
        let mut versions: BTreeMap<u64, Option<u64>> = BTreeMap::new();
        for promise in self.promises(known) {
            match promise {
                Promised::Named { integration, version } => {
                    versions.insert(*integration, Some(*version));
                }
                Promised::Deleted { integration } => {
                    versions.insert(*integration, None);
                }
                _ => {}
            }
        }
        for (integration, version) in versions {
            let names = allowed.entry(integration).or_default();
            names.push(version.map(name));
            let Some(version) = version else { continue };
            let since = known.asked.iter().filter(|asked| {
                asked.integration == integration
                    && asked.trace_bytes <= self.trace_bytes
                    && asked.version.is_none_or(|asked| asked > version)
            });
            names.extend(since.map(|asked| asked.version.map(name)));
        }
        allowed
    }
}

struct Found {
    head: Seq,
    records: Vec<Arc<Record>>,
}

impl Found {
    async fn read(store: &SqliteStore) -> Result<Found, String> {
        let head = store.head().now();
        let mut records = Vec::new();
        let mut after = Seq::ZERO;
        loop {
            let page =
                store.read(of_everything(after)).await.map_err(|error| format!("a read fails: {error}"))?;
            ensure(page.scanned_to > after || !page.more, || format!("reading does not get past {after}"))?;
            after = page.scanned_to;
            records.extend(page.records);
            if !page.more {
                return Ok(Found { head, records });
            }
        }
    }
}

fn of_everything(after: Seq) -> Read {
    let from_the_beginning = |kind| StreamFrom { stream: Stream { client: CLIENT, kind }, from: Seq(1) };
    Read {
        streams: Kind::ALL.map(from_the_beginning).to_vec(),
        after,
        through: None,
        max_events: 1_000,
        max_bytes: 4 << 20,
    }
}

/// The checkpoint of the followed file covers the records whose hits are in the log, and no others: a record before it without
/// its hit would be lost, one behind it with its hit would come twice. What retention has taken cannot be looked for.
async fn check_checkpoint(store: &SqliteStore, found: &Found, known: &Known) -> Result<(), String> {
    let checkpoint = store.checkpoint(&known.source).await.map_err(|error| error.to_string())?;
    let offset = match &checkpoint {
        Some(bytes) => {
            let checkpoint: serde_json::Value =
                serde_json::from_slice(bytes).map_err(|error| format!("a checkpoint: {error}"))?;
            checkpoint["offset"].as_u64().ok_or("a checkpoint without an offset")?
        }
        None => 0,
    };
    let covered = waf::records_within(&known.audit_log, offset);
    let there: Vec<u64> = found.records.iter().filter_map(|record| waf::which(&record.event.body)).collect();
    let is_whole = found.records.first().is_none_or(|record| record.seq == Seq(1));
    let first = there.first().copied().unwrap_or(covered);
    ensure(there.iter().copied().eq(first..covered) && (first == 0 || !is_whole), || {
        let last = there.last();
        format!(
            "the checkpoint covers {covered} records; in the log are {}, from {first} to {last:?}",
            there.len()
        )
    })
}

/// No change without the event that tells it: it is in the log, or in the outbox and comes into the log after the start.
/// What retention has taken cannot be looked for.
async fn check_told(store: &SqliteStore, integrations: &[Integration], found: &Found) -> Result<(), String> {
    if found.records.first().is_some_and(|record| record.seq > Seq(1)) {
        return Ok(());
    }
    let waiting = store.outbox(10_000).await.map_err(|error| error.to_string())?;
    let waiting = waiting.iter().map(|(_, event)| &*event.body);
    let in_log = found.records.iter().map(|record| &*record.event.body);
    let told: BTreeSet<u64> = waiting.chain(in_log).filter_map(made).collect();
    for integration in integrations {
        ensure(told.contains(&integration.id.0), || {
            format!("nothing tells of the making of integration {}", integration.id)
        })?;
    }
    Ok(())
}

/// Which integration's making an event tells of.
fn made(body: &str) -> Option<u64> {
    let object: serde_json::Value = serde_json::from_str(body).ok()?;
    (object["notification_type"] == "create_integration").then(|| object["integration_id"].as_u64())?
}

async fn check_lanes(store: &SqliteStore, integration: IntegrationId, head: Seq) -> Result<(), String> {
    let saved = store.saved(integration).await.map_err(|error| error.to_string())?;
    for (_, lane) in saved.into_iter().flat_map(|saved| saved.lanes) {
        ensure(lane.cursor <= head, || {
            format!("integration {integration}: the cursor is at {}, the log ends at {head}", lane.cursor)
        })?;
        for open in lane.open.into_iter().map(|open| open.batch) {
            ensure(open.last <= head && open.first > lane.cursor, || {
                format!("integration {integration}: {open:?} with the log's end at {head}")
            })?;
        }
    }
    Ok(())
}

/// The log takes an event, at the next position, and gives it back.
async fn goes_on(store: &SqliteStore, found: &Found) -> Result<(), String> {
    let body = events::hit(999, found.head.0);
    let event = Event {
        client: CLIENT,
        kind: Kind::Hit,
        id: "after the power loss".into(),
        body: body.clone().into(),
    };
    let append = Append { events: vec![event], ..Append::default() };
    store.commit(vec![Op::Append(append)]).await.map_err(|error| format!("an append fails: {error}"))?;
    let page =
        store.read(of_everything(found.head)).await.map_err(|error| format!("a read fails: {error}"))?;
    let read: Vec<_> = page.records.iter().map(|record| (record.seq, &*record.event.body)).collect();
    ensure(read == [(found.head.next(), body.as_str())], || {
        format!("after {} an append gave {} events", found.head, read.len())
    })
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Where a slice begins, from its name; none if it is not a slice's.
pub(crate) fn first_of_slice(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".db")?.parse().ok()
}

fn lay_out(data: &Path, files: &Files) -> std::io::Result<()> {
    let folder = |path: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    folder(data)?;
    for (name, content) in files {
        let path = data.join(name);
        folder(path.parent().unwrap_or(data))?;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        std::io::Write::write_all(&mut file, content)?;
    }
    Ok(())
}
