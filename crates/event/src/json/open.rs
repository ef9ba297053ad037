//! The arrays and objects that are open around the place where the scanner is, and the names seen in them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

/// Up to here comparing names is faster than hashing them; beyond it their number must not count squared. A hit has about
/// 30 fields.
const COMPARED_MAX: usize = 40;

/// What is open, the outermost first.
#[derive(Debug, Default)]
pub(super) struct Open<'a> {
    levels: Vec<Level>,
    /// The names of all open objects, those of the innermost last.
    names: Vec<Cow<'a, str>>,
    marks: Marks,
}

/// What is well-formed JSON, but not taken: the first such place of each sort, as a JSON pointer (RFC 6901).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// A name that stands for the second time in its object.
    pub repeated: Option<String>,
    /// A number that not every receiver can read ([`is_portable`](super::is_portable)).
    pub number: Option<String>,
}

impl Marks {
    /// Takes over what was found inside a member, as far as nothing was found before.
    pub(super) fn add(&mut self, member: &str, inside: Marks) {
        for (mark, inside) in [(&mut self.repeated, inside.repeated), (&mut self.number, inside.number)] {
            if let (None, Some(inside)) = (&mark, inside) {
                let mut pointer = String::new();
                push_token(&mut pointer, member);
                *mark = Some(pointer + &inside);
            }
        }
    }
}

#[derive(Debug)]
struct Level {
    closing: u8,
    /// Where this object's names begin.
    names_from: usize,
    /// How many elements of this array came before.
    index: usize,
}

impl<'a> Open<'a> {
    /// The bracket that closes the innermost.
    pub(super) fn closing(&self) -> Option<u8> {
        self.levels.last().map(|level| level.closing)
    }

    /// How many are open.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// An array or object begins.
    pub(super) fn push(&mut self, closing: u8) {
        self.levels.push(Level { closing, names_from: self.names.len(), index: 0 });
    }

    /// The innermost object has a member of this name.
    pub(super) fn name(&mut self, name: Cow<'a, str>) {
        self.names.push(name);
    }

    /// Another element of the innermost array, or member of the innermost object, follows.
    pub(super) fn next(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.index += 1;
        }
    }

    /// The innermost ends.
    pub(super) fn pop(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        if self.marks.repeated.is_none()
            && let Some(name) = first_repeated(self.names[level.names_from..].iter().map(|name| &**name))
        {
            let mut pointer = self.pointer(level.names_from);
            push_token(&mut pointer, name);
            self.marks.repeated = Some(pointer);
        }
        self.names.truncate(level.names_from);
    }

    /// The value that is being read is a number that not every receiver can read.
    pub(super) fn mark_number(&mut self) {
        if self.marks.number.is_none() {
            self.marks.number = Some(self.pointer(self.names.len()));
        }
    }

    /// Whether nothing was found.
    pub(super) fn is_unmarked(&self) -> bool {
        self.marks.repeated.is_none() && self.marks.number.is_none()
    }

    /// Forgets everything, and answers what was found.
    pub(super) fn clear(&mut self) -> Marks {
        self.levels.clear();
        self.names.clear();
        std::mem::take(&mut self.marks)
    }

    /// The pointer to the value that is being read, whose own names, if it is an object, begin at `names_end`.
    fn pointer(&self, names_end: usize) -> String {
        let mut pointer = String::new();
        let ends = self.levels.iter().skip(1).map(|level| level.names_from).chain([names_end]);
        for (level, names_end) in self.levels.iter().zip(ends) {
            match self.names[level.names_from..names_end].last() {
                Some(name) => push_token(&mut pointer, name),
                None => {
                    // Writing to a String cannot fail.
                    let _ = write!(pointer, "/{}", level.index);
                }
            }
        }
        pointer
    }
}

/// Adds a member's name to a JSON pointer.
pub(crate) fn push_token(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

/// The first name that came before.
///
/// Two names that are alike are alike in length, first and last byte: only where these fall together with those of a name
/// before is it compared with every one.
pub(super) fn first_repeated<'n>(names: impl ExactSizeIterator<Item = &'n str> + Clone) -> Option<&'n str> {
    if names.len() > COMPARED_MAX {
        let mut seen = HashSet::with_capacity(names.len());
        return names.into_iter().find(|name| !seen.insert(*name));
    }
    let mut seen = [0_u64; 4];
    names.clone().enumerate().find_map(|(place, name)| {
        let bytes = name.as_bytes();
        let ends = usize::from(bytes.first().copied().unwrap_or(0)) * 37
            + usize::from(bytes.last().copied().unwrap_or(0)) * 101;
        let mark = (ends + bytes.len() * 11) % 256;
        let (word, bit) = (mark / 64, 1 << (mark % 64));
        let maybe = seen[word] & bit != 0;
        seen[word] |= bit;
        (maybe && names.clone().take(place).any(|before| before == name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_name_that_came_before_is_found(names in prop::collection::vec("[ab]{0,5}", 0..80)) {
            let first = (0..names.len()).find(|&place| names[..place].contains(&names[place]));
            prop_assert_eq!(first_repeated(names.iter().map(String::as_str)), first.map(|place| names[place].as_str()));
        }
    }
}
