//! A value that is sealed at rest and never printed.

use std::fmt;
use zeroize::Zeroize;

/// What is shown in place of a secret, and what leaves a secret as it is when it is sent back.
pub const MASK: &str = "********";

/// A secret in memory: masked when printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The secret itself. Only for sending it to the endpoint or sealing it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
