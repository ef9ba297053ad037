//! The delivery log as people use it: requests made again by hand, files of it, signatures that do not fit.

use crate::integration::{hitwire_with, json, succeeds};
use crate::support::{RunningServer, hits, in_time, integration};
use hitwire::listen::{Listener, Options, Signature};
use hitwire_endpoint::sign::{self, Signed};
use http::Method;
use serde_json::{Value, json as value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    line: String,
    headers: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

/// A receiver in clear that keeps whole requests.
struct Recorder {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    async fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(record(stream, Arc::clone(&kept)));
            }
        });
        Recorder { url, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    async fn until(&self, count: usize) -> Request {
        in_time("a request", async {
            loop {
                if let Some(request) = self.requests().get(count - 1) {
                    return request.clone();
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

async fn record(stream: TcpStream, kept: Arc<Mutex<Vec<Request>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let (mut headers, mut length) = (BTreeMap::<String, Vec<String>>::new(), 0);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.ok()?;
            let Some((name, value)) = header.trim_end_matches("\r\n").split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        kept.lock().unwrap().push(Request { line: line.trim_end().to_owned(), headers, body });
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
    }
}

/// Runs a script as somebody who has pasted it, in a directory of its own.
async fn bash(script: &str, dir: &Path, variables: &[(&str, &str)]) -> Output {
    // As an argument it would be too long.
    let file = dir.join("again.sh");
    std::fs::write(&file, script).unwrap();
    let mut command = tokio::process::Command::new("bash");
    command.arg(&file).current_dir(dir).envs(variables.iter().copied());
    in_time("the script", command.output()).await.unwrap()
}

/// The ids of an integration's attempts, the newest first, once there are so many.
async fn attempts(server: &RunningServer, id: u64, count: usize) -> Vec<u64> {
    in_time("the attempts", async {
        loop {
            let attempts = integration::attempts(server, id).await;
            if attempts.len() >= count {
                return attempts.iter().map(|attempt| attempt["id"].as_u64().unwrap()).collect();
            }
        }
    })
    .await
}

/// A hit with what would run, or act on a terminal, if it were not quoted.
fn hostile() -> Value {
    let mut hit = hits::hit("hostile", 0, 0);
    hit["payloads"] =
        value!(["'; touch owned #", "$(touch owned) `touch owned` \\ \" !!", "\u{1b}[2J\n\r\t\u{202e}ü %s"]);
    value!([hit])
}

#[tokio::test]
async fn a_request_made_again_by_hand_is_the_same_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &["--allow-http"]).await;
    let receiver = Recorder::start().await;
    let url = format!("{}/hooks/it's-$(id)?key=[1]&b={{a,b}}&c=..", receiver.url);
    let target = value!({
        "url": url, "http_method": "PUT",
        "headers": {"X-Token": "it's \"$(touch owned)\" \\ `id` 100%", "x.token": "another"},
    });
    let made = integration::of_hits_at(&server, &url, "", target).await;
    server.accept(&hostile()).await;
    let sent = receiver.until(1).await;
    let number = attempts(&server, made.id, 1).await[0];

    let id = made.id.to_string();
    let script = succeeds(&server, &["attempt", "curl", &id, &number.to_string()]).await;
    assert!(!script.contains('\u{1b}') && !script.contains('\u{202e}'), "{script:?}");
    assert!(!script.contains("touch owned)\" \\"), "the header's value is a variable: {script}");
    let missing = bash(&script, dir.path(), &[]).await;
    assert!(!missing.status.success() && receiver.requests().len() == 1, "{missing:?}");
    let headers = [
        ("HITWIRE_HEADER_X_TOKEN", "it's \"$(touch owned)\" \\ `id` 100%"),
        ("HITWIRE_HEADER_X_TOKEN__2", "another"),
    ];
    let ran = bash(&script, dir.path(), &headers).await;
    assert!(ran.status.success(), "{ran:?}\n{script}");
    let again = receiver.until(2).await;
    assert_eq!(again, sent, "line, every header, and the body\n{script}");
    assert!(!dir.path().join("owned").exists());

    // With the secret it signs anew, as a receiver verifies it.
    let anew = [headers.as_slice(), &[("HITWIRE_SIGNING_SECRET", &*made.signing_secret)]].concat();
    assert!(bash(&script, dir.path(), &anew).await.status.success());
    let signed = receiver.until(3).await;
    let header = |name: &str| signed.headers[name][0].clone();
    let (webhook_id, timestamp, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let given = Signed { id: &webhook_id, timestamp: &timestamp, signature: &signature };
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert_eq!(sign::verify(&[&made.signing_secret], given, &signed.body, now_s), Ok(()), "{script}");
    assert_eq!((&signed.line, &signed.body), (&sent.line, &sent.body));

    // The body beside the script, and what is secret withheld from an analyst.
    let text = async |path: &str, token: Option<&str>| {
        let api = server.api();
        let api = match token {
            Some(token) => api.with_token(hitwire_store::Secret::new(token)),
            None => api,
        };
        let answer = api.request(Method::GET, path, ()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    let path = format!("/v2/integration/{id}/attempts/{number}");
    let beside = text(&format!("{path}/curl?body=file"), None).await;
    std::fs::write(dir.path().join(format!("attempt-{number}.json")), &sent.body).unwrap();
    assert!(bash(&beside, dir.path(), &headers).await.status.success(), "{beside}");
    assert_eq!(receiver.until(4).await, sent);

    let created = json(&server, &["token", "create", "an analyst", "--role", "analyst"]).await;
    let analyst = created["token"].as_str().unwrap().to_owned();
    let withheld = text(&format!("{path}/curl"), Some(&analyst)).await;
    let shown = text(&path, Some(&analyst)).await;
    let signature = sent.headers["webhook-signature"][0].clone();
    for part in ["it's-", "hooks", "[1]", &signature] {
        assert!(!withheld.contains(part) && !shown.contains(part), "{part} is for administrators");
    }
    let full: Value = serde_json::from_str(&text(&path, None).await).unwrap();
    let request = &full["detail"]["request"];
    assert_eq!(request["headers"]["webhook-signature"], signature);
    assert_eq!(request["headers"]["x-token"], "********");
    let path_and_query = sent.line.split(' ').nth(1).unwrap();
    assert_eq!(request["url"], format!("{}{path_and_query}", receiver.url));
    let own = [anew.as_slice(), &[("HITWIRE_PATH_AND_QUERY", path_and_query)]].concat();
    let ran = bash(&withheld, dir.path(), &own).await;
    assert!(ran.status.success(), "{ran:?}\n{withheld}");
    let last = receiver.until(5).await;
    assert_eq!((&last.line, &last.body), (&sent.line, &sent.body));
}

#[tokio::test]
async fn a_script_reaches_a_receiver_with_an_authority_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &[]).await;
    let mut receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let made = integration::of_hits(&server, &receiver, value!({})).await;
    receiver.check_with(made.signing_secret.clone());
    server.accept(&hits::hits("https", 0, 0..200)).await;
    let sent = in_time("the notification", receiver.events.recv()).await.unwrap();
    assert!(sent.body.len() > 32 << 10, "it stands in the script as base64: {}", sent.body.len());
    let number = attempts(&server, made.id, 1).await[0].to_string();
    let script = succeeds(&server, &["attempt", "curl", "Test", &number]).await;
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &receiver.ca_pem).unwrap();
    let ran = bash(&script, dir.path(), &[("HITWIRE_CA_FILE", ca.to_str().unwrap())]).await;
    assert!(ran.status.success(), "{ran:?}");
    let again = in_time("the same again", receiver.events.recv()).await.unwrap();
    assert_eq!((again.body, again.webhook_id), (sent.body, sent.webhook_id));
    assert_eq!(again.signature, Signature::Verified);
}

#[tokio::test]
async fn the_delivery_log_is_written_to_files_with_the_same_filters() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &["--allow-http"]).await;
    let receiver = Recorder::start().await;
    let made = integration::of_hits_at(&server, &receiver.url, "", value!({"max_events": 1})).await;
    // More than one piece of a file has.
    server.accept(&hits::hits("files", 0, 0..620)).await;
    let ids = in_time("the attempts", async {
        loop {
            let counted = integration::get(
                &server,
                &format!("/v2/integration/{}/attempts?count=true&limit=1", made.id),
            )
            .await;
            if counted["total"]["count"] == 620 {
                return counted["attempts"][0]["id"].as_u64().unwrap();
            }
        }
    })
    .await;
    let csv = succeeds(&server, &["attempt", "export", "Test"]).await;
    let rows: Vec<_> = csv.lines().collect();
    assert_eq!(rows.len(), 621);
    assert!(rows[0].starts_with("\"id\",\"started_at\",\"verdict\",\"status\""), "{}", rows[0]);
    assert!(
        rows[1].starts_with(&format!("\"{ids}\",\"20")) && rows[1].contains("\"delivered\",\"200\""),
        "{}",
        rows[1]
    );
    let lines = succeeds(&server, &["attempt", "export", "Test", "--output", "json"]).await;
    let listed = json(&server, &["attempt", "list", "Test", "--limit", "1000"]).await;
    let exported: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed["attempts"], value!(exported), "the same rows");

    let seq = exported[5]["first"].to_string();
    let one = succeeds(&server, &["attempt", "export", "Test", "--seq", &seq, "--output", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&one).unwrap(), exported[5]);
    let none = succeeds(&server, &["attempt", "export", "Test", "--status", "5xx"]).await;
    assert_eq!(none.lines().count(), 1, "the columns alone: {none}");
    let ten = succeeds(&server, &["attempt", "export", "Test", "--limit", "10"]).await;
    assert_eq!(ten.lines().count(), 11);

    let api = server.api();
    let path = format!("/v2/integration/{}/attempts", made.id);
    let with = http::HeaderMap::from_iter([(http::header::ACCEPT, "text/csv".parse().unwrap())]);
    let mut connection = api.connect().await.unwrap();
    let answer = connection.request_with(Method::GET, &path, with, ()).await.unwrap();
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(
        answer.headers["content-disposition"],
        format!("attachment; filename=\"attempts-of-{}.csv\"", made.id)
    );
    assert_eq!(String::from_utf8_lossy(&answer.body).replace("\r\n", "\n"), csv.replace("\r\n", "\n"));
    for query in ["format=xml", "format=csv&count=true", "format=csv&limit=1000001", "format=csv&what=1"] {
        let refused = api.request(Method::GET, &format!("{path}?{query}"), ()).await.unwrap();
        assert_eq!(refused.status, 400, "{query}");
    }
}

#[tokio::test]
async fn why_a_signature_does_not_fit_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &["--allow-http"]).await;
    let receiver = Recorder::start().await;
    let made = integration::of_hits_at(&server, &receiver.url, "", value!({})).await;
    server.accept(&hostile()).await;
    let sent = receiver.until(1).await;
    let number = attempts(&server, made.id, 1).await[0];

    let (headers, body) = (dir.path().join("headers"), dir.path().join("body"));
    let lines: Vec<_> = sent.headers.iter().map(|(name, values)| format!("{name}: {}", values[0])).collect();
    std::fs::write(&headers, lines.join("\r\n")).unwrap();
    let check = async |bytes: &[u8], more: &[&str], variables: &[(&str, &str)]| {
        std::fs::write(&body, bytes).unwrap();
        let args = [
            "integration",
            "check-signature",
            "Test",
            "--headers",
            headers.to_str().unwrap(),
            "--body",
            body.to_str().unwrap(),
        ];
        hitwire_with(&server, variables, &[&args, more].concat()).await
    };
    let good = check(&sent.body, &[], &[]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(
        good.stdout.contains("accepted") && good.stdout.contains("fits current secret"),
        "{}",
        good.stdout
    );
    let found =
        check(&[&sent.body[..], b"\n"].concat(), &["--output", "json"], &[("HELD", &made.signing_secret)])
            .await;
    assert_eq!(found.code, Some(1), "{found:?}");
    let answer: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(answer["findings"][0]["code"], "trailing_newline");
    assert_eq!((&answer["fits"], &answer["attempt"]), (&value!(false), &value!(number)));
    let parsed: Value = serde_json::from_slice(&sent.body).unwrap();
    let pretty = check(serde_json::to_string_pretty(&parsed).unwrap().as_bytes(), &[], &[]).await;
    assert!(pretty.stdout.contains("JSON"), "{}", pretty.stdout);
    let late = check(&sent.body, &["--received-at", "2100-01-01T00:00:00Z"], &[]).await;
    assert_eq!(late.code, Some(1));
    assert!(late.stdout.contains("webhook-timestamp is"), "{}", late.stdout);
    let held = check(
        &sent.body,
        &["--secret-from-env", "HELD"],
        &[("HELD", "whsec_CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=")],
    )
    .await;
    assert!(held.stdout.contains("none of this integration"), "{}", held.stdout);
    for finished in [&good, &found, &pretty, &late, &held] {
        assert!(!finished.stdout.contains("whsec_C") && !finished.stdout.contains(&made.signing_secret));
    }
    // Nothing of what was pasted is kept.
    let marked = check(b"[\"a mark that is in no file\"]", &[], &[]).await;
    assert_eq!(marked.code, Some(1));
    assert!(!server.log().contains("a mark that"), "in the log");
    assert!(server.terminate().await.success());
    for entry in std::fs::read_dir(dir.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(11).any(|window| window == b"a mark that"), "{}", path.display());
    }
}
