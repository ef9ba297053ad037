//! A transaction as any of ModSecurity's formats tells it, with nothing left of the format.

use crate::evidence::Evidence;
use std::borrow::Cow;

/// Headers in the order of the record, names in the client's letter case.
pub(crate) type Headers<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// One request, and what the rules said about it.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    /// The node that wrote the record.
    pub(crate) server_id: Cow<'a, str>,
    /// Unique on the node, usually.
    pub(crate) unique_id: Cow<'a, str>,
    /// Unix seconds; none if the record's time cannot be read.
    pub(crate) time_s: Option<i64>,
    /// The client's address as written.
    pub(crate) client_ip: Cow<'a, str>,
    /// 0: not known.
    pub(crate) client_port: u16,
    pub(crate) method: Cow<'a, str>,
    /// The request target, raw.
    pub(crate) uri: Cow<'a, str>,
    /// The host that the record names beside the headers.
    pub(crate) hostname: Option<Cow<'a, str>>,
    pub(crate) request_headers: Headers<'a>,
    pub(crate) request_body: Option<Cow<'a, str>>,
    /// 0: there was no response.
    pub(crate) response_status: u16,
    /// Bytes of the response's body.
    pub(crate) response_len: Option<u64>,
    /// The request was stopped.
    pub(crate) blocked: bool,
    /// Each match of a rule, in the order of the record; the same rule may match more than once.
    pub(crate) matches: Vec<Match<'a>>,
    /// The record was not UTF-8.
    pub(crate) lossy: bool,
}

/// A rule that matched.
#[derive(Debug)]
pub(crate) struct Match<'a> {
    /// The rule's id; none if it is no number.
    pub(crate) rule: Option<u32>,
    /// The rule's message.
    pub(crate) message: Cow<'a, str>,
    /// The description of the match.
    pub(crate) description: Cow<'a, str>,
    /// What the rule logged.
    pub(crate) logged: Cow<'a, str>,
    /// `0` to `7`, of syslog.
    pub(crate) severity: Cow<'a, str>,
    /// The rule set and its version.
    pub(crate) version: Cow<'a, str>,
    pub(crate) tags: Vec<Cow<'a, str>>,
}

impl Match<'_> {
    /// The match taken apart.
    pub(crate) fn evidence(&self, request: &crate::request::Request<'_>) -> Evidence<'_> {
        Evidence::read(&self.description, &self.logged, request)
    }
}
