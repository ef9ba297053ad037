//! Looks whether a data directory is whole, and changes nothing. A server may run on it meanwhile: slices that retention drops,
//! the keeper packs or the writer ends while they are looked at are looked at again.

use super::files::{self, SliceFile};
use super::ledger::lanes;
use super::log::block::{self, Directory};
use super::log::damage::name;
use super::log::fingerprint::{Extent, Fingerprinter, Fingerprints};
use super::log::slice_reader::{firsts_newest_first, open_block};
use super::registry::{access, integrations};
use super::schema::{self, Access, Kind};
use super::seal::Sealer;
use super::state::context::Trouble;
use super::state::file;
use super::state::log_memory::{self, LogMemory};
use crate::{StoreError, UserId};
use hitwire_event::{IntegrationId, Lane};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Findings of one file that are listed; of more only their number is told.
const OF_EACH_MAX: usize = 100;

/// How often slices that vanished or ended while they were looked at are looked at again.
const TRIES_MAX: usize = 100;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Slices of the log.
    pub slices: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Events in them.
    pub events: u64,
    /// The first position that the log should hold; 0: there is no log yet.
    pub first: u64,
    /// The last position that it holds.
    pub last: u64,
    /// Integrations in the state.
    pub integrations: u64,
    /// Whether sealed secrets were opened: without the key they cannot be.
    pub secrets_opened: bool,
    /// What is wrong; empty: nothing is.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file's name.
    pub file: String,
    /// What is wrong with it, in words.
    pub problem: String,
}

/// Looks at a data directory. `key`: what secrets are sealed with; none: what the directory's own file says, if there is one.
///
/// # Errors
///
/// When there is nothing to look at.
pub fn verify(directory: &Path, key: Option<[u8; 32]>) -> Result<Verification, StoreError> {
    let unreadable = |error: std::io::Error| StoreError::Open(format!("{}: {error}", directory.display()));
    let state_path = files::state_file(directory);
    if !state_path.exists() && files::slices_in(directory).map_err(unreadable)?.is_empty() {
        return Err(StoreError::Open(format!(
            "{}: this is no data directory of hitwire",
            directory.display()
        )));
    }
    let sealer = match &key {
        Some(key) => Some(Sealer::new(key)),
        None => Sealer::in_file(&files::key_file(directory))?,
    };
    let (found, memory) = (Verification::default(), LogMemory::default());
    let mut verifier = Verifier { directory, sealer, found, memory, fingerprinter: None, end: 0 };
    // The state first: the log only grows meanwhile, so that no cursor can seem to lie behind its end.
    let reached = verifier.state(&state_path);
    verifier.log().map_err(unreadable)?;
    verifier.reached(&reached);
    verifier.attempts();
    Ok(verifier.found)
}

struct Verifier<'a> {
    directory: &'a Path,
    sealer: Option<Sealer>,
    found: Verification,
    memory: LogMemory,
    fingerprinter: Option<Fingerprinter>,
    /// Where the log goes on is behind this position: its last one, or what a new slice began behind.
    end: u64,
}

/// How far a lane says that it has come.
struct Reached {
    integration: IntegrationId,
    lane: Lane,
    through: u64,
}

impl Verifier<'_> {
    fn say(&mut self, path: &Path, problem: impl Into<String>) {
        let file = name(path).to_owned();
        let so_far = self.found.findings.iter().filter(|finding| finding.file == file).count();
        match so_far.cmp(&OF_EACH_MAX) {
            std::cmp::Ordering::Less => {
                self.found.findings.push(Finding { file, problem: problem.into() });
            }
            std::cmp::Ordering::Equal => {
                let problem = "there is more that is wrong with this file".to_owned();
                self.found.findings.push(Finding { file, problem });
            }
            std::cmp::Ordering::Greater => {}
        }
    }

    /// What SQLite itself finds.
    fn integrity(&mut self, path: &Path, connection: &Connection) {
        let mut said = Vec::new();
        let result = connection.pragma_query(None, "integrity_check", |row| {
            said.push(row.get::<_, String>(0)?);
            Ok(())
        });
        if let Err(error) = result {
            said.push(error.to_string());
        }
        for problem in said.iter().filter(|said| *said != "ok") {
            self.say(path, format!("SQLite finds: {}", problem.lines().next().unwrap_or_default()));
        }
    }

    fn state(&mut self, path: &Path) -> Vec<Reached> {
        if !path.exists() {
            self.say(path, "it is missing");
            return Vec::new();
        }
        let connection = match schema::try_open(path, Kind::State, Access::Read) {
            Ok(connection) => connection,
            Err(error) => {
                self.say(path, format!("it cannot be opened: {}", error.of(path)));
                return Vec::new();
            }
        };
        self.integrity(path, &connection);
        match log_memory::load(&connection) {
            Ok(memory) => self.memory = memory,
            Err(trouble) => self.say(path, in_words(trouble)),
        }
        match file::kept_fingerprinter(&connection) {
            Ok(kept) => self.fingerprinter = kept,
            Err(error) => self.say(path, in_words(error.into())),
        }
        if let Err(trouble) = self.secrets(path, &connection) {
            self.say(path, in_words(trouble));
        }
        self.lanes(path, &connection).unwrap_or_else(|trouble| {
            self.say(path, in_words(trouble));
            Vec::new()
        })
    }

    /// The delivery log: nothing depends on it.
    fn attempts(&mut self) {
        let path = files::attempts_file(self.directory);
        if !path.exists() {
            return;
        }
        match schema::try_open(&path, Kind::Attempts, Access::Read) {
            Ok(connection) => self.integrity(&path, &connection),
            Err(error) => {
                let problem = format!(
                    "it cannot be opened: {}; hitwire sets it aside and begins a new one",
                    error.of(&path)
                );
                self.say(&path, problem);
            }
        }
    }

    /// Whether every sealed value opens.
    fn secrets(&mut self, path: &Path, connection: &Connection) -> Result<(), Trouble> {
        let Some(sealer) = self.sealer.clone() else { return Ok(()) };
        if !file::key_fits(connection, path, &sealer)? {
            self.say(path, "the secrets in it were sealed with another key than the one that was given");
            return Ok(());
        }
        self.found.secrets_opened = true;
        for broken in integrations::broken(connection, &sealer, None)? {
            self.say(path, broken.why);
        }
        let mut statement = connection.prepare("SELECT user FROM credential ORDER BY user")?;
        let users: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for user in users {
            if let Err(trouble) = access::credential(connection, &sealer, UserId(user as u64)) {
                self.say(path, in_words(trouble));
            }
        }
        Ok(())
    }

    /// How far each lane has come; and whether its open batches lie behind its cursor, in order.
    fn lanes(&mut self, path: &Path, connection: &Connection) -> Result<Vec<Reached>, Trouble> {
        let mut statement = connection.prepare("SELECT id FROM integration ORDER BY id")?;
        let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        self.found.integrations = ids.len() as u64;
        let mut reached = Vec::new();
        for id in ids {
            let integration = IntegrationId(id as u64);
            let saved = match lanes::load(connection, integration) {
                Ok(Some(saved)) => saved,
                Ok(None) => {
                    self.say(path, format!("integration {integration} has no lanes"));
                    continue;
                }
                Err(trouble) => {
                    self.say(path, format!("the lanes of integration {integration}: {}", in_words(trouble)));
                    continue;
                }
            };
            for (lane, state) in saved.lanes {
                let mut after = state.cursor;
                for open in state.open.iter().map(|open| &open.batch) {
                    if open.first <= after || open.last < open.first || open.through < open.last {
                        let problem =
                            format!("integration {integration}, lane {lane}: an open batch is out of order");
                        self.say(path, problem);
                    }
                    after = open.through.max(after);
                }
                reached.push(Reached { integration, lane, through: after.0 });
            }
        }
        Ok(reached)
    }

    fn reached(&mut self, reached: &[Reached]) {
        let path = files::state_file(self.directory);
        let last = self.end;
        for Reached { integration, lane, through } in reached.iter().filter(|reached| reached.through > last)
        {
            let problem = format!(
                "integration {integration}, lane {lane} has come to position {through}, and the log ends at {last}"
            );
            self.say(&path, problem);
        }
    }

    fn log(&mut self) -> std::io::Result<()> {
        let mut expected = self.memory.begins;
        self.found.first = expected.unwrap_or(0);
        let (mut from, mut tries) = (0, 0);
        while let Some(slice) = files::slice_from(self.directory, from)? {
            let before = self.found.clone();
            // A retention that drops the oldest slice meanwhile moves the beginning.
            if expected.is_none() || (self.found.slices == 0 && self.begins_now() == Some(slice.first)) {
                (expected, self.found.first) = (Some(slice.first), slice.first);
            }
            let next = files::slice_from(self.directory, slice.first + 1)?;
            let last = self.slice(&slice, next.as_ref());
            let gone = !slice.path.exists();
            let may_have_grown =
                next.is_none() && files::slice_from(self.directory, slice.first + 1)?.is_some();
            if (gone || may_have_grown) && tries < TRIES_MAX {
                // What was found of it does not count: it was packed or dropped meanwhile; or it was the newest one, and
                // blocks may have come into it between the look at it and the beginning of the next.
                self.found = before;
                tries += 1;
                continue;
            }
            self.found.slices += 1;
            if let Some(expected) = expected
                && slice.first > expected
            {
                self.gap(&slice.path, expected, slice.first - 1);
            }
            if let Some(last) = last {
                self.found.last = self.found.last.max(last);
            }
            self.end = self.found.last.max(slice.first - 1);
            expected = Some(last.map_or(slice.first, |last| last + 1).max(slice.first));
            from = slice.first + 1;
        }
        if let Some(mark) = self.memory.mark
            && mark.end > self.end
        {
            let path = self.directory.join("log");
            let problem = format!("it ended at position {} once, and ends at {} now", mark.end, self.end);
            self.say(&path, problem);
        }
        Ok(())
    }

    fn begins_now(&self) -> Option<u64> {
        let connection = schema::open(&files::state_file(self.directory), Kind::State, Access::Read).ok()?;
        log_memory::load(&connection).ok()?.begins
    }

    /// Positions that no slice holds, unless no event ever had them.
    fn gap(&mut self, before: &Path, first: u64, last: u64) {
        let mut first = first;
        for (from, to) in self.memory.unused.clone() {
            if from <= first && first <= to {
                first = to + 1;
            } else if first < from && from <= last && last <= to {
                return self.gap(before, first, from - 1);
            }
        }
        if first <= last {
            self.say(before, format!("before it, the positions {first} to {last} are missing"));
        }
    }

    /// Looks at a slice. Its last position that counts; none: it holds nothing.
    fn slice(&mut self, slice: &SliceFile, next: Option<&SliceFile>) -> Option<u64> {
        let path = &slice.path;
        let connection = match schema::try_open(path, Kind::Log, Access::Read) {
            Ok(connection) => connection,
            Err(error) => {
                self.say(path, format!("it cannot be opened: {}", error.of(path)));
                return None;
            }
        };
        self.integrity(path, &connection);
        let given_up = files::given_up_after(path).ok().flatten().unwrap_or(u64::MAX);
        // SQLite's numbers have a sign.
        let cut = next.map_or(i64::MAX as u64, |next| next.first - 1).min(given_up);
        let mut firsts = match firsts_newest_first(&connection, slice.first, cut) {
            Ok(firsts) => firsts,
            Err(error) => {
                self.say(path, format!("its blocks cannot be listed: {error}"));
                return None;
            }
        };
        let mut next_position = slice.first;
        let mut directories = BTreeMap::new();
        while let Some(first) = firsts.pop() {
            if first > next_position {
                self.say(path, format!("the positions {next_position} to {} are missing", first - 1));
            }
            match self.block(path, &connection, first, cut) {
                Ok((last, directory)) => {
                    next_position = last + 1;
                    directories.insert(first, (last, directory));
                }
                Err(problem) => {
                    self.say(path, problem);
                    next_position = firsts.last().copied().unwrap_or(first + 1);
                }
            }
        }
        if let Err(problem) = self.spans(path, &connection, &directories) {
            self.say(path, problem);
        }
        let through = next_position - 1;
        (through >= slice.first).then_some(through.min(cut))
    }

    /// Looks at a block: its last position, and what it holds.
    fn block(
        &mut self,
        path: &Path,
        connection: &Connection,
        first: u64,
        cut: u64,
    ) -> Result<(u64, Directory), String> {
        let opened = open_block(connection, first).map_err(|error| error.to_string())?;
        let events = opened.events().map_err(|error| error.to_string())?;
        let mut directory = Directory::default();
        for event in &events {
            directory.add(
                event.client.0,
                event.kind,
                block::StreamSum { events: 1, bytes: event.body.len() as u64, oldest_ms: event.appended_ms },
            );
        }
        let times = || events.iter().map(|event| event.appended_ms);
        let (oldest_ms, newest_ms) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let described = block::described(&directory, first, events.len() as u32, oldest_ms, newest_ms);
        let (stored, stored_ids): (Vec<u8>, Vec<u8>) = connection
            .prepare_cached("SELECT streams, ids FROM block WHERE first = ?1")
            .and_then(|mut statement| {
                statement.query_row([first as i64], |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .map_err(|error| format!("the block at position {first}: {error}"))?;
        if stored != described {
            self.say(path, format!("the directory of the block at position {first} is damaged"));
        }
        if let Some(fingerprinter) = &self.fingerprinter {
            let mut ids = Fingerprints::default();
            for event in &events {
                if let Some(fingerprint) = fingerprinter.of_placed(event) {
                    ids.push(fingerprint, event.flags);
                }
            }
            let extent = Extent { first, events: events.len() as u32, newest_ms };
            if stored_ids != ids.seal(fingerprinter, extent) {
                let problem = format!(
                    "the ids beside the block at position {first} are damaged; a start reads its events instead"
                );
                self.say(path, problem);
            }
        }
        self.found.blocks += 1;
        self.found.events += events.iter().filter(|event| event.seq <= cut).count() as u64;
        Ok((first + (events.len() as u64).max(1) - 1, directory))
    }

    /// Whether the spans say the same as the blocks.
    fn spans(
        &mut self,
        path: &Path,
        connection: &Connection,
        blocks: &BTreeMap<u64, (u64, Directory)>,
    ) -> Result<(), String> {
        let failed = |error: rusqlite::Error| format!("its spans cannot be read: {error}");
        let mut statement =
            connection.prepare("SELECT first, last FROM span ORDER BY first").map_err(failed)?;
        let mut spans: Vec<(i64, i64)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failed)?;
        let mut statement = connection
            .prepare("SELECT first, client, kind, events, bytes, oldest_ms FROM span_stream ORDER BY client, kind, first")
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut stored: BTreeMap<u64, Directory> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let number = |column| row.get::<_, i64>(column).map(|number| number as u64).map_err(failed);
            let sum = block::StreamSum { events: number(3)?, bytes: number(4)?, oldest_ms: number(5)? };
            let kind = row.get(2).map_err(failed)?;
            stored.entry(number(0)?).or_default().add(number(1)?, kind, sum);
        }
        // A server may have written blocks, and a span over them, since the blocks were listed.
        let listed_to = blocks.values().next_back().map_or(0, |(last, _)| *last);
        spans.retain(|(_, last)| *last as u64 <= listed_to);
        let ends = spans.last().map_or(0, |(_, last)| *last as u64);
        for (first, last) in spans.into_iter().map(|(first, last)| (first as u64, last as u64)) {
            let mut sum = Directory::default();
            for (_, directory) in blocks.range(first..=last).map(|(_, block)| block) {
                sum.add_all(directory);
            }
            if stored.remove(&first).unwrap_or_default() != sum {
                self.say(
                    path,
                    format!("what it says of the positions {first} to {last} is not what it holds there"),
                );
            }
        }
        for (first, _) in stored.into_iter().filter(|(first, _)| *first <= ends) {
            self.say(path, format!("it speaks of a span at position {first} that is not there"));
        }
        Ok(())
    }
}

fn in_words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Sql(error) => format!("a row cannot be read: {error}"),
        Trouble::Store(error) => error.to_string(),
    }
}
