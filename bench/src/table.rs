//! How figures are written.

use std::fmt::{self, Write};

/// Sections of rows: what, and how much.
#[derive(Default)]
pub(crate) struct Table(String);

impl Table {
    /// What the following rows are about.
    pub(crate) fn section(&mut self, title: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "\n{title}");
    }

    /// One figure, also shown at once on standard error: a run takes minutes.
    pub(crate) fn row(&mut self, what: &str, figure: String) {
        eprintln!("{what}: {figure}");
        let _ = writeln!(self.0, "  {what:<52}  {figure}");
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `1,234,567`
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.25 ms`
pub(crate) fn micros(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1_000.0)
}

/// `12.3 MB`
pub(crate) fn bytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_by_thousands() {
        assert_eq!(count(999.4), "999");
        assert_eq!(count(1_000.0), "1,000");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(micros(1_250), "1.25 ms");
        assert_eq!(bytes(12_340_000), "12.3 MB");
    }
}
