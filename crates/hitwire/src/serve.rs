//! `hitwire serve`: one hitwire, until it is told to stop.

use crate::failure::Failure;
use crate::logging::Logs;
use crate::signals::{HangUps, Interrupts};
use crate::terminal::{self, Terminal};
use clap::ArgAction;
use clap::builder::BoolishValueParser;
use hitwire_receiver::Style;
use hitwire_server::config::{parse_duration, parse_listen, parse_size};
use hitwire_server::{Config, Server, SourceSpec, StartError, descriptors};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `hitwire serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read the settings from this TOML file; flags and variables override single ones
    #[arg(long, value_name = "FILE", env = "HITWIRE_CONFIG")]
    config: Option<PathBuf>,

    /// Where log, state and keys are kept [default: hitwire-data]
    #[arg(long, value_name = "DIR", env = "HITWIRE_DATA")]
    data: Option<PathBuf>,

    /// Where the API listens; a port alone (8419) is on 127.0.0.1, port 0 takes any free port [default: 127.0.0.1:8419]
    #[arg(long, value_name = "ADDRESS", env = "HITWIRE_LISTEN", value_parser = parse_listen)]
    listen: Option<SocketAddr>,

    /// Tell metrics to a Prometheus here, without a token; the API tells them to operators [default: only there]
    #[arg(long, value_name = "ADDRESS", env = "HITWIRE_METRICS_LISTEN", value_parser = parse_listen)]
    metrics_listen: Option<SocketAddr>,

    /// Serve the API with this certificate: PEM, the chain after it; read again when it changes
    #[arg(long, value_name = "FILE", env = "HITWIRE_TLS_CERT")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key: PEM, not encrypted
    #[arg(long, value_name = "FILE", env = "HITWIRE_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Let the API listen beyond loopback without TLS (behind a proxy that adds it)
    #[arg(long, env = "HITWIRE_ALLOW_PLAIN_HTTP_API", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    allow_plain_http_api: bool,

    /// Follow this file (repeatable); in place of the configuration file's list
    #[arg(long = "source", value_name = "modsecurity:PATH", env = "HITWIRE_SOURCE", value_parser = SourceSpec::parse)]
    sources: Vec<SourceSpec>,

    /// The label in the ids of hits [default: production]
    #[arg(long = "env", value_name = "LABEL", env = "HITWIRE_ENV")]
    env_label: Option<String>,

    #[command(flatten)]
    naming: Naming,

    #[command(flatten)]
    delivery: Delivery,

    #[command(flatten)]
    keeping: Keeping,

    #[command(flatten)]
    logs: Logs,
}

/// What notifications look like, and what they call this installation.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What notifications say")]
struct Naming {
    /// The product's name, in brackets before each summary of an envelope [default: Hitwire]
    #[arg(long, value_name = "NAME", env = "HITWIRE_PRODUCT")]
    product: Option<String>,

    /// The installation's name, in an envelope's field cloud [default: local]
    #[arg(long, value_name = "NAME", env = "HITWIRE_CLOUD")]
    cloud: Option<String>,

    /// Where people reach the console: links in envelopes begin with it [default: no links]
    #[arg(long, value_name = "URL", env = "HITWIRE_PUBLIC_URL")]
    public_url: Option<String>,

    /// What objects look like for new integrations that do not say: classic, envelope (as clients of today expect)
    /// [default: classic]
    #[arg(long, value_name = "RENDERING", env = "HITWIRE_DEFAULT_RENDERING", value_parser = rendering)]
    default_rendering: Option<Style>,
}

/// Where notifications may go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where notifications may go")]
struct Delivery {
    /// Let integrations send into this network, which the guard refuses otherwise: 127.0.0.0/8, 10.1.0.0/16 (repeatable);
    /// in place of the configuration file's list
    #[arg(long = "allow-target", value_name = "CIDR", env = "HITWIRE_ALLOW_TARGETS", value_delimiter = ',')]
    allow_targets: Vec<IpNet>,

    /// Let integrations send to http:// addresses, in clear
    #[arg(long, env = "HITWIRE_ALLOW_HTTP", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    allow_http: bool,

    /// Send through this proxy, unless an integration names its own: http://, https:// or socks5://, host and port;
    /// HITWIRE_PROXY_CREDENTIALS holds user:password. HTTP_PROXY and its like are not used [default: none]
    #[arg(long, value_name = "URL", env = "HITWIRE_PROXY")]
    proxy: Option<String>,

    /// Send to this host, domain (.example.com) or network without that proxy (repeatable); in place of the configuration
    /// file's list
    #[arg(long, value_name = "HOST|CIDR", env = "HITWIRE_NO_PROXY", value_delimiter = ',')]
    no_proxy: Vec<String>,

    /// Trust this proxy, the installation's or an integration's, to resolve names and to judge where may be sent
    /// (repeatable); in place of the configuration file's list
    #[arg(
        long = "trust-proxy",
        value_name = "HOST:PORT",
        env = "HITWIRE_TRUST_PROXIES",
        value_delimiter = ','
    )]
    trust_proxies: Vec<String>,

    /// PEM: the certificates that https:// proxies are verified with, in place of the public roots
    #[arg(long, value_name = "FILE", env = "HITWIRE_PROXY_CA_FILE")]
    proxy_ca_file: Option<PathBuf>,

    /// Let connections leave from this address of the machine, one IPv4 and one IPv6 at most (repeatable); in place of
    /// the configuration file's list [default: the system chooses]
    #[arg(
        long = "source-address",
        value_name = "ADDRESS",
        env = "HITWIRE_SOURCE_ADDRESSES",
        value_delimiter = ','
    )]
    source_addresses: Vec<IpAddr>,
}

/// How much is kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How much is kept")]
struct Keeping {
    /// The log takes no more of the disk than this [default: 20GiB]
    #[arg(long, value_name = "SIZE", env = "HITWIRE_RETENTION_SIZE", value_parser = parse_size)]
    retention_size: Option<u64>,

    /// Events older than this are removed [default: 7d]
    #[arg(long, value_name = "DURATION", env = "HITWIRE_RETENTION_AGE", value_parser = parse_duration)]
    retention_age: Option<Duration>,

    /// An integration that is behind holds back at most this much; beyond it, its oldest events become a dead range
    /// [default: four fifths of the retention size]
    #[arg(long, value_name = "SIZE", env = "HITWIRE_LAG_SIZE", value_parser = parse_size)]
    lag_size: Option<u64>,

    /// And at most for this long [default: 7d]
    #[arg(long, value_name = "DURATION", env = "HITWIRE_LAG_AGE", value_parser = parse_duration)]
    lag_age: Option<Duration>,

    /// The log is cut into slices of this size, which are removed as a whole [default: 256MiB]
    #[arg(long, value_name = "SIZE", env = "HITWIRE_SLICE_SIZE", value_parser = parse_size)]
    slice_size: Option<u64>,

    /// And at least once in this time [default: 1h]
    #[arg(long, value_name = "DURATION", env = "HITWIRE_SLICE_AGE", value_parser = parse_duration)]
    slice_age: Option<Duration>,

    /// Accept nothing while the disk has less free space than this [default: 128MiB]
    #[arg(long, value_name = "SIZE", env = "HITWIRE_DISK_FLOOR", value_parser = parse_size)]
    disk_floor: Option<u64>,
}

/// Runs until it is interrupted: once to stop, twice to stop at once.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let _log = args.logs.start()?;
    let config = config(args)?;
    let files = descriptors::raise();
    tracing::info!(open_files = files.now, before = files.before, "the limit of open files");
    let mut interrupts = Interrupts::new().map_err(Failure::runtime)?;
    let server = tokio::select! {
        started = Server::start(config) => started.map_err(|error| match error {
            StartError::Config(error) => Failure::Usage(error.to_string()),
            error => Failure::runtime(error),
        })?,
        // Before anything runs there is nothing to finish.
        () = interrupts.next() => return Ok(()),
    };
    // A reader of standard output that has gone away is no reason not to serve.
    let _ = terminal::print_line(&greeting(&server, Terminal::stdout()));
    let hang_ups = HangUps::new().map_err(Failure::runtime)?;
    serve(server, interrupts, hang_ups).await
}

/// Serves until it is interrupted, or until a part that it cannot do without has failed; then stops in order.
async fn serve(server: Server, mut interrupts: Interrupts, mut hang_ups: HangUps) -> Result<(), Failure> {
    let failure = loop {
        tokio::select! {
            () = interrupts.next() => break None,
            reason = server.failed() => break Some(reason),
            () = hang_ups.next() => server.read_certificate_again().await,
        }
    };
    tokio::select! {
        () = server.stop() => {}
        () = interrupts.next() => return Err(Failure::Runtime("stopped at once by a second signal; what was under way is sent again after the next start".to_owned())),
    }
    match failure {
        None => Ok(()),
        Some(reason) => Err(Failure::Runtime(format!(
            "hitwire stopped because {reason}; nothing that was acknowledged is lost, start it again"
        ))),
    }
}

/// The configuration file, then flags and variables over it.
fn config(args: Args) -> Result<Config, Failure> {
    let usage = |error: hitwire_server::ConfigError| Failure::Usage(error.to_string());
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::Usage(format!("cannot read the configuration file {}: {error}", path.display()))
            })?;
            Config::from_toml(&text)
                .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?
        }
    };
    config.take_secrets(|name| std::env::var(name).ok()).map_err(usage)?;
    let Args {
        config: _,
        data,
        listen,
        metrics_listen,
        tls_cert,
        tls_key,
        allow_plain_http_api,
        sources,
        env_label,
        naming,
        delivery,
        keeping,
        logs: _,
    } = args;
    set(&mut config.data_dir, data);
    set(&mut config.listen, listen);
    config.metrics_listen = metrics_listen.or(config.metrics_listen);
    config.tls_cert = tls_cert.or(config.tls_cert);
    config.tls_key = tls_key.or(config.tls_key);
    config.allow_plain_http_api |= allow_plain_http_api;
    set(&mut config.env_label, env_label);
    set(&mut config.product, naming.product);
    set(&mut config.cloud, naming.cloud);
    config.public_url = naming.public_url.or(config.public_url);
    set(&mut config.default_rendering, naming.default_rendering);
    set_list(&mut config.sources, sources);
    set_list(&mut config.allow_targets, delivery.allow_targets);
    config.allow_http |= delivery.allow_http;
    let outbound = &mut config.outbound;
    outbound.proxy = delivery.proxy.or(outbound.proxy.take());
    set_list(&mut outbound.no_proxy, delivery.no_proxy);
    set_list(&mut outbound.trusted_proxies, delivery.trust_proxies);
    outbound.proxy_ca_file = delivery.proxy_ca_file.or(outbound.proxy_ca_file.take());
    set_list(&mut outbound.source_addresses, delivery.source_addresses);
    set(&mut config.retention.size_bytes, keeping.retention_size);
    set(&mut config.retention.age, keeping.retention_age);
    config.retention.lag_bytes = keeping.lag_size.or(config.retention.lag_bytes);
    set(&mut config.retention.lag_age, keeping.lag_age);
    set(&mut config.log.slice_bytes, keeping.slice_size);
    set(&mut config.log.slice_age, keeping.slice_age);
    set(&mut config.log.disk_floor_bytes, keeping.disk_floor);
    config.check().map_err(usage)?;
    Ok(config)
}

fn rendering(name: &str) -> Result<Style, String> {
    Style::named(name).ok_or_else(|| format!("known: {}", Style::ALL.map(Style::name).join(", ")))
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

fn set_list<T>(setting: &mut Vec<T>, given: Vec<T>) {
    if !given.is_empty() {
        *setting = given;
    }
}

/// The settings that `serve` would run with, `--log` included in the check.
pub(crate) fn checked(args: Args) -> Result<Config, Failure> {
    args.logs.filter()?;
    config(args)
}

fn greeting(server: &Server, terminal: Terminal) -> String {
    // Whole paths: this may be read when nobody remembers where hitwire was started.
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let shown = |path: &Path| terminal::safe(&whole(path).display().to_string());
    let token = server.admin_token_file().map_or_else(|| "the one in HITWIRE_ADMIN_TOKEN".to_owned(), shown);
    let mut lines = vec![
        format!("hitwire {}", env!("CARGO_PKG_VERSION")),
        format!("  console, API {}", terminal.paint(terminal::Style::Strong, server.url())),
        format!("  data         {}", shown(server.data_dir())),
        format!("  admin token  {token}"),
    ];
    lines.extend(server.set_up_link().map(|path| {
        format!("  set-up link  {} (makes the first user of the console; good for 30 minutes)", shown(path))
    }));
    lines.extend(server.metrics_url().map(|url| format!("  metrics      {url}")));
    let sources = server.source_status();
    lines.extend(sources.iter().map(|source| format!("  source       {}", terminal::safe(&source.name))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_part_that_has_failed_ends_the_process_with_an_error_that_says_which() {
        let dir = tempfile::tempdir().expect("a directory");
        let (data_dir, listen) = (dir.path().join("data"), ([127, 0, 0, 1], 0).into());
        let server = Server::start(Config { data_dir, listen, ..Config::default() }).await.expect("started");
        server.break_dispatch();
        let (interrupts, hang_ups) = (Interrupts::new().expect("signals"), HangUps::new().expect("signals"));
        let Err(Failure::Runtime(why)) = serve(server, interrupts, hang_ups).await else {
            panic!("it ended well")
        };
        assert!(why.starts_with("hitwire stopped because the dispatch, which delivers, failed"), "{why}");
    }
}
