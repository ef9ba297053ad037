//! `hitwire serve` under test.

use super::{PATIENCE, Program, in_time};
use hitwire::api::Client;
use hitwire_store::Secret;
use http::{Method, StatusCode};
use rustix::process::{Pid, Signal};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

/// The token of every server under test.
pub(crate) const TOKEN: &str = "a-token-for-tests-that-is-long-enough-to-be-accepted";

/// A running server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct RunningServer {
    program: Program,
    url: String,
}

/// A server on a free port that may send to loopback addresses.
fn arguments<'a>(data: &'a Path, flags: &[&'a str]) -> Vec<&'a str> {
    let data = data.to_str().expect("a path in UTF-8");
    let fixed = ["serve", "--data", data, "--allow-target", "127.0.0.0/8"];
    let anywhere = if flags.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
    [&fixed, anywhere, flags].concat()
}

impl RunningServer {
    /// Starts a server on a free port that may send to loopback addresses, and waits until it is ready.
    pub(crate) async fn start(data: &Path, flags: &[&str]) -> Self {
        Self::of(Self::launch(data, flags)).await
    }

    /// The same with further variables.
    pub(crate) async fn start_with(data: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let variables = [&[("HITWIRE_ADMIN_TOKEN", TOKEN)], variables].concat();
        Self::of(Program::start(&arguments(data, flags), &variables)).await
    }

    /// The same with another standard error, of which [`RunningServer::log`] knows nothing.
    pub(crate) async fn start_with_stderr(data: &Path, flags: &[&str], stderr: Stdio) -> Self {
        let variables = [("HITWIRE_ADMIN_TOKEN", TOKEN)];
        Self::of(Program::start_with_stderr(&arguments(data, flags), &variables, stderr)).await
    }

    /// Waits until a server is ready whose token is [`TOKEN`].
    pub(crate) async fn of(mut program: Program) -> Self {
        let url = program.line_with("API").await.split_whitespace().last().expect("an address").to_owned();
        let server = RunningServer { program, url };
        server.ready().await;
        server
    }

    /// Starts a server without waiting for anything.
    pub(crate) fn launch(data: &Path, flags: &[&str]) -> Program {
        Program::start(&arguments(data, flags), &[("HITWIRE_ADMIN_TOKEN", TOKEN)])
    }

    /// Where its API is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A client of its API, with the operator's token.
    pub(crate) fn api(&self) -> Client {
        Client::new(&self.url, Some(Secret::new(TOKEN)), None).expect("an address")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.program.stderr()
    }

    /// SIGTERM; how it ended.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        self.program.signal(Signal::TERM);
        self.program.ended().await
    }

    /// SIGTERM; how it ended, and all that it has logged.
    pub(crate) async fn terminate_with_log(mut self) -> (ExitStatus, String) {
        self.program.signal(Signal::TERM);
        let status = self.program.ended().await;
        (status, self.program.says("hitwire stopped").await)
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> Pid {
        self.program.pid().expect("it runs")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Waits until it has logged this.
    pub(crate) async fn says(&self, text: &str) {
        self.program.says(text).await;
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.program.ended().await
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(self) {
        self.program.kill().await;
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        let api = self.api();
        let ready = async {
            while !matches!(api.request(Method::GET, "/readyz", ()).await, Ok(answer) if answer.status == StatusCode::OK)
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        assert!(
            ready.is_ok(),
            "the server did not become ready; its log:
{}",
            self.log()
        );
    }

    /// Posts events, which must be accepted; how many were new and how many were there before.
    pub(crate) async fn accept(&self, events: &serde_json::Value) -> (u64, u64) {
        let answer =
            in_time("events to be taken", self.api().request(Method::POST, "/v1/events", events.clone()))
                .await
                .expect("an answer");
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&answer.body));
        let taken: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        (taken["accepted"].as_u64().expect("a count"), taken["duplicates"].as_u64().expect("a count"))
    }
}
