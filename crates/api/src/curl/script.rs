//! The text of the script. Whatever a sender of events or a receiver chose stands in it as one quoted word or as base64, so that it
//! neither runs nor acts on the terminal that it is pasted into.

use data_encoding::BASE64;
use hitwire_event::escape::visible;
use hitwire_store::MASK;
use std::fmt;

/// A longer body stands in the script as base64, in short lines: terminals do not take long ones.
const READABLE_BYTES_MAX: usize = 32 << 10;

/// Characters of a line of base64, as RFC 2045 has it.
const LINE: usize = 76;

/// A request as a script.
pub(super) struct Script<'a> {
    pub(super) attempt: u64,
    pub(super) integration: u64,
    pub(super) started_at: String,
    /// `POST` or `PUT`.
    pub(super) method: &'a str,
    /// Scheme, host and port of the URL.
    pub(super) origin: &'a str,
    /// None: a variable stands for it.
    pub(super) path_and_query: Option<&'a str>,
    pub(super) is_http1: bool,
    /// All but timestamp and signature; [`MASK`]: a variable stands for the value.
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) webhook_id: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) signature: Signature<'a>,
    pub(super) body: Body<'a>,
    pub(super) files: Files,
}

/// What the signature is.
pub(super) enum Signature<'a> {
    /// The request had none.
    None,
    /// The one that was sent, unless there is a secret to sign anew with.
    Recorded(&'a str),
    /// It is not shown: the script signs anew.
    Withheld,
}

/// Where the body is.
pub(super) enum Body<'a> {
    /// In the script.
    Inline(&'a [u8]),
    /// In a file, which has this name unless the user names another.
    File(Option<String>),
}

/// Certificates that the connection needs.
pub(super) struct Files {
    /// An authority of the user's own.
    pub(super) ca: bool,
    /// A client certificate with its key.
    pub(super) client: bool,
    /// The receiver's certificate is verified.
    pub(super) verify: bool,
}

impl fmt::Display for Script<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where a shell does not know comments (zsh, typed), the words of these lines must do nothing: letters, digits, commas.
        writeln!(f, "# Attempt {} of integration {}, {}", self.attempt, self.integration, self.started_at)?;
        writeln!(f, "# Runs in bash and zsh, and needs curl, and openssl to sign anew")?;
        let variables = self.variables();
        for (name, what) in &variables {
            writeln!(f, "# {name}: {what}")?;
        }
        if let Signature::Recorded(_) = self.signature {
            writeln!(
                f,
                "# HITWIRE_SIGNING_SECRET: if it is set, the request is signed anew, at the time of the call"
            )?;
        }
        // In a shell of its own: what is missing ends it, and it leaves nothing behind in the one that it is pasted into.
        writeln!(f, "(\nset -eu")?;
        for (name, _) in &variables {
            writeln!(f, ": \"${{{name}:?is not set}}\"")?;
        }
        self.write_body(f)?;
        self.write_signature(f)?;
        self.write_request(f)?;
        writeln!(f, ")")
    }
}

impl Script<'_> {
    /// What the user sets, and what it is for.
    fn variables(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut add = |name: &str, what: &str| variables.push((name.to_owned(), what.to_owned()));
        if self.path_and_query.is_none() {
            add("HITWIRE_PATH_AND_QUERY", "path and query of the URL, from the slash on");
        }
        if matches!(self.signature, Signature::Withheld) {
            add("HITWIRE_SIGNING_SECRET", "what signs, whsec_ and what follows");
        }
        if matches!(self.body, Body::File(None)) {
            add("HITWIRE_BODY_FILE", "a file with the body, which cannot be made again");
        }
        if self.files.ca {
            add("HITWIRE_CA_FILE", "the CA certificate of the integration, a PEM file");
        }
        if self.files.client {
            add("HITWIRE_CLIENT_CERT", "the client certificate, a PEM file");
            add("HITWIRE_CLIENT_KEY", "its private key, a PEM file");
        }
        for (index, (header, value)) in self.headers.iter().enumerate() {
            if *value == MASK {
                let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
                let shown: String = header.chars().map(plain).collect();
                variables.push((self.variable(index), format!("the value of the header {shown}")));
            }
        }
        variables
    }

    /// `HITWIRE_HEADER_X_TOKEN`: what stands for a header's value.
    fn variable(&self, index: usize) -> String {
        let name = |header: &str| {
            let letter = |letter: char| {
                if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }
            };
            format!("HITWIRE_HEADER_{}", header.chars().map(letter).collect::<String>())
        };
        let own = name(self.headers[index].0);
        // `x-a` and `x.a` are headers of their own.
        match self.headers[..index].iter().filter(|(other, _)| name(other) == own).count() {
            0 => own,
            before => format!("{own}__{}", before + 1),
        }
    }

    fn write_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Inline(bytes) => {
                if let Some(text) = readable(bytes) {
                    return writeln!(f, "body() {{ printf %s {}; }}", quoted(text));
                }
                writeln!(f, "body() {{\nbase64 -d <<'END'")?;
                for line in BASE64.encode(bytes).as_bytes().chunks(LINE) {
                    writeln!(f, "{}", String::from_utf8_lossy(line))?;
                }
                writeln!(f, "END\n}}")
            }
            Body::File(Some(name)) => {
                writeln!(f, "body() {{ cat -- \"${{HITWIRE_BODY_FILE:-{name}}}\"; }}")
            }
            Body::File(None) => writeln!(f, "body() {{ cat -- \"$HITWIRE_BODY_FILE\"; }}"),
        }
    }

    fn write_signature(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "timestamp={}", quoted(self.timestamp))?;
        match self.signature {
            Signature::None => Ok(()),
            Signature::Recorded(recorded) => {
                writeln!(f, "signature={}", quoted(recorded))?;
                writeln!(f, "if [ -n \"${{HITWIRE_SIGNING_SECRET:-}}\" ]; then")?;
                self.write_signing(f, "  ")?;
                writeln!(f, "fi")
            }
            Signature::Withheld => self.write_signing(f, ""),
        }
    }

    /// As the specification has it: HMAC-SHA256 of id, timestamp and body, the key being what the secret's base64 holds.
    fn write_signing(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let id = quoted(self.webhook_id);
        writeln!(f, "{indent}timestamp=$(date +%s)")?;
        writeln!(
            f,
            "{indent}key=$(printf %s \"${{HITWIRE_SIGNING_SECRET#whsec_}}\" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n')"
        )?;
        writeln!(
            f,
            "{indent}signature=v1,$({{ printf '%s.%s.' {id} \"$timestamp\"; body; }} | openssl dgst -sha256 -mac HMAC -macopt \"hexkey:$key\" -binary | openssl base64 -A)"
        )
    }

    fn write_request(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // -q: nothing out of the user's own settings. The URL is taken as it is.
        let version = if self.is_http1 { " --http1.1" } else { "" };
        write!(f, "body | curl -q -sS -i -X {}{version} --globoff --path-as-is", quoted(self.method))?;
        let next = " \\\n  ";
        if !self.files.verify {
            write!(f, "{next}--insecure")?;
        }
        if self.files.ca {
            write!(f, "{next}--cacert \"$HITWIRE_CA_FILE\"")?;
        }
        if self.files.client {
            write!(f, "{next}--cert \"$HITWIRE_CLIENT_CERT\" --key \"$HITWIRE_CLIENT_KEY\"")?;
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{next}-H ")?;
            match *value {
                MASK => write!(f, "{}\"${}\"", quoted(&format!("{name}: ")), self.variable(index))?,
                // With a colon curl would leave the header out.
                "" => write!(f, "{}", quoted(&format!("{name};")))?,
                value => write!(f, "{}", quoted(&format!("{name}: {value}")))?,
            }
        }
        write!(f, "{next}-H \"webhook-timestamp: $timestamp\"")?;
        if !matches!(self.signature, Signature::None) {
            write!(f, "{next}-H \"webhook-signature: $signature\"")?;
        }
        // What curl would add by itself.
        for name in ["accept", "content-type", "expect", "user-agent"] {
            if !self.headers.iter().any(|(own, _)| *own == name) {
                write!(f, "{next}-H '{name}:'")?;
            }
        }
        write!(f, "{next}--data-binary @- --url {}", quoted(self.origin))?;
        match self.path_and_query {
            Some(path) => writeln!(f, "{}", quoted(path)),
            None => writeln!(f, "\"$HITWIRE_PATH_AND_QUERY\""),
        }
    }
}

/// A body that people can read, and that a terminal takes as it is.
fn readable(bytes: &[u8]) -> Option<&str> {
    if bytes.len() > READABLE_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    text.split('\n').all(is_seen).then_some(text)
}

/// Every character is seen, and none acts.
fn is_seen(text: &str) -> bool {
    visible(text) == text
}

/// One word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    if text.split('\n').all(is_seen) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => word.extend(['\\', letter]),
            _ if is_seen(letter.encode_utf8(&mut [0; 4])) => word.push(letter),
            _ => {
                let mut buffer = [0; 4];
                word.extend(letter.encode_utf8(&mut buffer).bytes().map(|byte| format!("\\{byte:03o}")));
            }
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::{Command, Stdio};

    fn bash(script: &str) -> Vec<u8> {
        let ran = Command::new("bash").args(["-c", script]).stdin(Stdio::null()).output().expect("bash");
        assert!(ran.status.success(), "{}\n{script}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }

    fn script(body: Body<'_>) -> Script<'_> {
        Script {
            attempt: 7,
            integration: 1,
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            method: "POST",
            origin: "https://siem.example.com",
            path_and_query: Some("/hooks?a='b'&c=[1]"),
            is_http1: true,
            headers: vec![
                ("content-type", "application/json"),
                ("x-token", MASK),
                ("x`id`-$(id)", MASK),
                ("x-name", "it's $(id)"),
                ("x-none", ""),
                ("webhook-id", "msg_1"),
            ],
            webhook_id: "msg_1",
            timestamp: "1764107974",
            signature: Signature::Recorded("v1,abc="),
            body,
            files: Files { ca: true, client: false, verify: true },
        }
    }

    #[test]
    fn secrets_are_variables_and_what_others_chose_is_one_word() {
        let expected = r#"# Attempt 7 of integration 1, 2026-01-01T00:00:00Z
# Runs in bash and zsh, and needs curl, and openssl to sign anew
# HITWIRE_CA_FILE: the CA certificate of the integration, a PEM file
# HITWIRE_HEADER_X_TOKEN: the value of the header x-token
# HITWIRE_HEADER_X_ID____ID_: the value of the header x-id----id-
# HITWIRE_SIGNING_SECRET: if it is set, the request is signed anew, at the time of the call
(
set -eu
: "${HITWIRE_CA_FILE:?is not set}"
: "${HITWIRE_HEADER_X_TOKEN:?is not set}"
: "${HITWIRE_HEADER_X_ID____ID_:?is not set}"
body() { printf %s '[{"a":"it'\''s"}]'; }
timestamp='1764107974'
signature='v1,abc='
if [ -n "${HITWIRE_SIGNING_SECRET:-}" ]; then
  timestamp=$(date +%s)
  key=$(printf %s "${HITWIRE_SIGNING_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
  signature=v1,$({ printf '%s.%s.' 'msg_1' "$timestamp"; body; } | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
fi
body | curl -q -sS -i -X 'POST' --http1.1 --globoff --path-as-is \
  --cacert "$HITWIRE_CA_FILE" \
  -H 'content-type: application/json' \
  -H 'x-token: '"$HITWIRE_HEADER_X_TOKEN" \
  -H 'x`id`-$(id): '"$HITWIRE_HEADER_X_ID____ID_" \
  -H 'x-name: it'\''s $(id)' \
  -H 'x-none;' \
  -H 'webhook-id: msg_1' \
  -H "webhook-timestamp: $timestamp" \
  -H "webhook-signature: $signature" \
  -H 'accept:' \
  -H 'expect:' \
  -H 'user-agent:' \
  --data-binary @- --url 'https://siem.example.com''/hooks?a='\''b'\''&c=[1]'
)
"#;
        assert_eq!(script(Body::Inline(b"[{\"a\":\"it's\"}]")).to_string(), expected);
    }

    #[test]
    fn without_a_variable_nothing_is_sent() {
        let text = script(Body::Inline(b"[]")).to_string();
        let ran = Command::new("bash").args(["-c", &text]).stdin(Stdio::null()).output().expect("bash");
        assert!(!ran.status.success());
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.contains("HITWIRE_CA_FILE: is not set") && !said.contains("curl"), "{said}");
    }

    #[test]
    fn headers_whose_variables_would_be_the_same_have_one_each() {
        let mut script = script(Body::File(None));
        script.headers = vec![("x-a", MASK), ("x.a", MASK)];
        assert_eq!(
            (script.variable(0), script.variable(1)),
            ("HITWIRE_HEADER_X_A".into(), "HITWIRE_HEADER_X_A__2".into())
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_quoted_word_is_what_it_was_and_acts_on_no_terminal(text in "[^\0]{0,60}") {
            let word = quoted(&text);
            prop_assert!(word.split('\n').all(is_seen), "{word:?}");
            prop_assert_eq!(bash(&format!("printf %s {word}")), text.as_bytes());
        }

        #[test]
        fn a_body_is_what_it_was_byte_for_byte(body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "[ -~\n'\\\\$`!]{0,200}".prop_map(String::into_bytes),
        ]) {
            let text = script(Body::Inline(&body)).to_string();
            prop_assert!(text.split('\n').all(is_seen), "{text:?}");
            let begin = text.find("body() {").expect("a body");
            let end = text.find("timestamp=").expect("a timestamp");
            prop_assert_eq!(bash(&format!("{}body", &text[begin..end])), body);
        }
    }
}
