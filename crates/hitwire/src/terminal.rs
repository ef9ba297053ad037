//! What may be written to a terminal, and how wide it is.
//!
//! Text that came from outside reaches a terminal only through [`safe`] or [`cut`], which make control characters
//! visible: a payload must not move the cursor, recolour lines that came before, or set the window's title.

use crate::units;
use hitwire_event::escape;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// The width that pages are laid out for where the terminal does not tell its own.
pub(crate) const WIDTH_DEFAULT: usize = 100;

/// No narrower, whatever the terminal says: lines would be all ellipsis.
const WIDTH_MIN: usize = 60;

/// With less room than this for a text, the length of what was cut is a mere number.
const ROOM_FOR_WORDS: usize = 32;

/// Where lines go: whether it takes colours, and how wide it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    colours: bool,
    width: Option<usize>,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Stands out: names, totals.
    Strong,
    /// Steps back: what is the same on every line.
    Faint,
    /// Good news.
    Good,
    /// Something to look at.
    Notice,
    /// Bad news.
    Bad,
}

impl Style {
    /// The parameters of the SGR escape sequence (ECMA-48, 8.3.117); the sixteen basic colours, which every theme has.
    const fn sgr(self) -> &'static str {
        match self {
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Notice => "33",
            Style::Bad => "31",
        }
    }
}

impl Terminal {
    /// Standard output as it is: colours only on a terminal, and not where `NO_COLOR` is set to anything
    /// (<https://no-color.org>) or `TERM` is `dumb`.
    pub(crate) fn stdout() -> Self {
        Terminal::of(&io::stdout())
    }

    /// Standard error, by the same rules.
    pub(crate) fn stderr() -> Self {
        Terminal::of(&io::stderr())
    }

    fn of(output: &(impl IsTerminal + AsFd)) -> Self {
        if !output.is_terminal() {
            return Terminal::plain();
        }
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let columns = rustix::termios::tcgetwinsize(output).map_or(0, |size| usize::from(size.ws_col));
        let width = if columns == 0 { WIDTH_DEFAULT } else { columns.max(WIDTH_MIN) };
        Terminal { colours: !refused, width: Some(width) }
    }

    /// A file or a pipe: no colours, no width to keep to.
    pub(crate) const fn plain() -> Self {
        Terminal { colours: false, width: None }
    }

    /// A terminal without colours, of a given width.
    #[cfg(test)]
    pub(crate) const fn of_width(width: usize) -> Self {
        Terminal { colours: false, width: Some(width) }
    }

    /// The same, with colours.
    #[cfg(test)]
    pub(crate) const fn with_colours(self) -> Self {
        Terminal { colours: true, ..self }
    }

    /// The width that lines must keep to; none: they may be as long as they are.
    pub(crate) const fn width(self) -> Option<usize> {
        self.width
    }

    /// Whether colours are shown.
    pub(crate) const fn colours(self) -> bool {
        self.colours
    }

    /// `text` in a style, if there are colours. `text` is printed as it is: make it [`safe`] before.
    pub(crate) const fn paint<T>(self, style: Style, text: T) -> Painted<T> {
        Painted { style: if self.colours { Some(style) } else { None }, text }
    }
}

/// Text with its style; keeps `{:<10}` working, because the padding counts only the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painted<T> {
    style: Option<Style>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(style) = self.style else { return self.text.fmt(f) };
        write!(f, "\x1b[{}m", style.sgr())?;
        self.text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

/// `text` without anything that a terminal would act on: control characters are shown as escapes.
pub(crate) fn safe(text: &str) -> String {
    escape::visible(text).into_owned()
}

/// `text` made [`safe`], and cut to `chars` characters if it is longer; the cut is marked by an ellipsis.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    whole(text, chars).unwrap_or_else(|| {
        // Cut before escaping as well: the text may be megabytes long, and only its beginning is shown.
        let beginning: String = text.chars().take(chars).collect();
        let mut kept: String = escape::visible(&beginning).chars().take(chars.saturating_sub(1)).collect();
        kept.push('…');
        kept
    })
}

/// As [`cut`], but a cut says how long the whole text is: `' union sele… (1,204 characters)`, or where there is little
/// room only `' un…(1,204)`.
pub(crate) fn cut_naming_length(text: &str, chars: usize) -> String {
    whole(text, chars).unwrap_or_else(|| {
        let length = units::count(text.chars().count() as u64);
        let length =
            if chars < ROOM_FOR_WORDS { format!("({length})") } else { format!(" ({length} characters)") };
        format!("{}{length}", cut(text, chars.saturating_sub(length.len()).max(1)))
    })
}

/// `text` made [`safe`], if it then has at most `chars` characters.
fn whole(text: &str, chars: usize) -> Option<String> {
    if text.chars().nth(chars).is_some() {
        return None;
    }
    let shown = escape::visible(text);
    shown.chars().nth(chars).is_none().then(|| shown.into_owned())
}

/// Writes a line to standard output. A reader that went away (`| head`) is an error of kind `BrokenPipe`.
pub(crate) fn print_line(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Writes a line to standard error. Where nobody can be told anything, there is nothing to do about it: never fails.
pub(crate) fn tell(line: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(line.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        let hostile = "a\x1b[2J\x07\r\nb\u{9b}31m\u{202e}c\u{7f}";
        for shown in [safe(hostile), cut(hostile, 200), cut(hostile, 9), cut_naming_length(hostile, 20)] {
            assert!(
                !shown.chars().any(|char| char.is_control() || char == '\u{202e}'),
                "{shown:?} holds something that a terminal acts on"
            );
        }
    }

    #[test]
    fn short_text_is_left_as_it_is() {
        assert_eq!(cut("' or 1=1--", 10), "' or 1=1--");
        assert_eq!(cut_naming_length("größer", 6), "größer");
    }

    #[test]
    fn long_text_is_cut_to_the_width_and_marked() {
        assert_eq!(cut("abcdefghij", 5), "abcd…");
        assert_eq!(cut("\x1b\x1b\x1b", 5).chars().count(), 5);
        let cut = cut_naming_length(&"x".repeat(1_204), 40);
        assert_eq!(cut.chars().count(), 40);
        assert!(cut.ends_with("x… (1,204 characters)"), "{cut}");
    }

    #[test]
    fn colours_are_left_out_where_there_is_no_terminal() {
        assert_eq!(Terminal::plain().paint(Style::Bad, "blocked").to_string(), "blocked");
        let coloured = Terminal::of_width(80).with_colours();
        assert_eq!(coloured.paint(Style::Bad, "blocked").to_string(), "\x1b[31mblocked\x1b[0m");
        assert_eq!(format!("{:<9}|", coloured.paint(Style::Bad, "blocked")), "\x1b[31mblocked  \x1b[0m|");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_to_the_width_and_harmless(text in any::<String>(), chars in 1_usize..80) {
            let shown = cut(&text, chars);
            prop_assert!(shown.chars().count() <= chars);
            prop_assert_eq!(escape::visible(&shown), shown.as_str());
            let named = cut_naming_length(&text, chars + 12);
            prop_assert!(named.chars().count() <= chars + 12);
            prop_assert_eq!(escape::visible(&named), named.as_str());
        }
    }
}
