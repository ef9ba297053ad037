//! How people sign in to the console.

use super::{Config, ConfigError, measure, secrets, text};
use hitwire_store::{Role, Secret};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The longest that a session may be good: who has left should not be signed in a year later.
const SESSION_MAX: Duration = Duration::from_hours(90 * 24);

/// The least that a session must be good: shorter than a form takes to be filled in is of no use.
const SESSION_MIN: Duration = Duration::from_mins(1);

/// The longest name of a provider: it stands on a button.
const NAME_CHARS_MAX: usize = 40;

/// Sessions of the console.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// A session ends when it was not used for so long.
    #[serde(with = "measure::duration")]
    pub session_idle: Duration,
    /// A session ends so long after signing in, whatever happens.
    #[serde(with = "measure::duration")]
    pub session_max: Duration,
    /// Proxies in front of the console, whose `X-Forwarded-For` is believed.
    #[serde(with = "text::networks")]
    pub proxies: Vec<IpNet>,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        ConsoleSettings {
            session_idle: Duration::from_hours(8),
            session_max: Duration::from_hours(7 * 24),
            proxies: Vec::new(),
        }
    }
}

/// An OpenID provider at which people can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// `https://...`, exactly as the provider writes it.
    pub issuer: String,
    /// How the provider calls hitwire.
    pub client_id: String,
    /// What proves to the provider that it is hitwire; the file names a file that holds it. None: a public client.
    #[serde(rename = "client_secret_file", default, deserialize_with = "secrets::in_file", skip_serializing)]
    pub client_secret: Option<Secret>,
    /// What the button says after "Sign in with ".
    #[serde(default = "openid")]
    pub name: String,
    /// The role of somebody who signs in there and is no user yet. None: is refused.
    #[serde(default, with = "text::role")]
    pub new_users: Option<Role>,
    /// PEM, the CA of the provider's certificate. None: the public ones.
    #[serde(default, serialize_with = "text::path")]
    pub ca_file: Option<PathBuf>,
    /// Networks in which the provider may be, although the guard refuses them otherwise. For the provider alone.
    #[serde(default, with = "text::networks")]
    pub allow_targets: Vec<IpNet>,
}

fn openid() -> String {
    "OpenID".to_owned()
}

impl Config {
    pub(super) fn check_sign_in(&self) -> Result<(), ConfigError> {
        let console = &self.console;
        for (setting, span) in
            [("console.session_idle", console.session_idle), ("console.session_max", console.session_max)]
        {
            if !(SESSION_MIN..=SESSION_MAX).contains(&span) {
                return Err(ConfigError::new(setting, "must be between 1m and 90d"));
            }
        }
        let Some(oidc) = &self.oidc else { return Ok(()) };
        let url = Url::parse(&oidc.issuer).ok();
        let is_issuer = url.is_some_and(|url| {
            matches!(url.scheme(), "https" | "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if !is_issuer {
            let problem = "must be the address of the provider, exactly as it calls itself, as in https://id.example.com/realms/main";
            return Err(ConfigError::new("oidc.issuer", problem));
        }
        if oidc.issuer.starts_with("http:") && !self.allow_http {
            let problem = "must begin with https://; plain http:// is accepted only with allow_http";
            return Err(ConfigError::new("oidc.issuer", problem));
        }
        if oidc.client_id.trim().is_empty() {
            return Err(ConfigError::new("oidc.client_id", "is empty; the provider says which it is"));
        }
        if oidc.name.trim().is_empty() || oidc.name.chars().count() > NAME_CHARS_MAX {
            let problem = format!("must have 1 to {NAME_CHARS_MAX} characters");
            return Err(ConfigError::new("oidc.name", problem));
        }
        if matches!(oidc.new_users, Some(Role::Operator | Role::Ingest)) {
            let problem = "must be admin, analyst or read_only: nobody becomes an operator by signing in";
            return Err(ConfigError::new("oidc.new_users", problem));
        }
        if self.public_url.is_none() {
            let problem = "is needed with [oidc]: the provider sends people back to it";
            return Err(ConfigError::new("public_url", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(text: &str) -> String {
        let config = Config::from_toml(text).expect("read");
        config.check().expect_err("refused").to_string()
    }

    #[test]
    fn a_provider_that_cannot_be_asked_is_refused_in_words() {
        let oidc = |more: &str| {
            format!("public_url = \"https://waf.example\"\n[oidc]\nclient_id = \"hitwire\"\n{more}")
        };
        let fine = oidc("issuer = \"https://id.example/\"");
        Config::from_toml(&fine).expect("read").check().expect("fine");
        for (text, words) in [
            (oidc("issuer = \"id.example\""), "oidc.issuer: must be the address"),
            (oidc("issuer = \"http://id.example\""), "oidc.issuer: must begin with https://"),
            (oidc("issuer = \"https://id.example\"\nnew_users = \"operator\""), "nobody becomes an operator"),
            (oidc("issuer = \"https://id.example\"\nname = \"\""), "oidc.name"),
            (fine.replace("public_url", "product = \"X\" #"), "public_url: is needed with [oidc]"),
            ("console.session_idle = \"1s\"".to_owned(), "console.session_idle: must be between"),
            ("console.session_max = \"1000d\"".to_owned(), "console.session_max: must be between"),
        ] {
            let problem = problem_of(&text);
            assert!(problem.contains(words), "{problem} lacks {words}");
        }
    }

    #[test]
    fn the_providers_secret_comes_from_the_environment_or_a_file_and_needs_a_provider() {
        let variable = |name: &str| (name == "HITWIRE_OIDC_CLIENT_SECRET").then(|| "hush".to_owned());
        let text = "[oidc]\nissuer = \"https://id.example\"\nclient_id = \"hitwire\"";
        let mut config = Config::from_toml(text).expect("read");
        config.take_secrets(variable).expect("taken");
        assert_eq!(config.oidc.expect("there").client_secret, Some(Secret::new("hush")));
        let error = Config::default().take_secrets(variable).expect_err("refused").to_string();
        assert!(error.contains("[oidc]"), "{error}");
    }
}
