//! The console in a real browser: headless Chromium against the real binary, as a user sees it.
//!
//! The cast:
//!
//! - [`World`]: a server, and what a scenario needs around it.
//! - `scenarios/*.mjs`: what a user does and must see, one file each; `harness/` beside them plays one in Chromium, and holds every page to what
//!   must always be so: no error in the browser's console, no request to another host, no finding of axe, nothing that scrolls sideways.
//! - `install`: where Chromium, Playwright and axe come from.

use crate::ecosystem::certificates::Authority;
use crate::ecosystem::nginx;
use crate::ecosystem::webhook::{self, Webhook};
use crate::support::{RunningServer, TOKEN, in_time};
use hitwire::listen::{Listener, Options};
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
async fn a_second_factor_is_turned_on_and_asked_for_and_a_recovery_code_stands_in_for_it_once() {
    World::start().await.play("second-factor").await;
}

#[tokio::test]
async fn each_role_is_offered_what_it_may_and_refused_the_rest() {
    World::start().await.play("roles").await;
}

#[tokio::test]
async fn a_hit_arrives_on_the_page_of_events_while_somebody_looks() {
    World::start().await.play("live").await;
}

#[tokio::test]
async fn thirty_clicks_and_ten_windows_share_one_stream() {
    World::start().await.play("streams").await;
}

#[tokio::test]
async fn a_failing_endpoints_attempts_explain_themselves() {
    World::start().await.play("failing").await;
}

#[tokio::test]
async fn what_an_attacker_writes_stays_text_on_every_page_of_events() {
    World::start().await.play("hostile-events").await;
}

#[tokio::test]
async fn what_an_attacker_writes_stays_text_on_every_page_of_integrations() {
    World::start().await.play("hostile-integrations").await;
}

#[tokio::test]
async fn what_an_attacker_writes_stays_text_on_every_page_of_settings() {
    World::start().await.play("hostile-settings").await;
}

#[tokio::test]
async fn every_page_is_accessible_in_light_and_dark_and_fits_a_phone() {
    World::start().await.play("every-page").await;
}

#[tokio::test]
async fn the_page_of_the_api_is_accessible_and_asks_no_other_host() {
    World::start().await.play("docs").await;
}

#[tokio::test]
async fn the_harness_sees_what_must_not_happen() {
    World::start().await.play("harness").await;
}

/// An integration made, changed, disabled, enabled and deleted in the browser; the receiver is `hitwire listen`'s. Three hits are posted once
/// it is there, one that is skipped (enabled "from now"), two that it had missed, and one after that.
async fn integration(scenario: &str) {
    let mut receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let mut world = World::start().await;
    world.facts["listener"] = json!({"url": receiver.url(), "ca": receiver.ca_pem});
    world.play(scenario).await;
    receiver.events.close();
    let mut arrived = Vec::new();
    while let Some(received) = receiver.events.recv().await {
        arrived.push((received.path, String::from_utf8(received.body.to_vec()).unwrap()));
    }
    // With the wrong authority in the form nothing arrived.
    let tests = arrived.iter().filter(|(_, body)| body.contains("[Test message]")).count();
    assert_eq!(tests, 2, "{arrived:?}");
    let hits = arrived.iter().filter(|(_, body)| !body.contains("[Test message]"));
    let hits: usize = hits.map(|(_, body)| body.matches(r#""object_type":"hit""#).count()).sum();
    assert_eq!(hits, 6, "{arrived:?}");
    assert!(arrived.iter().all(|(path, _)| path.ends_with("?key=in-the-url")), "{arrived:?}");
}

#[tokio::test]
async fn an_integration_is_added_tested_edited_disabled_enabled_and_deleted() {
    integration("integration").await;
}

#[tokio::test]
async fn an_integration_is_added_tested_edited_disabled_enabled_and_deleted_without_scripts() {
    integration("integration-without-scripts").await;
}

/// The receiver wants a certificate of hitwire, and a header: both are entered in the browser.
#[tokio::test]
async fn a_client_certificate_and_a_header_entered_in_the_browser_get_past_nginx() {
    let mut world = World::start().await;
    let (ca, clients) = (Authority::new("Receiver CA"), Authority::new("Client CA"));
    let dir = world.dir.path().join("receiver");
    std::fs::create_dir(&dir).unwrap();
    let webhook = Webhook::start(&dir, None).await;
    webhook.make_folder();
    let nginx = nginx::start(&dir, &ca, &clients, webhook.port()).await;
    let client = clients.client();
    world.facts["nginx"] = json!({
        "url": format!("https://127.0.0.1:{}/hooks/hitwire", nginx.port),
        "ca": ca.pem(),
        "header": "X-Hook-Token",
        "value": webhook::TOKEN,
        "client_certificate": client.certificate_pem,
        "client_key": client.key_pem,
    });
    world.play("client-certificate").await;
    let hits = webhook.hits(4).await;
    assert_eq!(hits.iter().filter(|hit| hit.contains("[Test message]")).count(), 1, "{hits:?}");
}

#[tokio::test]
async fn the_first_start_hands_out_one_link_which_makes_the_first_account() {
    World::start().await.play("set-up").await;
}
