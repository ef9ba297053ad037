//! Searching the events.

use super::{begins, oldest};
use crate::row::{EventRow, address_bytes, address_of, id_key};
use crate::sql::{self, By};
use crate::write::{EVENTS, volumes};
use hitwire_event::hit::BlockStatus;
use hitwire_event::{ClientId, Kind, Seq};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};
use std::net::IpAddr;

/// Rows that one page of a search looks at: some 10 ms.
pub const LOOKED_AT_MAX: usize = 5_000;

/// What is looked for. All conditions must hold; what an event does not say fits no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Whose events.
    pub client: ClientId,
    /// One of these kinds; empty: any.
    pub kinds: Vec<Kind>,
    /// Exactly this type.
    pub type_code: Option<String>,
    /// This client's address.
    pub address: Option<IpAddr>,
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

/// One page.
pub(super) fn search(connection: &Connection, search: &Search, volume: u64) -> rusqlite::Result<Found> {
    let mut found = Found::default();
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
    if low > high || search.limit == 0 {
        found.begins = begins(connection)?;
        return Ok(found);
    }
    let matcher = Matcher::new(search);
    let ways = ways(search);
    for number in volumes(connection, EVENTS)? {
        let (first, last) = (number * volume, number * volume + volume - 1);
        if first > high || last < low {
            continue;
        }
        let between = (low.max(first), high.min(last));
        if search_volume(connection, search, &matcher, &ways, number, between, &mut found)? {
            return Ok(found);
        }
    }
    found.begins = begins(connection)?;
    Ok(found)
}

/// How a search gets at its rows: those of one of several values, by the index that is likely to give the fewest.
fn ways(search: &Search) -> Vec<(By, Value)> {
    if let Some(id) = &search.id {
        return vec![(By::Id, id_key(search.client, id).into())];
    }
    if let Some(address) = search.address {
        return vec![(By::Address, address_bytes(address).into())];
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

/// Looks through a volume, the rows of all ways together in order. `true`: the page is full, or enough was looked at.
fn search_volume(
    connection: &Connection,
    search: &Search,
    matcher: &Matcher<'_>,
    ways: &[(By, Value)],
    number: u64,
    (low, high): (u64, u64),
    found: &mut Found,
) -> rusqlite::Result<bool> {
    let statements = ways.iter().map(|(by, _)| connection.prepare_cached(&sql::events_by(number, *by)));
    let mut statements: Vec<_> = statements.collect::<Result<_, _>>()?;
    let mut streams: Vec<(u64, Rows<'_>)> = Vec::with_capacity(ways.len());
    for (statement, (_, value)) in statements.iter_mut().zip(ways) {
        let mut rows = statement.query(params![search.client.0 as i64, value, low as i64, high as i64])?;
        if let Some(seq) = step(&mut rows)? {
            streams.push((seq, rows));
        }
    }
    // The newest of what the ways come to next.
    while let Some(at) = (0..streams.len()).max_by_key(|&at| streams[at].0) {
        let (seq, rows) = &mut streams[at];
        if found.looked_at >= LOOKED_AT_MAX {
            return Ok(true);
        }
        found.looked_at += 1;
        if let Some(row) = rows.get() {
            found.searched_to =
                Some(SearchedTo { seq: Seq(*seq), appended_ms: row.get::<_, i64>(3)? as u64 });
            found.next = Some(Seq(*seq));
            if matcher.fits(row)?
                && let Some(event) = EventRow::read(row)?
            {
                found.events.push(event);
                if found.events.len() >= search.limit {
                    return Ok(true);
                }
            }
        }
        match step(rows)? {
            Some(next) => *seq = next,
            None => drop(streams.swap_remove(at)),
        }
    }
    found.next = None;
    found.searched_to = None;
    Ok(false)
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
    address: Option<Vec<u8>>,
    text: Option<Vec<u8>>,
    /// The text may be a part of an address.
    may_be_address: bool,
}

impl<'a> Matcher<'a> {
    fn new(search: &'a Search) -> Self {
        let text = search.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Matcher {
            search,
            address: search.address.map(address_bytes),
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
        let address = row.get_ref(12)?.as_blob_or_null()?;
        if self.address.is_some() && address != self.address.as_deref() {
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
        let address = address.and_then(address_of);
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
