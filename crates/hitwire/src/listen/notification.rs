//! What arrived: one request, its objects, and whether its signature is right.

use bytes::Bytes;
use serde_json::value::RawValue;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

/// One notification: a request that carries a batch of objects.
#[derive(Debug)]
pub struct Received {
    /// When its last byte was read, wall clock.
    pub at: SystemTime,
    /// The same moment on the monotonic clock, for measuring.
    pub arrived: Instant,
    /// Who sent it.
    pub peer: SocketAddr,
    /// `POST` or `PUT`.
    pub method: String,
    /// The request's path and query.
    pub path: String,
    /// The header `webhook-id`: the same on each attempt to deliver this batch.
    pub webhook_id: Option<String>,
    /// The body as it was sent.
    pub body: Bytes,
    /// The body's objects, each as it was written; or why it holds none.
    pub objects: Result<Vec<Box<RawValue>>, BodyError>,
    /// Whether it was signed, and rightly.
    pub signature: Signature,
    /// The status that it was answered with.
    pub answered: u16,
}

impl Received {
    /// The size of the body.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// How many objects it carries.
    pub fn object_count(&self) -> usize {
        self.objects.as_ref().map_or(0, Vec::len)
    }
}

/// What the signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// There is one, but no secret was given to check it with.
    NotChecked,
    /// Made with one of the secrets, over this id, time and body.
    Verified,
    /// There is one, but it was not made by a holder of a secret, or too long ago; and why.
    Wrong(String),
    /// There is none.
    Unsigned,
}

impl Signature {
    /// The word for it in machine-readable output.
    pub const fn name(&self) -> &'static str {
        match self {
            Signature::NotChecked => "unchecked",
            Signature::Verified => "verified",
            Signature::Wrong(_) => "wrong",
            Signature::Unsigned => "unsigned",
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signature::NotChecked => f.write_str("signature not checked"),
            Signature::Verified => f.write_str("signature verified"),
            Signature::Wrong(why) => write!(f, "signature WRONG: {why}"),
            Signature::Unsigned => f.write_str("unsigned"),
        }
    }
}

/// A body that is not a notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Neither an array of objects nor objects one a line.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but something in it is no object.
    #[error("item {0} of the body is not an object")]
    NotAnObject(usize),
}

/// The objects of a body: of a JSON array, or one after the other (JSON lines).
pub fn objects(body: &[u8]) -> Result<Vec<Box<RawValue>>, BodyError> {
    let in_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let objects: Vec<Box<RawValue>> = if in_array {
        serde_json::from_slice(body)
    } else {
        serde_json::Deserializer::from_slice(body).into_iter().collect()
    }
    .map_err(|error| BodyError::NotJson(error.to_string()))?;
    match objects.iter().position(|object| !object.get().starts_with('{')) {
        Some(index) => Err(BodyError::NotAnObject(index)),
        None => Ok(objects),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(body: &str) -> Result<Vec<String>, BodyError> {
        Ok(objects(body.as_bytes())?.into_iter().map(|object| object.get().to_owned()).collect())
    }

    #[test]
    fn an_array_and_lines_hold_the_same_objects() {
        let expected = Ok(vec![r#"{"n":1.50}"#.to_owned(), r#"{"n":2}"#.to_owned()]);
        assert_eq!(written(r#" [{"n":1.50},{"n":2}]"#), expected);
        assert_eq!(written("{\"n\":1.50}\n{\"n\":2}\n"), expected);
    }

    #[test]
    fn an_empty_array_holds_nothing() {
        assert_eq!(written("[]"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_notification_is_said_to_be_none() {
        assert!(matches!(written("hello"), Err(BodyError::NotJson(_))));
        assert!(matches!(written("[{}"), Err(BodyError::NotJson(_))));
        assert_eq!(written("[{},1]"), Err(BodyError::NotAnObject(1)));
        assert_eq!(written("3"), Err(BodyError::NotAnObject(0)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_objects_or_an_error(body in any::<Vec<u8>>()) {
            let _ = objects(&body);
        }
    }
}
