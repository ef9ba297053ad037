//! `hitwire integration check-signature`: why a received message verifies, or does not.

use super::{Desk, id_of, secret};
use crate::failure::{Failure, Origins};
use crate::pages::moment;
use crate::table::Facts;
use crate::terminal::{Style, Terminal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::PathBuf;

const ORIGINS: &Origins =
    &[("/headers", "--headers"), ("/body_base64", "--body"), ("/received_at", "--received-at")];

/// What `hitwire integration check-signature` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The integration that sent it: its id, or its name
    #[arg(value_name = "ID|NAME")]
    which: String,

    /// The file with the message's headers, a line each: webhook-id: msg_...
    #[arg(long, value_name = "FILE")]
    headers: PathBuf,

    /// The file with the message's body, byte for byte
    #[arg(long, value_name = "FILE")]
    body: PathBuf,

    /// When it was received: 2026-01-31T07:29:23Z, Unix seconds, or how long ago (12h) [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    received_at: Option<String>,

    /// The variable with what the receiver verifies with (whsec_, whpk_), to be compared
    #[arg(long, value_name = "VARIABLE")]
    secret_from_env: Option<String>,
}

impl Desk {
    /// Has a message looked at; fails if a receiver would not accept it.
    pub(super) async fn check_signature(&mut self, args: Args) -> Result<(), Failure> {
        let Args { which, headers, body, received_at, secret_from_env } = args;
        let bytes = std::fs::read(&body)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", body.display())))?;
        let mut call = json!({"headers": secret::file(&headers)?, "body_base64": STANDARD.encode(bytes)});
        if let Some(at) = received_at {
            call["received_at"] = seconds(&at).into();
        }
        if let Some(name) = secret_from_env {
            call["secret"] = secret::variable(&name)?.into();
        }
        let id = id_of(&self.find(&which).await?)?;
        let path = self.tenant.path(&format!("{}/{id}/check-signature", super::PATH));
        let found = self.session.posted(&path, call).await;
        let found = found.map_err(|error| Failure::of_call(error, ORIGINS))?;
        self.output.print(&found.json, |terminal| in_words(&found.value, terminal))?;
        if found.is("/accepted") {
            return Ok(());
        }
        Err(Failure::Runtime("a receiver does not accept the message".to_owned()))
    }
}

/// Unix seconds of a moment that [`moment`] has read.
fn seconds(text: &str) -> i64 {
    let written = || text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).ok();
    text.parse().ok().or_else(written).unwrap_or_default()
}

fn in_words(found: &Value, terminal: Terminal) -> String {
    let mut facts = Facts::default();
    let (word, style) = if found["accepted"] == true {
        ("accepted", Style::Good)
    } else if found["fits"] == true {
        ("the signature fits, but the message is not accepted", Style::Bad)
    } else {
        ("no signature fits", Style::Bad)
    };
    facts.add("outcome", crate::table::Cell::from(word).styled(style));
    let list = |name: &str| found[name].as_array().into_iter().flatten();
    for finding in list("findings") {
        facts.add("finding", finding["text"].as_str().unwrap_or_default());
    }
    for given in list("signatures") {
        let key = given["fits"]
            .as_str()
            .map_or("fits no key".to_owned(), |key| format!("fits {}", key.replace('_', " ")));
        facts.add("received", format!("{}: {key}", given["signature"].as_str().unwrap_or_default()));
    }
    for expected in list("expected") {
        let key = expected["key"].as_str().unwrap_or_default().replace('_', " ");
        facts.add("expected", format!("{} by the {key}", expected["begins"].as_str().unwrap_or_default()));
    }
    facts.maybe("attempt", found["attempt"].as_u64().map(|id| id.to_string()));
    facts.lines(terminal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_listed() {
        let found = json!({"fits": false, "accepted": false, "attempt": 7,
            "findings": [{"code": "trailing_newline", "text": "A line's end was added."}],
            "signatures": [{"signature": "v1,abc=", "fits": null}],
            "expected": [{"key": "current_secret", "begins": "v1,g0hM9SsE..."}]});
        insta::assert_snapshot!(in_words(&found, Terminal::plain()), @r"
          outcome   no signature fits
          finding   A line's end was added.
          received  v1,abc=: fits no key
          expected  v1,g0hM9SsE... by the current secret
          attempt   7
        ");
        assert_eq!(seconds("2026-01-01T00:00:01Z"), 1_767_225_601);
        assert_eq!(seconds("1767225601"), 1_767_225_601);
    }
}
