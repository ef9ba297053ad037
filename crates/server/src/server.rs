//! One running hitwire: what is started in which order, and how it is stopped.

use crate::certificate::{Certificate, CertificateError};
use crate::config::{Config, ConfigError};
use crate::listener::{self, Door, Ending, Places};
use crate::metrics::{Around, Counted, Metrics};
use crate::processors::requests_per_hour::Processor;
use crate::restarting::Restarting;
use crate::sources::Sources;
use crate::{admin_token, descriptors, sign_in, site};
use hitwire_api::body::BodyBudget;
use hitwire_api::{
    self as api, Accounts, AnswerPlaces, Api, FIRST_CLIENT, Feed, IDENTITIES_A_MINUTE, IDENTITIES_AT_ONCE,
    IDENTITIES_OF_ALL, PREVIEWS_A_MINUTE, PREVIEWS_AT_ONCE, PREVIEWS_OF_ALL, Quotas, Readiness, Requests,
    SourceStatus, TESTS_A_MINUTE, TESTS_AT_ONCE, TESTS_OF_ALL, Told, Turnstile,
};
use hitwire_console::{Console, Installation, Setting, set_up};
use hitwire_delivery::supervisor::Supervisor;
use hitwire_delivery::{
    Bounds, Clients, Clock, Dispatch, EndpointTransport, Names, Surroundings, webhook_id,
};
use hitwire_endpoint::{Guard, Resolver, Sender};
use hitwire_index::{Following, Index};
use hitwire_share::{Shares, Turns};
use hitwire_store::change;
use hitwire_store::change::source::{Configured, REMEMBERED_AS, changed};
use hitwire_store::{Details, Options, Secret, SqliteStore, Store, StoreError};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long requests under way, on either side, and sources may take to finish when hitwire stops. With
/// [`CLOSE_WITHIN`] it stays below the 10 s after which service managers and people lose patience.
const FINISH_WITHIN: Duration = Duration::from_secs(6);

/// Connections to the listener for metrics: a few Prometheus servers, and whoever looks by hand.
const METRICS_CONNECTIONS_MAX: usize = 64;

/// The index takes a quarter of what the log may, and this at least: it is of use for little logs too.
const INDEX_BYTES_MIN: u64 = 256 << 20;

/// How long the store may take to write what is queued.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Why hitwire could not start. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The time cannot be told: signatures and certificates depend on it.
    #[error("the system's clock is set before 1970; set it to the time of day, then start hitwire again")]
    Clock,
    /// There is nothing to encrypt the API with.
    #[error("the API's certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// The data directory cannot be opened, or not read.
    #[error("the data directory {} cannot be used: {source}", data_dir.display())]
    Store {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// Nobody could sign in to the console.
    #[error("nobody could sign in: {0}")]
    SignIn(String),
    /// The file with the first token cannot be read or made.
    #[error("the token file {} cannot be used: {problem}", path.display())]
    AdminToken {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        problem: String,
    },
    /// Nobody can listen there.
    #[error("cannot listen on {addr}: {source}; choose another address with {flag}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What chooses it.
        flag: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A source cannot go on where it was.
    #[error("the source {name} cannot be followed: {problem}")]
    Source {
        /// Which.
        name: String,
        /// Why, and what to do.
        problem: String,
    },
}

/// One running hitwire: the store, the dispatch, the sources and the API.
///
/// It is stopped by [`Server::stop`]. If it is dropped instead, the API and the sources end, and deliveries go on until the
/// runtime ends; nothing that was acknowledged is lost by that either.
pub struct Server {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    certificate: Option<Arc<Certificate>>,
    data_dir: PathBuf,
    admin_token: Secret,
    admin_token_file: Option<PathBuf>,
    set_up_link: Option<PathBuf>,
    store: Arc<dyn Store>,
    details: Arc<Details>,
    dispatch: Dispatch,
    sources: Sources,
    announcer: JoinHandle<()>,
    processor: JoinHandle<()>,
    index: JoinHandle<()>,
    supervisor: Supervisor,
    ending: Ending,
    connections: TaskTracker,
    _dropped: [DropGuard; 2],
}

impl Server {
    /// Opens the store, then starts the dispatch, the sources and the API.
    ///
    /// # Errors
    ///
    /// When a setting cannot be, or something cannot be opened; nothing is left running then.
    pub async fn start(mut config: Config) -> Result<Server, StartError> {
        config.check()?;
        if SystemTime::now() < UNIX_EPOCH {
            return Err(StartError::Clock);
        }
        config.check_source_addresses()?;
        let outbound = config.outbound()?;
        let files = divide_descriptors(&mut config);
        let ending = Ending { stop: CancellationToken::new(), abort: CancellationToken::new() };
        let counted = Counted::default();
        let supervisor = Supervisor::new(ending.stop.clone(), counted.restarts.clone());
        let sign_in = sign_in::sign_in(&config).await?;
        let lifetime = sign_in::lifetime(&config);
        let certificate = config.tls().map(Certificate::open).transpose()?.map(Arc::new);
        let store = open_store(&config, &supervisor).await?;
        let details = open_details(&config, &*store).await?;
        let clock = Clock::system();
        let (admin_token, admin_token_file) = match config.admin_token.clone() {
            Some(token) => (token, None),
            None => (admin_token::read_or_make(&config.data_dir)?, Some(admin_token::path(&config.data_dir))),
        };
        let (listener, addr) = bind(config.listen, "--listen").await?;
        let for_metrics = match config.metrics_listen {
            Some(addr) => Some(bind(addr, "--metrics-listen").await?),
            None => None,
        };
        let guard = Guard::new(config.allow_targets.clone(), config.allow_http);
        let bounds = Bounds::of_descriptors(files.deliveries);
        let sender =
            Sender::leaving(guard.clone(), Resolver::system(), outbound).keeping_at_most(bounds.kept);
        let transport = Arc::new(EndpointTransport::new(sender.clone()));
        let sources = Sources::open(&config, &store).await?;
        tell_configured_sources(&config, &*store, clock.wall_ms() / 1_000).await?;
        let names = Names::new(config.labels());
        let told = Told { clients: Clients::default(), guard: guard.clone(), names: names.clone() };
        told.tell(&*store).await.map_err(|source| store_error(&config, source))?;
        let surroundings = Surroundings {
            store: Arc::clone(&store),
            transport,
            clock,
            bounds,
            names: names.clone(),
            clients: told.clients.clone(),
            deliveries: counted.deliveries.clone(),
            details: Some(Arc::clone(&details)),
            mint: Box::new(webhook_id),
        };
        let processor = Processor::open(Arc::clone(&store), clock, counted.intake.clone())
            .await
            .map_err(|source| store_error(&config, source))?;
        // The last that can fail: once it runs, it sends.
        let dispatch = Dispatch::start(surroundings).await.map_err(|source| store_error(&config, source))?;
        tokio::spawn(supervisor.clone().requires("the dispatch, which delivers,", dispatch.has_ended()));
        let accounts = Arc::new(Accounts::new(
            Arc::clone(&store),
            dispatch.clone(),
            told,
            &admin_token,
            config.ingest_token.as_ref(),
            clock.wall_ms() / 1_000,
        ));
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let console_url =
            config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", from_here(addr)));
        let set_up_link =
            set_up::write_link(&*store, &config.data_dir, &console_url, clock.wall_ms() / 1_000);
        let set_up_link = set_up_link.await.map_err(|source| store_error(&config, source))?;
        let sources = sources.start(&store, &counted.intake, clock, &supervisor);
        let bodies = BodyBudget::new(config.api.bodies_in_flight_bytes);
        let places = Places {
            shares: Shares::new("connections", config.api.connections_max),
            proxies: config.console.proxies.clone(),
        };
        let answers = AnswerPlaces::default();
        let tests = Turnstile::new("tests", TESTS_A_MINUTE, TESTS_AT_ONCE, TESTS_OF_ALL);
        let previews = Turnstile::new("previews", PREVIEWS_A_MINUTE, PREVIEWS_AT_ONCE, PREVIEWS_OF_ALL);
        let identities =
            Turnstile::new("identities", IDENTITIES_A_MINUTE, IDENTITIES_AT_ONCE, IDENTITIES_OF_ALL);
        let (feed, live) = (Feed::new(ending.stop.clone()), hitwire_console::Places::default());
        let mut shares = vec![places.shares.clone(), tests.shares(), previews.shares(), identities.shares()];
        shares.extend(live.shares());
        shares.extend(answers.shares());
        shares.extend(feed.shares());
        let around = Around {
            live: live.clone(),
            shares,
            store: Arc::clone(&store),
            dispatch: dispatch.clone(),
            details: Arc::clone(&details),
            sources: sources.gauges(),
            bodies: bodies.clone(),
            certificate: certificate.clone(),
            clock,
            log_bytes_max: config.retention.size_bytes,
            disk_floor_bytes: config.log.disk_floor_bytes,
        };
        let (index, following) = index(&config, &store, clock);
        let api = Api {
            store: Arc::clone(&store),
            details: Arc::clone(&details),
            index: index.clone(),
            dispatch: dispatch.clone(),
            guard,
            default_rendering: config.default_rendering,
            names,
            sender,
            tests,
            previews,
            identities,
            feed,
            accounts: Arc::clone(&accounts),
            quotas: Quotas::default(),
            making: Turns::new("making"),
            bodies,
            places: answers,
            body_bytes_max: config.api.body_bytes_max,
            sources: sources.gauges(),
            readiness: Readiness::default(),
            supervisor: supervisor.clone(),
            metrics: Box::new(Metrics::new(&counted, around)),
            intake: counted.intake.clone(),
            requests: counted.requests.clone(),
            clock,
        };
        let connections = TaskTracker::new();
        let restarting = Restarting::new(supervisor.clone(), ending.stop.clone());
        let (processor, following, announcer) = (
            tokio::spawn(restarting.processor(processor, &store, clock, &counted)),
            tokio::spawn(restarting.index(following)),
            tokio::spawn(restarting.announcer(&store, &counted)),
        );
        connections.spawn(restarting.token_uses(&accounts));
        if let Some(certificate) = &certificate {
            connections.spawn(restarting.certificate(certificate));
        }
        let api = Arc::new(api);
        let metrics_addr = for_metrics.as_ref().map(|(_, addr)| *addr);
        let for_metrics = for_metrics.map(|(listener, _)| Door {
            listener,
            certificate: certificate.clone(),
            router: api::metrics_router(Arc::clone(&api)),
            // Scrapes are not what is to be watched.
            requests: Requests::default(),
            places: Places {
                shares: Shares::new("metrics_connections", METRICS_CONNECTIONS_MAX),
                proxies: config.console.proxies.clone(),
            },
        });
        let (clients, form_bodies) = (api.accounts.clients().clone(), api.bodies.clone());
        let pages = hitwire_console::router(Console {
            store: Arc::clone(&store),
            index,
            api: api::calls_alone(Arc::clone(&api)),
            may: api::may,
            is_enabled: Box::new(move |client| clients.is_enabled(client)),
            read_body: site::read_body(form_bodies),
            first_user: change::user::first,
            sign_in,
            now_ms: Box::new(move || clock.wall_ms()),
            product: config.product.clone(),
            data_dir: config.data_dir.clone(),
            installation: installation(
                &config,
                console_url,
                addr,
                certificate.clone(),
                clock.wall_ms() / 1_000,
            ),
            stop: ending.stop.clone(),
            tasks: connections.clone(),
            live,
        });
        connections.spawn(restarting.sessions(&store, lifetime, clock));
        let door = Door {
            listener,
            certificate: certificate.clone(),
            router: site::router(api, pages),
            requests: counted.requests,
            places,
        };
        for door in [Some(door), for_metrics].into_iter().flatten() {
            let serving = listener::serve(door, ending.clone(), connections.clone());
            connections.spawn(supervisor.clone().requires("the listener", serving));
        }
        connections.close();
        let (connections_max, data_dir) = (config.api.connections_max, config.data_dir.display());
        tracing::info!(%addr, %data_dir, sources = config.sources.len(), connections_max, "hitwire started");
        Ok(Server {
            addr,
            metrics_addr,
            certificate,
            data_dir: config.data_dir,
            admin_token,
            admin_token_file,
            set_up_link,
            store,
            details,
            dispatch,
            sources,
            announcer,
            processor,
            index: following,
            supervisor,
            _dropped: [ending.stop.clone().drop_guard(), ending.abort.clone().drop_guard()],
            ending,
            connections,
        })
    }

    /// Where the API listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How the API is reached from this machine: `https://127.0.0.1:8419`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.addr)
    }

    /// Where metrics are told without a token, if anywhere: `http://127.0.0.1:9419/metrics`.
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics_addr.map(|addr| format!("{}://{addr}/metrics", self.scheme()))
    }

    fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// Reads the API's certificate again now; its files are looked at every other second anyway. A pair that does not fit is
    /// refused with a word in the log.
    pub async fn read_certificate_again(&self) {
        if let Some(certificate) = self.certificate.clone()
            && tokio::task::spawn_blocking(move || certificate.read_again()).await.is_err()
        {
            tracing::error!("reading the API's certificate failed by a programming error");
        }
    }

    /// Where log, state and keys live.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The first token.
    pub fn admin_token(&self) -> &Secret {
        &self.admin_token
    }

    /// The file in which the first token is; none if the operator chose the token.
    pub fn admin_token_file(&self) -> Option<&Path> {
        self.admin_token_file.as_deref()
    }

    /// The file with the link that makes the first user of the console; none if there is somebody who can sign in.
    pub fn set_up_link(&self) -> Option<&Path> {
        self.set_up_link.as_deref()
    }

    /// How far the sources are.
    pub fn source_status(&self) -> Vec<SourceStatus> {
        self.sources.gauges().iter().map(|gauge| gauge.status()).collect()
    }

    /// Waits until a part that hitwire cannot do without has failed, and says why. The server is to be stopped then; until
    /// that is done `/healthz` and `/readyz` fail.
    pub async fn failed(&self) -> Arc<str> {
        self.supervisor.failed().await
    }

    /// Makes the dispatch panic, as a programming error would: for tests of what happens then.
    #[doc(hidden)]
    pub fn break_dispatch(&self) {
        self.dispatch.break_board();
    }

    /// Runs until `shutdown` is there, then stops.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.stop().await;
    }

    /// Stops: takes nothing new, finishes or abandons what is under way, closes the store; within 10 s. Abandoned requests
    /// are sent again after the next start: their batches are on record.
    pub async fn stop(self) {
        tracing::info!("hitwire stops");
        self.ending.stop.cancel();
        let connections = async {
            if timeout(FINISH_WITHIN, self.connections.wait()).await.is_err() {
                tracing::warn!("requests to the API were still under way and are dropped");
            }
            self.ending.abort.cancel();
        };
        let announcer = async {
            // What is left in the outbox is moved at the next start.
            if timeout(FINISH_WITHIN, self.announcer).await.is_err() {
                tracing::warn!(
                    "system events were still on their way to the log; they are told after the next start"
                );
            }
        };
        let processor = async {
            // What it had not kept is counted again at the next start.
            if timeout(FINISH_WITHIN, self.processor).await.is_err() {
                tracing::warn!("requests were still being counted by the hour; the next start goes on");
            }
        };
        let index = async {
            if timeout(FINISH_WITHIN, self.index).await.is_err() {
                tracing::warn!("the index was still being written; it may be made again");
            }
        };
        let dispatch = self.dispatch.stop(FINISH_WITHIN);
        tokio::join!(connections, dispatch, self.sources.stop(FINISH_WITHIN), announcer, processor, index);
        // Before the store, whose lock keeps others out of the directory.
        let details = tokio::task::spawn_blocking(move || self.details.close());
        if !matches!(timeout(CLOSE_WITHIN, details).await, Ok(Ok(()))) {
            tracing::warn!("the last details of attempts could not be written down");
        }
        match timeout(CLOSE_WITHIN, self.store.close()).await {
            Ok(Ok(())) => tracing::info!("hitwire stopped"),
            Ok(Err(error)) => {
                tracing::error!(%error, "the store did not close well; the next start recovers");
            }
            Err(_) => tracing::error!("the store did not close in time; the next start recovers"),
        }
    }
}

/// The index behind the log, and the task that writes it.
fn index(config: &Config, store: &Arc<dyn Store>, clock: Clock) -> (Index, Following) {
    let mut options = hitwire_index::Options::new(&config.data_dir);
    options.bounds = hitwire_index::Bounds::of_bytes((config.retention.size_bytes / 4).max(INDEX_BYTES_MIN));
    options.disk_floor_bytes = config.log.disk_floor_bytes;
    options.now_ms = Arc::new(move || clock.wall_ms());
    Index::new(options, Arc::clone(store) as _, Arc::clone(store) as _)
}

/// Listens; `flag` chooses another address.
async fn bind(addr: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { addr, flag, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What the console shows of how it is set up.
/// How a listener is reached from this machine: one on all addresses, by loopback.
fn from_here(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

fn installation(
    config: &Config,
    url: String,
    addr: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    started_s: u64,
) -> Installation {
    let settings = config.named_values().into_iter().map(|(name, value)| Setting { name, value });
    Installation {
        version: env!("CARGO_PKG_VERSION"),
        url: url.trim_end_matches('/').to_owned(),
        url_is_configured: config.public_url.is_some(),
        listen: addr.to_string(),
        started_s,
        log_bytes_max: config.retention.size_bytes,
        disk_floor_bytes: config.log.disk_floor_bytes,
        default_rendering: config.default_rendering.name(),
        is_tls: certificate.is_some(),
        certificate_expires_s: Box::new(move || certificate.as_deref().and_then(Certificate::expires_s)),
        settings: settings.collect(),
    }
}

/// Tells what of the sources is configured otherwise than at the last start.
async fn tell_configured_sources(config: &Config, store: &dyn Store, now_s: u64) -> Result<(), StartError> {
    let failed = |source| store_error(config, source);
    let before = store.remembered(REMEMBERED_AS).await.map_err(failed)?;
    // What cannot be read was written by another version: it is as if nothing was known.
    let before = before.and_then(|text| serde_json::from_str::<Configured>(&text).ok()).unwrap_or_default();
    let now = config.sources.iter().map(|spec| (spec.name(), spec.settings())).collect();
    if let Some(ops) = changed(&before, now, FIRST_CLIENT, now_s) {
        store.commit(ops).await.map_err(failed)?;
    }
    Ok(())
}

fn store_error(config: &Config, source: StoreError) -> StartError {
    StartError::Store { data_dir: config.data_dir.clone(), source }
}

/// The details of attempts, without those of integrations that are no more.
async fn open_details(config: &Config, store: &dyn Store) -> Result<Arc<Details>, StartError> {
    let ids = store.integration_ids(None).await.map_err(|source| store_error(config, source))?;
    let ids = ids.into_iter().collect();
    let data_dir = config.data_dir.clone();
    let key = config.secret_key.as_ref().map(crate::config::SecretKey::bytes);
    let opened = tokio::task::spawn_blocking(move || Details::open(&data_dir, key, ids)).await;
    let opened = opened
        .unwrap_or_else(|_| Err(StoreError::Open("opening the details of attempts panicked".to_owned())));
    opened.map(Arc::new).map_err(|source| store_error(config, source))
}

/// Bounds the connections to the API by the descriptors that there are.
fn divide_descriptors(config: &mut Config) -> descriptors::Division {
    let (limit, asked) = (descriptors::limit(), config.api.connections_max);
    let divided = descriptors::divide(limit, asked);
    if divided.connections < asked {
        tracing::warn!(
            asked,
            connections_max = divided.connections,
            open_files = limit,
            "fewer connections are taken than max_connections says, to leave file descriptors for deliveries; raise the limit of open files (LimitNOFILE, ulimit -n)"
        );
        config.api.connections_max = divided.connections;
    }
    divided
}

async fn open_store(config: &Config, supervisor: &Supervisor) -> Result<Arc<dyn Store>, StartError> {
    let mut options = Options::new(&config.data_dir).with_retention_bytes(config.retention.size_bytes);
    options.retention_age = config.retention.age;
    options.lag_bytes = config.retention.lag_bytes.unwrap_or(options.lag_bytes);
    options.lag_age = config.retention.lag_age;
    options.slice_bytes = config.log.slice_bytes;
    options.slice_age = config.log.slice_age;
    options.tail_bytes = usize::try_from(config.log.tail_bytes).unwrap_or(usize::MAX);
    options.disk_floor_bytes = config.log.disk_floor_bytes;
    options.secret_key = config.secret_key.as_ref().map(crate::config::SecretKey::bytes);
    let supervisor = supervisor.clone();
    options.thread_failed = Some(Arc::new(move |thread| {
        supervisor.fail(&format!(
            "the store's thread {thread} failed by a programming error; hitwire's log says more"
        ));
    }));
    // Opening reads and checks files; that is no work for a thread that serves tasks.
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(options)).await;
    match opened {
        Ok(Ok(store)) => Ok(Arc::new(store)),
        Ok(Err(source)) => Err(store_error(config, source)),
        Err(_) => {
            Err(store_error(config, StoreError::Open("opening it panicked; see the log above".to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_loopback_from_here() {
        for (listens, reached) in [
            ("0.0.0.0:8419", "127.0.0.1:8419"),
            ("[::]:8419", "[::1]:8419"),
            ("192.0.2.7:8419", "192.0.2.7:8419"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(from_here(listens.parse().expect("an address")).to_string(), reached);
        }
    }
}
