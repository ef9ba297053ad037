//! What a provider says of itself (OpenID Connect Discovery 1.0), as far as it is needed and believed.

use serde::Deserialize;
use url::Url;

/// Where a provider is asked what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    /// The secret goes into the form, since the provider does not take it in a header.
    pub(super) secret_in_form: bool,
}

/// Why a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("what the provider says of itself cannot be read")]
    Malformed,
    #[error(
        "the provider calls itself {0}; write the issuer in the configuration exactly so if that is meant"
    )]
    OtherIssuer(String),
    #[error("the provider's {0} must begin with https://")]
    Plain(&'static str),
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Where the document of an issuer is.
pub(super) fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// Reads the document. An issuer that is itself reached over plain HTTP (a test, a proxy beside hitwire) may name plain addresses.
pub(super) fn read(issuer: &str, json: &[u8]) -> Result<Endpoints, Unusable> {
    let document: Document = serde_json::from_slice(json).map_err(|_| Unusable::Malformed)?;
    // Exactly: the ID tokens must name it so.
    if document.issuer != issuer {
        return Err(Unusable::OtherIssuer(document.issuer.chars().take(200).collect()));
    }
    let plain = issuer.starts_with("http://");
    let url = |name, text: &str| {
        let url = Url::parse(text).map_err(|_| Unusable::Malformed)?;
        let fits = url.scheme() == "https" || (plain && url.scheme() == "http");
        if fits { Ok(url) } else { Err(Unusable::Plain(name)) }
    };
    let authorization = url("authorization_endpoint", &document.authorization_endpoint)?;
    let token = url("token_endpoint", &document.token_endpoint)?;
    let keys = url("jwks_uri", &document.jwks_uri)?;
    // Left out, it means the header (section 3).
    let methods = document.token_endpoint_auth_methods_supported;
    let takes = |name: &str| methods.as_ref().is_some_and(|methods| methods.iter().any(|one| one == name));
    Ok(Endpoints {
        authorization,
        token,
        keys,
        secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let mut document = json!({
            "issuer": "https://id.example",
            "authorization_endpoint": "https://id.example/authorize",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://keys.example/jwks",
        });
        change(&mut document);
        document.to_string().into_bytes()
    }

    #[test]
    fn a_provider_says_where_it_is_asked() {
        let read = read("https://id.example", &document(|_| {})).unwrap();
        assert_eq!(read.keys.as_str(), "https://keys.example/jwks");
        assert!(!read.secret_in_form);
        let post =
            document(|json| json["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]));
        assert!(super::read("https://id.example", &post).unwrap().secret_in_form);
        assert_eq!(address("https://id.example/"), "https://id.example/.well-known/openid-configuration");
    }

    #[test]
    fn a_provider_that_is_another_or_asks_in_clear_is_not_used() {
        let other = read("https://id.example/", &document(|_| {}));
        assert_eq!(other, Err(Unusable::OtherIssuer("https://id.example".to_owned())));
        let plain = document(|json| json["token_endpoint"] = json!("http://id.example/token"));
        assert_eq!(read("https://id.example", &plain), Err(Unusable::Plain("token_endpoint")));
        let script = document(|json| json["authorization_endpoint"] = json!("javascript:alert(1)"));
        assert_eq!(read("https://id.example", &script), Err(Unusable::Plain("authorization_endpoint")));
        assert_eq!(read("https://id.example", b"<html>"), Err(Unusable::Malformed));
    }
}
