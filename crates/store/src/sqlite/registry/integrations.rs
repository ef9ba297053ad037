//! Integrations and what they subscribe to.

use super::standing::{activity, disabled};
use super::{authority, target};
use crate::sqlite::ledger::{lanes, lost, retire};
use crate::sqlite::seal::Sealer;
use crate::sqlite::state::codes::{Code, from_json, to_json};
use crate::sqlite::state::context::Context;
use crate::sqlite::state::context::Trouble;
use crate::{
    Activity, BrokenIntegration, Integration, IntegrationRange, ListedIntegration, NewIntegration, Resume,
    StoreError, StreamFrom, Target, Ticked, UpdateIntegration,
};
use hitwire_courier::{LostRange, LostReason};
use hitwire_event::{ClientId, IntegrationId, Kind, Lane, Seq, Stream};
use hitwire_receiver::{Format, Style};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use std::collections::BTreeMap;

const RANGE: &str =
    "SELECT id, client, name, disabled, created_at, created_by, revision, content_revision, target, secrets,
     filter FROM integration WHERE client = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
const ONE: &str =
    "SELECT id, client, name, disabled, created_at, created_by, revision, content_revision, target, secrets,
     filter FROM integration WHERE id = ?1";
pub(in crate::sqlite) const SUBSCRIPTIONS: &str =
    "SELECT integration, kind, active, with_headers, since FROM subscription
     WHERE integration = ?1 AND until IS NULL ORDER BY place";
const IDS: &str = "SELECT id FROM integration ORDER BY id";
const IDS_OF_CLIENT: &str = "SELECT id FROM integration WHERE client = ?1 ORDER BY id";
const INSERT: &str = "INSERT INTO integration
     (id, client, name, disabled, created_at, created_by, revision, content_revision, target, secrets, filter)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 1, ?7, x'', ?8)";
const UPDATE: &str =
    "UPDATE integration SET name = ?2, disabled = ?3, revision = ?4, content_revision = ?5, target = ?6,
     secrets = ?7, filter = ?8 WHERE id = ?1";
const SET_SECRETS: &str = "UPDATE integration SET secrets = ?2 WHERE id = ?1";
const INSERT_SUBSCRIPTION: &str = "INSERT INTO subscription
     (integration, place, kind, active, with_headers, revision, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const KEEP_SUBSCRIPTION: &str = "UPDATE subscription SET place = ?3, with_headers = ?4
     WHERE integration = ?1 AND kind = ?2 AND until IS NULL";
const END_SUBSCRIPTION: &str =
    "UPDATE subscription SET until = ?3 WHERE integration = ?1 AND kind = ?2 AND until IS NULL";
const FORGET_SUBSCRIPTIONS: &str = "DELETE FROM subscription
     WHERE integration = ?1 AND until IS NOT NULL AND (active = 0 OR until < ?2)";
/// The columns of an integration that may be long: its target, the target's secrets, its filter.
const TARGET: usize = 8;
const SECRETS: usize = 9;
const FILTER: usize = 10;

/// One integration.
pub(in crate::sqlite) fn load(
    connection: &Connection,
    sealer: &Sealer,
    id: IntegrationId,
) -> Result<Option<Integration>, Trouble> {
    let mut statement = connection.prepare_cached(ONE)?;
    let mut rows = statement.query([id.0 as i64])?;
    rows.next()?.map(|row| integration(connection, sealer, row)).transpose()
}

/// A stretch of a client's integrations.
pub(in crate::sqlite) fn range(
    connection: &Connection,
    sealer: &Sealer,
    range: &IntegrationRange,
) -> Result<Vec<ListedIntegration>, Trouble> {
    let bounded = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(RANGE)?;
    let mut rows = statement.query(params![
        bounded(range.client.0),
        bounded(range.after.0),
        bounded(range.count_max as u64)
    ])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < range.bytes_max
        && let Some(row) = rows.next()?
    {
        for column in TARGET..=FILTER {
            bytes += row.get_ref(column)?.as_bytes().map_or(0, <[u8]>::len);
        }
        found.push(match integration(connection, sealer, row) {
            Ok(integration) => Ok(integration),
            Err(trouble) => Err(broken_row(row, why_broken(row, trouble)?)?),
        });
    }
    Ok(found)
}

/// All ids, or those of a client.
pub(in crate::sqlite) fn ids(
    connection: &Connection,
    client: Option<ClientId>,
) -> Result<Vec<IntegrationId>, Trouble> {
    let (of, select) = match client {
        Some(client) => (Some(client.0 as i64), IDS_OF_CLIENT),
        None => (None, IDS),
    };
    let mut statement = connection.prepare_cached(select)?;
    let ids =
        statement.query_map(params_from_iter(of), |row| Ok(IntegrationId(row.get::<_, i64>(0)? as u64)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// An integration of its row, with what it subscribes to.
fn integration(connection: &Connection, sealer: &Sealer, row: &Row<'_>) -> Result<Integration, Trouble> {
    let id: i64 = row.get(0)?;
    let (plain, secrets) = (row.get_ref(TARGET)?.as_bytes()?, row.get_ref(SECRETS)?.as_blob()?);
    Ok(Integration {
        id: IntegrationId(id as u64),
        client: ClientId(row.get::<_, i64>(1)? as u64),
        name: row.get(2)?,
        activity: activity(row)?,
        created_at: row.get::<_, i64>(4)? as u64,
        created_by: row.get(5)?,
        target: target::load(sealer, id as u64, plain, secrets)?,
        events: subscriptions(connection, id)?,
        filter: from_json(row.get_ref(FILTER)?.as_bytes()?, FILTER)?,
        revision: row.get::<_, i64>(6)? as u64,
        content_revision: row.get::<_, i64>(7)? as u64,
    })
}

/// The integrations whose rows cannot be read, of a client or of all.
pub(in crate::sqlite) fn broken(
    connection: &Connection,
    sealer: &Sealer,
    client: Option<ClientId>,
) -> Result<Vec<BrokenIntegration>, Trouble> {
    let mut broken = Vec::new();
    for id in ids(connection, client)? {
        let mut statement = connection.prepare_cached(ONE)?;
        let mut rows = statement.query([id.0 as i64])?;
        if let Some(row) = rows.next()?
            && let Err(trouble) = integration(connection, sealer, row)
        {
            broken.push(broken_row(row, why_broken(row, trouble)?)?);
        }
    }
    Ok(broken)
}

/// Why the integration of a row, whose first column is the id, cannot be read. An error concerns the whole file.
pub(super) fn why_broken(row: &Row<'_>, trouble: Trouble) -> Result<String, Trouble> {
    match trouble {
        trouble if trouble.concerns_the_file() => Err(trouble),
        Trouble::Store(error) => Ok(error.to_string()),
        Trouble::Sql(_) => Ok(format!(
            "the settings of integration {} cannot be read: its row is damaged; delete the integration and set it up again",
            row.get::<_, i64>(0)?
        )),
    }
}

/// What is left of a row that begins with id, client and name.
fn broken_row(row: &Row<'_>, why: String) -> Result<BrokenIntegration, Trouble> {
    let (id, client) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64);
    Ok(BrokenIntegration { id: IntegrationId(id), client: ClientId(client), name: name_of(row)?, why })
}

/// The name in the third column; one that is no text is as good as none.
pub(super) fn name_of(row: &Row<'_>) -> Result<String, Trouble> {
    Ok(String::from_utf8_lossy(row.get_ref(2)?.as_bytes().unwrap_or_default()).into_owned())
}

/// Makes a new integration; its streams and its lanes begin at the end of the log.
pub(in crate::sqlite) fn create(context: &Context<'_>, new: &NewIntegration) -> Result<Integration, Trouble> {
    let connection = context.connection;
    authority::client_exists(connection, new.client)?;
    let head = context.head();
    let activity = if new.active { Activity::Active } else { Activity::DisabledByUser };
    connection.prepare_cached(INSERT)?.execute(params![
        new.id.map(|id| id.0 as i64),
        new.client.0 as i64,
        new.name,
        disabled(&activity)?,
        new.created_at as i64,
        new.created_by,
        target::plain(&new.target)?,
        to_json(&new.filter)?,
    ])?;
    // The id is part of what the secrets are bound to, so they can be sealed only now.
    let id = connection.last_insert_rowid() as u64;
    connection
        .prepare_cached(SET_SECRETS)?
        .execute(params![id as i64, target::seal(context, id, &new.target)?])?;
    for (place, ticked) in distinct(&new.events).into_iter().enumerate() {
        insert_subscription(connection, id, place, ticked, 1, head + 1)?;
    }
    lanes::create(connection, id, head)?;
    load_one(context, IntegrationId(id))
}

/// Changes an integration, and works out what that means for its lanes. Returns it as it is now, and whether a cursor
/// was moved.
pub(in crate::sqlite) fn update(
    context: &Context<'_>,
    change: &UpdateIntegration,
) -> Result<(Integration, bool), Trouble> {
    let new = &change.integration;
    let old = load_one(context, new.id)?;
    if old.revision != new.revision {
        return Err(StoreError::Conflict.into());
    }
    // First the courier, then the end of the log: what it saved before lies at or before that end, and it saves nothing more
    // under these settings.
    lanes::release(context.connection, new.id.0)?;
    let head = context.head();
    let new_events = distinct(&new.events);
    let content_changed =
        content(&old.target, &old.events) != content(&new.target, &new.events) || old.filter != new.filter;
    let content_revision = old.content_revision + u64::from(content_changed);
    context.connection.prepare_cached(UPDATE)?.execute(params![
        new.id.0 as i64,
        new.name,
        disabled(&new.activity)?,
        (old.revision + 1) as i64,
        content_revision as i64,
        target::plain(&new.target)?,
        target::seal(context, new.id.0, &new.target)?,
        to_json(&new.filter)?,
    ])?;
    resubscribe(context, &old, &new_events, content_revision, head)?;

    let enabled = new.activity == Activity::Active && old.activity != Activity::Active;
    let by_hitwire = matches!(old.activity, Activity::DisabledAutomatically(_));
    let from_now = match change.resume {
        Some(resume) => resume == Resume::Now,
        None => !by_hitwire,
    };
    if enabled && by_hitwire {
        // The endpoint's failures belong to the time before: it begins anew.
        lanes::reset_endpoint(context.connection, new.id.0)?;
    }
    if enabled && from_now {
        skip_to(context, &old, &new_events, head)?;
    }
    Ok((load_one(context, new.id)?, enabled && from_now))
}

/// Seals the secrets of all integrations with another key. Answers how many.
pub(in crate::sqlite) fn seal_anew(
    connection: &Connection,
    old: &Sealer,
    new: &Sealer,
) -> Result<u64, Trouble> {
    let mut statement = connection.prepare("SELECT id, secrets FROM integration ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut sealed = 0;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?;
        let anew = target::seal_anew(old, new, id as u64, row.get_ref(1)?.as_blob()?)?;
        connection.prepare_cached(SET_SECRETS)?.execute(params![id, anew])?;
        sealed += 1;
    }
    Ok(sealed)
}

/// Takes an integration away. `false`: there was none.
pub(in crate::sqlite) fn delete(context: &Context<'_>, id: IntegrationId) -> Result<bool, Trouble> {
    let connection = context.connection;
    context.forget_attempts(id);
    let id = id.0 as i64;
    let deleted = connection.prepare_cached("DELETE FROM integration WHERE id = ?1")?.execute([id])?;
    for sql in [
        "DELETE FROM subscription WHERE integration = ?1",
        "DELETE FROM courier WHERE integration = ?1",
        "DELETE FROM lost WHERE integration = ?1",
        "DELETE FROM replay WHERE integration = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([id])?;
    }
    Ok(deleted > 0)
}

/// The revision of an integration.
pub(in crate::sqlite) fn revision(
    connection: &Connection,
    id: IntegrationId,
) -> Result<Option<u64>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT revision FROM integration WHERE id = ?1")?;
    Ok(statement
        .query_row([id.0 as i64], |row| row.get::<_, i64>(0))
        .optional()?
        .map(|revision| revision as u64))
}

/// Brings the subscriptions up to date: what goes on keeps its beginning, what is new begins after `head`, what ends
/// leaves a skipped range if it had anything outstanding.
fn resubscribe(
    context: &Context<'_>,
    old: &Integration,
    new: &[&Ticked],
    content_revision: u64,
    head: u64,
) -> Result<(), Trouble> {
    let connection = context.connection;
    let id = old.id.0;
    for before in &old.events {
        let after = new.iter().find(|after| after.kind == before.kind);
        if after.is_some_and(|after| after.active == before.active) {
            continue;
        }
        connection.prepare_cached(END_SUBSCRIPTION)?.execute(params![
            id as i64,
            before.kind.code(),
            head as i64
        ])?;
        if before.active {
            let detail = format!("\"{}\" was unticked", before.kind.name());
            skip(context, old, &[before], before.kind.lane(), head, LostReason::Unticked, &detail)?;
        }
    }
    for (place, &after) in new.iter().enumerate() {
        if old.events.iter().any(|before| before.kind == after.kind && before.active == after.active) {
            connection.prepare_cached(KEEP_SUBSCRIPTION)?.execute(params![
                id as i64,
                after.kind.code(),
                place as i64,
                after.with_headers
            ])?;
        } else {
            insert_subscription(connection, id, place, after, content_revision, head + 1)?;
        }
    }
    // Subscriptions that ended are history as long as their events are.
    let log_begins = context.view.catalog.all().first().map_or(1, |slice| slice.first);
    connection.prepare_cached(FORGET_SUBSCRIPTIONS)?.execute(params![id as i64, log_begins as i64])?;
    Ok(())
}

/// Moves the lanes to `head`; what they skip of the kinds that go on becomes a skipped range.
fn skip_to(context: &Context<'_>, old: &Integration, new: &[&Ticked], head: u64) -> Result<(), Trouble> {
    let goes_on =
        |before: &&Ticked| before.active && new.iter().any(|after| after.kind == before.kind && after.active);
    for lane in Lane::LIVE {
        let ticked: Vec<&Ticked> =
            old.events.iter().filter(goes_on).filter(|before| before.kind.lane() == lane).collect();
        skip(context, old, &ticked, lane, head, LostReason::EnabledFromNow, "enabled again, from now on")?;
        lanes::jump(context.connection, old.id.0, lane, head)?;
    }
    Ok(())
}

/// Records what some kinds of a lane have outstanding up to `head` as a skipped range, if anything.
fn skip(
    context: &Context<'_>,
    integration: &Integration,
    kinds: &[&Ticked],
    lane: Lane,
    head: u64,
    reason: LostReason,
    detail: &str,
) -> Result<(), Trouble> {
    let state = lanes::lane(context.connection, integration.id.0, lane)?;
    let streams: Vec<StreamFrom> = kinds.iter().map(|ticked| stream(integration.client, ticked)).collect();
    let begin = streams.iter().map(|stream| stream.from.0).min().unwrap_or(1);
    for (after, last, events) in retire::outstanding(context, &streams, &state, head)? {
        let range = LostRange {
            lane,
            kinds: kinds.iter().map(|ticked| ticked.kind).collect(),
            first: Seq(begin.max(after + 1)),
            last: Seq(last),
            events,
            reason,
            detail: detail.to_owned(),
        };
        lost::insert_lost(context, integration.id.0, &range)?;
    }
    Ok(())
}

fn load_one(context: &Context<'_>, id: IntegrationId) -> Result<Integration, Trouble> {
    load(context.connection, context.sealer, id)?.ok_or_else(|| StoreError::NotFound.into())
}

/// The stream of a kind, from where the subscription begins.
fn stream(client: ClientId, ticked: &Ticked) -> StreamFrom {
    StreamFrom { stream: Stream { client, kind: ticked.kind }, from: ticked.from }
}

/// The kinds in the order given; one that is named twice counts as it is named first.
fn distinct(events: &[Ticked]) -> Vec<&Ticked> {
    let mut distinct: Vec<&Ticked> = Vec::with_capacity(events.len());
    for ticked in events {
        if !distinct.iter().any(|other| other.kind == ticked.kind) {
            distinct.push(ticked);
        }
    }
    distinct
}

/// What a batch's content depends on.
fn content(target: &Target, events: &[Ticked]) -> (Format, Style, BTreeMap<Kind, bool>) {
    let active = distinct(events).into_iter().filter(|ticked| ticked.active);
    (target.format, target.rendering, active.map(|ticked| (ticked.kind, ticked.with_headers)).collect())
}

fn insert_subscription(
    connection: &Connection,
    id: u64,
    place: usize,
    ticked: &Ticked,
    revision: u64,
    since: u64,
) -> Result<(), Trouble> {
    connection.prepare_cached(INSERT_SUBSCRIPTION)?.execute(params![
        id as i64,
        place as i64,
        ticked.kind.code(),
        ticked.active,
        ticked.with_headers,
        revision as i64,
        since as i64
    ])?;
    Ok(())
}

/// What an integration subscribes to.
pub(in crate::sqlite) fn subscriptions(connection: &Connection, id: i64) -> Result<Vec<Ticked>, Trouble> {
    let mut statement = connection.prepare_cached(SUBSCRIPTIONS)?;
    let mut rows = statement.query([id])?;
    let mut subscriptions = Vec::new();
    while let Some(row) = rows.next()? {
        subscriptions.push(ticked(row)?);
    }
    Ok(subscriptions)
}

/// A row of a subscription: integration, kind, active, with headers, since.
fn ticked(row: &Row<'_>) -> Result<Ticked, Trouble> {
    Ok(Ticked {
        kind: Kind::from_row(row.get(1)?)?,
        active: row.get(2)?,
        with_headers: row.get(3)?,
        from: Seq(row.get::<_, i64>(4)? as u64),
    })
}
