//! Certificates of private CAs and of appliances, as people make them: `tests/certificates/make` made these with OpenSSL.

use super::authority::NAME;
use super::receiver::{Receiver, ok, write};
use super::support::*;
use hitwire_endpoint::{Pin, Target, client_identity};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt as _;

macro_rules! made {
    ($name:literal) => {
        include_str!(concat!("../certificates/", $name, ".pem"))
    };
}

const PLAIN_CA: &str = made!("plain-ca");

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Shows a certificate without looking at it, as servers do.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shown = Arc::new(Shown(Arc::new(CertifiedKey::new(chain, key))));
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    builder.with_no_client_auth().with_cert_resolver(shown)
}

fn key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(made!("key").as_bytes()).unwrap()
}

/// What becomes of a request to a receiver with these certificates, in both versions of TLS; `name` is dialled.
async fn outcome(chain: &[&str], name: &str, change: impl Fn(&mut Target)) -> Result<u16, String> {
    let mut outcomes = Vec::new();
    for version in [&TLS12, &TLS13] {
        let chain = chain.iter().map(|pem| der(pem)).collect();
        let receiver = Receiver::https(server(chain, key(), version), ok).await;
        let mut target = target(format!("https://{name}:{}/{SECRET}", receiver.address.port()));
        change(&mut target);
        target.tls.check().unwrap();
        let outcome = send(&sender(), &target).await.outcome;
        let address = " (an internal address)";
        outcomes.push(match outcome {
            Ok(response) => Ok(response.status),
            Err(error) => Err(error.to_string().strip_suffix(address).unwrap().to_owned()),
        });
    }
    assert_eq!(outcomes[0], outcomes[1], "TLS 1.2 and 1.3");
    outcomes.remove(0)
}

async fn with_ca(chain: &[&str], ca: &str) -> Result<u16, String> {
    outcome(chain, NAME, |target| ca.clone_into(&mut target.tls.ca_pem)).await
}

/// No type of a library, no list of numbers.
fn assert_plain(words: &str) {
    let is_of_a_library = |word: &str| {
        let inner = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        inner.starts_with(|letter: char| letter.is_ascii_uppercase())
            && inner.chars().skip(1).any(|letter| letter.is_ascii_lowercase())
            && inner.chars().skip(2).any(|letter| letter.is_ascii_uppercase())
    };
    assert!(!words.contains(['{', '[']) && !words.split_whitespace().any(is_of_a_library), "{words}");
}

#[tokio::test]
async fn certificates_of_private_cas_as_people_make_them_are_taken() {
    for (certificate, ca) in [
        (made!("p384-sha512"), made!("p384-sha512-ca")),
        (made!("p521"), made!("p521-ca")),
        (made!("p521-sha256"), made!("p521-ca")),
        (made!("marked-as-ca"), PLAIN_CA),
        (made!("critical-policies"), PLAIN_CA),
        // The very certificate, pasted.
        (made!("marked-as-ca"), made!("marked-as-ca")),
        (made!("critical-unknown"), made!("critical-unknown")),
        (made!("self-signed-common-name"), made!("self-signed-common-name")),
        (made!("self-signed-critical-unknown"), made!("self-signed-critical-unknown")),
        (made!("self-signed-version-1"), made!("self-signed-version-1")),
        (made!("version-1"), made!("version-1")),
    ] {
        let ca = format!("{}{ca}", made!("brainpool-ca"));
        assert_eq!(with_ca(&[certificate], &ca).await, Ok(200), "{certificate}");
    }
}

#[tokio::test]
async fn certificates_that_are_not_taken_are_refused_in_words_that_name_a_way_out() {
    for (chain, ca, expected) in [
        (
            &[made!("critical-unknown")][..],
            PLAIN_CA,
            "a critical extension that hitwire does not evaluate (1.2.3.4.5)",
        ),
        (&[made!("other-purpose")], PLAIN_CA, "is not for servers"),
        (&[made!("other-name")], PLAIN_CA, "is not valid for receiver.test, but for a.example"),
        (&[made!("common-name")], PLAIN_CA, "it has no subjectAltName, the only place where names count"),
        (&[made!("version-1")], PLAIN_CA, "it has no subjectAltName, the only place where names count"),
        (&[made!("marked-as-ca-below"), made!("between-ca")], PLAIN_CA, "is marked as that of a CA"),
        (&[made!("constrained")], made!("constrained-ca"), "must not issue for this name (name constraints)"),
        (&[made!("sha1")], made!("sha1-ca"), "is signed by SHA-1 with RSA, which hitwire does not accept"),
        (
            &[made!("rsa1024")],
            made!("rsa1024-ca"),
            "the key of the CA \"rsa1024 CA\" is not one that hitwire verifies certificates with (RSA, 1024 bits)",
        ),
        (&[made!("brainpool")], made!("brainpool-ca"), "(ECDSA, brainpoolP256r1)"),
    ] {
        let words = with_ca(chain, ca).await.unwrap_err();
        assert!(words.contains(expected), "{words}\nexpected: {expected}");
        let says_what_to_do = ["pin_sha256", "is missing", "but for"].iter().any(|way| words.contains(way));
        assert!(says_what_to_do, "{words}");
        assert_plain(&words);
    }
}

#[tokio::test]
async fn an_address_among_the_dns_names_is_told_as_such() {
    let words =
        outcome(&[made!("ip-as-dns")], "127.0.0.1", |target| PLAIN_CA.clone_into(&mut target.tls.ca_pem))
            .await;
    assert_eq!(
        words.unwrap_err(),
        "the receiver's certificate names 127.0.0.1 as a DNS name, which does not count for an IP address; issue it again with subjectAltName=IP:127.0.0.1, or pin it with pin_sha256"
    );
}

#[tokio::test]
async fn a_certificate_below_a_ca_of_the_same_name_and_another_key_is_told_as_such() {
    let other = {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = super::authority::named("plain CA");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    };
    for certificate in [made!("common-name"), made!("marked-as-ca"), made!("critical-policies")] {
        let words = with_ca(&[certificate], &other).await.unwrap_err();
        assert!(
            words.contains("pin_sha256") || words.contains("has another key than the one that signed it"),
            "{words}"
        );
        assert_plain(&words);
    }
    let words = with_ca(&[made!("common-name")], &other).await.unwrap_err();
    assert!(
        words.contains("names \"plain CA\" as its issuer, but the CA certificate of that name"),
        "{words}"
    );
}

/// A value in DER, its length written in four bytes, as no strict reader takes it.
fn wordy(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let mut der = vec![tag, 0x84];
    der.extend((contents.len() as u32).to_be_bytes());
    der.extend(contents);
    der
}

/// A certificate that keeps no rule but to be a certificate: no version, or one that does not exist; a negative serial
/// number, no names, a validity that is not a time, and a signature that no key made.
fn lawless(key: &KeyPair, version: Option<u8>) -> CertificateDer<'static> {
    let version = version.map_or(Vec::new(), |version| wordy(0xa0, &[&[2, 1, version]]));
    let algorithm = wordy(0x30, &[&[6, 3, 0x2a, 3, 4]]);
    let name = wordy(0x30, &[]);
    let validity = wordy(0x30, &[&wordy(0x0c, &[b"for ever"])]);
    let info = key.subject_public_key_info();
    let signed = wordy(0x30, &[&version, &wordy(2, &[&[0x80]]), &algorithm, &name, &validity, &name, &info]);
    wordy(0x30, &[&signed, &algorithm, &wordy(3, &[&[0, 1, 2, 3]])]).into()
}

#[tokio::test]
async fn a_pin_asks_for_the_pin_alone_and_verification_off_for_nothing() {
    let own = KeyPair::from_pem(made!("key")).unwrap();
    let made: Vec<CertificateDer<'static>> = [None, Some(0), Some(1), Some(2), Some(7)]
        .into_iter()
        .map(|version| lawless(&own, version))
        .chain(
            [
                made!("version-1"),
                made!("self-signed-version-1"),
                made!("self-signed-critical-unknown"),
                made!("critical-policies"),
                made!("sha1"),
            ]
            .map(der),
        )
        .collect();
    for certificate in made {
        for version in [&TLS12, &TLS13] {
            let receiver = Receiver::https(server(vec![certificate.clone()], key(), version), ok).await;
            let mut pinned = target(receiver.https_url());
            pinned.tls.pins = vec![Pin::of(&certificate)];
            assert_eq!(
                answered(&sender(), &pinned).await.status,
                200,
                "pinned, {version:?}: {certificate:?}"
            );
            let mut unverified = target(receiver.https_url());
            unverified.tls.verify = false;
            assert_eq!(answered(&sender(), &unverified).await.status, 200, "unverified, {version:?}");
            let mut strict = trusting(receiver.https_url(), PLAIN_CA);
            strict.tls.pins = vec![Pin::of(b"another")];
            assert!(words(&sender(), &strict).await.contains("is not the one in pin_sha256"));
        }
    }
}

#[tokio::test]
async fn a_pinned_certificate_still_needs_its_key() {
    let own = KeyPair::from_pem(made!("key")).unwrap();
    let certificate = lawless(&own, None);
    let other = PrivateKeyDer::try_from(KeyPair::generate().unwrap().serialize_der()).unwrap();
    for version in [&TLS12, &TLS13] {
        let receiver =
            Receiver::https(server(vec![certificate.clone()], other.clone_key(), version), ok).await;
        let mut pinned = target(receiver.https_url());
        pinned.tls.pins = vec![Pin::of(&certificate)];
        let words = words(&sender(), &pinned).await;
        assert!(
            words.starts_with("the receiver did not prove that it has the key of its certificate"),
            "{words}"
        );
    }
}

/// Takes every client certificate, and notes it.
#[derive(Debug)]
struct Noting(WebPkiSupportedAlgorithms, Mutex<Vec<CertificateDer<'static>>>);

impl ClientCertVerifier for Noting {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.1.lock().unwrap().push(certificate.clone().into_owned());
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[tokio::test]
async fn a_client_certificate_of_version_1_is_shown_if_the_key_is_its_own() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    for version in [&TLS12, &TLS13] {
        for (certificate, key) in [
            (made!("version-1"), made!("key")),
            (made!("version-1"), made!("sec1-with-parameters")),
            (made!("rsa-client"), made!("rsa-pkcs1")),
            (made!("p521-client"), made!("p521-key")),
        ] {
            let noting = Arc::new(Noting(provider.signature_verification_algorithms, Mutex::default()));
            let builder = ServerConfig::builder_with_provider(provider.clone());
            let builder = builder.with_protocol_versions(&[version]).unwrap();
            let config = builder.with_client_cert_verifier(noting.clone());
            let config = config.with_single_cert(vec![der(made!("p521"))], self::key()).unwrap();
            let receiver = Receiver::https(config, ok).await;
            let identity = client_identity(certificate, Some(key), None).unwrap();
            let mut target = target(receiver.https_url());
            target.tls.verify = false;
            target.tls.client_cert_pem = identity.chain_pem;
            target.tls.client_key_pem = Some(identity.key_pem);
            target.tls.check().unwrap();
            assert_eq!(answered(&sender(), &target).await.status, 200, "{version:?}");
            assert_eq!(*noting.1.lock().unwrap(), [der(certificate)]);
        }
    }
    let words = client_identity(made!("version-1"), Some(made!("p521-key")), None).unwrap_err().to_string();
    assert_eq!(words, "client_key does not belong to the certificate in client_cert");
}

/// Servers that do not speak TLS, or not as it is spoken today.
#[tokio::test]
async fn whatever_a_server_says_instead_of_tls_is_told_in_plain_words() {
    for (said, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak TLS on this port"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak TLS on this port"),
        (b"220 mail.example ESMTP\r\n", "does not speak TLS on this port"),
        (&[0x80, 3, 0, 0, 1], "does not speak TLS on this port"),
        (
            &[0x15, 3, 0, 0, 2, 2, 40],
            "refused the TLS handshake (handshake_failure): it found no TLS version",
        ),
        (&[0x15, 3, 1, 0, 2, 2, 70], "offers nothing that hitwire accepts"),
        (&[0x15, 3, 3, 0, 2, 2, 80], "refused the TLS handshake (internal_error): it failed by itself"),
        (&[0x15, 3, 3, 0, 2, 2, 112], "(unrecognized_name): it does not serve the host name"),
        (&[0x15, 3, 3, 0, 2, 2, 99], "refused the TLS handshake (alert 99)"),
        (&[0x17, 3, 3, 0, 1, 0], "the TLS handshake failed: the receiver"),
        (&[0x16, 3, 3, 0, 4, 1, 0, 0, 0], "the TLS handshake failed: the receiver"),
        (&[0x16, 3, 3, 0xff, 0xff, 1], "the TLS handshake failed: the receiver"),
        (&[0x16, 3, 3, 0, 6, 2, 0, 0, 2, 3, 0], "the TLS handshake failed: the receiver"),
        (b"", "the connection was closed during the TLS handshake"),
    ] {
        let receiver = Receiver::talking(None, move |mut wire, _| async move {
            let _ = wire.read(&mut [0; 4096]).await;
            write(&mut wire, said).await;
        })
        .await;
        let error = words(&sender(), &target(receiver.https_url())).await;
        assert!(error.contains(expected), "{error}\nexpected: {expected}");
        assert_plain(&error);
    }
}

/// A ServerHello of TLS 1.1 (RFC 4346, 7.4.1.3).
#[tokio::test]
async fn an_old_version_of_tls_is_told_in_plain_words() {
    let mut hello = vec![2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    let mut record = vec![0x16, 3, 2, 0, hello.len() as u8];
    record.extend(hello);
    let receiver = Receiver::talking(None, move |mut wire, _| {
        let record = record.clone();
        async move {
            let _ = wire.read(&mut [0; 4096]).await;
            write(&mut wire, record).await;
        }
    })
    .await;
    let error = words(&sender(), &target(receiver.https_url())).await;
    assert!(
        error.contains("TLS 1.2 or 1.3 with forward secrecy is needed (it speaks another version"),
        "{error}"
    );
    assert_plain(&error);
}

/// Something in between that breaks into a connection, or a server that falls out of TLS.
#[tokio::test]
async fn what_is_not_tls_any_more_in_a_running_connection_is_told_in_plain_words() {
    for version in [&TLS12, &TLS13] {
        let config = server(vec![der(made!("version-1"))], key(), version);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut target = target(format!("https://{}/{SECRET}", listener.local_addr().unwrap()));
        target.tls.verify = false;
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let mut plain: super::receiver::Wire = Box::new(stream.into_inner().0);
            write(&mut plain, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = plain.read_to_end(&mut Vec::new()).await;
        });
        let error = words(&sender(), &target).await;
        assert!(error.starts_with("the receiver does not speak TLS on this port"), "{error}");
        assert_plain(&error);
        serving.abort();
    }
}
