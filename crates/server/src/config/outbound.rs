//! How connections leave this machine: through which proxy, from which address.

use super::{Config, ConfigError, secrets, text};
use hitwire_endpoint::{NoProxy, Outbound, Proxy, ProxyAddress, TlsIdentity};
use hitwire_store::Secret;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;

/// How connections to endpoints, and to the OpenID provider, leave this machine. Proxies of the environment (`HTTP_PROXY`,
/// `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) are not used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundSettings {
    /// The proxy of integrations that name none: `http://`, `https://` or `socks5://`, host and port, without credentials.
    pub proxy: Option<String>,
    /// `user:password` for it; the file names a file that holds it.
    #[serde(rename = "proxy_credentials_file", deserialize_with = "secrets::in_file", skip_serializing)]
    pub proxy_credentials: Option<Secret>,
    /// Hosts, domains (`.example.com`) and networks that are connected to without it.
    pub no_proxy: Vec<String>,
    /// Proxies, `host:port`, that are trusted to resolve names and to judge by themselves where may be sent.
    pub trusted_proxies: Vec<String>,
    /// PEM, the CAs of `https://` proxies. None: the public ones.
    #[serde(serialize_with = "text::path")]
    pub proxy_ca_file: Option<PathBuf>,
    /// Where connections leave from: at most one IPv4 and one IPv6 address of this machine.
    pub source_addresses: Vec<IpAddr>,
}

impl Config {
    /// The same as the sender takes it. Reads the CA file.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be.
    pub(crate) fn outbound(&self) -> Result<Outbound, ConfigError> {
        let settings = &self.outbound;
        let mut outbound = Outbound { proxy: self.proxy()?, ..Outbound::default() };
        for text in &settings.no_proxy {
            let entry =
                NoProxy::parse(text).map_err(|problem| ConfigError::new("outbound.no_proxy", problem))?;
            outbound.no_proxy.push(entry);
        }
        for text in &settings.trusted_proxies {
            let trusted = ProxyAddress::parse(text)
                .map_err(|error| ConfigError::new("outbound.trusted_proxies", error.to_string()))?;
            outbound.trusted.push(trusted);
        }
        if let Some(path) = &settings.proxy_ca_file {
            let refused = |problem: String| ConfigError::new("outbound.proxy_ca_file", problem);
            let ca_pem = std::fs::read_to_string(path)
                .map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?;
            outbound.proxy_tls = TlsIdentity { ca_pem, ..TlsIdentity::default() };
            outbound.proxy_tls.check().map_err(|error| refused(format!("{}: {error}", path.display())))?;
        }
        for address in &settings.source_addresses {
            match address {
                IpAddr::V4(address) => outbound.source_v4 = Some(*address),
                IpAddr::V6(address) => outbound.source_v6 = Some(*address),
            }
        }
        Ok(outbound)
    }

    fn proxy(&self) -> Result<Option<Proxy>, ConfigError> {
        let settings = &self.outbound;
        let Some(url) = &settings.proxy else {
            return match settings.proxy_credentials {
                None => Ok(None),
                Some(_) => Err(ConfigError::new(
                    "outbound.proxy_credentials_file",
                    "is set, but there is no outbound.proxy that it is for",
                )),
            };
        };
        if url.contains('@') {
            let problem = "must not contain a user name or password: others can read the file and the list of processes; \
                           put user:password into HITWIRE_PROXY_CREDENTIALS, or into a file that outbound.proxy_credentials_file names";
            return Err(ConfigError::new("outbound.proxy", problem));
        }
        let credentials = settings.proxy_credentials.as_ref().map(Secret::expose);
        let proxy = Proxy::parse(url, credentials);
        proxy.map(Some).map_err(|error| ConfigError::new("outbound.proxy", error.to_string()))
    }

    /// Checks what can be checked without opening anything.
    pub(super) fn check_outbound(&self) -> Result<(), ConfigError> {
        self.proxy()?;
        let addresses = &self.outbound.source_addresses;
        if addresses.iter().filter(|address| address.is_ipv4()).count() > 1
            || addresses.iter().filter(|address| address.is_ipv6()).count() > 1
        {
            let problem = "names more than one address of a kind; give one IPv4 address, one IPv6 address, or one of each";
            return Err(ConfigError::new("outbound.source_addresses", problem));
        }
        Ok(())
    }

    /// Whether connections can leave from the source addresses.
    pub(crate) fn check_source_addresses(&self) -> Result<(), ConfigError> {
        for address in &self.outbound.source_addresses {
            // A port of its own shows whether the address is this machine's.
            if let Err(error) = TcpListener::bind((*address, 0)) {
                let problem = format!("connections cannot leave from {address}: {error}");
                return Err(ConfigError::new("outbound.source_addresses", problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: OutboundSettings) -> Result<Outbound, String> {
        let config = Config { outbound: settings, ..Config::default() };
        config.check().and_then(|()| config.outbound()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_an_operator_writes_is_what_the_sender_gets() {
        let outbound = of(OutboundSettings {
            proxy: Some("http://proxy.example.com:3128".to_owned()),
            proxy_credentials: Some(Secret::new("user:password")),
            no_proxy: vec!["10.0.0.0/8".to_owned(), ".example.com".to_owned()],
            trusted_proxies: vec!["proxy.example.com:3128".to_owned()],
            proxy_ca_file: None,
            source_addresses: vec!["127.0.0.1".parse().expect("an address"), "::1".parse().expect("one")],
        });
        let outbound = outbound.expect("sound");
        let proxy = outbound.proxy.as_ref().expect("a proxy");
        assert_eq!(proxy.credentials().as_deref().map(String::as_str), Some("user:password"));
        assert!(outbound.trusts(proxy));
        assert_eq!(outbound.no_proxy.len(), 2);
        assert!(outbound.source_v4.is_some() && outbound.source_v6.is_some());
    }

    #[test]
    fn every_refusal_names_its_setting_and_no_secret() {
        let proxy =
            |url: &str| OutboundSettings { proxy: Some(url.to_owned()), ..OutboundSettings::default() };
        let addresses = |of: &[&str]| of.iter().map(|text| text.parse().expect("an address")).collect();
        for (settings, words) in [
            (proxy("http://user:s3cret@proxy:3128"), "outbound.proxy: must not contain"),
            (proxy("proxy:3128"), "outbound.proxy: the proxy's URL must begin with"),
            (
                OutboundSettings {
                    proxy_credentials: Some(Secret::new("user:s3cret")),
                    ..OutboundSettings::default()
                },
                "outbound.proxy_credentials_file: is set, but",
            ),
            (
                OutboundSettings {
                    proxy_credentials: Some(Secret::new("s3cret")),
                    ..proxy("http://proxy:1")
                },
                "outbound.proxy: the proxy's credentials must be",
            ),
            (
                OutboundSettings { no_proxy: vec!["*".to_owned()], ..OutboundSettings::default() },
                "outbound.no_proxy: \"*\" is no host",
            ),
            (
                OutboundSettings { trusted_proxies: vec!["proxy".to_owned()], ..OutboundSettings::default() },
                "outbound.trusted_proxies: a proxy's host and port",
            ),
            (
                OutboundSettings {
                    proxy_ca_file: Some("/nonexistent".into()),
                    ..OutboundSettings::default()
                },
                "outbound.proxy_ca_file: cannot read /nonexistent",
            ),
            (
                OutboundSettings {
                    source_addresses: addresses(&["127.0.0.1", "127.0.0.2"]),
                    ..OutboundSettings::default()
                },
                "outbound.source_addresses: names more than one",
            ),
        ] {
            let error = of(settings).expect_err(words);
            assert!(error.starts_with(words) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_found_at_the_start() {
        let config = |address: &str| {
            let source_addresses = vec![address.parse().expect("an address")];
            Config {
                outbound: OutboundSettings { source_addresses, ..OutboundSettings::default() },
                ..Config::default()
            }
        };
        assert_eq!(config("127.0.0.1").check_source_addresses(), Ok(()));
        let error = config("192.0.2.1").check_source_addresses().expect_err("refused").to_string();
        assert!(
            error.starts_with("outbound.source_addresses: connections cannot leave from 192.0.2.1: "),
            "{error}"
        );
    }
}
