//! Tables for spreadsheets: comma-separated values (RFC 4180), of which no cell is taken for a formula.

use crate::escape::visible;

/// With these a spreadsheet takes a cell for a formula or strips it and looks again; the wide ones where East Asian text is typed.
const FORMULA_STARTS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Adds a row, its cells in quotation marks. Control and bidirectional characters are shown escaped, but for line feeds and tabs.
pub fn row<'a>(table: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            table.push(',');
        }
        table.push('"');
        if cell.starts_with(FORMULA_STARTS) {
            table.push('\'');
        }
        for piece in cell.split_inclusive(['\n', '\t']) {
            let (text, space) = match piece.strip_suffix(['\n', '\t']) {
                Some(text) => (text, &piece[text.len()..]),
                None => (piece, ""),
            };
            table.push_str(&visible(text).replace('"', "\"\""));
            table.push_str(space);
        }
        table.push('"');
    }
    table.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cells: &[&str]) -> String {
        let mut table = String::new();
        row(&mut table, cells.iter().copied());
        table
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out_of_its_quotation_marks() {
        assert_eq!(written(&["a", "", "b,c", "say \"hi\""]), "\"a\",\"\",\"b,c\",\"say \"\"hi\"\"\"\r\n");
        for start in ["=", "+", "-", "@", "\t", "\n", "\u{ff1d}"] {
            let cell = format!("{start}cmd|' /C calc'!A0");
            assert_eq!(written(&[&cell]), format!("\"'{cell}\"\r\n"));
        }
        assert_eq!(written(&["\r=1+1"]), "\"'\\r=1+1\"\r\n");
        assert_eq!(written(&["\"=1+1"]), "\"\"\"=1+1\"\r\n");
    }

    #[test]
    fn what_would_act_on_a_terminal_is_shown_and_lines_stay_lines() {
        assert_eq!(written(&["a\u{1b}[2J\u{202e}b\nc"]), "\"a\\u{1b}[2J\\u{202e}b\nc\"\r\n");
        assert_eq!(written(&["Grüße 世界"]), "\"Grüße 世界\"\r\n");
    }
}
