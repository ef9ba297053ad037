//! Opens the files of a data directory, and makes what works on them.

use super::attempts::attempt_core::AttemptCore;
use super::attempts::view::AttemptView;
use super::clock::Clock;
use super::files::DataDir;
use super::ground::Ground;
use super::keeper::Keeper;
use super::ledger::lanes;
use super::log::keeping::{Keeping, Notice};
use super::log::log_core::LogCore;
use super::log::recovery::{self, KnownOfLog};
use super::options::Options;
use super::registry::integrations;
use super::seal::Sealer;
use super::state::context::Trouble;
use super::state::state_core::StateCore;
use super::state::view::StateView;
use super::state::{file, log_memory, running};
use super::{rotate, schema};
use crate::{Counts, StoreError};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

/// What the writers and the keeper are made of.
pub(super) struct Cores {
    pub log: LogCore,
    pub state: StateCore,
    pub attempts: AttemptCore,
    pub keeper: Keeper,
    pub notices: Receiver<Notice>,
    pub to_keeper: Sender<Notice>,
}

/// A store whose writers do not run yet.
pub(super) struct Opened {
    pub ground: Ground,
    pub sealer: Sealer,
    pub cores: Cores,
}

/// Opens the files, and makes the parts that work on them.
pub(super) fn open(options: Options) -> Result<Opened, StoreError> {
    let options = Arc::new(options);
    let directory = Arc::new(DataDir::open(&options.data_dir)?);

    file::prepare(&directory)?;
    rotate::settle(&directory)?;
    let state_path = directory.state();
    let sealer = match &options.secret_key {
        Some(key) => Sealer::new(key),
        None => Sealer::from_file(&directory, file::is_sealed(&state_path)?)?,
    };
    let connection = file::open(&state_path, &sealer)?;
    let damaged = |error: Trouble| match error {
        Trouble::Sql(error) => schema::damaged(&state_path, &error),
        Trouble::Store(error) => error,
    };
    let known = KnownOfLog {
        settled_to: lanes::settled_to(&connection).map_err(damaged)?,
        memory: log_memory::load(&connection).map_err(damaged)?,
    };
    let ran_before = running::before(&connection).map_err(|error| damaged(error.into()))?;
    let clock = Arc::new(Clock::new(&options, ran_before));

    let fingerprinter = file::fingerprinter(&connection).map_err(damaged)?;
    let counts: Arc<Counts> = Arc::default();
    let recovered = recovery::open(&directory, &options, &counts, &clock, fingerprinter, known)?;
    running::forget_after(&connection, recovered.view.head()).map_err(|error| damaged(error.into()))?;
    let noted = file::attempts_noted(&connection).map_err(|error| damaged(error.into()))?;
    let attempts = Arc::new(AttemptView::new(directory.attempts(), noted, Arc::clone(&counts)));
    file::remember(&connection, &recovered.memory, attempts.may_be_given()).map_err(damaged)?;
    let known = integrations::ids(&connection, None).map_err(damaged)?;
    let attempt_core =
        AttemptCore::new(Arc::clone(&attempts), Arc::clone(&clock), noted, known.into_iter().collect());
    let ground = Ground {
        options,
        clock,
        directory,
        fingerprinter,
        log: recovered.view,
        state: Arc::new(StateView::new(state_path)),
        attempts,
        counts,
        missing: watch::Sender::default(),
    };
    let (keeping, to_keeper, notices) = Keeping::new();
    let cores = Cores {
        log: LogCore::new(ground.clone(), keeping, recovered.dedup, recovered.writer),
        state: StateCore::new(ground.clone(), sealer.clone(), connection, to_keeper.clone()),
        attempts: attempt_core,
        keeper: Keeper::new(ground.clone()),
        notices,
        to_keeper,
    };
    Ok(Opened { ground, sealer, cores })
}
