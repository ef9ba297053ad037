//! Sign-in at an OpenID provider, as an option of the operator: authorization code with PKCE.
//!
//! - [`Provider`]: what is configured, and the two questions that hitwire asks the provider.
//! - `flow`: what goes out with the browser and must come back; `discovery`: where a provider is asked; `keys` and `token`: what
//!   it says of somebody, and whether that is to be believed.
//!
//! Everything but [`Provider`] is without IO and without a clock.

mod discovery;
mod flow;
mod keys;
mod token;

pub(crate) use discovery::Unusable;
pub(crate) use flow::Begun;
pub(crate) use token::{Person, Untrue};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use discovery::Endpoints;
use hitwire_endpoint::{Fetch, SendError, Sender, TlsIdentity};
use hitwire_store::{Role, Secret};
use keys::Keys;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use token::Expected;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::byte_serialize;

/// The longest answer of a provider that is read: key sets with certificates are the longest.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long a provider may take for each of the two questions.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long what a provider says of itself is believed.
const KNOWN_FOR: Duration = Duration::from_hours(1);

/// An unknown key makes hitwire look for new ones, but not more often than this: tokens with made-up keys cost the provider nothing.
const KEYS_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The longest code of a provider that is sent back to it.
const CODE_BYTES_MAX: usize = 4_096;

/// What an operator says of the provider.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// `https://...`, exactly as the provider writes it in its tokens.
    pub issuer: String,
    /// How the provider calls hitwire.
    pub client_id: String,
    /// None: a public client, that PKCE alone protects.
    pub client_secret: Option<Secret>,
    /// PEM, the CA of a provider that the public ones do not vouch for.
    pub ca_pem: String,
    /// What the button says after "Sign in with ".
    pub name: String,
    /// Somebody whose verified e-mail no user has becomes a user with this role; none: is refused.
    pub new_users: Option<Role>,
}

/// Why somebody could not be signed in through the provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("the provider could not be asked: {0}")]
    Unreachable(#[from] SendError),
    #[error("the provider answered {status} when it was asked for {what}")]
    Status { what: &'static str, status: u16 },
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("the provider's keys cannot be read")]
    Keys,
    #[error("the provider did not accept the code{0}")]
    Code(String),
    #[error(transparent)]
    Untrue(#[from] Untrue),
}

/// A provider. Handlers share one.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: ProviderSettings,
    sender: Sender,
    /// Held while it is asked, so that many sign-ins ask once.
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    at: Instant,
    keys_at: Instant,
    endpoints: Endpoints,
    keys: Arc<Keys>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Provider {
    /// `sender`: dials what its guard lets pass.
    pub(crate) fn new(settings: ProviderSettings, sender: Sender) -> Provider {
        Provider { settings, sender, known: Mutex::default() }
    }

    /// Where a browser is sent to sign in.
    pub(crate) async fn ask(&self, begun: &Begun, redirect_uri: &str) -> Result<Url, Failed> {
        let known = self.known(None).await?;
        Ok(begun.ask(&known.endpoints.authorization, &self.settings.client_id, redirect_uri))
    }

    /// Who came back with this code. `now_s`: Unix seconds.
    pub(crate) async fn answered(
        &self,
        begun: &Begun,
        code: &str,
        redirect_uri: &str,
        now_s: u64,
    ) -> Result<Person, Failed> {
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err(Failed::Code(String::new()));
        }
        let known = self.known(None).await?;
        let token = self.exchange(&known.endpoints, begun, code, redirect_uri).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &begun.nonce,
            now_s,
        };
        match token::verify(&token, &known.keys, expected) {
            Err(Untrue::UnknownKey) => {
                let known = self.known(Some(known.keys_at)).await?;
                Ok(token::verify(&token, &known.keys, expected)?)
            }
            verified => Ok(verified?),
        }
    }

    /// What the provider says of itself; asked anew after a while. `unfit`: the keys of then do not do; ask for new ones.
    async fn known(&self, unfit: Option<Instant>) -> Result<Known, Failed> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        let endpoints = match &*known {
            Some(known) if now.duration_since(known.at) < KNOWN_FOR => {
                let fit = unfit.is_none_or(|at| known.keys_at > at);
                if fit || now.duration_since(known.keys_at) < KEYS_AGAIN_AFTER {
                    return Ok(known.clone());
                }
                known.endpoints.clone()
            }
            _ => {
                let address = discovery::address(&self.settings.issuer);
                let document = self.get(address, "what it says of itself").await?;
                discovery::read(&self.settings.issuer, &document)?
            }
        };
        let keys = self.get(endpoints.keys.to_string(), "its keys").await?;
        let keys = Arc::new(Keys::parse(&keys).ok_or(Failed::Keys)?);
        let at = known.as_ref().filter(|_| unfit.is_some()).map_or(now, |known| known.at);
        Ok(known.insert(Known { at, keys_at: now, endpoints, keys }).clone())
    }

    async fn exchange(
        &self,
        endpoints: &Endpoints,
        begun: &Begun,
        code: &str,
        redirect_uri: &str,
    ) -> Result<String, Failed> {
        let fetch = self.exchanging(endpoints, begun, code, redirect_uri);
        let answer = self.sender.fetch(&fetch).await?;
        if (400..500).contains(&answer.status) {
            let refused = serde_json::from_slice::<Refused>(&answer.body).ok();
            // A word of RFC 6749 section 5.2, or none.
            let word = refused.map(|refused| refused.error).filter(|word| {
                word.len() <= 40 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
            return Err(Failed::Code(word.map(|word| format!(": {word}")).unwrap_or_default()));
        }
        if answer.status != 200 {
            return Err(Failed::Status { what: "tokens", status: answer.status });
        }
        let tokens: Tokens = serde_json::from_slice(&answer.body).map_err(|_| Untrue::Malformed)?;
        Ok(tokens.id_token)
    }

    /// The question that exchanges a code, with what authenticates us.
    fn exchanging(&self, endpoints: &Endpoints, begun: &Begun, code: &str, redirect_uri: &str) -> Fetch {
        let mut form = begun.exchange(code, redirect_uri);
        let mut fetch = self.fetch(endpoints.token.to_string());
        let id = &self.settings.client_id;
        match &self.settings.client_secret {
            Some(secret) if !endpoints.secret_in_form => {
                // RFC 6749 section 2.3.1: form-encoded first.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret.expose())));
                fetch.headers.push(("authorization".to_owned(), format!("Basic {pair}")));
            }
            Some(secret) => {
                form.append_pair("client_id", id).append_pair("client_secret", secret.expose());
            }
            None => {
                form.append_pair("client_id", id);
            }
        }
        fetch.form = Some(form.finish());
        fetch
    }

    async fn get(&self, url: String, what: &'static str) -> Result<Vec<u8>, Failed> {
        let answer = self.sender.fetch(&self.fetch(url)).await?;
        if answer.status != 200 {
            return Err(Failed::Status { what, status: answer.status });
        }
        Ok(answer.body)
    }

    fn fetch(&self, url: String) -> Fetch {
        Fetch {
            url,
            headers: vec![("accept".to_owned(), "application/json".to_owned())],
            form: None,
            tls: TlsIdentity { ca_pem: self.settings.ca_pem.clone(), ..TlsIdentity::default() },
            open_timeout: OPEN_TIMEOUT,
            timeout: TIMEOUT,
            response_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}
