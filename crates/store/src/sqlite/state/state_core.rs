//! The state's writer, without its thread: groups of ops in, answers out.

use super::context::{Context, Trouble};
use super::work::{Answer, Job, Work};
use super::{file, log_memory, running};
use crate::sqlite::attempts::view::Task;
use crate::sqlite::files;
use crate::sqlite::ground::Ground;
use crate::sqlite::ledger::{lanes, replays, retire};
use crate::sqlite::log::keeping::{Notice, WalGrowth};
use crate::sqlite::options::FaultPoint;
use crate::sqlite::outbox;
use crate::sqlite::registry::{access, accounts, activity, authority, integrations, tokens};
use crate::sqlite::schema::{self, STATE_PAGE_BYTES};
use crate::sqlite::seal::Sealer;
use crate::sqlite::wal::{Checkpoint, checkpoint};
use crate::{Done, Op, StoreError};
use hitwire_courier::LostReason;
use hitwire_event::IntegrationId;
use rusqlite::Connection;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long ops are refused after a failure before the file is opened again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is to be said once the transaction is durable.
#[derive(Default)]
struct Effects {
    moved: Vec<IntegrationId>,
    wipe: bool,
    /// The number of the last event put into the outbox.
    announced: Option<u64>,
    /// What integrations lose.
    lost: Vec<(LostReason, u64)>,
    /// What the delivery log is told.
    tasks: Vec<Task>,
}

/// The state's writer.
pub(in crate::sqlite) struct StateCore {
    ground: Ground,
    sealer: Sealer,
    connection: Option<Connection>,
    /// The connection of a failed writer, kept until a copy is made (see [`file::replace`]).
    broken: Option<Connection>,
    failure: Option<(Duration, String)>,
    /// Whether commits are synced at the moment.
    synced: bool,
    /// A job that did not fit into the last group.
    held_over: Option<Job>,
    wal_growth: WalGrowth,
}

impl StateCore {
    /// The writer of an open file.
    pub(in crate::sqlite) fn new(
        ground: Ground,
        sealer: Sealer,
        connection: Connection,
        to_keeper: Sender<Notice>,
    ) -> Self {
        StateCore {
            wal_growth: WalGrowth::new(to_keeper, ground.options.wal_bytes_to_move()),
            ground,
            sealer,
            connection: Some(connection),
            broken: None,
            failure: None,
            synced: false,
            held_over: None,
        }
    }

    /// A job that did not fit into the last group, and begins the next one.
    pub(in crate::sqlite) fn held_over(&mut self) -> Option<Job> {
        self.held_over.take()
    }

    /// Carries out a group of jobs in one transaction, and answers them: `first`, and what `next` gives until it ends.
    /// What must be synced does not share a transaction with what need not.
    pub(in crate::sqlite) fn group(&mut self, first: Job, next: &mut dyn FnMut() -> Option<Job>) {
        if let Err(error) = self.be_ready() {
            answer(first.reply, Err(error));
            return;
        }
        let state = Arc::clone(&self.ground.state);
        let _inside = state.writer.enter();
        let began = Instant::now();
        let synced = first.work.must_be_synced();
        let mut effects = Effects::default();
        let mut answered = Vec::new();
        let mut job = Some(first);
        let mut result = self.begin(synced);
        while let Some(Job { work, reply }) = job.take() {
            if result.is_err() {
                answered.push((reply, None));
                break;
            }
            match self.carry_out(&work, &mut effects) {
                Ok(done) => answered.push((reply, Some(Ok(done)))),
                Err(Trouble::Store(error)) => answered.push((reply, Some(Err(error)))),
                Err(Trouble::Sql(error)) => {
                    answered.push((reply, None));
                    result = Err(error);
                    break;
                }
            }
            job = next();
            if job.as_ref().is_some_and(|job| job.work.must_be_synced() != synced) {
                self.held_over = job.take();
            }
        }
        match result.map_err(|error| error.to_string()).and_then(|()| self.commit()) {
            Ok(()) => {
                self.ground.counts.state_committed(began.elapsed());
                for (reason, events) in effects.lost {
                    self.ground.counts.lost(reason, events);
                }
                // Whoever is answered finds his attempts.
                self.ground.attempts.put(effects.tasks);
                if !effects.moved.is_empty() {
                    self.ground.state.announce(effects.moved);
                }
                if effects.wipe {
                    self.ground.state.ask_to_wipe();
                }
                if let Some(number) = effects.announced {
                    self.ground.state.announced(number);
                }
                for (reply, result) in answered {
                    answer(reply, result.unwrap_or(Err(StoreError::Closed)));
                }
                self.watch_wal();
            }
            Err(error) => {
                self.fail(&error);
                for (reply, _) in answered {
                    answer(reply, Err(StoreError::Unavailable(error.clone())));
                }
            }
        }
    }

    /// Carries out one piece of work by itself.
    pub(in crate::sqlite) fn now(&mut self, work: Work) -> Result<Answer, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        self.group(Job { work, reply }, &mut || None);
        answer.try_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Ends the writer: how long it ran is noted, and what the WAL holds goes into the file.
    pub(in crate::sqlite) fn close(&mut self) {
        if self.connection.is_some()
            && !self.ground.state.is_poisoned()
            && let Err(error) = self.now(Work::Ran)
        {
            tracing::warn!(%error, "the time since the last minute's note does not count for the age of events");
        }
        let Some(connection) = self.connection.take() else { return };
        if self.ground.state.is_poisoned() {
            return;
        }
        if let Some(slice) = self.ground.log.catalog.all().last() {
            let mark = log_memory::LogMark { slice: slice.first, end: self.ground.log.head() };
            if log_memory::put_mark(&connection, mark).is_err() {
                tracing::warn!("how far the log is could not be remembered; the next start looks for itself");
            }
        }
        // Nobody settles anything any more: what is queued is all that will be given.
        if file::note_attempts(&connection, self.ground.attempts.last_queued()).is_err() {
            tracing::warn!(
                "the last number of an attempt could not be noted; the next start leaves some out"
            );
        }
        if let Err(error) = checkpoint(&connection, Checkpoint::Cut) {
            tracing::warn!(%error, "the state's WAL stays as it is; it is read at the next start");
        }
    }

    /// Sees to it that there is a file to write to.
    fn be_ready(&mut self) -> Result<(), StoreError> {
        let now = self.ground.clock.elapsed();
        if let Some((at, why)) = &self.failure
            && now.saturating_sub(*at) < RETRY_AFTER
        {
            return Err(StoreError::Unavailable(why.clone()));
        }
        // What is not on record must not be sent: a step that would be written to a file that is gone is refused.
        files::must_be_there(self.ground.state.path())?;
        if self.ground.state.is_poisoned() && self.connection.is_some() {
            self.broken = self.connection.take();
        }
        if self.connection.is_some() {
            return Ok(());
        }
        let replaced = file::replace(&self.ground, &mut self.broken);
        let connection = replaced.inspect_err(|error| self.failure = Some((now, error.to_string())))?;
        self.connection = Some(connection);
        self.failure = None;
        self.synced = false;
        tracing::info!("the state goes on in a copy of its file");
        Ok(())
    }

    fn begin(&mut self, synced: bool) -> rusqlite::Result<()> {
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        if self.synced != synced {
            connection.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
            self.synced = synced;
        }
        run(connection, "BEGIN IMMEDIATE")
    }

    fn commit(&mut self) -> Result<(), String> {
        if self.ground.options.fails_at(FaultPoint::StateBeforeCommit) {
            return Err("injected fault before a commit".to_owned());
        }
        let connection = self.connection.as_ref().ok_or_else(|| "the state is not open".to_owned())?;
        run(connection, "COMMIT").map_err(|error| error.to_string())?;
        if self.synced && self.ground.state.is_poisoned_after_moving() {
            return Err("a sync of the file failed meanwhile".to_owned());
        }
        Ok(())
    }

    /// Carries out one job within a savepoint.
    fn carry_out(&mut self, work: &Work, effects: &mut Effects) -> Result<Answer, Trouble> {
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        if let Work::Mark { mark, .. } = work {
            return log_memory::put_mark(connection, *mark).map(|()| Answer::Marked);
        }
        let context = Context {
            connection,
            sealer: &self.sealer,
            view: &self.ground.log,
            now_ms: self.ground.clock.now_ms(),
            tasks: RefCell::default(),
            lost: RefCell::default(),
        };
        let mut of_job = Effects::default();
        run(connection, "SAVEPOINT caller")?;
        let result = match work {
            Work::Ops(ops) => {
                let done = ops.iter().map(|op| carry_out_op(&context, op, &mut of_job));
                done.collect::<Result<_, _>>().map(Answer::Done)
            }
            Work::Retire(retire) => retire::retire(&context, retire).map(|(retired, moved)| {
                of_job.moved.extend(moved);
                Answer::Retired(retired)
            }),
            Work::Ran => running::note(connection, self.ground.clock.ran(), context.head())
                .and_then(|()| Ok(file::note_attempts(connection, self.ground.attempts.may_be_given())?))
                .map(|()| Answer::Noted),
            Work::Mark { .. } => Ok(Answer::Marked),
        };
        match result {
            Ok(answer) => {
                run(connection, "RELEASE caller")?;
                effects.tasks.extend(context.tasks.take());
                effects.lost.extend(context.lost.take());
                effects.moved.extend(of_job.moved);
                effects.wipe |= of_job.wipe;
                effects.announced = effects.announced.max(of_job.announced);
                Ok(answer)
            }
            Err(trouble) if trouble.concerns_the_file() => Err(trouble),
            Err(trouble) => {
                run(connection, "ROLLBACK TO caller")?;
                run(connection, "RELEASE caller")?;
                Err(Trouble::Store(match trouble {
                    Trouble::Store(error) => error,
                    Trouble::Sql(error) => schema::damaged(self.ground.state.path(), &error),
                }))
            }
        }
    }

    /// Tells the keeper when the WAL has grown.
    fn watch_wal(&mut self) {
        let Some(connection) = &self.connection else { return };
        match checkpoint(connection, Checkpoint::Look) {
            Ok(content) => self.wal_growth.reached(content.bytes(STATE_PAGE_BYTES)),
            Err(error) => tracing::debug!(%error, "how large the state's WAL is cannot be told"),
        }
    }

    /// Gives the file up: nothing of the group counts, and a copy takes its place.
    fn fail(&mut self, error: &str) {
        tracing::error!(error, "the state cannot be written; its file will be replaced by a copy");
        self.ground.counts.state_failed();
        self.ground.state.poison();
        self.broken = self.connection.take().or(self.broken.take());
        // An open transaction would keep the copy waiting.
        if let Some(broken) = &self.broken
            && !broken.is_autocommit()
            && let Err(error) = broken.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "the failed transaction cannot be rolled back");
        }
        self.failure = Some((self.ground.clock.elapsed(), error.to_owned()));
    }
}

fn carry_out_op(context: &Context<'_>, op: &Op, effects: &mut Effects) -> Result<Done, Trouble> {
    let connection = context.connection;
    match op {
        Op::Append(_) => {
            Err(StoreError::Unavailable("an append does not belong to the state".to_owned()).into())
        }
        Op::Require(wanted) => authority::require(context, wanted).map(|()| Done::Kept),
        Op::CreateIntegration(new) => Ok(Done::Integration(Box::new(integrations::create(context, new)?))),
        Op::UpdateIntegration(change) => {
            let (integration, moved) = integrations::update(context, change)?;
            if moved {
                effects.moved.push(integration.id);
            }
            effects.wipe = true;
            Ok(Done::Integration(Box::new(integration)))
        }
        Op::DeleteIntegration { id, revision } => {
            if let Some(revision) = revision {
                let found = integrations::revision(connection, *id)?.ok_or(StoreError::NotFound)?;
                if found != *revision {
                    return Err(StoreError::Conflict.into());
                }
            }
            effects.wipe = true;
            Ok(Done::Deleted(integrations::delete(context, *id)?))
        }
        Op::LoadCourier(id) => Ok(Done::Courier(lanes::draw(connection, *id)?.map(Box::new))),
        Op::Save(token, progress) => lanes::save(context, *token, progress).map(|()| Done::Saved),
        Op::BeginReplay(new) => {
            effects.moved.push(new.integration);
            replays::begin(context, new).map(Done::Replay)
        }
        Op::SteerReplay(steer) => {
            effects.moved.push(steer.integration);
            replays::steer(context, steer).map(|()| Done::Kept)
        }
        Op::NextId(sequence) => accounts::next_id(connection, *sequence).map(Done::Id),
        Op::PutClient(client) => accounts::put_client(connection, client).map(|()| Done::Kept),
        Op::DeleteClient { id } => accounts::delete_client(connection, *id).map(Done::Deleted),
        Op::PutUser(user) => accounts::put_user(connection, user).map(|()| Done::Kept),
        Op::DeleteUser { id } => accounts::delete_user(connection, *id).map(Done::Deleted),
        Op::PutCredential(credential) => {
            access::put_credential(connection, context.sealer, credential).map(|()| Done::Kept)
        }
        Op::SameCredential { user, revision } => {
            access::same_credential(connection, *user, *revision).map(|()| Done::Kept)
        }
        Op::PutSession(session) => access::put_session(connection, session).map(|()| Done::Kept),
        Op::DeleteSession { sha256 } => access::delete_session(connection, sha256).map(Done::Deleted),
        Op::DeleteSessions { user, but } => {
            access::delete_sessions(connection, *user, *but).map(Done::Deleted)
        }
        Op::SessionsUsed(used) => access::used(connection, used).map(|()| Done::Kept),
        Op::DeleteExpired { created_before, used_before, now } => {
            access::delete_expired(connection, *created_before, *used_before, *now).map(Done::Deleted)
        }
        Op::PutLink(link) => access::put_link(connection, link).map(|()| Done::Kept),
        Op::RedeemLink { sha256 } => access::redeem_link(connection, sha256).map(|()| Done::Kept),
        Op::PutToken(token) => tokens::put(connection, token).map(|()| Done::Kept),
        Op::DeleteToken { id } => tokens::delete(connection, *id).map(Done::Deleted),
        Op::TokensUsed(used) => tokens::used(connection, used).map(|()| Done::Kept),
        Op::PutApplication(application) => {
            accounts::put_application(connection, application).map(|()| Done::Kept)
        }
        Op::DeleteApplication { client, id } => {
            accounts::delete_application(connection, *client, *id).map(Done::Deleted)
        }
        Op::Remember { name, text } => accounts::remember(connection, name, text).map(|()| Done::Kept),
        Op::Record(entry) => activity::record(context, entry).map(|()| Done::Kept),
        Op::Announce(event) => {
            effects.announced = Some(outbox::put(connection, event)?);
            Ok(Done::Kept)
        }
        Op::Announced { through } => outbox::taken(connection, *through).map(|()| Done::Kept),
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn answer(reply: oneshot::Sender<Result<Answer, StoreError>>, result: Result<Answer, StoreError>) {
    // A caller that no longer waits needs no answer; what it asked for is done all the same.
    let _ = reply.send(result);
}
