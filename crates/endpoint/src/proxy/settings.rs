//! A proxy as it is written: `http://user:password@proxy.example.com:3128`.

use crate::guard::{SpellingError, check_name, check_url_spelling};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::sync::Arc;
use url::{Host, Url};
use zeroize::Zeroizing;

/// The longest URL of a proxy, in bytes: a name, a port, and a user with a long password.
pub const PROXY_URL_BYTES_MAX: usize = 1024;

/// The longest user name, and the longest password, in bytes: what SOCKS5 has room for (RFC 1929).
const CREDENTIAL_BYTES_MAX: usize = 255;

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// HTTP `CONNECT`.
    Http,
    /// HTTP `CONNECT` over TLS.
    Https,
    /// SOCKS5 (RFC 1928).
    Socks5,
}

impl Protocol {
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Socks5 => "socks5",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Protocol::Http => 80,
            Protocol::Https => 443,
            Protocol::Socks5 => 1080,
        }
    }
}

/// What a target says of its proxy, not read yet. The credentials are secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// `http://`, `https://` or `socks5://`, the host, and its port.
    pub url: String,
    /// `user:password`; none: the proxy asks for none.
    pub credentials: Option<Zeroizing<String>>,
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings")
            .field("credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

impl ProxySettings {
    /// The proxy that is meant.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in words that hold no part of the settings.
    pub fn read(&self) -> Result<Proxy, ProxyError> {
        Proxy::parse(&self.url, self.credentials.as_ref().map(|credentials| credentials.as_str()))
    }
}

/// A proxy. Its credentials are left out of its debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) protocol: Protocol,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Arc<Credentials>>,
}

/// As whom hitwire appears at a proxy.
#[derive(PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Zeroizing<String>,
    pub(crate) password: Zeroizing<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_credentials = self.credentials.is_some();
        f.debug_struct("Proxy")
            .field("url", &self.url())
            .field("has_credentials", &has_credentials)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Reads a proxy's URL, and its `user:password` if these do not stand in the URL (percent-encoded there).
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in words that hold no part of what was given.
    pub fn parse(url: &str, credentials: Option<&str>) -> Result<Proxy, ProxyError> {
        if url.len() > PROXY_URL_BYTES_MAX {
            return Err(ProxyError::TooLong);
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ProxyError::Blank);
        }
        let (scheme, rest) = url.split_once("://").ok_or(ProxyError::Scheme)?;
        let protocol = [Protocol::Http, Protocol::Https, Protocol::Socks5]
            .into_iter()
            .find(|protocol| scheme.eq_ignore_ascii_case(protocol.scheme()))
            .ok_or(ProxyError::Scheme)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if !matches!(tail, "" | "/") {
            return Err(ProxyError::Path);
        }
        let (user_info, place) = match authority.rsplit_once('@') {
            Some((user_info, place)) => (Some(user_info), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let credentials = match (user_info, credentials) {
            (Some(_), Some(_)) => return Err(ProxyError::CredentialsTwice),
            (Some(user_info), None) => Some(Credentials::of_url(user_info)?),
            (None, Some(text)) => Some(Credentials::of_text(text)?),
            (None, None) => None,
        };
        if protocol == Protocol::Socks5 && credentials.as_ref().is_some_and(|it| it.password.is_empty()) {
            return Err(ProxyError::NoPassword);
        }
        Ok(Proxy {
            protocol,
            host,
            port: port.unwrap_or(protocol.default_port()),
            credentials: credentials.map(Arc::new),
        })
    }

    /// The URL without credentials, its port written out: `http://proxy.example.com:3128`.
    pub fn url(&self) -> String {
        format!("{}://{}:{}", self.protocol.scheme(), self.host, self.port)
    }

    /// `user:password`; secret.
    pub fn credentials(&self) -> Option<Zeroizing<String>> {
        let Credentials { user, password } = &**self.credentials.as_ref()?;
        Some(Zeroizing::new(format!("{}:{}", user.as_str(), password.as_str())))
    }

    /// Whether TLS is spoken with the proxy itself.
    pub(crate) fn is_tls(&self) -> bool {
        self.protocol == Protocol::Https
    }
}

/// The host of `host:port`, and its port if it is written there.
pub(super) fn host_and_port(place: &str) -> Result<(Host<String>, Option<u16>), ProxyError> {
    let text = format!("https://{place}/");
    check_url_spelling(&text)?;
    let url = Url::parse(&text).map_err(|_| ProxyError::Host)?;
    let host = match url.host().ok_or(ProxyError::Host)? {
        Host::Domain(name) => {
            check_name(name)?;
            Host::Domain(name.to_owned())
        }
        Host::Ipv4(address) => Host::Ipv4(address),
        Host::Ipv6(address) => Host::Ipv6(address),
    };
    let after_brackets = place.rsplit_once(']').map_or(place, |(_, after)| after);
    let port = after_brackets.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty());
    match port.map(str::parse) {
        None => Ok((host, None)),
        Some(Ok(port @ 1..)) => Ok((host, Some(port))),
        Some(_) => Err(ProxyError::Port),
    }
}

impl Credentials {
    fn of_url(user_info: &str) -> Result<Credentials, ProxyError> {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| ProxyError::Credentials)?;
            Ok::<_, ProxyError>(Zeroizing::new(text.into_owned()))
        };
        Credentials { user: decoded(user)?, password: decoded(password)? }.checked()
    }

    fn of_text(text: &str) -> Result<Credentials, ProxyError> {
        let (user, password) = text.split_once(':').ok_or(ProxyError::Credentials)?;
        let owned = |text: &str| Zeroizing::new(text.to_owned());
        Credentials { user: owned(user), password: owned(password) }.checked()
    }

    fn checked(self) -> Result<Credentials, ProxyError> {
        let has_control = [&self.user, &self.password].iter().any(|text| text.chars().any(char::is_control));
        // A colon in the user name would move into the password (RFC 7617).
        if self.user.is_empty() || self.user.contains(':') || has_control {
            return Err(ProxyError::Credentials);
        }
        if self.user.len() > CREDENTIAL_BYTES_MAX || self.password.len() > CREDENTIAL_BYTES_MAX {
            return Err(ProxyError::LongCredentials);
        }
        Ok(self)
    }
}

/// Why a proxy cannot be used. The words quote nothing: a password may stand in the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Longer than [`PROXY_URL_BYTES_MAX`].
    #[error("the proxy's URL is longer than {PROXY_URL_BYTES_MAX} bytes")]
    TooLong,
    /// A space or a control character.
    #[error("the proxy's URL contains a space or a control character")]
    Blank,
    /// Another scheme, or none.
    #[error(
        "the proxy's URL must begin with http://, https:// or socks5://, as in http://proxy.example.com:3128"
    )]
    Scheme,
    /// Something after the port.
    #[error("the proxy's URL must end after the port, as in http://proxy.example.com:3128")]
    Path,
    /// No host, or none that can be.
    #[error("the proxy's URL names no valid host; write it as in http://proxy.example.com:3128")]
    Host,
    /// A host that is written in a way that no host is.
    #[error("in the proxy's URL: {0}")]
    Spelling(#[from] SpellingError),
    /// Port 0.
    #[error("the proxy's port must be a number from 1 to 65535")]
    Port,
    /// Credentials that are not a user name and a password.
    #[error(
        "the proxy's credentials must be a user name, a colon and a password, without control characters"
    )]
    Credentials,
    /// In the URL and beside it.
    #[error("the proxy's credentials stand in its URL and beside it; give them once")]
    CredentialsTwice,
    /// Longer than SOCKS5 has room for.
    #[error("the proxy's user name and password may have at most {CREDENTIAL_BYTES_MAX} bytes each")]
    LongCredentials,
    /// SOCKS5 with a user name alone.
    #[error("a SOCKS5 proxy's user name needs a password")]
    NoPassword,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        Proxy::parse(text, None).unwrap_or_else(|error| panic!("{text}: {error}")).url()
    }

    #[test]
    fn each_form_is_read_and_the_port_written_out() {
        for (text, read) in [
            ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
            ("HTTP://Proxy.Example.com:3128/", "http://proxy.example.com:3128"),
            ("http://proxy.example.com", "http://proxy.example.com:80"),
            ("https://proxy.example.com", "https://proxy.example.com:443"),
            ("https://proxy.example.com:8443", "https://proxy.example.com:8443"),
            ("socks5://proxy.example.com", "socks5://proxy.example.com:1080"),
            ("socks5://proxy.example.com:443", "socks5://proxy.example.com:443"),
            ("socks5://10.1.2.3:9050", "socks5://10.1.2.3:9050"),
            ("socks5://0x7f.1:9050", "socks5://127.0.0.1:9050"),
            ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]:80"),
            ("http://user:password@proxy.example.com:3128", "http://proxy.example.com:3128"),
        ] {
            assert_eq!(url(text), read);
        }
    }

    #[test]
    fn credentials_stand_in_the_url_or_beside_it() {
        let of = |url: &str, beside: Option<&str>| {
            Proxy::parse(url, beside).map(|proxy| proxy.credentials().map(|it| it.as_str().to_owned()))
        };
        assert_eq!(of("http://proxy:3128", None), Ok(None));
        assert_eq!(of("http://user:p%40ss%3A@proxy:3128", None), Ok(Some("user:p@ss:".to_owned())));
        assert_eq!(of("http://us@er:pass@proxy:3128", None), Ok(Some("us@er:pass".to_owned())));
        assert_eq!(of("http://proxy:3128", Some("user:a:b@c")), Ok(Some("user:a:b@c".to_owned())));
        assert_eq!(of("http://user@proxy:3128", None), Ok(Some("user:".to_owned())));
        assert_eq!(of("socks5://user@proxy:1080", None), Err(ProxyError::NoPassword));
        assert_eq!(of("http://a:b@proxy:3128", Some("a:b")), Err(ProxyError::CredentialsTwice));
        for wrong in ["user", ":password", "", "user:pass\r\nX: y"] {
            assert_eq!(of("http://proxy:3128", Some(wrong)), Err(ProxyError::Credentials), "{wrong:?}");
        }
        assert_eq!(of("http://u%0d%0a:b@proxy:3128", None), Err(ProxyError::Credentials));
        let long = format!("user:{}", "x".repeat(256));
        assert_eq!(of("http://proxy:3128", Some(&long)), Err(ProxyError::LongCredentials));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_quoted() {
        for text in [
            "",
            "proxy.example.com:3128",
            "ftp://user:s3cret@proxy.example.com",
            "socks5h://user:s3cret@proxy.example.com",
            "http://user:s3cret@",
            "http://user:s3cret@proxy.example.com:0",
            "http://user:s3cret@proxy.example.com:70000",
            "http://user:s3cret@proxy.example.com/path",
            "http://user:s3cret@proxy.example.com?x",
            "http://user:s3cret@proxy.example.com:3128#x",
            "http://user:s3cret@proxy..example.com:3128",
            "http://user:s3cret@::1:3128",
            "http://user:s3 cret@proxy.example.com",
            "http://user:s3cret@proxy.example.com\\x",
        ] {
            let error = Proxy::parse(text, None).expect_err(text).to_string();
            assert!(!error.contains("s3"), "{error}");
        }
        assert_eq!(Proxy::parse(&format!("http://{}", "a".repeat(1024)), None), Err(ProxyError::TooLong));
    }

    #[test]
    fn debug_output_holds_no_credentials() {
        let settings = ProxySettings {
            url: "http://user:s3cret@proxy:3128".to_owned(),
            credentials: Some(Zeroizing::new("user:s3cret".to_owned())),
        };
        let proxy = Proxy::parse(&settings.url, None).expect("a proxy");
        for text in [format!("{settings:?}"), format!("{proxy:?}")] {
            assert!(!text.contains("s3cret") && !text.contains("user"), "{text}");
        }
    }
}
