//! A local receiver of webhooks: HTTPS with its own certificate authority, HTTP/1.1 and HTTP/2.
//!
//! The cast:
//!
//! - [`Listener`]: a running receiver. It owns its tasks and stops them when it is stopped or dropped; what it received
//!   leaves it through a bounded channel: whoever does not read it slows the senders down, and loses nothing.
//! - [`Authority`]: makes the certificate that the receiver proves itself with, in memory or kept in a directory.
//! - [`Received`]: one notification: the objects as they were written, the raw body, what the signature says.
//! - [`Behaviour`]: failing and slow answers, to see what a sender does then.
//! - `show`: notifications as lines for people; `line`: for machines.
//! - `command`: `hitwire listen`.
//!
//! What it deliberately does not do: listen without TLS, keep what it received, act on it.

mod authority;
mod behaviour;
pub(crate) mod command;
pub(crate) mod line;
mod notification;
mod receive;
pub(crate) mod show;

pub use authority::{Authority, AuthorityError, CERTIFICATE_FILE, KEY_FILE};
pub use behaviour::{Behaviour, Fail};
pub use notification::{BodyError, Received, Signature, objects};
pub use receive::{BODY_BYTES_MAX, Trouble};

use behaviour::Answers;
use hitwire_endpoint::sign;
use receive::{BODIES_MAX, Receiver, Secrets};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Notifications that wait to be read. Each holds a body of up to 8 MiB, usually a thousandth of it.
const RECEIVED_MAX: usize = 64;

/// Troubles that wait to be read; more are not recorded.
const TROUBLES_MAX: usize = 64;

/// Requests under way get so long to be answered when the listener stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// How to listen.
#[derive(Debug)]
pub struct Options {
    /// Where; port 0 takes any free port.
    pub addr: SocketAddr,
    /// Signs the listener's certificate.
    pub authority: Authority,
    /// Names and addresses that the certificate proves, beside `localhost`, 127.0.0.1, ::1 and `addr`.
    pub names: Vec<String>,
    /// Standard Webhooks secrets (`whsec_...`) and public keys (`whpk_...`), any of which may fit; none: signatures are not
    /// checked.
    pub secrets: Vec<String>,
    /// How to answer.
    pub behaviour: Behaviour,
}

impl Options {
    /// On any free port of the loopback interface, with an authority of its own.
    pub fn on_loopback() -> Result<Self, AuthorityError> {
        Ok(Options {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            authority: Authority::in_memory()?,
            names: Vec::new(),
            secrets: Vec::new(),
            behaviour: Behaviour::default(),
        })
    }
}

/// A running receiver of webhooks.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The certificate of its authority, PEM: what an integration takes as `target.ca_file`.
    pub ca_pem: String,
    /// What arrives, in the order of arrival. Bounded: while it is full, senders wait for their answers.
    pub events: mpsc::Receiver<Received>,
    /// What went wrong before there was a notification; not collected while nobody reads it.
    pub troubles: mpsc::Receiver<Trouble>,
    secrets: Secrets,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken or not ours.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A secret that cannot have signed anything.
    #[error(transparent)]
    Secret(#[from] sign::SecretError),
}

impl Listener {
    /// Starts to listen; returns once connections are accepted.
    pub async fn start(options: Options) -> Result<Listener, ListenError> {
        let Options { addr, authority, mut names, secrets, behaviour } = options;
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        if !addr.ip().is_unspecified() {
            names.push(addr.ip().to_string());
        }
        names.sort_unstable();
        names.dedup();
        for secret in &secrets {
            sign::check_verifier(secret)?;
        }
        let tls = TlsAcceptor::from(Arc::new(authority.server_config(&names)?));
        let bound = |source| ListenError::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(bound)?;
        let addr = listener.local_addr().map_err(bound)?;

        let (received, events) = mpsc::channel(RECEIVED_MAX);
        let (trouble, troubles) = mpsc::channel(TROUBLES_MAX);
        let secrets = Arc::new(RwLock::new(secrets));
        let receiver = Arc::new(Receiver {
            secrets: Arc::clone(&secrets),
            answers: Answers::new(behaviour),
            bodies: Semaphore::new(BODIES_MAX),
            received,
            troubles: trouble,
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(receiver.accept(listener, tls, stop.clone(), tasks.clone()));
        Ok(Listener {
            addr,
            ca_pem: authority.certificate_pem().to_owned(),
            events,
            troubles,
            secrets,
            tasks,
            stop: stop.clone(),
            _stop_when_dropped: stop.drop_guard(),
        })
    }

    /// The address as a URL, for any path.
    pub fn url(&self) -> String {
        format!("https://{}/", self.addr)
    }

    /// From now on a signature that fits this secret (`whsec_...`) or public key (`whpk_...`) is right too.
    pub fn check_with(&self, secret: String) {
        self.secrets.write().unwrap_or_else(PoisonError::into_inner).push(secret);
    }

    /// Accepts nothing more, and gives requests under way a moment to end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.events.close();
        self.tasks.close();
        let _ = tokio::time::timeout(STOP_WITHIN, self.tasks.wait()).await;
    }
}
