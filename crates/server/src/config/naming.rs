//! What the installation is called, and where its console is.

use super::{Config, ConfigError};
use hitwire_endpoint::check_url_spelling;
use hitwire_receiver::Labels;
use url::Url;

/// The longest name: it stands in every envelope, and in the subject of what receivers make of it.
const NAME_CHARS_MAX: usize = 64;

/// The longest address: it is repeated in every linked object.
const PUBLIC_URL_BYTES_MAX: usize = 512;

impl Config {
    /// The labels of a client that has no name of its own.
    pub(crate) fn labels(&self) -> Labels {
        let link_base = self.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        Labels { product: self.product.clone(), cloud: self.cloud.clone(), link_base, ..Labels::default() }
    }

    pub(super) fn check_naming(&self) -> Result<(), ConfigError> {
        check_name("product", &self.product)?;
        check_name("cloud", &self.cloud)?;
        let Some(text) = &self.public_url else { return Ok(()) };
        let is_address = text.len() <= PUBLIC_URL_BYTES_MAX
            && check_url_spelling(text).is_ok()
            && Url::parse(text).is_ok_and(|url| {
                matches!(url.scheme(), "https" | "http")
                    && url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none()
            })
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if is_address {
            return Ok(());
        }
        let problem = format!(
            "\"{}\" is not the address of a console; write one as in https://hitwire.example.com, without query and password",
            hitwire_event::escape::visible(text)
        );
        Err(ConfigError::new("public_url", problem))
    }
}

fn check_name(setting: &str, name: &str) -> Result<(), ConfigError> {
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if fits {
        return Ok(());
    }
    let name = hitwire_event::escape::visible(name);
    let problem =
        format!("\"{name}\" is not a name of 1 to {NAME_CHARS_MAX} characters without control characters");
    Err(ConfigError::new(setting, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.check_naming().expect_err("refused").to_string()
    }

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(Config::default().check_naming(), Ok(()));
        assert!(refused(|config| config.product = String::new()).starts_with("product: "));
        assert!(refused(|config| config.product = " ".to_owned()).starts_with("product: "));
        assert!(refused(|config| config.cloud = "a\nb".to_owned()).starts_with("cloud: "));
        assert!(refused(|config| config.cloud = "x".repeat(65)).starts_with("cloud: "));
    }

    #[test]
    fn the_console_has_an_address_without_secrets() {
        for url in ["https://hitwire.example.com", "http://10.0.0.1:8080/waf/"] {
            let config = Config { public_url: Some(url.to_owned()), ..Config::default() };
            assert_eq!(config.check_naming(), Ok(()), "{url}");
        }
        for url in [
            "",
            "hitwire.example.com",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example/?q",
            "https:///a.example",
            "https:\\\\a.example",
        ] {
            let words = refused(|config| config.public_url = Some(url.to_owned()));
            assert!(words.starts_with("public_url: "), "{words}");
        }
    }

    #[test]
    fn links_begin_with_the_consoles_address_without_its_last_slash() {
        let config = Config { public_url: Some("https://a.example/waf/".to_owned()), ..Config::default() };
        assert_eq!(config.labels().link_base.as_deref(), Some("https://a.example/waf"));
    }
}
