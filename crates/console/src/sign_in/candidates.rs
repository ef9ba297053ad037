//! Who may be meant by an e-mail: a user of each client may have it, and none of them may be told from outside.
//!
//! An administrator of one client can make a user with any e-mail, and sign in as that user. If the way from there told whether
//! another client has the same e-mail, it would tell who is a user of others. So the password alone says who is meant, as many
//! hashes are tried for one user as for a few, and who fits several clients chooses.

use super::password::Verdict;
use crate::Console;
use crate::failure::Failure;
use hitwire_event::ClientId;
use hitwire_store::{Credential, Secret, StoreError, User};

/// Users with the same e-mail whose passwords are tried. Beyond that the client must be named.
const TRIED_MAX: usize = 10;

/// Hashes that are tried at least where there are several clients, so that the time does not tell whether another client has the
/// e-mail too. More than so many clients with the same e-mail can be told by the time.
const TRIED_MIN: usize = 3;

/// Somebody whose password is right.
pub(super) struct Fitting {
    pub(super) user: User,
    pub(super) credential: Credential,
    pub(super) verdict: Verdict,
}

/// What a password came to.
#[derive(Default)]
pub(super) struct Tried {
    /// Those whose password it is, and who are not disabled.
    pub(super) fitting: Vec<Fitting>,
    /// The others, and why they are not let in.
    pub(super) refused: Vec<(User, &'static str)>,
}

/// Tries a password with each user who has the e-mail; `client`: only the one of this client.
pub(super) async fn try_password(
    console: &Console,
    email: &str,
    client: Option<ClientId>,
    password: &Secret,
) -> Result<Tried, Failure> {
    let mut users = console.store.users_of_email(email).await?;
    users.retain(|user| client.is_none_or(|client| user.client == client));
    users.truncate(TRIED_MAX);
    let several = client.is_none() && console.store.client_page(ClientId(0), 2).await?.len() > 1;
    let spare = hashes_tried(users.len(), several) - users.len();
    let mut tried = Tried::default();
    for user in users {
        let credential = console.store.credential(user.id).await?;
        let hash = credential.as_ref().and_then(|credential| credential.password.clone());
        match (console.sign_in.passwords.verify(password.clone(), hash).await?, credential) {
            (Verdict::Wrong, _) | (_, None) => tried.refused.push((user, "wrong password")),
            _ if !user.enabled => tried.refused.push((user, "disabled")),
            (verdict, Some(credential)) => tried.fitting.push(Fitting { user, credential, verdict }),
        }
    }
    for _ in 0..spare {
        console.sign_in.passwords.verify(password.clone(), None).await?;
    }
    if tried.fitting.len() > 1 {
        // Who can get in somewhere need not choose what is closed.
        let is_open = |one: &Fitting| (console.is_enabled)(one.user.client);
        if tried.fitting.iter().any(is_open) {
            tried.fitting.retain(is_open);
        }
    }
    Ok(tried)
}

/// How many hashes are tried for so many users. Also without any, so that the time does not tell who has an account.
fn hashes_tried(users: usize, several_clients: bool) -> usize {
    users.max(if several_clients { TRIED_MIN } else { 1 })
}

/// A client that the user chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) id: u64,
    pub(super) name: String,
}

/// The clients of these users by name, to choose from.
pub(super) async fn choices(
    console: &Console,
    clients: impl Iterator<Item = ClientId>,
) -> Result<Vec<Choice>, StoreError> {
    let all = console.store.clients().await?;
    let named = |id: ClientId| {
        let name = all.iter().find(|client| client.id == id).map(|client| client.name.clone());
        Choice { id: id.0, name: name.unwrap_or_default() }
    };
    Ok(clients.map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_sign_in_does_not_tell_whether_another_client_has_the_email() {
        for users in 0..=TRIED_MIN {
            assert_eq!(hashes_tried(users, true), TRIED_MIN);
        }
        assert_eq!([0, 1].map(|users| hashes_tried(users, false)), [1, 1], "nor who has an account");
    }
}
