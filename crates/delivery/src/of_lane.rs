//! What a lane sends.

use super::applications;
use super::batch_body::lane_streams;
use super::context::{Context, Interrupt};
use hitwire_endpoint::Repeat;
use hitwire_event::filter::Filter;
use hitwire_event::{Lane, Seq};
use hitwire_store::{Integration, Replay, ReplayPurpose, StreamFrom};
use std::borrow::Cow;
use std::sync::Arc;

/// A lane of an integration, as its settings and replays were when something of it began.
#[derive(Clone, Debug)]
pub(crate) struct OfLane {
    pub(crate) integration: Arc<Integration>,
    pub(crate) lane: Lane,
    /// None for a live lane; and for a replay that was cancelled, which then sends nothing.
    pub(crate) replay: Option<Arc<Replay>>,
}

/// A part of the log that a lane goes through.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) streams: Vec<StreamFrom>,
    pub(crate) filter: Cow<'a, Filter>,
    /// The position before it.
    pub(crate) after: Seq,
    /// Its last position; none: it goes on.
    pub(crate) last: Option<Seq>,
    /// There is another one behind it.
    pub(crate) more: bool,
}

impl OfLane {
    /// What the lane comes to behind this position. Without streams: nothing.
    pub(crate) async fn part(&self, context: &Context, after: Seq) -> Result<Part<'_>, Interrupt> {
        let Some(replay) = &self.replay else {
            let streams = match self.lane {
                Lane::Replay(_) => Vec::new(),
                Lane::Urgent | Lane::Bulk => lane_streams(&self.integration, self.lane),
            };
            let filter = Cow::Borrowed(&self.integration.filter);
            return Ok(Part { streams, filter, after, last: None, more: false });
        };
        let Some(segment) = replay.plan.segment_after(after) else {
            let filter = Cow::Borrowed(&replay.plan.filter);
            return Ok(Part { streams: Vec::new(), filter, after, last: Some(after), more: false });
        };
        let client = self.integration.client;
        let filter = if replay.plan.filter.is_empty() {
            Cow::Borrowed(&replay.plan.filter)
        } else {
            let plan = &replay.plan;
            let known = context
                .patiently(|store| Box::pin(applications::matching(store, client, plan.filter.clone())));
            Cow::Owned(known.await?)
        };
        Ok(Part {
            streams: segment.streams(client),
            filter,
            after: after.max(Seq(segment.first.0.saturating_sub(1))),
            last: Some(segment.last),
            more: segment.last < replay.plan.last(),
        })
    }

    /// Streams with something in `after < seq <= through`, each with the part of it in which they are the lane's.
    pub(crate) fn streams_within(&self, after: Seq, through: Seq) -> Vec<(Vec<StreamFrom>, Seq, Seq)> {
        match (&self.replay, self.lane) {
            (Some(replay), _) => replay.plan.parts(self.integration.client, after, through),
            (None, Lane::Replay(_)) => Vec::new(),
            (None, lane) => vec![(lane_streams(&self.integration, lane), after, through)],
        }
    }

    /// What tells the receiver that it is sent something on purpose once more.
    pub(crate) fn repeat(&self) -> Option<Repeat> {
        let replay = self.replay.as_deref()?;
        let resend_of = match &replay.plan.purpose {
            ReplayPurpose::Replay => None,
            ReplayPurpose::ResendBatch { webhook_id, .. } => Some(webhook_id.as_str().into()),
            ReplayPurpose::ResendEvent { id } => Some(id.as_str().into()),
            ReplayPurpose::ResendUndelivered { .. } => Some("undelivered".into()),
        };
        Some(Repeat { replay: replay.number, resend_of })
    }
}
