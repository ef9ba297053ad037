//! The listener's own certificate authority: whoever trusts its certificate can verify the listener.
//!
//! Kept in a directory it survives restarts, so that an integration which was given the certificate once goes on
//! working. The server certificate is made anew at each start and never written down.

use jiff::ToSpan;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file with the authority's certificate.
pub const CERTIFICATE_FILE: &str = "ca.pem";

/// The file with the authority's key, mode 0600.
pub const KEY_FILE: &str = "ca.key";

/// Days that the authority's certificate is good for, ten years: long enough to forget about it.
const AUTHORITY_DAYS: i64 = 3_652;

/// Days that a server certificate is good for: longer ones are refused by some clients (CA/Browser Forum, 398 days).
const SERVER_DAYS: i64 = 397;

/// A certificate authority whose only purpose is one listener.
#[derive(Debug)]
pub struct Authority {
    key: KeyPair,
    certificate_pem: String,
}

/// Why there is no authority. The text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The directory or a file in it.
    #[error("the certificate authority cannot be kept in {}: {source}; choose another directory with --dir", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could take the key and sign for any name.
    #[error("{} can be read by other users (mode {mode:03o}); anybody with this key can impersonate the listener: delete the directory and start again", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file holds something else.
    #[error("{} does not hold a private key in PEM ({source}); delete it and start again", path.display())]
    KeyUnreadable {
        /// The key file.
        path: PathBuf,
        /// What the parser said.
        source: rcgen::Error,
    },
    /// A name that cannot stand in a certificate.
    #[error("no certificate can be made for {names:?}: {source}")]
    Certificate {
        /// The names asked for.
        names: Vec<String>,
        /// What the generator said.
        source: rcgen::Error,
    },
    /// The certificate cannot be served.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Authority {
    /// A new authority that nobody else knows, gone when the process ends.
    pub fn in_memory() -> Result<Self, AuthorityError> {
        let key = new_key()?;
        let certificate_pem = self_signed(&key)?;
        Ok(Authority { key, certificate_pem })
    }

    /// The authority kept in `dir`; made at the first time.
    pub fn kept_in(dir: &Path) -> Result<Self, AuthorityError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| AuthorityError::File { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let key_file = dir.join(KEY_FILE);
        if !key_file.try_exists().map_err(at(&key_file))? {
            create_whole(&key_file, new_key()?.serialize_pem().as_bytes(), 0o600).map_err(at(&key_file))?;
        }
        let mode = fs::metadata(&key_file).map_err(at(&key_file))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(AuthorityError::KeyExposed { path: key_file, mode });
        }
        let key_pem = fs::read_to_string(&key_file).map_err(at(&key_file))?;
        let key = KeyPair::from_pem(&key_pem)
            .map_err(|source| AuthorityError::KeyUnreadable { path: key_file, source })?;
        let certificate_file = dir.join(CERTIFICATE_FILE);
        if !certificate_file.try_exists().map_err(at(&certificate_file))? {
            create_whole(&certificate_file, self_signed(&key)?.as_bytes(), 0o644)
                .map_err(at(&certificate_file))?;
        }
        let certificate_pem = fs::read_to_string(&certificate_file).map_err(at(&certificate_file))?;
        Ok(Authority { key, certificate_pem })
    }

    /// The authority's certificate, PEM: what an integration takes as `target.ca_file`.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A TLS server that proves to be any of `names` (DNS names, IP addresses), and offers HTTP/2 and HTTP/1.1.
    pub fn server_config(&self, names: &[String]) -> Result<ServerConfig, AuthorityError> {
        let failed = |source| AuthorityError::Certificate { names: names.to_vec(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = named("hitwire listen");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid_from_yesterday(&mut params, SERVER_DAYS);
        let authority = authority_params();
        let certificate =
            params.signed_by(&key, &Issuer::from_params(&authority, &self.key)).map_err(failed)?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn new_key() -> Result<KeyPair, AuthorityError> {
    KeyPair::generate().map_err(|source| AuthorityError::Certificate { names: Vec::new(), source })
}

fn self_signed(key: &KeyPair) -> Result<String, AuthorityError> {
    let certificate = authority_params()
        .self_signed(key)
        .map_err(|source| AuthorityError::Certificate { names: Vec::new(), source })?;
    Ok(certificate.pem())
}

/// The same at every start, but for the dates: with the same key it is the same issuer, so that the certificate on
/// disk verifies what is signed today.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("hitwire listen CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_from_yesterday(&mut params, AUTHORITY_DAYS);
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Yesterday, so that a client whose clock is a little behind accepts it too.
fn valid_from_yesterday(params: &mut CertificateParams, days: i64) {
    let midnight = |date: jiff::civil::Date| {
        date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let yesterday = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().saturating_sub(1.day());
    params.not_before = midnight(yesterday);
    params.not_after = midnight(yesterday.saturating_add(days.days()));
}

/// Creates a file with all of its content or not at all; a file that another process made meanwhile is left alone.
fn create_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&unfinished);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_kept_in_a_directory_is_the_same_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let first = Authority::kept_in(&dir.path().join("kept")).unwrap();
        let second = Authority::kept_in(&dir.path().join("kept")).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(first.key.serialize_der(), second.key.serialize_der());
    }

    #[test]
    fn only_the_owner_can_read_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("kept");
        Authority::kept_in(&kept).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&kept), 0o700);
        assert_eq!(mode(&kept.join(KEY_FILE)), 0o600);
        let left: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "something else was left behind: {left:?}");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Authority::kept_in(dir.path()).unwrap();
        fs::set_permissions(dir.path().join(KEY_FILE), fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Authority::kept_in(dir.path()).unwrap_err();
        assert!(matches!(refused, AuthorityError::KeyExposed { mode: 0o644, .. }), "{refused}");
    }

    #[test]
    fn a_key_file_that_holds_something_else_is_named() {
        let dir = tempfile::tempdir().unwrap();
        create_whole(&dir.path().join(KEY_FILE), b"not a key", 0o600).unwrap();
        let refused = Authority::kept_in(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("ca.key does not hold a private key"), "{refused}");
    }
}
