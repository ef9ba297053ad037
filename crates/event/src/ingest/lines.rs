//! Bodies of lines: each line that is not blank holds one object, and stands alone.

use super::field::Refusal;
use super::{Batch, IngestError, Invalid, NOT_UTF8, event, in_words, items};
use crate::json::{Fault, Shape};

/// How many lines that are not blank are looked at to find out whether a body holds lines.
const LOOKED_AT_MAX: usize = 2;

/// Reads a body line by line.
pub(super) fn read(bytes: &[u8], batch: &mut Batch) -> Result<(), IngestError> {
    for (place, line) in of(bytes).enumerate() {
        let number = place + 1;
        let (client, now_s) = (batch.client, batch.now_s);
        let item = match item(line, |item| event(item, client, now_s)) {
            Ok(None) => continue,
            Ok(Some(item)) => item,
            Err(LineFault { column, message }) if batch.invalid == Invalid::Refuse => {
                return Err(IngestError::Malformed { line: number, column, message });
            }
            Err(LineFault { column, message }) => {
                Err(Refusal::whole(format!("not JSON at column {column}: {message}")))
            }
        };
        let index = batch.count()?;
        batch.take(index, Some(number), item);
    }
    Ok(())
}

/// Whether one of the first lines is a whole object. Objects that span lines begin with lines that are none.
pub(super) fn are_in(bytes: &[u8]) -> bool {
    let mut whole = of(bytes)
        .filter_map(|line| item(line, |item| item.value.shape == Shape::Object).transpose())
        .take(LOOKED_AT_MAX);
    whole.any(|is_object| is_object.unwrap_or(false))
}

/// The lines, without `\n` or `\r\n`, without a byte order mark before the first.
fn of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Where a line stops being JSON.
struct LineFault {
    /// The character in the line, from 1.
    column: usize,
    message: String,
}

/// What `take` makes of a line's item; none if the line is blank.
fn item<T>(line: &[u8], take: impl FnOnce(&items::Item<'_>) -> T) -> Result<Option<T>, LineFault> {
    let text = std::str::from_utf8(line).map_err(|error| {
        let before = String::from_utf8_lossy(&line[..error.valid_up_to()]);
        LineFault { column: before.chars().count() + 1, message: NOT_UTF8.to_owned() }
    })?;
    let mut taken = None;
    items::of_line(text, |item| taken = Some(take(item))).map_err(|Fault { at, message }| LineFault {
        column: text[..at].chars().count() + 1,
        message: in_words(text, at, message, "line"),
    })?;
    Ok(taken)
}
