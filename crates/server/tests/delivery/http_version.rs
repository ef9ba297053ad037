//! `target.http_version`, as a receiver meets it that speaks both versions.

use crate::support::{Hitwire, Receiver, hits};
use http::Version;
use serde_json::{Value, json};

#[tokio::test]
async fn http2_is_offered_unless_the_integration_says_otherwise() {
    let receiver = Receiver::start_http2().await;
    let hitwire = Hitwire::start().await;
    let target = |own: Value| {
        let mut target = json!({"url": receiver.url(), "ca_file": receiver.certificate()});
        target.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        json!({"target": target})
    };
    let mut asked = target(json!({}));
    asked["events"] = json!([{"event": "siem"}]);
    let created = hitwire.create(&asked).await;
    assert_eq!(created["target"]["http_version"], "auto");
    let path = format!("/v2/integration/{}", created["id"]);

    for (number, (change, name, version)) in [
        (json!({}), "auto", Version::HTTP_2),
        (json!({"http_version": "1.1"}), "1.1", Version::HTTP_11),
        // The fields of the original's clients alone.
        (json!({"timeout": 16}), "1.1", Version::HTTP_11),
        (json!({"http_version": null}), "auto", Version::HTTP_2),
        (json!({"http_version": "auto"}), "auto", Version::HTTP_2),
    ]
    .into_iter()
    .enumerate()
    {
        let changed = hitwire.admin().send("PUT", &path, &target(change.clone())).await.expect(200);
        assert_eq!(changed["body"]["object"]["target"]["http_version"], name, "{change}");
        let shown = hitwire.admin().get(&path).await.expect(200);
        assert_eq!(shown["body"]["object"], changed["body"]["object"], "{change}");
        hitwire.send(&hits(number..number + 1)).await.expect(202);
        receiver.until_objects(number + 1).await;
        assert_eq!(receiver.received()[number].version, version, "{change}");
    }
    // Kept connections serve the later requests.
    let offered = receiver.offered();
    assert_eq!(
        (&offered[0], &offered[1]),
        (&vec!["h2".to_owned(), "http/1.1".to_owned()], &vec!["http/1.1".to_owned()])
    );
}
