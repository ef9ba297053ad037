//! The receivers' programs, as `install` left them.

use crate::support::{PATIENCE, Program, in_time};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use tokio::net::TcpStream;
use tokio::process::Command;

/// How often a start is tried: between finding a free port and using it somebody else may take it.
const STARTS: usize = 5;

/// Where `install` puts everything.
pub(super) fn place() -> PathBuf {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/receivers");
    std::env::var_os("HITWIRE_RECEIVERS").map_or(usual, PathBuf::from)
}

/// One of the programs, with an environment that holds nothing but where programs are.
pub(super) fn command(name: &str) -> Command {
    let program = place().join("bin").join(name);
    assert!(
        program.exists(),
        "{name} is not there, and this test needs it: run crates/hitwire/tests/ecosystem/install (./test does it), then again"
    );
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// A receiver that listens on a port which it was told. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: Program,
    pub(crate) port: u16,
}

impl Daemon {
    /// Starts what `prepare` makes for a free port, and waits until it listens.
    pub(super) async fn start(prepare: impl Fn(u16) -> Command) -> Daemon {
        let mut said = String::new();
        for _ in 0..STARTS {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("it has an address").port();
            drop(free);
            let mut daemon = Daemon { program: Program::spawn(prepare(port)), port };
            let listening = daemon.listens();
            let listening = tokio::time::timeout(PATIENCE, listening).await;
            if listening.unwrap_or(false) {
                return daemon;
            }
            said = daemon.program.stderr();
        }
        panic!("the receiver does not start: {said}")
    }

    async fn listens(&mut self) -> bool {
        while self.program.runs() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
                return true;
            }
            tokio::time::sleep(super::LOOK_AGAIN).await;
        }
        false
    }
}

/// Runs a program to its end, which must be a good one; what it printed.
pub(super) async fn output(mut command: Command) -> String {
    let output = in_time("a program", command.kill_on_drop(true).output()).await.expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("its output is UTF-8")
}
