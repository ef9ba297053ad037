//! The console in a real browser: headless Chromium against the real binary, as a user sees it.
//!
//! The cast:
//!
//! - [`World`]: a server, and what a scenario needs around it.
//! - `scenarios/*.mjs`: what a user does and must see, one file each; `harness/` beside them plays one in Chromium, and holds every page to what
//!   must always be so: no error in the browser's console, no request to another host, no finding of axe, nothing that scrolls sideways.
//! - `install`: where Chromium, Playwright and axe come from.

use crate::ecosystem::certificates::Authority;
use crate::support::{RunningServer, TOKEN, in_time};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// A server with a directory of its own, and facts that the scenario is told.
struct World {
    dir: TempDir,
    server: RunningServer,
    facts: Value,
}

impl World {
    async fn start() -> World {
        World::start_with(&[]).await
    }

    async fn start_with(flags: &[&str]) -> World {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let server = RunningServer::start(&data, flags).await;
        let ca = Authority::new("Receiver CA");
        let receiver = ca.server();
        let facts = json!({
            "url": server.url(),
            "token": TOKEN,
            "data": data,
            "ca": ca.pem(),
            "strange_ca": Authority::new("Strange CA").pem(),
            "certificate": receiver.certificate_pem,
            "key": receiver.key_pem,
        });
        World { dir, server, facts }
    }

    /// Plays `scenarios/{name}.mjs`.
    async fn play(&self, name: &str) {
        let world = self.dir.path().join("world.json");
        std::fs::write(&world, self.facts.to_string()).unwrap();
        let mut node = node();
        node.arg(here().join("harness/run.mjs")).arg(name).arg(world).env("HOME", self.dir.path());
        let output = in_time("the scenario to end", node.output()).await.expect("node starts");
        assert!(
            output.status.success(),
            "{}{}\nthe server's log:\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.server.log(),
        );
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

/// Node.js with an environment that holds nothing but where programs are.
fn node() -> Command {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/console-tests");
    let place = std::env::var_os("HITWIRE_CONSOLE_TESTS").map_or(usual, PathBuf::from);
    assert!(
        place.join("done").exists(),
        "Playwright is not there, and this test needs it: run crates/hitwire/tests/console/install (./test does it), then again"
    );
    let mut node = Command::new("node");
    node.env_clear().kill_on_drop(true).env("HITWIRE_CONSOLE_TESTS", place);
    for kept in ["PATH", "TMPDIR", "HITWIRE_CHROMIUM"] {
        if let Some(value) = std::env::var_os(kept) {
            node.env(kept, value);
        }
    }
    node
}

/// `screenshots` runs this.
#[tokio::test]
#[ignore = "makes pictures for people: crates/hitwire/tests/console/screenshots"]
async fn pictures_of_every_page() {
    let mut world = World::start().await;
    world.facts["pictures"] = std::env::var("HITWIRE_SCREENSHOTS").expect("a folder for the pictures").into();
    world.play("pictures").await;
}

#[tokio::test]
async fn the_page_of_the_api_is_accessible_and_asks_no_other_host() {
    World::start().await.play("docs").await;
}

#[tokio::test]
async fn the_harness_sees_what_must_not_happen() {
    World::start().await.play("harness").await;
}

#[tokio::test]
async fn the_first_start_hands_out_one_link_which_makes_the_first_account() {
    World::start().await.play("set-up").await;
}
