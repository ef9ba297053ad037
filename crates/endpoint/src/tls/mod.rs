//! TLS: whom an integration trusts, as whom it appears, and what went wrong, in words.
//!
//! - [`TlsIdentity`]: the settings of an integration; [`TlsIdentity::check`] tells its user what is wrong with them.
//! - [`client_identity`]: a client's certificate and key as people have them (PEM, encrypted, PKCS#12) into what is kept.
//! - [`Pin`]: a certificate known by its fingerprint; [`describe`]: certificates told to people.
//! - `Configs`: identities made ready for the TLS library, kept for the next connection.
//! - `resume`: sessions kept to be resumed.
//! - `verify`: the judges of a server's certificate: public roots or the user's CA; pins; or (verification off) none.
//! - `private_ca`: their second opinion on certificates of private CAs; `proof`: the signature of the handshake.
//! - `certificate`: what the words need of a certificate; `outline`, `key`: its parts, read without judging it.
//! - `pem`: PEM text as people have it, in which every block counts.
//! - `client_auth`: whether a receiver asked for a client certificate, which its words leave out.
//! - [`TlsProblem`], [`CertificateProblem`]: why no TLS connection came about; [`client_certificate_refusal`]: why an
//!   answer over one says that the client certificate is not accepted.

mod alert;
mod bounds;
mod certificate;
mod certificate_problem;
mod class;
mod client;
mod client_auth;
mod config_error;
mod configs;
mod der;
mod facts;
mod identity;
mod key;
mod names;
mod outline;
mod pair;
mod pem;
mod pin;
mod private_ca;
mod problem;
mod proof;
mod resume;
mod verify;

pub use bounds::PASSWORD_BYTES_MAX;
pub use certificate_problem::CertificateProblem;
pub use class::TlsClass;
pub use client::{ClientIdentity, client_identity};
pub(crate) use client_auth::ClientAuth;
pub use client_auth::client_certificate_refusal;
pub use config_error::{Field as TlsField, TlsConfigError};
pub(crate) use configs::Configs;
pub use facts::{CertificateFacts, Validity, WARN_BEFORE_EXPIRY_S, describe};
pub(crate) use identity::Fingerprint;
pub use identity::TlsIdentity;
pub use pem::{PEM_BYTES_MAX, PemError, PemFault, PemText};
pub use pin::{PINS_MAX, Pin, PinError};
pub(crate) use problem::tls_error;
pub use problem::{TlsProblem, WhyRefused};
pub(crate) use resume::Handshake;
