//! Who may make which call: the one place that says so. What does not stand here is nobody's call.

use hitwire_store::Role;
use hitwire_store::Role::{Administrator, Analyst, Ingest, Operator, ReadOnly};
use http::Method;

const OPERATORS: &[Role] = &[Operator];
const ADMINISTRATORS: &[Role] = &[Operator, Administrator];
/// Who may send events.
const SENDERS: &[Role] = &[Operator, Administrator, Ingest];
/// Who may see what became of events.
const TRACERS: &[Role] = &[Operator, Administrator, Analyst];
/// Who may see accounts and what was changed.
const AUDITORS: &[Role] = &[Operator, Administrator, ReadOnly];
const READERS: &[Role] = &[Operator, Administrator, Analyst, ReadOnly];

/// Every call that needs a token: method, path as it is routed, who may.
pub(super) const TABLE: &[(&str, &str, &[Role])] = &[
    ("POST", "/v1/events", SENDERS),
    ("POST", "/v1/counters", SENDERS),
    ("GET", "/v1/events", READERS),
    ("GET", "/v1/events/{seq}", READERS),
    ("GET", "/v1/events/{seq}/deliveries", TRACERS),
    ("GET", "/v2/integration", ADMINISTRATORS),
    ("POST", "/v2/integration", ADMINISTRATORS),
    ("GET", "/v2/integration/{id}", ADMINISTRATORS),
    ("PUT", "/v2/integration/{id}", ADMINISTRATORS),
    ("DELETE", "/v2/integration/{id}", ADMINISTRATORS),
    ("POST", "/v2/integration/{id}/rotate-secret", ADMINISTRATORS),
    ("POST", "/v2/integration/{id}/check-signature", ADMINISTRATORS),
    ("POST", "/v2/integration/{id}/test", ADMINISTRATORS),
    ("POST", "/v2/integration/test", ADMINISTRATORS),
    ("POST", "/v2/integration/render", ADMINISTRATORS),
    ("POST", "/v2/integration/preview", ADMINISTRATORS),
    ("GET", "/v2/integration/overview", ADMINISTRATORS),
    ("GET", "/v2/integration/{id}/status", ADMINISTRATORS),
    ("GET", "/v2/integration/{id}/attempts", TRACERS),
    ("GET", "/v2/integration/{id}/attempts/{n}", TRACERS),
    ("GET", "/v2/integration/{id}/attempts/{n}/curl", TRACERS),
    ("GET", "/v2/integration/{id}/lost", TRACERS),
    ("GET", "/v2/integration/{id}/replays", TRACERS),
    ("POST", "/v2/integration/{id}/replays", ADMINISTRATORS),
    ("GET", "/v2/integration/{id}/replays/{n}", TRACERS),
    ("PUT", "/v2/integration/{id}/replays/{n}", ADMINISTRATORS),
    ("DELETE", "/v2/integration/{id}/replays/{n}", ADMINISTRATORS),
    ("POST", "/v2/integration/{id}/retry", ADMINISTRATORS),
    ("GET", "/v1/sources", READERS),
    ("POST", "/v1/user", READERS),
    ("PUT", "/v1/user", READERS),
    ("GET", "/v1/objects/client", READERS),
    ("POST", "/v1/objects/client", READERS),
    ("GET", "/v1/clients", READERS),
    ("POST", "/v1/clients", OPERATORS),
    ("GET", "/v1/clients/{id}", READERS),
    ("PUT", "/v1/clients/{id}", OPERATORS),
    ("DELETE", "/v1/clients/{id}", OPERATORS),
    ("GET", "/v1/users", AUDITORS),
    ("POST", "/v1/users", ADMINISTRATORS),
    ("GET", "/v1/users/{id}", AUDITORS),
    ("PUT", "/v1/users/{id}", ADMINISTRATORS),
    ("DELETE", "/v1/users/{id}", ADMINISTRATORS),
    ("POST", "/v1/users/{id}/sign-in-link", ADMINISTRATORS),
    ("GET", "/v1/tokens", ADMINISTRATORS),
    ("POST", "/v1/tokens", ADMINISTRATORS),
    ("GET", "/v1/tokens/{id}", ADMINISTRATORS),
    ("DELETE", "/v1/tokens/{id}", ADMINISTRATORS),
    ("GET", "/v1/applications", READERS),
    ("POST", "/v1/applications", ADMINISTRATORS),
    ("GET", "/v1/applications/{id}", READERS),
    ("PUT", "/v1/applications/{id}", ADMINISTRATORS),
    ("DELETE", "/v1/applications/{id}", ADMINISTRATORS),
    ("GET", "/v1/activity", AUDITORS),
    ("GET", "/metrics", OPERATORS),
];

/// Who may make this call.
pub(super) fn allowed(method: &Method, path: &str) -> &'static [Role] {
    // The router answers HEAD as it does GET.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let row = TABLE.iter().find(|(of, at, _)| *of == method && *at == path);
    row.map_or(&[], |(_, _, roles)| roles)
}

/// Whether a role may make this call.
pub fn may(method: &Method, path: &str, role: Role) -> bool {
    allowed(method, path).contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls that the description says need a token.
    fn described() -> Vec<(&'static str, String)> {
        let (_, document) = crate::calls().split_for_parts();
        let mut calls = Vec::new();
        for (path, item) in document.paths.paths {
            let operations =
                [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("DELETE", item.delete)];
            for (method, operation) in operations {
                if operation.is_some_and(|operation| operation.security.is_some()) {
                    calls.push((method, path.clone()));
                }
            }
        }
        calls
    }

    #[test]
    fn each_call_that_needs_a_token_has_a_row_and_each_row_a_call() {
        let described = described();
        assert!(described.len() > 30, "{described:?}");
        for (method, path) in &described {
            let rows = TABLE.iter().filter(|(of, at, _)| of == method && at == path).count();
            assert_eq!(rows, 1, "{method} {path}");
        }
        for (method, path, _) in TABLE {
            assert!(described.iter().any(|(of, at)| of == method && at == path), "{method} {path}");
        }
    }

    #[test]
    fn an_operator_may_do_everything_and_what_has_no_row_nobody() {
        assert!(TABLE.iter().all(|(_, _, roles)| roles.contains(&Operator)));
        assert_eq!(allowed(&Method::PATCH, "/v1/events"), []);
        assert_eq!(allowed(&Method::HEAD, "/v1/events"), READERS);
    }
}
