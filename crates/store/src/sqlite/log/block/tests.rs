//! What is sealed opens as it was; what was damaged does not.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Given {
    appended_ms: u64,
    flags: u8,
    client: u64,
    kind: u8,
    id: String,
    body: String,
}

fn given() -> impl Strategy<Value = Given> {
    let time = prop_oneof![Just(0), Just(u64::MAX), 1_700_000_000_000..1_700_000_100_000u64];
    let client = prop_oneof![1..4u64, Just(u64::MAX)];
    (time, 0..4u8, client, any::<u8>(), "[a-z0-9]{0,30}", "\\PC{0,200}").prop_map(
        |(appended_ms, flags, client, kind, id, body)| Given { appended_ms, flags, client, kind, id, body },
    )
}

fn placed(first: u64, events: &[Given]) -> Vec<Placed<'_>> {
    let mut placed = Vec::new();
    for (seq, event) in (first..).zip(events) {
        let &Given { appended_ms, flags, client, kind, .. } = event;
        let client = ClientId(client);
        placed.push(Placed { seq, appended_ms, flags, client, kind, id: &event.id, body: &event.body });
    }
    placed
}

fn sealed(events: &[Placed<'_>]) -> Sealed {
    let mut builder = Builder::new(EVENTS_MAX);
    for event in events {
        builder.push(event);
    }
    let sealed = builder.seal(&mut Compressor::new(1).unwrap());
    assert!(builder.is_empty());
    sealed
}

fn hits(count: u64) -> Vec<Given> {
    let body = |n| format!("{{\"domain\":\"example.com\",\"path\":\"/{n}\",\"payloads\":[\"'or 1=1--\"]}}");
    let hit =
        |n| Given { appended_ms: 5, flags: 2, client: 1, kind: 1, id: format!("hit-{n}"), body: body(n) };
    (0..count).map(hit).collect()
}

proptest! {
    #[test]
    fn a_block_opens_as_it_was_sealed(first in 1..1_000_000u64, events in prop::collection::vec(given(), 1..40)) {
        let placed = placed(first, &events);
        let Sealed { header, directory, body } = sealed(&placed);
        prop_assert_eq!((header.first, header.last()), (first, first + events.len() as u64 - 1));
        prop_assert_eq!(header.oldest_ms, events.iter().map(|event| event.appended_ms).min().unwrap());
        prop_assert_eq!(header.newest_ms, events.iter().map(|event| event.appended_ms).max().unwrap());
        let opened = open(&header, &body).unwrap();
        prop_assert_eq!(opened.events().unwrap(), placed);
        let read: Vec<_> = streams_in(&directory.to_bytes(header.oldest_ms), header.oldest_ms).collect();
        prop_assert_eq!(&read, &directory.iter().collect::<Vec<_>>());
        for (client, kind, sum) in read {
            let of_stream: Vec<_> = events.iter().filter(|event| (event.client, event.kind) == (client, kind)).collect();
            prop_assert_eq!(sum.events, of_stream.len() as u64);
            prop_assert_eq!(sum.bytes, of_stream.iter().map(|event| event.body.len() as u64).sum::<u64>());
            prop_assert_eq!(sum.oldest_ms, of_stream.iter().map(|event| event.appended_ms).min().unwrap());
        }
    }

    #[test]
    fn no_damage_to_a_body_passes_for_events(count in 1..30u64, at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let events = hits(count);
        let Sealed { header, mut body, .. } = sealed(&placed(7, &events));
        let at = at.index(body.len());
        body[at] ^= flip;
        // The checksum of a zstd frame need not be looked at by what opens it: the same events are no damage.
        match open(&header, &body) {
            Err(error) => prop_assert_eq!(error, BlockError::Damaged(7)),
            Ok(opened) => prop_assert_eq!(opened.events().unwrap(), placed(7, &events)),
        }
    }

    #[test]
    fn bytes_of_any_kind_open_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300), format in 0..4u8, events in any::<u32>(), plain_bytes in 0..400u64,
    ) {
        let hash = super::hash(3, events, &bytes);
        let header = Header { first: 3, events, oldest_ms: 0, newest_ms: 0, format, plain_bytes, hash };
        if let Ok(opened) = open(&header, &bytes) {
            let _ = opened.events();
        }
        streams_in(&bytes, 0).for_each(drop);
    }

    #[test]
    fn numbers_are_read_as_they_were_put(values in prop::collection::vec(any::<u64>(), 0..20)) {
        let mut bytes = Vec::new();
        for &value in &values {
            varint::put(&mut bytes, value);
        }
        let mut rest = &bytes[..];
        for value in values {
            prop_assert_eq!(varint::take(&mut rest), Some(value));
            prop_assert_eq!(varint::zigzag(varint::unzigzag(value)), value);
        }
        prop_assert_eq!(varint::take(&mut rest), None);
    }
}

#[test]
fn hits_that_are_alike_shrink_and_a_few_of_them_stay_plain() {
    let few = hits(3);
    assert_eq!(sealed(&placed(1, &few)).header.format, PLAIN);
    let many = hits(100);
    let Sealed { header, body, .. } = sealed(&placed(1, &many));
    assert_eq!(header.format, ZSTD);
    assert!(body.len() as u64 * 5 < header.plain_bytes, "{} of {}", body.len(), header.plain_bytes);
}

#[test]
fn a_length_that_nothing_could_have_written_takes_no_memory() {
    let Sealed { header, body, .. } = sealed(&placed(1, &hits(50)));
    let header = Header { plain_bytes: u64::MAX, ..header };
    assert_eq!(open(&header, &body).unwrap_err(), BlockError::Damaged(1));
}

#[test]
fn a_format_of_the_future_is_told_from_damage() {
    let Sealed { header, body, .. } = sealed(&placed(1, &hits(5)));
    assert_eq!(open(&Header { format: 9, ..header }, &body).unwrap_err(), BlockError::Unknown(1));
}

#[test]
fn a_block_ends_at_its_bounds() {
    let mut builder = Builder::new(EVENTS_MAX);
    let small = hits(1);
    for seq in 1..=u64::from(EVENTS_MAX) {
        assert!(!builder.is_full());
        builder.push(&Placed { seq, ..placed(1, &small)[0] });
    }
    assert!(builder.is_full());
    let mut builder = Builder::new(EVENTS_MAX);
    let body = "x".repeat(BYTES_MAX);
    builder.push(&Placed { body: &body, ..placed(1, &small)[0] });
    assert!(builder.is_full());
    assert_eq!(builder.next(), Some(2));
}
