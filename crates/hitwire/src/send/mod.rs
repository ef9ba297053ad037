//! `hitwire send`: events that are already JSON, into a running server.
//!
//! The cast:
//!
//! - [`items`]: the file, item by item, on a thread of its own, since reading may block.
//! - [`batch`]: what goes into one call.
//! - [`progress`]: how far it is, on a terminal.
//!
//! A pipe that is slow is not waited for: what is there is sent after a moment.

mod batch;
mod items;
mod progress;

use crate::api::{ApiError, FieldError};
use crate::failure::Failure;
use crate::output::{Output, print};
use crate::remote::Remote;
use crate::terminal;
use crate::units;
use crate::upload::{Taken, Uploader};
use batch::{Batch, LINGER};
use clap::ValueEnum;
use hitwire_event::ingest::ITEMS_MAX;
use items::{Item, Items, ItemsError};
use progress::Progress;
use serde_json::json;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Items that were read and wait to be sent.
const READ_AHEAD: usize = 64;

/// Skipped items are named one by one up to this many.
const SKIPPED_NAMED_MAX: u64 = 20;

/// What `hitwire send` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// What to do with an item that the server does not take
    #[arg(long, value_enum, value_name = "DO", default_value_t = Invalid::Stop)]
    invalid: Invalid,

    /// At most so many events in one call
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=ITEMS_MAX as u64))]
    batch: u64,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    remote: Remote,
}

/// What becomes of an item that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Invalid {
    /// Stop at the first one and say where it is
    Stop,
    /// Leave it out, say where it is, and go on
    Skip,
}

/// Sends the file.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.remote.client()?;
    let (input, bytes) = open(&args.file)?;
    let mut items = read_on_a_thread(input);
    let skip = args.invalid == Invalid::Skip;
    let path = if skip { "/v1/events?invalid=skip" } else { "/v1/events" };
    let mut sending = Sending {
        file: name(&args.file),
        uploader: Uploader::new(client, path),
        progress: Progress::new(bytes),
        skip,
        tally: Tally::default(),
    };
    let begun = Instant::now();
    let outcome = sending.all(&mut items, args.batch as usize).await;
    sending.progress.finish();
    outcome?;
    let Tally { accepted, duplicates, skipped } = sending.tally;
    if args.output.is_json() {
        return print(
            &json!({"accepted": accepted, "duplicates": duplicates, "skipped": skipped}).to_string(),
        );
    }
    print(&format!("{} in {}", sending.tally.in_words(), units::short(begun.elapsed())))
}

fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// The file, and its size where it has one.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let unreadable = |error: io::Error| Failure::Usage(format!("cannot open {}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::Usage(format!("{} is a directory, not a file of events", path.display())));
    }
    Ok((Box::new(BufReader::with_capacity(1 << 18, file)), metadata.is_file().then_some(metadata.len())))
}

/// Not one of the runtime's threads: it may wait for a pipe for ever, and must not keep the process from ending.
fn read_on_a_thread(input: Box<dyn BufRead + Send>) -> mpsc::Receiver<Result<Item, ItemsError>> {
    let (read, items) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut source = Items::new(input);
        loop {
            let item = match source.next() {
                Ok(Some(item)) => Ok(item),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let last = item.is_err();
            if read.blocking_send(item).is_err() || last {
                return;
            }
        }
    });
    items
}

/// What became of the items so far.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    skipped: u64,
}

impl Tally {
    fn in_words(self) -> String {
        let mut words = format!("{} accepted", units::counted(self.accepted, "event"));
        if self.duplicates > 0 {
            let _ = write!(words, ", {} there before", units::count(self.duplicates));
        }
        if self.skipped > 0 {
            let _ = write!(words, ", {} skipped", units::count(self.skipped));
        }
        words
    }
}

struct Sending {
    file: String,
    uploader: Uploader,
    progress: Progress,
    skip: bool,
    tally: Tally,
}

impl Sending {
    async fn all(
        &mut self,
        items: &mut mpsc::Receiver<Result<Item, ItemsError>>,
        events_max: usize,
    ) -> Result<(), Failure> {
        let mut batch = Batch::new(events_max);
        loop {
            // With nothing in hand there is no hurry; else what is there leaves soon.
            let next = if batch.is_empty() {
                items.recv().await
            } else {
                let Ok(next) = timeout(LINGER, items.recv()).await else {
                    self.send(&mut batch).await?;
                    continue;
                };
                next
            };
            let item = match next {
                None => return self.send(&mut batch).await,
                Some(Ok(item)) => item,
                Some(Err(error)) => {
                    self.send(&mut batch).await?;
                    return Err(self.stopped(&error.to_string()));
                }
            };
            if let Err(error) = serde_json::from_slice::<&RawValue>(&item.text) {
                let problem = FieldError { index: None, pointer: String::new(), message: not_json(&error) };
                if !self.skip {
                    // What came before it is good: it is in the log when the message says where it stopped.
                    self.send(&mut batch).await?;
                }
                self.refused(item.line, &problem)?;
                continue;
            }
            if !batch.has_room_for(&item) {
                self.send(&mut batch).await?;
            }
            batch.add(&item);
        }
    }

    async fn send(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let (body, lines, end) = batch.take();
        let progress = &self.progress;
        match self.uploader.send(body, |notice| progress.say(&notice)).await {
            Ok(Taken { accepted, duplicates, rejected }) => {
                self.tally.accepted += accepted;
                self.tally.duplicates += duplicates;
                for error in &rejected {
                    self.refused(line_of(error, &lines), error)?;
                }
                self.progress.at(end, self.tally.accepted + self.tally.duplicates);
                Ok(())
            }
            Err(ApiError::Refused { errors, .. }) if !errors.is_empty() => {
                // Nothing of the batch was taken; the first one is what to mend first.
                let first = errors.iter().min_by_key(|error| error.index).unwrap_or(&errors[0]);
                let others = match errors.len() - 1 {
                    0 => String::new(),
                    more => format!(" ({} more in the same call)", units::count(more as u64)),
                };
                let begun = lines.first().copied().unwrap_or_default();
                Err(self.stopped(&format!(
                    "line {}: {}{others}; nothing from line {begun} on was taken",
                    line_of(first, &lines),
                    in_words(first)
                )))
            }
            Err(error) => Err(self.stopped(&error.to_string())),
        }
    }

    /// An item that is not taken: the end, or one less.
    fn refused(&mut self, line: u64, error: &FieldError) -> Result<(), Failure> {
        let place = format!("line {line}: {}", in_words(error));
        if !self.skip {
            return Err(self.stopped(&format!("{place}; nothing from this line on was taken")));
        }
        self.tally.skipped += 1;
        if self.tally.skipped <= SKIPPED_NAMED_MAX {
            self.progress.say(&format!("skipped: {}: {}", self.file, terminal::safe(&place)));
        } else if self.tally.skipped == SKIPPED_NAMED_MAX + 1 {
            self.progress.say("skipped: more, which are counted only");
        }
        Ok(())
    }

    fn stopped(&self, why: &str) -> Failure {
        let before = match self.tally.accepted + self.tally.duplicates {
            0 => String::new(),
            _ => format!(" (before that: {})", self.tally.in_words()),
        };
        Failure::Runtime(format!("{}: {why}{before}", self.file))
    }
}

fn line_of(error: &FieldError, lines: &[u64]) -> u64 {
    error.index.and_then(|index| lines.get(index)).copied().unwrap_or_default()
}

fn in_words(error: &FieldError) -> String {
    let pointer = error.pointer.trim_start_matches('/');
    if pointer.is_empty() { error.message.clone() } else { format!("{pointer}: {}", error.message) }
}

/// What serde says, without the place in the item: the line in the file is named.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    format!("this is not JSON: {words}")
}
