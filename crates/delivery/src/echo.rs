//! What a receiver answers may be what it was sent: a debug page, an echo service. Secrets must not come back that way.

use hitwire_store::{MASK, Secret, Target};
use std::cmp::Reverse;
use url::{Position, Url, form_urlencoded};

/// A shorter value is found in any text by chance; masking it would hide what the receiver says, and hardly the value.
const SECRET_BYTES_MIN: usize = 4;

/// The same for a part of a value, such as the token after `Bearer`: parts are words more often than values are.
const PART_BYTES_MIN: usize = 8;

/// What a receiver said, as text, with the mask in place of every header's value and signing secret of `target`, and of its
/// URL's path and query with their longer parts, be they as they were sent or as they stand in JSON. What the receiver encodes in other ways (base64, percent signs) is not found.
pub fn without_secrets(said: &[u8], target: &Target) -> String {
    let previous = target.previous_secret.as_ref().map(|previous| &previous.secret);
    let headers = target.headers.iter().map(|(_, value)| value);
    let values = headers.chain([&target.signing_secret]).chain(previous).chain(&target.signing_key);
    let of_url = parts_of_url(target.url.expose());
    masked(said, values.map(Secret::expose).chain(of_url.iter().map(Secret::expose)))
}

/// What of a URL is secret: its path and query, whole and in those parts that are long enough to be a secret by themselves,
/// as they are written and decoded.
fn parts_of_url(url: &str) -> Vec<Secret> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    let path_and_query = &url[Position::BeforePath..Position::AfterQuery];
    let whole = [path_and_query, url.path()].into_iter().filter(|text| text.len() > PART_BYTES_MIN);
    let segments = url.path_segments().into_iter().flatten();
    let values = url.query().into_iter().flat_map(|query| query.split(['&', '=']));
    let parts = segments.chain(values).filter(|part| part.len() >= PART_BYTES_MIN);
    let mut secrets: Vec<Secret> = whole.chain(parts.clone()).map(Secret::new).collect();
    // A parameter's name and value are decoded as a form's, a segment as well: no plus sign stands for a blank there, but
    // then the text is none that a receiver would show.
    let decoded = parts.flat_map(|part| form_urlencoded::parse(part.as_bytes()).into_owned());
    secrets
        .extend(decoded.map(|(text, _)| text).filter(|text| text.len() >= PART_BYTES_MIN).map(Secret::new));
    secrets
}

fn masked<'a>(said: &[u8], values: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::from_utf8_lossy(said).into_owned();
    let secrets = spellings(values);
    for secret in &secrets {
        if text.contains(secret.expose()) {
            text = text.replace(secret.expose(), MASK);
        }
    }
    // What is kept of an answer may end in the middle of a secret.
    if let Some(begun) = secrets.iter().filter_map(|secret| begun_at_the_end(&text, secret.expose())).min() {
        text.truncate(begun);
        text.push_str(MASK);
    }
    text
}

/// Everything to be masked, the longest first, so that nothing is left of a value that holds another one.
fn spellings<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for value in values {
        let whole = Some(value.trim()).filter(|value| value.len() >= SECRET_BYTES_MIN);
        let parts = value.split_whitespace().filter(|part| part.len() >= PART_BYTES_MIN);
        for text in whole.into_iter().chain(parts) {
            secrets.push(Secret::new(text));
            let json = Secret::new(serde_json::Value::from(text).to_string());
            if let Some(inner) = json.expose().get(1..json.expose().len() - 1).filter(|inner| *inner != text)
            {
                secrets.push(Secret::new(inner));
            }
        }
    }
    secrets.sort_by_key(|secret| Reverse(secret.expose().len()));
    secrets
}

/// Where at the end of `text` a secret begins that is cut off.
fn begun_at_the_end(text: &str, secret: &str) -> Option<usize> {
    let lengths = secret.char_indices().map(|(length, _)| length).rev();
    let mut enough = lengths.take_while(|length| *length >= SECRET_BYTES_MIN);
    let cut = enough.find(|length| text.ends_with(&secret[..*length]))?;
    Some(text.len() - cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, value: &str) -> String {
        masked(text.as_bytes(), [value].into_iter())
    }

    #[test]
    fn what_a_receiver_repeats_is_masked() {
        assert_eq!(said("you sent Bearer abcdefghij!", "Bearer abcdefghij"), "you sent ********!");
        assert_eq!(said("the token abcdefghij is old", "Bearer abcdefghij"), "the token ******** is old");
        assert_eq!(said(r#"{"x-a":"say \"friend\""}"#, r#"say "friend""#), r#"{"x-a":"********"}"#);
    }

    #[test]
    fn a_secret_that_is_cut_off_is_masked_too() {
        assert_eq!(said("you sent Bearer abcd", "Bearer abcdefghij"), "you sent ********");
        assert_eq!(said("you sent grüße-", "grüße-und-kuss"), "you sent ********");
    }

    #[test]
    fn the_secret_parts_of_a_url_are_masked_as_pages_of_errors_show_them() {
        let url = "https://hooks.example.com/services/T0/B0/SECRETSECRET?key=other%20secret&a=b";
        let secrets = parts_of_url(url);
        let said = |text: &str| masked(text.as_bytes(), secrets.iter().map(Secret::expose));
        assert_eq!(said("Cannot POST /services/T0/B0/SECRETSECRET"), "Cannot POST ********");
        assert_eq!(
            said("no hook SECRETSECRET at hooks.example.com"),
            "no hook ******** at hooks.example.com"
        );
        assert_eq!(said("unknown key 'other secret'"), "unknown key '********'");
        let root = parts_of_url("https://example.com/");
        assert_eq!(masked(b"see / or /a", root.iter().map(Secret::expose)), "see / or /a");
    }

    #[test]
    fn other_words_stay() {
        assert_eq!(said("go away, 1 of 2", "1"), "go away, 1 of 2");
        assert_eq!(said("Bearer tokens only", "Bearer abcdefghij"), "Bearer tokens only");
    }
}
