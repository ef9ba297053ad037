//! The same log line again and again: said a few times a minute, then counted.
//!
//! "The same line" is the same place in the code. What others can cause at will, such as connections that cannot be accepted,
//! must neither fill a disk nor hide what else is said.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one place that are said in each [`WINDOW`].
const SAID_MAX: u64 = 30;

/// How long a place's lines are counted together.
const WINDOW: Duration = Duration::from_mins(1);

/// What each place in the code said lately. Bounded by the places that there are.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    places: Mutex<HashMap<Identifier, Place>>,
}

/// The lines of one place in its window.
#[derive(Debug)]
struct Place {
    metadata: &'static Metadata<'static>,
    began: Instant,
    lines: u64,
}

/// So many lines of a place were left out.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    place: String,
    lines: u64,
}

impl Repeats {
    /// The layer that leaves repeated lines out, whatever else is done with lines.
    pub(super) fn layer(self: &Arc<Self>) -> RepeatLimit {
        RepeatLimit(Arc::clone(self))
    }

    /// Whether a line of this place is said at this moment.
    fn is_said(&self, metadata: &'static Metadata<'static>, now: Instant) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(metadata.callsite()).or_insert(Place { metadata, began: now, lines: 0 });
        place.lines += 1;
        place.lines <= SAID_MAX
    }

    /// Ends the windows that are over; what was left out in them.
    fn ended(&self, now: Instant) -> Vec<LeftOut> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = Vec::new();
        places.retain(|_, place| {
            let is_over = now.saturating_duration_since(place.began) >= WINDOW;
            if is_over && place.lines > SAID_MAX {
                left_out.push(LeftOut { place: name(place.metadata), lines: place.lines - SAID_MAX });
            }
            !is_over
        });
        left_out
    }

    /// Says how many lines were left out in the windows that are over.
    pub(super) fn tell_ended(&self) {
        for LeftOut { place, lines } in self.ended(Instant::now()) {
            tracing::warn!(place, lines, "a log line was repeated so often that these were left out");
        }
    }
}

/// `hitwire_server::listener:102`.
fn name(metadata: &Metadata<'_>) -> String {
    match metadata.line() {
        Some(line) => format!("{}:{line}", metadata.target()),
        None => metadata.target().to_owned(),
    }
}

/// Leaves out lines that are repeated too often. Lines for each request or step (`debug`, `trace`) are left alone: whoever
/// turns them on wants them all.
#[derive(Debug)]
pub(super) struct RepeatLimit(Arc<Repeats>);

impl<S: Subscriber> Layer<S> for RepeatLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        *event.metadata().level() > Level::INFO || self.0.is_said(event.metadata(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_is_repeated_is_said_a_few_times_and_then_counted() {
        let (repeats, said) = (Arc::new(Repeats::default()), Said::default());
        let writer = said.clone();
        let shown = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(shown).with(repeats.layer());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..10 * SAID_MAX {
                tracing::warn!(number, "the same");
                tracing::debug!(number, "for each request");
            }
            tracing::warn!("another");
        });
        let text = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        let count = |words: &str| text.matches(words).count() as u64;
        assert_eq!((count("the same"), count("another")), (SAID_MAX, 1), "{text}");
        assert_eq!(count("for each request"), 10 * SAID_MAX);

        assert_eq!(repeats.ended(Instant::now()), []);
        let left_out = repeats.ended(Instant::now() + WINDOW);
        assert_eq!(left_out.len(), 1);
        assert_eq!(left_out[0].lines, 9 * SAID_MAX);
        assert!(left_out[0].place.contains("logging::repeats::tests:"), "{left_out:?}");
        assert_eq!(repeats.ended(Instant::now() + 2 * WINDOW), [], "a new window begins");
    }
}
