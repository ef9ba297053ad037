//! `GET /v2/integration`: all integrations, however many, in little memory.

use crate::support::{Hitwire, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const CA: &str = include_str!("../../../endpoint/tests/certificates/plain-ca.pem");
const CERTIFICATE: &str = include_str!("../../../endpoint/tests/certificates/p521-client.pem");
const KEY: &str = include_str!("../../../endpoint/tests/certificates/p521-key.pem");
const MASK: &str = "********";

fn with_certificates() -> Value {
    json!({
        "name": "SIEM",
        "target": {"url": "https://example.com/", "ca_file": CA, "client_cert": CERTIFICATE, "client_key": KEY},
        "events": [{"event": "siem"}],
    })
}

/// Integrations with so many bytes of CA certificates each.
async fn many_large(hitwire: &Hitwire, number: usize, bytes: usize, client: u64) {
    let ca = CA.repeat(bytes / CA.len());
    for _ in 0..number {
        let target = json!({"url": "https://example.com/", "ca_file": ca});
        hitwire.create(&json!({"clientid": client, "target": target})).await;
    }
}

fn objects(list: &Value) -> &Vec<Value> {
    list["body"]["object"].as_array().expect("a list")
}

fn ids(list: &Value) -> Vec<u64> {
    objects(list).iter().map(|integration| integration["id"].as_u64().expect("an id")).collect()
}

/// A call whose answer is not read, but for its status.
async fn begin_to_read(addr: SocketAddr, path: &str, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("set");
    let mut stream = socket.connect(addr).await.expect("connected");
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn a_list_shows_certificates_as_a_mask_that_a_change_may_send_back() {
    let hitwire = Hitwire::start().await;
    let id = hitwire.create(&with_certificates()).await["id"].clone();
    let path = format!("/v2/integration/{id}");
    let whole = hitwire.admin().get(&path).await.expect(200)["body"]["object"].take();
    assert_eq!(whole["target"]["ca_file"], CA);

    let list = hitwire.admin().get("/v2/integration").await.expect(200);
    let mut listed = objects(&list)[0].clone();
    assert_eq!(
        (&listed["target"]["ca_file"], &listed["target"]["client_cert"]),
        (&json!(MASK), &json!(MASK))
    );
    let list = hitwire.admin().get("/v2/integration?certificates=true").await.expect(200);
    assert_eq!(objects(&list), std::slice::from_ref(&whole));

    listed["target"]["timeout"] = json!(30);
    let changed = hitwire.admin().send("PUT", &path, &listed).await.expect(200)["body"]["object"].take();
    let mut expected = whole;
    expected["target"]["timeout"] = json!(30);
    assert_eq!(changed, expected, "the certificates are as they were");

    let empty = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await;
    let list = hitwire.admin().get("/v2/integration").await.expect(200);
    assert_eq!(objects(&list)[1]["id"], empty["id"]);
    assert_eq!(objects(&list)[1]["target"]["ca_file"], "", "what is not there is not masked");
}

#[tokio::test]
async fn a_mask_without_a_certificate_behind_it_is_never_stored() {
    let hitwire = Hitwire::start().await;
    let id = hitwire.create(&json!({"target": {"url": "https://example.com/"}})).await["id"].clone();
    let path = format!("/v2/integration/{id}");
    let url = "https://example.com/";
    for (method, path) in [("POST", "/v2/integration"), ("PUT", &path)] {
        for field in ["ca_file", "client_cert"] {
            let refused =
                hitwire.admin().send(method, path, &json!({"target": {"url": url, field: MASK}})).await;
            let refused = refused.expect(422);
            assert_eq!(refused["errors"][0]["pointer"], format!("/target/{field}"), "{refused}");
            assert!(refused["errors"][0]["message"].as_str().expect("words").contains("only the mask"));
        }
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_or_as_a_whole() {
    let hitwire = Hitwire::start().await;
    many_large(&hitwire, 5, 100_000, 1).await;
    let list =
        async |query: &str| ids(&hitwire.admin().get(&format!("/v2/integration{query}")).await.expect(200));
    assert_eq!(list("").await, [1, 2, 3, 4, 5]);
    assert_eq!(list("?limit=2").await, [1, 2]);
    assert_eq!(list("?limit=2&after=2&certificates=true").await, [3, 4]);
    assert_eq!(list("?after=4").await, [5]);
    assert_eq!(list("?after=5").await, Vec::<u64>::new());
    for wrong in ["?limit=0", "?limit=501", "?after=x", "?certificates=yes", "?offset=1"] {
        hitwire.admin().get(&format!("/v2/integration{wrong}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_list_takes_no_more_than_its_names_and_headers() {
    let hitwire = Hitwire::start().await;
    many_large(&hitwire, 20, 400_000, 1).await;
    let answer = hitwire.admin().get("/v2/integration").await;
    assert_eq!(objects(&answer.json()).len(), 20);
    assert!(answer.body.len() < 40_000, "{} bytes", answer.body.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_not_read_ends_when_its_reader_loses_the_right_to_it() {
    let hitwire = Hitwire::start().await;
    let client = hitwire.new_client("reader").await;
    many_large(&hitwire, 40, 500_000, client).await;
    let token = json!({"name": "reader", "role": "admin", "clientid": client});
    let made = hitwire.make("tokens", &token).await;
    let token = made["token"].as_str().expect("the token");
    let mut list = begin_to_read(hitwire.server().addr(), "/v2/integration?certificates=true", token).await;
    hitwire.admin().call("DELETE", &format!("/v1/tokens/{}", made["id"])).await.expect(200);
    let mut rest = Vec::new();
    let end = list.read_to_end(&mut rest).await;
    let is_whole = end.is_ok() && rest.ends_with(b"]}}\r\n0\r\n\r\n");
    assert!(!is_whole, "20 MB were in memory, or the right was not looked at again");
    assert!(rest.len() < 16_000_000, "{} bytes", rest.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_lists_are_not_read_leaves_places_to_the_others() {
    let hitwire = Hitwire::start().await;
    let client = hitwire.new_client("hostile").await;
    many_large(&hitwire, 40, 500_000, client).await;
    let token = hitwire.new_token(&json!({"name": "x", "role": "admin", "clientid": client})).await;
    let (addr, path) = (hitwire.server().addr(), "/v2/integration?certificates=true");
    let mut lists = Vec::new();
    for _ in 0..4 {
        lists.push(begin_to_read(addr, path, &token).await);
    }
    let fifth = hitwire.caller(&token);
    let fifth = tokio::spawn(async move { fifth.get("/v2/integration?limit=1").await });
    until(async || {
        let metrics = hitwire.admin().get("/metrics").await;
        String::from_utf8_lossy(&metrics.body).contains("hitwire_share_refusals_total{share=\"lists\"} 1")
    })
    .await;
    assert_eq!(ids(&hitwire.admin().get("/v2/integration").await.expect(200)), Vec::<u64>::new());
    drop(lists);
    fifth.await.expect("asked").expect(200);
}
