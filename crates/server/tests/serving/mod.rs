//! What listens: hitwire's own TLS.

mod tls;
