//! The binary as a process.

use super::{hints, in_time};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// The binary, run to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with a clean environment: what is set around the tests must not change what they see.
fn command(args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitwire"));
    command.args(args).env_clear().kill_on_drop(true);
    for kept in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.env("TZ", "UTC").envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary to its end.
pub(crate) async fn run(args: &[&str]) -> Finished {
    run_with_input(args, &[], b"").await
}

/// Runs the binary to its end, with variables and standard input. If it fails, what it says must name only flags that the
/// command has.
pub(crate) async fn run_with_input(args: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Finished {
    let finished = plain_run(args, variables, input).await;
    if finished.code != Some(0) {
        hints::check(args, &finished.stderr).await;
    }
    finished
}

/// The same without a look at what it says.
pub(super) async fn plain_run(args: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Finished {
    let mut child = command(args, variables).stdin(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let input = input.to_vec();
    let feeding = tokio::spawn(async move {
        // A program that ends without reading everything is no failure of the test.
        let _ = stdin.write_all(&input).await;
    });
    let output = in_time("the command to end", child.wait_with_output()).await.expect("its output is read");
    feeding.await.expect("input is fed");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// The binary, running. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    stdout: mpsc::UnboundedReceiver<String>,
    stderr: Arc<Mutex<String>>,
}

impl Program {
    /// Starts the binary.
    pub(crate) fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(command(args, variables))
    }

    /// Starts another program, such as a receiver.
    pub(crate) fn spawn(command: Command) -> Self {
        Self::spawn_with_stderr(command, Stdio::piped())
    }

    /// Starts the binary with another standard error.
    pub(crate) fn start_with_stderr(args: &[&str], variables: &[(&str, &str)], stderr: Stdio) -> Self {
        Self::spawn_with_stderr(command(args, variables), stderr)
    }

    /// If standard error is piped, it is read.
    fn spawn_with_stderr(mut command: Command, stderr: Stdio) -> Self {
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} starts: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let (line, stdout) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(text)) = lines.next_line().await {
                if line.send(text).is_err() {
                    return;
                }
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        if let Some(mut errors) = child.stderr.take() {
            let collected = Arc::clone(&stderr);
            tokio::spawn(async move {
                let mut piece = vec![0; 4_096];
                while let Ok(length @ 1..) = errors.read(&mut piece).await {
                    collected.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..length]));
                }
            });
        }
        Program { child, stdout, stderr }
    }

    /// The next line of standard output; none at its end.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        in_time("a line of output", self.stdout.recv()).await
    }

    /// Reads standard output up to the first line that contains `text`, which is returned.
    pub(crate) async fn line_with(&mut self, text: &str) -> String {
        while let Some(line) = self.next_line().await {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the output ended without {text:?}; standard error:\n{}", self.stderr());
    }

    /// Reads standard error until it contains `text`.
    pub(crate) async fn says(&self, text: &str) -> String {
        in_time(text, async {
            loop {
                let said = self.stderr();
                if said.contains(text) {
                    return said;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Its id; none if it has ended.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id as i32))
    }

    /// Sends it a signal, if it still runs.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended by itself in between.
        let _ = self.pid().map(|pid| kill_process(pid, signal));
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        in_time("the program to end", self.child.wait()).await.expect("it can be waited for")
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }
}
