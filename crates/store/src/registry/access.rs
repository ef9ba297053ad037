//! How users sign in to the console: credentials, sessions, and links that are good once.

use crate::{Secret, UserId};

/// What a user proves who it is with. A user without one cannot sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub user: UserId,
    /// Rises with every change; given to a change, it is the one that the change was made from (0: there was none).
    pub revision: u64,
    /// The password's hash as a PHC string; none: there is no password.
    pub password: Option<String>,
    /// Unix seconds; when the password was set.
    pub password_set_at: Option<u64>,
    /// The secret of the second factor (RFC 6238), in base32; none: there is no second factor.
    pub totp: Option<Secret>,
    /// The last step (30 s since the Unix epoch) whose code was accepted: a code is good once.
    pub totp_step: u64,
    /// SHA-256 of each recovery code that is left.
    pub recovery: Vec<[u8; 32]>,
    /// Who it is to an OpenID provider: issuer and subject.
    pub subject: Option<(String, String)>,
}

/// Somebody who is signed in, in one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of what the browser holds.
    pub sha256: [u8; 32],
    /// Who.
    pub user: UserId,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds, to about a minute.
    pub last_used_at: u64,
    /// `password`, `totp`, `recovery`, `oidc`, `link`.
    pub signed_in_with: String,
    /// From where.
    pub address: String,
    /// What the browser calls itself; bounded, and not to be trusted.
    pub agent: String,
}

/// A link that sets a password, good once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// SHA-256 of the secret part of the link.
    pub sha256: [u8; 32],
    /// Whose password; none: the first user's, who is yet to be made.
    pub user: Option<UserId>,
    /// Unix seconds; from then on it is refused.
    pub expires_at: u64,
}

/// The session of a signed-in user, on a request that the console makes to the API. It stands in place of a token. It is an
/// extension of the request, which cannot be sent over the wire.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// SHA-256 of the session; who that is, and what they may do, is read again for each request.
    pub session: [u8; 32],
}
