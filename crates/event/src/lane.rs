//! A lane's id.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An integration's way through the log. Urgent events do not queue behind a flood of hits, and what is replayed keeps up
/// neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Lane {
    /// System events, critical and high vulnerabilities.
    Urgent,
    /// The rest.
    Bulk,
    /// The replay of this integration with this number, at least 1. A number is never used again.
    Replay(u32),
}

impl Lane {
    /// The lanes that every integration has, the urgent one first: what is appended goes to one of them.
    pub const LIVE: [Lane; 2] = [Lane::Urgent, Lane::Bulk];

    /// The number that the store keeps: 0 for urgent, 1 for bulk, and from 2 on the replays.
    pub const fn code(self) -> u32 {
        match self {
            Lane::Urgent => 0,
            Lane::Bulk => 1,
            Lane::Replay(number) => number.saturating_add(1),
        }
    }

    /// The lane with this number.
    pub const fn from_code(code: u32) -> Lane {
        match code {
            0 => Lane::Urgent,
            1 => Lane::Bulk,
            replay => Lane::Replay(replay - 1),
        }
    }

    /// `urgent`, `bulk` or `replay`: for figures, where a series for each replay would be too many.
    pub const fn group(self) -> &'static str {
        match self {
            Lane::Urgent => "urgent",
            Lane::Bulk => "bulk",
            Lane::Replay(_) => "replay",
        }
    }

    /// Whether it is a replay, and not one of [`Lane::LIVE`].
    pub const fn is_replay(self) -> bool {
        matches!(self, Lane::Replay(_))
    }
}

/// `urgent`, `bulk`, `replay-1`.
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.group())?;
        match self {
            Lane::Urgent | Lane::Bulk => Ok(()),
            Lane::Replay(number) => write!(f, "-{number}"),
        }
    }
}

/// This is no lane's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLane(String);

impl fmt::Display for UnknownLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no lane {:?}; lanes are \"urgent\", \"bulk\", and \"replay-1\" and so on", self.0)
    }
}

impl std::error::Error for UnknownLane {}

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(text: &str) -> Result<Self, UnknownLane> {
        let known = match text {
            "urgent" => Some(Lane::Urgent),
            "bulk" => Some(Lane::Bulk),
            // One spelling for each number.
            other => other
                .strip_prefix("replay-")
                .filter(|digits| !digits.starts_with(['0', '+']))
                .and_then(|digits| digits.parse().ok())
                .map(Lane::Replay),
        };
        known.ok_or_else(|| UnknownLane(text.to_owned()))
    }
}

impl From<Lane> for String {
    fn from(lane: Lane) -> String {
        lane.to_string()
    }
}

impl TryFrom<String> for Lane {
    type Error = UnknownLane;

    fn try_from(text: String) -> Result<Self, UnknownLane> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_read_as_it_is_written() {
        for lane in [Lane::Urgent, Lane::Bulk, Lane::Replay(1), Lane::Replay(40_000)] {
            assert_eq!(lane.to_string().parse(), Ok(lane));
            assert_eq!(Lane::from_code(lane.code()), lane);
        }
        assert_eq!(Lane::Replay(1).to_string(), "replay-1");
        for unknown in [
            "",
            "Urgent",
            "replay",
            "replay-",
            "replay-0",
            "replay-01",
            "replay-+1",
            "replay--1",
            "replay-99999999999",
        ] {
            assert!(unknown.parse::<Lane>().is_err(), "{unknown}");
        }
    }
}
