//! The request as an audit record shows it: what the query, the headers and (with part C) the body hold by name.

use crate::text::escaped;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;

/// The largest JSON body that is looked into to show an argument as it was sent. A parsed document takes many times its
/// text's memory; of a larger one the hit shows what the rule saw.
const JSON_BODY_BYTES_MAX: usize = 256 * 1024;

/// A request, as far as the record tells of it.
pub(crate) struct Request<'a> {
    /// The request target, raw.
    pub(crate) uri: &'a str,
    /// Names and values in the order of the record, names in the client's letter case; a name may occur more than once.
    pub(crate) headers: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// Part C.
    pub(crate) body: Option<&'a str>,
    query: OnceCell<Vec<Argument>>,
    form: OnceCell<Vec<Argument>>,
    json: OnceCell<Option<Value>>,
}

/// A name and a value, decoded.
pub(crate) type Argument = (String, String);

/// Where arguments come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The query of the URI.
    Query,
    /// A body of `application/x-www-form-urlencoded`.
    Form,
    /// A body of `multipart/form-data`.
    Multipart,
    /// A JSON body.
    Json,
    /// A body of another type, or of none that is known.
    Body,
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        uri: &'a str,
        headers: &'a [(Cow<'a, str>, Cow<'a, str>)],
        body: Option<&'a str>,
    ) -> Self {
        Request { uri, headers, body, query: OnceCell::new(), form: OnceCell::new(), json: OnceCell::new() }
    }

    /// The first header of this name, in any letter case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        header(self.headers, name)
    }

    /// The URI up to its query, raw.
    pub(crate) fn path(&self) -> &'a str {
        self.uri.split_once('?').map_or(self.uri, |(path, _)| path)
    }

    /// The arguments of the query, in its order.
    pub(crate) fn query(&self) -> &[Argument] {
        self.query
            .get_or_init(|| self.uri.split_once('?').map_or_else(Vec::new, |(_, query)| urlencoded(query)))
    }

    /// How the body is to be read, after its content type; none without one.
    pub(crate) fn body_origin(&self) -> Option<Origin> {
        let content_type = self.header("content-type")?.trim_start().to_ascii_lowercase();
        let essence = content_type.split(';').next().unwrap_or_default().trim_end();
        Some(match essence {
            "application/x-www-form-urlencoded" => Origin::Form,
            "multipart/form-data" => Origin::Multipart,
            essence if essence.ends_with("/json") || essence.ends_with("+json") => Origin::Json,
            _ => Origin::Body,
        })
    }

    /// The decoded values of the arguments of this name, in their order. In JSON the name is a path: `json.list.array_1`.
    pub(crate) fn values(&self, origin: Origin, name: &str) -> Vec<Cow<'_, str>> {
        match origin {
            Origin::Query => named(self.query(), name),
            Origin::Form | Origin::Multipart => named(self.form(origin), name),
            Origin::Json => self.json_value(name).into_iter().collect(),
            Origin::Body => Vec::new(),
        }
    }

    /// Whether the variable `collection:name` of this request is known to hold `value`, up to letter case.
    pub(crate) fn holds(&self, collection: &str, name: &str, value: &str) -> bool {
        let is_value = |other: &str| other.eq_ignore_ascii_case(value);
        match collection {
            _ if collection.ends_with("_NAMES") => is_value(name),
            "ARGS" | "ARGS_GET" | "ARGS_POST" => {
                let origins = [Some(Origin::Query), self.body_origin()];
                origins
                    .into_iter()
                    .flatten()
                    .any(|origin| self.values(origin, name).iter().any(|other| is_value(other)))
            }
            "REQUEST_HEADERS" => self.header(name).is_some_and(is_value),
            "REQUEST_COOKIES" => {
                self.cookies().any(|(other, raw)| other == name && (is_value(raw) || is_value(&decoded(raw))))
            }
            _ => false,
        }
    }

    fn cookies(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.header("cookie").unwrap_or_default().split(';');
        pairs.filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.trim(), value.trim()))
    }

    fn form(&self, origin: Origin) -> &[Argument] {
        self.form.get_or_init(|| match (self.body, origin) {
            (Some(body), Origin::Form) => urlencoded(body),
            (Some(body), Origin::Multipart) => self
                .header("content-type")
                .and_then(boundary)
                .map_or_else(Vec::new, |boundary| multipart(body, &boundary)),
            _ => Vec::new(),
        })
    }

    fn json_value(&self, path: &str) -> Option<Cow<'_, str>> {
        let body = self.body.filter(|body| body.len() <= JSON_BODY_BYTES_MAX)?;
        let mut value = self.json.get_or_init(|| serde_json::from_str(body).ok()).as_ref()?;
        for step in json_steps(path) {
            value = match step {
                JsonStep::Key(key) => value.get(key)?,
                JsonStep::Index(index) => value.get(usize::try_from(index).ok()?)?,
            };
        }
        match value {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }
}

/// The first header of this name, in any letter case.
pub(crate) fn header<'a>(headers: &'a [(Cow<'a, str>, Cow<'a, str>)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
}

fn named<'r>(arguments: &'r [Argument], name: &str) -> Vec<Cow<'r, str>> {
    let named = arguments.iter().filter(|(other, _)| other == name);
    named.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
}

/// A step in the name that ModSecurity gives to an argument from a JSON body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonStep<'a> {
    /// Into an object.
    Key(&'a str),
    /// Into an array.
    Index(u64),
}

/// `json.user.name`, `json.list.array_1`: the steps after the leading `json`. A dot within a key, and a key that looks like
/// an index, cannot be told from the real thing.
pub(crate) fn json_steps(name: &str) -> impl Iterator<Item = JsonStep<'_>> {
    let path = name.strip_prefix("json.").or_else(|| (name != "json").then_some(name));
    path.into_iter().flat_map(|path| path.split('.')).map(|step| {
        let index = step.strip_prefix("array_").and_then(|index| index.parse().ok());
        index.map_or(JsonStep::Key(step), JsonStep::Index)
    })
}

/// Pairs of `name=value` joined by `&`.
fn urlencoded(text: &str) -> Vec<Argument> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Undoes percent-encoding and `+`, once. What is no encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest = tail;
            }
            _ => bytes.push(byte),
        }
    }
    escaped(&bytes).into_owned()
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// The boundary that a multipart content type names.
fn boundary(content_type: &str) -> Option<String> {
    parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The parameter of a header value: `; name=token` or `; name="quoted \" text"`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    loop {
        rest = &rest[rest.find(';')? + 1..];
        let (found, text) = rest.trim_start().split_once('=')?;
        if !found.trim_end().eq_ignore_ascii_case(name) {
            continue;
        }
        let Some(quoted) = text.strip_prefix('"') else {
            return Some(text.split(';').next().unwrap_or_default().trim_end().to_owned());
        };
        let mut unquoted = String::new();
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => unquoted.extend(characters.next()),
                _ => unquoted.push(character),
            }
        }
        return Some(unquoted);
    }
}

/// The parts of a multipart body that have a name and are no files.
fn multipart(body: &str, boundary: &str) -> Vec<Argument> {
    let delimiter = format!("--{boundary}");
    let parts = body.split(delimiter.as_str()).skip(1);
    parts.take_while(|part| !part.starts_with("--")).filter_map(part).collect()
}

fn part(part: &str) -> Option<Argument> {
    let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n'))?;
    let (head, value) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    if parameter(disposition, "filename").is_some() {
        return None;
    }
    let value = value.strip_suffix("\r\n").or_else(|| value.strip_suffix('\n')).unwrap_or(value);
    Some((parameter(disposition, "name")?, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        pairs.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect()
    }

    fn pairs(arguments: &[Argument]) -> Vec<(&str, &str)> {
        arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn the_query_is_decoded_once() {
        let request = Request::new("/a?id=1%27+or&b=%2527&&c&%zz=%4", &[], None);
        assert_eq!(pairs(request.query()), [("id", "1' or"), ("b", "%27"), ("c", ""), ("%zz", "%4")]);
        assert_eq!(request.path(), "/a");
    }

    #[test]
    fn a_header_is_found_in_any_letter_case() {
        let headers = headers(&[("X-A", "1"), ("x-a", "2")]);
        assert_eq!(Request::new("/", &headers, None).header("x-A"), Some("1"));
    }

    #[test]
    fn the_content_type_says_how_the_body_is_read() {
        for (content_type, origin) in [
            ("application/x-www-form-urlencoded; charset=UTF-8", Origin::Form),
            ("Multipart/Form-Data; boundary=x", Origin::Multipart),
            ("application/json", Origin::Json),
            ("application/vnd.api+json;v=1", Origin::Json),
            ("text/xml", Origin::Body),
            ("", Origin::Body),
        ] {
            let headers = headers(&[("content-TYPE", content_type)]);
            assert_eq!(Request::new("/", &headers, None).body_origin(), Some(origin), "{content_type}");
        }
        assert_eq!(Request::new("/", &[], None).body_origin(), None);
    }

    #[test]
    fn a_multipart_body_gives_its_fields_and_not_its_files() {
        let headers = headers(&[("Content-Type", "multipart/form-data; boundary=\"b\"")]);
        let body = "--b\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\nx\r\ny\r\n\
                    --b\r\ncontent-disposition: form-data; name=f; filename=\"f.txt\"\r\n\r\nz\r\n--b--\r\n";
        let request = Request::new("/", &headers, Some(body));
        assert_eq!(request.values(Origin::Multipart, "a\"b"), ["x\r\ny"]);
        assert_eq!(request.values(Origin::Multipart, "f"), Vec::<String>::new());
    }

    #[test]
    fn a_json_body_is_looked_into_by_path() {
        let body = r#"{"user":{"name":"x"},"list":["a",{"n":7}]}"#;
        let request = Request::new("/", &[], Some(body));
        assert_eq!(request.values(Origin::Json, "json.user.name"), ["x"]);
        assert_eq!(request.values(Origin::Json, "json.list.array_0"), ["a"]);
        assert_eq!(request.values(Origin::Json, "json.list.array_1.n"), ["7"]);
        assert_eq!(request.values(Origin::Json, "json.list.array_2"), Vec::<String>::new());
    }

    #[test]
    fn known_values_are_known() {
        let headers = headers(&[("Cookie", "a=1; sid=%27x"), ("Referer", "http://r/")]);
        let request = Request::new("/?q=a: b", &headers, None);
        assert!(request.holds("ARGS", "q", "A: b"));
        assert!(!request.holds("ARGS", "q", "b"));
        assert!(request.holds("REQUEST_COOKIES", "sid", "'x"));
        assert!(request.holds("REQUEST_HEADERS", "referer", "http://r/"));
        assert!(request.holds("ARGS_NAMES", "a: b", "a: b"));
        assert!(!request.holds("XML", "/*", "x"));
    }

    proptest! {
        #[test]
        fn nothing_in_a_request_makes_the_reading_fail(uri in ".*", body in ".*", content_type in ".*", name in ".*") {
            let headers = [(Cow::Borrowed("Content-Type"), Cow::Owned(content_type))];
            let request = Request::new(&uri, &headers, Some(&body));
            for origin in [Origin::Query, Origin::Form, Origin::Json] {
                request.values(origin, &name);
            }
            multipart(&body, "a");
            parameter(&body, "name");
        }

        #[test]
        fn what_a_client_encodes_is_what_is_decoded(value in "[ -~äß€😀]*") {
            let encoded = value.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
            prop_assert_eq!(decoded(&encoded), value);
        }
    }
}
