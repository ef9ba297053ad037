//! How the writers tell the keeper that a slice has ended or a WAL has grown, and how the log's writer waits for the room
//! that the keeper makes.

use std::sync::mpsc::{self, Receiver, Sender};

/// What the keeper is told.
#[derive(Debug)]
pub(in crate::sqlite) enum Notice {
    /// A WAL has grown.
    WalGrew,
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

    /// What tells the keeper of the log's WAL.
    pub(in crate::sqlite) fn wal_growth(&self, step_bytes: u64) -> WalGrowth {
        WalGrowth::new(self.notices.clone(), step_bytes)
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

/// A writer's end: tells of a WAL that has grown by another step.
#[derive(Debug)]
pub(in crate::sqlite) struct WalGrowth {
    notices: Sender<Notice>,
    step_bytes: u64,
    told_steps: u64,
}

impl WalGrowth {
    /// Tells each time when the WAL has grown by so many bytes.
    pub(in crate::sqlite) fn new(notices: Sender<Notice>, step_bytes: u64) -> Self {
        WalGrowth { notices, step_bytes: step_bytes.max(1), told_steps: 0 }
    }

    /// So many bytes of the WAL are in use now.
    pub(in crate::sqlite) fn reached(&mut self, bytes: u64) {
        let steps = bytes / self.step_bytes;
        if steps > self.told_steps {
            // A keeper that has ended needs no notice.
            let _ = self.notices.send(Notice::WalGrew);
        }
        self.told_steps = steps;
    }
}
