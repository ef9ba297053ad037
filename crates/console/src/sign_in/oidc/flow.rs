//! The steps of a sign-in at a provider: out with a state, a nonce and a challenge, back with a code
//! (OpenID Connect Core 1.0 section 3.1, RFC 7636).

use crate::session::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use url::form_urlencoded::Serializer;

/// A sign-in that began; its browser keeps it, signed, until it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The answer must bring it back: nobody else can begin a sign-in that this browser ends.
    state: String,
    /// Stands in the ID token: nobody can end it with a token of another sign-in.
    pub(super) nonce: String,
    /// Its hash goes out with the question, itself with the code: who sees the code alone can do nothing with it.
    verifier: String,
    /// Where to go then: a path of ours.
    pub(crate) next: String,
    /// The client that was named, by its number.
    #[serde(default)]
    pub(crate) client: Option<u64>,
}

impl Begun {
    pub(crate) fn new(next: String, client: Option<u64>) -> Result<Begun, getrandom::Error> {
        Ok(Begun { state: random()?, nonce: random()?, verifier: random()?, next, client })
    }

    /// Whether an answer with this state belongs to this sign-in.
    pub(crate) fn is_answered_by(&self, state: &str) -> bool {
        bool::from(self.state.as_bytes().ct_eq(state.as_bytes()))
    }

    /// Where the browser is sent.
    pub(super) fn ask(&self, authorization_endpoint: &Url, client_id: &str, redirect_uri: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier));
        let mut url = authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid email profile")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// The form that exchanges the code for tokens, without what authenticates us.
    pub(super) fn exchange(&self, code: &str, redirect_uri: &str) -> Serializer<'static, String> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("code_verifier", &self.verifier);
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_question_names_all_that_the_answer_must_fit() {
        let begun = Begun::new("/events".to_owned(), None).unwrap();
        let endpoint = Url::parse("https://id.example/authorize?tenant=7").unwrap();
        let url = begun.ask(&endpoint, "hitwire", "https://waf.example/sign-in/oidc/callback");
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["tenant"], "7", "what the provider wants in its address stays");
        assert_eq!(asked["redirect_uri"], "https://waf.example/sign-in/oidc/callback");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["nonce"], begun.nonce);
        assert!(begun.is_answered_by(&asked["state"]));
        assert!(!begun.is_answered_by("") && !begun.is_answered_by(&asked["nonce"]));
        assert!(!url.as_str().contains(&begun.verifier));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&begun.verifier));
        assert_eq!(asked["code_challenge"], challenge);
    }

    #[test]
    fn the_code_is_exchanged_with_what_only_this_sign_in_knows() {
        let begun = Begun::new("/".to_owned(), None).unwrap();
        let form = begun.exchange("a b&c", "https://waf.example/").finish();
        assert!(form.starts_with("grant_type=authorization_code&code=a+b%26c&"), "{form}");
        assert!(form.ends_with(&format!("&code_verifier={}", begun.verifier)), "{form}");
        assert!(begun.verifier.len() >= 43, "as RFC 7636 section 4.1 asks");
    }
}
