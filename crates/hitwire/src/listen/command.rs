//! `hitwire listen`: a local webhook receiver for trying things out.

use super::behaviour::{Behaviour, Fail};
use super::{Authority, CERTIFICATE_FILE, KEY_FILE, ListenError, Listener, Options, Received, line, show};
use crate::failure::Failure;
use crate::output::Output;
use crate::signals;
use crate::terminal::{self, Style, Terminal};
use crate::units;
use hitwire_server::config::parse_listen;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `hitwire listen` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; a port alone (9443) is on 127.0.0.1, port 0 takes any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9443", env = "HITWIRE_LISTEN_ADDR", value_parser = parse_listen)]
    addr: SocketAddr,

    /// Keep the certificate authority here (ca.pem, and ca.key with mode 0600), so that it is the same next time
    /// [default: hitwire/listen in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "DIR", env = "HITWIRE_LISTEN_DIR")]
    dir: Option<PathBuf>,

    /// Write the authority's certificate to this file too
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,

    /// Another name or address that the certificate must be valid for (repeatable)
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,

    /// Check signatures with this secret or public key (whsec_, whpk_; repeatable: any of them may fit)
    #[arg(
        long = "secret",
        value_name = "WHSEC",
        env = "HITWIRE_LISTEN_SECRET",
        hide_env_values = true,
        value_delimiter = ','
    )]
    secrets: Vec<String>,

    /// Answer with failures: 503 (always), 20 (20 % get a 503), 500:20 (20 % get a 500)
    #[arg(long, value_name = "PERCENT|STATUS[:PERCENT]")]
    fail: Option<Fail>,

    /// Wait so long before each answer: 250ms, 30s
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = units::duration, hide_default_value = true)]
    slow: Duration,

    #[command(flatten)]
    output: Output,
}

/// Runs until it is interrupted.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let dir = match args.dir {
        Some(dir) => dir,
        None => default_dir()?,
    };
    let authority = Authority::kept_in(&dir).map_err(Failure::runtime)?;
    if let Some(file) = &args.ca_out {
        std::fs::write(file, authority.certificate_pem())
            .map_err(|error| Failure::Runtime(format!("cannot write {}: {error}", file.display())))?;
    }
    let checked = !args.secrets.is_empty();
    let mut listener = Listener::start(Options {
        addr: args.addr,
        authority,
        names: args.names,
        secrets: args.secrets,
        behaviour: Behaviour { fail: args.fail, slow: args.slow },
    })
    .await
    .map_err(|error| match error {
        ListenError::Secret(error) => Failure::Usage(format!("--secret: {error}")),
        error => Failure::runtime(error),
    })?;

    // With JSON, standard output has one object for each notification and nothing else.
    let json = args.output.is_json();
    let terminal = if json { Terminal::plain() } else { Terminal::stdout() };
    let say = |line: &str| {
        if json {
            terminal::tell(line);
            Ok(())
        } else {
            terminal::print_line(line)
        }
    };
    say(&greeting(&listener, &dir, checked, args.fail, args.slow, terminal)).or_else(reader_gone)?;

    let mut interrupted = signals::Interrupts::new().map_err(Failure::runtime)?;
    let mut tally = Tally::default();
    loop {
        tokio::select! {
            () = interrupted.next() => break,
            Some(received) = listener.events.recv() => {
                tally.count(&received);
                let text = if json { line::line(&received) } else { show::notification(&received, terminal) };
                match terminal::print_line(&text) {
                    Ok(()) => {}
                    Err(error) => { reader_gone(error)?; break }
                }
            }
            Some(trouble) = listener.troubles.recv() => {
                let text = format!("{} from {}: {}", "trouble", trouble.peer, terminal::safe(&trouble.what));
                say(&terminal.paint(Style::Notice, text).to_string()).or_else(reader_gone)?;
            }
        }
    }
    listener.stop().await;
    say(&tally.to_string()).or_else(reader_gone)
}

/// `hitwire listen | head` ends the reader: that is no failure.
fn reader_gone(error: io::Error) -> Result<(), Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failure::Runtime(format!("cannot write to standard output: {error}")))
}

/// The user's data directory by the XDG base directory specification.
fn default_dir() -> Result<PathBuf, Failure> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    Ok(data
        .ok_or_else(|| {
            Failure::Usage(
                "HOME is not set: say with --dir where to keep the certificate authority".to_owned(),
            )
        })?
        .join("hitwire/listen"))
}

fn greeting(
    listener: &Listener,
    dir: &Path,
    checked: bool,
    fail: Option<Fail>,
    slow: Duration,
    terminal: Terminal,
) -> String {
    let strong = |text: String| terminal.paint(Style::Strong, text).to_string();
    let answers = match fail {
        None => "200".to_owned(),
        Some(Fail { status, percent: 100 }) => format!("{status} to every notification"),
        Some(Fail { status, percent }) => {
            format!("{status} to {percent} % of the notifications, 200 to the rest")
        }
    };
    let after = if slow.is_zero() { String::new() } else { format!(", after {}", units::short(slow)) };
    let signatures = if checked { "checked" } else { "not checked (to check them: --secret whsec_...)" };
    [
        format!("hitwire listen on {} (any path)", strong(listener.url())),
        format!("  CA certificate  {}", strong(dir.join(CERTIFICATE_FILE).display().to_string())),
        format!(
            "  to send here    hitwire integration add --url {} --ca-file {} --event siem",
            listener.url(),
            dir.join(CERTIFICATE_FILE).display()
        ),
        format!("  its key         {} (mode 0600)", dir.join(KEY_FILE).display()),
        format!("  signatures      {signatures}"),
        format!("  answers         {answers}{after}"),
        "  stop            Ctrl-C".to_owned(),
        String::new(),
    ]
    .join("\n")
}

/// What came in all.
#[derive(Debug, Default)]
struct Tally {
    notifications: u64,
    objects: u64,
    wrong_signatures: u64,
    failures_answered: u64,
}

impl Tally {
    fn count(&mut self, received: &Received) {
        self.notifications += 1;
        self.objects += received.object_count() as u64;
        self.wrong_signatures += u64::from(matches!(received.signature, super::Signature::Wrong(_)));
        self.failures_answered += u64::from(received.answered != 200);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { notifications, objects, wrong_signatures, failures_answered } = *self;
        write!(
            f,
            "{}, {}",
            units::counted(notifications, "notification"),
            units::counted(objects, "object")
        )?;
        if wrong_signatures > 0 {
            write!(f, ", {}", units::counted(wrong_signatures, "wrong signature"))?;
        }
        if failures_answered > 0 {
            write!(f, ", {} answered", units::counted(failures_answered, "failure"))?;
        }
        Ok(())
    }
}
