//! Deliveries through proxies, as an operator and a user set them up.

// What this proxy can do besides is for the tests of the endpoint.
#[allow(dead_code)]
#[path = "../../endpoint/tests/endpoint/proxy_server.rs"]
mod proxy_server;

use crate::integration::{hitwire_with, json, receiver, succeeds};
use crate::support::integration::{attempts, get, of_hits};
use crate::support::{RunningServer, hits, in_time};
use proxy_server::{Manner, ProxyServer, Speaks};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const CREDENTIALS: &str = "collector:s3cret-of-the-proxy";

/// Every file of a folder, and those below it.
fn bytes_below(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(bytes_below(&path));
        } else {
            bytes.extend(std::fs::read(path).unwrap_or_default());
        }
    }
    bytes
}

async fn until_attempted(server: &RunningServer, id: u64, fits: impl Fn(&Value) -> bool) -> Value {
    in_time("the attempt", async {
        loop {
            if let Some(attempt) = attempts(server, id).await.into_iter().find(|attempt| fits(attempt)) {
                return attempt;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_integration_sends_and_is_tested_through_its_own_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = RunningServer::start(&data, &[]).await;
    let (mut receiver, ca) = receiver(dir.path()).await;
    let proxy = ProxyServer::start(Speaks::Http, Manner::ServesOnly(CREDENTIALS)).await;
    let (url, proxy_url) = (receiver.url(), format!("http://{}", proxy.address));
    let flags = ["integration", "add", "--name", "SIEM", "--url", &url, "--ca-file", &ca, "--event", "siem"];
    let through = ["--proxy", &proxy_url, "--proxy-credentials-from-env", "PROXY_CREDENTIALS"];
    let added =
        hitwire_with(&server, &[("PROXY_CREDENTIALS", CREDENTIALS)], &[&flags[..], &through].concat()).await;
    assert_eq!(added.code, Some(0), "{}", added.stderr);

    server.accept(&hits::hits("proxied", 0, 0..3)).await;
    in_time("the notification", receiver.events.recv()).await.unwrap();
    let asked = proxy.asked();
    let target = url::Url::parse(&url).unwrap();
    assert_eq!(asked, [format!("127.0.0.1:{}", target.port().unwrap())], "the address, not the name");
    succeeds(&server, &["integration", "test", "SIEM", "--event", "siem"]).await;
    assert_eq!(proxy.asked().len(), 2, "a test opens a connection of its own, through the proxy");

    let shown = json(&server, &["integration", "show", "SIEM"]).await;
    let target = &shown["integration"]["target"];
    assert_eq!(target["proxy"], proxy_url);
    assert_eq!(target["proxy_credentials"], "********");
    assert_eq!((&target["proxy_in_use"], &target["proxy_trusted"]), (&json!("own"), &json!(false)));
    let page = succeeds(&server, &["integration", "show", "SIEM"]).await;
    assert!(page.contains(&proxy_url) && !page.contains("s3cret"), "{page}");

    // A password that is wrong is the proxy's failure, not an answer of the endpoint, and loses nothing.
    let wrong = ["integration", "edit", "SIEM", "--proxy-credentials", "collector:s3cret-of-nobody"];
    succeeds(&server, &wrong).await;
    server.accept(&hits::hits("proxied", 1, 3..4)).await;
    let failed = until_attempted(&server, 1, |attempt| attempt["error"].is_string()).await;
    let words = format!(
        "the proxy at {} refused the connection (407): check its user name and password",
        proxy.address
    );
    assert_eq!((&failed["error"], &failed["status"]), (&json!(words), &Value::Null));
    assert_eq!(failed["verdict"], "sick");
    let id = failed["id"].as_u64().unwrap();
    assert_eq!(get(&server, &format!("/v2/integration/1/attempts/{id}")).await["detail"]["cause"], "proxy");
    let right = ["integration", "edit", "SIEM", "--proxy-credentials", CREDENTIALS];
    succeeds(&server, &right).await;
    let received = in_time("the notification", receiver.events.recv()).await.unwrap();
    let received = if received.object_count() == 1 {
        received
    } else {
        in_time("the notification", receiver.events.recv()).await.unwrap()
    };
    assert_eq!(received.object_count(), 1);

    for path in ["/v2/integration", "/v2/integration/1/attempts", "/v2/integration/1/status", "/v1/activity"]
    {
        let answer = get(&server, path).await.to_string();
        assert!(!answer.contains("s3cret"), "{path}: {answer}");
    }
    let (_, log) = server.terminate_with_log().await;
    assert!(!log.contains("s3cret"), "{log}");
    let kept = bytes_below(&data);
    assert!(!kept.windows(6).any(|bytes| bytes == b"s3cret"), "the credentials are sealed at rest");
}

#[tokio::test]
async fn the_installations_proxy_serves_all_and_a_trusted_one_is_shown_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let proxy = ProxyServer::start(Speaks::Socks5, Manner::ServesOnly(CREDENTIALS)).await;
    let elsewhere = ProxyServer::start(Speaks::Http, Manner::Serves).await;
    let (url, of_others) = (format!("socks5://{}", proxy.address), format!("http://{}", elsewhere.address));
    // What the environment says to other programs does not count.
    let variables = [
        ("HITWIRE_PROXY", &*url),
        ("HITWIRE_PROXY_CREDENTIALS", CREDENTIALS),
        ("HTTP_PROXY", &*of_others),
        ("HTTPS_PROXY", &*of_others),
        ("ALL_PROXY", &*of_others),
        ("NO_PROXY", "*"),
    ];
    let server = RunningServer::start_with(&data, &["--source-address", "127.0.0.1"], &variables).await;
    let (mut receiver, _) = receiver(dir.path()).await;
    let id = of_hits(&server, &receiver, json!({})).await.id;
    server.accept(&hits::hits("all", 0, 0..2)).await;
    in_time("the notification", receiver.events.recv()).await.unwrap();
    assert_eq!((proxy.asked().len(), proxy.credentials()), (1, vec![Some(CREDENTIALS.to_owned())]));
    assert!(proxy.asked()[0].starts_with("127.0.0.1:"), "{:?}", proxy.asked());
    assert_eq!(elsewhere.connections(), 0);
    let target = async |server: &RunningServer| {
        get(server, &format!("/v2/integration/{id}")).await["body"]["object"]["target"].clone()
    };
    let shown = target(&server).await;
    assert_eq!((&shown["proxy"], &shown["proxy_credentials"]), (&Value::Null, &Value::Null));
    assert_eq!((&shown["proxy_in_use"], &shown["proxy_trusted"]), (&json!("installation"), &json!(false)));
    // What was answered can be sent back.
    let api = server.api();
    let back = api
        .request(http::Method::PUT, &format!("/v2/integration/{id}"), json!({"target": shown}))
        .await
        .unwrap();
    assert!(back.status.is_success());
    server.terminate().await;

    let place = proxy.address.to_string();
    let server = RunningServer::start_with(&data, &["--trust-proxy", &place], &variables).await;
    let shown = target(&server).await;
    assert_eq!((&shown["proxy_in_use"], &shown["proxy_trusted"]), (&json!("installation"), &json!(true)));
    let page = succeeds(&server, &["integration", "show", "1"]).await;
    assert!(
        page.contains("it resolves and judges the endpoint by itself (trusted by the operator)"),
        "{page}"
    );
    server.terminate().await;

    // An exception is sent to directly, and shown so.
    let server = RunningServer::start_with(&data, &["--no-proxy", "127.0.0.0/8,localhost"], &variables).await;
    assert_eq!(target(&server).await["proxy_in_use"], "none");
    server.accept(&hits::hits("all", 1, 2..3)).await;
    in_time("the notification", receiver.events.recv()).await.unwrap();
    assert_eq!(proxy.connections(), 1);
}
