//! Searching the events.

use super::{begins, oldest};
use crate::row::{EventRow, address_bytes, address_of, id_key};
use crate::sql::{self, By};
use crate::write::{EVENTS, volumes};
use hitwire_event::hit::BlockStatus;
use hitwire_event::{ClientId, Kind, Seq};
use ipnet::IpNet;
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Rows, params};

/// Rows that one page of a search looks at: some 10 ms.
pub const LOOKED_AT_MAX: usize = 5_000;

/// Events that are counted one by one; past that it is said that there are more.
pub const COUNTED_MAX: usize = 10_000;

/// Rows that are looked at to count what fits conditions that no index answers: some 30 ms.
const COUNT_LOOKED_AT_MAX: usize = 20_000;

/// Events of networks that a volume is looked through for by address; if it has more, there are so many that they are found on the way.
const NETWORK_EVENTS_MAX: usize = 10_000;

/// Single addresses that are looked up each by itself; more, and networks, are looked up together.
const ADDRESSES_MAX: usize = 8;

/// What is looked for. All conditions must hold; what an event does not say fits no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Whose events.
    pub client: ClientId,
    /// One of these kinds; empty: any.
    pub kinds: Vec<Kind>,
    /// Exactly this type.
    pub type_code: Option<String>,
    /// A client's address in one of these networks (a single address is one, too); empty: any.
    pub networks: Vec<IpNet>,
    /// This domain, in any letter case.
    pub domain: Option<String>,
    /// This status of the response.
    pub status: Option<u16>,
    /// Blocked, or monitored.
    pub block_status: Option<BlockStatus>,
    /// Came at this time or later: milliseconds since the Unix epoch.
    pub from_ms: Option<u64>,
    /// Came at this time or earlier.
    pub to_ms: Option<u64>,
    /// This id.
    pub id: Option<String>,
    /// This text, in any letter case (of ASCII), in title, domain, path, parameter, payloads or description, type, tool, id
    /// or address.
    pub text: Option<String>,
    /// Only events before this position: `next` of the page before.
    pub before: Option<Seq>,
    /// Only events after this position.
    pub after: Option<Seq>,
    /// At most so many events.
    pub limit: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The events, newest first.
    pub events: Vec<EventRow>,
    /// Ask again with `before` set to this for older ones; none: there are none.
    pub next: Option<Seq>,
    /// How far back this page came. None: to the end of what the index has.
    pub searched_to: Option<SearchedTo>,
    /// How many rows were looked at.
    pub looked_at: usize,
    /// Where the index begins, if the log goes further back: what is older was not searched. Told at the end of a search.
    pub begins: Option<SearchedTo>,
}

/// How far back a page came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchedTo {
    /// The last position that was looked at.
    pub seq: Seq,
    /// When that event came: milliseconds since the Unix epoch.
    pub appended_ms: u64,
}

/// How many events fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// So many were counted, [`COUNTED_MAX`] at most.
    pub events: usize,
    /// There are more, or there may be: counting ended because there were so many, or because enough was looked at.
    pub is_more: bool,
}

/// One page.
pub(super) fn search(connection: &Connection, search: &Search, volume: u64) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    let (low, high) = bounds(connection, search)?;
    if low > high || search.limit == 0 {
        found.begins = begins(connection)?;
        return Ok(found);
    }
    let matcher = Matcher::new(search);
    for number in volumes(connection, EVENTS)? {
        let (first, last) = (number * volume, number * volume + volume - 1);
        if first > high || last < low {
            continue;
        }
        let between = (low.max(first), high.min(last));
        let is_done = each_row(connection, search, number, between, &mut |seq, row| {
            if found.looked_at >= LOOKED_AT_MAX {
                return Ok(true);
            }
            found.looked_at += 1;
            found.searched_to = Some(SearchedTo { seq: Seq(seq), appended_ms: row.get::<_, i64>(3)? as u64 });
            found.next = Some(Seq(seq));
            if matcher.fits(row)?
                && let Some(event) = EventRow::read(row)?
            {
                found.events.push(event);
            }
            Ok(found.events.len() >= search.limit)
        })?;
        if is_done {
            return Ok(found);
        }
        found.next = None;
        found.searched_to = None;
    }
    found.begins = begins(connection)?;
    Ok(found)
}

/// How many events fit, wherever the page begins.
pub(super) fn count(connection: &Connection, search: &Search, volume: u64) -> rusqlite::Result<Count> {
    let search = &Search { before: None, after: None, ..search.clone() };
    let (low, high) = bounds(connection, search)?;
    let mut count = Count::default();
    let mut looked_at = 0;
    let matcher = Matcher::new(search);
    let by_index = search.is_answered_by_an_index();
    for number in volumes(connection, EVENTS)? {
        let (first, last) = (number * volume, number * volume + volume - 1);
        if low > high || first > high || last < low {
            continue;
        }
        let between = (low.max(first), high.min(last));
        if by_index {
            count.events +=
                count_by_index(connection, search, number, between, COUNTED_MAX + 1 - count.events)?;
            count.is_more = count.events > COUNTED_MAX;
        } else {
            count.is_more = each_row(connection, search, number, between, &mut |_, row| {
                looked_at += 1;
                count.events += usize::from(matcher.fits(row)?);
                Ok(looked_at >= COUNT_LOOKED_AT_MAX || count.events > COUNTED_MAX)
            })?;
        }
        if count.is_more {
            break;
        }
    }
    count.events = count.events.min(COUNTED_MAX);
    Ok(count)
}

/// What the ways of a search have in a volume, so many at most.
fn count_by_index(
    connection: &Connection,
    search: &Search,
    number: u64,
    (low, high): (u64, u64),
    most: usize,
) -> rusqlite::Result<usize> {
    let mut events = 0;
    for (by, value) in ways(search) {
        let mut statement = connection.prepare_cached(&sql::positions_by(number, by))?;
        let left = (most - events) as i64;
        let mut rows =
            statement.query(params![search.client.0 as i64, value, low as i64, high as i64, left])?;
        while rows.next()?.is_some() {
            events += 1;
        }
    }
    Ok(events)
}

/// The first and the last position that may fit; the first is the larger one if there is none.
fn bounds(connection: &Connection, search: &Search) -> rusqlite::Result<(u64, u64)> {
    let (mut low, mut high) = (oldest(connection)?, i64::MAX as u64);
    if let Some(after) = search.after {
        low = low.max(after.0.saturating_add(1));
    }
    if let Some(before) = search.before {
        high = high.min(before.0.saturating_sub(1));
    }
    if let Some(from_ms) = search.from_ms {
        // Without a mark at or behind that time there is nothing.
        low = low.max(mark(connection, sql::MARK_FROM, from_ms)?.unwrap_or(u64::MAX));
    }
    if let Some(to_ms) = search.to_ms {
        high = high.min(mark(connection, sql::MARK_TO, to_ms)?.unwrap_or(0));
    }
    Ok((low, high))
}

impl Search {
    /// The one address of each network; none: one of them is larger, or there are too many.
    fn addresses(&self) -> Option<Vec<Vec<u8>>> {
        let is_one = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
        let all = !self.networks.is_empty() && self.networks.len() <= ADDRESSES_MAX;
        (all && self.networks.iter().all(is_one)).then(|| {
            let mut addresses: Vec<_> =
                self.networks.iter().map(|network| address_bytes(network.addr())).collect();
            addresses.sort_unstable();
            addresses.dedup();
            addresses
        })
    }

    /// Whether what the [`ways`] come to fits without a look at the rows.
    fn is_answered_by_an_index(&self) -> bool {
        let is_looked_at = self.status.is_some()
            || self.block_status.is_some()
            || self.from_ms.is_some()
            || self.to_ms.is_some()
            || self.text.as_deref().is_some_and(|text| !text.trim().is_empty())
            || self.id.is_some();
        let by = [
            !self.networks.is_empty(),
            self.type_code.is_some(),
            self.domain.is_some(),
            !self.kinds.is_empty(),
        ];
        let conditions = by.into_iter().filter(|condition| *condition).count();
        !is_looked_at && conditions <= 1 && (self.networks.is_empty() || self.addresses().is_some())
    }
}

/// How a search gets at its rows: those of one of several values, by the index that is likely to give the fewest. Networks are looked up
/// otherwise: see [`positions_in_networks`].
fn ways(search: &Search) -> Vec<(By, Value)> {
    if let Some(id) = &search.id {
        return vec![(By::Id, id_key(search.client, id).into())];
    }
    if let Some(addresses) = search.addresses() {
        return addresses.into_iter().map(|address| (By::Address, address.into())).collect();
    }
    if let Some(type_code) = &search.type_code {
        return vec![(By::Type, type_code.clone().into())];
    }
    let mut kinds = search.kinds.clone();
    kinds.sort_unstable();
    kinds.dedup();
    // Of a kind other than hits there are few.
    let has_hits = kinds.is_empty() || kinds.contains(&Kind::Hit);
    if let (Some(domain), true) = (&search.domain, has_hits) {
        return vec![(By::Domain, domain.clone().into())];
    }
    if kinds.is_empty() {
        kinds = Kind::ALL.to_vec();
    }
    kinds.into_iter().map(|kind| (By::Kind, i64::from(kind.code()).into())).collect()
}

/// Shows the rows of a volume that may fit, newest first, until `look` has seen enough. `true`: it has.
fn each_row(
    connection: &Connection,
    search: &Search,
    number: u64,
    between: (u64, u64),
    look: &mut dyn FnMut(u64, &Row<'_>) -> rusqlite::Result<bool>,
) -> rusqlite::Result<bool> {
    let by_network = !search.networks.is_empty() && search.id.is_none() && search.addresses().is_none();
    if by_network && let Some(positions) = positions_in_networks(connection, search, number, between)? {
        let mut statement = connection.prepare_cached(&sql::event_at(number))?;
        for seq in positions {
            let mut rows = statement.query(params![seq as i64, search.client.0 as i64])?;
            if let Some(row) = rows.next()?
                && look(seq, row)?
            {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    each_row_of_ways(connection, search, number, between, look)
}

/// The same by an index: the rows of all ways together in order.
fn each_row_of_ways(
    connection: &Connection,
    search: &Search,
    number: u64,
    (low, high): (u64, u64),
    look: &mut dyn FnMut(u64, &Row<'_>) -> rusqlite::Result<bool>,
) -> rusqlite::Result<bool> {
    let ways = ways(search);
    let statements = ways.iter().map(|(by, _)| connection.prepare_cached(&sql::events_by(number, *by)));
    let mut statements: Vec<CachedStatement<'_>> = statements.collect::<Result<_, _>>()?;
    let mut streams: Vec<(u64, Rows<'_>)> = Vec::with_capacity(ways.len());
    for (statement, (_, value)) in statements.iter_mut().zip(&ways) {
        let mut rows = statement.query(params![search.client.0 as i64, value, low as i64, high as i64])?;
        if let Some(seq) = step(&mut rows)? {
            streams.push((seq, rows));
        }
    }
    // The newest of what the ways come to next.
    while let Some(at) = (0..streams.len()).max_by_key(|&at| streams[at].0) {
        let (seq, rows) = &mut streams[at];
        if let Some(row) = rows.get()
            && look(*seq, row)?
        {
            return Ok(true);
        }
        match step(rows)? {
            Some(next) => *seq = next,
            None => drop(streams.swap_remove(at)),
        }
    }
    Ok(false)
}

/// The positions of a volume's events from the networks, newest first; none: they are so many that any way comes to them soon.
fn positions_in_networks(
    connection: &Connection,
    search: &Search,
    number: u64,
    (low, high): (u64, u64),
) -> rusqlite::Result<Option<Vec<u64>>> {
    let mut statement = connection.prepare_cached(&sql::positions_by_address(number))?;
    let mut positions = Vec::new();
    for network in &search.networks {
        let values = params![
            search.client.0 as i64,
            address_bytes(network.network()),
            address_bytes(network.broadcast()),
            low as i64,
            high as i64,
            (NETWORK_EVENTS_MAX + 1 - positions.len()) as i64
        ];
        let found = statement.query_map(values, |row| row.get::<_, i64>(0).map(|seq| seq as u64))?;
        positions.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
        if positions.len() > NETWORK_EVENTS_MAX {
            return Ok(None);
        }
    }
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions.dedup();
    Ok(Some(positions))
}

/// The position of a stream's next row.
fn step(rows: &mut Rows<'_>) -> rusqlite::Result<Option<u64>> {
    rows.advance()?;
    rows.get().map(|row| row.get::<_, i64>(0).map(|seq| seq as u64)).transpose()
}

fn mark(connection: &Connection, sql: &str, at_ms: u64) -> rusqlite::Result<Option<u64>> {
    let minute = (at_ms / 60_000) as i64;
    let found = connection.prepare_cached(sql)?.query_row([minute], |row| row.get::<_, i64>(0)).optional()?;
    Ok(found.map(|seq| seq as u64))
}

/// The conditions, on a row of [`COLUMNS`](crate::row::COLUMNS).
struct Matcher<'a> {
    search: &'a Search,
    text: Option<Vec<u8>>,
    /// The text may be a part of an address.
    may_be_address: bool,
}

impl<'a> Matcher<'a> {
    fn new(search: &'a Search) -> Self {
        let text = search.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Matcher {
            search,
            may_be_address: text.is_some_and(|text| {
                text.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(&byte))
            }),
            text: text.map(|text| text.to_ascii_lowercase().into_bytes()),
        }
    }

    fn fits(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let search = self.search;
        // Cheap ones first; what an index has found is asked again, since another may have been used.
        let appended_ms = row.get::<_, i64>(3)? as u64;
        if search.from_ms.is_some_and(|from_ms| appended_ms < from_ms)
            || search.to_ms.is_some_and(|to_ms| appended_ms > to_ms)
        {
            return Ok(false);
        }
        let kind = row.get::<_, u8>(2)?;
        if !search.kinds.is_empty() && !search.kinds.iter().any(|wanted| wanted.code() == kind) {
            return Ok(false);
        }
        if search.status.is_some() && row.get::<_, Option<u16>>(13)? != search.status {
            return Ok(false);
        }
        if let Some(wanted) = search.block_status
            && row.get::<_, Option<bool>>(14)? != Some(wanted == BlockStatus::Blocked)
        {
            return Ok(false);
        }
        // As bytes: nothing of it is shown here.
        let text = |column: usize| row.get_ref(column).map(|value| value.as_bytes_or_null().ok().flatten());
        if search.id.is_some() && text(5)? != search.id.as_deref().map(str::as_bytes) {
            return Ok(false);
        }
        if search.type_code.is_some() && text(7)? != search.type_code.as_deref().map(str::as_bytes) {
            return Ok(false);
        }
        if let Some(domain) = &search.domain
            && !text(8)?.is_some_and(|found| found.eq_ignore_ascii_case(domain.as_bytes()))
        {
            return Ok(false);
        }
        let address = row.get_ref(12)?.as_blob_or_null()?.and_then(address_of);
        let is_in = |network: &IpNet| address.is_some_and(|address| network.contains(&address));
        if !search.networks.is_empty() && !search.networks.iter().any(is_in) {
            return Ok(false);
        }
        let Some(wanted) = &self.text else { return Ok(true) };
        for column in [18, 10, 16, 8, 11, 7, 17, 5] {
            if text(column)?.is_some_and(|text| contains(text, wanted)) {
                return Ok(true);
            }
        }
        if !self.may_be_address {
            return Ok(false);
        }
        Ok(address.is_some_and(|address| contains(address.to_string().as_bytes(), wanted)))
    }
}

/// Whether `wanted`, in lower case and not empty, stands in a text, in any letter case of ASCII.
fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let Some((&first, rest)) = wanted.split_first() else { return true };
    let Some(last_begin) = text.len().checked_sub(wanted.len()) else { return false };
    let begins = memchr::memchr2_iter(first, first.to_ascii_uppercase(), &text[..=last_begin]);
    begins.into_iter().any(|at| text[at + 1..at + wanted.len()].eq_ignore_ascii_case(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_found_where_it_stands(text in "[aAbBé]{0,12}", wanted in "[aAbBé]{1,3}") {
            let lower = wanted.to_ascii_lowercase();
            prop_assert_eq!(
                contains(text.as_bytes(), lower.as_bytes()),
                text.to_ascii_lowercase().contains(&lower)
            );
        }
    }
}
