//! Bytes into lines, with a bound on a line's length.

use std::io::{self, BufRead};

/// The longest line that is taken, in bytes without its `\n`. A record is about 4 kB, with a response body up to 300 kB;
/// 4 MiB leaves room and still bounds the memory of a reader.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What [`Lines`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A whole line.
    Whole {
        /// Bytes before it in the input.
        offset: u64,
        /// The line without its `\n`.
        bytes: Vec<u8>,
        /// `false`: the input ended before the `\n`.
        ended: bool,
    },
    /// A line longer than the bound was skipped.
    Oversized(Oversized),
}

/// A line that was skipped because it is longer than [`LINE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversized {
    /// Bytes before it in the input.
    pub offset: u64,
    /// Its length in bytes, without the `\n`.
    pub length: u64,
}

/// The lines of an input that is complete: an imported file, standard input. Empty lines are passed over.
///
/// For a file that grows see [`follow`](crate::follow).
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    offset: u64,
    line_bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`, none longer than [`LINE_BYTES_MAX`].
    pub fn new(input: R) -> Self {
        Lines::with_bound(input, LINE_BYTES_MAX)
    }

    /// The same with another bound.
    pub fn with_bound(input: R, line_bytes_max: usize) -> Self {
        Lines { input, offset: 0, line_bytes_max }
    }

    /// Bytes consumed up to now.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let offset = self.offset;
            let mut bytes = Vec::new();
            let mut length = 0u64;
            let ended = loop {
                let buffer = match self.input.fill_buf() {
                    Ok(buffer) => buffer,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                if buffer.is_empty() {
                    break false;
                }
                let end = buffer.iter().position(|&byte| byte == b'\n');
                let part = &buffer[..end.unwrap_or(buffer.len())];
                length += part.len() as u64;
                if length <= self.line_bytes_max as u64 {
                    bytes.extend_from_slice(part);
                } else {
                    bytes = Vec::new();
                }
                let consumed = part.len() + usize::from(end.is_some());
                self.input.consume(consumed);
                self.offset += consumed as u64;
                if end.is_some() {
                    break true;
                }
            };
            return Ok(match (length, ended) {
                (0, true) => continue,
                (0, false) => None,
                (length, ended) if length <= self.line_bytes_max as u64 => {
                    Some(Line::Whole { offset, bytes, ended })
                }
                (length, _) => Some(Line::Oversized(Oversized { offset, length })),
            });
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(offset: u64, bytes: &[u8], ended: bool) -> Line {
        Line::Whole { offset, bytes: bytes.to_vec(), ended }
    }

    fn all(input: &[u8], bound: usize, buffer: usize) -> Vec<Line> {
        Lines::with_bound(io::BufReader::with_capacity(buffer, input), bound).map(Result::unwrap).collect()
    }

    #[test]
    fn a_line_knows_where_it_stands_and_whether_it_was_ended() {
        assert_eq!(all(b"one\n\ntwo", 10, 2), [whole(0, b"one", true), whole(5, b"two", false)]);
    }

    #[test]
    fn a_line_longer_than_the_bound_is_skipped_and_told() {
        let lines = all(b"ok\ntoo long\nfine\n", 4, 3);
        assert_eq!(
            lines,
            [
                whole(0, b"ok", true),
                Line::Oversized(Oversized { offset: 3, length: 8 }),
                whole(12, b"fine", true)
            ]
        );
    }

    proptest! {
        #[test]
        fn lines_are_what_splitting_at_newlines_gives(input in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
                                                      buffer in 1usize..20) {
            let mut expected = Vec::new();
            let mut offset = 0;
            for part in input.split_inclusive(|&byte| byte == b'\n') {
                let line = part.strip_suffix(b"\n").unwrap_or(part);
                if !line.is_empty() {
                    expected.push(whole(offset, line, line.len() < part.len()));
                }
                offset += part.len() as u64;
            }
            prop_assert_eq!(all(&input, 1000, buffer), expected);
        }
    }
}
