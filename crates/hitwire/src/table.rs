//! Tables and lists of facts for people: laid out by comfy-table, coloured here, harmless.
//!
//! comfy-table measures, wraps and aligns plain text. It divides cells and rows by control characters that no cell can hold,
//! so what belongs to which cell is known afterwards, and can be coloured without a further library for terminals.

use crate::terminal::{self, Style, Terminal};
use comfy_table::{ContentArrangement, ContentLineStyle, LineStyle, Row, TableStyle};
use std::fmt::{Display, Write as _};

/// Stands between two cells of a line until it is coloured: the unit separator of ASCII.
const CELL_END: char = '\u{1f}';

/// A line of these stands between two rows: the record separator of ASCII.
const ROW_END: char = '\u{1e}';

/// How comfy-table draws: nothing but the two separators.
const SEPARATED: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction(CELL_END))
    .header_separator(LineStyle::none().fill(ROW_END))
    .content_lines(ContentLineStyle::none().junction(CELL_END))
    .row_separator(LineStyle::none().fill(ROW_END));

/// Blanks before each line of a list of facts.
const FACTS_INDENT: u16 = 2;

/// A cell is shown up to this many characters.
const CELL_MAX: usize = 1_000;

/// A row of a table takes at most so many lines on a narrow terminal; what is cut ends with an ellipsis.
const ROW_LINES_MAX: usize = 3;

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

impl<T: Display> From<T> for Cell {
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

    /// The lines, each with its end. Where a row does not fit, the widest cells go on below.
    pub(crate) fn lines(&self, terminal: Terminal) -> String {
        let head: Vec<_> = self.head.iter().map(|head| Cell::from(head).styled(Style::Faint)).collect();
        let mut table = comfy_table::Table::new();
        table.set_header(texts(&head));
        table.add_rows(self.rows.iter().map(|row| {
            let mut row = texts(row);
            row.max_height(ROW_LINES_MAX);
            row
        }));
        let rows = std::iter::once(&head).chain(&self.rows).map(Vec::as_slice);
        laid_out(table, 0, rows, terminal)
    }
}

/// Facts about one thing, each with its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(Vec<[Cell; 2]>);

impl Facts {
    /// Adds a fact.
    pub(crate) fn add(&mut self, name: impl Display, cell: impl Into<Cell>) {
        self.0.push([Cell::from(name).styled(Style::Faint), cell.into()]);
    }

    /// Adds a fact that may not be there.
    pub(crate) fn maybe(&mut self, name: impl Display, cell: Option<impl Into<Cell>>) {
        if let Some(cell) = cell {
            self.add(name, cell);
        }
    }

    /// The lines, each with its end, indented. What is longer than the terminal is wide goes on below.
    pub(crate) fn lines(&self, terminal: Terminal) -> String {
        let mut table = comfy_table::Table::new();
        table.add_rows(self.0.iter().map(|fact| texts(fact)));
        laid_out(table, FACTS_INDENT, self.0.iter().map(<[Cell; 2]>::as_slice), terminal)
    }
}

fn texts(cells: &[Cell]) -> Row {
    cells.iter().map(|cell| &cell.text).collect::<Vec<_>>().into()
}

/// The lines of a table, kept to the terminal's width, each cell in the style that it has in `rows`.
fn laid_out<'a>(
    mut table: comfy_table::Table,
    indent: u16,
    mut rows: impl Iterator<Item = &'a [Cell]>,
    terminal: Terminal,
) -> String {
    table.load_style(SEPARATED);
    if let Some(width) = terminal.width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    let columns = table.column_count();
    for (index, column) in table.column_iter_mut().enumerate() {
        // With the separator, which becomes a blank, two blanks stand between columns.
        let before = if index == 0 { indent } else { 0 };
        column.set_padding((before, u16::from(index + 1 < columns)));
    }
    let mut lines = String::new();
    let mut row = rows.next().unwrap_or_default();
    for line in table.lines() {
        if line.starts_with(ROW_END) {
            row = rows.next().unwrap_or_default();
            continue;
        }
        paint(&line, row, terminal, &mut lines);
    }
    lines
}

/// One line, which may be the second of its row. Nothing stands behind its last text.
fn paint(line: &str, row: &[Cell], terminal: Terminal, lines: &mut String) {
    let mut blanks = 0;
    for (field, cell) in line.split(CELL_END).zip(row) {
        let begun = field.trim_start_matches(' ');
        let text = begun.trim_end_matches(' ');
        blanks += field.len() - begun.len();
        if !text.is_empty() {
            lines.extend(std::iter::repeat_n(' ', blanks));
            // Writing to a String does not fail.
            let _ = match cell.style {
                Some(style) => write!(lines, "{}", terminal.paint(style, text)),
                None => write!(lines, "{text}"),
            };
            blanks = 0;
        }
        blanks += begun.len() - text.len() + 1;
    }
    lines.push('\n');
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
    fn what_does_not_fit_goes_on_below_in_its_column() {
        insta::assert_snapshot!(sample().lines(Terminal::of_width(60)), @r"
        ID  NAME              STATE     URL
        1   SIEM              active    https://a/
        12  Chat of the team  disabled  https://siem.example.com/a/v
                                        ery/long/path/that/goes/on/a
                                        nd/on/for/ever
        ");
    }

    #[test]
    fn a_cell_that_would_fill_the_screen_is_cut_and_marked() {
        let mut table = Table::new(&["ID", "DETAIL"]);
        table.row([1.into(), "word ".repeat(150).into()]);
        table.row([2.into(), "short".into()]);
        let lines = table.lines(Terminal::of_width(60));
        assert_eq!(lines.lines().count(), 1 + ROW_LINES_MAX + 1, "{lines}");
        assert!(lines.lines().nth(ROW_LINES_MAX).unwrap().ends_with('…'), "{lines}");
    }

    #[test]
    fn wide_characters_keep_columns_aligned() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["監視".into(), "active".into()]);
        table.row(["SIEM".into(), "active".into()]);
        insta::assert_snapshot!(table.lines(Terminal::plain()), @r"
        NAME  STATE
        監視  active
        SIEM  active
        ");
    }

    #[test]
    fn every_line_of_a_cell_has_its_colour_and_no_other() {
        let mut table = Table::new(&["NAME", "DETAIL"]);
        let detail = Cell::from("a detail that takes more than one line of a terminal that is narrow")
            .styled(Style::Bad);
        table.row(["SIEM".into(), detail]);
        let lines = table.lines(Terminal::of_width(60).with_colours());
        let painted: Vec<_> = lines.lines().skip(1).collect();
        assert!(painted.len() > 1, "{lines}");
        assert!(
            painted.iter().all(|line| line.matches("\x1b[31m").count() == 1 && line.ends_with("\x1b[0m")),
            "{lines}"
        );
        assert!(painted[0].starts_with("SIEM  \x1b[31m"), "{lines}");
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
        // Not even by the characters that divide cells while they are laid out.
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row([Cell::from(format!("a{CELL_END}b\n{ROW_END}")).styled(Style::Bad), "active".into()]);
        assert_eq!(table.lines(Terminal::plain()).lines().count(), 2);
        assert!(table.lines(Terminal::plain()).ends_with("  active\n"));
    }
}
