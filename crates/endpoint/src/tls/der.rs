//! Just enough of DER (X.690) to find one's way in a certificate. It does not judge: lengths may be written longer than need
//! be, and what is not asked for is not looked at.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// A value with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    /// Without the header.
    pub(super) contents: &'a [u8],
    /// With the header.
    pub(super) whole: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// The most bytes in which a length is written. Four are enough for any certificate; some encoders always write four, and
/// some fill up with zeros.
const LENGTH_BYTES_MAX: usize = 8;

impl<'a> Reader<'a> {
    pub(super) fn new(der: &'a [u8]) -> Reader<'a> {
        Reader(der)
    }

    /// The next element; none at the end, if it is cut short, or if its length or tag is written in a way that certificates
    /// do not use.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let all = self.0;
        let (&tag, rest) = all.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > LENGTH_BYTES_MAX {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(count)?;
            length = bytes
                .iter()
                .try_fold(0usize, |length, &byte| Some(length.checked_mul(256)? | usize::from(byte)))?;
            rest = after;
        }
        let (contents, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some(Element { tag, contents, whole: &all[..all.len() - after.len()] })
    }

    /// The next element, if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }
}

/// An object identifier as people write it: `1.2.840.113549`. None if its bytes are no such thing.
pub(super) fn dotted(contents: &[u8]) -> Option<String> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc: u64 = 0;
    for (index, byte) in contents.iter().enumerate() {
        arc = arc.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            // The last byte of an arc has no such mark.
            (index + 1 < contents.len()).then_some(())?;
            continue;
        }
        if arcs.is_empty() {
            let first = (arc / 40).min(2);
            arcs.extend([first, arc - first * 40]);
        } else {
            arcs.push(arc);
        }
        arc = 0;
    }
    (!arcs.is_empty()).then(|| arcs.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_read_in_every_form_but_the_one_without_end() {
        for (der, contents) in [
            (&[4, 1, 7][..], Some(&[7][..])),
            (&[4, 0x81, 1, 7], Some(&[7])),
            (&[4, 0x84, 0, 0, 0, 1, 7], Some(&[7])),
            (&[4, 0x80, 7, 0, 0], None),
            (&[4, 2, 7], None),
            (&[4], None),
            (&[0x1f, 1, 7], None),
            (&[4, 0x88, 255, 255, 255, 255, 255, 255, 255, 255, 7], None),
        ] {
            assert_eq!(Reader::new(der).next().map(|element| element.contents), contents, "{der:?}");
        }
        let mut reader = Reader::new(&[2, 1, 5, 4, 0]);
        assert_eq!(reader.expect(INTEGER).unwrap().whole, [2, 1, 5]);
        assert!(reader.expect(OCTET_STRING).unwrap().contents.is_empty());
        assert!(reader.next().is_none());
    }

    #[test]
    fn object_identifiers_are_written_as_people_do() {
        for (bytes, text) in [
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d][..], Some("1.2.840.113549")),
            (&[0x55, 0x1d, 0x20], Some("2.5.29.32")),
            (&[0x88, 0x37], Some("2.999")),
            (&[0x00], Some("0.0")),
            (&[0x2a, 0x86], None),
            (&[], None),
        ] {
            assert_eq!(dotted(bytes).as_deref(), text, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_read_or_refused_but_never_break(der in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&der);
            while reader.next().is_some() {}
            let _ = dotted(&der);
        }
    }
}
