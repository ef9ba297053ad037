//! Receivers as they are: they answer, refuse, hang, close, and sometimes take a batch and lose the answer.

use super::random::Random;
use bytes::Bytes;
use hitwire_courier::Reply;
use hitwire_delivery::{Delivery, Message, Transport};
use hitwire_event::IntegrationId;
use hitwire_store::Integration;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a receiver behaves at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Any fault, half of the time.
    Flaky,
    /// Takes the request and never answers.
    Hanging,
    /// 503 to everything.
    Down,
    /// 400 to everything.
    Refusing,
    /// Bodies of more than this are too much for it: 500, or nothing.
    Strained(usize),
}

/// A request that reached a receiver.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) webhook_id: String,
    pub(super) body: Bytes,
    /// The receiver took it: it answered 2xx, whether or not the answer came through.
    pub(super) taken: bool,
    /// Simulated wall clock.
    pub(super) at_ms: u64,
}

#[derive(Debug, Default)]
struct Receivers {
    moods: HashMap<IntegrationId, Mood>,
    arrivals: HashMap<IntegrationId, Vec<Arrival>>,
    /// How many requests of (integration, lane marker in the body's events) are in flight now.
    in_flight: HashMap<(IntegrationId, bool), u8>,
    /// As many as any settings of an integration allowed in a lane.
    allowed: HashMap<IntegrationId, u8>,
    /// When each request began, simulated wall clock.
    begun_ms: HashMap<IntegrationId, Vec<u64>>,
    /// What receivers asked for with `Retry-After`, and what has not ended since.
    asked: HashMap<IntegrationId, Vec<LeftAlone>>,
    /// When each integration was edited last, simulated wall clock.
    edited_ms: HashMap<IntegrationId, u64>,
    most: u8,
    complaints: Vec<String>,
}

/// A receiver asked to be left alone.
#[derive(Clone, Copy, Debug)]
struct LeftAlone {
    /// When it answered so.
    from_ms: u64,
    until_ms: u64,
}

/// So long it may take until the shell knows of an answer or of an edit, and until that is on record.
const HEARD_WITHIN_MS: u64 = 5_000;

/// Waits are kept in whole milliseconds.
const ROUNDED_MS: u64 = 50;

/// The simulated network, shared by all lives of one history.
#[derive(Clone, Debug)]
pub(super) struct Network {
    receivers: Arc<Mutex<Receivers>>,
    random: Arc<Mutex<Random>>,
    now_ms: fn() -> u64,
}

/// Which answer a receiver gives.
enum Answer {
    Status(u16, Option<Duration>),
    /// No complete response. `taken`: the receiver took the batch all the same.
    Nothing {
        taken: bool,
    },
    Hang,
}

impl Network {
    pub(super) fn new(random: Random, now_ms: fn() -> u64) -> Self {
        Network { receivers: Arc::default(), random: Arc::new(Mutex::new(random)), now_ms }
    }

    pub(super) fn set_mood(&self, id: IntegrationId, mood: Mood) {
        self.receivers.lock().unwrap().moods.insert(id, mood);
    }

    /// The integration may have so many requests in flight in a lane.
    pub(super) fn allow(&self, id: IntegrationId, in_flight: u8) {
        let mut receivers = self.receivers.lock().unwrap();
        let allowed = receivers.allowed.entry(id).or_default();
        *allowed = in_flight.max(*allowed);
    }

    /// When each request of an integration began.
    pub(super) fn begun_ms(&self, id: IntegrationId) -> Vec<u64> {
        self.receivers.lock().unwrap().begun_ms.get(&id).cloned().unwrap_or_default()
    }

    /// The most requests that were in flight in a lane at once.
    pub(super) fn most_in_flight(&self) -> u8 {
        self.receivers.lock().unwrap().most
    }

    pub(super) fn everybody_is_well(&self) {
        for mood in self.receivers.lock().unwrap().moods.values_mut() {
            *mood = Mood::Well;
        }
    }

    /// The process ended: its requests in flight are no more, nor is what it had not put on record.
    pub(super) fn crash(&self, now_ms: u64) {
        let mut receivers = self.receivers.lock().unwrap();
        receivers.in_flight.clear();
        for asked in receivers.asked.values_mut() {
            asked.retain(|asked| asked.from_ms + HEARD_WITHIN_MS < now_ms);
        }
    }

    /// A user edits the integration: what waits tries again at once.
    pub(super) fn edited(&self, id: IntegrationId) {
        let now_ms = (self.now_ms)();
        let mut receivers = self.receivers.lock().unwrap();
        receivers.edited_ms.insert(id, now_ms);
        receivers.asked.remove(&id);
    }

    /// What the answer means for when the next request may come.
    fn answered(&self, id: IntegrationId, reply: Reply) {
        let now_ms = (self.now_ms)();
        let mut receivers = self.receivers.lock().unwrap();
        let edited_ms = receivers.edited_ms.get(&id).copied().unwrap_or_default();
        match reply {
            Reply::Complete { status: 429, retry_after: Some(retry_after) } => {
                if edited_ms + HEARD_WITHIN_MS < now_ms {
                    let until_ms = now_ms + retry_after.as_millis() as u64;
                    receivers.asked.entry(id).or_default().push(LeftAlone { from_ms: now_ms, until_ms });
                }
            }
            Reply::Complete { status: 408 | 429 | 502..=504, .. } | Reply::Incomplete | Reply::BrokenOff => {}
            Reply::Complete { .. } => {
                receivers.asked.remove(&id);
            }
        }
    }

    pub(super) fn arrivals(&self, id: IntegrationId) -> Vec<Arrival> {
        self.receivers.lock().unwrap().arrivals.get(&id).cloned().unwrap_or_default()
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.receivers.lock().unwrap().complaints.clone()
    }

    fn answer(&self, id: IntegrationId, body_bytes: usize) -> (Duration, Answer) {
        let mood = self.receivers.lock().unwrap().moods.get(&id).copied().unwrap_or(Mood::Well);
        let random = &mut *self.random.lock().unwrap();
        let answer = match mood {
            Mood::Well => Answer::Status(*random.pick(&[200, 200, 201, 202, 204]), None),
            Mood::Hanging => Answer::Hang,
            Mood::Down => Answer::Status(503, None),
            Mood::Refusing => Answer::Status(400, None),
            Mood::Strained(most) if body_bytes <= most => Answer::Status(200, None),
            Mood::Strained(_) if random.one_in(2) => Answer::Status(500, None),
            Mood::Strained(_) => Answer::Nothing { taken: false },
            Mood::Flaky => match random.below(16) {
                0..=6 => Answer::Status(200, None),
                7 => Answer::Nothing { taken: false },
                8 | 9 => Answer::Nothing { taken: true },
                10 => Answer::Status(429, Some(Duration::from_secs(random.between(0, 120)))),
                11 => Answer::Status(*random.pick(&[408, 502, 503, 504]), None),
                12 => Answer::Status(*random.pick(&[301, 302, 400, 404, 500]), None),
                13 => Answer::Status(413, None),
                14 => Answer::Hang,
                _ if random.one_in(8) => Answer::Status(410, None),
                _ => Answer::Status(200, None),
            },
        };
        (random.millis(1, 40), answer)
    }

    fn arrive(&self, id: IntegrationId, message: &Message, taken: bool) {
        let arrival = Arrival {
            webhook_id: message.webhook_id.to_string(),
            body: message.body.clone(),
            taken,
            at_ms: (self.now_ms)(),
        };
        self.receivers.lock().unwrap().arrivals.entry(id).or_default().push(arrival);
    }
}

/// Takes the request off the list of those in flight when it ends, however it ends.
struct InFlight {
    receivers: Arc<Mutex<Receivers>>,
    key: (IntegrationId, bool),
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Ok(mut receivers) = self.receivers.lock()
            && let Some(requests) = receivers.in_flight.get_mut(&self.key)
        {
            *requests = requests.saturating_sub(1);
        }
    }
}

impl Transport for Network {
    fn send<'a>(
        &'a self,
        integration: &'a Integration,
        message: Message,
    ) -> Pin<Box<dyn Future<Output = Delivery> + Send + 'a>> {
        Box::pin(async move {
            let id = integration.id;
            let urgent = super::world::is_urgent(&message.body);
            let key = (id, urgent);
            {
                let mut receivers = self.receivers.lock().unwrap();
                let began_ms = (self.now_ms)();
                receivers.begun_ms.entry(id).or_default().push(began_ms);
                let early = receivers.asked.get(&id).into_iter().flatten().find(|asked| {
                    asked.from_ms + HEARD_WITHIN_MS < began_ms && began_ms + ROUNDED_MS < asked.until_ms
                });
                if let Some(asked) = early.copied() {
                    receivers.complaints.push(format!("{id}: called at {began_ms}, though {asked:?}"));
                }
                let requests = receivers.in_flight.entry(key).or_default();
                *requests += 1;
                let (requests, allowed) = (*requests, receivers.allowed.get(&id).copied().unwrap_or(1));
                receivers.most = receivers.most.max(requests);
                if requests > allowed {
                    let complaint =
                        format!("{id}: {requests} requests in flight in a lane that may have {allowed}");
                    receivers.complaints.push(complaint);
                }
            }
            let _in_flight = InFlight { receivers: Arc::clone(&self.receivers), key };
            let (latency, answer) = self.answer(id, message.body.len());
            tokio::time::sleep(latency).await;
            let (reply, error) = match answer {
                Answer::Status(status, retry_after) => {
                    let taken = (200..300).contains(&status);
                    self.arrive(id, &message, taken);
                    let error = (!taken).then(|| format!("the receiver answered {status}"));
                    tokio::time::sleep(latency).await;
                    (Reply::Complete { status, retry_after }, error)
                }
                Answer::Nothing { taken } => {
                    self.arrive(id, &message, taken);
                    (Reply::BrokenOff, Some("the connection was closed before the response".to_owned()))
                }
                Answer::Hang => {
                    self.arrive(id, &message, false);
                    let timeout = Duration::from_secs(integration.target.timeout_s.into());
                    tokio::time::sleep(timeout).await;
                    (Reply::BrokenOff, Some(format!("no response within {} s", timeout.as_secs())))
                }
            };
            self.answered(id, reply);
            Delivery { reply, address: Some("192.0.2.1:443".to_owned()), error, cause: None, exchange: None }
        })
    }
}
