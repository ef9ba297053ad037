//! Where the log ends.

use hitwire_event::Seq;
use tokio::sync::watch;

/// Where the log ends, as it moves on. A clone looks on its own.
///
/// It gives copies, and never the channel's own guard: whoever held that while asking the log for anything else would stop
/// the writer, and be stopped by it.
#[derive(Clone, Debug)]
pub struct Head(watch::Receiver<Seq>);

impl Head {
    pub(crate) fn of(receiver: watch::Receiver<Seq>) -> Self {
        Head(receiver)
    }

    /// The last durable position.
    pub fn now(&self) -> Seq {
        *self.0.borrow()
    }

    /// The same; [`Head::changed`] ends with the next one.
    pub fn seen(&mut self) -> Seq {
        *self.0.borrow_and_update()
    }

    /// Whether it has moved since it was seen.
    pub fn has_changed(&self) -> bool {
        // A log that is closed does not move.
        self.0.has_changed().unwrap_or(false)
    }

    /// Ends when it has moved since it was seen. `false`: the log is closed, and moves no more.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
