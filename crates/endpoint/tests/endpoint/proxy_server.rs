//! A proxy for tests: HTTP `CONNECT` or SOCKS5, with real connections on the other side. It remembers what it was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http,
    Socks5,
}

/// What it does once it has been asked for a connection (of SOCKS5: greeted).
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Connects; names are on the loopback interface.
    Serves,
    /// The same, for this `user:password` alone.
    ServesOnly(&'static str),
    /// Writes these bytes and closes.
    Answers(Vec<u8>),
    /// Says nothing.
    Hangs,
    /// Writes these bytes, and then a space every 50 ms.
    Drips(&'static str),
}

/// A proxy; stops accepting when dropped.
pub(crate) struct ProxyServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    accepting: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    peers: Vec<SocketAddr>,
    asked: Vec<String>,
    credentials: Vec<Option<String>>,
}

impl Drop for ProxyServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ProxyServer {
    pub(crate) async fn start(speaks: Speaks, manner: Manner) -> ProxyServer {
        ProxyServer::start_over(None, speaks, manner).await
    }

    /// The same over TLS.
    pub(crate) async fn start_over(tls: Option<TlsAcceptor>, speaks: Speaks, manner: Manner) -> ProxyServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let remembered = seen.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                let (tls, manner, seen) = (tls.clone(), manner.clone(), remembered.clone());
                {
                    let mut seen = seen.lock().unwrap();
                    seen.connections += 1;
                    seen.peers.push(peer);
                }
                tokio::spawn(async move {
                    // Clients of these tests break off in every way; what matters is what they say.
                    match tls {
                        None => drop(serve(stream, speaks, manner, &seen).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(serve(stream, speaks, manner, &seen).await);
                            }
                        }
                    }
                });
            }
        });
        ProxyServer { address, seen, accepting }
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// Where they came from.
    pub(crate) fn peers(&self) -> Vec<SocketAddr> {
        self.seen.lock().unwrap().peers.clone()
    }

    /// What it was asked to connect to, `host:port`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen.lock().unwrap().asked.clone()
    }

    /// The `user:password` that came with each.
    pub(crate) fn credentials(&self) -> Vec<Option<String>> {
        self.seen.lock().unwrap().credentials.clone()
    }
}

async fn serve<S>(mut stream: S, speaks: Speaks, manner: Manner, seen: &Mutex<Seen>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let needed = if let Manner::ServesOnly(needed) = manner { Some(needed) } else { None };
    let (asked, given) = match speaks {
        Speaks::Http => read_connect(&mut stream).await?,
        Speaks::Socks5 => {
            let mut head = [0; 2];
            stream.read_exact(&mut head).await?;
            let mut methods = vec![0; head[1].into()];
            stream.read_exact(&mut methods).await?;
            if matches!(manner, Manner::Serves | Manner::ServesOnly(_)) {
                let Some(given) = authenticate(&mut stream, &methods, needed).await? else { return Ok(()) };
                (read_socks5(&mut stream).await?, given)
            } else {
                (String::new(), None)
            }
        }
    };
    {
        let mut seen = seen.lock().unwrap();
        seen.asked.push(asked.clone());
        seen.credentials.push(given.clone());
    }
    match manner {
        Manner::Answers(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
            // A connection that is closed with bytes unread is reset, and the answer may be lost.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
        }
        Manner::Hangs => std::future::pending().await,
        Manner::Drips(bytes) => {
            stream.write_all(bytes.as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Manner::Serves | Manner::ServesOnly(_) => {
            if speaks == Speaks::Http && needed.is_some() && given.as_deref() != needed {
                return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
            }
            let connected = TcpStream::connect(address_of(&asked)).await;
            let answer: &[u8] = match (speaks, &connected) {
                (Speaks::Http, Ok(_)) => b"HTTP/1.1 200 Connection established\r\n\r\n",
                (Speaks::Http, Err(_)) => b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
                (Speaks::Socks5, Ok(_)) => &[5, 0, 0, 1, 127, 0, 0, 1, 0, 0],
                (Speaks::Socks5, Err(_)) => &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
            };
            stream.write_all(answer).await?;
            copy_bidirectional(&mut stream, &mut connected?).await.map(drop)
        }
    }
}

/// Where names are.
fn address_of(asked: &str) -> SocketAddr {
    asked.parse().unwrap_or_else(|_| {
        let port = asked.rsplit(':').next().unwrap().parse().unwrap();
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    })
}

async fn read_connect<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(String, Option<String>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let asked = head.strip_prefix("CONNECT ").unwrap().split_once(" HTTP/1.1\r\n").unwrap().0.to_owned();
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    assert_eq!(header("host").unwrap().1, asked);
    let given = header("proxy-authorization").map(|(_, value)| {
        String::from_utf8(STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
    });
    Ok((asked, given))
}

/// The credentials that were given; none at all: the client was refused.
async fn authenticate<S>(
    stream: &mut S,
    methods: &[u8],
    needed: Option<&str>,
) -> io::Result<Option<Option<String>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(needed) = needed else {
        stream.write_all(&[5, 0]).await?;
        return Ok(Some(None));
    };
    if !methods.contains(&2) {
        stream.write_all(&[5, 0xff]).await?;
        return Ok(None);
    }
    stream.write_all(&[5, 2]).await?;
    assert_eq!(stream.read_u8().await?, 1);
    let mut parts = Vec::new();
    for _ in 0..2 {
        let mut part = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut part).await?;
        parts.push(String::from_utf8(part).unwrap());
    }
    let given = parts.join(":");
    let is_right = given == needed;
    stream.write_all(&[1, u8::from(!is_right)]).await?;
    Ok(is_right.then_some(Some(given)))
}

async fn read_socks5<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(&head[..3], [5, 1, 0]);
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address).await?;
            Ipv4Addr::from(address).to_string()
        }
        4 => {
            let mut address = [0; 16];
            stream.read_exact(&mut address).await?;
            format!("[{}]", std::net::Ipv6Addr::from(address))
        }
        _ => {
            let mut name = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).unwrap()
        }
    };
    Ok(format!("{host}:{}", stream.read_u16().await?))
}
