//! A real nginx that wants client certificates (`ssl_verify_client on`).

use super::authority::{Authority, Certified};
use super::support::*;
use hitwire_endpoint::{Pin, Response, Target, client_certificate_refusal, client_identity};
use rcgen::date_time_ymd;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// How often a start is tried: between finding a free port and using it somebody else may take it.
const STARTS: usize = 5;

/// What a server shows and asks for.
struct Setup<'a> {
    cert_pem: &'a str,
    key_pem: &'a str,
    /// Whose certificates clients must show; none: no client needs one.
    clients_pem: Option<String>,
    /// As nginx names them.
    protocols: &'a str,
    http2: bool,
    /// Keys that are not safe any more may serve.
    weak: bool,
}

/// A server of its own, in a folder of its own; ends when dropped.
struct Nginx {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It is one process (`master_process off`); that it has ended already is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> PathBuf {
    let runs = |path: &&str| Command::new(path).arg("-v").stderr(Stdio::null()).status().is_ok();
    // Debian keeps it where users other than root do not look.
    let found = ["nginx", "/usr/sbin/nginx"].into_iter().find(runs);
    PathBuf::from(found.expect(
        "nginx is not installed, and this test needs it: apt-get install nginx (./test does it), then run it again",
    ))
}

impl Nginx {
    /// Accepts clients of this authority; answers with the subject of the client's certificate.
    fn start(server: &Certified, clients: &Authority, protocols: &str, http2: bool) -> Nginx {
        let (cert_pem, key_pem) = (&server.cert_pem, &server.key_pem());
        let clients_pem = Some(clients.pem());
        Nginx::start_as(&Setup { cert_pem, key_pem, clients_pem, protocols, http2, weak: false })
    }

    fn start_as(setup: &Setup<'_>) -> Nginx {
        let program = program();
        let mut said = String::new();
        for _ in 0..STARTS {
            match Nginx::try_start(&program, setup) {
                Ok(nginx) => return nginx,
                Err(why) => said = why,
            }
        }
        panic!("nginx does not start: {said}")
    }

    fn try_start(program: &Path, setup: &Setup<'_>) -> Result<Nginx, String> {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        write("server.pem", setup.cert_pem);
        write("server.key", setup.key_pem);
        let clients = setup.clients_pem.as_ref().map(|clients| {
            write("clients.pem", clients);
            format!("ssl_client_certificate {};\nssl_verify_client on;\n", at("clients.pem"))
        });
        let weak = if setup.weak { "ssl_ciphers DEFAULT:@SECLEVEL=0;\n" } else { "" };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {};\n", at(what)))
            .concat();
        let http2 = if setup.http2 { "http2" } else { "" };
        write(
            "nginx.conf",
            &format!(
                "daemon off;\nmaster_process off;\npid {pid};\nerror_log stderr warn;\nevents {{}}\n\
                 http {{\naccess_log off;\n{temporary}\
                 server {{\nlisten 127.0.0.1:{port} ssl {http2};\nssl_protocols {protocols};\n\
                 ssl_certificate {certificate};\nssl_certificate_key {key};\n\
                 {clients}{weak}\
                 location / {{ return 200 $ssl_client_s_dn; }}\n}}\n}}\n",
                pid = at("pid"),
                certificate = at("server.pem"),
                key = at("server.key"),
                clients = clients.unwrap_or_default(),
                protocols = setup.protocols,
            ),
        );
        let process = Command::new(program)
            .args(["-p", &at(""), "-c", &at("nginx.conf"), "-e", &at("errors")])
            .stderr(std::fs::File::create(at("said")).unwrap())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut nginx = Nginx { process, port, folder };
        loop {
            if let Some(status) = nginx.process.try_wait().unwrap() {
                let said = std::fs::read_to_string(nginx.folder.path().join("said")).unwrap_or_default();
                return Err(format!("{status}: {said}"));
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn target(&self, ca: &Authority, client: Option<&Certified>) -> Target {
        let url = format!("https://{}:{}/in", super::authority::NAME, self.port);
        let mut target = trusting(url, ca.pem());
        if let Some(client) = client {
            let identity = client_identity(&client.cert_pem, Some(&client.key_pem()), None).unwrap();
            target.tls.client_cert_pem = identity.chain_pem;
            target.tls.client_key_pem = Some(identity.key_pem);
        }
        target
    }
}

fn told(response: &Response, target: &Target) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    client_certificate_refusal(response, &target.tls.client_cert_pem, now.as_secs() as i64)
}

#[tokio::test]
async fn nginx_takes_the_right_client_certificate_and_says_of_the_others_what_is_wrong() {
    let (ca, clients) = (Authority::new("Test CA"), Authority::new("Client CA"));
    let right = clients.certify_client();
    let strange = Authority::new("Strange CA").certify_client();
    let expired = clients.certify_client_as(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    });
    let server = ca.certify();
    for (protocols, http2) in [("TLSv1.2", false), ("TLSv1.3", false), ("TLSv1.3", true)] {
        let nginx = Nginx::start(&server, &clients, protocols, http2);
        let sender = sender();
        let target = nginx.target(&ca, Some(&right));
        let response = answered(&sender, &target).await;
        assert_eq!(response.status, 200);
        assert_eq!(String::from_utf8_lossy(&response.body), "CN=receiver.test");
        assert_eq!(told(&response, &target), None);
        for (client, words) in [
            (None, "the receiver wants a client certificate, and the integration has none"),
            (
                Some(&strange),
                "the receiver does not accept the client certificate: it was issued by CN=Strange CA, which the receiver may not trust, or it was revoked",
            ),
            (
                Some(&expired),
                "the receiver does not accept the client certificate: it expired on 2021-02-03 00:00:00 UTC",
            ),
        ] {
            let target = nginx.target(&ca, client);
            let response = answered(&sender, &target).await;
            assert_eq!(response.status, 400, "{protocols} {words}");
            assert_eq!(told(&response, &target).as_deref(), Some(words), "{protocols}");
        }
    }
}

#[tokio::test]
async fn a_pinned_appliance_with_a_short_rsa_key_is_taken_in_tls_1_2() {
    let (cert_pem, key_pem) =
        (include_str!("../certificates/short-rsa.pem"), include_str!("../certificates/short-rsa-key.pem"));
    let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).unwrap();
    let setup =
        Setup { cert_pem, key_pem, clients_pem: None, protocols: "TLSv1.2", http2: false, weak: true };
    let nginx = Nginx::start_as(&setup);
    let mut target = target(format!("https://{}:{}/in", super::authority::NAME, nginx.port));
    target.tls.pins = vec![Pin::of(&der)];
    assert_eq!(answered(&sender(), &target).await.status, 200);
    target.tls.pins = vec![Pin::of(b"another")];
    assert!(words(&sender(), &target).await.contains("is not the one in pin_sha256"));

    let nginx = Nginx::start_as(&Setup { protocols: "TLSv1.3", ..setup });
    target.url = format!("https://{}:{}/in", super::authority::NAME, nginx.port);
    target.tls.pins = vec![Pin::of(&der)];
    let words = words(&sender(), &target).await;
    assert!(words.contains("(RSA, 1024 bits); the receiver needs a key that is RSA of 2048"), "{words}");
    target.tls.pins.clear();
    target.tls.verify = false;
    assert_eq!(answered(&sender(), &target).await.status, 200);
}
