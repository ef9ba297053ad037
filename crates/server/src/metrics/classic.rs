//! The older text format of Prometheus (0.0.4), for readers that do not ask for OpenMetrics.

use std::fmt::Write as _;

/// Rewrites OpenMetrics text. Samples are the same in both; what is said of families differs: in the older format a counter's
/// family is called as its samples are, there is no type for information, and neither units nor an end are told.
pub(super) fn rewrite(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), words) => help = words,
            (Some("TYPE"), Some(name), Some(kind)) => {
                let (ending, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    kind => ("", kind),
                };
                // Writing to a String cannot fail.
                if let Some(help) = help.take() {
                    let _ = writeln!(text, "# HELP {name}{ending} {help}");
                }
                let _ = writeln!(text, "# TYPE {name}{ending} {kind}");
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_called_as_the_older_format_wants() {
        let open = "# HELP a_bytes Size.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes 7\n\
                    # HELP b Counted.\n# TYPE b counter\nb_total{x=\"# y\"} 1\n\
                    # HELP c Build.\n# TYPE c info\nc_info{version=\"1\"} 1\n# EOF\n";
        let expected = "# HELP a_bytes Size.\n# TYPE a_bytes gauge\na_bytes 7\n\
                        # HELP b_total Counted.\n# TYPE b_total counter\nb_total{x=\"# y\"} 1\n\
                        # HELP c_info Build.\n# TYPE c_info gauge\nc_info{version=\"1\"} 1\n";
        assert_eq!(rewrite(open), expected);
    }
}
