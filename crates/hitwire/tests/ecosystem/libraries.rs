//! Receivers of a user's own, which verify with the official libraries of Standard Webhooks, and Ed25519 without one.

use super::certificates::Authority;
use super::{Beside, page, tools};
use crate::support::integration::Integration;
use crate::support::{Program, integration};
use hitwire::api::{Body, Client};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const OTHER_SECRET: &str = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMTI=";
const OTHER_PUBLIC_KEY: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// Which library.
#[derive(Clone, Copy, Debug)]
enum Library {
    Python,
    JavaScript,
}

/// One of the page's receivers, running.
struct Receiver {
    program: Program,
    port: u16,
    ca_pem: String,
}

/// What it says of a request.
#[derive(Debug, Deserialize)]
struct Seen {
    /// What it answered: 204 to a genuine one, 401 to another.
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Receiver {
    /// Starts it in `dir` with a secret, on a free port or the given one.
    async fn start(library: Library, dir: &Path, ca: &Authority, secret: &str, port: u16) -> Receiver {
        let (certificate, key) = ca.server().write(dir);
        let (program, file) = match library {
            Library::Python => ("python", page::write(dir, "receive.py", &[])),
            Library::JavaScript => {
                // Node.js looks for modules beside the file.
                let _ =
                    std::os::unix::fs::symlink(tools::place().join("node_modules"), dir.join("node_modules"));
                ("node", page::write(dir, "receive.mjs", &[]))
            }
        };
        let mut command = tools::command(program);
        command.arg(file).arg(certificate).arg(key).arg(port.to_string()).env("HITWIRE_SECRET", secret);
        let mut program = Program::spawn(command);
        let line = program.line_with("listening on").await;
        let port = line.split_whitespace().last().and_then(|port| port.parse().ok()).expect("a port");
        Receiver { program, port, ca_pem: ca.pem() }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/", self.port)
    }

    async fn seen(&mut self) -> Seen {
        let line = self.program.line_with("{").await;
        let mut seen: Seen = serde_json::from_str(&line).expect("one object a request");
        seen.headers = seen.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        seen
    }

    /// Sends a request again as it was seen, but for the body; what it is answered.
    async fn again(&mut self, seen: &Seen, body: &str) -> u16 {
        let headers: HeaderMap = seen
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("webhook-"))
            .map(|(name, value)| {
                (name.parse::<HeaderName>().expect("a name"), value.parse::<HeaderValue>().expect("a value"))
            })
            .collect();
        let client = Client::new(&self.url(), None, Some(&self.ca_pem)).expect("an address");
        let body = Body::Json(body.to_owned().into());
        let mut connection = client.connect().await.expect("it listens");
        let answer = connection.request_with(Method::POST, "/", headers, body).await.expect("an answer");
        assert_eq!(self.seen().await.status, answer.status.as_u16());
        answer.status.as_u16()
    }
}

/// An integration, and a receiver that knows its secret. The address comes before the secret, and a receiver has an
/// address only once it runs: so it is started twice.
async fn with_its_secret(
    library: Library,
    dir: &Path,
    ca: &Authority,
    beside: &Beside,
    target: Value,
) -> (Integration, Receiver) {
    let first = Receiver::start(library, dir, ca, OTHER_SECRET, 0).await;
    let made = integration::of_hits_at(&beside.server, &first.url(), &ca.pem(), target).await;
    let port = first.port;
    first.program.kill().await;
    let receiver = Receiver::start(library, dir, ca, &made.signing_secret, port).await;
    (made, receiver)
}

/// What hitwire sends is genuine, and nothing else that looks like it.
async fn is_verified(library: Library) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Receiver CA");
    let mut beside = Beside::start(dir.path()).await;
    let (_, mut receiver) = with_its_secret(library, dir.path(), &ca, &beside, json!({})).await;
    beside.post(0..3).await;
    let seen = receiver.seen().await;
    assert_eq!(seen.status, 204, "{seen:?}");
    assert_eq!(seen.body, format!("[{}]", beside.sent(3).await.join(",")));

    let tampered = seen.body.replacen("sqli", "sqlj", 1);
    assert_ne!(tampered, seen.body);
    assert_eq!(receiver.again(&seen, &tampered).await, 401);
    assert_eq!(receiver.again(&seen, &seen.body).await, 204);
    let mut renamed = seen;
    renamed.headers.insert("webhook-id".to_owned(), "msg_another".to_owned());
    let body = renamed.body.clone();
    assert_eq!(receiver.again(&renamed, &body).await, 401);
}

#[tokio::test]
async fn the_python_library_verifies_what_hitwire_sends_and_nothing_else() {
    is_verified(Library::Python).await;
}

#[tokio::test]
async fn the_javascript_library_verifies_what_hitwire_sends_and_nothing_else() {
    is_verified(Library::JavaScript).await;
}

/// A receiver with another secret refuses; with the right one it gets the same batch.
async fn wants_the_right_secret(library: Library) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Receiver CA");
    let beside = Beside::start(dir.path()).await;
    let mut wrong = Receiver::start(library, dir.path(), &ca, OTHER_SECRET, 0).await;
    let made = integration::of_hits_at(&beside.server, &wrong.url(), &ca.pem(), json!({})).await;
    beside.post(0..3).await;
    let refused = wrong.seen().await;
    assert_eq!(refused.status, 401);
    beside.attempt(made.id, "the refusal", |attempt| attempt["status"] == 401).await;

    let port = wrong.port;
    wrong.program.kill().await;
    let mut right = Receiver::start(library, dir.path(), &ca, &made.signing_secret, port).await;
    let taken = right.seen().await;
    assert_eq!(taken.status, 204);
    assert_eq!(taken.headers["webhook-id"], refused.headers["webhook-id"]);
    assert_eq!(taken.body, refused.body);
}

#[tokio::test]
async fn the_python_library_refuses_a_wrong_secret() {
    wants_the_right_secret(Library::Python).await;
}

#[tokio::test]
async fn the_javascript_library_refuses_a_wrong_secret() {
    wants_the_right_secret(Library::JavaScript).await;
}

/// Gives the integration another secret, with the overlap that is the default or the given one.
async fn rotated(beside: &Beside, id: u64, settings: Value) -> String {
    let api = beside.server.api();
    let path = format!("/v2/integration/{id}/rotate-secret");
    let answer = api.request(Method::POST, &path, settings).await.expect("an answer");
    let rotated: Value = answer.successful(&api).expect("there is a new secret");
    rotated["body"]["object"]["signing_secret"].as_str().expect("a secret").to_owned()
}

/// While a secret is exchanged, who has the old one and who has the new one verify the same request; afterwards the old
/// one is worth nothing.
async fn is_verified_with_either_secret(library: Library) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Receiver CA");
    let beside = Beside::start(dir.path()).await;
    let (made, mut old) = with_its_secret(library, dir.path(), &ca, &beside, json!({})).await;
    let new_secret = rotated(&beside, made.id, json!({})).await;
    assert_ne!(new_secret, made.signing_secret);
    beside.post(0..3).await;
    let seen = old.seen().await;
    assert_eq!(seen.status, 204, "{seen:?}");
    assert_eq!(seen.headers["webhook-signature"].split(' ').filter(|one| one.starts_with("v1,")).count(), 2);

    let port = old.port;
    old.program.kill().await;
    let mut new = Receiver::start(library, dir.path(), &ca, &new_secret, port).await;
    assert_eq!(new.again(&seen, &seen.body).await, 204);
    let tampered = seen.body.replacen("sqli", "sqlj", 1);
    assert_eq!(new.again(&seen, &tampered).await, 401);

    rotated(&beside, made.id, json!({"overlap": 0})).await;
    beside.post(3..4).await;
    let refused = new.seen().await;
    assert_eq!(refused.status, 401, "{refused:?}");
}

#[tokio::test]
async fn the_python_library_verifies_with_either_secret_while_they_are_exchanged() {
    is_verified_with_either_secret(Library::Python).await;
}

#[tokio::test]
async fn the_javascript_library_verifies_with_either_secret_while_they_are_exchanged() {
    is_verified_with_either_secret(Library::JavaScript).await;
}

/// Neither library knows `v1a`: they must still verify the signature beside it.
async fn passes_over_ed25519(library: Library) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("Receiver CA");
    let beside = Beside::start(dir.path()).await;
    let target = json!({"signing": "v1a"});
    let (made, mut receiver) = with_its_secret(library, dir.path(), &ca, &beside, target).await;
    beside.post(0..3).await;
    let seen = receiver.seen().await;
    assert_eq!(seen.status, 204);

    page::write(dir.path(), "verify-v1a.mjs", &[]);
    let judge = dir.path().join("judge.mjs");
    std::fs::write(&judge, include_str!("judge-v1a.mjs")).unwrap();
    let list = integration::get(&beside.server, "/v2/integration").await;
    let integrations = list["body"]["object"].as_array().expect("a list");
    let shown = integrations.iter().find(|one| one["id"] == made.id).expect("the integration");
    let public_key = shown["target"]["signing_public_key"].as_str().expect("a public key");
    for (public_key, body, expected) in [
        (public_key, seen.body.clone(), "true\n"),
        (public_key, seen.body.replacen("sqli", "sqlj", 1), "false\n"),
        (OTHER_PUBLIC_KEY, seen.body.clone(), "false\n"),
    ] {
        let request = dir.path().join("request.json");
        let text = json!({"publicKey": public_key, "headers": &seen.headers, "body": body}).to_string();
        std::fs::write(&request, text).unwrap();
        let mut node = tools::command("node");
        node.arg(&judge).arg(request);
        assert_eq!(tools::output(node).await, expected);
    }
}

#[tokio::test]
async fn the_python_library_verifies_beside_ed25519() {
    passes_over_ed25519(Library::Python).await;
}

#[tokio::test]
async fn the_javascript_library_verifies_beside_ed25519() {
    passes_over_ed25519(Library::JavaScript).await;
}
