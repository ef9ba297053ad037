//! A file of events, item by item: a JSON array, one object a line, or objects one after the other, however they are laid
//! out. Never the whole file in memory, and every item with the line it begins on.

use hitwire_event::ingest::EVENT_BYTES_MAX;
use std::io::{self, BufRead};

/// Longer than an event may be by as much as its layout may take.
const ITEM_BYTES_MAX: usize = 4 * EVENT_BYTES_MAX;

/// One item, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// Its text, which may not be JSON.
    pub(super) text: Vec<u8>,
    /// So many bytes of the file have been read with it.
    pub(super) end: u64,
}

/// Why a file cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemsError {
    /// The system says so.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is no sequence of items from here on.
    #[error("line {line}: {problem}")]
    Form {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: &'static str,
    },
}

/// How the items lie in the file: decided by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Unknown,
    /// `[item, item]`; whether one was read already.
    Array {
        begun: bool,
    },
    /// One a line, so that a broken line costs that line alone.
    Lines,
    /// The first object took several lines: one after the other.
    Objects,
    Ended,
}

/// The items of a file.
#[derive(Debug)]
pub(super) struct Items<R> {
    input: R,
    layout: Layout,
    line: u64,
    read: u64,
}

impl<R: BufRead> Items<R> {
    /// From the beginning of a file.
    pub(super) fn new(input: R) -> Self {
        Items { input, layout: Layout::Unknown, line: 1, read: 0 }
    }

    /// The next item; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Item>, ItemsError> {
        loop {
            match self.layout {
                Layout::Ended => return Ok(None),
                Layout::Unknown => match self.skip_blanks()? {
                    None => self.layout = Layout::Ended,
                    // A byte order mark says nothing.
                    Some(0xef) if self.read == 0 => self.skip(3)?,
                    Some(b'[') => {
                        self.skip(1)?;
                        self.layout = Layout::Array { begun: false };
                    }
                    Some(b'{') => {
                        let item = self.value()?;
                        self.layout = if item.line == self.line { Layout::Lines } else { Layout::Objects };
                        return Ok(Some(item));
                    }
                    Some(_) => self.layout = Layout::Lines,
                },
                Layout::Array { begun } => return self.element(begun),
                Layout::Lines => return self.whole_line(),
                Layout::Objects => {
                    return match self.skip_blanks()? {
                        None => Ok(None),
                        Some(_) => self.value().map(Some),
                    };
                }
            }
        }
    }

    fn element(&mut self, begun: bool) -> Result<Option<Item>, ItemsError> {
        match self.skip_blanks()? {
            None => return Err(self.wrong("the array does not end: a ] is missing")),
            Some(b']') => {
                self.skip(1)?;
                if self.skip_blanks()?.is_some() {
                    return Err(self.wrong("there is something behind the end of the array"));
                }
                self.layout = Layout::Ended;
                return Ok(None);
            }
            Some(b',') if begun => {
                self.skip(1)?;
                if self.skip_blanks()?.is_none() {
                    return Err(self.wrong("the array does not end: a ] is missing"));
                }
            }
            Some(_) if begun => return Err(self.wrong("a comma is missing between two elements")),
            Some(_) => {}
        }
        self.layout = Layout::Array { begun: true };
        self.value().map(Some)
    }

    /// The next line that is not blank.
    fn whole_line(&mut self) -> Result<Option<Item>, ItemsError> {
        loop {
            let line = self.line;
            let mut text = Vec::new();
            let ended = self.take_while(&mut text, |byte| byte != b'\n')?;
            if ended {
                self.layout = Layout::Ended;
            } else {
                self.skip(1)?;
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some(Item { line, text: text.trim_ascii().to_vec(), end: self.read }));
            }
            if ended {
                return Ok(None);
            }
        }
    }

    /// One value: to the bracket that closes it, or as far as a scalar goes.
    fn value(&mut self) -> Result<Item, ItemsError> {
        let (line, mut text) = (self.line, Vec::new());
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut closed = false;
        self.take_while(&mut text, |byte| {
            if closed {
                return false;
            }
            if in_string {
                in_string = escaped || byte != b'"';
                escaped = byte == b'\\' && !escaped;
                return true;
            }
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    closed = depth == 0;
                }
                b',' | b']' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return false,
                _ => {}
            }
            true
        })?;
        // A comma or bracket where a value should be: an item that is no JSON, so that it goes on behind it.
        if text.is_empty()
            && let Some(byte) = self.input.fill_buf()?.first().copied()
        {
            self.skip(1)?;
            text.push(byte);
        }
        Ok(Item { line, text, end: self.read })
    }

    /// Takes bytes as long as `takes` says so; whether the file ended.
    fn take_while(
        &mut self,
        text: &mut Vec<u8>,
        mut takes: impl FnMut(u8) -> bool,
    ) -> Result<bool, ItemsError> {
        let begun = self.line;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(true);
            }
            let taken = buffer.iter().position(|byte| !takes(*byte)).unwrap_or(buffer.len());
            let ended = taken < buffer.len();
            text.extend_from_slice(&buffer[..taken]);
            self.line += line_ends(&buffer[..taken]);
            self.input.consume(taken);
            self.read += taken as u64;
            if text.len() > ITEM_BYTES_MAX {
                let problem = "an item begins here that is longer than an event may be (1 MiB)";
                return Err(ItemsError::Form { line: begun, problem });
            }
            if ended {
                return Ok(false);
            }
        }
    }

    /// Skips white space; the byte behind it.
    fn skip_blanks(&mut self) -> Result<Option<u8>, ItemsError> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let blanks = buffer.iter().position(|byte| !blank(byte)).unwrap_or(buffer.len());
            let next = buffer.get(blanks).copied();
            self.line += line_ends(&buffer[..blanks]);
            self.input.consume(blanks);
            self.read += blanks as u64;
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    fn skip(&mut self, bytes: usize) -> Result<(), ItemsError> {
        for _ in 0..bytes {
            let Some(byte) = self.input.fill_buf()?.first().copied() else { return Ok(()) };
            self.line += u64::from(byte == b'\n');
            self.input.consume(1);
            self.read += 1;
        }
        Ok(())
    }

    fn wrong(&self, problem: &'static str) -> ItemsError {
        ItemsError::Form { line: self.line, problem }
    }
}

fn line_ends(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(text: &str) -> Result<Vec<(u64, String)>, String> {
        // A buffer of three bytes: every boundary is met.
        let mut items = Items::new(io::BufReader::with_capacity(3, text.as_bytes()));
        let mut found = Vec::new();
        while let Some(item) = items.next().map_err(|error| error.to_string())? {
            found.push((item.line, String::from_utf8(item.text).unwrap()));
        }
        Ok(found)
    }

    fn found(text: &str) -> Vec<(u64, String)> {
        items(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn pairs(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
        expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn an_array_a_line_each_and_a_single_object_are_told_apart() {
        assert_eq!(
            found("[{\"a\":1},\n {\"b\":[2,\"]\"]}\n]\n"),
            pairs(&[(1, r#"{"a":1}"#), (2, r#"{"b":[2,"]"]}"#)])
        );
        assert_eq!(found("{\"a\":1}\n\n{\"b\":2}"), pairs(&[(1, r#"{"a":1}"#), (3, r#"{"b":2}"#)]));
        assert_eq!(found(" {\"a\": {\n\"b\": 1}} "), pairs(&[(1, "{\"a\": {\n\"b\": 1}}")]));
        assert_eq!(found("{\n\"a\":1}\n{\n\"b\":2}"), pairs(&[(1, "{\n\"a\":1}"), (3, "{\n\"b\":2}")]));
        assert_eq!(found("\u{feff}[1, \"x,]\" ,null]"), pairs(&[(1, "1"), (1, "\"x,]\""), (1, "null")]));
        for empty in ["", " \n ", "[]", " [ ] "] {
            assert_eq!(found(empty), [], "{empty:?}");
        }
    }

    #[test]
    fn brackets_and_quotes_in_strings_count_for_nothing() {
        let text = r#"{"a":"}]\"{\\"}"#;
        assert_eq!(found(&format!("[{text},{text}]")), pairs(&[(1, text), (1, text)]));
    }

    #[test]
    fn a_broken_line_costs_that_line_alone() {
        assert_eq!(
            found("{\"a\":1}\n{\"broken\":\n{\"b\":2}\n"),
            pairs(&[(1, r#"{"a":1}"#), (2, "{\"broken\":"), (3, r#"{"b":2}"#)])
        );
        assert_eq!(found("no json\n{\"b\":2}"), pairs(&[(1, "no json"), (2, r#"{"b":2}"#)]));
    }

    #[test]
    fn an_array_that_is_none_is_refused_with_the_line() {
        assert_eq!(items("[{},\n{}").unwrap_err(), "line 2: the array does not end: a ] is missing");
        assert_eq!(items("[{}\n{}]").unwrap_err(), "line 2: a comma is missing between two elements");
        assert_eq!(items("[{}]\nx").unwrap_err(), "line 2: there is something behind the end of the array");
    }

    #[test]
    fn an_item_without_an_end_does_not_fill_the_memory() {
        let text = format!("[{{\"a\":\"{}", "x".repeat(2 * ITEM_BYTES_MAX));
        assert!(items(&text).unwrap_err().starts_with("line 1: an item begins here"));
    }

    proptest! {
        #[test]
        fn whatever_was_written_as_an_array_or_as_lines_is_found_again(
            texts in proptest::collection::vec(any::<String>(), 0..6),
            pretty in any::<bool>(),
        ) {
            let values: Vec<_> = texts.iter().map(|text| serde_json::json!({"t": text, "n": [text]})).collect();
            let array = serde_json::Value::from(values.clone());
            let array = if pretty { format!("{array:#}") } else { array.to_string() };
            let lines: String = values.iter().flat_map(|value| [value.to_string(), "\n".to_owned()]).collect();
            for text in [array, lines] {
                let read: Vec<serde_json::Value> =
                    found(&text).iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
                prop_assert_eq!(&read, &values);
            }
        }

        #[test]
        fn no_input_makes_it_hang_or_panic(text in "[\\[\\]{}\",:a\\\\ \n]{0,60}") {
            let _ = items(&text);
        }
    }
}
