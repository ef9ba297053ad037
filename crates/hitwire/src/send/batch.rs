//! What goes into one call.

use super::items::Item;
use crate::api::Body;
use std::time::Duration;

/// At most so many bytes in one call, unless a single item is longer: enough for a few hundred events, and far below what a
/// server takes.
const BYTES_MAX: usize = 1 << 20;

/// What is there is sent after this, even if more might come.
pub(super) const LINGER: Duration = Duration::from_millis(200);

/// Items on their way into one call: a JSON array, since an item may be laid out over several lines.
#[derive(Debug)]
pub(super) struct Batch {
    body: Vec<u8>,
    lines: Vec<u64>,
    end: u64,
    events_max: usize,
}

impl Batch {
    /// An empty one.
    pub(super) fn new(events_max: usize) -> Self {
        Batch { body: Vec::new(), lines: Vec::new(), end: 0, events_max }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether an item fits; into an empty batch each one does.
    pub(super) fn has_room_for(&self, item: &Item) -> bool {
        self.is_empty()
            || (self.lines.len() < self.events_max && self.body.len() + item.text.len() < BYTES_MAX)
    }

    pub(super) fn add(&mut self, item: &Item) {
        self.body.push(if self.is_empty() { b'[' } else { b',' });
        self.body.extend_from_slice(&item.text);
        self.lines.push(item.line);
        self.end = item.end;
    }

    /// The body, the line of each of its items, and how far into the file it reaches; empty afterwards.
    pub(super) fn take(&mut self) -> (Body, Vec<u64>, u64) {
        self.body.push(b']');
        (Body::Json(std::mem::take(&mut self.body).into()), std::mem::take(&mut self.lines), self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(line: u64, text: &str) -> Item {
        Item { line, text: text.into(), end: line * 10 }
    }

    #[test]
    fn a_batch_is_an_array_that_knows_its_lines() {
        let mut batch = Batch::new(2);
        batch.add(&item(3, "{}"));
        batch.add(&item(5, "{\n}"));
        assert!(!batch.has_room_for(&item(6, "{}")), "two are enough");
        let (body, lines, end) = batch.take();
        let Body::Json(body) = body else { panic!("an array") };
        assert_eq!((&*body, &*lines, end), (&b"[{},{\n}]"[..], &[3, 5][..], 50));
        assert!(batch.is_empty() && batch.has_room_for(&item(6, "{}")));
    }

    #[test]
    fn a_long_item_travels_alone() {
        let mut batch = Batch::new(10);
        let long = item(1, &"x".repeat(2 * BYTES_MAX));
        assert!(batch.has_room_for(&long));
        batch.add(&item(1, "{}"));
        assert!(!batch.has_room_for(&long));
    }
}
