//! What an attempt came to, in words, and what helps.

use super::Attempt;
use super::since::{Later, Since};

/// The status that says that a body is too large.
const TOO_LARGE: u16 = 413;

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    /// What it means.
    pub(super) what: String,
    /// What helps; none if nothing is to be done.
    pub(super) help: Option<&'static str>,
    /// What followed, as far as it is on record; may be empty.
    pub(super) next: String,
}

/// Explains an attempt. `cause`: why there is no complete answer, in one word.
pub(super) fn explain(attempt: &Attempt, cause: Option<&str>, since: &Since) -> Explanation {
    let (what, help) = match (attempt.status, cause) {
        (Some(TOO_LARGE), _) if attempt.events == 1 => (
            "The endpoint returned 413. A single event is too large for it.".to_owned(),
            Some("Allow larger requests there, or at the proxy before it: an event cannot be cut."),
        ),
        (Some(status), _) => of_status(status),
        (None, Some(cause)) => of_cause(cause),
        (None, None) => ("There was no complete answer.".to_owned(), None),
    };
    Explanation { what, help, next: next(attempt, since) }
}

/// What followed, as far as it is on record.
fn next(attempt: &Attempt, since: &Since) -> String {
    if attempt.verdict == "delivered" {
        return "The events of this batch are settled.".to_owned();
    }
    let mut words = match &since.later {
        Some(Later { id, same_batch: true, outcome }) => {
            format!("The same batch was tried again; the newest try is attempt {id}: {}.", outcome.word)
        }
        Some(Later { id, same_batch: false, outcome }) => {
            format!(
                "A later batch reaches over the same events; the newest is attempt {id}: {}.",
                outcome.word
            )
        }
        None if since.lost || since.may_be_more => String::new(),
        None if attempt.status == Some(TOO_LARGE) && attempt.events > 1 => {
            "Smaller batches were to take its place; none of them is on record yet.".to_owned()
        }
        None => "No later try is on record.".to_owned(),
    };
    let mut add = |sentence: &str| {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(sentence);
    };
    if since.lost {
        add("Its range of the log is among what the integration did not get.");
    }
    if since.active == Some(false) {
        add("The integration is disabled now: nothing is sent until it is enabled.");
    }
    words
}

fn of_status(status: u16) -> (String, Option<&'static str>) {
    let (what, help) = match status {
        200..=299 => return ("The receiver took it.".to_owned(), None),
        300..=399 => (
            "The receiver points to another address. hitwire follows no redirects, since that would carry secrets elsewhere",
            "Set the integration's URL to the final address; the answer's header location names it.",
        ),
        400 | 415 | 422 => (
            "The receiver does not like the request",
            "Its answer below may say why. Compare format (array or lines) and rendering (classic or envelope) with what it expects.",
        ),
        401 | 403 => (
            "The receiver does not accept who is asking",
            "Check the integration's request headers (a token that expired?), the signing secret on both sides, and whether the receiver lets this address in.",
        ),
        404 | 405 => (
            "There is no such hook at the receiver, or not for this method",
            "Check the URL's path and the request method.",
        ),
        408 => (
            "The receiver waited too long for the request",
            "Check the network between the two; smaller batches help (the setting \"Bytes in a request, at most\").",
        ),
        410 => (
            "The receiver asks never to be called again",
            "Set up a new hook there and change the URL; enable the integration if it is disabled.",
        ),
        413 => (
            "The batch is too large for the receiver",
            "Nothing need be done: its events go in smaller batches. The setting \"Bytes in a request, at most\" avoids the detour.",
        ),
        429 => (
            "The receiver asks to slow down",
            "Nothing need be done: hitwire waits, as long as retry-after says. The setting \"Requests a minute, at most\" avoids it.",
        ),
        502..=504 => (
            "What stands before the receiver cannot reach it, or it is overloaded",
            "Look whether the receiver runs, and at the logs of its proxy.",
        ),
        500..=599 => (
            "It is an error of its own",
            "Look into its log at the time of this attempt; the webhook-id below finds the request.",
        ),
        _ => ("The receiver gave an answer that is no success", "Its answer below may say why."),
    };
    (format!("The endpoint returned {status}. {what}."), Some(help))
}

fn of_cause(cause: &str) -> (String, Option<&'static str>) {
    let (what, help) = match cause {
        "settings" => {
            ("Nothing can be sent with these settings.", "Check the URL, the headers and the signing secret.")
        }
        "guard" => (
            "hitwire does not send to that address: it is private, or otherwise not meant for notifications.",
            "If the receiver is really there, an operator allows its network: in the client's settings, \"Internal networks that its integrations may send to\".",
        ),
        "proxy" => (
            "The proxy did not make the connection.",
            "The error says whether the proxy could not be reached, refused, or could not reach the receiver. The proxy is a setting of the integration, or the operator's.",
        ),
        "resolve" => (
            "The receiver's name has no address.",
            "Check the name in the URL, and the name servers of this machine.",
        ),
        "connect" => (
            "There is no connection to the receiver.",
            "Look whether it runs and listens on that port, and whether a firewall stands between.",
        ),
        "open_timeout" => (
            "A connection took too long to open.",
            "Packets may be dropped on the way (a firewall), or the receiver is overloaded. The connection timeout is a setting of the integration.",
        ),
        "tls" => (
            "The receiver's certificate or its TLS is not accepted, or ours is not.",
            "The error names the reason. Set the CA that signed the receiver's certificate, or the client certificate that it asks for.",
        ),
        "timeout" => (
            "The receiver did not answer in time.",
            "It should take a notification, answer, and work on it afterwards. The request timeout is a setting of the integration.",
        ),
        "closed" => (
            "The connection ended before the answer did.",
            "The receiver, or something before it, closed it: look into its log at the time of this attempt.",
        ),
        "protocol" => (
            "What came back is not valid HTTP.",
            "Check whether the port speaks HTTP, and whether scheme and port belong together.",
        ),
        _ => ("There was no complete answer.", "The error says what happened."),
    };
    (what.to_owned(), Some(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(verdict: &str, status: Option<u16>, cause: Option<&str>) -> Explanation {
        explain(
            &Attempt { verdict: verdict.to_owned(), status, ..Attempt::default() },
            cause,
            &Since::default(),
        )
    }

    #[test]
    fn each_failure_says_what_helps() {
        for status in (300..600).filter(|status| *status != 499) {
            let Explanation { what, help, .. } = explained("refused", Some(status), None);
            assert!(what.contains(&status.to_string()) && help.is_some(), "{what}");
        }
        let causes = [
            "settings",
            "guard",
            "proxy",
            "resolve",
            "connect",
            "open_timeout",
            "tls",
            "timeout",
            "closed",
            "protocol",
        ];
        let words: std::collections::BTreeSet<_> =
            causes.iter().map(|cause| explained("sick", None, Some(cause)).what).collect();
        assert_eq!(words.len(), causes.len(), "each has words of its own");
    }

    #[test]
    fn a_success_needs_no_help() {
        let delivered = explained("delivered", Some(204), None);
        assert_eq!((delivered.what.as_str(), delivered.help), ("The receiver took it.", None));
        assert_eq!(delivered.next, "The events of this batch are settled.");
    }

    #[test]
    fn what_followed_is_told_from_the_record_and_nothing_is_promised() {
        let attempt =
            |status, events| Attempt { verdict: "refused".to_owned(), status, events, ..Attempt::default() };
        let told = |status, since: &Since| explain(&attempt(Some(status), 8), None, since).next;
        assert_eq!(
            told(413, &Since::default()),
            "Smaller batches were to take its place; none of them is on record yet."
        );
        assert_eq!(
            explain(&attempt(Some(413), 1), None, &Since::default()).next,
            "No later try is on record."
        );
        assert!(!told(410, &Since { active: Some(true), ..Since::default() }).contains("disabled"));
        assert!(told(410, &Since { active: Some(false), ..Since::default() }).contains("is disabled now"));
        let outcome = Attempt { verdict: "delivered".to_owned(), ..Attempt::default() }.outcome();
        let later = Some(Later { id: 7, same_batch: true, outcome });
        assert_eq!(
            told(500, &Since { later, ..Since::default() }),
            "The same batch was tried again; the newest try is attempt 7: Delivered."
        );
        let lost = Since { lost: true, ..Since::default() };
        assert_eq!(told(500, &lost), "Its range of the log is among what the integration did not get.");
        assert_eq!(told(500, &Since { may_be_more: true, ..Since::default() }), "");
    }

    #[test]
    fn what_helps_is_called_as_the_forms_call_it() {
        let all = (300..600).map(|status| explained("refused", Some(status), None));
        let all = all.chain(["guard", "settings"].map(|cause| explained("sick", None, Some(cause))));
        for help in all.filter_map(|explanation| explanation.help) {
            assert!(!help.contains('_') && !help.contains("(rate)"), "{help}");
        }
    }
}
