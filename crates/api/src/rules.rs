//! What an integration may be, and what a change of one may do. Plain functions: what a caller asks for goes in, an
//! integration or everything that is wrong with it comes out.

mod identity;
mod proxy;

use super::contract::{Asked, AskedHeader, AskedTarget, AskedTick, OwnSetting, Signing};
use super::fields::{Errors, pointer};
use super::problem::FieldError;
use hitwire_courier::Preset;
use hitwire_endpoint::{Guard, Outbound, Pin, TlsIdentity, check_headers, sign};
use hitwire_event::{ClientId, Kind, Seq};
use hitwire_receiver::Style;
use hitwire_store::{Activity, HttpVersion, Integration, MASK, NewIntegration, Secret, Target, Ticked};
use proxy::KeptProxy;
use std::collections::{BTreeSet, HashMap};
use url::Url;

const URL_AT: &str = "/target/url";
const HEADERS_AT: &str = "/target/headers";

/// Who creates an integration, and when.
pub(super) struct Author<'a> {
    pub(super) client: ClientId,
    pub(super) name: &'a str,
    pub(super) now_s: u64,
}

/// What the rules of one installation stand on.
pub(super) struct RuleContext<'a> {
    /// Says where may be sent.
    pub(super) guard: &'a Guard,
    /// How connections leave.
    pub(super) outbound: &'a Outbound,
    /// The rendering of integrations that name none.
    pub(super) default_rendering: Style,
    /// For secrets to be made.
    pub(super) random: &'a Random,
}

/// Random bytes that become a signing secret and a private key, should they be needed.
pub(super) struct Random {
    pub(super) secret: [u8; sign::SECRET_BYTES],
    pub(super) key: [u8; sign::SEED_BYTES],
}

/// A new integration of what was asked for.
pub(super) fn create(
    asked: Asked,
    context: &RuleContext<'_>,
    author: &Author<'_>,
) -> Result<NewIntegration, Vec<FieldError>> {
    let errors = Errors::default();
    if asked.signing_secret.is_some() {
        errors.add("/signing_secret", "is made by hitwire and answered to the creation; leave it out");
    }
    let name = match asked.name {
        Some(name) => checked_name(name, &errors),
        None => default_name(author),
    };
    let target = asked.target.map(|target| checked_target(target, None, context, author.client, &errors));
    if target.is_none() {
        errors.add("/target", "is missing: say at least where to send, {\"url\":\"https://...\"}");
    }
    match target {
        Some(target) if errors.is_empty() => Ok(NewIntegration {
            id: None,
            client: author.client,
            name,
            active: asked.active.unwrap_or(true),
            created_at: author.now_s,
            created_by: author.name.to_owned(),
            target,
            events: asked.events.unwrap_or_default().into_iter().map(Ticked::from).collect(),
            filter: asked.filter.unwrap_or_default(),
        }),
        _ => Err(errors.into_vec()),
    }
}

/// An integration as it shall be after a change.
pub(super) fn change(
    current: &Integration,
    asked: Asked,
    context: &RuleContext<'_>,
) -> Result<Integration, Vec<FieldError>> {
    let errors = Errors::default();
    if let Some(id) = asked.id
        && id != current.id.0
    {
        errors.add("/id", format!("is {id}, but the path names {}", current.id.0));
    }
    if let Some(secret) = asked.signing_secret
        && secret.expose() != MASK
        && secret != current.target.signing_secret
    {
        errors.add("/signing_secret", "cannot be changed in this version; leave it out");
    }
    let mut changed = current.clone();
    if let Some(name) = asked.name {
        changed.name = checked_name(name, &errors);
    }
    if let Some(events) = asked.events {
        changed.events = events.into_iter().map(Ticked::from).collect();
    }
    if let Some(filter) = asked.filter {
        changed.filter = filter;
    }
    if let Some(target) = asked.target {
        changed.target = checked_target(target, Some(&current.target), context, current.client, &errors);
    }
    match asked.active {
        Some(true) => changed.activity = Activity::Active,
        // What hitwire disabled stays so, with its reason: `false` is what its answers say.
        Some(false) if current.activity == Activity::Active => changed.activity = Activity::DisabledByUser,
        _ => {}
    }
    if errors.is_empty() { Ok(changed) } else { Err(errors.into_vec()) }
}

impl From<AskedTick> for Ticked {
    fn from(tick: AskedTick) -> Self {
        Ticked {
            kind: tick.kind,
            active: tick.active,
            with_headers: tick.with_headers && tick.kind == Kind::Hit,
            from: Seq::ZERO,
        }
    }
}

fn checked_name(name: String, errors: &Errors) -> String {
    let name = name.trim();
    for problem in super::name::problems(name) {
        errors.add("/name", problem);
    }
    name.to_owned()
}

/// `Webhook integration by John Smith, Jun 4` (contract.md section 1), the day in UTC.
fn default_name(author: &Author<'_>) -> String {
    let day = jiff::Timestamp::from_second(author.now_s as i64).unwrap_or_default();
    let day = day.to_zoned(jiff::tz::TimeZone::UTC).strftime("%b %-d");
    format!("Webhook integration by {}, {day}", author.name)
}

fn checked_target(
    mut asked: AskedTarget,
    current: Option<&Target>,
    context: &RuleContext<'_>,
    client: ClientId,
    errors: &Errors,
) -> Target {
    let RuleContext { guard, outbound, default_rendering, random } = *context;
    if let Err(error) = guard.check_url(client, asked.url.expose()) {
        errors.add(URL_AT, error.to_string());
    }
    unmask_certificates(&mut asked, current, errors);
    let identity =
        TlsIdentity { ca_pem: asked.ca_file.clone(), verify: asked.ca_verify, ..TlsIdentity::default() };
    if let Err(error) = identity.check() {
        errors.add("/target/ca_file", error.to_string());
    }
    let (asked_proxy, credentials) =
        (std::mem::replace(&mut asked.proxy, OwnSetting::LeftOut), asked.proxy_credentials.take());
    let proxy = proxy::checked(asked_proxy, credentials, current, (guard, outbound, client), errors);
    let moved = current.and_then(|current| why_secrets_are_needed(current, &asked, &proxy));
    let (client_cert, client_key) = identity::checked(asked.client, current, moved, errors);
    let headers = match (asked.headers, current) {
        (Some(headers), _) => headers,
        (None, Some(current)) => current.headers.iter().map(|(name, _)| masked(name)).collect(),
        (None, None) => Vec::new(),
    };
    let pins = pins_of(&asked.pins, current);
    Target {
        headers: checked_headers(headers, current, moved, errors),
        url: asked.url,
        http_method: asked.http_method,
        ca_file: asked.ca_file,
        ca_verify: asked.ca_verify,
        timeout_s: asked.timeout_s,
        open_timeout_s: asked.open_timeout_s,
        proxy: proxy.url,
        proxy_credentials: proxy.credentials,
        http_version: asked.http_version.or(current.map(|it| it.http_version), HttpVersion::Auto),
        format: asked.format,
        rendering: asked.rendering.or(current.map(|it| it.rendering), default_rendering),
        retry: asked.retry.or(current.map(|it| it.retry), Preset::Patient),
        max_events: asked.max_events.or(current.map(|it| it.max_events), None),
        max_bytes: asked.max_bytes.or(current.map(|it| it.max_bytes), None),
        client_cert,
        client_key,
        pins,
        rate: asked.rate.or(current.map(|it| it.rate), None),
        in_flight: asked.in_flight.or(current.map(|it| it.in_flight), 1),
        signing_secret: current.map_or_else(
            || Secret::new(sign::secret(&random.secret).as_str()),
            |current| current.signing_secret.clone(),
        ),
        previous_secret: current.and_then(|current| current.previous_secret.clone()),
        signing_key: signing_key(asked.signing, current, random),
    }
}

/// Puts the stored certificates in the place of their mask, which lists show.
fn unmask_certificates(asked: &mut AskedTarget, current: Option<&Target>, errors: &Errors) {
    let missing = |at: &str, what: &str| {
        errors.add(at, format!("is only the mask, and there is no {what} yet; send it"));
    };
    if asked.ca_file == MASK {
        asked.ca_file = current.map(|current| current.ca_file.clone()).unwrap_or_default();
        if asked.ca_file.is_empty() {
            missing("/target/ca_file", "CA certificate");
        }
    }
    if asked.client.cert.as_deref() == Some(MASK) {
        asked.client.cert =
            current.map(|current| current.client_cert.clone()).filter(|cert| !cert.is_empty());
        if asked.client.cert.is_none() {
            missing("/target/client_cert", "client certificate");
        }
    }
}

/// The pins as they are to be.
fn pins_of(asked: &OwnSetting<Vec<Pin>>, current: Option<&Target>) -> Vec<[u8; 32]> {
    match asked {
        OwnSetting::LeftOut => current.map(|current| current.pins.clone()).unwrap_or_default(),
        OwnSetting::Default => Vec::new(),
        OwnSetting::Given(pins) => pins.iter().map(|pin| *pin.as_bytes()).collect(),
    }
}

/// The private key that signs too, if one does.
fn signing_key(asked: Option<Signing>, current: Option<&Target>, random: &Random) -> Option<Secret> {
    let kept = current.and_then(|current| current.signing_key.clone());
    match asked {
        None => kept,
        Some(Signing::V1) => None,
        Some(Signing::V1a) => kept.or_else(|| Some(Secret::new(sign::private_key(&random.key).as_str()))),
    }
}

fn masked(name: &str) -> AskedHeader {
    AskedHeader { name: name.to_owned(), value: Secret::new(MASK) }
}

/// The headers with the values that the current ones keep. A masked value stands for the current one; if the change sends
/// requests elsewhere, or trusts others, it must be given again: else whoever may edit could have the secrets sent to
/// himself.
fn checked_headers(
    asked: Vec<AskedHeader>,
    current: Option<&Target>,
    moved: Option<&'static str>,
    errors: &Errors,
) -> Vec<(String, Secret)> {
    let kept: HashMap<String, &Secret> = current
        .into_iter()
        .flat_map(|current| &current.headers)
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let mut headers = Vec::with_capacity(asked.len());
    for AskedHeader { name, value } in asked {
        let at = pointer(HEADERS_AT, &name);
        if value.expose() != MASK {
            if let Err(error) = check_headers(&[(&name, value.expose())]) {
                errors.add(at, error.to_string());
            }
            headers.push((name, value));
            continue;
        }
        match (kept.get(&name.to_ascii_lowercase()), moved) {
            (Some(value), None) => headers.push((name, (*value).clone())),
            (Some(_), Some(why)) => {
                errors.add(at, format!("{why}, so the value of this header must be sent again"));
            }
            (None, _) => errors.add(at, "is only the mask, and there is no such header yet; send its value"),
        }
    }
    let listed: Vec<_> = headers.iter().map(|(name, value)| (name, value.expose())).collect();
    if errors.is_empty()
        && let Err(error) = check_headers(&listed)
    {
        errors.add(HEADERS_AT, error.to_string());
    }
    headers
}

/// Why a change of the target needs every secret again, if it does (architecture.md, "Security decisions").
fn why_secrets_are_needed(current: &Target, asked: &AskedTarget, proxy: &KeptProxy) -> Option<&'static str> {
    let (Ok(before), Ok(after)) = (Url::parse(current.url.expose()), Url::parse(asked.url.expose())) else {
        return Some("the URL changes");
    };
    if before.scheme() != after.scheme() {
        return Some("the URL's scheme changes");
    }
    if before.host() != after.host() {
        return Some("the URL's host changes");
    }
    if before.port_or_known_default() != after.port_or_known_default() {
        return Some("the URL's port changes");
    }
    if proxy.is_another(current) {
        return Some("the proxy changes");
    }
    if current.ca_file.trim() != asked.ca_file.trim() {
        return Some("the CA certificate changes");
    }
    if current.ca_verify && !asked.ca_verify {
        return Some("the server's certificate is no longer verified");
    }
    let after: BTreeSet<[u8; 32]> = pins_of(&asked.pins, Some(current)).into_iter().collect();
    if current.pins.iter().copied().collect::<BTreeSet<_>>() != after {
        return Some("the pins change");
    }
    None
}

#[cfg(test)]
mod tests;
