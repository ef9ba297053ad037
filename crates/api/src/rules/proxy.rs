//! Through which proxy an integration is sent: the rules for its URL and its credentials.

use crate::contract::OwnSetting;
use crate::fields::Errors;
use hitwire_endpoint::{Guard, Outbound, Proxy, ProxyError};
use hitwire_event::ClientId;
use hitwire_store::{MASK, Secret, Target};

const PROXY_AT: &str = "/target/proxy";
const CREDENTIALS_AT: &str = "/target/proxy_credentials";

/// The proxy as it is kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeptProxy {
    /// Without credentials.
    pub(super) url: Option<String>,
    pub(super) credentials: Option<Secret>,
}

/// The proxy as it is to be. Credentials that are left out or masked stay as they are, unless the proxy is another one: then they
/// must be sent again, or be taken away.
pub(super) fn checked(
    url: OwnSetting<Secret>,
    credentials: Option<Secret>,
    current: Option<&Target>,
    (guard, outbound, client): (&Guard, &Outbound, ClientId),
    errors: &Errors,
) -> KeptProxy {
    let kept_url = current.and_then(|current| current.proxy.clone());
    let kept = current.and_then(|current| current.proxy_credentials.as_ref());
    let url = match url {
        OwnSetting::LeftOut => kept_url.clone(),
        OwnSetting::Default => None,
        OwnSetting::Given(url) => Some(url.expose().to_owned()).filter(|url| !url.trim().is_empty()),
    };
    let given = credentials.as_ref().map(Secret::expose);
    let Some(url) = url else {
        if given.is_some_and(|given| !given.is_empty() && given != MASK) {
            errors.add(CREDENTIALS_AT, "is set, but there is no proxy");
        }
        return KeptProxy::default();
    };
    let new = given.filter(|given| !given.is_empty() && *given != MASK);
    let proxy = match Proxy::parse(&url, new) {
        Ok(proxy) => proxy,
        Err(error) => {
            errors.add(at(error), error.to_string());
            return KeptProxy::default();
        }
    };
    if let Err(refusal) = outbound.judge(guard, client, &proxy) {
        errors.add(PROXY_AT, format!("the proxy's address: {refusal}"));
    }
    let is_same = kept_url.is_some_and(|kept| kept == proxy.url());
    let credentials = match (proxy.credentials(), given, kept) {
        (Some(own), ..) => Some(Secret::new(own.as_str())),
        (None, None | Some(MASK), Some(kept)) if is_same => Some(kept.clone()),
        (None, None | Some(MASK), Some(_)) => {
            let words =
                "the proxy changes, so its user name and password must be sent again; \"\" sends none";
            errors.add(CREDENTIALS_AT, words);
            None
        }
        (None, Some(MASK), None) => {
            errors.add(CREDENTIALS_AT, "is only the mask, and there are no credentials yet; send them");
            None
        }
        (None, ..) => None,
    };
    // Not every proxy takes what stands in the place of a URL's credentials.
    if let Some(credentials) = &credentials
        && let Err(error) = Proxy::parse(&proxy.url(), Some(credentials.expose()))
    {
        errors.add(at(error), error.to_string());
    }
    KeptProxy { url: Some(proxy.url()), credentials }
}

/// Which field an error is about.
fn at(error: ProxyError) -> &'static str {
    match error {
        ProxyError::Credentials
        | ProxyError::CredentialsTwice
        | ProxyError::LongCredentials
        | ProxyError::NoPassword => CREDENTIALS_AT,
        _ => PROXY_AT,
    }
}

impl KeptProxy {
    /// Whether requests go another way than they do now. A new password for the same user is no other way.
    pub(super) fn is_another(&self, current: &Target) -> bool {
        let user = |credentials: Option<&Secret>| {
            credentials.and_then(|it| it.expose().split_once(':')).map(|(user, _)| user.to_owned())
        };
        self.url != current.proxy
            || user(self.credentials.as_ref()) != user(current.proxy_credentials.as_ref())
    }
}
