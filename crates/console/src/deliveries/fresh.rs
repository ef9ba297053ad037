//! What an open page is told: attempts that were not there before, none of them passed over in silence.

use super::Attempt;
use super::log::Found;
use askama::Template;

/// Pages that are asked for at once when many attempts came: as many rows as an open page keeps.
const PAGES_MAX: usize = 4;

/// Attempts that are newer than one that is known, gathered page by page from the newest on.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) after: u64,
    pages: usize,
    /// The newest first.
    pub(super) attempts: Vec<Attempt>,
    /// There are more between the last of these and the known one: they are older than this attempt.
    pub(super) more_before: Option<u64>,
}

/// A row in place of attempts that are too many to be told.
#[derive(Template)]
#[template(path = "deliveries/gap.html")]
pub(super) struct Gap {
    pub(super) before: u64,
    pub(super) address: String,
}

impl Fresh {
    pub(super) fn after(after: u64) -> Fresh {
        Fresh { after, pages: 0, attempts: Vec::new(), more_before: None }
    }

    /// Takes a page. Returns what the next one is to be asked for with `before`; none: it is done.
    pub(super) fn take(&mut self, found: Found) -> Option<u64> {
        self.pages += 1;
        let met = found.attempts.iter().any(|attempt| attempt.id <= self.after);
        self.attempts.extend(found.attempts.into_iter().filter(|attempt| attempt.id > self.after));
        // A page that nothing was known of needs no more than the newest.
        let next = found.next.filter(|next| !met && self.after > 0 && *next > self.after + 1)?;
        if self.pages < PAGES_MAX {
            return Some(next);
        }
        self.more_before = self.attempts.last().map(|oldest| oldest.id);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::ROWS;
    use super::*;

    /// Gathers from a log that holds attempts 1 to `newest`.
    fn gathered(newest: u64, after: u64) -> Fresh {
        let mut fresh = Fresh::after(after);
        let mut before = newest + 1;
        loop {
            let ids = (1..before).rev().take(ROWS);
            let attempts: Vec<_> = ids.map(|id| Attempt { id, ..Attempt::default() }).collect();
            let next = attempts.last().map(|oldest| oldest.id).filter(|oldest| *oldest > 1);
            match fresh.take(Found { attempts, next, total: None }) {
                Some(next) => before = next,
                None => return fresh,
            }
        }
    }

    #[test]
    fn a_burst_is_told_whole_and_a_flood_says_where_the_rest_is() {
        let ids = |fresh: &Fresh| fresh.attempts.iter().map(|attempt| attempt.id).collect::<Vec<_>>();
        let burst = gathered(1_000, 880);
        assert_eq!((ids(&burst), burst.more_before), ((881..=1_000).rev().collect(), None));
        let flood = gathered(1_000, 10);
        assert_eq!((ids(&flood), flood.more_before), ((801..=1_000).rev().collect(), Some(801)));
        let exactly = gathered(1_000, 800);
        assert_eq!((ids(&exactly).len(), exactly.more_before), (200, None));
        assert_eq!((gathered(1_000, 1_000).attempts.len(), gathered(1_000, 0).attempts.len()), (0, ROWS));
    }

    #[test]
    fn what_is_rare_is_looked_for_as_far_back_as_needed() {
        let nothing = || Found { attempts: Vec::new(), next: Some(500), total: None };
        assert_eq!(Fresh::after(10).take(nothing()), Some(500));
        assert_eq!(Fresh::after(600).take(nothing()), None);
    }
}
