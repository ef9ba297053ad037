//! The flags of `add` and `edit`: one for each field of the API.

use crate::failure::Origins;
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};
use hitwire_event::Kind;
use std::path::PathBuf;

/// Which flag a field of the API comes from.
pub(crate) const ORIGINS: &Origins = &[
    ("/name", "--name"),
    ("/events", "--event"),
    ("/filter", "--filter"),
    ("/target/url", "--url"),
    ("/target/http_method", "--method"),
    ("/target/headers", "--header"),
    ("/target/ca_file", "--ca-file"),
    ("/target/ca_verify", "--no-verify"),
    ("/target/timeout", "--timeout"),
    ("/target/open_timeout", "--open-timeout"),
    ("/target/http_version", "--http-version"),
    ("/target/proxy_credentials", "--proxy-credentials"),
    ("/target/proxy", "--proxy"),
    ("/target/format", "--format"),
    ("/target/rendering", "--rendering"),
    ("/target/retry", "--retry"),
    ("/target/max_events", "--max-events"),
    ("/target/max_bytes", "--max-bytes"),
    ("/target/client_cert", "--client-cert"),
    ("/target/client_key", "--client-key"),
    ("/target/client_key_password", "--key-password-from-env"),
    ("/target/pin_sha256", "--pin-sha256"),
    ("/target/rate", "--rate"),
    ("/target/in_flight", "--in-flight"),
    ("/target/signing", "--signing"),
];

/// What an integration is: a flag for each field of the API.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Settings {
    /// What it is called
    #[arg(long)]
    pub(super) name: Option<String>,

    /// Where to send: https://siem.example.com/hits
    #[arg(long)]
    pub(super) url: Option<String>,

    /// What to send; siem means hits, vuln all security issues (repeatable, or with commas; in place of the list that
    /// there is)
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',', value_parser = event_names())]
    pub(super) events: Vec<String>,

    /// Send hits with the headers of the request
    #[arg(long, overrides_with = "without_headers")]
    pub(super) with_headers: bool,

    /// Send hits without them
    #[arg(long, overrides_with = "with_headers")]
    pub(super) without_headers: bool,

    /// Send only events that fulfil this condition: JSON, or @FILE with JSON
    #[arg(long, value_name = "JSON|@FILE")]
    pub(super) filter: Option<String>,

    #[command(flatten)]
    pub(super) request: Request,

    #[command(flatten)]
    pub(super) receiver: Receiver,

    #[command(flatten)]
    pub(super) proxy: Proxy,

    #[command(flatten)]
    pub(super) sending: Sending,
}

/// Through which proxy requests are sent.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Through which proxy requests are sent")]
pub(super) struct Proxy {
    /// http://, https:// or socks5://, host and port: http://proxy.example.com:3128 [default: the installation's proxy]
    #[arg(id = "proxy", long = "proxy", value_name = "URL")]
    pub(super) url: Option<String>,

    /// What the proxy asks for: USER:PASSWORD, or @FILE with it
    #[arg(
        id = "proxy_credentials",
        long = "proxy-credentials",
        value_name = "USER:PASSWORD",
        conflicts_with = "proxy_credentials_from_env"
    )]
    pub(super) credentials: Option<String>,

    /// The variable with USER:PASSWORD
    #[arg(id = "proxy_credentials_from_env", long = "proxy-credentials-from-env", value_name = "VARIABLE")]
    pub(super) credentials_from_env: Option<String>,
}

/// How requests look.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How requests look")]
pub(super) struct Request {
    /// The request method [default: POST]
    #[arg(long, ignore_case = true, value_parser = ["POST", "PUT"])]
    pub(super) method: Option<String>,

    /// A header to send (repeatable); 'Name: @FILE' takes the value from a file. Values are secrets; to keep them out of
    /// the shell's history and the list of processes, use @FILE or --header-from-env
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(String, String)>,

    /// A header whose value is in a variable (repeatable): X-Api-Key=SIEM_KEY
    #[arg(long, value_name = "NAME=VARIABLE", value_parser = header_from_env)]
    pub(super) header_from_env: Vec<(String, String)>,

    /// auto uses HTTP/2 where the receiver offers it; 1.1 uses HTTP/1.1 only [default: auto]
    #[arg(long, value_name = "VERSION", value_parser = ["auto", "1.1"])]
    pub(super) http_version: Option<String>,

    /// An array, or one object a line [default: json]
    #[arg(long, value_parser = ["json", "jsonl"])]
    pub(super) format: Option<String>,

    /// What an object looks like [default: the installation's, classic unless set otherwise]
    #[arg(long, value_parser = ["classic", "envelope"])]
    pub(super) rendering: Option<String>,

    /// How requests are signed; v1a adds a signature whose check needs no secret [default: v1]
    #[arg(long, value_parser = ["v1", "v1a"])]
    pub(super) signing: Option<String>,
}

/// How the receiver is known, and how it knows hitwire.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How the receiver is known, and how it knows hitwire")]
pub(super) struct Receiver {
    /// PEM: the certificates that the receiver is verified with, in place of the public roots
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,

    /// Accept any certificate: whoever sits on the way can read and answer
    #[arg(long, overrides_with = "verify")]
    pub(super) no_verify: bool,

    /// Verify the receiver's certificate (the default)
    #[arg(long, overrides_with = "no_verify")]
    pub(super) verify: bool,

    /// Accept this certificate whoever signed it: SHA-256 of its DER form, in hex (repeatable)
    #[arg(long, value_name = "HEX", value_delimiter = ',')]
    pub(super) pin_sha256: Vec<String>,

    /// The certificate that hitwire shows to the receiver: a PEM chain, or PKCS#12
    #[arg(long, value_name = "FILE")]
    pub(super) client_cert: Option<PathBuf>,

    /// Its key: PEM
    #[arg(long, value_name = "FILE")]
    pub(super) client_key: Option<PathBuf>,

    /// The variable with the password of an encrypted key or of a PKCS#12 file
    #[arg(long, value_name = "VARIABLE")]
    pub(super) key_password_from_env: Option<String>,
}

/// How much is sent, and how often.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How much is sent, and how often")]
pub(super) struct Sending {
    /// Seconds from the first byte of a request to the end of its answer [default: 15]
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<u64>,

    /// Seconds for a new connection: DNS, TCP, proxy, TLS [default: 20]
    #[arg(long, value_name = "SECONDS")]
    pub(super) open_timeout: Option<u64>,

    /// The schedule of retries [default: patient]
    #[arg(long, value_parser = ["patient", "original"])]
    pub(super) retry: Option<String>,

    /// At most so many events in a request
    #[arg(long, value_name = "NUMBER")]
    pub(super) max_events: Option<u64>,

    /// At most so many bytes in a request
    #[arg(long, value_name = "BYTES")]
    pub(super) max_bytes: Option<u64>,

    /// At most so many requests a minute
    #[arg(long, value_name = "NUMBER")]
    pub(super) rate: Option<u64>,

    /// So many requests at once; above 1 they arrive in no order [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(super) in_flight: Option<u64>,
}

/// What can be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unset {
    /// Verify with the public roots
    CaFile,
    /// Show no certificate
    ClientCert,
    /// Accept no certificate by its hash
    PinSha256,
    /// Send through the installation's proxy, if there is one
    Proxy,
    /// Give the proxy no user name and password
    ProxyCredentials,
    /// Send events whatever they hold
    Filter,
    /// No limit of requests a minute
    Rate,
    /// As many events as hitwire finds right
    MaxEvents,
    /// As many bytes as hitwire finds right
    MaxBytes,
    /// No headers of one's own
    Headers,
}

/// The names of events, for checks, help and completions; the older names that clients of the original use are taken too.
pub(crate) fn event_names() -> PossibleValuesParser {
    let todays = Kind::ALL.map(|kind| {
        let name = PossibleValue::new(kind.name());
        if kind == Kind::Hit { name.alias("hit") } else { name }
    });
    PossibleValuesParser::new(todays.into_iter().chain([PossibleValue::new("vuln")]))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn header_from_env(text: &str) -> Result<(String, String), String> {
    let (name, variable) = text.split_once('=').ok_or("write it as Name=VARIABLE")?;
    Ok((name.trim().to_owned(), variable.trim().to_owned()))
}
