//! The receiver: HTTPS, counts events and how old they are when they come.

use crate::hit::{now_ns, sent_times};
use crate::load::histogram;
use crate::{Failure, Options, certificate};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::io::BufRead;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The largest body that is taken; hitwire's own batches end at 5 MiB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longer than any timeout of the server.
const HANGING: Duration = Duration::from_hours(1);

/// What came since the report before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    /// Events.
    pub(crate) events: u64,
    /// Requests that carried them.
    pub(crate) requests: u64,
    /// When the last one came, nanoseconds since the epoch.
    pub(crate) last_ns: u64,
    /// Age on arrival in microseconds: from the moment it was due to be sent.
    pub(crate) p50_us: u64,
    /// The same, 99 %.
    pub(crate) p99_us: u64,
    /// The same, the oldest.
    pub(crate) max_us: u64,
}

/// The first line that the receiver prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Where to send.
    pub(crate) url: String,
}

#[derive(Clone, Copy)]
enum Manner {
    Answer,
    Hang,
    Refuse,
}

struct Tally {
    manner: Manner,
    events: u64,
    requests: u64,
    last_ns: u64,
    ages: Histogram<u64>,
}

type Shared = Arc<Mutex<Tally>>;

/// `hitwire-bench receive`
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let ca_out = options.text("ca-out").ok_or("--ca-out is missing")?;
    let certificate = certificate::make()?;
    std::fs::write(ca_out, &certificate.ca_pem)?;
    let tally: Shared = Arc::new(Mutex::new(Tally {
        manner: Manner::Answer,
        events: 0,
        requests: 0,
        last_ns: 0,
        ages: histogram()?,
    }));
    // One thread is enough for what is measured here, and leaves the cores to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = Arc::clone(&tally);
    runtime.block_on(async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://{}/hits", listener.local_addr()?);
        println!("{}", serde_json::to_string(&Ready { url })?);
        let told = tokio::task::spawn_blocking({
            let tally = Arc::clone(&shared);
            move || obey(&tally)
        });
        tokio::select! {
            // Standard input ended: whoever started this is gone.
            done = told => done?,
            result = serve(listener, TlsAcceptor::from(certificate.config), shared) => result,
        }
    })
}

fn obey(tally: &Shared) -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match line?.trim() {
            "answer" => tally.manner = Manner::Answer,
            "hang" => tally.manner = Manner::Hang,
            "refuse" => tally.manner = Manner::Refuse,
            "take" => println!("{}", serde_json::to_string(&tally.take())?),
            other => eprintln!("receive: what is {other}?"),
        }
    }
    Ok(())
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, tally: Shared) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (tls, tally) = (tls.clone(), Arc::clone(&tally));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request| answer(request, &tally));
            // A connection that the other side gives up is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, tally: &Shared) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let body = body.to_bytes();
    let manner = tally.lock().unwrap_or_else(PoisonError::into_inner).manner;
    match manner {
        Manner::Answer => {
            let text = std::str::from_utf8(&body).unwrap_or_default();
            tally.lock().unwrap_or_else(PoisonError::into_inner).count(text);
        }
        Manner::Hang => tokio::time::sleep(HANGING).await,
        Manner::Refuse => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}

impl Tally {
    fn count(&mut self, body: &str) {
        self.last_ns = now_ns();
        self.requests += 1;
        for sent_ns in sent_times(body) {
            self.events += 1;
            self.ages.saturating_record(self.last_ns.saturating_sub(sent_ns) / 1_000);
        }
    }

    fn take(&mut self) -> Received {
        let received = Received {
            events: self.events,
            requests: self.requests,
            last_ns: self.last_ns,
            p50_us: self.ages.value_at_quantile(0.5),
            p99_us: self.ages.value_at_quantile(0.99),
            max_us: self.ages.max(),
        };
        (self.events, self.requests) = (0, 0);
        self.ages.reset();
        received
    }
}
