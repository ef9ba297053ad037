//! How a URL is written. The parser is that of browsers, which mends much in silence (`https:///x` is `https://x/` to it, and so
//! is `https:\\x`): users should see what is dialled, so a URL that the parser would mend is refused.

use hitwire_event::escape::visible;
use url::ParseError;

/// Bytes of a name (RFC 1035 section 2.3.4), without the dot at its end.
const NAME_BYTES_MAX: usize = 253;

/// Bytes of the parts between its dots.
const LABEL_BYTES_MAX: usize = 63;

/// How a URL is not written. The words never quote it: its path and query are secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpellingError {
    /// `https:x`, `https:/x`, `https:///x`.
    #[error(
        "the URL must begin with https://, then the host: exactly two slashes, as in https://siem.example.com/hits"
    )]
    Slashes,
    /// `https:\\x`, `https://x\y`.
    #[error("the URL contains a backslash; write slashes as /, and a backslash of the path as %5C")]
    Backslash,
    /// `https://%65xample.com/`.
    #[error(
        "the URL's host contains a percent sign; write the host as it is, without %XX and without an IPv6 zone"
    )]
    PercentInHost,
    /// `https://a..b/`.
    #[error("the URL's host has two dots in a row, or one at its beginning; write it as in siem.example.com")]
    EmptyLabel,
    /// A part is longer than 63 bytes, or the whole longer than 253.
    #[error(
        "the URL's host is too long: at most {LABEL_BYTES_MAX} characters between two dots, {NAME_BYTES_MAX} in all"
    )]
    TooLongHost,
    /// Something that no name has.
    #[error("the URL's host may have letters, digits, hyphens, underscores and dots only")]
    HostCharacter,
    /// A soft hyphen, a zero-width space, text that runs backwards.
    #[error("the URL's host contains an invisible character; type it again instead of pasting it")]
    Invisible,
    /// Letters beyond ASCII, or `xn--`, that are no name.
    #[error(
        "the URL's host is not a valid international name; check its letters, or write it in its xn-- form"
    )]
    International,
    /// `https://::1/`.
    #[error("an IPv6 address stands in brackets in a URL, as in https://[2001:db8::1]:8443/")]
    Brackets,
    /// `https://[::g]/`.
    #[error("the URL's host is not a valid IPv6 address in brackets; write one as in [2001:db8::1]")]
    Ipv6,
    /// `https://999.0.0.1/`.
    #[error("the URL's host looks like an IPv4 address and is none; write four numbers from 0 to 255")]
    Ipv4,
    /// `https://x:70000/`.
    #[error("the URL's port must be a number from 1 to 65535")]
    Port,
}

/// What the text alone tells, before a parser mends it. What is no `https:` or `http:` passes, and so does a user before the
/// host: the caller has words of its own for these.
///
/// # Errors
///
/// The first rule that the text does not keep.
pub fn check(text: &str) -> Result<(), SpellingError> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(()) };
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let before_query = rest.split(['?', '#']).next().unwrap_or_default();
    if before_query.contains('\\') {
        return Err(SpellingError::Backslash);
    }
    let Some(after) = before_query.strip_prefix("//") else { return Err(SpellingError::Slashes) };
    if after.starts_with('/') {
        return Err(SpellingError::Slashes);
    }
    if has_user(text) {
        return Ok(());
    }
    let (host, port) = authority(after)?;
    if port.is_some_and(|port| !port.is_empty() && !port.parse::<u16>().is_ok_and(|_| is_digits(port))) {
        return Err(SpellingError::Port);
    }
    if host.contains('%') {
        return Err(SpellingError::PercentInHost);
    }
    if visible(host) != host {
        return Err(SpellingError::Invisible);
    }
    Ok(())
}

/// Whether a user stands before the host, be it an empty one.
pub(super) fn has_user(text: &str) -> bool {
    let after = text.split_once("://").map_or("", |(_, after)| after);
    after.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Host and port.
fn authority(after_slashes: &str) -> Result<(&str, Option<&str>), SpellingError> {
    let host_and_port = after_slashes.split('/').next().unwrap_or_default();
    let (host, port) = if host_and_port.starts_with('[') {
        let Some(end) = host_and_port.find(']') else { return Err(SpellingError::Ipv6) };
        let (host, rest) = host_and_port.split_at(end + 1);
        match rest.strip_prefix(':') {
            None if rest.is_empty() => (host, None),
            None => return Err(SpellingError::Ipv6),
            port => (host, port),
        }
    } else {
        let mut parts = host_and_port.split(':');
        let (host, port) = (parts.next().unwrap_or_default(), parts.next());
        if parts.next().is_some() {
            return Err(SpellingError::Brackets);
        }
        (host, port)
    };
    Ok((host, port))
}

/// Why the parser does not take it; none: no rule of ours has words for that.
pub(super) fn of_parser(error: ParseError) -> Option<SpellingError> {
    match error {
        ParseError::IdnaError => Some(SpellingError::International),
        ParseError::InvalidPort => Some(SpellingError::Port),
        ParseError::InvalidIpv4Address => Some(SpellingError::Ipv4),
        ParseError::InvalidIpv6Address => Some(SpellingError::Ipv6),
        ParseError::InvalidDomainCharacter => Some(SpellingError::HostCharacter),
        _ => None,
    }
}

/// Whether a name, as the parser normalised it, can be one. A dot at its end is its own.
pub(crate) fn check_name(name: &str) -> Result<(), SpellingError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > NAME_BYTES_MAX {
        return Err(SpellingError::TooLongHost);
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(SpellingError::EmptyLabel);
        }
        if label.len() > LABEL_BYTES_MAX {
            return Err(SpellingError::TooLongHost);
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(SpellingError::HostCharacter);
        }
    }
    Ok(())
}
