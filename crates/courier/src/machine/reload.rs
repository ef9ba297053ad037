//! What follows when somebody else has changed what is on record.
//!
//! Each save carries the token of the last load. If a user, retention or another process changed the record since, the save
//! does not pass, and the shell loads again. Then the lanes are what is on record now, but for what is known besides: the
//! requests under way, and the outcomes that have not been saved. The outcome of a batch that is still on record counts: it
//! is heard a second time, by what the record and the settings say now. What the step that did not pass would have begun
//! or given up is forgotten, and decided anew.

use super::endpoint::Endpoint;
use super::lane::{Courier, Flight, Growth, Landed, Passed, Slot, Stray};
use super::outcome::Answer;
use super::{Command, Machine, Settings};
use crate::progress::{Saved, Unsettled};
use crate::refusal::Refusal;
use crate::{Attempt, LaneState, OpenBatch, Progress};
use hitwire_event::{Lane, Seq, WebhookId};
use serde_json::Value;
use std::time::Duration;

/// What was loaded again, and what the shell left undone.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// What is on record now.
    pub saved: Saved,
    /// The settings, if they were edited, or may have been.
    pub edited: Option<Settings>,
    /// The step that was not saved, and the commands behind it; nothing if all commands were carried out.
    pub undone: Vec<Command>,
    /// What a lane without open batches passed in memory counts up to here. A kind that was ticked counts from a position
    /// that the lane may have passed under the settings before.
    pub known_to: Seq,
}

/// An outcome that is not on record yet.
#[derive(Debug)]
pub(super) struct Heard {
    lane: Lane,
    batch: OpenBatch,
    flight: Flight,
    answer: Answer,
}

/// Outcomes that are not on record yet, and the endpoint as it was before the first of them.
#[derive(Debug, Default)]
pub(super) struct Hearings {
    heard: Vec<Heard>,
    before: Option<Box<Endpoint>>,
}

impl Hearings {
    /// Takes note of an outcome, before anything follows from it.
    pub(super) fn note(&mut self, endpoint: &Endpoint, lane: Lane, landed: &Landed, answer: &Answer) {
        self.before.get_or_insert_with(|| Box::new(endpoint.clone()));
        let Landed { batch, flight, .. } = landed;
        self.heard.push(Heard { lane, batch: batch.clone(), flight: *flight, answer: answer.clone() });
    }

    /// All commands were carried out: everything but these attempts is on record.
    pub(super) fn saved_but(&mut self, unsaved: &[Attempt]) {
        self.retain(|id| unsaved.iter().any(|attempt| attempt.webhook_id == *id));
    }

    /// Forgets outcomes that are on record.
    fn retain(&mut self, is_unsaved: impl Fn(&WebhookId) -> bool) {
        let all = self.heard.len();
        self.heard.retain(|heard| is_unsaved(&heard.batch.webhook_id));
        if self.heard.len() < all {
            // What the endpoint was before the first of them is no longer what is on record.
            self.before = None;
        }
        if self.heard.is_empty() {
            *self = Hearings::default();
        }
    }
}

impl Machine {
    /// The record was loaded again.
    pub(super) fn reloaded(&mut self, reloaded: Reloaded) {
        let Reloaded { saved, edited, undone, known_to } = reloaded;
        let steps = || undone.iter().filter_map(step);
        let gives_up = steps().any(|step| !step.lost.is_empty() || step.disable.is_some());
        let unsaved = std::mem::take(&mut self.unsaved);
        let mut hearings = std::mem::take(&mut self.hearings);
        hearings.retain(|id| {
            let mut attempts = steps().flat_map(|step| &step.attempts).chain(&unsaved.attempts);
            attempts.any(|attempt| attempt.webhook_id == *id)
        });
        let Hearings { heard, before } = hearings;

        let turn = self.endpoint.turn();
        if let Some(before) = before {
            self.endpoint = *before;
        } else if gives_up || !heard.is_empty() {
            let preset = self.settings.retry;
            self.endpoint = Endpoint::restored(&saved.endpoint, preset, self.wall, &mut self.jitter);
        }
        self.endpoint.go_on_with_turn(turn);
        self.settings.enabled |= steps().any(|step| step.disable.is_some());
        self.ending = None;
        self.replays.have_read();
        self.replays_on_record(&saved);
        let called_off = self.called_off_replays();
        for (lane, state) in saved.lanes.into_iter().chain(called_off) {
            let known_to = match lane {
                _ if gives_up => Seq::ZERO,
                // What it is to send was laid down when it was begun.
                Lane::Replay(_) => Seq(u64::MAX),
                Lane::Urgent | Lane::Bulk => known_to,
            };
            let record = Record { lane, state, undone: &undone, heard: &heard, known_to, gives_up };
            let Some(courier) = self.couriers.get_mut(lane) else { continue };
            let restored = |refusal: &Value| Refusal::restored(refusal, self.wall, &mut self.jitter);
            courier.reload(record, self.now, restored);
            courier.drop_outdated(self.settings.content_revision);
        }
        if let Some(settings) = edited {
            self.configured(settings);
        }
        for Heard { lane, batch, answer, .. } in heard {
            if self.couriers.has(lane) {
                self.outcome(lane, &batch.webhook_id, answer);
            }
        }
    }
}

/// One lane of it.
struct Record<'a> {
    lane: Lane,
    state: LaneState,
    undone: &'a [Command],
    heard: &'a [Heard],
    known_to: Seq,
    /// What was not saved gave something up: what this process knows beyond the record is not to be trusted.
    gives_up: bool,
}

impl Record<'_> {
    fn is_undone(&self, is_it: impl Fn(&Command) -> bool) -> bool {
        self.undone.iter().any(is_it)
    }

    fn was_sent(&self, id: &WebhookId) -> bool {
        !self.is_undone(|command| matches!(command, Command::Send { batch, .. } if batch.webhook_id == *id))
    }

    fn was_saving(&self) -> bool {
        let is_in = |step: &Progress| step.lanes.iter().any(|(lane, _)| *lane == self.lane);
        self.undone.iter().filter_map(step).any(is_in)
    }

    fn was_asked_to_read(&self) -> bool {
        !self.is_undone(|command| matches!(command, Command::Read { lane, .. } if *lane == self.lane))
    }

    fn was_asked_to_measure(&self) -> bool {
        !self.is_undone(|command| matches!(command, Command::Measure { lane, .. } if *lane == self.lane))
    }
}

fn step(command: &Command) -> Option<&Progress> {
    match command {
        Command::Save(progress) => Some(progress),
        _ => None,
    }
}

impl Courier {
    /// The lane as it is on record, with what is under way.
    fn reload(
        &mut self,
        record: Record<'_>,
        now: Duration,
        mut restored: impl FnMut(&Value) -> Option<Refusal>,
    ) {
        let (was_caught_up, was_saving) = (self.is_caught_up(), record.was_saving());
        let mut known = std::mem::take(&mut self.open);
        for slot in &mut known {
            slot.flight = slot.flight.filter(|_| record.was_sent(&slot.batch.webhook_id));
        }
        let of_lane = record.heard.iter().filter(|heard| heard.lane == record.lane);
        self.strays.extend(of_lane.map(|heard| Stray { batch: heard.batch.clone(), flight: heard.flight }));
        self.reading = self.reading.take().filter(|_| record.was_asked_to_read());
        self.measuring = self.measuring.take().filter(|measuring| {
            let is_answered = measuring.giving_up.as_ref().is_some_and(|giving_up| giving_up.is_answered());
            record.was_asked_to_measure() && !is_answered
        });
        if let Some(measuring) = &mut self.measuring {
            // The answer is on its way, and must not be taken for the one to another question.
            measuring.giving_up = None;
        }

        let LaneState { cursor, open } = record.state;
        for Unsettled { batch, settled_behind, refusal } in open {
            let is_it = |other: &OpenBatch| other.webhook_id == batch.webhook_id;
            let known = known.iter().position(|slot| is_it(&slot.batch)).map(|at| known.remove(at));
            let stray = self.strays.iter().position(|stray| is_it(&stray.batch));
            let stray = stray.map(|at| self.strays.swap_remove(at).flight);
            let flight = stray.or(known.as_ref().and_then(|slot| slot.flight));
            // What the process knows of a batch besides is right if all that happened to it is on record.
            let known = known.filter(|slot| slot.batch.tries == batch.tries && !record.gives_up);
            self.open.push(match known {
                Some(known) => Slot { batch, settled_behind, flight, ..known },
                None => Slot {
                    batch,
                    settled_behind,
                    flight,
                    refusal: refusal.as_ref().and_then(&mut restored),
                    suspicions: 0,
                    growth: Growth::default(),
                },
            });
        }
        self.strays.extend(known.into_iter().filter_map(|Slot { batch, flight, .. }| {
            let flight = flight?;
            Some(Stray { batch, flight })
        }));

        let passed = if self.open.is_empty() { self.cursor.min(record.known_to) } else { Seq::ZERO };
        let is_caught_up = was_caught_up && self.open.is_empty() && cursor.max(passed) >= self.cursor;
        self.wants = !is_caught_up || self.replay.is_some();
        self.passed = match self.passed {
            _ if passed <= cursor => None,
            // It was about to be put on record.
            None if was_saving => Some(Passed::new(cursor, now)),
            known => known,
        };
        self.cursor = cursor.max(passed);
        self.carried = None;
        self.outdate_read();
        self.free_room();
    }
}
