//! What the operator says of signing in to the console, as the console takes it.

use crate::StartError;
use crate::config::{Config, ConfigError};
use hitwire_console::{Lifetime, ProviderSettings, SignIn, SignInSettings};
use hitwire_endpoint::{Guard, Resolver, Sender};

/// What signing in to the console stands on.
pub(crate) async fn sign_in(config: &Config) -> Result<SignIn, StartError> {
    let provider = match &config.oidc {
        None => None,
        Some(oidc) => {
            let ca_pem = match &oidc.ca_file {
                None => String::new(),
                Some(path) => std::fs::read_to_string(path).map_err(|error| {
                    ConfigError::new("oidc.ca_file", format!("cannot read {}: {error}", path.display()))
                })?,
            };
            let settings = ProviderSettings {
                issuer: oidc.issuer.clone(),
                client_id: oidc.client_id.clone(),
                client_secret: oidc.client_secret.clone(),
                ca_pem,
                name: oidc.name.clone(),
                new_users: oidc.new_users,
            };
            // A guard of its own: what is allowed for the provider is not for integrations.
            let allow = [config.allow_targets.as_slice(), &oidc.allow_targets].concat();
            let guard = Guard::new(allow, config.allow_http);
            Some((settings, Sender::leaving(guard, Resolver::system(), config.outbound()?)))
        }
    };
    let settings = SignInSettings {
        sessions: lifetime(config),
        proxies: config.console.proxies.clone(),
        provider,
        public_url: config.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
    };
    // Hashing is no work for a thread that serves tasks.
    let made = tokio::task::spawn_blocking(move || SignIn::new(settings)).await;
    made.unwrap_or_else(|_| Err("making a hash panicked; see the log above".to_owned()))
        .map_err(StartError::SignIn)
}

/// How long sessions are good.
pub(crate) fn lifetime(config: &Config) -> Lifetime {
    Lifetime { idle_s: config.console.session_idle.as_secs(), age_s: config.console.session_max.as_secs() }
}
