//! How the listener answers: well, or, to try out what a sender does then, badly.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

/// The answer where `--fail` names only a percentage.
const STATUS_DEFAULT: u16 = 503;

/// Which answers are failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fail {
    /// The status of a failed answer, 200-599.
    pub status: u16,
    /// How many of a hundred requests fail.
    pub percent: u8,
}

impl FromStr for Fail {
    type Err = String;

    /// Reads `PERCENT`, `STATUS` or `STATUS:PERCENT`. A number up to 100 is a percentage, from 200 on a status.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (status, percent) = match text.split_once(':') {
            Some((status, percent)) => (Some(status), Some(percent)),
            None if text.ends_with('%') || text.parse().is_ok_and(|number: u16| number <= 100) => {
                (None, Some(text))
            }
            None => (Some(text), None),
        };
        let status = match status {
            None => STATUS_DEFAULT,
            Some(status) => status
                .parse()
                .ok()
                .filter(|status| (200..=599).contains(status))
                .ok_or_else(|| format!("{status:?} is not an HTTP status from 200 to 599"))?,
        };
        let percent = match percent {
            None => 100,
            Some(percent) => percent
                .strip_suffix('%')
                .unwrap_or(percent)
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .ok_or_else(|| format!("{percent:?} is not a percentage from 0 to 100"))?,
        };
        Ok(Fail { status, percent })
    }
}

/// How the listener answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Which answers are failures; none: every notification is answered 200.
    pub fail: Option<Fail>,
    /// Wait so long before each answer.
    pub slow: Duration,
}

/// Decides the answers, one after the other.
///
/// Failures are spread evenly and not thrown by dice: of `500:20` exactly each fifth request fails, in every run, so that
/// what a sender does about it can be compared.
#[derive(Debug)]
pub(super) struct Answers {
    behaviour: Behaviour,
    /// Hundredths of a failure that are due.
    due: Mutex<u32>,
}

impl Answers {
    pub(super) const fn new(behaviour: Behaviour) -> Self {
        Answers { behaviour, due: Mutex::new(0) }
    }

    /// The status of the next answer.
    pub(super) fn next(&self) -> u16 {
        let Some(fail) = self.behaviour.fail else { return 200 };
        // The number is whole at every moment: a panic elsewhere cannot leave it half changed.
        let mut due = self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *due += u32::from(fail.percent);
        if *due < 100 {
            return 200;
        }
        *due -= 100;
        fail.status
    }

    pub(super) const fn slow(&self) -> Duration {
        self.behaviour.slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_status_a_percentage_or_both() {
        assert_eq!("503".parse(), Ok(Fail { status: 503, percent: 100 }));
        assert_eq!("20".parse(), Ok(Fail { status: 503, percent: 20 }));
        assert_eq!("20%".parse(), Ok(Fail { status: 503, percent: 20 }));
        assert_eq!("500:20".parse(), Ok(Fail { status: 500, percent: 20 }));
        assert_eq!("410:100%".parse(), Ok(Fail { status: 410, percent: 100 }));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "101", "199", "600", "-1", "500:", "500:101", ":20", "abc", "500:20:3", "101%"] {
            assert!(text.parse::<Fail>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn failures_are_spread_evenly() {
        let answers = Answers::new(Behaviour { fail: "500:20".parse().ok(), slow: Duration::ZERO });
        let statuses: Vec<_> = (0..10).map(|_| answers.next()).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 500, 200, 200, 200, 200, 500]);
    }

    #[test]
    fn without_a_wish_every_answer_is_200() {
        let answers = Answers::new(Behaviour::default());
        assert!((0..100).all(|_| answers.next() == 200));
    }
}
