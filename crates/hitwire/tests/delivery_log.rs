//! The delivery log as people use it: requests made again by hand, files of it, signatures that do not fit.

use crate::integration::{json, succeeds};
use crate::support::{PlainReceiver, RunningServer, hits, in_time, integration};
use http::Method;
use serde_json::{Value, json as value};

#[tokio::test]
async fn the_delivery_log_is_written_to_files_with_the_same_filters() {
    let dir = tempfile::tempdir().unwrap();
    let server = RunningServer::start(&dir.path().join("data"), &["--allow-http"]).await;
    let receiver = PlainReceiver::start().await;
    let made = integration::of_hits_at(&server, &receiver.url(), "", value!({"max_events": 1})).await;
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
