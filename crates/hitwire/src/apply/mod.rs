//! `hitwire apply`: integrations as a file says they shall be.
//!
//! The cast:
//!
//! - [`document`]: the file.
//! - [`plan`]: the file and the server's state into what has to be done.
//! - [`bodies`]: its steps as calls of the API.
//! - [`show`]: the plan as people and programs read it.

mod bodies;
mod document;
mod plan;
mod show;

use crate::ask;
use crate::failure::Failure;
use crate::integration::{PATH, id_of};
use crate::output::{Output, print};
use crate::remote::{Common, Object, Session, Tenant};
use crate::terminal::{self, Terminal};
use crate::units;
use document::Desired;
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, Method};
use plan::Step;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The largest file that is read: certificates of some thousand integrations.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What `hitwire apply` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file: .toml, .yaml or .yml
    file: PathBuf,

    /// Only say what would be done; exit code 3 if there is something to do
    #[arg(long)]
    dry_run: bool,

    /// Delete integrations that the file does not name
    #[arg(long)]
    prune: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Send secrets again although nothing else changes: the server never shows them, so that one of them has changed
    /// cannot be seen
    #[arg(long)]
    resend_secrets: bool,

    /// Write the signing secrets of new integrations to this file (mode 0600), one a line, in place of the output
    #[arg(long, value_name = "FILE")]
    secrets_out: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

/// Plans, shows the plan, asks, and carries it out.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let desired = read(&args.file)?;
    let Common { output, tenant, remote } = &args.common;
    let (output, tenant) = (*output, *tenant);
    let mut session = remote.session()?;
    let current = session.listed(&tenant.path(&format!("{PATH}?certificates=true"))).await?;
    if let Some(why) = current.iter().find_map(|integration| integration.text("/broken")) {
        return Err(Failure::Runtime(format!("{}; then apply again", terminal::safe(why))));
    }
    let steps = plan::plan(desired, &current, args.prune, args.resend_secrets).map_err(Failure::Usage)?;
    let to_do = steps.iter().filter(|step| !matches!(step, Step::Unchanged { .. })).count();
    if args.dry_run || to_do == 0 {
        print_plan(output, &steps, false)?;
        return if to_do == 0 { Ok(()) } else { Err(Failure::Differences) };
    }
    if !output.is_json() {
        print(&show::plan(&steps, Terminal::stdout()))?;
    }
    let changes = units::counted(to_do as u64, "change");
    ask::to_type("yes", &format!("{changes} to make on {}.", session.server()), args.yes)?;
    // Opened before anything is made: a secret that cannot be kept would be lost.
    let mut secrets = Secrets::open(args.secrets_out.as_deref())?;
    for step in &steps {
        let done = carry_out(&mut session, tenant, step).await?;
        if let (Some(done), false) = (&done, output.is_json()) {
            print(&show::done(step, done))?;
        }
        if let (Step::Create { desired }, Some(created)) = (step, &done) {
            secrets.keep(&desired.name, created, output)?;
        }
    }
    if output.is_json() { print_plan(output, &steps, true) } else { Ok(()) }
}

fn print_plan(output: Output, steps: &[Step], applied: bool) -> Result<(), Failure> {
    if output.is_json() {
        return print(&crate::listen::line::harmless(&show::json(steps, applied).to_string()));
    }
    print(&show::plan(steps, Terminal::stdout()))
}

fn read(path: &Path) -> Result<Vec<Desired>, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::Usage(format!("cannot read {}: {error}", path.display()));
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(Failure::Usage(format!("{} has more than {FILE_BYTES_MAX} bytes", path.display())));
    }
    document::read(path, &std::fs::read_to_string(path).map_err(unreadable)?)
}

/// One step; what the server answered, if there was something to do.
async fn carry_out(session: &mut Session, tenant: Tenant, step: &Step) -> Result<Option<Object>, Failure> {
    let named = |name: &str, error| match Failure::of_call(error, &[]) {
        Failure::Usage(words) => Failure::Usage(format!("{name}: {words}")),
        Failure::Runtime(words) => Failure::Runtime(format!("{name}: {words}")),
        Failure::Differences => Failure::Differences,
    };
    match step {
        Step::Unchanged { .. } => Ok(None),
        Step::Create { desired } => {
            let body = step.body().unwrap_or_default();
            let created = session.object(Method::POST, &tenant.path(PATH), body).await;
            created.map(Some).map_err(|error| named(&desired.name, error))
        }
        Step::Change { id, desired, current, .. } => {
            let path = tenant.path(&format!("{PATH}/{id}"));
            let answer = session.call(Method::GET, &path, HeaderMap::new(), ()).await?;
            let now = session.enveloped(&answer).map_err(|error| named(&desired.name, error))?;
            if now.value != *current {
                return Err(Failure::Runtime(format!(
                    "{} was changed on the server since the plan was made; run apply again",
                    desired.name
                )));
            }
            let headers = answer.headers.get(ETAG).map(|etag| (IF_MATCH, etag.clone())).into_iter().collect();
            let answer = session.call(Method::PUT, &path, headers, step.body().unwrap_or_default()).await?;
            session.enveloped(&answer).map(Some).map_err(|error| named(&desired.name, error))
        }
        Step::Delete { id, name } => {
            let path = tenant.path(&format!("{PATH}/{id}"));
            let deleted = session.object(Method::DELETE, &path, ()).await;
            deleted.map(Some).map_err(|error| named(name, error))
        }
    }
}

/// Where signing secrets of new integrations go: they are answered once.
enum Secrets {
    Output,
    File(PathBuf, std::fs::File),
}

impl Secrets {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Secrets::Output) };
        let opened = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        match opened {
            Ok(file) => Ok(Secrets::File(path.to_owned(), file)),
            Err(error) => Err(Failure::Usage(format!("cannot write {}: {error}", path.display()))),
        }
    }

    fn keep(&mut self, name: &str, created: &Object, output: Output) -> Result<(), Failure> {
        let Some(secret) = created.text("/signing_secret") else { return Ok(()) };
        match self {
            Secrets::File(path, file) => writeln!(file, "{secret} {} {name}", id_of(created)?)
                .map_err(|error| Failure::Runtime(format!("cannot write {}: {error}", path.display()))),
            // Programs read one document from standard output; what is told once must not be missing.
            Secrets::Output if output.is_json() => {
                terminal::tell(&show::secret(name, secret));
                Ok(())
            }
            Secrets::Output => print(&show::secret(name, secret)),
        }
    }
}
