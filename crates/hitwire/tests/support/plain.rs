//! A receiver in clear, for tests in which clocks or descriptors are short of what TLS needs.

use super::in_time;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Answers every request alike, and keeps the bodies.
#[derive(Debug)]
pub(crate) struct PlainReceiver {
    url: String,
    received: mpsc::UnboundedReceiver<String>,
    /// What `until_received` has seen.
    pub(crate) bodies: Vec<String>,
}

impl PlainReceiver {
    /// Answers 200.
    pub(crate) async fn start() -> PlainReceiver {
        PlainReceiver::answering("200 OK").await
    }

    /// Answers with this status and reason.
    pub(crate) async fn answering(status: &'static str) -> PlainReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hits", listener.local_addr().expect("an address"));
        let (send, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, status, send.clone()));
            }
        });
        PlainReceiver { url, received, bodies: Vec::new() }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Waits for a body that contains `text`.
    pub(crate) async fn until_received(&mut self, text: &str) {
        loop {
            let body = in_time(text, self.received.recv()).await.expect("it listens");
            self.bodies.push(body);
            if self.bodies.last().is_some_and(|body| body.contains(text)) {
                return;
            }
        }
    }
}

/// Serves one connection until it ends.
async fn serve(stream: TcpStream, status: &str, received: mpsc::UnboundedSender<String>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        received.send(String::from_utf8_lossy(&body).into_owned()).ok()?;
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
