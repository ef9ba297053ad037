//! SIGINT and SIGTERM, as requests to stop; SIGHUP, as a request to look at files again.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Requests to stop: Ctrl-C in a terminal, `kill`, a service manager.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// From now on these signals no longer end the process by themselves.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Requests to read again what may have changed on disk.
#[derive(Debug)]
pub(crate) struct HangUps(Signal);

impl HangUps {
    /// From now on this signal no longer ends the process by itself.
    pub(crate) fn new() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(HangUps)
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}
