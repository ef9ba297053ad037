//! Tables and lists of facts for people: aligned, kept to the terminal's width, harmless.

use crate::terminal::{self, Style, Terminal};
use std::fmt::Write as _;

/// Between two columns.
const GAP: &str = "  ";

/// A column that gives way where there is little room keeps at least this.
const COLUMN_MIN: usize = 12;

/// A cell is shown up to this many characters.
const CELL_MAX: usize = 1_000;

/// A cell: text from anywhere, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// The same text in a style.
    pub(crate) fn styled(self, style: Style) -> Self {
        Cell { style: Some(style), ..self }
    }
}

impl<T: std::fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell { text: terminal::cut(&text.to_string(), CELL_MAX), style: None }
    }
}

/// A table with a head.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Table { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each with its end. Where they do not fit, the widest column gives way first.
    pub(crate) fn lines(&self, terminal: Terminal) -> String {
        let mut widths: Vec<_> = self.head.iter().map(|head| head.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        if let Some(room) = terminal.width() {
            let gaps = GAP.len() * widths.len().saturating_sub(1);
            fit(&mut widths, room.saturating_sub(gaps));
        }
        let head = self.head.iter().map(|head| Cell::from(head).styled(Style::Faint)).collect();
        let mut lines = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            lines.push_str(&line(row, &widths, terminal));
            lines.push('\n');
        }
        lines
    }
}

/// Makes columns narrower, always the widest one, until their sum is `room` or all are at their least.
fn fit(widths: &mut [usize], room: usize) {
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > COLUMN_MIN) else { return };
        *widest -= 1;
    }
}

fn line(row: &[Cell], widths: &[usize], terminal: Terminal) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
        let gap = if index == 0 { "" } else { GAP };
        let text = terminal::cut(&cell.text, *width);
        // Behind the last cell nothing has to be aligned.
        let padding = if index + 1 == row.len() { 0 } else { width.saturating_sub(text.chars().count()) };
        let _ = match cell.style {
            Some(style) if !text.is_empty() => write!(line, "{gap}{}", terminal.paint(style, text)),
            _ => write!(line, "{gap}{text}"),
        };
        line.extend(std::iter::repeat_n(' ', padding));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Facts about one thing, each with its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(Vec<(&'static str, Cell)>);

impl Facts {
    /// Adds a fact.
    pub(crate) fn add(&mut self, name: &'static str, cell: impl Into<Cell>) {
        self.0.push((name, cell.into()));
    }

    /// Adds a fact that may not be there.
    pub(crate) fn maybe(&mut self, name: &'static str, cell: Option<impl Into<Cell>>) {
        self.0.extend(cell.map(|cell| (name, cell.into())));
    }

    /// The lines, each with its end, indented. What is longer than the terminal is wide goes on below.
    pub(crate) fn lines(&self, terminal: Terminal) -> String {
        let widest = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let room =
            terminal.width().map_or(usize::MAX, |width| width.saturating_sub(widest + 4).max(COLUMN_MIN));
        let mut lines = String::new();
        for (name, cell) in &self.0 {
            for (index, text) in wrapped(&cell.text, room).into_iter().enumerate() {
                let name = if index == 0 { name } else { "" };
                let name = terminal.paint(Style::Faint, format!("{name:<widest$}"));
                let _ = match cell.style {
                    Some(style) => writeln!(lines, "  {name}  {}", terminal.paint(style, text)),
                    None => writeln!(lines, "  {name}  {text}"),
                };
            }
        }
        lines
    }
}

/// Text in lines of at most `room` characters, broken at blanks where there are some.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut filled = 0;
    for word in text.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if filled > 0 && filled + length > room {
            lines.push(String::new());
            filled = 0;
        }
        for char in word.chars() {
            if filled >= room && char != ' ' {
                lines.push(String::new());
                filled = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(char);
                filled += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["ID", "NAME", "STATE", "URL"]);
        table.row([1.into(), "SIEM".into(), Cell::from("active").styled(Style::Good), "https://a/".into()]);
        let long = "https://siem.example.com/a/very/long/path/that/goes/on/and/on/for/ever";
        table.row([12.into(), "Chat of the team".into(), "disabled".into(), long.into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        insta::assert_snapshot!(sample().lines(Terminal::plain()), @r"
        ID  NAME              STATE     URL
        1   SIEM              active    https://a/
        12  Chat of the team  disabled  https://siem.example.com/a/very/long/path/that/goes/on/and/on/for/ever
        ");
    }

    #[test]
    fn the_widest_column_gives_way_to_the_terminal() {
        let lines = sample().lines(Terminal::of_width(60));
        assert!(lines.lines().all(|line| line.chars().count() <= 60), "{lines}");
        assert!(lines.contains("Chat of the team") && lines.contains("https://siem"), "{lines}");
    }

    #[test]
    fn a_long_fact_goes_on_below_and_is_whole() {
        let mut facts = Facts::default();
        facts.add("warning", format!("{} {}", "word ".repeat(20), "x".repeat(100)));
        let lines = facts.lines(Terminal::of_width(60));
        assert!(lines.lines().all(|line| line.chars().count() <= 60), "{lines}");
        assert_eq!(lines.matches("word").count(), 20);
        assert_eq!(lines.matches('x').count(), 100);
        assert!(lines.lines().skip(1).all(|line| line.starts_with("           ")), "{lines}");
    }

    #[test]
    fn colours_do_not_disturb_the_columns() {
        let coloured = sample().lines(Terminal::of_width(200).with_colours());
        let plain = coloured.replace("\x1b[32m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(plain, sample().lines(Terminal::plain()));
    }

    #[test]
    fn what_a_cell_holds_cannot_act_on_the_terminal() {
        let mut table = Table::new(&["NAME"]);
        table.row(["a\u{1b}[2J\nb".into()]);
        let mut facts = Facts::default();
        facts.add("name", "a\u{1b}[2J\nb");
        for lines in [table.lines(Terminal::plain()), facts.lines(Terminal::of_width(80))] {
            assert!(lines.contains("a\\u{1b}[2J\\nb"), "{lines}");
        }
    }
}
