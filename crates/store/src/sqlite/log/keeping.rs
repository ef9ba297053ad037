//! How the log's writer tells the keeper that a slice has ended, and waits for the room that it makes.

use std::sync::mpsc::{self, Receiver, Sender};

/// What the keeper is told.
#[derive(Debug)]
pub(in crate::sqlite) enum Notice {
    /// A slice has ended; when retention has made room, the sender is dropped.
    Rotated(Sender<()>),
    /// No more work.
    Stop,
}

/// The log writer's end: tells of slices that have ended.
#[derive(Debug)]
pub(in crate::sqlite) struct Keeping {
    notices: Sender<Notice>,
    busy: Option<Receiver<()>>,
}

impl Keeping {
    /// An end for the writer, and one for the keeper.
    pub(in crate::sqlite) fn new() -> (Self, Sender<Notice>, Receiver<Notice>) {
        let (notices, receiver) = mpsc::channel();
        (Keeping { notices: notices.clone(), busy: None }, notices, receiver)
    }

    /// A slice has ended.
    pub(in crate::sqlite) fn rotated(&mut self) {
        let (done, busy) = mpsc::channel();
        if self.notices.send(Notice::Rotated(done)).is_ok() {
            self.busy = Some(busy);
        }
    }

    /// Waits until the keeper has made room after the slice that ended last.
    pub(in crate::sqlite) fn wait(&mut self) {
        if let Some(busy) = self.busy.take() {
            // Nothing is ever sent: the keeper drops its end.
            let _ = busy.recv();
        }
    }
}
