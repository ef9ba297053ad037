//! Addresses to listen on, as people write them.

use super::text;
use serde::Deserializer;
use std::net::{Ipv4Addr, SocketAddr};

/// Reads an address to listen on: an IP address and a port (`127.0.0.1:8419`, `[::1]:8419`). A port alone (`8419`, `:8419`)
/// and `localhost:8419` mean 127.0.0.1, so that nothing listens beyond this machine by accident. No other name is resolved.
///
/// # Errors
///
/// In words for the user, with examples.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let written = text.trim();
    if let Ok(address) = written.parse() {
        return Ok(address);
    }
    let port = match written.rsplit_once(':') {
        None => written,
        Some(("", port)) => port,
        Some((host, port)) if host.eq_ignore_ascii_case("localhost") => port,
        Some(_) => "",
    };
    // A sign would be read too.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|_| digits).map(|port| (Ipv4Addr::LOCALHOST, port).into()).ok_or_else(|| {
        format!(
            "\"{written}\" is not an address to listen on; write an IP address and a port, as in 127.0.0.1:8419 or [::1]:8419, \
             or for this machine alone only a port, as in 8419"
        )
    })
}

/// For `#[serde(deserialize_with)]`: a `SocketAddr` or an `Option<SocketAddr>`. A port may also be a number.
pub(super) fn listen<'de, D: Deserializer<'de>, T: From<SocketAddr>>(deserializer: D) -> Result<T, D::Error> {
    text::read(deserializer, "an address to listen on, such as \"127.0.0.1:8419\"", parse_listen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_port_alone() {
        for (text, address) in [
            ("127.0.0.1:8419", "127.0.0.1:8419"),
            (" 0.0.0.0:0 ", "0.0.0.0:0"),
            ("[::1]:8419", "[::1]:8419"),
            ("8419", "127.0.0.1:8419"),
            (":8419", "127.0.0.1:8419"),
            ("localhost:8419", "127.0.0.1:8419"),
            ("LocalHost:0", "127.0.0.1:0"),
        ] {
            assert_eq!(
                parse_listen(text).map(|address| address.to_string()).as_deref(),
                Ok(address),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            ":",
            "localhost",
            "127.0.0.1",
            "::1",
            "::1:8419",
            "[::1]",
            "+8419",
            ":+8419",
            "65536",
            "-1",
            "example.com:8419",
            "http://127.0.0.1:8419",
            "*:8419",
            "127.0.0.1:99999",
        ] {
            let words = parse_listen(text).expect_err(text);
            assert!(words.contains(&format!("\"{text}\"")) && words.contains("127.0.0.1:8419"), "{words}");
        }
    }
}
