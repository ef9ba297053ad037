//! Who holds a share.

use hitwire_event::ClientId;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Who holds a share of something: a client, or an address from which somebody comes who is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A client (tenant), with all of its users and tokens.
    Client(ClientId),
    /// A network address, as [`network`] gives it.
    Address(IpAddr),
}

impl Holder {
    /// The holder for an address of which nothing else is known.
    pub fn address(address: IpAddr) -> Self {
        Holder::Address(network(address))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Client(client) => write!(f, "client {client}"),
            Holder::Address(IpAddr::V6(address)) => write!(f, "address {address}/64"),
            Holder::Address(address) => write!(f, "address {address}"),
        }
    }
}

/// The part of an address that stands for one party: an IPv4 address as it is (also when it is written as IPv6), of an IPv6
/// address the first 64 bits, since who has one commonly has the 2^64 that begin with the same half.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_holder_and_a_mapped_address_is_ipv4() {
        let holder = |text: &str| Holder::address(text.parse().expect("an address")).to_string();
        assert_eq!(holder("203.0.113.7"), "address 203.0.113.7");
        assert_eq!(holder("::ffff:203.0.113.7"), "address 203.0.113.7");
        assert_eq!(holder("2001:db8:1:2:3:4:5:6"), "address 2001:db8:1:2::/64");
        assert_eq!(Holder::Client(ClientId(3)).to_string(), "client 3");
    }
}

/// From where a request came; the server adds it to each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub std::net::SocketAddr);
