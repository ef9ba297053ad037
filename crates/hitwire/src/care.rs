//! `verify`, `backup`, `restore`, `key rotate`: the data directory on this machine, without a server's help.

use crate::failure::Failure;
use crate::output::{Output, print};
use crate::terminal;
use clap::Subcommand;
use hitwire_server::Config;
use hitwire_server::config::SecretKey;
use hitwire_store::{Backup, KeyRotation, StoreError, Verification};
use serde::Serialize;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// Where the data is.
#[derive(Debug, clap::Args)]
struct DataDir {
    /// The data directory, as serve has it
    #[arg(long = "data", value_name = "DIR", env = "HITWIRE_DATA", default_value = "hitwire-data")]
    path: PathBuf,
}

/// What `hitwire verify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The data directory, or a backup
    #[arg(value_name = "DIR", env = "HITWIRE_DATA", default_value = "hitwire-data")]
    directory: PathBuf,

    #[command(flatten)]
    output: Output,
}

/// What `hitwire backup` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The directory to make: it must not be there yet, or be empty
    #[arg(value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    data: DataDir,

    #[command(flatten)]
    output: Output,
}

/// What `hitwire restore` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIR")]
    from: PathBuf,

    #[command(flatten)]
    data: DataDir,

    #[command(flatten)]
    output: Output,
}

/// What `hitwire key` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Seal every secret with another key; the server must be stopped
    ///
    /// Without flags the key is <data>/secret.key, and a new one takes its place. If it is interrupted, nothing is lost: the
    /// next start, or the next rotation, keeps the key that fits. Backups made before still need the old key.
    Rotate(RotateArgs),
}

/// What `hitwire key rotate` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// The file with the key until now, where it is set with HITWIRE_SECRET_KEY or secret_key_file
    #[arg(long, value_name = "FILE", requires = "new_key_file")]
    old_key_file: Option<PathBuf>,

    /// The file with the key from now on; the server must be told of it before its next start
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,

    #[command(flatten)]
    data: DataDir,
}

/// Looks whether everything is whole.
pub(crate) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let mut config = Config::default();
    config
        .take_secrets(|name| {
            name.starts_with("HITWIRE_SECRET_KEY").then(|| std::env::var(name).ok()).flatten()
        })
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let key = config.secret_key.as_ref().map(SecretKey::bytes);
    let found = hitwire_store::verify(&args.directory, key).map_err(failed)?;
    args.output.print(&json(&found)?, |_| report(&args.directory, &found))?;
    match found.findings.len() {
        0 => Ok(()),
        1 => Err(Failure::Runtime("1 fault was found".to_owned())),
        faults => Err(Failure::Runtime(format!("{faults} faults were found"))),
    }
}

/// Copies the data directory, while a server runs or not.
pub(crate) fn backup(args: &BackupArgs) -> Result<(), Failure> {
    let backup = hitwire_store::back_up(&args.data.path, &args.to).map_err(failed)?;
    args.output.print(&json(&backup)?, |_| {
        format!(
            "backed up {} to {}: {}\nThe key that opens the secrets is not in it. Keep {} apart, or the key that you set:\n\
             without it the integrations' secrets cannot be read.",
            shown(&args.data.path),
            shown(&args.to),
            size(&backup),
            shown(&args.data.path.join("secret.key")),
        )
    })
}

/// Brings a backup back.
pub(crate) fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let backup = hitwire_store::restore(&args.from, &args.data.path).map_err(failed)?;
    args.output.print(&json(&backup)?, |_| {
        format!(
            "restored {} into {}: {}\nThe key that opens the secrets is not in a backup. Before the next start, put it into {},\n\
             or set it as before. What was delivered after the backup is delivered again.",
            shown(&args.from),
            shown(&args.data.path),
            size(&backup),
            shown(&args.data.path.join("secret.key")),
        )
    })
}

/// Carries out `hitwire key ...`.
pub(crate) fn key(command: &KeyCommand) -> Result<(), Failure> {
    let KeyCommand::Rotate(args) = command;
    let keys = KeyRotation {
        old: read_key(args.old_key_file.as_deref())?,
        new: read_key(args.new_key_file.as_deref())?,
    };
    let sealed = hitwire_store::rotate_key(&args.data.path, &keys).map_err(failed)?;
    let key = match &args.new_key_file {
        Some(file) => format!("Set the key in {} before the next start", shown(file)),
        None => format!("The new key is {}", shown(&args.data.path.join("secret.key"))),
    };
    print(&format!(
        "{sealed} secrets are sealed with the new key. {key}; backups made before need the old one."
    ))
}

fn read_key(file: Option<&Path>) -> Result<Option<[u8; 32]>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let wrong = |problem: String| Failure::Usage(format!("{}: {problem}", file.display()));
    let text =
        zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?);
    SecretKey::parse(&text).map(|key| Some(key.bytes())).map_err(wrong)
}

fn report(directory: &Path, found: &Verification) -> String {
    let Verification { slices, blocks, events, first, last, integrations, secrets_opened, findings } = found;
    let secrets = if *secrets_opened {
        "all sealed secrets were opened with the key"
    } else {
        "without the key: sealed secrets were not opened"
    };
    let mut lines = vec![
        shown(directory),
        format!(
            "  log           {events} events at positions {first} to {last}, in {blocks} blocks of {slices} files"
        ),
        format!("  integrations  {integrations}; {secrets}"),
    ];
    if findings.is_empty() {
        lines.push("  whole         nothing is damaged or missing".to_owned());
    }
    for finding in findings {
        lines.push(format!("  {}: {}", terminal::safe(&finding.file), terminal::safe(&finding.problem)));
    }
    lines.join("\n")
}

fn size(backup: &Backup) -> String {
    let bytes: u64 = backup.files.iter().map(|file| file.bytes).sum();
    format!("{} files, {bytes} bytes", backup.files.len())
}

fn shown(path: &Path) -> String {
    terminal::safe(&path.display().to_string())
}

fn json(value: &impl Serialize) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(value).map_err(Failure::runtime)
}

fn failed(error: StoreError) -> Failure {
    Failure::runtime(error)
}
