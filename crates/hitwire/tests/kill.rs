//! SIGKILL under load: what was acknowledged arrives, in order, and what comes twice comes as the same batch.

use crate::support::{self, RunningServer, hits, in_time, integration, next_random};
use bytes::Bytes;
use hitwire::api::Client;
use hitwire::listen::{Listener, Options, Received, Signature};
use http::{Method, StatusCode};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the server is killed; ten times as often in the long runs (`./test --deep`).
fn kills() -> usize {
    if std::env::var_os("HITWIRE_DEEP").is_some() { 200 } else { 20 }
}

/// Callers that post at the same time, each one body after the other.
const POSTERS: usize = 4;

/// A body holds at most this many hits.
const BODY_HITS_MAX: u64 = 40;

/// How long the server lives at most, counted from when it is ready.
const LIFE_MS_MAX: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_twenty_times() {
    kill_under_load(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_it_with_eight_requests_at_once_and_no_hit_comes_in_two_batches() {
    kill_under_load(8).await;
}

/// With so many requests at once in a lane.
async fn kill_under_load(in_flight: u8) {
    let mut random = support::seed();
    let run = format!("{:08x}", next_random(&mut random) as u32);
    let data = tempfile::tempdir().unwrap();
    let receiver = Listener::start(Options::on_loopback().unwrap()).await.unwrap();
    let mut server = RunningServer::start(data.path(), &[]).await;
    let integration = integration::of_hits(&server, &receiver, json!({"in_flight": in_flight})).await;
    receiver.check_with(integration.signing_secret);

    let (acknowledged, all) = watch::channel(None);
    let receiving = tokio::spawn(receive(receiver, run.clone(), all, in_flight == 1));
    let (api, current) = watch::channel(server.api());
    let enough = CancellationToken::new();
    let mut posters = JoinSet::new();
    for sender in 0..POSTERS {
        let poster = Poster { run: run.clone(), sender, random: next_random(&mut random) };
        posters.spawn(poster.post(current.clone(), enough.clone()));
    }

    let kills = kills();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(next_random(&mut random) % LIFE_MS_MAX)).await;
        server.kill().await;
        server = RunningServer::start(data.path(), &[]).await;
        api.send_replace(server.api());
    }
    enough.cancel();
    let mut counts = vec![0; POSTERS];
    while let Some(ended) = posters.join_next().await {
        let (sender, count) = ended.unwrap();
        counts[sender] = count;
    }
    let total: u64 = counts.iter().sum();
    acknowledged.send_replace(Some(counts));
    let account = in_time("what was acknowledged to arrive", receiving).await.unwrap();
    println!(
        "{total} hits acknowledged, {} batches received, {} of them again; {kills} kills",
        account.bodies.len(),
        account.repeated
    );
    assert!(total > kills as u64 * BODY_HITS_MAX, "{total} hits are hardly a load");
    let status = integration::status(&server, integration.id).await;
    assert_eq!(status["failures_in_a_row"], 0, "{status}");
    assert_eq!(server.terminate().await.code(), Some(0));
}

/// A caller that posts numbered hits, and posts a body again until it is acknowledged.
struct Poster {
    run: String,
    sender: usize,
    random: u64,
}

impl Poster {
    /// Goes on until `enough`; says who it is and how many hits were acknowledged: those numbered below.
    async fn post(mut self, mut api: watch::Receiver<Client>, enough: CancellationToken) -> (usize, u64) {
        let mut acknowledged = 0;
        while !enough.is_cancelled() {
            let next = acknowledged + 1 + next_random(&mut self.random) % BODY_HITS_MAX;
            let body = hits::hits(&self.run, self.sender as u64, acknowledged..next);
            loop {
                let client = api.borrow_and_update().clone();
                match client.request(Method::POST, "/v1/events", body.clone()).await {
                    Ok(answer) if answer.status == StatusCode::ACCEPTED => break,
                    Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => {
                        panic!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))
                    }
                    // Killed before, while or after it took the body: nobody knows, so it is posted again.
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
            acknowledged = next;
        }
        (self.sender, acknowledged)
    }
}

/// Receives until everything that was acknowledged is there.
async fn receive(
    mut receiver: Listener,
    run: String,
    mut acknowledged: watch::Receiver<Option<Vec<u64>>>,
    in_order: bool,
) -> Account {
    let mut account = Account::new(in_order);
    loop {
        if acknowledged.borrow().as_ref().is_some_and(|counts| account.holds(counts)) {
            return account;
        }
        tokio::select! {
            Some(received) = receiver.events.recv() => account.take(&received, &run),
            Ok(()) = acknowledged.changed() => {}
        }
    }
}

/// What was received, held against the promises.
struct Account {
    /// Batches must come in order.
    in_order: bool,
    /// The body of each batch, by its `webhook-id`.
    bodies: HashMap<String, Bytes>,
    /// How many requests brought a batch that was there before.
    repeated: usize,
    /// By sender: the number that must come next; all below it are there.
    next: Vec<u64>,
    /// By sender: the numbers that are there already, though others before them are not.
    ahead: Vec<BTreeSet<u64>>,
}

impl Account {
    fn new(in_order: bool) -> Self {
        let (next, ahead) = (vec![0; POSTERS], vec![BTreeSet::new(); POSTERS]);
        Account { in_order, bodies: HashMap::new(), repeated: 0, next, ahead }
    }

    fn take(&mut self, received: &Received, run: &str) {
        let id = received.webhook_id.clone().expect("every notification has an id");
        assert_eq!(received.signature, Signature::Verified, "{id}");
        if let Some(body) = self.bodies.get(&id) {
            assert_eq!(*body, received.body, "{id} came again with another body");
            self.repeated += 1;
            return;
        }
        self.bodies.insert(id.clone(), received.body.clone());
        for hit in hits::numbered(received) {
            assert_eq!(hit.run, run, "{id} holds a hit of another run");
            let sender = hit.sender as usize;
            let (next, ahead) = (&mut self.next[sender], &mut self.ahead[sender]);
            let is_due = hit.n == *next || (!self.in_order && hit.n > *next && !ahead.contains(&hit.n));
            let came_before = hit.n < *next || ahead.contains(&hit.n);
            assert!(
                is_due,
                "{id} holds hit {} of sender {}, where {next} was due: {}",
                hit.n,
                hit.sender,
                if came_before {
                    "it came before, in another batch"
                } else {
                    "some are missing, or out of order"
                }
            );
            ahead.insert(hit.n);
            while ahead.remove(next) {
                *next += 1;
            }
        }
    }

    fn holds(&self, acknowledged: &[u64]) -> bool {
        self.next.iter().zip(acknowledged).all(|(next, count)| next >= count)
    }
}

mod the_account {
    //! The test above must be able to fail.

    use super::*;
    use std::time::{Instant, SystemTime};

    fn account() -> Account {
        Account::new(true)
    }

    fn notification(webhook_id: &str, numbers: std::ops::Range<u64>) -> Received {
        let body = Bytes::from(hits::hits("run", 0, numbers).to_string());
        Received {
            at: SystemTime::now(),
            arrived: Instant::now(),
            peer: ([127, 0, 0, 1], 1).into(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            webhook_id: Some(webhook_id.to_owned()),
            objects: hitwire::listen::objects(&body),
            body,
            signature: Signature::Verified,
            answered: 200,
        }
    }

    #[test]
    fn takes_a_whole_batch_again() {
        let mut account = account();
        for (id, numbers) in [("a", 0..3), ("b", 3..5), ("a", 0..3)] {
            account.take(&notification(id, numbers), "run");
        }
        assert_eq!(account.repeated, 1);
        assert!(account.holds(&[5, 0, 0, 0]) && !account.holds(&[6, 0, 0, 0]));
    }

    #[test]
    #[should_panic(expected = "some are missing, or out of order")]
    fn notices_a_lost_hit() {
        let mut account = account();
        account.take(&notification("a", 0..3), "run");
        account.take(&notification("b", 4..5), "run");
    }

    #[test]
    #[should_panic(expected = "it came before, in another batch")]
    fn notices_a_hit_that_was_cut_into_another_batch() {
        let mut account = account();
        account.take(&notification("a", 0..3), "run");
        account.take(&notification("b", 2..5), "run");
    }

    #[test]
    fn takes_batches_in_any_order_if_that_is_what_was_asked_for() {
        let mut account = Account::new(false);
        account.take(&notification("b", 3..5), "run");
        assert!(!account.holds(&[1, 0, 0, 0]));
        account.take(&notification("a", 0..3), "run");
        assert!(account.holds(&[5, 0, 0, 0]));
    }

    #[test]
    #[should_panic(expected = "it came before, in another batch")]
    fn notices_a_hit_that_comes_in_two_batches_in_any_order() {
        let mut account = Account::new(false);
        account.take(&notification("b", 3..5), "run");
        account.take(&notification("c", 4..7), "run");
    }

    #[test]
    #[should_panic(expected = "came again with another body")]
    fn notices_a_batch_whose_body_changed() {
        let mut account = account();
        account.take(&notification("a", 0..3), "run");
        account.take(&notification("a", 0..4), "run");
    }
}
