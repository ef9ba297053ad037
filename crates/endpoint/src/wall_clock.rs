//! The wall clock for TLS.

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's wall clock. Before 1970 it reads as 1970, where the library's own would panic; certificates are not valid yet
/// then, which is what people are told.
#[derive(Clone, Copy, Debug)]
pub struct WallClock;

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}
