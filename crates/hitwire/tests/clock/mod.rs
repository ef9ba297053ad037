//! A wall clock that is wrong: set before 1970, at the start and while hitwire runs.

use crate::support::{PlainReceiver, Program, RunningServer, hits, integration};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The wall clock of a server, which the test moves.
struct Shifted {
    library: PathBuf,
    file: PathBuf,
}

impl Shifted {
    /// Builds the library that is preloaded; `cc` is what builds SQLite as well.
    fn below(folder: &Path) -> Shifted {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clock/shift.c");
        let library = folder.join("shift.so");
        let status = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status()
            .expect("a C compiler is there, since SQLite was built");
        assert!(status.success(), "shift.c does not compile");
        let shifted = Shifted { library, file: folder.join("shift") };
        shifted.by_years(0);
        shifted
    }

    /// Moves the clock; other threads read the file at any time, so it is replaced as a whole.
    fn by_years(&self, years: i64) {
        let fresh = self.file.with_extension("fresh");
        std::fs::write(&fresh, (years * 366 * 24 * 3_600).to_string()).unwrap();
        std::fs::rename(&fresh, &self.file).unwrap();
    }

    fn variables(&self) -> [(&str, &str); 2] {
        let text = |path: &'_ Path| path.to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", Box::leak(text(&self.library).into_boxed_str())),
            ("HITWIRE_TEST_CLOCK_SHIFT", Box::leak(text(&self.file).into_boxed_str())),
        ]
    }
}

#[tokio::test]
async fn a_clock_that_is_set_before_1970_while_hitwire_runs_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Shifted::below(folder.path());
    let mut receiver = PlainReceiver::start().await;
    let data = folder.path().join("data");
    let server = RunningServer::start_with(&data, &["--allow-http"], &clock.variables()).await;
    integration::of_hits_at(&server, &receiver.url(), "", json!({})).await;
    server.accept(&hits::hits("clock", 0, 0..1)).await;
    receiver.until_received("clocks0n0000000000").await;
    for years in [-100, 0, -60, -100] {
        clock.by_years(years);
        let from = receiver.bodies.len() as u64 + 1;
        server.accept(&hits::hits("clock", 0, from..=from)).await;
        receiver.until_received(&format!("clocks0n{from:0>10}")).await;
        // New connections as well, on whatever thread serves them.
        for _ in 0..20 {
            server.ready().await;
        }
    }
    let (status, log) = server.terminate_with_log().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("programming error"), "{log}");
}

#[tokio::test]
async fn with_a_clock_before_1970_hitwire_does_not_start_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Shifted::below(folder.path());
    clock.by_years(-100);
    let data = folder.path().join("data");
    let mut program = Program::start(
        &["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"],
        &clock.variables(),
    );
    assert_eq!(program.ended().await.code(), Some(1));
    let said = program.says("set it to the time of day").await;
    assert!(!said.contains("panicked") && !said.contains("programming error"), "{said}");
}
