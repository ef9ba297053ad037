//! Reads the text format of OpenMetrics 1.0, and insists on its rules.

use std::collections::{BTreeMap, BTreeSet};

/// A family of series.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) help: String,
}

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) families: BTreeMap<String, Family>,
    /// Value by name and labels, these as they stand in the text.
    pub(crate) samples: BTreeMap<String, f64>,
}

impl Exposition {
    /// Reads it; panics at the first breach of a rule.
    pub(crate) fn read(text: &str) -> Exposition {
        let mut read = Exposition::default();
        let mut current = String::new();
        let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
        for line in body.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => current = read.describe(comment, &current),
                None => read.sample(line, &current),
            }
        }
        for (name, family) in &read.families {
            read.check(name, family);
        }
        read
    }

    /// The value of the only series that begins so; panics if there is none.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("no series {series}"))
    }

    /// Names of samples, as queries use them.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|series| series.split('{').next().expect("a name")).collect()
    }

    fn describe(&mut self, comment: &str, current: &str) -> String {
        let mut words = comment.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_else(|| panic!("too short: {comment}"));
        let (what, name, rest) = (next(), next(), next());
        let is_new = name != current;
        assert!(!is_new || !self.families.contains_key(name), "{name} comes twice");
        let family = self.families.entry(name.to_owned()).or_default();
        match what {
            "HELP" => rest.clone_into(&mut family.help),
            "TYPE" => rest.clone_into(&mut family.kind),
            "UNIT" => family.unit = Some(rest.to_owned()),
            _ => panic!("unknown: {comment}"),
        }
        name.to_owned()
    }

    fn sample(&mut self, line: &str, current: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let family = &self.families[current];
        let suffixes: &[&str] = match &*family.kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_count", "_sum"],
            "info" => &["_info"],
            "gauge" => &[""],
            other => panic!("unknown type {other} of {current}"),
        };
        let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{name} is not of {current}"));
        assert!(suffixes.contains(&suffix), "{name} is no {}", family.kind);
        assert!(labels.ends_with('}'), "{line}");
        let labels = labels.trim_end_matches('}');
        let mut keys = BTreeSet::new();
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(keys.insert(key), "the label {key} is there twice: {line}");
            assert!(is_name(key) && !value.is_empty(), "{line}");
        }
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(value >= 0.0, "{line}");
        assert_eq!(self.samples.insert(series.to_owned(), value), None, "{series} is there twice");
    }

    fn check(&self, name: &str, family: &Family) {
        assert!(is_name(name), "{name}");
        assert!(name.starts_with("hitwire_") || name.starts_with("process_"), "{name}");
        assert!(!family.kind.is_empty(), "{name} has no type");
        assert!(family.help.len() > 10 && family.help.ends_with('.'), "{name}: {}", family.help);
        if let Some(unit) = &family.unit {
            assert!(name.ends_with(&format!("_{unit}")), "{name} is in {unit}");
        }
        let in_unit = ["_seconds", "_bytes"].iter().any(|unit| name.ends_with(unit));
        assert_eq!(in_unit, family.unit.is_some(), "{name}");
        assert!(!name.ends_with("_total"), "the text format adds _total: {name}");
        if family.kind == "histogram" {
            self.check_histogram(name);
        }
    }

    fn check_histogram(&self, name: &str) {
        let prefix = format!("{name}_bucket{{");
        let mut whole = BTreeMap::new();
        for (series, count) in self.samples.iter().filter(|(series, _)| series.starts_with(&prefix)) {
            let labels = &series[prefix.len()..series.len() - 1];
            let (limits, others): (Vec<&str>, Vec<&str>) =
                labels.split(',').partition(|label| label.starts_with("le="));
            let limit = limits[0].trim_start_matches("le=").trim_matches('"').replace("+Inf", "inf");
            let limit: f64 = limit.parse().expect("a number");
            whole.entry(others.join(",")).or_insert_with(Vec::new).push((limit, *count));
        }
        assert!(!whole.is_empty(), "{name} has no classes");
        for (labels, mut classes) in whole {
            classes.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            assert!(classes.is_sorted_by_key(|(_, count)| *count), "{name}{{{labels}}}: {classes:?}");
            let (last, all) = *classes.last().expect("classes");
            assert!(last.is_infinite(), "{name} has no last class");
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            assert!((self.value(&format!("{name}_count{labels}")) - all).abs() < f64::EPSILON);
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}
