//! Client certificates in the handshake: showing ours, and knowing whether it was asked for.
//!
//! A receiver that wants a client certificate, or another one, often says no more than "handshake failure", or nothing.
//! What it meant follows from whether it had asked for one and what it got.

use super::config_error::Field;
use super::facts::{self, CertificateFacts, Validity};
use super::problem::TlsProblem;
use crate::response::Response;
use jiff::Timestamp;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use std::cell::Cell;
use std::sync::Arc;

tokio::task_local! {
    /// The handshake that this task carries on has been asked for a client certificate.
    static ASKED: Cell<bool>;
}

/// What a handshake has had to do with client certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientAuth {
    /// The receiver asked for a certificate. It does not when it resumes a session.
    pub(crate) asked: bool,
    /// There is one to show.
    pub(crate) own: bool,
}

impl ClientAuth {
    /// Carries a handshake on to its end, and says whether the receiver asked. `own`: there is a certificate to show.
    pub(crate) async fn watch<T>(own: bool, handshake: impl Future<Output = T>) -> (T, ClientAuth) {
        ASKED
            .scope(Cell::new(false), async {
                let outcome = handshake.await;
                (outcome, ClientAuth { asked: ASKED.with(Cell::get), own })
            })
            .await
    }
}

/// Shows the client's certificate, if there is one, to whoever asks, and notes that it was asked for.
#[derive(Debug)]
pub(super) struct Shown(Option<Arc<CertifiedKey>>);

impl Shown {
    pub(super) fn new(client: Option<CertifiedKey>) -> Shown {
        Shown(client.map(Arc::new))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // The library calls this within the handshake's task. Elsewhere nobody wants to know.
        let _ = ASKED.try_with(|asked| asked.set(true));
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// What an answer says about the client certificate, if it is about that: nginx finishes the handshake first and then
/// answers 400 with a page of its own. It tells apart whether it got a certificate, not why it did not accept it; what our
/// own (`client_cert_pem`; empty: there is none) says at this moment (Unix seconds) fills that in.
pub fn client_certificate_refusal(response: &Response, client_cert_pem: &str, now_s: i64) -> Option<String> {
    /// nginx's pages are short; what comes later is somebody's content.
    const LOOKED_AT_BYTES: usize = 1024;
    // 495 and 496 are nginx's own numbers for the two; it answers 400 unless it is set up to show them.
    if !matches!(response.status, 400 | 495 | 496) {
        return None;
    }
    let page = &response.body[..response.body.len().min(LOOKED_AT_BYTES)];
    let says = |words: &str| page.windows(words.len()).any(|at| at.eq_ignore_ascii_case(words.as_bytes()));
    let own = facts::describe(client_cert_pem, Field::ClientCertificate).unwrap_or_default();
    let own = own.first();
    if says("No required SSL certificate was sent") {
        return Some(match own {
            None => TlsProblem::ClientCertificateMissing { alert: None }.to_string(),
            Some(own) => format!(
                "the receiver says that it got no client certificate; the integration has one ({})",
                own.subject
            ),
        });
    }
    says("The SSL certificate error").then(|| not_accepted(own, now_s))
}

fn not_accepted(own: Option<&CertificateFacts>, now_s: i64) -> String {
    let day = |at: i64| {
        Timestamp::from_second(at).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    };
    let why = match own.map(|own| (own, own.validity(now_s))) {
        Some((own, Validity::Expired)) => format!("it expired on {}", day(own.not_after)),
        Some((own, Validity::NotYet)) => format!("it is not valid before {}", day(own.not_before)),
        Some((own, _)) => {
            format!("it was issued by {}, which the receiver may not trust, or it was revoked", own.issuer)
        }
        None => "it may not trust its issuer".to_owned(),
    };
    format!("the receiver does not accept the client certificate: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            retry_after: None,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            truncated: false,
            incomplete: None,
        }
    }

    fn page(words: &str) -> String {
        format!(
            "<html>\r\n<head><title>400 {words}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>{words}</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        )
    }

    fn certificate(years: std::ops::Range<i32>) -> String {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Client");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    /// 2026-11-25
    const NOW_S: i64 = 1_795_600_000;

    #[test]
    fn nginx_pages_are_told_in_words_that_name_the_likely_cause() {
        let (none, valid) = (String::new(), certificate(2020..2040));
        for (words, own, expected) in [
            (
                "No required SSL certificate was sent",
                &none,
                "wants a client certificate, and the integration has none",
            ),
            (
                "No required SSL certificate was sent",
                &valid,
                "got no client certificate; the integration has one (CN=Client)",
            ),
            (
                "The SSL certificate error",
                &valid,
                "it was issued by CN=Client, which the receiver may not trust",
            ),
            ("The SSL certificate error", &certificate(2020..2021), "it expired on 2021-01-01"),
            ("The SSL certificate error", &certificate(2030..2031), "it is not valid before 2030-01-01"),
            ("The SSL certificate error", &none, "it may not trust its issuer"),
        ] {
            for status in [400, 495] {
                let told = client_certificate_refusal(&response(status, &page(words)), own, NOW_S).unwrap();
                assert!(told.contains(expected), "{told}");
            }
        }
    }

    #[test]
    fn other_answers_say_nothing_about_client_certificates() {
        for (status, body) in [
            (400, page("Bad Request")),
            (400, String::new()),
            (200, page("No required SSL certificate was sent")),
            (403, page("The SSL certificate error")),
            (400, format!("{}{}", " ".repeat(2000), page("The SSL certificate error"))),
        ] {
            assert_eq!(
                client_certificate_refusal(&response(status, &body), "", NOW_S),
                None,
                "{status} {body}"
            );
        }
    }
}
