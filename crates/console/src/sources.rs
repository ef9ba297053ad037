//! Where events come from: the followed files, how far each is, and what to set in a tool so that its events come here.

use crate::Shared;
use crate::failure::Failure;
use crate::frame::{Frame, Nav, Tab};
use crate::session::Session;
use crate::text;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

/// What to set in ModSecurity 3. The documentation has the same lines; a test compares them.
const MODSECURITY: &str = "\
SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"
SecAuditLogFormat JSON
SecAuditLogType Serial
SecAuditLogParts ABHZ
SecAuditLog /var/log/modsec_audit.log
";

/// Where nginx loads it.
const NGINX: &str = "\
modsecurity on;
modsecurity_rules_file /etc/nginx/modsecurity.conf;
modsecurity_transaction_id \"$request_id\";
";

/// Where Apache httpd loads it, by the connector for ModSecurity 3.
const APACHE: &str = "\
modsecurity on
modsecurity_rules_file /etc/apache2/modsecurity.conf
";

/// How hitwire follows its log: as a flag.
const FLAG: &str = "--source modsecurity:/var/log/modsec_audit.log";

/// The same in the configuration file.
const TOML: &str = "\
[[source]]
type = \"modsecurity\"
path = \"/var/log/modsec_audit.log\"
";

/// How a log is rotated that its writers do not open again.
const ROTATION: &str = "\
/var/log/modsec_audit.log {
    daily
    rotate 14
    compress
    delaycompress
    copytruncate
}
";

/// An event sent by hand.
const CURL: &str = r#"curl -sS $api/v1/events -H "$auth" -H 'content-type: application/json' -d '
  {"object_type": "hit", "type": "sqli", "domain": "shop.example.com", "path": "/search", "method": "GET",
   "point": ["get", "q"], "payloads": ["'"'"' or 1=1--"], "remote_addr4": "203.0.113.7", "block_status": "blocked"}'
"#;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/settings/sources", get(show))
}

/// A source as the API tells of it.
#[derive(Clone, Debug, Deserialize)]
struct Source {
    name: String,
    path: String,
    position: u64,
    records: u64,
    hits: u64,
    errors: u64,
    last_error: Option<String>,
    lossy: u64,
    last_record_at: Option<String>,
    caught_up: bool,
    problem: Option<String>,
}

#[derive(Default, Deserialize)]
struct Found {
    sources: Vec<Source>,
}

impl Source {
    /// Its state in a word, and the class of the badge.
    fn state(&self) -> (&'static str, &'static str) {
        match (&self.problem, self.caught_up) {
            (Some(_), _) => ("in trouble", "bad"),
            (None, true) => ("caught up", "ok"),
            (None, false) => ("reading", "info"),
        }
    }

    fn last_record_ms(&self) -> Option<u64> {
        let at = self.last_record_at.as_deref()?.parse::<Timestamp>().ok()?;
        at.as_millisecond().try_into().ok()
    }

    /// What somebody can do about its problem.
    fn advice(&self) -> &'static str {
        let problem = self.problem.as_deref().unwrap_or_default();
        if problem.contains("not there") {
            "Is the path the one that the tool writes to? The file appears with its first record; a test request with an attack in \
             it makes one."
        } else if problem.contains("ermission denied") {
            "Let the user that hitwire runs as read the file, and enter its directories: by a group, or by setfacl -m u:hitwire:r."
        } else {
            "hitwire tries again by itself. Its own log says more."
        }
    }
}

#[derive(Template)]
#[template(path = "sources.html")]
struct Page {
    frame: Frame,
    sources: Vec<Source>,
    /// Where the API is, and how a token is sent.
    variables: String,
    may_make_tokens: bool,
}

async fn show(State(console): State<Shared>, session: Session) -> Result<Html<String>, Failure> {
    let found: Found = console.get(&session, "/v1/sources").await?.read()?;
    let page = Page {
        frame: Frame::new(&console, &session, Nav::Settings(Tab::Sources), "Sources"),
        sources: found.sources,
        variables: format!("api={}\nauth=\"Authorization: Bearer TOKEN\"", console.installation.url),
        may_make_tokens: console.may(&session, &Method::POST, "/v1/tokens"),
    };
    Ok(Html(page.render()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../../../docs/sources-modsecurity.md");
    const RUNNING: &str = include_str!("../../../docs/running.md");
    const API: &str = include_str!("../../../docs/api.md");

    /// As a block of the documentation, where it is indented.
    fn indented(lines: &str) -> String {
        format!("    {}\n", lines.trim_end().replace('\n', "\n    "))
    }

    #[test]
    fn the_lines_to_copy_are_those_of_the_documentation() {
        for lines in [MODSECURITY, NGINX, APACHE, ROTATION] {
            assert!(DOCUMENTED.contains(&indented(lines)), "{lines}");
        }
        assert!(DOCUMENTED.contains(FLAG));
        assert!(RUNNING.contains(TOML));
        assert!(API.contains(&indented(CURL)));
    }

    #[test]
    fn a_source_in_trouble_is_told_what_to_do() {
        let source = |problem: Option<&str>, caught_up| Source {
            name: "modsecurity:/a".to_owned(),
            path: "/a".to_owned(),
            position: 0,
            records: 0,
            hits: 0,
            errors: 0,
            last_error: None,
            lossy: 0,
            last_record_at: Some("2026-01-01T00:00:09.200Z".to_owned()),
            caught_up,
            problem: problem.map(str::to_owned),
        };
        assert_eq!(source(None, true).state(), ("caught up", "ok"));
        assert_eq!(source(None, false).state(), ("reading", "info"));
        assert_eq!(source(None, true).last_record_ms(), Some(1_767_225_609_200));
        let denied = source(Some("the file cannot be read: Permission denied (os error 13)"), false);
        assert_eq!(denied.state(), ("in trouble", "bad"));
        assert!(denied.advice().contains("user that hitwire runs as"));
        assert!(source(Some("the file is not there yet"), false).advice().contains("the path"));
    }
}
