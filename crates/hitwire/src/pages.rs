//! Lists that the API answers page by page, the newest row first.

use crate::failure::Failure;
use crate::listen::line;
use crate::output::{Output, print};
use crate::remote::{Object, Session, Tenant};
use crate::table::Table;
use crate::terminal::Terminal;
use crate::units;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::form_urlencoded;

/// Rows that are asked for in one call: the most that the API answers.
const PAGE_ROWS_MAX: u64 = 500;

/// Calls for one list. A search may look through a long log, of which a page covers 5,000 entries, but not for ever.
const PAGES_MAX: usize = 400;

/// How much of a list is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Paging {
    /// Print at most this many, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,

    /// Print only older ones: the number that an earlier list ended with
    #[arg(long, value_name = "ID")]
    before: Option<u64>,
}

/// The query of a call, parameter by parameter.
#[derive(Debug, Default)]
pub(crate) struct Query {
    filters: Vec<(&'static str, String)>,
    /// Ask for the number of all rows that match, with the first page.
    counted: bool,
}

impl Query {
    /// Adds a parameter, if there is a value.
    pub(crate) fn set(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.filters.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// The same, and the API is asked for the number of all rows. Not every list can tell it.
    pub(crate) fn counted(self) -> Self {
        Query { counted: true, ..self }
    }

    /// The path with these parameters.
    pub(crate) fn of(&self, path: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.filters).finish();
        format!("{path}?{query}")
    }
}

/// A list as far as it was asked for.
#[derive(Debug)]
pub(crate) struct Listing {
    /// What the API calls the list.
    name: &'static str,
    rows: Vec<Object>,
    /// Where older rows begin, if there are more.
    next: Option<u64>,
    /// How many match in all, where the API was asked.
    total: Option<Total>,
    filtered: bool,
}

/// How many rows match in all.
#[derive(Clone, Copy, Debug)]
struct Total {
    count: u64,
    /// There are more, or there may be: the API's counting has a bound.
    is_more: bool,
}

impl Session {
    /// Asks for pages until there are enough rows, or no more.
    pub(crate) async fn listing(
        &mut self,
        path: &str,
        name: &'static str,
        query: Query,
        paging: Paging,
        tenant: Tenant,
    ) -> Result<Listing, Failure> {
        let mut listing = Listing {
            name,
            rows: Vec::new(),
            next: paging.before,
            total: None,
            filtered: !query.filters.is_empty(),
        };
        for page in 0..PAGES_MAX {
            let missing = paging.limit - listing.rows.len() as u64;
            let limit = missing.min(PAGE_ROWS_MAX);
            let count = (query.counted && page == 0).then_some(true);
            let asked = Query { filters: query.filters.clone(), counted: false }
                .set("limit", Some(limit))
                .set("before", listing.next)
                .set("count", count);
            let answer = self.raw(&tenant.path(&asked.of(path))).await?;
            listing.rows.extend(self.members(&answer, name)?);
            listing.next = answer.number("/next");
            let total = answer.number("/total/count");
            listing.total = listing
                .total
                .or_else(|| total.map(|count| Total { count, is_more: answer.is("/total/is_more") }));
            if listing.next.is_none() || listing.rows.len() as u64 >= paging.limit {
                break;
            }
        }
        Ok(listing)
    }
}

impl Listing {
    /// Prints the list as one JSON document of the API's shape, or as a table with the number of its rows below.
    pub(crate) fn print(
        &self,
        output: Output,
        what: &str,
        table: impl FnOnce(&[Object]) -> Table,
    ) -> Result<(), Failure> {
        if output.is_json() {
            let rows: Vec<_> = self.rows.iter().map(|row| row.json.get()).collect();
            let next = Value::from(self.next);
            let json = format!(r#"{{"{}":[{}],"next":{next}}}"#, self.name, rows.join(","));
            return print(&line::harmless(&json));
        }
        let mut text = String::new();
        if !self.rows.is_empty() {
            text = table(&self.rows).lines(Terminal::stdout());
        }
        text.push_str(&self.footer(what));
        print(&text)
    }

    /// `50 attempts; older ones: --before 4711`
    fn footer(&self, what: &str) -> String {
        let count = self.rows.len() as u64;
        let mut words = match (count, self.total) {
            (0, _) if self.filtered => format!("no {what} matches"),
            (0, _) => format!("no {what}s"),
            (count, Some(Total { count: total, is_more })) if total > count || is_more => {
                let bound = if is_more { "at least " } else { "" };
                format!("{} of {bound}{}", units::count(count), units::counted(total, what))
            }
            (count, _) => units::counted(count, what),
        };
        if let Some(next) = self.next {
            let _ = write!(words, "; older ones: --before {next}");
        }
        words
    }
}

/// A moment of the command line as the API takes it: RFC 3339, Unix seconds, or how long ago it was (`90s`, `12h`, `7d`).
pub(crate) fn moment(text: &str) -> Result<String, String> {
    let unix_s = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if unix_s || text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(text.to_owned());
    }
    let ago = units::duration(text).map_err(|_| {
        "write a moment as 2026-01-31T07:29:23Z or in Unix seconds, or how long ago it was: 90s, 12h, 7d"
            .to_owned()
    })?;
    let now: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(now.saturating_sub(ago).as_secs().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(rows: usize, next: Option<u64>, total: Option<(u64, bool)>, filtered: bool) -> String {
        let total = total.map(|(count, is_more)| Total { count, is_more });
        let value = Value::Null;
        let row = Object { json: serde_json::value::to_raw_value(&value).unwrap(), value };
        Listing { name: "attempts", rows: vec![row; rows], next, total, filtered }.footer("attempt")
    }

    #[test]
    fn the_footer_counts_and_says_how_to_go_on() {
        assert_eq!(listing(0, None, None, false), "no attempts");
        assert_eq!(listing(0, None, None, true), "no attempt matches");
        assert_eq!(listing(0, Some(9), None, true), "no attempt matches; older ones: --before 9");
        assert_eq!(listing(1, None, None, false), "1 attempt");
        assert_eq!(listing(2, Some(7), None, false), "2 attempts; older ones: --before 7");
        let total = Some((1_234, false));
        assert_eq!(listing(2, Some(7), total, true), "2 of 1,234 attempts; older ones: --before 7");
        let total = Some((10_000, true));
        assert_eq!(listing(2, Some(7), total, true), "2 of at least 10,000 attempts; older ones: --before 7");
        assert_eq!(listing(2, None, Some((2, false)), true), "2 attempts");
    }

    #[test]
    fn parameters_are_escaped() {
        let query = Query::default().set("event", Some("a&b=c d")).set("status", None::<u64>);
        assert_eq!(query.of("/x"), "/x?event=a%26b%3Dc+d");
    }

    #[test]
    fn a_moment_is_absolute_or_so_long_ago() {
        for text in ["2026-01-31T07:29:23Z", "1767225600"] {
            assert_eq!(moment(text).as_deref(), Ok(text));
        }
        let hour_ago: u64 = moment("1h").unwrap().parse().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((3_600..3_700).contains(&(now - hour_ago)), "{hour_ago}");
        for text in ["", "yesterday", "2026-01-31"] {
            assert!(moment(text).unwrap_err().contains("2026-01-31T07:29:23Z"), "{text}");
        }
    }
}
