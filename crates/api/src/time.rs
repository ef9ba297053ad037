//! How the API writes a moment.

/// A moment as RFC 3339 in UTC with milliseconds, from milliseconds since the epoch.
pub fn rfc3339(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}
