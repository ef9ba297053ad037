//! Which entries are wanted, as the page's address says it, and as the API is asked.

use crate::zone;
use jiff::civil::Date;
use url::form_urlencoded::{Serializer, parse};

/// What entries are about.
pub(super) const OBJECT_TYPES: &[&str] =
    &["integration", "user", "token", "client", "application", "source", "rule", "filter"];

/// What is done.
pub(super) const ACTIONS: &[&str] = &["create", "update", "delete", "enable", "disable", "rotate", "revoke"];

/// The filters. Empty: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filters {
    pub(super) object_type: String,
    pub(super) object: String,
    pub(super) action: String,
    pub(super) actor: String,
    /// A day in the zone of the page, `2026-11-25`: from its beginning.
    pub(super) from: String,
    /// A day in the zone of the page: to its end.
    pub(super) until: String,
    /// Entries with lower numbers: the page.
    pub(super) before: Option<u64>,
}

/// What is wrong with the filters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) from: String,
    pub(super) until: String,
}

impl Filters {
    /// Of a page's query; what is unknown there is passed over.
    pub(super) fn read(query: &str) -> Filters {
        let mut filters = Filters::default();
        for (name, value) in parse(query.as_bytes()) {
            let value = value.trim().to_owned();
            match &*name {
                "type" => filters.object_type = value,
                "object" => filters.object = value,
                "action" => filters.action = value,
                "actor" => filters.actor = value,
                "from" => filters.from = value,
                "until" => filters.until = value,
                "before" => filters.before = value.parse().ok(),
                _ => {}
            }
        }
        filters
    }

    /// Whether anything is left out.
    pub(super) fn any(&self) -> bool {
        *self != Filters { before: self.before, ..Filters::default() }
    }

    /// A page's address with these filters.
    pub(super) fn path(&self, path: &str, before: Option<u64>) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [
            ("type", &self.object_type),
            ("object", &self.object),
            ("action", &self.action),
            ("actor", &self.actor),
            ("from", &self.from),
            ("until", &self.until),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// What is wrong with the days, each beside its field; empty: nothing.
    pub(super) fn wrong(&self) -> Wrong {
        let [from, until] = [&self.from, &self.until].map(|text| day(text).err().unwrap_or_default());
        Wrong { from, until }
    }

    /// The call of the API; or what is wrong with a day.
    pub(super) fn call(&self, limit: usize, before: Option<u64>) -> Result<String, String> {
        let mut query = Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string());
        for (name, value) in [
            ("object_type", &self.object_type),
            ("object_id", &self.object),
            ("action", &self.action),
            ("actor", &self.actor),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(day) = day(&self.from)? {
            query.append_pair("from", &beginning(day, &self.from)?);
        }
        if let Some(day) = day(&self.until)? {
            let next = day.tomorrow().map_err(|_| wrong(&self.until))?;
            query.append_pair("until", &beginning(next, &self.until)?);
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        Ok(format!("/v1/activity?{}", query.finish()))
    }
}

fn day(text: &str) -> Result<Option<Date>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| wrong(text))
}

/// When a day begins, as the API takes it.
fn beginning(day: Date, text: &str) -> Result<String, String> {
    zone::beginning(day).map(|at| at.to_string()).ok_or_else(|| wrong(text))
}

fn wrong(text: &str) -> String {
    format!("{text} is no day; write it as 2026-11-25.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pages_address_becomes_a_call_and_the_address_again() {
        let filters = Filters::read(
            "type=user&actor=ann%40example.com&from=2026-11-01&until=2026-11-30&before=812&x=y&action=",
        );
        assert_eq!(filters.before, Some(812));
        assert_eq!(
            filters.call(50, filters.before).unwrap(),
            "/v1/activity?limit=50&object_type=user&actor=ann%40example.com&from=2026-11-01T00%3A00%3A00Z\
             &until=2026-12-01T00%3A00%3A00Z&before=812"
        );
        let path = filters.path("/settings/activity", Some(7));
        assert_eq!(
            path,
            "/settings/activity?type=user&actor=ann%40example.com&from=2026-11-01&until=2026-11-30&before=7"
        );
        assert!(filters.any());
        assert!(!Filters::read("before=7").any());
        assert_eq!(Filters::default().path("/a", None), "/a");
    }

    #[test]
    fn days_begin_in_the_zone_of_the_page() {
        let filters = Filters::read("from=2026-11-01&until=2026-11-30");
        let call = zone::tests::within("Asia/Tokyo", || filters.call(50, None).unwrap());
        assert!(call.ends_with("from=2026-10-31T15%3A00%3A00Z&until=2026-11-30T15%3A00%3A00Z"), "{call}");
    }

    #[test]
    fn a_day_that_is_none_is_named() {
        let refused = Filters::read("from=yesterday").call(50, None).unwrap_err();
        assert_eq!(refused, "yesterday is no day; write it as 2026-11-25.");
        let wrong = Filters::read("from=2026-11-25&until=2026-13-01").wrong();
        assert_eq!((&*wrong.from, &*wrong.until), ("", "2026-13-01 is no day; write it as 2026-11-25."));
    }
}
