//! TLS: whom an integration trusts, as whom it appears, and what went wrong, in words.
//!
//! - [`TlsIdentity`]: the settings of an integration; [`TlsIdentity::check`] tells its user what is wrong with them.
//! - `Configs`: identities made ready for the TLS library, kept for the next connection.
//! - `verify`: the two judges of a server's certificate: public roots or the user's CA, or (verification off) none.
//! - `certificate`: the little of a certificate that the words need.
//! - [`TlsProblem`], [`CertificateProblem`]: why no TLS connection came about.

mod certificate;
mod configs;
mod identity;
mod problem;
mod verify;

pub(crate) use configs::Configs;
pub(crate) use identity::Fingerprint;
pub use identity::{PEM_BYTES_MAX, TlsConfigError, TlsIdentity};
pub(crate) use problem::tls_error;
pub use problem::{CertificateProblem, TlsProblem};
