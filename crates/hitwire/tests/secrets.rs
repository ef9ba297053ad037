//! Whatever is secret is searched for where others could read it: in the log, in every file, in every answer.

use crate::support::{RunningServer, TOKEN, hits, in_time, integration};
use http::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The password of the file below.
const PASSWORD: &str = "s3cret-Pässword";
const PKCS12: &str = include_str!("../../endpoint/tests/identities/modern.p12.txt");
const KEY: &str = include_str!("../../endpoint/tests/identities/key.pem");

/// Of the URL: its administrators see it, nobody else does, and it lies nowhere in the clear.
const IN_URL: [&str; 2] = ["path-Kei7aeph", "query-Aes9ooth"];

/// A secret and where it was given.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Those that are in a text.
    fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        let is_in = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        self.0.iter().filter(|(_, secret)| is_in(secret)).map(|(name, _)| *name).collect()
    }
}

/// A call that must be answered; its status and body.
async fn call(server: &RunningServer, method: Method, path: &str, body: Value) -> (u16, Value) {
    let answer = in_time(path, server.api().request(method, path, body)).await.expect("an answer");
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// The paths of all calls that read, with 1 as the id.
async fn readable(server: &RunningServer) -> Vec<String> {
    let (_, document) = call(server, Method::GET, "/openapi.json", Value::Null).await;
    let paths = document["paths"].as_object().expect("an object");
    let readable = paths.iter().filter(|(_, item)| item.get("get").is_some());
    readable.map(|(path, _)| path.replace("{id}", "1").replace("{n}", "1")).collect()
}

fn search_files(secrets: &Secrets, folder: &Path) -> usize {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        let found = secrets.found_in(&std::fs::read(&path).expect("read"));
        assert!(found.is_empty(), "{found:?} in {}", path.display());
        searched += 1;
    }
    searched
}

#[tokio::test]
async fn no_secret_is_found_in_the_log_in_any_file_or_in_any_answer_that_others_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = RunningServer::start(&data, &["--log", "trace"]).await;
    let header = |value: &str| json!({"Authorization": format!("Bearer {value}")});
    let target = |headers: Value| {
        json!({
            // Nobody listens there: every attempt fails, and says why.
            "url": format!("https://127.0.0.1:9/{}?key={}", IN_URL[0], IN_URL[1]), "headers": headers,
            "client_cert": PKCS12, "client_key_password": PASSWORD, "signing": "v1a",
        })
    };
    let mut secrets = vec![
        ("the first token", TOKEN.to_owned()),
        ("a header's value", "header-Ohx3aiqu".to_owned()),
        ("a changed header's value", "header-Eiph4aez".to_owned()),
        ("a refused header's value", "header-Uqu2iema".to_owned()),
        ("the path", IN_URL[0].to_owned()),
        ("the query", IN_URL[1].to_owned()),
        ("the key's password", PASSWORD.to_owned()),
        ("the client's key", KEY.lines().nth(1).expect("a line").to_owned()),
        ("a private key", "PRIVATE KEY".to_owned()),
        ("a private signing key", "whsk_".to_owned()),
    ];

    let body = json!({
        "name": "with secrets", "target": target(header("header-Ohx3aiqu")),
        "events": [{"event": "siem", "with_headers": true}, {"event": "system"}],
    });
    let (status, created) = call(&server, Method::POST, "/v2/integration", body).await;
    assert_eq!(status, 200, "{created}");
    let secret =
        |answer: &Value| answer["body"]["object"]["signing_secret"].as_str().expect("a secret").to_owned();
    secrets.push(("a signing secret", secret(&created)));
    let (_, rotated) = call(&server, Method::POST, "/v2/integration/1/rotate-secret", json!({})).await;
    secrets.push(("a rotated signing secret", secret(&rotated)));
    let user = json!({"email": "ann@example.com", "role": "admin"});
    assert_eq!(call(&server, Method::POST, "/v1/users", user).await.0, 200);
    let token = json!({"name": "hers", "role": "admin", "user": 1});
    let (_, token) = call(&server, Method::POST, "/v1/tokens", token).await;
    secrets
        .push(("a user's token", token["body"]["object"]["token"].as_str().expect("the token").to_owned()));

    server.accept(&hits::hits("secrets", 1, 0..2)).await;
    let changed = json!({"target": target(header("header-Eiph4aez"))});
    assert_eq!(call(&server, Method::PUT, "/v2/integration/1", changed).await.0, 200);
    let broken =
        json!({"target": target(json!({"Bad Name": "header-Uqu2iema", "X-B": "header-Uqu2iema\r\n"}))});
    let (status, refused) = call(&server, Method::PUT, "/v2/integration/1", broken).await;
    assert_eq!(status, 422);
    let (_, tested) = call(&server, Method::POST, "/v2/integration/1/test", json!({})).await;
    in_time("an attempt that failed", async {
        while !integration::attempts(&server, 1).await.iter().any(|attempt| attempt["error"].is_string()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    let secrets = Secrets(secrets);
    assert_eq!(secrets.found_in(refused.to_string().as_bytes()), [""; 0]);
    let mut shown = secrets.found_in(tested.to_string().as_bytes());
    shown.retain(|name| !["the path", "the query"].contains(name));
    assert_eq!(shown, [""; 0], "in the answer to a test");
    let readable = readable(&server).await;
    assert!(readable.len() > 10, "{readable:?}");
    for path in readable {
        let answer = in_time(&path, server.api().request(Method::GET, &path, ())).await.expect("an answer");
        let mut found = secrets.found_in(&answer.body);
        // Administrators see whole URLs (contract.md section 6).
        found.retain(|name| {
            !(path.starts_with("/v2/integration") && ["the path", "the query"].contains(name))
        });
        assert!(found.is_empty(), "{found:?} in the answer to GET {path}");
    }
    let log = server.log();
    assert!(log.len() > 1_000, "it says much: {log}");
    assert_eq!(secrets.found_in(log.as_bytes()), [""; 0], "in the log");
    let in_full = call(&server, Method::GET, "/v2/integration/1/attempts/1", Value::Null).await.1;
    assert!(in_full["detail"].is_object(), "it is in a file by now: {in_full}");
    assert!(data.join("details-1.db").exists());
    assert!(search_files(&secrets, &data) > 4);
    assert!(server.terminate().await.success());
    assert!(search_files(&secrets, &data) > 3);
    // What is no secret is found: the search can fail.
    let name = Secrets(vec![("the name", "with secrets".to_owned())]);
    assert_eq!(name.found_in(created.to_string().as_bytes()), ["the name"]);
    let state = std::fs::read(data.join("state.db")).expect("read");
    assert_eq!(name.found_in(&state), ["the name"]);
}
