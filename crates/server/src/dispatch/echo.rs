//! What a receiver answers may be what it was sent: a debug page, an echo service. Secrets must not come back that way.

use hitwire_log::{MASK, Secret, Target};
use std::cmp::Reverse;

/// A shorter value is found in any text by chance; masking it would hide what the receiver says, and hardly the value.
const SECRET_BYTES_MIN: usize = 4;

/// The same for a part of a value, such as the token after `Bearer`: parts are words more often than values are.
const PART_BYTES_MIN: usize = 8;

/// What a receiver said, as text, with the mask in place of every header's value and signing secret of `target`, be they as
/// they were sent or as they stand in JSON. What the receiver encodes in other ways (base64, percent signs) is not found.
pub(crate) fn without_secrets(said: &[u8], target: &Target) -> String {
    let previous = target.previous_secret.as_ref().map(|previous| &previous.secret);
    let headers = target.headers.iter().map(|(_, value)| value);
    let values = headers.chain([&target.signing_secret]).chain(previous).chain(&target.signing_key);
    masked(said, values.map(Secret::expose))
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
    fn other_words_stay() {
        assert_eq!(said("go away, 1 of 2", "1"), "go away, 1 of 2");
        assert_eq!(said("Bearer tokens only", "Bearer abcdefghij"), "Bearer tokens only");
    }
}
