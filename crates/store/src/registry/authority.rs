//! What a change was decided on, checked again by the commit that makes it.

use crate::{Role, TokenId, UserId};
use hitwire_event::ClientId;

/// Who makes a change, and what allowed it when it was decided on. [`Op::Require`](crate::Op::Require) refuses the commit if
/// it no longer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The client of the token or the user: it must exist and be enabled.
    pub client: ClientId,
    /// A token of the store: it must exist and not have expired. None: a token of the configuration, or a session.
    pub token: Option<TokenId>,
    /// SHA-256 of a session of the console: it must exist. None: a token.
    pub session: Option<[u8; 32]>,
    /// The user, who must exist, be enabled, and have at least the power of this role. None: a token without a user.
    pub user: Option<(UserId, Role)>,
}

/// Why an [`Authority`] no longer holds, or why a user cannot be signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Revoked {
    /// The token was deleted.
    #[error("the token was revoked")]
    Token,
    /// The token expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The session ended.
    #[error("the session has ended")]
    Session,
    /// The user was deleted.
    #[error("the user was deleted")]
    User,
    /// The user was disabled.
    #[error("the user is disabled")]
    UserDisabled,
    /// The user's role is lower than it was.
    #[error("the user's role was changed")]
    Role,
    /// The client was deleted.
    #[error("the client was deleted")]
    Client,
    /// The client was disabled.
    #[error("the client is disabled")]
    ClientDisabled,
}
