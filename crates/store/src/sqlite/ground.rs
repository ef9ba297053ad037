//! What every part of the store stands on.

use super::attempts::view::AttemptView;
use super::clock::Clock;
use super::files::DataDir;
use super::log::fingerprint::Fingerprinter;
use super::log::view::LogView;
use super::options::Options;
use super::state::view::StateView;
use crate::Counts;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// What every part of the store stands on.
#[derive(Clone)]
pub(super) struct Ground {
    pub options: Arc<Options>,
    pub clock: Arc<Clock>,
    pub directory: Arc<DataDir>,
    pub fingerprinter: Fingerprinter,
    pub log: Arc<LogView>,
    pub state: Arc<StateView>,
    pub attempts: Arc<AttemptView>,
    pub counts: Arc<Counts>,
    /// Files in use that were deleted or moved.
    pub missing: watch::Sender<Vec<PathBuf>>,
}
