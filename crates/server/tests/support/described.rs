//! Holds answers to the description of the API.

use http::StatusCode;

/// A line for each call: method, path, and the statuses that it may be answered with. That the description says so is a test of
/// its own.
const CALLS: &str = include_str!("../api/snapshots/server__api__description__statuses.snap");

/// Panics if the description does not know of such an answer. Paths and methods that there are not are no call.
#[track_caller]
pub(crate) fn assert_described(method: &str, path: &str, status: StatusCode) {
    let path = path.split('?').next().unwrap_or_default();
    // A path without places to fill in comes before one with them.
    let call = CALLS
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|words| words.len() > 2 && words[0] == method && fits(words[1], path))
        .min_by_key(|words| words[1].matches('{').count());
    if let Some(call) = call {
        assert!(
            call[2..].contains(&status.as_str()),
            "{method} {path} was answered {status}, and is described as {call:?}"
        );
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(part, given): (&&str, &&str)| part == given || (part.starts_with('{') && !given.is_empty());
    template.len() == path.len() && template.iter().zip(&path).all(fits)
}
