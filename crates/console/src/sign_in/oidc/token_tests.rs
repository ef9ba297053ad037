//! Tokens signed with real keys, right and wrong.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

const NOW: u64 = 1_764_000_000;
const EXPECTED: Expected<'_> =
    Expected { issuer: "https://id.example", client_id: "hitwire", nonce: "n-0S6", now_s: NOW };

struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Issuer {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref());
        Issuer(pair.unwrap())
    }

    fn keys(&self) -> Keys {
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let other = json!({"kty": "oct", "kid": "shared", "k": "AAAA"});
        let own = json!({"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": x, "y": y});
        Keys::parse(json!({"keys": [other, own]}).to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "one"})
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "sub": "248289761001", "aud": "hitwire", "nonce": "n-0S6",
        "exp": NOW + 300, "iat": NOW, "email": "ada@example.com", "email_verified": true, "name": "Ada",
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims();
    change(&mut claims);
    claims
}

#[test]
fn a_token_that_is_as_it_must_be_says_who_it_is_about() {
    let issuer = Issuer::new();
    let person = Person {
        subject: "248289761001".to_owned(),
        verified_email: Some("ada@example.com".to_owned()),
        name: Some("Ada".to_owned()),
    };
    for header in [header(), json!({"alg": "ES256", "typ": "JWT"})] {
        let token = issuer.sign(&header, &claims());
        assert_eq!(verify(&token, &issuer.keys(), EXPECTED), Ok(person.clone()));
    }
    let several = with(|claims| {
        claims["aud"] = json!(["other", "hitwire"]);
        claims["azp"] = json!("hitwire");
    });
    assert_eq!(verify(&issuer.sign(&header(), &several), &issuer.keys(), EXPECTED), Ok(person));
}

#[test]
fn an_email_counts_only_if_the_provider_says_it_is_theirs() {
    let issuer = Issuer::new();
    for (verified, counts) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(1), false),
        (json!(null), false),
    ] {
        let token = issuer.sign(&header(), &with(|claims| claims["email_verified"] = verified.clone()));
        let person = verify(&token, &issuer.keys(), EXPECTED).unwrap();
        assert_eq!(person.verified_email.is_some(), counts, "{verified}");
    }
}

#[test]
fn each_claim_that_does_not_fit_is_a_reason_not_to_believe() {
    let issuer = Issuer::new();
    let cases: [(Untrue, &str, Value); 14] = [
        (Untrue::Issuer, "iss", json!("https://id.example/")),
        (Untrue::Audience, "aud", json!("other")),
        (Untrue::Audience, "aud", json!(["other"])),
        (Untrue::Audience, "aud", json!(["other", "hitwire"])),
        (Untrue::Audience, "aud", json!({"hitwire": true})),
        (Untrue::Audience, "azp", json!("other")),
        (Untrue::Expired, "exp", json!(NOW - SKEW_S)),
        (Untrue::Expired, "exp", json!(0)),
        (Untrue::Future, "iat", json!(NOW + SKEW_S + 1)),
        (Untrue::Future, "nbf", json!(NOW + SKEW_S + 1)),
        (Untrue::Nonce, "nonce", json!("n-0S7")),
        (Untrue::Nonce, "nonce", json!(null)),
        (Untrue::Subject, "sub", json!("")),
        (Untrue::Malformed, "exp", json!("soon")),
    ];
    for (untrue, claim, value) in cases {
        let token = issuer.sign(&header(), &with(|claims| claims[claim] = value.clone()));
        assert_eq!(verify(&token, &issuer.keys(), EXPECTED), Err(untrue), "{claim}: {value}");
    }
}

#[test]
fn nothing_is_believed_that_the_provider_did_not_sign() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let keys = issuer.keys();
    assert_eq!(verify(&stranger.sign(&header(), &claims()), &keys, EXPECTED), Err(Untrue::Signature));
    let unknown = issuer.sign(&json!({"alg": "ES256", "kid": "two"}), &claims());
    assert_eq!(verify(&unknown, &keys, EXPECTED), Err(Untrue::UnknownKey));
    for algorithm in ["none", "None", "HS256", "ES384", "es256", ""] {
        let token = issuer.sign(&json!({"alg": algorithm, "kid": "one"}), &claims());
        assert_eq!(verify(&token, &keys, EXPECTED), Err(Untrue::Algorithm), "{algorithm}");
    }
    // An elliptic key is not used in the other way.
    let token = issuer.sign(&json!({"alg": "RS256", "kid": "one"}), &claims());
    assert_eq!(verify(&token, &keys, EXPECTED), Err(Untrue::UnknownKey));
    let critical = issuer.sign(&json!({"alg": "ES256", "kid": "one", "crit": ["b64"]}), &claims());
    assert_eq!(verify(&critical, &keys, EXPECTED), Err(Untrue::Malformed));
    let whole = issuer.sign(&header(), &claims());
    let (message, signature) = whole.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let forged = URL_SAFE_NO_PAD.encode(with(|claims| claims["sub"] = json!("root")).to_string());
    for token in [
        format!("{head}.{forged}.{signature}"),
        format!("{message}."),
        format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
    ] {
        assert_eq!(verify(&token, &keys, EXPECTED), Err(Untrue::Signature), "{token}");
    }
    for token in ["", ".", "..", "a.b", "a.b.c", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
        assert_eq!(verify(token, &keys, EXPECTED), Err(Untrue::Malformed));
    }
}

/// The example of RFC 7515, appendix A.2: a message, its RS256 signature and the key.
#[test]
fn the_standards_example_of_an_rsa_signature_is_good() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
             T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS\
             -UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2et\
             hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let message = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
                   c19yb290Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5\
                     jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07\
                     Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI\
                     8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let with_zero = URL_SAFE_NO_PAD.encode([&[0], URL_SAFE_NO_PAD.decode(n).unwrap().as_slice()].concat());
    for n in [n, &with_zero] {
        let keys = json!({"keys": [{"kty": "RSA", "n": n, "e": "AQAB"}]});
        let keys = Keys::parse(keys.to_string().as_bytes()).unwrap();
        let read = |message: &str| keys.decode::<Value>(&format!("{message}.{signature}"));
        assert_eq!(read(message).map(|claims| claims["iss"].clone()), Ok(json!("joe")));
        assert_eq!(read(&message.replace("eyJp", "eyJq")), Err(Untrue::Signature));
    }
}

#[test]
fn a_key_of_another_kind_or_for_another_use_is_passed_over() {
    let issuer = Issuer::new();
    let point = issuer.0.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let token = issuer.sign(&header(), &claims());
    let usable = json!({"kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y});
    for (name, value) in [
        ("kty", json!("OKP")),
        ("kty", json!(7)),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("use", json!("enc")),
        ("x", json!("not base64!")),
        ("y", json!(null)),
    ] {
        let mut other = usable.clone();
        other[name] = value.clone();
        let alone = json!({"keys": [other]}).to_string();
        let keys = Keys::parse(alone.as_bytes()).expect(&alone);
        assert_eq!(verify(&token, &keys, EXPECTED), Err(Untrue::UnknownKey), "{name}: {value}");
        let beside = json!({"keys": [other, usable]}).to_string();
        let keys = Keys::parse(beside.as_bytes()).expect(&beside);
        assert!(verify(&token, &keys, EXPECTED).is_ok(), "{name}: {value}");
    }
}
