//! What a source counted since hitwire started.

use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// How far a source is. Counts are since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SourceStatus {
    /// `modsecurity:PATH`; also the key of its checkpoint.
    pub name: String,
    /// The file.
    pub path: String,
    /// Bytes of the file that are read and settled.
    pub position: u64,
    /// Records that were read and are settled: converted and committed, or counted below.
    pub records: u64,
    /// Hits that they became.
    pub hits: u64,
    /// Lines that are no records, or too long.
    pub errors: u64,
    /// What was wrong with one of the last of them, and where it is.
    pub last_error: Option<String>,
    /// Records that were not valid UTF-8; their bad bytes are shown as U+FFFD.
    pub lossy: u64,
    /// When the last record was committed, RFC 3339.
    pub last_record_at: Option<String>,
    /// Everything that was in the file when it was last looked at is committed.
    pub caught_up: bool,
    /// What keeps it from going on, in words.
    pub problem: Option<String>,
}

/// Holds a [`SourceStatus`] for whoever asks.
#[derive(Debug)]
pub struct SourceGauge(Mutex<SourceStatus>);

impl SourceGauge {
    /// Of a source with this name, that follows this file; nothing is counted yet.
    pub fn new(name: String, path: String) -> Self {
        SourceGauge(Mutex::new(SourceStatus { name, path, ..SourceStatus::default() }))
    }

    /// How far it is.
    pub fn status(&self) -> SourceStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what it says.
    pub fn update(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
