//! Client certificates, pins and private keys that sign: set, shown, changed, used.

use crate::support::{Hitwire, Receiver, until};
use hitwire_endpoint::sign::{self, Signed};
use serde_json::{Value, json};

/// The password of all files of `crates/endpoint/tests/identities`.
const PASSWORD: &str = "s3cret-Pässword";
const PKCS12: &str = include_str!("../../../endpoint/tests/identities/modern.p12.txt");
const ENCRYPTED_KEY: &str = include_str!("../../../endpoint/tests/identities/pkcs8-aes256-sha256.pem");
const KEY: &str = include_str!("../../../endpoint/tests/identities/key.pem");
const CLIENT: &str = include_str!("../../../endpoint/tests/identities/client.pem");
const BELOW: &str = include_str!("../../../endpoint/tests/identities/below.pem");
const ROOT: &str = include_str!("../../../endpoint/tests/identities/root.pem");
const URL: &str = "https://example.com/";
const MASK: &str = "********";

fn chain() -> String {
    format!("{CLIENT}{BELOW}{ROOT}")
}

/// The target of an answer, of a call that did what was asked.
#[track_caller]
fn target(answer: &Value) -> &Value {
    &answer["body"]["object"]["target"]
}

#[tokio::test]
async fn a_client_identity_is_taken_in_each_form_and_its_key_is_never_shown_nor_stored_in_clear() {
    let mut hitwire = Hitwire::start().await;
    for given in [
        json!({"url": URL, "client_cert": PKCS12, "client_key_password": PASSWORD}),
        json!({"url": URL, "client_cert": PKCS12, "client_key": MASK, "client_key_password": PASSWORD}),
        json!({"url": URL, "client_cert": chain(), "client_key": ENCRYPTED_KEY, "client_key_password": PASSWORD}),
        json!({"url": URL, "client_cert": format!("{ROOT}{BELOW}{CLIENT}"), "client_key": KEY}),
        json!({"url": URL, "client_cert": format!("{KEY}{}", chain())}),
    ] {
        let created = hitwire.create(&json!({"target": given})).await;
        assert_eq!(created["target"]["client_cert"], chain());
        assert_eq!(created["target"]["client_key"], MASK);
        let path = format!("/v2/integration/{}/status", created["id"]);
        let status = hitwire.admin().get(&path).await.expect(200);
        let subjects: Vec<_> = status["tls"]["client_cert"]
            .as_array()
            .expect("certificates")
            .iter()
            .map(|certificate| certificate["subject"].as_str().expect("text"))
            .collect();
        assert_eq!(subjects, ["CN=Test Client", "CN=Test Intermediate", "CN=Test Root"]);
        for shown in [created.to_string(), status.to_string()] {
            assert!(!shown.contains("PRIVATE KEY") && !shown.contains("s3cret"), "{shown}");
        }
    }
    hitwire.stop().await;
    let key: String = KEY.lines().nth(1).expect("a line").to_owned();
    for entry in std::fs::read_dir(hitwire.data_dir()).expect("listed") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("read");
        for secret in [&key, PASSWORD, "PRIVATE KEY"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_client_identity_is_told_at_its_field() {
    let hitwire = Hitwire::start().await;
    let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    for (given, pointer, words) in [
        (json!({"client_cert": PKCS12}), "client_key_password", "client_cert is encrypted"),
        (
            json!({"client_cert": PKCS12, "client_key_password": "no"}),
            "client_key_password",
            "is wrong for client_cert",
        ),
        (
            json!({"client_cert": chain(), "client_key": other}),
            "client_key",
            "does not belong to any of the 3",
        ),
        (json!({"client_cert": chain()}), "client_key", "client_key is not"),
        (json!({"client_cert": chain(), "client_key": MASK}), "client_key", "is only the mask"),
        (json!({"client_key": KEY}), "client_cert", "client_cert is not"),
        (json!({"client_cert": "x", "client_key": KEY}), "client_cert", "neither PEM text"),
        (json!({"pin_sha256": ["AB:CD"]}), "pin_sha256/0", "64 hexadecimal digits"),
        (json!({"pin_sha256": vec![MASK; 17]}), "pin_sha256", "at most 16"),
        (json!({"signing": "v2"}), "signing", "is not one of"),
    ] {
        let mut target = given.clone();
        target["url"] = json!(URL);
        let problem =
            hitwire.admin().send("POST", "/v2/integration", &json!({"target": target})).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], format!("/target/{pointer}"), "{problem:#}");
        let message = problem["errors"][0]["message"].as_str().expect("text");
        assert!(message.contains(words), "{message}");
        assert!(!problem.to_string().contains("PRIVATE"), "{problem}");
    }
}

#[tokio::test]
async fn a_key_that_is_left_out_or_masked_stays_and_an_empty_one_goes() {
    let hitwire = Hitwire::start().await;
    let created =
        hitwire.create(&json!({"target": {"url": URL, "client_cert": chain(), "client_key": KEY}})).await;
    let path = format!("/v2/integration/{}", created["id"]);
    let put = async |target: Value| hitwire.admin().send("PUT", &path, &json!({"target": target})).await;
    for (kept, certificate) in [
        (created["target"].clone(), chain()),
        (json!({"url": URL}), chain()),
        (json!({"url": URL, "client_key": MASK}), chain()),
        // Another chain for the same key: one that was renewed, for example.
        (json!({"url": URL, "client_cert": CLIENT}), CLIENT.to_owned()),
        (json!({"url": URL, "client_cert": chain(), "client_key": MASK}), chain()),
    ] {
        let changed = put(kept.clone()).await.expect(200);
        assert_eq!(target(&changed)["client_cert"], certificate, "{kept}");
        assert_eq!(target(&changed)["client_key"], MASK, "{kept}");
    }
    let strange = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).expect("a certificate");
    let problem = put(json!({"url": URL, "client_cert": strange.cert.pem()})).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/target/client_cert");
    assert_eq!(problem["errors"][0]["message"], "does not belong to the key that is kept; send the key too");
    let gone = put(json!({"url": URL, "client_cert": "", "client_key": ""})).await.expect(200);
    assert_eq!((&target(&gone)["client_cert"], &target(&gone)["client_key"]), (&json!(""), &Value::Null));
}

#[tokio::test]
async fn a_key_must_be_sent_again_when_it_would_be_shown_elsewhere_or_to_others() {
    let hitwire = Hitwire::start().await;
    let pin = "AB".repeat(32);
    let created = hitwire
        .create(
            &json!({"target": {"url": URL, "client_cert": chain(), "client_key": KEY, "pin_sha256": [pin]}}),
        )
        .await;
    let colons = vec!["AB"; 32].join(":");
    assert_eq!(created["target"]["pin_sha256"], json!([colons]));
    let path = format!("/v2/integration/{}", created["id"]);
    let put = async |target: Value| hitwire.admin().send("PUT", &path, &json!({"target": target})).await;
    for moved in [
        json!({"url": "https://example.org/", "pin_sha256": [pin]}),
        json!({"url": URL, "pin_sha256": []}),
        json!({"url": URL, "pin_sha256": null}),
        json!({"url": URL, "pin_sha256": [pin, "CD".repeat(32)]}),
        json!({"url": URL, "pin_sha256": [pin], "ca_verify": false}),
        json!({"url": URL, "client_cert": CLIENT, "pin_sha256": []}),
    ] {
        let problem = put(moved.clone()).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/target/client_key", "{moved}: {problem}");
        let message = problem["errors"][0]["message"].as_str().expect("text");
        assert!(message.ends_with("so the key of the client certificate must be sent again"), "{message}");
    }
    put(json!({"url": URL, "pin_sha256": [colons.to_lowercase()]})).await.expect(200);
    put(json!({"url": URL})).await.expect(200);
    put(json!({"url": "https://example.org/", "client_key": KEY})).await.expect(200);
}

#[tokio::test]
async fn a_pinned_receiver_is_sent_to_without_a_ca_and_another_one_is_told_by_its_fingerprint() {
    let hitwire = Hitwire::start().await;
    let receiver = Receiver::start_https().await;
    let test = async |pins: Value| {
        let settings = json!({"target": {"url": receiver.url(), "pin_sha256": pins}});
        hitwire.admin().send("POST", "/v2/integration/test", &settings).await.expect(200)["body"].clone()
    };
    let refused = test(json!(["00".repeat(32)])).await;
    assert_eq!(refused["result"], "failure");
    let words = refused["object"]["error"].as_str().expect("words");
    let (_, presented) = words.split_once("its SHA-256 fingerprint is ").expect("a fingerprint");
    let (presented, _) = presented.split_once(';').expect("an end");
    assert_eq!(test(json!([presented])).await["result"], "success");
    assert_eq!(receiver.received().len(), 1);
}

/// Answers one request as nginx does where it wants a client certificate.
async fn like_nginx() -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        // The body is an array.
        while !request.ends_with(b"]") {
            stream.read_buf(&mut request).await.expect("more of the request");
        }
        let page = "<center>No required SSL certificate was sent</center>";
        let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n", page.len());
        stream.write_all(format!("{head}{page}").as_bytes()).await.expect("written");
    });
    url
}

#[tokio::test]
async fn a_page_about_a_missing_client_certificate_is_told_in_words() {
    let hitwire = Hitwire::start().await;
    let settings = json!({"target": {"url": like_nginx().await}});
    let answer = hitwire.admin().send("POST", "/v2/integration/test", &settings).await.expect(200);
    assert_eq!(
        answer["body"]["object"]["error"],
        "the endpoint returned 400: the receiver wants a client certificate, and the integration has none"
    );
}

#[tokio::test]
async fn a_private_key_signs_too_and_stays_until_it_is_given_up() {
    let hitwire = Hitwire::start().await;
    let receiver = Receiver::start().await;
    let created = hitwire
        .create(&json!({"target": {"url": receiver.url(), "signing": "v1a"}, "events": [{"event": "siem"}]}))
        .await;
    let public = created["target"]["signing_public_key"].as_str().expect("a key").to_owned();
    let secret = created["signing_secret"].as_str().expect("a secret").to_owned();
    hitwire.send(&json!({"object_type": "hit", "type": "sqli"})).await.expect(202);
    until(async || !receiver.received().is_empty()).await;
    let received = receiver.received().remove(0);
    let header = |name: &str| received.headers[name].to_str().expect("text").to_owned();
    let (id, timestamp, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let now_s = timestamp.parse().expect("seconds");
    let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature };
    for verifier in [&public, &secret] {
        assert_eq!(sign::verify(&[verifier], signed, &received.body, now_s), Ok(()), "{verifier}");
    }
    let path = format!("/v2/integration/{}", created["id"]);
    let put = async |target: Value| {
        hitwire.admin().send("PUT", &path, &json!({"target": target})).await.expect(200)
    };
    for same in [json!({"url": receiver.url()}), json!({"url": receiver.url(), "signing": "v1a"})] {
        assert_eq!(target(&put(same).await)["signing_public_key"], public);
    }
    let given_up = put(json!({"url": receiver.url(), "signing": "v1"})).await;
    assert_eq!(target(&given_up)["signing"], "v1");
    assert_eq!(target(&given_up)["signing_public_key"], Value::Null);
    let anew = put(json!({"url": receiver.url(), "signing": "v1a"})).await;
    assert_ne!(target(&anew)["signing_public_key"], public, "a new key");
}

#[tokio::test]
async fn the_status_warns_of_what_is_not_as_it_should_be() {
    let hitwire = Hitwire::start().await;
    let warnings = async |target: Value| {
        let id = hitwire.create(&json!({"target": target})).await["id"].clone();
        let status = hitwire.admin().get(&format!("/v2/integration/{id}/status")).await.expect(200);
        let warnings = status["warnings"].as_array().expect("an array").clone();
        warnings.iter().map(|one| one.as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(warnings(json!({"url": URL})).await, Vec::<String>::new());
    let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("a name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Old");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    let key = rcgen::KeyPair::generate().expect("a key");
    let old = params.self_signed(&key).expect("a certificate").pem();
    for (target, words) in [
        (json!({"url": URL, "ca_verify": false}), "the receiver's certificate is not verified"),
        (json!({"url": "http://127.0.0.1:1/"}), "the URL is not https"),
        (json!({"url": URL, "ca_file": old}), "ca_file: the certificate CN=Old expired on 2021-02-03"),
        (
            json!({"url": URL, "client_cert": old, "client_key": key.serialize_pem()}),
            "client_cert: the certificate CN=Old expired on 2021-02-03",
        ),
    ] {
        let warnings = warnings(target.clone()).await;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(words), "{warnings:?}");
    }
    assert_eq!(warnings(json!({"url": URL, "ca_file": format!("{old}{ROOT}")})).await, Vec::<String>::new());
    let pinned = json!({"url": URL, "ca_verify": false, "pin_sha256": ["AB".repeat(32)]});
    assert_eq!(warnings(pinned).await, Vec::<String>::new());
}
