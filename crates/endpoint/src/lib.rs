//! One HTTP request done right.
//!
//! The cast:
//!
//! - [`Guard`]: says which URLs may be set up and which addresses may be dialled. It is the only way to dial.
//! - [`Resolver`]: names into addresses; the system's, or a fixed table for tests and simulations.
//! - `connector`: resolves, has every address judged, connects to a judged address, shakes hands.
//! - [`TlsIdentity`]: whom an integration trusts, and as whom it appears.
//! - [`Outbound`], `proxy`: through which proxy connections leave, and from which address.
//! - `descriptors`: whether a failure is hitwire's own want of file descriptors.
//! - `pool`: idle connections, kept for a minute; never shared between clients or TLS identities.
//! - `memory`: what is remembered of places for a while: addresses that failed, receivers that want HTTP/1.1.
//! - `spelling`, `head`: header names out as the user wrote them, heads of answers in as curl takes them.
//! - [`sign`]: Standard Webhooks signatures.
//! - [`Sender`]: sends one [`Message`] to one [`Target`] and says what became of it ([`Sent`]): a [`Response`], or a
//!   [`SendError`] whose words name the cause for the integration's user, without secrets. An answer counts from the moment
//!   its headers are complete; what is wrong with its body is noted ([`Incomplete`]).
//! - [`Fetch`]: a request that is no delivery, such as what sign-in asks an OpenID provider; on the same guarded way.
//!
//! The way of a request:
//!
//! ```text
//! Target + Message  ->  headers, signature  ->  pool, or: resolve -> judge -> connect -> TLS  ->  HTTP  ->  Sent
//!                                                    (or: resolve -> judge -> proxy -> TLS  ->  HTTP)
//! ```
//!
//! What always holds:
//!
//! 1. Only an address that the guard has judged is dialled, or asked of a proxy; a name of which one address is bad is refused as
//!    a whole. The operator alone can name a proxy that resolves and judges by itself.
//! 2. Redirects are not followed, proxies of the environment not used, responses not decompressed.
//! 3. `send` ends within `open_timeout` and `timeout` together, reads a body for at most 5 s, and keeps at most
//!    [`RESPONSE_BYTES_MAX`] of it. Only if a kept connection turns out dead, or the receiver asks for HTTP/1.1, the time until
//!    then comes before.
//! 4. No error's words contain a header's value, a key, a signing secret, or a URL's path or query.
//!
//! What this crate deliberately does not do: decide when to send again (courier), or know batches and logs.

mod body;
mod connection;
mod connector;
mod descriptors;
mod error;
mod guard;
mod head;
mod headers;
mod memory;
mod pool;
mod proxy;
mod resolve;
mod response;
mod send;
pub mod sign;
mod spelling;
mod stream;
mod target;
mod tls;
mod transport;
mod wall_clock;

pub use body::Incomplete;
pub use error::{Phase, SendError};
pub use guard::{
    Guard, Refusal, Rule, SpellingError, URL_BYTES_MAX, UrlError, check_url_spelling, is_public,
};
pub use headers::{
    HEADER_BYTES_MAX, HEADERS_BYTES_MAX, HeaderError, RequestError, USER_AGENT_VALUE, WEBHOOK_ID,
    WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, check_headers, request_headers,
};
pub use proxy::{
    NoProxy, Outbound, PROXY_URL_BYTES_MAX, Proxy, ProxyAddress, ProxyAddressError, ProxyError, ProxyFault,
    ProxyInUse, ProxyName, ProxySettings,
};
pub use resolve::{Answer, Resolver};
pub use response::{RESPONSE_BYTES_MAX, RESPONSE_HEADER_BYTES_MAX, RESPONSE_HEADERS_MAX, Response};
pub use send::{Cause, Fetch, Sender, Sent, Timings};
pub use target::{HttpVersion, KeyPem, Message, Method, Repeat, Target};
pub use tls::{
    CertificateFacts, CertificateProblem, ClientIdentity, PASSWORD_BYTES_MAX, PEM_BYTES_MAX, PINS_MAX,
    PemError, PemFault, PemText, Pin, PinError, TlsClass, TlsConfigError, TlsField, TlsIdentity, TlsProblem,
    Validity, WARN_BEFORE_EXPIRY_S, WhyRefused, client_certificate_refusal, client_identity, describe,
};
pub use wall_clock::WallClock;
