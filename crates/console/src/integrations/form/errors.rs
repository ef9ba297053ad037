//! What is wrong, beside the field that it is about.

use super::model::Form;
use crate::failure::FieldError;

/// What is wrong with a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(Vec<Wrong>);

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The field's id in the page; empty: the form as a whole.
    pub(super) id: String,
    pub(super) label: String,
    pub(super) message: String,
}

/// Pointers of the API, the ids of their fields, and what these are called. Of a list the entries have pointers below it.
const FIELDS: &[(&str, &str, &str)] = &[
    ("/name", "name", "Name"),
    ("/target/url", "url", "Webhook URL"),
    ("/target/http_method", "method", "Request method"),
    ("/target/headers", "headers", "Request headers"),
    ("/target/ca_file", "ca", "CA certificate"),
    ("/target/ca_verify", "verify", "Verify TLS certificate"),
    ("/target/pin_sha256", "pins", "Pinned certificates"),
    ("/target/client_cert", "client_cert", "Client certificate"),
    ("/target/client_key_password", "client_key_password", "Password"),
    ("/target/client_key", "client_key", "Private key"),
    ("/target/timeout", "timeout", "Request timeout"),
    ("/target/open_timeout", "open_timeout", "Connection timeout"),
    ("/target/http_version", "http_version", "HTTP version"),
    ("/target/proxy_credentials", "proxy_credentials", "User name and password"),
    ("/target/proxy", "proxy", "Proxy"),
    ("/target/format", "format", "Format"),
    ("/target/rendering", "rendering", "Rendering"),
    ("/target/retry", "retry", "Retries"),
    ("/target/max_events", "max_events", "Events in a request"),
    ("/target/max_bytes", "max_bytes", "Bytes in a request"),
    ("/target/rate", "rate", "Requests a minute"),
    ("/target/in_flight", "in_flight", "Requests at once"),
    ("/target/signing", "signing", "Signature"),
    ("/events", "events", "Events"),
    ("/test/event", "example", "Example"),
    ("/filter/applications", "applications", "Applications"),
    ("/filter/attack_types", "attack_types", "Attack types"),
    ("/filter/domains", "domains", "Domains"),
    ("/filter/addresses/in", "within", "Only from these addresses"),
    ("/filter/addresses/not_in", "not_in", "Not from these addresses"),
    ("/filter/block_status", "block_status", "Blocked or monitored"),
    ("/filter/min_score", "min_score", "Lowest score"),
    ("/filter/risks", "risks", "Risks"),
];

const HEADERS: &str = "/target/headers/";

impl Errors {
    /// What the API says of a form's body.
    pub(super) fn of(form: &Form, errors: &[FieldError]) -> Errors {
        let mut found = Errors::default();
        for error in errors {
            let (id, label) = field(form, &error.pointer);
            found.add(id, label, in_words_of_the_form(&error.message));
        }
        found
    }

    /// Notes an error.
    pub(super) fn add(
        &mut self,
        id: impl Into<String>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.0.push(Wrong { id: id.into(), label: label.into(), message: message.into() });
    }

    /// Notes others.
    pub(super) fn extend(&mut self, others: Errors) {
        self.0.extend(others.0);
    }

    /// All of them, in the order of finding.
    pub(super) fn all(&self) -> &[Wrong] {
        &self.0
    }

    /// Each with the name of its field, as a sentence.
    pub(super) fn in_sentences(&self) -> Vec<String> {
        self.0.iter().map(|wrong| format!("{}: {}", wrong.label, sentence(&wrong.message))).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field; empty: nothing.
    pub(super) fn at(&self, id: &str) -> String {
        let messages = self.0.iter().filter(|wrong| wrong.id == id).map(|wrong| sentence(&wrong.message));
        messages.collect::<Vec<_>>().join(" ")
    }

    /// Whether something under "advanced settings" is wrong.
    pub(super) fn is_advanced(&self) -> bool {
        self.0.iter().any(|wrong| !["", "name", "url", "events", "example"].contains(&&*wrong.id))
    }

    /// Whether one of these fields is wrong.
    pub(super) fn any(&self, ids: &[&str]) -> bool {
        self.0.iter().any(|wrong| ids.contains(&&*wrong.id))
    }
}

/// What the API calls something, and what the form calls it; what holds another one first.
const NAMES: [(&str, &str); 6] = [
    ("the base64 of a PKCS#12 file (base64 -w0 client.p12)", "a PKCS#12 file"),
    ("client_key_password", "the password"),
    ("client_cert", "the client certificate"),
    ("client_key", "the private key"),
    ("ca_file", "the CA certificate"),
    ("pin_sha256", "the list of fingerprints"),
];

/// The API's words, with what people see on the page in place of the names of fields.
fn in_words_of_the_form(message: &str) -> String {
    NAMES.iter().fold(message.to_owned(), |message, (name, called)| message.replace(name, called))
}

/// The API's words as a sentence: it says `is missing` of a field.
pub(in crate::integrations) fn sentence(message: &str) -> String {
    let message = in_words_of_the_form(message.trim_end_matches('.'));
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}

/// The field that a pointer means, and what it is called.
fn field(form: &Form, pointer: &str) -> (String, String) {
    if let Some(name) = pointer.strip_prefix(HEADERS) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let at = form.headers.iter().position(|row| row.name.eq_ignore_ascii_case(&name));
        return match at {
            Some(at) => (format!("header-{at}"), format!("Header {name}")),
            None => ("headers".to_owned(), "Request headers".to_owned()),
        };
    }
    let is_at =
        |at: &str| pointer.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match FIELDS.iter().find(|(at, _, _)| is_at(at)) {
        Some((_, id, label)) => ((*id).to_owned(), entry(label, pointer)),
        None => (String::new(), "The form".to_owned()),
    }
}

/// A label, with the place of the entry if the pointer ends with one: `Domains, line 3`.
fn entry(label: &str, pointer: &str) -> String {
    let last = pointer.rsplit('/').next().and_then(|last| last.parse::<usize>().ok());
    last.filter(|_| !pointer.starts_with("/events"))
        .map_or_else(|| label.to_owned(), |at| format!("{label}, entry {}", at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::form::model::Header;

    fn errors(of: &[(&str, &str)]) -> Errors {
        let header = |name: &str| Header { name: name.to_owned(), ..Header::default() };
        let form = Form { headers: vec![header("A"), header("X-Key")], ..Form::default() };
        let of: Vec<_> = of
            .iter()
            .map(|(pointer, message)| FieldError {
                pointer: (*pointer).to_owned(),
                message: (*message).to_owned(),
            })
            .collect();
        Errors::of(&form, &of)
    }

    #[test]
    fn each_error_of_the_api_stands_at_its_field() {
        let errors = errors(&[
            ("/target/url", "must be https"),
            ("/target/headers/x-key", "must be sent again"),
            ("/target/client_key_password", "is wrong"),
            ("/filter/domains/2", "is no name"),
            ("/events/0/event", "is no event"),
            ("/elsewhere", "is odd"),
        ]);
        let found: Vec<_> = errors.all().iter().map(|wrong| (&*wrong.id, &*wrong.label)).collect();
        let expected = [
            ("url", "Webhook URL"),
            ("header-1", "Header x-key"),
            ("client_key_password", "Password"),
            ("domains", "Domains, entry 3"),
            ("events", "Events"),
            ("", "The form"),
        ];
        assert_eq!(found, expected);
        assert_eq!(errors.at("header-1"), "Must be sent again.");
        assert_eq!(errors.at("name"), "");
        assert!(errors.is_advanced());
    }

    #[test]
    fn fields_are_called_what_they_are_called_on_the_page() {
        let errors = errors(&[
            ("/target/ca_file", "ca_file contains no certificate: paste PEM text"),
            ("/target/client_key_password", "client_key_password is wrong for client_cert"),
            (
                "/target/client_cert",
                "client_cert is neither PEM text nor the base64 of a PKCS#12 file (base64 -w0 client.p12)",
            ),
        ]);
        assert_eq!(errors.at("ca"), "The CA certificate contains no certificate: paste PEM text.");
        assert_eq!(errors.at("client_key_password"), "The password is wrong for the client certificate.");
        assert_eq!(
            errors.at("client_cert"),
            "The client certificate is neither PEM text nor a PKCS#12 file."
        );
    }

    #[test]
    fn what_is_wrong_in_plain_sight_opens_nothing() {
        assert!(!errors(&[("/target/url", "is missing"), ("/name", "is empty")]).is_advanced());
    }
}
