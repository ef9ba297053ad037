//! nginx in front of a receiver without TLS: who has no certificate of the right CA does not get in.

use super::certificates::{Authority, Certified};
use super::tools::{Daemon, command};
use super::webhook::{TOKEN, Webhook};
use super::{Beside, page};
use crate::support::integration;
use serde_json::{Value, json};
use std::path::Path;

/// nginx with the page's server, in front of what listens on `port_behind`, for clients of `clients`.
pub(crate) async fn start(dir: &Path, ca: &Authority, clients: &Authority, port_behind: u16) -> Daemon {
    let (certificate, key) = ca.server().write(dir);
    let at = |name: &str| dir.join(name).display().to_string();
    std::fs::write(at("clients-ca.pem"), clients.pem()).unwrap();
    // The rest of the configuration is Debian's on a real machine.
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {};\n", at(what)))
        .concat();
    Daemon::start(|port| {
        let server = page::text(
            "nginx.conf",
            &[
                ("listen 443", &format!("listen 127.0.0.1:{port}")),
                ("hooks.example.com", "127.0.0.1"),
                ("/etc/nginx/cert.pem", certificate.to_str().unwrap()),
                ("/etc/nginx/key.pem", key.to_str().unwrap()),
                ("/etc/nginx/clients-ca.pem", &at("clients-ca.pem")),
                ("127.0.0.1:9000", &format!("127.0.0.1:{port_behind}")),
            ],
        );
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log stderr warn;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{server}}}\n",
            at("pid"),
        );
        std::fs::write(at("nginx.conf"), configuration).unwrap();
        let mut nginx = command("nginx");
        nginx.args(["-p", &at(""), "-c", &at("nginx.conf"), "-e", "stderr"]);
        nginx
    })
    .await
}

#[tokio::test]
async fn only_the_right_client_certificate_gets_past_nginx_and_the_attempts_say_what_is_wrong_with_the_others()
 {
    let dir = tempfile::tempdir().unwrap();
    let (ca, clients) = (Authority::new("Receiver CA"), Authority::new("Client CA"));
    let webhook = Webhook::start(dir.path(), None).await;
    webhook.make_folder();
    let nginx = start(dir.path(), &ca, &clients, webhook.port()).await;
    let mut beside = Beside::start(dir.path()).await;
    let url = format!("https://127.0.0.1:{}/hooks/hitwire", nginx.port);
    let with = |client: Option<&Certified>| {
        let mut target = json!({"headers": {"X-Hook-Token": TOKEN}});
        if let Some(client) = client {
            target["client_cert"] = Value::from(client.certificate_pem.clone());
            target["client_key"] = Value::from(client.key_pem.clone());
        }
        target
    };
    let strange = Authority::new("Strange CA").client();
    let mut shut_out = Vec::new();
    for (client, words) in [
        (None, "the receiver wants a client certificate, and the integration has none"),
        (
            Some(&strange),
            "the receiver does not accept the client certificate: it was issued by CN=Strange CA",
        ),
        (
            Some(&clients.expired_client()),
            "the receiver does not accept the client certificate: it expired on 2021-02-03",
        ),
    ] {
        let made = integration::of_hits_at(&beside.server, &url, &ca.pem(), with(client)).await;
        shut_out.push((made.id, words));
    }
    integration::of_hits_at(&beside.server, &url, &ca.pem(), with(Some(&clients.client()))).await;

    beside.post(0..30).await;
    for (id, words) in shut_out {
        let attempt = beside.attempt(id, "nginx to refuse it", |attempt| attempt["status"] == 400).await;
        assert_eq!(attempt["verdict"], "refused");
        let error = attempt["error"].as_str().expect("a reason");
        assert!(error.contains(words), "{error}\nshould say: {words}");
    }
    assert_eq!(webhook.hits(30).await, beside.sent(30).await);
}
