//! Who is signed in: a cookie with 256 random bits, of which the store keeps the SHA-256.

use crate::failure::Failure;
use crate::{Console, Shared, zone};
use axum::extract::FromRequestParts;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hitwire_share::Peer;
use hitwire_store::{Op, Role, Session as Kept, Store, StoreError, User};
use http::header::{HOST, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The cookie. `__Host-` binds it to this host, over TLS (or on loopback), for all paths.
pub(crate) const COOKIE: &str = "__Host-hitwire";

/// How long sessions are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Seconds: one ends when it was not used for so long.
    pub idle_s: u64,
    /// Seconds: one ends so long after signing in, whatever happens.
    pub age_s: u64,
}

/// The header by which a page's script says that nobody asked for this.
const IN_BACKGROUND: &str = "x-in-background";

/// The use of a session is written down at most this often, seconds.
const USE_NOTED_EVERY_S: u64 = 60;

/// Expired sessions are taken away this often; nobody gets in with one meanwhile.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// What a browser may call itself; the rest is cut.
const AGENT_CHARS_MAX: usize = 200;

/// Somebody who is signed in. As an extractor: whoever is not is sent to sign in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: User,
    /// As it is kept.
    pub(crate) kept: Kept,
    /// What forms of this session carry.
    pub(crate) csrf: String,
    /// `auto`, `light`, `dark`.
    pub(crate) theme: &'static str,
}

impl Session {
    /// The role as people call it.
    pub(crate) fn role(&self) -> Role {
        self.user.role
    }

    /// The same under the secret that the browser is given with this answer.
    pub(crate) fn renewed(self, jar: &CookieJar) -> Session {
        let csrf = jar.get(COOKIE).map(|cookie| csrf(cookie.value()));
        Session { csrf: csrf.unwrap_or_default(), ..self }
    }
}

impl FromRequestParts<Shared> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Failure> {
        let jar = CookieJar::from_headers(&parts.headers);
        let found = match jar.get(COOKIE) {
            Some(cookie) => find(console, cookie.value(), is_use(parts)).await?,
            None => None,
        };
        let Some((kept, user, csrf)) = found else {
            // After signing in it goes on with the page that was asked for; a post is not repeated.
            let asked = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            let next = if parts.method == Method::GET { asked.to_owned() } else { "/".to_owned() };
            return Err(Failure::SignIn { next });
        };
        zone::choose(user.time_zone.as_deref(), jar.get(zone::COOKIE).map(Cookie::value));
        Ok(Session { user, kept, csrf, theme: theme(&jar) })
    }
}

/// Whether a person made this request. Requests that a page makes by itself do not keep the session alive.
fn is_use(parts: &Parts) -> bool {
    // A browser opens streams without headers of ours.
    !parts.headers.contains_key(IN_BACKGROUND) && parts.uri.path() != crate::live::PATH
}

/// The session of a cookie, if it is good.
async fn find(
    console: &Shared,
    token: &str,
    is_use: bool,
) -> Result<Option<(Kept, User, String)>, StoreError> {
    if token.len() > 64 {
        return Ok(None);
    }
    let Some((kept, user)) = good(console, hash(token)).await? else { return Ok(None) };
    let now_s = console.now_s();
    if is_use && now_s >= kept.last_used_at + USE_NOTED_EVERY_S {
        let console = Arc::clone(console);
        let used = vec![(kept.sha256, now_s)];
        tokio::spawn(async move {
            if let Err(error) = console.store.commit(vec![Op::SessionsUsed(used)]).await {
                tracing::debug!(%error, "the use of a session could not be written down");
            }
        });
    }
    Ok(Some((kept, user, csrf(token))))
}

/// The session with this hash and whose it is, if it is good now.
pub(crate) async fn good(console: &Console, sha256: [u8; 32]) -> Result<Option<(Kept, User)>, StoreError> {
    let found = console.store.session(sha256).await?;
    Ok(found.filter(|(kept, user)| is_good(console, kept, user)))
}

/// Whether a session is good now.
pub(crate) fn is_good(console: &Console, kept: &Kept, user: &User) -> bool {
    let (lifetime, now_s) = (console.sign_in.lifetime(), console.now_s());
    user.enabled
        && (console.is_enabled)(user.client)
        && now_s < kept.last_used_at.saturating_add(lifetime.idle_s)
        && now_s < kept.created_at.saturating_add(lifetime.age_s)
}

/// Takes expired sessions and links out of the store, now and then, until told to stop.
pub async fn expire(
    store: Arc<dyn Store>,
    lifetime: Lifetime,
    now_s: impl Fn() -> u64 + Send,
    stop: CancellationToken,
) {
    loop {
        let now = now_s();
        let created_before = now.saturating_sub(lifetime.age_s);
        let used_before = now.saturating_sub(lifetime.idle_s);
        let expired = Op::DeleteExpired { created_before, used_before, now };
        if let Err(error) = store.commit(vec![expired]).await {
            tracing::debug!(%error, "expired sessions could not be taken away; they are refused all the same");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EXPIRE_EVERY) => {}
        }
    }
}

/// A new session: what is to be kept of it, and the cookie that makes it the browser's.
pub(crate) fn begin(
    console: &Console,
    user: &User,
    signed_in_with: &str,
    from: &From,
) -> Result<(Kept, Cookie<'static>), StoreError> {
    let token =
        random().map_err(|_| StoreError::Unavailable("the system gives no random bytes".to_owned()))?;
    let now_s = console.now_s();
    let kept = Kept {
        sha256: hash(&token),
        user: user.id,
        created_at: now_s,
        last_used_at: now_s,
        signed_in_with: signed_in_with.to_owned(),
        address: from.address.clone(),
        agent: from.agent.clone(),
    };
    Ok((kept, cookie(COOKIE, token)))
}

/// From where somebody signs in.
#[derive(Clone, Debug, Default)]
pub(crate) struct From {
    pub(crate) address: String,
    pub(crate) agent: String,
}

impl From {
    /// For what counts by address. One that is not known is one with all others that are not.
    pub(crate) fn ip(&self) -> IpAddr {
        self.address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl FromRequestParts<Shared> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Self::Rejection> {
        let agent =
            parts.headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
        let address = peer.map(|peer| behind(peer, &parts.headers, &console.sign_in.settings.proxies));
        Ok(From {
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            agent: agent.unwrap_or_default().chars().take(AGENT_CHARS_MAX).collect(),
        })
    }
}

/// Where a request comes from that `peer` brought: if that is one of our proxies, whom it names, and so on. What is further to the left
/// than the first stranger was written by strangers.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let ours = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let named: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut address = peer;
    for name in named.iter().rev() {
        if !ours(&address) {
            break;
        }
        let Ok(before) = name.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    address
}

/// A cookie that no script sees, that is only sent to this host, over TLS, and not with what other sites post. It ends with the
/// browser or with the session.
pub(crate) fn cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}

/// A cookie that takes one away.
pub(crate) fn no_cookie(name: &'static str) -> Cookie<'static> {
    let mut cookie = cookie(name, String::new());
    cookie.make_removal();
    cookie
}

/// 256 random bits as text.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What the store keeps of a secret.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What forms carry: only who has the session's own secret can know it.
fn csrf(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("csrf|").chain_update(token).finalize())
}

fn theme(jar: &CookieJar) -> &'static str {
    match jar.get("hitwire-theme").map(Cookie::value) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "auto",
    }
}

/// Refuses what another site has the browser send. Browsers say where a request comes from; what says nothing is no browser, and
/// is held by the cookie and the form's own secret alone.
pub(crate) fn check_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let own = match (text(http::HeaderName::from_static("sec-fetch-site")), text(ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let origin = url::Url::parse(origin).ok();
            let authority = origin.and_then(|url| {
                let host = url.host_str()?.to_owned();
                Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
            });
            authority.as_deref() == text(HOST)
        }
        (None, None) => true,
    };
    if own {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::FORBIDDEN,
        "This came from another site",
        "Forms of the console are only taken from its own pages. Open the console and do it there.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        check_origin(&map).is_ok()
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        let host = ("host", "hitwire.example.com:8419");
        assert!(checked(&[host, ("origin", "https://hitwire.example.com:8419")]));
        assert!(
            !checked(&[host, ("origin", "https://hitwire.example.com")]),
            "another port is another origin"
        );
        assert!(!checked(&[host, ("origin", "https://evil.example")]));
        assert!(!checked(&[host, ("origin", "null")]));
        assert!(!checked(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!checked(&[
            host,
            ("sec-fetch-site", "same-site"),
            ("origin", "https://hitwire.example.com:8419")
        ]));
        assert!(checked(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(checked(&[host]), "a program");
    }

    #[test]
    fn an_address_is_believed_as_far_as_our_own_proxies_vouch_for_it() {
        let proxies: Vec<IpNet> = vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let from = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", http::HeaderValue::from_static(value));
            }
            behind(peer.parse().unwrap(), &headers, &proxies).to_string()
        };
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), "192.0.2.1", "a stranger may write anything");
        assert_eq!(from("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &["1.2.3.4, 198.51.100.7, 10.0.0.3"]), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &["1.2.3.4", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(from("127.0.0.1", &["nonsense"]), "127.0.0.1");
    }

    #[test]
    fn the_secret_of_forms_is_not_the_sessions_own() {
        assert_ne!(csrf("a"), "a");
        assert_ne!(csrf("a"), csrf("b"));
        assert_ne!(csrf("a"), URL_SAFE_NO_PAD.encode(hash("a")));
    }
}
