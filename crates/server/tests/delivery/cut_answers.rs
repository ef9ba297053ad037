//! Answers whose head is whole and whose body is not: status and `Retry-After` decide.

use crate::support::{Hitwire, hit, hits, until};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How the body ends of which the head promises 99 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The connection is closed after the first byte.
    Cut,
    /// Nothing more comes after the first byte.
    Stalls,
}

/// Answers every request with the same head, and a body that is not whole.
struct BrokenReceiver {
    url: String,
    /// The events of each request.
    requests: Arc<Mutex<Vec<Vec<Value>>>>,
}

impl BrokenReceiver {
    /// `head`: the status line, and perhaps a header.
    async fn start(head: &'static str, ending: Ending) -> BrokenReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<Vec<Value>>>> = Arc::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let Some(events) = events_of_request(&mut stream).await else { return };
                    seen.lock().expect("not poisoned").push(events);
                    let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 99\r\n\r\nx");
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if ending == Ending::Stalls {
                        // Until the sender has had enough.
                        let _ = stream.read_u8().await;
                    }
                });
            }
        });
        BrokenReceiver { url, requests }
    }

    /// How many events each request had.
    fn sizes(&self) -> Vec<usize> {
        self.requests.lock().expect("not poisoned").iter().map(Vec::len).collect()
    }
}

/// Reads one request with a `content-length`; none if the connection ends before it.
async fn events_of_request(stream: &mut TcpStream) -> Option<Vec<Value>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")).expect("a length");
            let length: usize = length.trim().parse().expect("a number");
            if bytes.len() >= end + 4 + length {
                return Some(serde_json::from_slice(&bytes[end + 4..]).expect("an array"));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Hits arrive at an integration with such a receiver; answers the integration's id and its first attempt, with detail.
async fn first_attempt(hitwire: &Hitwire, receiver: &BrokenReceiver) -> (u64, Value) {
    let target = json!({"url": receiver.url, "timeout": 300});
    let created = hitwire.create(&json!({"target": target, "events": [{"event": "siem"}]})).await;
    let id = created["id"].as_u64().expect("an id");
    hitwire.send(&hits(0..10)).await.expect(202);
    let path = format!("/v2/integration/{id}/attempts");
    let rows = async || {
        let page = hitwire.admin().get(&path).await.expect(200);
        page["attempts"].as_array().expect("rows").clone()
    };
    until(async || !rows().await.is_empty()).await;
    let number = rows().await.last().expect("one")["id"].clone();
    (id, hitwire.admin().get(&format!("{path}/{number}")).await.expect(200))
}

/// That people read why the body is not whole, and that it does not count as an error of its own.
fn notes_the_body(shown: &Value, ending: Ending) {
    let response = &shown["detail"]["response"];
    let why = response["incomplete"].as_str().unwrap_or_else(|| panic!("nothing is noted: {shown}"));
    let words = match ending {
        Ending::Cut => "closed before",
        Ending::Stalls => "5 s",
    };
    assert!(why.contains(words), "{ending:?}: {why}");
    assert_eq!((&response["body"], &shown["detail"]["cause"]), (&json!("x"), &Value::Null), "{shown}");
}

const ENDINGS: [Ending; 2] = [Ending::Cut, Ending::Stalls];

#[tokio::test]
async fn a_200_counts_and_nothing_is_sent_again() {
    for ending in ENDINGS {
        let receiver = BrokenReceiver::start("200 OK", ending).await;
        let hitwire = Hitwire::start().await;
        let (id, shown) = first_attempt(&hitwire, &receiver).await;
        assert_eq!(shown["attempt"]["verdict"], "delivered", "{shown}");
        notes_the_body(&shown, ending);
        // The next request shows that the first was not repeated.
        hitwire.send(&hit(10)).await.expect(202);
        until(async || receiver.sizes().len() >= 2).await;
        assert_eq!(receiver.sizes(), [10, 1], "{ending:?}");
        let status = hitwire.admin().get(&format!("/v2/integration/{id}/status")).await.expect(200);
        assert_eq!(status["failures_in_a_row"], 0, "{status}");
    }
}

#[tokio::test]
async fn a_410_disables() {
    for ending in ENDINGS {
        let receiver = BrokenReceiver::start("410 Gone", ending).await;
        let hitwire = Hitwire::start().await;
        let (id, shown) = first_attempt(&hitwire, &receiver).await;
        assert_eq!(shown["attempt"]["verdict"], "gone", "{shown}");
        notes_the_body(&shown, ending);
        let active = async || {
            let integration = hitwire.admin().get(&format!("/v2/integration/{id}")).await.expect(200);
            integration["body"]["object"]["active"].as_bool().expect("true or false")
        };
        until(async || !active().await).await;
        assert_eq!(receiver.sizes(), [10], "{ending:?}");
    }
}

#[tokio::test]
async fn a_413_halves_the_batch() {
    for ending in ENDINGS {
        let receiver = BrokenReceiver::start("413 Content Too Large", ending).await;
        let hitwire = Hitwire::start().await;
        let (_, shown) = first_attempt(&hitwire, &receiver).await;
        assert_eq!((&shown["attempt"]["status"], &shown["attempt"]["events"]), (&json!(413), &json!(10)));
        notes_the_body(&shown, ending);
        until(async || receiver.sizes().len() >= 2).await;
        // Of its events and of its bytes.
        let sizes = receiver.sizes();
        assert!(sizes[0] == 10 && sizes[1] <= 5, "{ending:?}: {sizes:?}");
    }
}

#[tokio::test]
async fn the_retry_after_of_a_429_is_kept() {
    for ending in ENDINGS {
        let receiver = BrokenReceiver::start("429 Too Many Requests\r\nretry-after: 600", ending).await;
        let hitwire = Hitwire::start().await;
        let (id, shown) = first_attempt(&hitwire, &receiver).await;
        assert_eq!(
            (&shown["attempt"]["status"], &shown["attempt"]["verdict"]),
            (&json!(429), &json!("sick"))
        );
        notes_the_body(&shown, ending);
        let attempted = moment(&shown["attempt"]["started_at"]);
        let next = async || {
            let status = hitwire.admin().get(&format!("/v2/integration/{id}/status")).await.expect(200);
            let lanes = status["lanes"].as_array().expect("lanes").clone();
            lanes.into_iter().map(|mut lane| lane["next_attempt_at"].take()).find(Value::is_string)
        };
        until(async || next().await.is_some()).await;
        let waits = moment(&next().await.expect("a moment")).duration_since(attempted);
        assert!(waits.as_secs() >= 599, "{ending:?}: the next attempt is {} s later", waits.as_secs());
        assert_eq!(receiver.sizes(), [10], "{ending:?}");
    }
}

fn moment(of: &Value) -> jiff::Timestamp {
    of.as_str().expect("a moment").parse().expect("a moment")
}
