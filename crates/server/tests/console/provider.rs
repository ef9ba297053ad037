//! Sign-in at an OpenID provider: a small one of the test's own, with real sockets and real signatures.

use crate::support::{Browser, Hitwire, until};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::{Form, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hitwire_server::OidcSettings;
use hitwire_store::{Role, Secret};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use url::Url;

const CALLBACK: &str = "https://waf.example/sign-in/oidc/callback";

type Claims = Box<dyn Fn(&mut Value) + Send>;

/// A provider that lets everybody in as whom the test says.
struct Issuer {
    address: String,
    key: EcdsaKeyPair,
    /// Of the sign-in under way: what was asked.
    asked: Mutex<HashMap<String, String>>,
    /// What is other than usual in the claims, and the header of the next token.
    claims: Mutex<Claims>,
    header: Mutex<Value>,
}

impl Issuer {
    async fn start() -> Arc<Issuer> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
        let issuer = Arc::new(Issuer {
            address: format!("http://{}", listener.local_addr().expect("an address")),
            key: key.expect("a key"),
            asked: Mutex::default(),
            claims: Mutex::new(Box::new(|_| {})),
            header: Mutex::new(json!({"alg": "ES256", "kid": "one"})),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum_serve(listener, routes).await });
        issuer
    }

    fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: self.address.clone(),
            client_id: "hitwire".to_owned(),
            client_secret: Some(Secret::new("hush hush")),
            name: "Example ID".to_owned(),
            new_users: None,
            ca_file: None,
            allow_targets: Vec::new(),
        }
    }

    /// From now on tokens differ so.
    fn says(&self, change: impl Fn(&mut Value) + Send + 'static) {
        *self.claims.lock().expect("not poisoned") = Box::new(change);
    }

    /// Goes there and comes back; the answer to that.
    async fn visit(&self, browser: &mut Browser, next: &str) -> crate::support::Answer {
        let path = self.agree(browser, next).await;
        browser.get_as_it_is(&path).await
    }

    /// Goes there; where the provider sends the browser back to.
    async fn agree(&self, browser: &mut Browser, next: &str) -> String {
        let answer = browser.get_as_it_is(&format!("/sign-in/oidc?next={next}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.page(303));
        let url = Url::parse(answer.headers["location"].to_str().expect("text")).expect("an address");
        assert!(url.as_str().starts_with(&format!("{}/authorize?", self.address)), "{url}");
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!((&*asked["redirect_uri"], &*asked["response_type"]), (CALLBACK, "code"));
        let path = format!("/sign-in/oidc/callback?code=the%20code&state={}", asked["state"]);
        *self.asked.lock().expect("not poisoned") = asked;
        path
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("signed");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Serves until the test ends.
async fn axum_serve(listener: tokio::net::TcpListener, routes: Router) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let service = hyper_util::service::TowerToHyperService::new(routes.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
        );
    }
}

async fn describe(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let address = &issuer.address;
    Json(json!({
        "issuer": address,
        "authorization_endpoint": format!("{address}/authorize"),
        "token_endpoint": format!("{address}/token"),
        "jwks_uri": format!("{address}/jwks"),
    }))
}

async fn keys(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let point = issuer.key.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    Json(json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": x, "y": y}]}))
}

/// Gives a token for the code to who proves to be hitwire, and to have begun the sign-in.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let asked = issuer.asked.lock().expect("not poisoned").clone();
    let client = format!("Basic {}", STANDARD.encode("hitwire:hush+hush"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    let good = headers.get(AUTHORIZATION).is_some_and(|value| value == client.as_str())
        && form["grant_type"] == "authorization_code"
        && form["code"] == "the code"
        && form["redirect_uri"] == CALLBACK
        && challenge == asked["code_challenge"];
    if !good {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = json!({
        "iss": issuer.address, "sub": "ann-7", "aud": "hitwire", "nonce": asked["nonce"], "iat": now, "exp": now + 300,
        "email": "ann@example.com", "email_verified": true, "name": "Ann",
    });
    (issuer.claims.lock().expect("not poisoned"))(&mut claims);
    let header = issuer.header.lock().expect("not poisoned").clone();
    let id_token = issuer.sign(&header, &claims);
    (StatusCode::OK, Json(json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token})))
}

async fn start(issuer: &Issuer, new_users: Option<Role>) -> Hitwire {
    let oidc = OidcSettings { new_users, ..issuer.settings() };
    Hitwire::start_with(|config| {
        config.public_url = Some("https://waf.example/".to_owned());
        config.oidc = Some(oidc);
    })
    .await
}

#[tokio::test]
async fn a_user_is_known_by_a_verified_email_and_from_then_on_by_the_providers_own_name() {
    let issuer = Issuer::start().await;
    let hitwire = start(&issuer, None).await;
    hitwire.make("users", &json!({"email": "ANN@example.com", "name": "Ann", "role": "analyst"})).await;
    let mut forged = Browser::new(&hitwire);
    forged.headers = ["host", "x-forwarded-host"].map(|name| (name, "evil.example".to_owned())).into();
    let out =
        forged.get_as_it_is("/sign-in/oidc").await.headers["location"].to_str().expect("text").to_owned();
    assert!(out.contains("redirect_uri=https%3A%2F%2Fwaf.example%2Fsign-in%2Foidc%2Fcallback"), "{out}");
    assert!(!out.contains("evil"), "{out}");
    let mut browser = Browser::new(&hitwire);
    let page = browser.get("/sign-in?next=%2Fdashboard").await.page(200);
    assert!(page.contains("href=\"/sign-in/oidc?next=%2Fdashboard\">Sign in with Example ID"), "{page}");
    issuer.visit(&mut browser, "%2Fsettings%2Fprofile").await.sees_other("/settings/profile");
    assert!(
        browser.get("/settings/profile").await.page(200).contains("Linked to your account at Example ID")
    );
    // Another e-mail there, not even verified: still the same person.
    issuer.says(|claims| {
        claims["email"] = json!("eve@example.com");
        claims["email_verified"] = json!(false);
    });
    let mut again = Browser::new(&hitwire);
    issuer.visit(&mut again, "https%3A%2F%2Fevil.example").await.sees_other("/");
    assert!(again.get("/dashboard").await.page(200).contains("Ann"));
    // The same e-mail, but somebody else there.
    issuer.says(|claims| claims["sub"] = json!("other"));
    let page = issuer.visit(&mut Browser::new(&hitwire), "%2F").await.page(403);
    assert!(page.contains("another account of the provider"), "{page}");
    let log = hitwire.admin().get("/v1/activity?object_type=user").await.expect(200);
    assert_eq!(log["activity"][0]["action"], "link_provider");
}

#[tokio::test]
async fn an_account_whose_password_somebody_may_know_does_not_become_a_persons_own() {
    let issuer = Issuer::start().await;
    let hitwire = start(&issuer, None).await;
    // Whoever added the user may have kept the link and set the password.
    Browser::invited(&hitwire, "jane@example.com", "admin").await;
    issuer.says(|claims| claims["email"] = json!("jane@example.com"));
    let refused = issuer.visit(&mut Browser::new(&hitwire), "/").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(crate::support::text(&refused).contains("has a password"));
}

#[tokio::test]
async fn who_is_no_user_is_refused_or_becomes_one_as_the_operator_wants() {
    let issuer = Issuer::start().await;
    let hitwire = start(&issuer, None).await;
    let page = issuer.visit(&mut Browser::new(&hitwire), "%2F").await.page(403);
    assert!(page.contains("There is no user with your e-mail"), "{page}");
    let hitwire = start(&issuer, Some(Role::ReadOnly)).await;
    issuer.says(|claims| claims["email_verified"] = json!(false));
    let page = issuer.visit(&mut Browser::new(&hitwire), "%2F").await.page(403);
    assert!(page.contains("really yours"), "{page}");
    issuer.says(|_| {});
    let mut browser = Browser::new(&hitwire);
    issuer.visit(&mut browser, "%2F").await.sees_other("/");
    assert!(browser.get("/dashboard").await.page(200).contains("Read only"));
    until(async || hitwire.told(1).await.contains(&"create_user".to_owned())).await;
    let users = hitwire.admin().get("/v1/users").await.expect(200);
    let id = users["body"]["object"][0]["id"].clone();
    hitwire.admin().send("PUT", &format!("/v1/users/{id}"), &json!({"enabled": false})).await.expect(200);
    let page = issuer.visit(&mut Browser::new(&hitwire), "%2F").await.page(403);
    assert!(page.contains("Your account is disabled"), "{page}");
}

#[tokio::test]
async fn a_token_that_is_not_as_it_must_be_lets_nobody_in() {
    let issuer = Issuer::start().await;
    let hitwire = start(&issuer, None).await;
    hitwire.make("users", &json!({"email": "ann@example.com", "role": "admin"})).await;
    let cases: [(&str, &str, Value); 5] = [
        ("nonce", "belongs to another sign-in", json!("another")),
        ("exp", "has expired", json!(1_000_000_000)),
        ("iat", "is of the future", json!(9_000_000_000_u64)),
        ("aud", "is for another application", json!("another")),
        ("iss", "is of another issuer", json!("https://evil.example")),
    ];
    let refused = async |words: &str| {
        let mut browser = Browser::new(&hitwire);
        let page = issuer.visit(&mut browser, "%2F").await.page(403);
        assert!(page.contains(words), "{words}: {page}");
        assert_eq!(browser.cookie("__Host-hitwire"), None);
    };
    for (claim, words, value) in cases {
        issuer.says(move |claims| claims[claim] = value.clone());
        refused(words).await;
    }
    issuer.says(|_| {});
    for (header, words) in [
        (json!({"alg": "none"}), "in another way than RS256 or ES256"),
        (json!({"alg": "HS256", "kid": "one"}), "in another way than RS256 or ES256"),
        (json!({"alg": "ES256", "kid": "two"}), "a key that the provider does not show"),
    ] {
        *issuer.header.lock().expect("not poisoned") = header;
        refused(words).await;
    }
}

#[tokio::test]
async fn an_answer_that_belongs_to_another_browser_or_sign_in_is_refused() {
    let issuer = Issuer::start().await;
    let hitwire = start(&issuer, None).await;
    hitwire.make("users", &json!({"email": "ann@example.com", "role": "admin"})).await;
    let (mut browser, mut other) = (Browser::new(&hitwire), Browser::new(&hitwire));
    let path = issuer.agree(&mut browser, "%2F").await;
    assert!(other.get_as_it_is(&path).await.page(403).contains("was not begun in this browser"));
    browser.get_as_it_is(&format!("{path}x")).await.page(403);
    browser.get_as_it_is("/sign-in/oidc/callback").await.page(403);
    browser.get_as_it_is(&format!("{path}&iss=https%3A%2F%2Fevil.example")).await.page(403);
    browser.get_as_it_is(&format!("{path}&error=access_denied")).await.page(403);
    let wrong_code = path.replace("the%20code", "guessed");
    assert!(browser.get_as_it_is(&wrong_code).await.page(403).contains("invalid_grant"));
    browser.get_as_it_is(&path).await.sees_other("/");
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_one() {
    let hitwire = Hitwire::start().await;
    let mut browser = Browser::new(&hitwire);
    assert!(!browser.get("/sign-in").await.page(200).contains("/sign-in/oidc"));
    browser.get_as_it_is("/sign-in/oidc").await.page(404);
    browser.get_as_it_is("/sign-in/oidc/callback?code=x&state=y").await.page(404);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_said_in_words() {
    let issuer = Issuer::start().await;
    let elsewhere = OidcSettings { issuer: format!("{}/elsewhere", issuer.address), ..issuer.settings() };
    let hitwire = Hitwire::start_with(|config| {
        config.public_url = Some("https://waf.example".to_owned());
        config.oidc = Some(elsewhere);
    })
    .await;
    let page = Browser::new(&hitwire).get_as_it_is("/sign-in/oidc").await.page(502);
    assert!(page.contains("answered 404"), "{page}");
}

#[tokio::test]
async fn a_person_with_users_in_several_clients_says_which_is_meant() {
    let issuer = Issuer::start().await;
    let hitwire = start(&issuer, Some(Role::ReadOnly)).await;
    let (shop, bank) = (hitwire.new_client("Shop").await, hitwire.new_client("Bank").await);
    let user = |client: u64| json!({"email": "ann@example.com", "name": format!("Ann of {client}"), "role": "analyst", "clientid": client});
    hitwire.make("users", &user(shop)).await;
    let mut browser = Browser::new(&hitwire);
    // Somebody else may have made it: it must not catch her who was to become a user of the first client.
    let page = issuer.visit(&mut browser, "%2F").await.page(409);
    assert!(
        page.contains("/sign-in?client=1 for default") && page.contains(&format!("client={shop} for Shop")),
        "{page}"
    );
    hitwire.make("users", &user(bank)).await;
    for client in [bank, shop] {
        let mut browser = Browser::new(&hitwire);
        let page = browser.get(&format!("/sign-in?client={client}")).await.page(200);
        assert!(page.contains(&format!("/sign-in/oidc?next=%2F&amp;client={client}")), "{page}");
        issuer.visit(&mut browser, &format!("%2F&client={client}")).await.sees_other("/");
        let profile = browser.get("/settings/profile").await.page(200);
        assert!(profile.contains(&format!("Ann of {client}")), "{profile}");
    }
    // She is known in both, and still has to say which.
    let page = issuer.visit(&mut Browser::new(&hitwire), "%2F").await.page(409);
    assert!(
        page.contains("for Shop") && page.contains("for Bank") && !page.contains("for default"),
        "{page}"
    );
    issuer.visit(&mut Browser::new(&hitwire), &format!("%2F&client={shop}")).await.sees_other("/");
}
