//! Where in a request a payload lies.

use serde::{Deserialize, Serialize};

/// One element of a [`Point`]: a parser, the name it was given, or an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// A parser in lower case (`get`, `json_doc`), or the name that follows one (`id`); header names are upper-case.
    Name(String),
    /// The position that follows `array`, `path` and their like, from 0.
    Index(u64),
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Step::Name(name.to_owned())
    }
}

impl From<String> for Step {
    fn from(name: String) -> Self {
        Step::Name(name)
    }
}

impl From<u64> for Step {
    fn from(index: u64) -> Self {
        Step::Index(index)
    }
}

/// The way from the request to a payload, as parsers and what they were given, flat: `["get","id"]`,
/// `["post","json_doc","hash","list","array",0]`, `["header","COOKIE","cookie","sid"]`. Empty: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Point(pub Vec<Step>);

/// What follows a parser.
enum Takes {
    Nothing,
    Key,
    UpperCaseKey,
}

/// The parsers that are followed by a name or an index, as the format's public documentation lists them. Every other one
/// (`post`, `uri`, `json_doc`, `file`, `base64`, ...) stands alone, and so does one that nobody knows yet.
fn takes(parser: &str) -> Takes {
    match parser {
        "header" | "response_header" => Takes::UpperCaseKey,
        "cookie"
        | "get"
        | "hash"
        | "form_urlencoded"
        | "multipart"
        | "content_disp"
        | "jwt"
        | "json"
        | "json_obj"
        | "xml_tag"
        | "xml_attr"
        | "protobuf"
        | "gql_query"
        | "gql_mutation"
        | "gql_subscription"
        | "gql_fragment"
        | "gql_dir"
        | "gql_spread"
        | "gql_type"
        | "gql_var"
        | "viewstate_dict"
        | "viewstate_sparse_array"
        | "path"
        | "array"
        | "json_array"
        | "grpc"
        | "xml_pi"
        | "xml_comment"
        | "xml_dtd_entity"
        | "xml_tag_array"
        | "viewstate_array"
        | "viewstate_pair"
        | "viewstate_triplet" => Takes::Key,
        _ => Takes::Nothing,
    }
}

impl Point {
    /// The point flattened to one word: parsers in upper case, keys as they are (header names in upper case), joined by `_`,
    /// with `_value` at the end, or `_name` if the payload lies in the name itself (`name_only`). None for an empty point.
    ///
    /// `GET_id_value`, `URI_value`, `HEADER_COOKIE_COOKIE_sid_value`, `POST_JSON_DOC_HASH_list_ARRAY_0_value`. It cannot be
    /// read back where keys hold `_`: the point is the truth.
    pub fn parameter(&self, name_only: bool) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut words = String::with_capacity(48);
        let mut expected = Takes::Nothing;
        for step in &self.0 {
            match (step, expected) {
                (Step::Name(parser), Takes::Nothing) => {
                    words.push_str(&parser.to_uppercase());
                    expected = takes(parser);
                }
                (Step::Name(key), Takes::Key) => {
                    words.push_str(key);
                    expected = Takes::Nothing;
                }
                (Step::Name(key), Takes::UpperCaseKey) => {
                    words.push_str(&key.to_uppercase());
                    expected = Takes::Nothing;
                }
                (Step::Index(index), _) => {
                    words.push_str(&index.to_string());
                    expected = Takes::Nothing;
                }
            }
            words.push('_');
        }
        words.push_str(if name_only { "name" } else { "value" });
        Some(words)
    }
}

impl<S: Into<Step>> FromIterator<S> for Point {
    fn from_iter<I: IntoIterator<Item = S>>(steps: I) -> Self {
        Point(steps.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(json: &str) -> Point {
        serde_json::from_str(json).expect(json)
    }

    /// Points of the public documentation with the parameter that it shows for them.
    const SHOWN: [(&str, &str); 24] = [
        (r#"["get","id"]"#, "GET_id_value"),
        (r#"["uri"]"#, "URI_value"),
        (r#"["post"]"#, "POST_value"),
        (r#"["path",0]"#, "PATH_0_value"),
        (r#"["action_name"]"#, "ACTION_NAME_value"),
        (r#"["get","uid","base64"]"#, "GET_uid_BASE64_value"),
        (r#"["get","id","array",0]"#, "GET_id_ARRAY_0_value"),
        (r#"["get","id","hash","user"]"#, "GET_id_HASH_user_value"),
        (r#"["header","ACCEPT-LANGUAGE"]"#, "HEADER_ACCEPT-LANGUAGE_value"),
        (r#"["header","user-agent"]"#, "HEADER_USER-AGENT_value"),
        (r#"["header","COOKIE","cookie","token"]"#, "HEADER_COOKIE_COOKIE_token_value"),
        (r#"["post","form_urlencoded","passwd"]"#, "POST_FORM_URLENCODED_passwd_value"),
        (r#"["post","json_doc","hash","email"]"#, "POST_JSON_DOC_HASH_email_value"),
        (
            r#"["post","json_doc","json_obj","posts","json_array",0,"hash","title"]"#,
            "POST_JSON_DOC_JSON_OBJ_posts_JSON_ARRAY_0_HASH_title_value",
        ),
        (r#"["post","json_doc","hash","list","array",1]"#, "POST_JSON_DOC_HASH_list_ARRAY_1_value"),
        (r#"["post","multipart","id"]"#, "POST_MULTIPART_id_value"),
        (r#"["post","multipart","upload","file"]"#, "POST_MULTIPART_upload_FILE_value"),
        (r#"["post","multipart","x","header"]"#, "POST_MULTIPART_x_HEADER_value"),
        (r#"["post","xml"]"#, "POST_XML_value"),
        (r#"["post","xml","xml_tag","text","xml_attr","font"]"#, "POST_XML_XML_TAG_text_XML_ATTR_font_value"),
        (r#"["get","id","pollution"]"#, "GET_id_POLLUTION_value"),
        (r#"["method"]"#, "METHOD_value"),
        (r#"["proto"]"#, "PROTO_value"),
        // A key that is spelled like a parser stays a key.
        (r#"["get","get","hash","post"]"#, "GET_get_HASH_post_value"),
    ];

    #[test]
    fn the_parameter_is_the_point_flattened() {
        for (steps, parameter) in SHOWN {
            assert_eq!(point(steps).parameter(false).as_deref(), Some(parameter), "{steps}");
        }
    }

    #[test]
    fn a_payload_in_a_name_has_the_other_tail() {
        assert_eq!(point(r#"["get","x"]"#).parameter(true).as_deref(), Some("GET_x_name"));
    }

    #[test]
    fn an_empty_point_has_no_parameter() {
        assert_eq!(Point::default().parameter(false), None);
    }

    #[test]
    fn a_point_is_a_flat_array_in_json() {
        let steps = r#"["post","json_doc","hash","list","array",0]"#;
        assert_eq!(serde_json::to_string(&point(steps)).expect("writes"), steps);
        assert!(serde_json::from_str::<Point>(r#"["path",-1]"#).is_err());
        assert!(serde_json::from_str::<Point>(r#"[["get","id"]]"#).is_err());
    }
}
