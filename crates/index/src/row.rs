//! An event as the index keeps it.

use hitwire_event::hit::BlockStatus;
use hitwire_event::{ClientId, EventId, Glance, Kind, Record, Seq, WebhookId, cut};
use rusqlite::Row;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::net::IpAddr;

/// Bytes of the text of an event: payloads, a description.
pub(crate) const TEXT_BYTES_MAX: usize = 512;

/// Bytes of the other texts, of which an attacker chooses most. An event's own may be longer: the log has it in full.
const NAME_BYTES_MAX: usize = 64;
const LINE_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 512;

/// What a list shows of an event. Texts are as the event says them, cut: whoever prints them makes them harmless.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Its position.
    pub seq: Seq,
    /// The tenant.
    pub client: ClientId,
    /// What it is.
    pub kind: Kind,
    /// When it came: milliseconds since the Unix epoch.
    pub appended_ms: u64,
    /// When it happened, as it says itself: Unix seconds.
    pub time_s: Option<u64>,
    /// Its stable id.
    pub id: EventId,
    /// The id came before, with other content.
    pub id_reused: bool,
    /// See [`Glance::type_code`].
    pub type_code: Option<String>,
    /// The domain.
    pub domain: Option<String>,
    /// The request's method.
    pub method: Option<String>,
    /// The request's path.
    pub path: Option<String>,
    /// Where in the request.
    pub parameter: Option<String>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The response's status.
    pub status: Option<u16>,
    /// Whether the request was stopped.
    pub block_status: Option<BlockStatus>,
    /// Weight of the detection.
    pub score: Option<f64>,
    /// See [`Glance::title`].
    pub title: Option<String>,
    /// The tool that found it.
    pub discovered_by: Option<String>,
    /// See [`Glance::text`].
    pub text: String,
}

/// The columns of an event, in the order in which [`EventRow::read`] takes them.
pub(crate) const COLUMNS: &str =
    "seq, client, kind, appended_ms, time_s, id, id_reused, type, domain, method, path, parameter,
     address, status, blocked, score, title, tool, text";

impl EventRow {
    /// The row of an event of the log.
    pub(crate) fn of(record: &Record) -> EventRow {
        let event = &record.event;
        let glance = Glance::at(event, TEXT_BYTES_MAX);
        let kept = |text: Option<std::borrow::Cow<'_, str>>, bytes: usize| {
            text.map(|text| cut(&text, bytes).to_owned())
        };
        EventRow {
            seq: record.seq,
            client: event.client,
            kind: event.kind,
            appended_ms: record.appended_ms,
            time_s: glance.time_s,
            id: EventId::from(cut(event.id.as_str(), LINE_BYTES_MAX)),
            id_reused: record.id_reused,
            type_code: kept(glance.type_code, NAME_BYTES_MAX),
            domain: kept(glance.domain, LINE_BYTES_MAX),
            method: kept(glance.method, NAME_BYTES_MAX),
            path: kept(glance.path, PATH_BYTES_MAX),
            parameter: kept(glance.parameter, LINE_BYTES_MAX),
            address: glance.address,
            status: glance.status,
            block_status: glance.block_status,
            score: glance.score,
            title: kept(glance.title, LINE_BYTES_MAX),
            discovered_by: kept(glance.discovered_by, NAME_BYTES_MAX),
            text: glance.text,
        }
    }

    /// Reads a row of [`COLUMNS`]; none: it is of a kind that nobody here knows.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Option<EventRow>> {
        let Some(kind) = Kind::from_code(row.get(2)?) else { return Ok(None) };
        Ok(Some(EventRow {
            seq: Seq(row.get::<_, i64>(0)? as u64),
            client: ClientId(row.get::<_, i64>(1)? as u64),
            kind,
            appended_ms: row.get::<_, i64>(3)? as u64,
            time_s: row.get::<_, Option<i64>>(4)?.map(|time_s| time_s as u64),
            id: EventId::from(row.get_ref(5)?.as_str()?),
            id_reused: row.get(6)?,
            type_code: row.get(7)?,
            domain: row.get(8)?,
            method: row.get(9)?,
            path: row.get(10)?,
            parameter: row.get(11)?,
            address: row.get_ref(12)?.as_blob_or_null()?.and_then(address_of),
            status: row.get(13)?,
            block_status: row.get::<_, Option<bool>>(14)?.map(block_status),
            score: row.get(15)?,
            title: row.get(16)?,
            discovered_by: row.get(17)?,
            text: row.get(18)?,
        }))
    }
}

/// `blocked`, as the file keeps it.
pub(crate) fn block_status(blocked: bool) -> BlockStatus {
    if blocked { BlockStatus::Blocked } else { BlockStatus::Monitored }
}

/// An address as the file keeps it: 4 or 16 bytes.
pub(crate) fn address_bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The address of these bytes.
pub(crate) fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

/// What the attempts of a batch are looked up by.
pub(crate) fn webhook_key(id: &WebhookId) -> i64 {
    let mut hasher = SipHasher13::new();
    hasher.write(id.as_str().as_bytes());
    hasher.finish() as i64
}

/// What an event is looked up by if its id is known: a short hash, since ids are long and share their beginnings.
pub(crate) fn id_key(client: ClientId, id: &str) -> i64 {
    let mut hasher = SipHasher13::new();
    hasher.write_u64(client.0);
    hasher.write(cut(id, LINE_BYTES_MAX).as_bytes());
    // 32 bits: a volume has 131,072 events, and what is found is compared.
    i64::from(hasher.finish() as u32)
}
