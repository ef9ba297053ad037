//! Header names as they are written over HTTP/1.1.
//!
//! Names have no case, but some old receivers compare them byte for byte, so those that the user set leave as he wrote
//! them. The HTTP library keeps names in lower case. It writes them otherwise only for a request that carries the spellings
//! that it noted itself when it read a request as a server ("preserve header case", made for proxies). So it is given the
//! names to read once, and what it noted goes along with every request that has the same names.

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Extensions;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

/// hitwire's own names, unless the user writes one otherwise. Standard Webhooks writes its own in lower case.
const OWN_NAMES: [&str; 4] = ["Host", "Content-Length", "Content-Type", "User-Agent"];

/// Lists of names whose spellings are kept ready. Past that all are noted anew.
const KEPT_MAX: usize = 512;

/// The bytes of the longest list that is kept; a longer one is noted for each request.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// Spellings of lists of names. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spellings {
    /// By the names, a line each.
    kept: Arc<Mutex<HashMap<String, Extensions>>>,
}

impl Spellings {
    /// What makes a request with these headers leave with their names as they are written here, and hitwire's own with
    /// capitals. The names must be valid.
    pub(crate) fn of<V>(&self, headers: &[(String, V)]) -> Extensions {
        let mut names = String::new();
        for (name, _) in headers {
            names.push_str(name);
            names.push('\n');
        }
        if let Some(kept) = self.lock().get(&names) {
            return kept.clone();
        }
        let noted = note(headers.iter().map(|(name, _)| name.as_str()));
        if names.len() > KEPT_BYTES_MAX {
            return noted;
        }
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.entry(names).or_insert(noted).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Extensions>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the library read a request with these names. All of it is in memory, so it never waits.
fn note<'a>(names: impl ExactSizeIterator<Item = &'a str> + Clone) -> Extensions {
    let headers_max = names.len() + OWN_NAMES.len();
    let mut head = b"GET / HTTP/1.0\r\n".to_vec();
    let own = OWN_NAMES.into_iter().filter(|own| !names.clone().any(|name| name.eq_ignore_ascii_case(own)));
    for name in names.clone().chain(own) {
        let value: &[u8] = if name.eq_ignore_ascii_case("content-length") { b": 0\r\n" } else { b": x\r\n" };
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(value);
    }
    head.extend_from_slice(b"\r\n");
    let noted: Mutex<Extensions> = Mutex::default();
    let service = service_fn(|mut request: http::Request<Incoming>| {
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(request.extensions_mut());
        std::future::ready(Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new())))
    });
    let io = TokioIo::new(tokio::io::join(&head[..], tokio::io::sink()));
    let _ = http1::Builder::new()
        .preserve_header_case(true)
        .header_read_timeout(None)
        .max_headers(headers_max)
        .serve_connection(io, service)
        .now_or_never();
    noted.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<(String, ())> {
        names.iter().map(|name| ((*name).to_owned(), ())).collect()
    }

    #[test]
    fn equal_names_are_noted_once_and_not_too_many_lists_are_kept() {
        let spellings = Spellings::default();
        for _ in 0..2 {
            assert_eq!(spellings.of(&named(&["X-Api-Key", "SOAPAction"])).len(), 1);
        }
        assert_eq!(spellings.lock().len(), 1);
        for number in 0..KEPT_MAX {
            spellings.of(&named(&[&format!("X-{number}")]));
        }
        assert!(spellings.lock().len() <= KEPT_MAX);
    }

    #[test]
    fn many_names_are_noted_too() {
        let names: Vec<_> = (0..2_000).map(|number| format!("X-{number}")).collect();
        let names = named(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let spellings = Spellings::default();
        assert_eq!(spellings.of(&names).len(), 1);
        assert_eq!(spellings.lock().len(), 0, "a list that long is not kept");
    }
}
