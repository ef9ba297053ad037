//! Tickets: what a browser keeps for us between two steps of a sign-in. Signed, good for some minutes and for one purpose, and
//! nothing is remembered here: whoever begins a million sign-ins fills no memory.
//!
//! What is in a ticket is for its browser to see; it is not secret, only true. The key is made at each start.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use std::fmt;

/// Bytes of the key, and of a signature.
const BYTES: usize = 32;

/// The longest ticket that is looked at: browsers keep cookies of 4 KiB.
const CHARS_MAX: usize = 4_096;

/// Issues tickets and reads them.
#[derive(Clone)]
pub(crate) struct Tickets([u8; BYTES]);

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets(..)")
    }
}

impl Tickets {
    /// With a key that nobody has.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; BYTES];
        getrandom::fill(&mut key)?;
        Ok(Tickets(key))
    }

    /// A ticket for `purpose` that says `content` and is good until `expires_s` (Unix seconds).
    pub(crate) fn issue(&self, purpose: &str, content: &impl Serialize, expires_s: u64) -> String {
        let content = serde_json::to_vec(&(expires_s, content)).unwrap_or_default();
        let signature = self.signature(purpose, &content).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&content), URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a ticket for this purpose says; none if it is not one of ours, or too old.
    pub(crate) fn read<T: DeserializeOwned>(&self, purpose: &str, ticket: &str, now_s: u64) -> Option<T> {
        if ticket.len() > CHARS_MAX {
            return None;
        }
        let (content, signature) = ticket.split_once('.')?;
        let content = URL_SAFE_NO_PAD.decode(content).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compares in constant time.
        self.signature(purpose, &content).verify_slice(&signature).ok()?;
        let (expires_s, content): (u64, T) = serde_json::from_slice(&content).ok()?;
        (now_s < expires_s).then_some(content)
    }

    fn signature(&self, purpose: &str, content: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(content);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_its_time_and_purpose() {
        let tickets = Tickets::new().unwrap();
        let ticket = tickets.issue("code", &("ada", 7), 100);
        assert_eq!(tickets.read("code", &ticket, 99), Some(("ada".to_owned(), 7)));
        assert_eq!(tickets.read::<(String, u64)>("code", &ticket, 100), None);
        assert_eq!(tickets.read::<(String, u64)>("oidc", &ticket, 99), None);
        assert_eq!(Tickets::new().unwrap().read::<(String, u64)>("code", &ticket, 99), None, "another start");
    }

    #[test]
    fn a_ticket_that_was_touched_is_none_of_ours() {
        let tickets = Tickets::new().unwrap();
        let ticket = tickets.issue("code", &7_u64, 100);
        for at in 0..ticket.len() {
            let mut touched = ticket.clone().into_bytes();
            touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
            let touched = String::from_utf8(touched).unwrap();
            assert_eq!(tickets.read::<u64>("code", &touched, 0), None, "{at}");
        }
        for ticket in ["", ".", "AA", "AA.", ".AA", &"A".repeat(10_000)] {
            assert_eq!(tickets.read::<u64>("code", ticket, 0), None);
        }
    }
}
