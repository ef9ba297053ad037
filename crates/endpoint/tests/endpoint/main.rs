//! The endpoint against real sockets, real TLS and real HTTP servers, all on the loopback interface.

mod addresses;
mod answers;
mod authority;
mod bodies;
mod client_certificates;
mod connections;
mod dialling;
mod fetching;
mod heads;
mod http2;
mod nginx;
mod proxies;
mod proxy_server;
mod receiver;
mod requests;
mod resumption;
mod support;
mod timeouts;
mod tls;
mod trust;
mod versions;
