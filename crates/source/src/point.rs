//! Where in a request a rule's variable lies, in the words of a hit's `point`.

use crate::request::{JsonStep, Origin, Request, json_steps};
use crate::text::cut;
use hitwire_event::{Point, Step};
use std::borrow::Cow;

/// The longest name that a point holds, in characters; of a JSON path and of a bracketed name all steps together. Names are
/// the attacker's as well.
const NAME_CHARS_MAX: usize = 512;

/// The most steps of a point: of JSON paths and bracketed names the outermost ones.
const STEPS_MAX: usize = 64;

/// A variable's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place<'r> {
    /// The way to it. Empty for what lies in the response.
    pub(crate) point: Point,
    /// The payload lies in the name and not in the value.
    pub(crate) name_only: bool,
    /// The argument as the client sent it, decoded once, where the record shows it.
    pub(crate) argument: Option<Cow<'r, str>>,
}

/// What a rule saw in a variable: it tells which one of several arguments of the same name was meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen<'a> {
    /// The whole value, as transformed by the rule.
    pub(crate) value: Option<&'a str>,
    /// The matching part of it.
    pub(crate) sign: Option<&'a str>,
}

/// The place of `variable`, written as in ModSecurity (`ARGS:id`). None for a variable that is no place in the request, such
/// as `MATCHED_VAR` or `TX:...`.
pub(crate) fn locate<'r>(variable: &str, seen: Seen<'_>, request: &'r Request<'_>) -> Option<Place<'r>> {
    // Made from another variable, which the rest of the name tells.
    for wrapper in ["TX:rfi_parameter_", "MATCHED_VARS:"] {
        if let Some(inner) = variable.strip_prefix(wrapper) {
            return locate(inner, seen, request);
        }
    }
    if let Some(header) = variable.strip_prefix("TX:header_name_") {
        return Some(value_at(header_steps(header)));
    }
    let (collection, name) = split(variable);
    let name = name.filter(|name| !name.is_empty());
    Some(match collection {
        "ARGS" | "ARGS_GET" | "ARGS_POST" => {
            argument(name?, origin(collection, name, request), seen, request)
        }
        "ARGS_NAMES" | "ARGS_GET_NAMES" | "ARGS_POST_NAMES" => {
            // The value of such a variable is the name.
            let name = name.or(seen.value)?;
            argument_name(name, origin(collection, Some(name), request))
        }
        "REQUEST_COOKIES" => value_at(cookie_steps(name)),
        "REQUEST_COOKIES_NAMES" => name_at(cookie_steps(name.or(seen.value))),
        "REQUEST_HEADERS" => value_at(header_steps(name?)),
        "REQUEST_HEADERS_NAMES" => name_at(header_steps(name.or(seen.value)?)),
        "REQUEST_FILENAME" | "REQUEST_URI" | "REQUEST_URI_RAW" | "REQUEST_LINE" | "REQUEST_BASENAME"
        | "PATH_INFO" | "QUERY_STRING" => value_at(steps(["uri"])),
        "REQUEST_BODY" => Place { argument: request.body.map(Cow::Borrowed), ..value_at(steps(["post"])) },
        "REQBODY_ERROR" => value_at(steps(["post"])),
        "XML" => value_at(steps(["post", "xml"])),
        "FILES" | "FILES_NAMES" | "FILES_SIZES" | "FILES_TMP_CONTENT" => {
            let name = if collection == "FILES_NAMES" { name.or(seen.value) } else { name };
            value_at(match name {
                Some(name) => steps(["post", "multipart", &limited(name), "file"]),
                None => steps(["post", "multipart"]),
            })
        }
        "MULTIPART_PART_HEADERS" => value_at(match name {
            Some(name) => steps(["post", "multipart", &limited(name), "header"]),
            None => steps(["post", "multipart"]),
        }),
        "REQUEST_METHOD" => value_at(steps(["method"])),
        "REQUEST_PROTOCOL" => value_at(steps(["proto"])),
        _ if collection.starts_with("MULTIPART_") => value_at(steps(["post"])),
        _ if collection.starts_with("RESPONSE_") => value_at(Vec::new()),
        _ => return None,
    })
}

/// A variable's collection and, after a colon, the name within it.
pub(crate) fn split(variable: &str) -> (&str, Option<&str>) {
    match variable.split_once(':') {
        Some((collection, name)) => (collection, Some(name)),
        None => (variable, None),
    }
}

/// `ARGS` does not say where the argument comes from: from the query, if it holds the name, else from the body.
fn origin(collection: &str, name: Option<&str>, request: &Request<'_>) -> Origin {
    let body = request.body_origin();
    if collection.starts_with("ARGS_GET") {
        Origin::Query
    } else if collection.starts_with("ARGS_POST") {
        body.filter(|origin| *origin != Origin::Body).unwrap_or(Origin::Form)
    } else if request.query().iter().any(|(other, _)| Some(other.as_str()) == name) {
        Origin::Query
    } else {
        match body {
            // An argument of another body type was not read from it; the query may have been decoded otherwise than here.
            None | Some(Origin::Body) if request.query().is_empty() && body.is_some() => Origin::Form,
            None | Some(Origin::Body) => Origin::Query,
            Some(origin) => origin,
        }
    }
}

fn argument<'r>(name: &str, origin: Origin, seen: Seen<'_>, request: &'r Request<'_>) -> Place<'r> {
    let mut steps = argument_steps(name, origin);
    let mut values = request.values(origin, name);
    let occurrence = occurrence(&values, seen);
    if let Some(index) = occurrence.filter(|_| values.len() > 1) {
        match steps.as_mut_slice() {
            [.., Step::Name(array), Step::Index(last)] if array == "array" && name.ends_with("[]") => {
                *last = index as u64;
            }
            _ => steps.extend([Step::from("array"), Step::Index(index as u64)]),
        }
    }
    let argument = occurrence.map(|index| values.swap_remove(index));
    Place { argument, ..value_at(steps) }
}

fn argument_name(name: &str, origin: Origin) -> Place<'static> {
    Place { argument: Some(Cow::Owned(name.to_owned())), ..name_at(argument_steps(name, origin)) }
}

/// Which of the values the rule saw: the first that equals what it saw, else the first that holds it, else the first.
fn occurrence(values: &[Cow<'_, str>], seen: Seen<'_>) -> Option<usize> {
    if values.len() < 2 {
        return values.first().map(|_| 0);
    }
    let equals = |seen: &str| values.iter().position(|value| value.eq_ignore_ascii_case(seen));
    let holds = |seen: &str| {
        let seen = seen.to_ascii_lowercase();
        (!seen.is_empty())
            .then(|| values.iter().position(|value| value.to_ascii_lowercase().contains(&seen)))?
    };
    let index = seen
        .value
        .and_then(equals)
        .or_else(|| seen.value.and_then(holds))
        .or_else(|| seen.sign.and_then(holds));
    Some(index.unwrap_or(0))
}

fn argument_steps(name: &str, origin: Origin) -> Vec<Step> {
    let name = cut(name, NAME_CHARS_MAX);
    let mut steps = match origin {
        Origin::Query => steps(["get"]),
        Origin::Form | Origin::Body => steps(["post", "form_urlencoded"]),
        Origin::Multipart => steps(["post", "multipart"]),
        Origin::Json => {
            let mut steps = steps(["post", "json_doc"]);
            for step in json_steps(name) {
                match step {
                    JsonStep::Key(key) => steps.extend([Step::from("hash"), Step::from(key)]),
                    JsonStep::Index(index) => steps.extend([Step::from("array"), Step::Index(index)]),
                }
            }
            steps.truncate(STEPS_MAX);
            return steps;
        }
    };
    let (base, keys) = brackets(name);
    steps.push(Step::from(base));
    for key in keys {
        match (key, key.parse()) {
            ("", _) => steps.extend([Step::from("array"), Step::Index(0)]),
            (_, Ok(index)) => steps.extend([Step::from("array"), Step::Index(index)]),
            (key, Err(_)) => steps.extend([Step::from("hash"), Step::from(key)]),
        }
    }
    steps.truncate(STEPS_MAX);
    steps
}

/// `p[a][]` is the name `p` and the keys `a` and the empty one. A name that is not wholly of this form has no keys.
fn brackets(name: &str) -> (&str, Vec<&str>) {
    let plain = (name, Vec::new());
    let Some(opening) = name.find('[').filter(|opening| *opening > 0) else { return plain };
    let Some(keys) = name[opening..].strip_prefix('[').and_then(|keys| keys.strip_suffix(']')) else {
        return plain;
    };
    let keys: Vec<&str> = keys.split("][").collect();
    if keys.iter().any(|key| key.contains(['[', ']'])) { plain } else { (&name[..opening], keys) }
}

fn cookie_steps(name: Option<&str>) -> Vec<Step> {
    let mut steps = steps(["header", "COOKIE", "cookie"]);
    match name {
        Some(name) => steps.push(Step::Name(limited(name))),
        // The collection as a whole is the header.
        None => steps.truncate(2),
    }
    steps
}

fn header_steps(name: &str) -> Vec<Step> {
    steps(["header", &limited(name).to_uppercase()])
}

fn steps<const N: usize>(names: [&str; N]) -> Vec<Step> {
    names.into_iter().map(Step::from).collect()
}

fn limited(name: &str) -> String {
    cut(name, NAME_CHARS_MAX).to_owned()
}

fn value_at(steps: Vec<Step>) -> Place<'static> {
    Place { point: Point(steps), name_only: false, argument: None }
}

fn name_at(steps: Vec<Step>) -> Place<'static> {
    Place { point: Point(steps), name_only: true, argument: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of a variable in a request with this URI and content type, as point and parameter.
    fn at(variable: &str, uri: &str, content_type: &str) -> (String, Option<String>) {
        let headers = [(Cow::Borrowed("Content-Type"), Cow::Borrowed(content_type))];
        let headers = if content_type.is_empty() { &headers[..0] } else { &headers[..] };
        let request = Request::new(uri, headers, None);
        let place = locate(variable, Seen::default(), &request).unwrap();
        let parameter = place.point.parameter(place.name_only);
        (serde_json::to_string(&place.point).unwrap(), parameter)
    }

    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=x";
    const JSON: &str = "application/json";

    #[test]
    fn each_variable_lies_where_its_row_says() {
        let rows = [
            ("ARGS:id", "/?id=1", "", r#"["get","id"]"#, "GET_id_value"),
            ("ARGS:id", "/", FORM, r#"["post","form_urlencoded","id"]"#, "POST_FORM_URLENCODED_id_value"),
            ("ARGS:id", "/", MULTIPART, r#"["post","multipart","id"]"#, "POST_MULTIPART_id_value"),
            ("ARGS:p[a]", "/?p[a]=1", "", r#"["get","p","hash","a"]"#, "GET_p_HASH_a_value"),
            (
                "ARGS:p[a][b]",
                "/?p[a][b]=1",
                "",
                r#"["get","p","hash","a","hash","b"]"#,
                "GET_p_HASH_a_HASH_b_value",
            ),
            ("ARGS:items[]", "/?items[]=1", "", r#"["get","items","array",0]"#, "GET_items_ARRAY_0_value"),
            ("ARGS:items[2]", "/?items[2]=1", "", r#"["get","items","array",2]"#, "GET_items_ARRAY_2_value"),
            ("ARGS:[a]", "/?[a]=1", "", r#"["get","[a]"]"#, "GET_[a]_value"),
            ("ARGS:a[b", "/?a[b=1", "", r#"["get","a[b"]"#, "GET_a[b_value"),
            (
                "ARGS:json.user.name",
                "/",
                JSON,
                r#"["post","json_doc","hash","user","hash","name"]"#,
                "POST_JSON_DOC_HASH_user_HASH_name_value",
            ),
            (
                "ARGS:json.list.array_1",
                "/",
                JSON,
                r#"["post","json_doc","hash","list","array",1]"#,
                "POST_JSON_DOC_HASH_list_ARRAY_1_value",
            ),
            ("ARGS:json", "/", JSON, r#"["post","json_doc"]"#, "POST_JSON_DOC_value"),
            ("ARGS_GET:id", "/", FORM, r#"["get","id"]"#, "GET_id_value"),
            (
                "ARGS_POST:id",
                "/?id=1",
                FORM,
                r#"["post","form_urlencoded","id"]"#,
                "POST_FORM_URLENCODED_id_value",
            ),
            ("ARGS_NAMES:x", "/?x=1", "", r#"["get","x"]"#, "GET_x_name"),
            ("ARGS_NAMES:x", "/", FORM, r#"["post","form_urlencoded","x"]"#, "POST_FORM_URLENCODED_x_name"),
            ("ARGS_GET_NAMES:x", "/", FORM, r#"["get","x"]"#, "GET_x_name"),
            (
                "REQUEST_COOKIES:sid",
                "/",
                "",
                r#"["header","COOKIE","cookie","sid"]"#,
                "HEADER_COOKIE_COOKIE_sid_value",
            ),
            (
                "REQUEST_COOKIES_NAMES:x",
                "/",
                "",
                r#"["header","COOKIE","cookie","x"]"#,
                "HEADER_COOKIE_COOKIE_x_name",
            ),
            ("REQUEST_HEADERS:User-Agent", "/", "", r#"["header","USER-AGENT"]"#, "HEADER_USER-AGENT_value"),
            ("REQUEST_FILENAME", "/", "", r#"["uri"]"#, "URI_value"),
            ("REQUEST_URI", "/", "", r#"["uri"]"#, "URI_value"),
            ("REQUEST_URI_RAW", "/", "", r#"["uri"]"#, "URI_value"),
            ("REQUEST_LINE", "/", "", r#"["uri"]"#, "URI_value"),
            ("REQUEST_BASENAME", "/", "", r#"["uri"]"#, "URI_value"),
            ("PATH_INFO", "/", "", r#"["uri"]"#, "URI_value"),
            ("QUERY_STRING", "/", "", r#"["uri"]"#, "URI_value"),
            ("REQUEST_BODY", "/", "", r#"["post"]"#, "POST_value"),
            ("REQBODY_ERROR", "/", "", r#"["post"]"#, "POST_value"),
            ("MULTIPART_UNMATCHED_BOUNDARY", "/", "", r#"["post"]"#, "POST_value"),
            ("XML:/*", "/", "", r#"["post","xml"]"#, "POST_XML_value"),
            ("XML://@*", "/", "", r#"["post","xml"]"#, "POST_XML_value"),
            (
                "FILES:upload",
                "/",
                "",
                r#"["post","multipart","upload","file"]"#,
                "POST_MULTIPART_upload_FILE_value",
            ),
            (
                "FILES_NAMES:upload",
                "/",
                "",
                r#"["post","multipart","upload","file"]"#,
                "POST_MULTIPART_upload_FILE_value",
            ),
            (
                "MULTIPART_PART_HEADERS:x",
                "/",
                "",
                r#"["post","multipart","x","header"]"#,
                "POST_MULTIPART_x_HEADER_value",
            ),
            ("REQUEST_METHOD", "/", "", r#"["method"]"#, "METHOD_value"),
            ("REQUEST_PROTOCOL", "/", "", r#"["proto"]"#, "PROTO_value"),
            ("TX:rfi_parameter_ARGS:user", "/?user=1", "", r#"["get","user"]"#, "GET_user_value"),
            ("MATCHED_VARS:REQUEST_BODY", "/", "", r#"["post"]"#, "POST_value"),
            (
                "TX:header_name_content-encoding",
                "/",
                "",
                r#"["header","CONTENT-ENCODING"]"#,
                "HEADER_CONTENT-ENCODING_value",
            ),
        ];
        for (variable, uri, content_type, point, parameter) in rows {
            assert_eq!(
                at(variable, uri, content_type),
                (point.to_owned(), Some(parameter.to_owned())),
                "{variable} {uri}"
            );
        }
    }

    #[test]
    fn the_response_is_no_place_in_the_request() {
        assert_eq!(at("RESPONSE_BODY", "/", ""), ("[]".to_owned(), None));
        assert_eq!(at("RESPONSE_STATUS", "/", ""), ("[]".to_owned(), None));
    }

    #[test]
    fn what_a_rule_worked_out_is_no_place() {
        let request = Request::new("/", &[], None);
        for variable in ["MATCHED_VAR", "MATCHED_VARS", "TX:anomaly_score", "ARGS", "", "DURATION"] {
            assert_eq!(locate(variable, Seen::default(), &request), None, "{variable}");
        }
    }

    #[test]
    fn an_argument_in_both_query_and_body_is_that_of_the_query() {
        assert_eq!(at("ARGS:id", "/?id=1", FORM).0, r#"["get","id"]"#);
    }

    #[test]
    fn a_name_in_the_query_is_compared_decoded() {
        assert_eq!(at("ARGS:a b", "/?a%20b=1", FORM).0, r#"["get","a b"]"#);
    }

    #[test]
    fn of_a_repeated_argument_the_one_that_was_seen_is_named() {
        let request = Request::new("/?id=1&id=2'&items[]=a&items[]=b", &[], None);
        let seen = |value| Seen { value: Some(value), sign: None };
        let point =
            |variable, seen| serde_json::to_string(&locate(variable, seen, &request).unwrap().point).unwrap();
        assert_eq!(point("ARGS:id", seen("2'")), r#"["get","id","array",1]"#);
        assert_eq!(point("ARGS:id", Seen::default()), r#"["get","id","array",0]"#);
        assert_eq!(point("ARGS:items[]", seen("b")), r#"["get","items","array",1]"#);
    }

    #[test]
    fn a_name_alone_is_the_value_that_was_seen() {
        let request = Request::new("/?x'y=1", &[], None);
        let place = locate("ARGS_NAMES", Seen { value: Some("x'y"), sign: None }, &request).unwrap();
        assert_eq!(place.point.parameter(place.name_only).unwrap(), "GET_x'y_name");
    }

    #[test]
    fn a_point_is_bounded() {
        let deep = format!("ARGS:a{}", "[b]".repeat(100));
        let long = format!("ARGS:{}", "x".repeat(100_000));
        let request = Request::new("/", &[], None);
        assert_eq!(locate(&deep, Seen::default(), &request).unwrap().point.0.len(), STEPS_MAX);
        let Step::Name(name) = &locate(&long, Seen::default(), &request).unwrap().point.0[1] else {
            panic!()
        };
        assert_eq!(name.len(), NAME_CHARS_MAX);
    }
}
