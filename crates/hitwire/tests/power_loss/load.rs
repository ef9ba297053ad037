//! A server under load, traced: who was told what, and how long the trace was by then.

use super::events;
use super::random::Random;
use super::receiver::Receivers;
use super::server::{Api, Connection, Traced};
use super::waf;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Threads that send hits.
const SENDERS: u64 = 4;
/// Hits in a request.
const BATCHES: [u64; 8] = [1, 1, 1, 2, 5, 20, 60, 150];
/// After an answer that is not 202.
const PAUSE: Duration = Duration::from_millis(20);

/// Something that the server promised, with the length of the trace once the promise had arrived.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    /// Everything that it rests on must be safe in a trace of this length.
    pub(crate) trace_bytes: u64,
    /// What.
    pub(crate) what: Promised,
}

/// What was promised.
#[derive(Clone, Debug)]
pub(crate) enum Promised {
    /// The server is ready; its first token is this.
    Ready { token: String },
    /// The hits of a sender up to here (exclusive) are taken.
    Taken { sender: u64, to: u64 },
    /// The integration exists and has the name with this number.
    Named { integration: u64, version: u64 },
    /// It exists no more.
    Deleted { integration: u64 },
    /// A receiver got this hit: it must have been safe before.
    Delivered { sender: u64, number: u64 },
}

/// A change of an integration that was asked for when the trace was so long; it may be there from then on.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) trace_bytes: u64,
    pub(crate) integration: u64,
    /// The version of the name, or none for its deletion.
    pub(crate) version: Option<u64>,
}

/// All that the clients know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) promises: Vec<Promise>,
    pub(crate) asked: Vec<Asked>,
    /// For each sender and first number of a request: its end. A request is taken whole or not at all.
    pub(crate) requests: BTreeMap<(u64, u64), u64>,
    /// Answers that were not 202, by status.
    pub(crate) refusals: BTreeMap<u16, u64>,
    /// The name of the source that was followed, and what its file held at the end.
    pub(crate) source: String,
    pub(crate) audit_log: Vec<u8>,
}

/// Notes of all threads.
#[derive(Clone)]
pub(crate) struct Notes {
    traced: Arc<Traced>,
    known: Arc<Mutex<Known>>,
}

impl Notes {
    pub(crate) fn new(traced: &Arc<Traced>) -> Self {
        Notes { traced: Arc::clone(traced), known: Arc::default() }
    }

    /// Notes a promise that has just arrived.
    pub(crate) fn promise(&self, what: Promised) {
        let trace_bytes = self.traced.trace_bytes();
        self.known.lock().unwrap().promises.push(Promise { trace_bytes, what });
    }

    fn ask(&self, integration: u64, version: Option<u64>) {
        let trace_bytes = self.traced.trace_bytes();
        self.known.lock().unwrap().asked.push(Asked { trace_bytes, integration, version });
    }

    fn request(&self, sender: u64, from: u64, to: u64) {
        self.known.lock().unwrap().requests.insert((sender, from), to);
    }

    fn refused(&self, status: u16) {
        *self.known.lock().unwrap().refusals.entry(status).or_default() += 1;
    }

    /// How many requests were answered with this status.
    pub(crate) fn refusals(&self, status: u16) -> u64 {
        self.known.lock().unwrap().refusals.get(&status).copied().unwrap_or_default()
    }

    /// How many hits of all senders were taken.
    pub(crate) fn taken(&self) -> u64 {
        let known = self.known.lock().unwrap();
        let mut through = [0; SENDERS as usize];
        for promise in &known.promises {
            if let Promised::Taken { sender, to } = promise.what {
                through[sender as usize] = to;
            }
        }
        through.iter().sum()
    }

    /// The end of noting.
    pub(crate) fn into_known(self) -> Known {
        let mut known = std::mem::take(&mut *self.known.lock().unwrap());
        known.source = self.traced.source();
        known.audit_log = std::fs::read(&self.traced.audit_log).expect("the audit log");
        known
    }
}

/// Senders, receivers and a user who edits integrations, until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// What they know.
    pub(crate) notes: Notes,
}

impl Load {
    /// Starts them. Three integrations: one whose receiver answers, one whose receiver often fails, one that nobody
    /// receives for, so that retention has something to record.
    pub(crate) fn start(api: &Api, traced: &Arc<Traced>, seed: u64) -> Load {
        let notes = Notes::new(traced);
        notes.promise(Promised::Ready { token: api.token.clone() });
        let receivers = Receivers::start(&notes, seed);
        for url in receivers.urls() {
            let id = create(&mut api.connect(), &notes, url).expect("an integration can be made");
            notes.promise(Promised::Named { integration: id, version: 0 });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for sender in 0..SENDERS {
            let (api, notes, stop) = (api.clone(), notes.clone(), Arc::clone(&stop));
            threads.push(std::thread::spawn(move || {
                let mut random = Random::new(seed ^ (sender + 1) << 40);
                let mut from = 0;
                let mut connection = api.connect();
                while !stop.load(Ordering::Relaxed) {
                    let to = from + BATCHES[random.below(BATCHES.len() as u64) as usize];
                    let body = events::body(sender, from, to);
                    notes.request(sender, from, to);
                    // A request that was refused is sent again as it was: its hits must not be there twice.
                    loop {
                        match connection.ask("POST", "/v1/events", &body) {
                            Ok((202, _)) => break,
                            Ok((status, _)) => notes.refused(status),
                            Err(_) => return,
                        }
                        std::thread::sleep(PAUSE);
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                    notes.promise(Promised::Taken { sender, to });
                    from = to;
                }
            }));
        }
        let (user, user_notes, user_stop) = (api.clone(), notes.clone(), Arc::clone(&stop));
        let spare = receivers.urls()[0].clone();
        threads.push(std::thread::spawn(move || edit(&user, &user_notes, &user_stop, &spare)));
        let (traced, waf_stop) = (Arc::clone(traced), Arc::clone(&stop));
        threads.push(std::thread::spawn(move || waf::write(&traced, &waf_stop)));
        Load { stop, threads, notes }
    }

    /// Stops all threads and waits for them.
    pub(crate) fn stop(self) -> Notes {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no thread of the load panics");
        }
        self.notes
    }
}

/// A user: makes an integration, renames it a few times, deletes every second one, begins again.
fn edit(api: &Api, notes: &Notes, stop: &AtomicBool, url: &str) {
    let mut connection = api.connect();
    for round in 0_u64.. {
        let Some(id) = create(&mut connection, notes, url) else { return };
        notes.promise(Promised::Named { integration: id, version: 0 });
        for version in 1..5 {
            std::thread::sleep(Duration::from_millis(60));
            if stop.load(Ordering::Relaxed) {
                return;
            }
            notes.ask(id, Some(version));
            let body = format!(r#"{{"name":"{}"}}"#, name(version));
            match connection.ask("PUT", &format!("/v2/integration/{id}"), &body) {
                Ok((200, _)) => notes.promise(Promised::Named { integration: id, version }),
                Ok((status, _)) => notes.refused(status),
                Err(_) => return,
            }
        }
        if round % 2 == 0 {
            notes.ask(id, None);
            match connection.ask("DELETE", &format!("/v2/integration/{id}"), "") {
                Ok((200, _)) => notes.promise(Promised::Deleted { integration: id }),
                Ok((status, _)) => notes.refused(status),
                Err(_) => return,
            }
        }
    }
}

/// The name of an integration after so many changes.
pub(crate) fn name(version: u64) -> String {
    format!("version {version}")
}

fn create(connection: &mut Connection, notes: &Notes, url: &str) -> Option<u64> {
    let body = format!(
        r#"{{"name":"{}","type":"web_hooks","active":true,"target":{{"url":"{url}"}},"events":[{{"event":"siem","active":true}}]}}"#,
        name(0)
    );
    loop {
        match connection.ask("POST", "/v2/integration", &body) {
            Ok((200, answer)) => {
                let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
                let id = answer["body"]["object"]["id"].as_u64().expect("an id");
                notes.ask(id, Some(0));
                return Some(id);
            }
            Ok((503, _)) => notes.refused(503),
            Ok((status, answer)) => panic!("{status} {answer}"),
            Err(_) => return None,
        }
        std::thread::sleep(PAUSE);
    }
}
