//! Where hitwire listens, and whether what it says there is encrypted.

use super::{Config, ConfigError};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those between it and the root.
    pub cert: PathBuf,
    /// The private key, not encrypted.
    pub key: PathBuf,
}

impl Config {
    /// The certificate to serve with; none: the API is spoken in clear.
    pub fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles { cert: self.tls_cert.clone()?, key: self.tls_key.clone()? })
    }

    pub(super) fn check_serving(&self) -> Result<(), ConfigError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => {
                return Err(ConfigError::new(
                    "tls_key",
                    "is needed with tls_cert: the certificate's private key",
                ));
            }
            (None, Some(_)) => {
                return Err(ConfigError::new("tls_cert", "is needed with tls_key: the certificate, in PEM"));
            }
            _ => {}
        }
        self.check_address("listen", self.listen, "the API would carry tokens in clear")?;
        self.metrics_listen.map_or(Ok(()), |addr| {
            if addr == self.listen && addr.port() != 0 {
                let problem = format!("{addr} is where the API listens; give metrics another port");
                return Err(ConfigError::new("metrics_listen", problem));
            }
            self.check_address("metrics_listen", addr, "metrics would be told in clear")
        })
    }

    fn check_address(&self, setting: &str, addr: SocketAddr, why: &str) -> Result<(), ConfigError> {
        let is_safe = addr.ip().to_canonical().is_loopback() || self.tls().is_some();
        if is_safe || self.allow_plain_http_api {
            return Ok(());
        }
        let problem = format!(
            "{addr} is reachable from other machines, and {why}; give it a certificate with --tls-cert and --tls-key, listen \
             on a loopback address behind a proxy that adds TLS, or accept it with --allow-plain-http-api"
        );
        Err(ConfigError::new(setting, problem))
    }
}
