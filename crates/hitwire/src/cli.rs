//! The commands, their flags and their exit codes.

use crate::accounts::{application, client, token, user};
use crate::failure::Failure;
use crate::{
    activity, allocator, apply, attempt, care, check_config, demo, import, integration, listen, lost, manual,
    replay, send, serve, source, tail,
};
use clap::{CommandFactory, Parser, Subcommand};
use hitwire_server::prepare_thread;
use std::process::ExitCode;

/// Security events in, webhook notifications out.
///
/// hitwire takes hits from a WAF, keeps them in one durable log, and delivers them at once, in order and in batches, to
/// every webhook integration that subscribes to them. It remembers what became of each one.
#[derive(Debug, Parser)]
#[command(name = "hitwire", version, max_term_width = 100, after_help = AFTER_HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What every help page of the top ends with.
const AFTER_HELP: &str = "\
Begin with `hitwire demo`: it needs nothing and shows everything.

Exit codes:
  0  it did what it was asked
  1  something did not work while running; one sentence on standard error says what
  2  it was called wrongly: a flag, a variable or a file has to change
  3  apply --dry-run found changes to make";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an end-to-end demo on this machine, in a few seconds
    ///
    /// A WAF's audit log is written to a temporary file, record by record. A real server follows the file and delivers
    /// each hit over TLS to a receiver beside it; the integration between the two is made over the API. Nothing outside
    /// the temporary directory is touched, and nothing but the loopback interface is used.
    Demo(demo::Args),
    /// Take events in, keep them, deliver them: runs until it is stopped
    ///
    /// Integrations are made over the API with the token that the first start leaves in <data>/admin-token (mode 0600),
    /// or with the one in HITWIRE_ADMIN_TOKEN. HITWIRE_INGEST_TOKEN is a token that may only send events;
    /// HITWIRE_SECRET_KEY seals secrets at rest in place of <data>/secret.key. Each of these variables can be given as a
    /// file: HITWIRE_ADMIN_TOKEN_FILE and so on.
    ///
    /// SIGTERM and SIGINT stop it within 10 s, without losing anything; a second one stops it at once.
    Serve(Box<serve::Args>),
    /// Check what serve would run with, and print the settings in effect; starts nothing
    ///
    /// Takes the flags and variables of serve. What it prints is a configuration file that says the same; tokens and keys are
    /// not in it.
    CheckConfig(Box<check_config::Args>),
    /// Receive notifications here: a local HTTPS endpoint with its own CA that shows what arrives
    ///
    /// It says how an integration is made that sends here. The server must be allowed to: hitwire serve --allow-target
    /// 127.0.0.0/8.
    ///
    /// What arrives is shown harmlessly: control characters of a payload appear as escapes.
    Listen(listen::command::Args),
    /// Send the hits of a whole log file to a running server
    ///
    /// A file can be imported again, and a growing one at any time: what the server has had before is left out.
    Import(import::Args),
    /// Send events that are JSON already to a running server
    ///
    /// The file is an array, a single object, or one object a line; what events are is said in docs/api.md. They are sent
    /// in batches, each acknowledged when it is on disk. A file can be sent again: what the server has had before is left
    /// out.
    Send(send::Args),
    /// Show the newest events of a running server, and those that come
    ///
    /// One line each: time, type, status, client, request, where something was found, and what. With --output json one JSON
    /// object a line, as the API answers it. A stream that breaks is taken up where it ended.
    Tail(tail::Args),
    /// The webhooks of a running server: list, show, add, edit, enable, disable, delete, preview, test
    Integration(Box<integration::Args>),
    /// Make the integrations of a running server what a file says, in TOML or YAML
    ///
    /// Integrations are matched by name. The plan is shown first; a second run changes nothing. What the file does not say of
    /// an integration has its default; integrations that it does not name are left alone, unless --prune says otherwise.
    /// Secrets stand in variables and files: { env = "VARIABLE" }, { file = "path" }.
    Apply(apply::Args),
    /// The delivery log of an integration: what was sent, when, and what the receiver answered
    #[command(visible_alias = "attempts")]
    Attempt(attempt::Args),
    /// The events that an integration did not get, and why
    Lost(lost::Args),
    /// Try at once what waits for an integration, each batch as it was, under the same webhook-id
    Retry(replay::RetryArgs),
    /// What an integration is sent once more: list, start, pause, resume, rate, cancel
    Replay(replay::Args),
    /// The sources that a running server follows, and how far each is
    Source(source::Args),
    /// The tokens of a running server: list, create, revoke
    Token(token::Args),
    /// The users of a running server: list, create, edit, sign-in-link, delete
    User(user::Args),
    /// The clients (tenants) of a running server: list, create, edit, delete
    Client(client::Args),
    /// The applications of a running server, which filters can name: list, create, rename, delete
    Application(application::Args),
    /// The activity log of a running server: who changed what
    Activity(activity::Args),
    /// Look whether a data directory, or a backup, is whole
    ///
    /// Files, blocks and their hashes, continuity of positions, cursors, sealed secrets. It changes nothing, and a server may
    /// run on the directory meanwhile. Exit code 1 if something is damaged or missing. Sealed secrets are opened with
    /// the key in the directory, or in HITWIRE_SECRET_KEY.
    Verify(care::VerifyArgs),
    /// Copy a data directory, while the server runs or not
    ///
    /// All that was acknowledged before it began is in it, and all that was delivered is known in it as delivered. The key
    /// that opens the secrets is not in it, nor are the details of attempts and the index of the console.
    Backup(care::BackupArgs),
    /// Bring a backup back into a new data directory
    ///
    /// Every file is proved first. The key must be put there, or set, before the server is started.
    Restore(care::RestoreArgs),
    /// The key that seals secrets at rest: rotate
    #[command(subcommand)]
    Key(care::KeyCommand),
    /// Print the script that completes this command line in a shell
    ///
    /// For bash: hitwire completions bash > /etc/bash_completion.d/hitwire
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(manual::ManArgs),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Serve(_)) {
        allocator::set_up();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .on_thread_start(prepare_thread)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Runtime(format!("cannot start: {error}")).report(),
    };
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Activity(args) => activity::run(args).await,
            Command::Application(args) => application::run(args).await,
            Command::Attempt(args) => attempt::run(args).await,
            Command::Lost(args) => lost::run(args).await,
            Command::Retry(args) => replay::retry(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Source(args) => source::run(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Integration(args) => integration::run(*args).await,
            Command::Send(args) => send::run(args).await,
            Command::Apply(args) => apply::run(args).await,
            Command::CheckConfig(args) => check_config::run(*args),
            Command::Completions(args) => manual::completions(&args, Cli::command()),
            Command::Man(args) => manual::man(&args, Cli::command()),
            Command::Verify(args) => care::verify(&args),
            Command::Backup(args) => care::backup(&args),
            Command::Restore(args) => care::restore(&args),
            Command::Key(command) => care::key(&command),
            Command::Tail(args) => tail::run(args).await,
            Command::Token(args) => token::run(args).await,
            Command::User(args) => user::run(args).await,
            Command::Client(args) => client::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Serve(args) => serve::run(*args).await,
            Command::Listen(args) => listen::command::run(args).await,
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
