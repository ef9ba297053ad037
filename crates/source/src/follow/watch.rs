//! When it is worth while to look at a file again.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long a [`Watch`] waits at most. Network file systems and some containers send no notifications.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Wakes whoever waits for a file to change.
///
/// It watches the directory, so that a file that is not there yet, or that another one takes the place of, is noticed too.
/// Where the system gives no notifications (no directory, no free watches, a network file system), every
/// [`POLL_INTERVAL`] stands in for one.
#[derive(Debug)]
pub struct Watch {
    directory: PathBuf,
    name: Option<OsString>,
    woken: Receiver<()>,
    wake: SyncSender<()>,
    watcher: Option<RecommendedWatcher>,
}

/// Ends a [`Watch`]'s wait from another thread, for example to stop.
#[derive(Clone, Debug)]
pub struct Waker(SyncSender<()>);

impl Waker {
    /// Ends the wait under way, or the next one.
    pub fn wake(&self) {
        // Full: the waiter will wake anyway. Closed: nobody waits.
        let _ = self.0.try_send(());
    }
}

impl Watch {
    /// Watches the file at `path`.
    pub fn new(path: &Path) -> Watch {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        // One place is enough: what woke the waiter does not matter, nor how often.
        let (wake, woken) = sync_channel(1);
        let mut watch =
            Watch { directory, name: path.file_name().map(OsString::from), woken, wake, watcher: None };
        watch.subscribe();
        watch
    }

    /// Something that ends the wait.
    pub fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Returns true when the file may have changed or a [`Waker`] says so, and false after [`POLL_INTERVAL`]; look at the file
    /// in both cases. What happened between two calls ends the second one at once.
    pub fn wait(&mut self) -> bool {
        if self.watcher.is_none() && self.directory.is_dir() {
            self.subscribe();
        }
        // The watch itself holds a sender, so the channel is never closed.
        self.woken.recv_timeout(POLL_INTERVAL).is_ok()
    }

    fn subscribe(&mut self) {
        let wake = self.waker();
        let name = self.name.clone();
        let notice = move |event: notify::Result<notify::Event>| {
            // Reading the file is an event as well; being woken by it would never end.
            let matters = match event {
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_))
                        && (event.paths.is_empty()
                            || event.paths.iter().any(|path| path.file_name() == name.as_deref()))
                }
                Err(_) => true,
            };
            if matters {
                wake.wake();
            }
        };
        // A failure is not told: the poll interval stands in, and the next wait tries again.
        self.watcher = notify::recommended_watcher(notice).ok().and_then(|mut watcher| {
            watcher.watch(&self.directory, RecursiveMode::NonRecursive).ok().map(|()| watcher)
        });
    }
}
