//! How far it is, on a terminal; nothing where there is none.

use crate::terminal::{self, Terminal};
use crate::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for a file, a count for a pipe; on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of a file of so many bytes, if it has a size.
    pub(super) fn new(bytes: Option<u64>) -> Self {
        let terminal = Terminal::stderr();
        let target = match terminal.width() {
            Some(_) => ProgressDrawTarget::stderr(),
            None => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(bytes, target);
        let colour = if terminal.colours() { ".green" } else { "" };
        let template = match bytes {
            Some(_) => format!("{{bar:30{colour}}} {{percent:>3}} %  {{msg}}  {{eta}} left"),
            None => "{msg}".to_owned(),
        };
        // The template is ours; if it could not be read, the usual bar does as well.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        Progress { bar }
    }

    /// The server has answered for everything up to here.
    pub(super) fn at(&self, bytes: u64, events: u64) {
        self.bar.set_position(bytes);
        self.bar.set_message(units::counted(events, "event"));
    }

    /// Says something on standard error without tearing the bar.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| terminal::tell(line));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
