//! A request whose body is under way.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request of which the last byte has not been sent yet. The server has let its sender in, and reads the body.
pub(crate) struct HalfSent {
    stream: TcpStream,
    last: u8,
}

impl HalfSent {
    /// Sends everything but the last byte, once the server asks for the body.
    pub(crate) async fn begin(
        addr: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> HalfSent {
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n{headers}\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(addr).await.expect("connected");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.expect("an answer"));
        }
        let asked = String::from_utf8(asked).expect("text");
        assert!(asked.starts_with("HTTP/1.1 100 "), "{method} {path}: {asked}");
        let (&last, rest) = body.as_bytes().split_last().expect("a body");
        stream.write_all(rest).await.expect("sent");
        HalfSent { stream, last }
    }

    /// Sends the rest; the answer, head and body.
    pub(crate) async fn finish(mut self) -> String {
        self.stream.write_all(&[self.last]).await.expect("sent");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    /// Sends the rest; the status of the answer, and all of it.
    pub(crate) async fn status(self) -> (u16, String) {
        let answer = self.finish().await;
        (answer[9..12].parse().expect("a status"), answer)
    }
}
