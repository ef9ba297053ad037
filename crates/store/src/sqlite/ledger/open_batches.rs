//! The open batches of a lane as its row keeps them: some 80 bytes each.
//!
//! A format byte, and then batch after batch: numbers as varints, each position as the distance from the one before it,
//! words and bytes behind their length.

use crate::sqlite::log::block::varint;
use crate::sqlite::state::codes::unwritable;
use crate::sqlite::state::context::Trouble;
use hitwire_courier::{OpenBatch, Unsettled};
use hitwire_event::{Seq, WebhookId};
use rusqlite::types::Type;

const FORMAT: u8 = 1;

/// The bytes of a column; none if there are no batches.
pub(super) fn to_bytes(open: &[Unsettled]) -> Result<Option<Vec<u8>>, Trouble> {
    if open.is_empty() {
        return Ok(None);
    }
    let mut bytes = vec![FORMAT];
    let mut position = 0;
    for Unsettled { batch, settled_behind, refusal } in open {
        for seq in [batch.first, batch.last, batch.through] {
            varint::put(&mut bytes, seq.0.wrapping_sub(position));
            position = seq.0;
        }
        varint::put(&mut bytes, *settled_behind);
        varint::put(&mut bytes, batch.events.into());
        varint::put(&mut bytes, batch.content_revision);
        varint::put(&mut bytes, batch.body_bytes);
        varint::put(&mut bytes, batch.tries.into());
        bytes.extend(batch.body_sha256);
        put(&mut bytes, batch.webhook_id.as_str().as_bytes());
        let refusal = refusal.as_ref().map(serde_json::to_vec).transpose().map_err(unwritable)?;
        put(&mut bytes, &refusal.unwrap_or_default());
    }
    Ok(Some(bytes))
}

/// The batches of a column.
pub(super) fn from_bytes(bytes: Option<&[u8]>, column: usize) -> Result<Vec<Unsettled>, Trouble> {
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    decode(bytes).ok_or_else(|| {
        let why = "these are no open batches".into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, why).into()
    })
}

fn decode(bytes: &[u8]) -> Option<Vec<Unsettled>> {
    let (&FORMAT, mut rest) = bytes.split_first()? else { return None };
    let rest = &mut rest;
    if rest.is_empty() {
        // Without batches, a column is null.
        return None;
    }
    let mut open = Vec::new();
    let mut position = 0_u64;
    while !rest.is_empty() {
        let mut seq = || {
            position = position.wrapping_add(varint::take(rest)?);
            Some(Seq(position))
        };
        let (first, last, through) = (seq()?, seq()?, seq()?);
        let settled_behind = varint::take(rest)?;
        let events = varint::take(rest)?.try_into().ok()?;
        let content_revision = varint::take(rest)?;
        let body_bytes = varint::take(rest)?;
        let tries = varint::take(rest)?.try_into().ok()?;
        let (body_sha256, after) = rest.split_first_chunk()?;
        *rest = after;
        let webhook_id = WebhookId(std::str::from_utf8(take(rest)?).ok()?.into());
        let refusal = match take(rest)? {
            [] => None,
            json => Some(serde_json::from_slice(json).ok()?),
        };
        let batch = OpenBatch {
            first,
            last,
            through,
            events,
            webhook_id,
            content_revision,
            body_bytes,
            body_sha256: *body_sha256,
            tries,
        };
        open.push(Unsettled { batch, settled_behind, refusal });
    }
    Some(open)
}

fn put(bytes: &mut Vec<u8>, value: &[u8]) {
    varint::put(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint::take(bytes)?).ok()?;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64, refusal: Option<serde_json::Value>) -> Unsettled {
        let batch = OpenBatch {
            first: Seq(first),
            last: Seq(first + 499),
            through: Seq(first + 600),
            events: 500,
            webhook_id: WebhookId("msg_019b1c2d3e4f70818293a4b5c6d7e8f9".into()),
            content_revision: 3,
            body_bytes: 400_000,
            body_sha256: [9; 32],
            tries: 2,
        };
        Unsettled { batch, settled_behind: 7, refusal }
    }

    #[test]
    fn batches_are_read_as_they_were_written_and_take_few_bytes() {
        let refusal = serde_json::json!({"stage": "first_cycle", "retries": 3});
        let open = vec![batch(1 << 40, None), batch((1 << 40) + 1_000, Some(refusal))];
        let bytes = to_bytes(&open).ok().flatten().unwrap();
        assert_eq!(from_bytes(Some(&bytes), 0).ok(), Some(open));
        let one = to_bytes(&[batch(1 << 40, None)]).ok().flatten().unwrap();
        assert!(one.len() < 100, "{}", one.len());
        assert_eq!(to_bytes(&[]).ok(), Some(None));
        assert_eq!(from_bytes(None, 0).ok(), Some(Vec::new()));
    }

    #[test]
    fn what_was_cut_short_or_is_of_another_format_is_refused() {
        let bytes = to_bytes(&[batch(5, None)]).ok().flatten().unwrap();
        for length in 0..bytes.len() {
            assert!(from_bytes(Some(&bytes[..length]), 0).is_err(), "{length}");
        }
        assert!(from_bytes(Some(&[&[2], &bytes[1..]].concat()), 0).is_err());
    }
}
