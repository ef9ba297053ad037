//! Retrying now, sending again and replaying, from the console.

use crate::support::{Browser, Hitwire, Receiver, hits, until};
use serde_json::json;

#[tokio::test]
async fn a_repaired_endpoint_is_drained_a_lost_range_sent_again_and_a_replay_steered() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let made = json!({"name": "SIEM <b>", "target": {"url": receiver.url()}, "events": [{"event": "siem"}]});
    let id = hitwire.create(&made).await["id"].as_u64().expect("an id");
    let mut browser = Browser::operator(&hitwire).await;
    let home = format!("/settings/integrations/{id}");

    receiver.answer(503);
    hitwire.send(&hits(0..2)).await.expect(202);
    // The fourth try is made only after nine seconds.
    until(async || receiver.received().len() == 3).await;
    receiver.answer(200);
    let page = browser.submit(&home, &format!("{home}/retry"), &[]).await.page(200);
    receiver.until_objects(2).await;
    assert!(page.contains("What waits is tried now."), "{page}");
    until(async || !browser.get(&home).await.page(200).contains("Retry now")).await;

    // What comes while it is disabled is skipped, and can be sent again.
    browser.submit(&home, &format!("{home}/disable"), &[]).await;
    hitwire.send(&hits(2..5)).await.expect(202);
    browser.submit(&home, &format!("{home}/enable"), &[("resume", "now")]).await;
    let lost = format!("{home}/lost");
    let replays = format!("{home}/replays");
    let page = browser.submit(&lost, &replays, &[("lost", "all")]).await.page(200);
    assert!(page.contains("The replay is started."), "{page}");
    receiver.until_objects(5).await;
    let done = browser.get(&replays).await.page(200);
    assert!(done.contains("1: The undelivered range 1"), "{done}");

    // Nothing to send, and no moment: the form says so and keeps what was put in.
    let wrong = browser.submit(&replays, &replays, &[("from", "")]).await.page(422);
    assert!(wrong.contains("Say from when on."), "{wrong}");
    let wrong =
        browser.submit(&replays, &replays, &[("from", "2090-01-01T00:00"), ("rate", "fast")]).await.page(422);
    assert!(wrong.contains("A whole number.") && wrong.contains("value=\"2090-01-01T00:00\""), "{wrong}");
    let none = browser.submit(&replays, &replays, &[("from", "2090-01-01T00:00")]).await.page(422);
    assert!(none.contains("There is nothing to send"), "{none}");
    let counted =
        browser.submit(&replays, &replays, &[("from", "2020-01-01T00:00"), ("preview", "1")]).await.page(200);
    assert!(counted.contains("5 events. Nothing was started."), "{counted}");

    let slowly = [("from", "2020-01-01T00:00"), ("rate", "1")];
    browser.submit(&replays, &replays, &slowly).await.page(200);
    let one = format!("{replays}/2");
    for (act, shows) in [("pause", "Paused"), ("resume", "at most 1 a second"), ("cancel", "Cancelled")] {
        let page = browser.submit(&replays, &format!("{one}/{act}"), &[]).await.page(200);
        assert!(page.contains(shows), "{act}: {page}");
    }
    assert!(receiver.objects().len() < 10, "it was cancelled before its end");
}

#[tokio::test]
async fn who_may_not_change_integrations_sees_replays_and_no_buttons() {
    let receiver = Receiver::start().await;
    let hitwire = Hitwire::start().await;
    let id = hitwire.subscribe(&receiver.url()).await;
    hitwire.send(&hits(0..1)).await.expect(202);
    receiver.until_objects(1).await;
    let held = json!({"first": 1, "paused": true});
    hitwire.admin().send("POST", &format!("/v2/integration/{id}/replays"), &held).await.expect(200);
    let (mut analyst, _) = Browser::invited(&hitwire, "analyst@example.com", "analyst").await;
    let page = analyst.get(&format!("/settings/integrations/{id}/replays")).await.page(200);
    assert!(page.contains("A part of the log"), "{page}");
    for button in ["Start a replay", "Resume", "Cancel"] {
        assert!(!page.contains(button), "{button} is there");
    }
    let replays = format!("/settings/integrations/{id}/replays");
    for (path, fields) in [(replays.clone(), vec![]), (format!("{replays}/1/cancel"), vec![])] {
        let refused = analyst.post(&path, &fields).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.shown());
    }
}
