//! The certificate of hitwire's own listeners: read at the start, and again when its files change.
//!
//! A renewal replaces two files, one after the other. So files that change are left alone until they have been the same for
//! a whole look; and a pair that does not fit together is refused with a word in the log, while the one before stays.

use crate::config::{Config, TlsFiles};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hitwire_endpoint::{PemText, TlsField, WallClock};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::CertificateDer;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at; only their metadata, so it costs nothing. A renewal counts after two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The largest file that is read: a chain of certificates has some 10 KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Only HTTP/1.1 is spoken: with HTTP/2 one connection carries many requests and may stay open without any, so the bound on
/// connections would bound neither.
const PROTOCOLS: [&[u8]; 1] = [b"http/1.1"];

/// Why a pair of files is no certificate to serve with. The text names the file and says what would do.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What it lacks, or what is wrong with it.
        problem: String,
    },
    /// Certificate and key cannot be used together.
    #[error(
        "{} and {} do not make a certificate to serve with; the certificate's own key is needed (RSA of 2048 to 8192 \
         bits, ECDSA P-256, P-384 or P-521, or Ed25519), and the server's certificate, of X.509 version 3, must come \
         first in the chain",
        cert.display(),
        key.display()
    )]
    Pair {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// In the words of the TLS library, for its developers.
        source: rustls::Error,
    },
}

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsFiles,
    loaded: RwLock<Loaded>,
    looked: Mutex<Looked>,
    /// Held while the files are read: of two who read at the same time the later one must not put the older pair in place.
    reading: Mutex<()>,
}

/// A pair that fits.
#[derive(Clone, Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// When the server's certificate expires, Unix seconds, if it can be read.
    expires_s: Option<i64>,
}

/// What the files looked like.
#[derive(Debug)]
struct Looked {
    /// When they were read.
    read: Stamp,
    /// At the last look.
    last: Stamp,
}

/// Tells whether a pair of files has changed; `None` for a file that is not there.
type Stamp = [Option<(u64, u64, u64, i64, i64)>; 2];

impl Certificate {
    /// Reads the pair.
    pub(crate) fn open(files: TlsFiles) -> Result<Certificate, CertificateError> {
        let stamp = stamp(&files);
        let loaded = load(&files)?;
        Ok(Certificate {
            files,
            loaded: RwLock::new(loaded),
            looked: Mutex::new(Looked { read: stamp, last: stamp }),
            reading: Mutex::default(),
        })
    }

    /// What a new connection is greeted with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner).config))
    }

    /// When it expires, Unix seconds, if that can be read.
    pub(crate) fn expires_s(&self) -> Option<i64> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).expires_s
    }

    /// Reads the pair again, whether it has changed or not.
    pub(crate) fn read_again(&self) {
        let _turn = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.files);
        *self.looked() = Looked { read: stamp, last: stamp };
        match load(&self.files) {
            Ok(loaded) => {
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                tracing::info!(certificate = %self.files.cert.display(), "the API's certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the API's new certificate is not used, the one before stays");
            }
        }
    }

    /// Looks at the files every now and then, until told to stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let certificate = Arc::clone(&self);
            // The files may lie on a file system that answers slowly.
            let looked = tokio::task::spawn_blocking(move || {
                if certificate.has_settled() {
                    certificate.read_again();
                }
            });
            if looked.await.is_err() {
                tracing::error!("looking at the API's certificate failed by a programming error");
            }
        }
    }

    /// The files are others than those that were read, and were so at the last look.
    fn has_settled(&self) -> bool {
        let now = stamp(&self.files);
        let mut looked = self.looked();
        let settled = now != looked.read && now == looked.last;
        looked.last = now;
        settled
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |path: &Path| {
        let of = |file: Metadata| (file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec());
        std::fs::metadata(path).ok().map(of)
    };
    [of(&files.cert), of(&files.key)]
}

fn load(files: &TlsFiles) -> Result<Loaded, CertificateError> {
    let content = |path: &Path, problem: String| CertificateError::Content { path: path.to_owned(), problem };
    let chain = pem_of_file(&files.cert)?.certificates;
    if chain.is_empty() {
        let problem = "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
        return Err(content(&files.cert, problem.to_owned()));
    }
    // The certificate alone: the same file may hold the key as well.
    let expires_s = hitwire_endpoint::describe(&pem_of(&chain[0]), TlsField::ClientCertificate)
        .ok()
        .and_then(|facts| facts.first().map(|facts| facts.not_after));
    let mut text = pem_of_file(&files.key)?;
    let key = match text.keys.len() {
        0 if text.has_encrypted_key => Err(
            "the key is encrypted; hitwire starts without anybody to ask, so it needs the key itself, in a file that \
             only hitwire may read",
        ),
        0 => Err("holds no private key in PEM (-----BEGIN PRIVATE KEY-----)"),
        _ => Ok(text.keys.swap_remove(0)),
    };
    let key = key.map_err(|problem| content(&files.key, problem.to_owned()))?;
    let pair = |source| CertificateError::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
    let mut config =
        ServerConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), Arc::new(WallClock))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(pair)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Loaded { config: Arc::new(config), expires_s })
}

/// A certificate in PEM (RFC 7468).
fn pem_of(certificate: &CertificateDer<'_>) -> String {
    let base64 = STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

fn pem_of_file(path: &Path) -> Result<PemText, CertificateError> {
    let bytes = read(path)?;
    let content = |problem: String| CertificateError::Content { path: path.to_owned(), problem };
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        content("is no text; PEM is needed, which openssl x509 -in FILE writes from DER".to_owned())
    })?;
    PemText::read(text).map_err(|error| content(error.to_string()))
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| CertificateError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let problem = format!("has more than {FILE_BYTES_MAX} bytes: it is neither a certificate nor a key");
        return Err(CertificateError::Content { path: path.to_owned(), problem });
    }
    Ok(bytes)
}

impl Config {
    /// Reads the API's certificate as a start would, if there is one to read.
    ///
    /// # Errors
    ///
    /// When it cannot be used; the text says why.
    pub fn check_certificate(&self) -> Result<(), CertificateError> {
        self.tls().map(Certificate::open).transpose().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        (cert.pem(), signing_key.serialize_pem())
    }

    fn refused(cert: &str, key: &str) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let files = TlsFiles { cert: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        std::fs::write(&files.cert, cert).expect("written");
        std::fs::write(&files.key, key).expect("written");
        Certificate::open(files).expect_err("refused").to_string()
    }

    #[test]
    fn a_pair_that_cannot_serve_is_refused_in_words_that_name_the_file() {
        let ((cert, key), (_, other_key)) = (pair(), pair());
        assert!(refused("", &key).contains("c.pem: holds no certificate"));
        assert!(refused(&key, &key).contains("c.pem: holds no certificate"));
        assert!(refused(&cert, &cert).contains("k.pem: holds no private key"));
        assert!(refused(&cert, &other_key).contains("the certificate's own key is needed"));
        let encrypted = include_str!("../../endpoint/tests/identities/pkcs8-aes256-sha256.pem");
        assert!(refused(&cert, encrypted).contains("k.pem: the key is encrypted"));
        assert!(refused(&"x".repeat(2 << 20), &key).contains("c.pem: has more than"));
    }

    #[test]
    fn files_are_read_as_people_have_them_and_a_block_that_cannot_be_is_named() {
        let (cert, key) = pair();
        let dir = tempfile::tempdir().expect("a directory");
        let files = TlsFiles { cert: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        std::fs::write(&files.cert, format!("\u{feff}{}{}", cert.trim(), pair().0)).expect("written");
        std::fs::write(&files.key, key.replace('\n', "\r\n  ")).expect("written");
        Certificate::open(files).expect("opened");
        let cut = refused(&format!("{cert}{}", &cert[..cert.len() / 2]), &key);
        assert!(cut.contains("c.pem: block 2 has no END line"), "{cut}");
        let words = refused(&cert, &pair().1);
        assert!(!words.contains("KeyMismatch"), "{words}");
    }

    #[test]
    fn when_a_certificate_expires_is_known_also_if_its_file_holds_the_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = TlsFiles { cert: dir.path().join("both.pem"), key: dir.path().join("both.pem") };
        let (cert, key) = pair();
        std::fs::write(&files.cert, format!("{key}{cert}")).expect("written");
        // What rcgen writes unless told otherwise: 4096-01-01.
        let certificate = Certificate::open(files).expect("opened");
        assert_eq!(certificate.expires_s(), Some(67_090_118_400));
    }

    #[test]
    fn files_that_are_being_replaced_are_left_alone_until_they_are_still() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = TlsFiles { cert: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        let (cert, key) = pair();
        std::fs::write(&files.cert, cert).expect("written");
        std::fs::write(&files.key, key).expect("written");
        let certificate = Certificate::open(files.clone()).expect("opened");
        assert!(!certificate.has_settled());
        std::fs::write(&files.cert, "half").expect("written");
        assert!(!certificate.has_settled(), "it has just changed");
        std::fs::write(&files.key, "a whole").expect("written");
        assert!(!certificate.has_settled(), "and again");
        assert!(certificate.has_settled());
        certificate.read_again();
        assert!(!certificate.has_settled(), "it was read, though refused");
    }
}
