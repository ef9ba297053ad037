//! Why a received message verifies, or does not: for people who look for the difference. [`verify`] says yes or no;
//! this looks at everything that may have gone wrong, and knows more than a receiver: all keys, and what was sent.
//!
//! It shows no key, and of what was expected only as much as tells one signature from another: whoever asks must not be able to
//! have messages signed here.

use data_encoding::BASE64;
use hitwire_endpoint::sign::{
    PUBLIC_KEY_PREFIX, SECRET_PREFIX, Signed, TOLERANCE_S, check_verifier, public_key, sign, verify,
};
use std::borrow::Cow;

/// Signatures of the header that are looked at, as [`verify`] does.
const SIGNATURES_MAX: usize = 16;

/// Characters of an expected signature that are shown after its scheme: enough to compare, too few to be used.
const SHOWN_CHARS: usize = 8;

/// Bytes around the first difference of two bodies.
const EXCERPT_BYTES: usize = 24;

/// The headers that a message is verified with.
const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// A key that signs, and what people call it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigningKey<'a> {
    /// `current_secret`, `previous_secret`, `signing_key`
    pub(super) name: &'static str,
    /// `whsec_...` or `whsk_...`
    pub(super) text: &'a str,
    /// From then on it signs no more (Unix seconds).
    pub(super) expires_at: Option<u64>,
}

/// A message as it was received, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// All that may have signed it.
    pub(super) keys: &'a [SigningKey<'a>],
    /// Its headers; names in any case.
    pub(super) headers: &'a [(String, String)],
    /// Its body.
    pub(super) body: &'a [u8],
    /// When it was received, Unix seconds.
    pub(super) received_s: u64,
    /// Whether that is known; else it is the present time.
    pub(super) is_received_known: bool,
    /// What the receiver verifies with.
    pub(super) held: Option<&'a str>,
    /// What was sent under this `webhook-id`.
    pub(super) sent: Option<&'a SentMessage>,
}

/// What was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct SentMessage {
    /// The body, where it can be made again.
    pub(super) body: Option<Vec<u8>>,
    /// When each attempt was made, Unix seconds, about.
    pub(super) at_s: Vec<u64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    /// One of its signatures fits one of the keys.
    pub(super) fits: bool,
    /// A receiver with these keys takes it at that time.
    pub(super) accepted: bool,
    /// What was found, the most important first.
    pub(super) findings: Vec<Finding>,
    /// Each signature of the header, in its order; at most 16.
    pub(super) given: Vec<GivenSignature>,
    /// What each key makes of this id, timestamp and body.
    pub(super) expected: Vec<ExpectedSignature>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// In a word, for programs.
    pub(super) code: &'static str,
    /// In words.
    pub(super) text: String,
}

/// A signature of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenSignature {
    /// As it stands there.
    pub(super) text: String,
    /// The name of the key that it fits; none: it fits no key.
    pub(super) fits: Option<&'static str>,
}

/// What a key makes of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpectedSignature {
    /// The key's name.
    pub(super) key: &'static str,
    /// The beginning: `v1,g0hM9SsE...`.
    pub(super) begins: String,
}

/// Explains a message.
pub(super) fn explain(message: &Message<'_>) -> Explanation {
    let mut findings = Findings::default();
    let [id, timestamp, signature] = HEADERS.map(|name| header(message, name, &mut findings));
    let (Some(id), Some(timestamp), Some(signature)) = (id, timestamp, signature) else {
        let given = Vec::new();
        held(message, None, &mut findings);
        return Explanation {
            fits: false,
            accepted: false,
            findings: findings.0,
            given,
            expected: Vec::new(),
        };
    };
    let parts = signatures(signature, &mut findings);
    let signed = Signed { id, timestamp, signature };
    let fitting = |part: &str, body: &[u8]| fitting(message, Signed { signature: part, ..signed }, body);
    let given: Vec<_> = parts
        .iter()
        .map(|part| GivenSignature {
            text: (*part).to_owned(),
            fits: fitting(part, message.body).map(|key| key.name),
        })
        .collect();
    let fits = given.iter().any(|signature| signature.fits.is_some());
    let is_in_time = in_time(message, timestamp, &mut findings);
    if fits {
        expired(message, &given, &mut findings);
    } else if !parts.is_empty() {
        let any = |body: &[u8]| parts.iter().any(|part| fitting(part, body).is_some());
        why_not(message, signed, &any, &mut findings);
    }
    held(message, Some((signed, &parts)), &mut findings);
    let expected = expected(message, signed);
    let is_live = given.iter().any(|signature| {
        let key = message.keys.iter().find(|key| Some(key.name) == signature.fits);
        key.is_some_and(|key| key.expires_at.is_none_or(|at| message.received_s < at))
    });
    Explanation { fits, accepted: fits && is_in_time && is_live, findings: findings.0, given, expected }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, code: &'static str, text: impl Into<String>) {
        self.0.push(Finding { code, text: text.into() });
    }
}

/// A header that must be there once.
fn header<'a>(message: &Message<'a>, name: &'static str, findings: &mut Findings) -> Option<&'a str> {
    let mut values = message.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let first = values.next().map(|(_, value)| value.trim());
    if values.any(|(_, value)| Some(value.trim()) != first) {
        findings.add("header_twice", format!("The header {name} is there more than once, with different values; the first one is looked at."));
    }
    match first {
        Some("") => {
            findings.add("missing_header", format!("The header {name} is empty."));
            None
        }
        None => {
            let suffix = name.trim_start_matches("webhook");
            let other = message.headers.iter().map(|(other, _)| other.to_ascii_lowercase());
            let other = other.into_iter().find(|other| other.ends_with(suffix) && other.contains('-'));
            let hint = other.map_or_else(
                || "Proxies and frameworks may drop headers that they do not know.".to_owned(),
                |other| format!("There is {other:?}; hitwire sends {name}."),
            );
            findings.add("missing_header", format!("The header {name} is missing. {hint}"));
            None
        }
        found => found,
    }
}

/// The signatures of the header, those of which something is said too.
fn signatures<'a>(header: &'a str, findings: &mut Findings) -> Vec<&'a str> {
    let parts: Vec<_> = header.split_ascii_whitespace().collect();
    if parts.len() > SIGNATURES_MAX {
        findings.add(
            "many_signatures",
            format!("There are {} signatures; the first {SIGNATURES_MAX} are looked at.", parts.len()),
        );
    }
    for part in parts.iter().take(SIGNATURES_MAX) {
        let Some((scheme, value)) = part.split_once(',') else {
            let text = if part.contains('=')
                && part.split('=').next().is_some_and(|name| name.starts_with("sha"))
            {
                "A signature is written as other senders do (sha256=...). hitwire's are v1, or v1a, and base64."
            } else {
                "A signature has no scheme. It must begin with \"v1,\" or \"v1a,\"; the whole value of the header is needed, not the part after the comma."
            };
            findings.add("malformed_signature", text);
            continue;
        };
        let length = match scheme {
            "v1" => 32,
            "v1a" => 64,
            _ => {
                findings.add("unknown_scheme", format!("A signature has the scheme {scheme:?}. hitwire signs with v1 (HMAC-SHA256) and v1a (Ed25519)."));
                continue;
            }
        };
        if value.contains(',') {
            findings.add("malformed_signature", "Several signatures stand between commas. In the header they are separated by blanks; was it joined from several headers?");
            continue;
        }
        match BASE64.decode(value.as_bytes()) {
            Ok(bytes) if bytes.len() == length => {}
            Ok(bytes) => findings.add(
                "malformed_signature",
                format!(
                    "A {scheme} signature holds {} bytes instead of {length}: it is cut, or is none.",
                    bytes.len()
                ),
            ),
            Err(_) if value.len() == 2 * length && value.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                findings.add(
                    "malformed_signature",
                    format!("A {scheme} signature is in hexadecimal; it must be base64."),
                );
            }
            Err(_) => findings.add("malformed_signature", format!("A {scheme} signature is no base64.")),
        }
    }
    parts.into_iter().take(SIGNATURES_MAX).collect()
}

/// Digits alone, as [`verify`] reads a timestamp.
fn decimal(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// The key that one signature fits.
fn fitting<'a>(message: &Message<'a>, signed: Signed<'_>, body: &[u8]) -> Option<SigningKey<'a>> {
    // The time is looked at apart.
    let now_s = decimal(signed.timestamp)?;
    message.keys.iter().copied().find(|key| {
        let verifier =
            if key.text.starts_with(SECRET_PREFIX) { Ok(key.text.to_owned()) } else { public_key(key.text) };
        verifier.is_ok_and(|verifier| verify(&[verifier], signed, body, now_s).is_ok())
    })
}

/// Whether a receiver takes the timestamp.
fn in_time(message: &Message<'_>, timestamp: &str, findings: &mut Findings) -> bool {
    let Some(at_s) = decimal(timestamp) else {
        findings.add("timestamp_invalid", "webhook-timestamp is not a whole number of seconds.");
        return false;
    };
    let away = at_s.abs_diff(message.received_s);
    if away <= TOLERANCE_S {
        return true;
    }
    let looks_like_ms = (at_s / 1_000).abs_diff(message.received_s) < 400 * 86_400;
    let text = if at_s > message.received_s && looks_like_ms {
        "webhook-timestamp is in milliseconds; hitwire sends seconds: it was changed on its way.".to_owned()
    } else {
        let side = if at_s < message.received_s { "before" } else { "after" };
        let when = if message.is_received_known {
            "the time that was given for its arrival; a receiver takes 5 minutes. Compare its clock, and look for queues before it"
        } else {
            "now. That says nothing of when it arrived; give the time of its arrival to have it checked. A receiver takes 5 minutes"
        };
        format!("webhook-timestamp is {} {side} {when}.", span(away))
    };
    findings.add(if at_s < message.received_s { "timestamp_too_old" } else { "timestamp_too_new" }, text);
    false
}

/// `7 s`, `12 min`, `3 h`, `2 d`
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// What there is to say of a signature that fits.
fn expired(message: &Message<'_>, given: &[GivenSignature], findings: &mut Findings) {
    let names: Vec<_> = given.iter().filter_map(|signature| signature.fits).collect();
    let fits = |name: &str| names.contains(&name);
    if fits("previous_secret") && !fits("current_secret") {
        findings.add("previous_secret", "It was signed with the previous secret alone. The secret was replaced after that, or a signature was cut off.");
    }
    for key in message.keys.iter().filter(|key| fits(key.name)) {
        if key.expires_at.is_some_and(|at| at <= message.received_s)
            && names.iter().all(|name| *name == key.name)
        {
            findings.add("secret_expired", "The previous secret signs no more: its time after the rotation is over. The receiver must verify with the new one.");
        }
    }
}

/// Why no signature fits.
fn why_not(message: &Message<'_>, signed: Signed<'_>, fits: &dyn Fn(&[u8]) -> bool, findings: &mut Findings) {
    if let Some(sent) = message.sent.and_then(|sent| sent.body.as_deref())
        && sent != message.body
    {
        let same = if fits(sent) { " With the body that was sent, the signature is right." } else { "" };
        let (code, text) = difference(sent, message.body);
        findings
            .add(code, format!("{text}{same} Verify the bytes as they came, before anything parses them."));
        return;
    }
    if let Some((code, text)) =
        variants(message.body).into_iter().find_map(|(code, text, body)| fits(&body).then_some((code, text)))
    {
        findings.add(code, format!("{text} Without that, the signature is right. Verify the bytes as they came, before anything parses them."));
        return;
    }
    let Some(sent) = message.sent else {
        let id: String = signed.id.chars().take(80).collect();
        findings.add("unknown_message", format!("No attempt of this integration with the webhook-id {id:?} is on record: it belongs to another integration, was changed, or is too old."));
        findings.add("wrong_secret", "No key of this integration makes this signature: it was made with another one, or id, timestamp or body were changed.");
        return;
    };
    let at_s = decimal(signed.timestamp);
    if !sent.at_s.is_empty() && at_s.is_some_and(|at_s| sent.at_s.iter().all(|sent| sent.abs_diff(at_s) > 2))
    {
        findings.add("timestamp_changed", "No attempt with this webhook-id was made at this timestamp: it was changed, or stands beside the signature of another attempt.");
        return;
    }
    let text = match sent.body {
        Some(_) => {
            "webhook-id and body are those that were sent, but no key of this integration makes this signature: it was made before the secret was replaced, or it was changed."
        }
        None => {
            "No key of this integration makes this signature: it was made before the secret was replaced, or the body was changed. What was sent cannot be made again, so that the body cannot be compared."
        }
    };
    findings.add("wrong_secret", text);
}

/// What the receiver verifies with.
fn held(message: &Message<'_>, signed: Option<(Signed<'_>, &[&str])>, findings: &mut Findings) {
    let Some(held) = message.held else { return };
    let trimmed = held.trim();
    if held != trimmed {
        findings.add(
            "held_with_blanks",
            "The receiver's secret has blanks or a line's end around it; leave them out.",
        );
    }
    let padded = |text: &str| text.trim_end_matches('=').to_owned();
    let public = |key: &SigningKey<'_>| public_key(key.text).ok();
    let same = message.keys.iter().find(|key| {
        padded(key.text) == padded(trimmed)
            || public(key).is_some_and(|public| padded(&public) == padded(trimmed))
    });
    if let Some(key) = same {
        let text = match key.name {
            "current_secret" => "The receiver has the integration's secret.",
            "previous_secret" => {
                "The receiver has the previous secret. It was replaced: give it the new one."
            }
            _ => "The receiver has the integration's public key; it fits signatures v1a alone.",
        };
        findings.add("held_key", text);
        return;
    }
    let without_prefix = message
        .keys
        .iter()
        .any(|key| key.text.strip_prefix(SECRET_PREFIX).is_some_and(|rest| padded(rest) == padded(trimmed)));
    if without_prefix {
        findings.add("held_without_prefix", "The receiver's secret lacks \"whsec_\". Libraries take it off and read base64; what is used as it stands is another key.");
        return;
    }
    if let Err(error) = check_verifier(trimmed) {
        findings.add("held_malformed", format!("The receiver's secret cannot verify anything: {error}."));
        return;
    }
    let kind = if trimmed.starts_with(PUBLIC_KEY_PREFIX) { "public key" } else { "secret" };
    let fits = signed.is_some_and(|(signed, parts)| {
        let now_s = decimal(signed.timestamp).unwrap_or_default();
        parts
            .iter()
            .any(|part| verify(&[trimmed], Signed { signature: part, ..signed }, message.body, now_s).is_ok())
    });
    let text = if fits {
        format!(
            "The receiver's {kind} fits the signature, but is none of this integration: the message comes from another one, or from before a rotation."
        )
    } else {
        format!("The receiver's {kind} is none of this integration.")
    };
    findings.add("held_other", text);
}

fn expected(message: &Message<'_>, signed: Signed<'_>) -> Vec<ExpectedSignature> {
    let Some(timestamp_s) = decimal(signed.timestamp) else { return Vec::new() };
    let of = |key: &SigningKey<'_>| {
        let signature = sign(&[key.text], signed.id, timestamp_s, message.body).ok()?;
        let comma = signature.find(',')? + 1;
        let shown = &signature[..(comma + SHOWN_CHARS).min(signature.len())];
        Some(ExpectedSignature { key: key.name, begins: format!("{shown}...") })
    };
    message.keys.iter().filter_map(of).collect()
}

/// Where two bodies differ: in a word, and in words.
fn difference(sent: &[u8], got: &[u8]) -> (&'static str, String) {
    if let Some((code, text, _)) = variants(got).into_iter().find(|(_, _, body)| **body == *sent) {
        return (code, text);
    }
    let changed = |text: String| ("body_changed", text);
    let at = sent.iter().zip(got).take_while(|(sent, got)| sent == got).count();
    if at == got.len() {
        return ("body_cut", format!("The body was cut: it has {} of {} bytes.", got.len(), sent.len()));
    }
    if at == sent.len() {
        return changed(format!(
            "The body has {} bytes after the {} that were sent.",
            got.len() - sent.len(),
            sent.len()
        ));
    }
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let (code, kind) = match (json(sent), json(got)) {
        (Some(sent), Some(got)) if sent == got => (
            "json_rewritten",
            "The body is the same JSON, written in another way: it was parsed and written again.",
        ),
        _ => ("body_changed", "The body was changed."),
    };
    let excerpt = |bytes: &[u8]| {
        let begin = at.saturating_sub(EXCERPT_BYTES / 2);
        let end = (at + EXCERPT_BYTES / 2).min(bytes.len());
        format!("{:?}", String::from_utf8_lossy(&bytes[begin..end]))
    };
    (
        code,
        format!(
            "{kind} The first difference is at byte {at}: {} was sent, {} is here.",
            excerpt(sent),
            excerpt(got)
        ),
    )
}

/// The body without what is often done to it: a word, what was done, and the body as it may have been before.
fn variants(body: &[u8]) -> Vec<(&'static str, String, Cow<'_, [u8]>)> {
    let mut variants: Vec<(&'static str, String, Cow<'_, [u8]>)> = Vec::new();
    let mut add =
        |code, text: &str, before: Cow<'static, [u8]>| variants.push((code, text.to_owned(), before));
    let text = "A line's end was added at the end of the body.";
    let trimmed = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n"));
    if let Some(trimmed) = trimmed {
        add("trailing_newline", text, trimmed.to_vec().into());
    }
    add(
        "trailing_newline_lost",
        "The line's end at the end of the body was left out.",
        [body, b"\n"].concat().into(),
    );
    if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        add("byte_order_mark", "A byte order mark was put before the body.", rest.to_vec().into());
    }
    if body.contains(&b'\r') {
        let unix: Vec<u8> = lines(body).collect();
        add("line_ends", "Line ends were changed to CR LF.", unix.into());
    }
    let blanks = body.trim_ascii();
    if blanks.len() < body.len() {
        add("blanks", "Blanks or lines were added around the body.", blanks.to_vec().into());
    }
    // hitwire writes JSON without blanks, and every character as itself.
    let compact = compact(body);
    if compact != body {
        add(
            "json_rewritten",
            "The JSON was written again, with blanks between its parts.",
            compact.clone().into(),
        );
    }
    let plain = unescaped(&compact);
    if plain != compact {
        add(
            "json_rewritten",
            "The JSON was written again, with characters escaped that were not.",
            plain.into(),
        );
    }
    variants
}

/// The same with LF for CR LF.
fn lines(body: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let next = body.iter().skip(1).chain([&0]);
    body.iter().zip(next).filter(|(byte, next)| !(**byte == b'\r' && **next == b'\n')).map(|(byte, _)| *byte)
}

/// JSON without the blanks between its parts; of what is none, anything.
fn compact(json: &[u8]) -> Vec<u8> {
    let (mut inside, mut escaped) = (false, false);
    let keeps = |byte: &&u8| {
        let blank = !inside && matches!(**byte, b' ' | b'\n' | b'\r' | b'\t');
        match (**byte, inside, escaped) {
            (_, true, true) => escaped = false,
            (b'\\', true, false) => escaped = true,
            (b'"', _, false) => inside = !inside,
            _ => {}
        }
        !blank
    };
    json.iter().filter(keeps).copied().collect()
}

/// JSON with `\/` and escapes of characters that need none written out; of what is none, anything.
fn unescaped(json: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(json) else { return json.to_vec() };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (written, length) = match rest.as_bytes().get(1) {
            Some(b'/') => (Some('/'), 2),
            Some(b'u') => code_point(rest),
            _ => (None, 2),
        };
        let length = length.min(rest.len());
        let length = rest.ceil_char_boundary(length);
        match written {
            Some(letter) => plain.push(letter),
            None => plain.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain.into_bytes()
}

/// The character that `\u` at the beginning stands for, if it could stand by itself, and how many bytes it takes.
fn code_point(text: &str) -> (Option<char>, usize) {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let Some(first) = unit(text) else { return (None, 2) };
    let second = text.get(6..).and_then(unit);
    let (letter, length) = match (first, second) {
        (0xd800..=0xdbff, Some(second)) => {
            (char::decode_utf16([first, second]).next().and_then(Result::ok), 12)
        }
        _ => (char::from_u32(first.into()), 6),
    };
    (letter.filter(|letter| *letter >= '\u{20}' && !matches!(letter, '"' | '\\')), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OLD: &str = "whsec_CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    const OTHER: &str = "whsec_CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
    const KEY: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const NOW_S: u64 = 1_764_107_974;
    const BODY: &str = r#"[{"domain":"a/b","payloads":["\u0001ü"],"n":1.10}]"#;

    fn signed(keys: &[&str], body: &str) -> Vec<(String, String)> {
        let signature = sign(keys, "msg_1", NOW_S, body.as_bytes()).expect("signed");
        let header = |name: &str, value: String| (name.to_owned(), value);
        vec![
            header("Webhook-Id", "msg_1".to_owned()),
            header("Webhook-Timestamp", NOW_S.to_string()),
            header("Webhook-Signature", signature),
        ]
    }

    /// Of an integration with a secret that replaced another one.
    static KEYS: [SigningKey<'static>; 3] = [
        SigningKey { name: "current_secret", text: SECRET, expires_at: None },
        SigningKey { name: "previous_secret", text: OLD, expires_at: Some(NOW_S + 1_000) },
        SigningKey { name: "signing_key", text: KEY, expires_at: None },
    ];

    /// What is found in a message that was changed so.
    fn found<'a>(change: impl FnOnce(&mut Message<'a>, &mut Vec<(String, String)>)) -> Explanation {
        let mut headers = signed(&[SECRET, OLD, KEY], BODY);
        let mut message = Message {
            keys: &KEYS,
            headers: &[],
            body: BODY.as_bytes(),
            received_s: NOW_S + 3,
            is_received_known: true,
            held: None,
            sent: None,
        };
        change(&mut message, &mut headers);
        let message = Message { headers: &headers, ..message };
        explain(&message)
    }

    fn codes(explanation: &Explanation) -> Vec<&'static str> {
        explanation.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_was_sent_is_accepted_and_each_signature_has_its_key() {
        let explanation = found(|_, _| {});
        assert_eq!((explanation.fits, explanation.accepted, codes(&explanation)), (true, true, vec![]));
        let fits: Vec<_> = explanation.given.iter().filter_map(|signature| signature.fits).collect();
        assert_eq!(fits, ["current_secret", "previous_secret", "signing_key"]);
        for (given, expected) in explanation.given.iter().zip(&explanation.expected) {
            let begins = expected.begins.strip_suffix("...").expect("a part");
            assert!(given.text.starts_with(begins) && begins.len() < 13, "{begins}");
        }
    }

    #[test]
    fn what_was_done_to_the_body_is_named_whether_it_is_known_what_was_sent_or_not() {
        let pretty = "[\n  {\n    \"domain\": \"a/b\",\n    \"payloads\": [\n      \"\\u0001ü\"\n    ],\n    \"n\": 1.10\n  }\n]";
        let sent = SentMessage { body: Some(BODY.into()), at_s: vec![NOW_S] };
        for (body, code) in [
            (format!("{BODY}\n"), "trailing_newline"),
            (format!("{BODY}\r\n"), "trailing_newline"),
            (format!("\u{feff}{BODY}"), "byte_order_mark"),
            (format!("  {BODY}"), "blanks"),
            (BODY.replace("\":", "\": ").replace(',', ", "), "json_rewritten"),
            (BODY.replace('/', "\\/").replace('ü', "\\u00fc"), "json_rewritten"),
            (pretty.to_owned(), "json_rewritten"),
        ] {
            for sent in [None, Some(&sent)] {
                let explanation = found(|message, _| {
                    message.body = body.as_bytes();
                    message.sent = sent;
                });
                assert_eq!((explanation.fits, explanation.accepted), (false, false), "{body}");
                assert_eq!(codes(&explanation), [code], "{body} {:?}", explanation.findings);
                let text = &explanation.findings[0].text;
                assert!(text.contains("the signature is right"), "{text}");
            }
        }
        for (body, code, words) in [
            (r#"[{"n":1.10,"domain":"a/b","payloads":["\u0001ü"]}]"#, "json_rewritten", "byte 3"),
            (r#"[{"domain":"a/c","payloads":["\u0001ü"],"n":1.10}]"#, "body_changed", "byte 14"),
            (&BODY[..20], "body_cut", "20 of"),
        ] {
            let explanation = found(|message, _| {
                message.body = body.as_bytes();
                message.sent = Some(&sent);
            });
            assert_eq!(codes(&explanation), [code], "{:?}", explanation.findings);
            assert!(explanation.findings[0].text.contains(words), "{}", explanation.findings[0].text);
        }
    }

    #[test]
    fn what_is_wrong_with_headers_and_times_is_named() {
        let of = |name: usize, value: &str| found(|_, headers| headers[name].1 = value.to_owned());
        let hex = "ab".repeat(32);
        for (name, value, code) in [
            (0, "", "missing_header"),
            (1, "1764107974000", "timestamp_too_new"),
            (1, "soon", "timestamp_invalid"),
            (2, "sha256=0011", "malformed_signature"),
            (2, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "malformed_signature"),
            (2, "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "unknown_scheme"),
            (2, "v1,c2hvcnQ=", "malformed_signature"),
            (2, &format!("v1,{hex}"), "malformed_signature"),
        ] {
            let explanation = of(name, value);
            assert!(!explanation.accepted);
            assert_eq!(codes(&explanation)[0], code, "{value}: {:?}", explanation.findings);
        }
        let missing = found(|_, headers| headers[2].0 = "svix-signature".to_owned());
        assert!(missing.findings[0].text.contains("svix-signature"), "{missing:?}");
        let late = found(|message, _| message.received_s += 3_600);
        assert_eq!((late.fits, late.accepted, codes(&late)), (true, false, vec!["timestamp_too_old"]));
        assert!(late.findings[0].text.contains("60 min before"), "{late:?}");
    }

    #[test]
    fn during_a_rotation_either_secret_is_enough_and_after_it_the_old_one_is_named() {
        let old_alone = |expires_in: u64| {
            found(|message, headers| {
                *headers = signed(&[OLD], BODY);
                message.received_s = NOW_S + expires_in;
            })
        };
        let within = old_alone(3);
        assert_eq!((within.accepted, codes(&within)), (true, vec!["previous_secret"]));
        let after = old_alone(1_000);
        assert!(!after.accepted && codes(&after).contains(&"secret_expired"), "{after:?}");
    }

    #[test]
    fn another_secret_is_told_from_a_changed_message() {
        fn of<'a>(known: Option<&'a SentMessage>, held: Option<&'a str>) -> Explanation {
            found(|message, headers| {
                *headers = signed(&[OTHER], BODY);
                message.sent = known;
                message.held = held;
            })
        }
        let sent = SentMessage { body: Some(BODY.into()), at_s: vec![NOW_S] };
        assert_eq!(codes(&of(None, None)), ["unknown_message", "wrong_secret"]);
        assert_eq!(codes(&of(Some(&sent), None)), ["wrong_secret"]);
        let held = of(Some(&sent), Some(OTHER));
        assert_eq!(codes(&held), ["wrong_secret", "held_other"]);
        assert!(held.findings[1].text.contains("fits the signature"), "{held:?}");
        let moved = SentMessage { at_s: vec![NOW_S - 60], ..sent };
        assert_eq!(codes(&of(Some(&moved), None)), ["timestamp_changed"]);
    }

    #[test]
    fn what_the_receiver_holds_is_compared_and_never_shown() {
        fn of(held: &str) -> Explanation {
            found(|message, _| message.held = Some(held))
        }
        for (held, code) in [
            (SECRET, "held_key"),
            (OLD, "held_key"),
            ("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "held_key"),
            (&SECRET["whsec_".len()..], "held_without_prefix"),
            ("my-secret", "held_malformed"),
            (OTHER, "held_other"),
        ] {
            let explanation = of(held);
            assert_eq!(codes(&explanation), [code], "{held}");
            assert!(!format!("{explanation:?}").contains(held), "{explanation:?}");
        }
        assert_eq!(codes(&of(&format!("{SECRET}\n"))), ["held_with_blanks", "held_key"]);
    }

    #[test]
    fn any_bytes_are_looked_at_without_harm() {
        for body in [&b"\xff\"\\"[..], b"", b"\"\\u12", b"\\ud800\\u", b"\\", "\\ü".as_bytes()] {
            let explanation = found(|message, _| message.body = body);
            assert!(!explanation.accepted && !explanation.findings.is_empty());
        }
    }
}
