//! Proxies: connections to targets that go through another machine.
//!
//! hitwire resolves and judges the target itself and asks the proxy for the judged address, so that a proxy is no way around the
//! guard. A proxy that the operator trusts to resolve and judge by itself is asked for the name. The proxy's own address is judged
//! like a target's, unless the operator named the proxy. TLS with the target is spoken inside the tunnel, and verified as without
//! a proxy. Proxies of the environment (`HTTP_PROXY` and the like) are not used: whoever sets them may not know of the guard.

mod fault;
mod outbound;
mod settings;
mod tunnel;

pub(crate) use fault::Faulty;
pub use fault::{ProxyFault, ProxyName};
pub use outbound::{NoProxy, Outbound, ProxyAddress, ProxyAddressError, ProxyInUse};
pub use settings::{PROXY_URL_BYTES_MAX, Proxy, ProxyError, ProxySettings};

pub(crate) use outbound::{Proxied, ProxyKey, Route};
pub(crate) use tunnel::{Aim, through};
