//! Receivers for the load: one that answers, one that often fails, one that is not there.

use super::events;
use super::load::{Notes, Promised};
use super::random::Random;
use super::server::read_message;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// Their URLs. They live as long as the process of the test.
pub(crate) struct Receivers {
    urls: Vec<String>,
}

impl Receivers {
    /// Starts them.
    pub(crate) fn start(notes: &Notes, seed: u64) -> Receivers {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Receivers {
            urls: vec![
                listen(notes, seed, 0),
                listen(notes, seed, 10),
                // Was free a moment ago: refuses connections.
                format!("http://{nobody}/nobody"),
            ],
        }
    }

    /// Where they are.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }
}

/// A receiver that fails in so many of a hundred cases.
fn listen(notes: &Notes, seed: u64, failing: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hits", listener.local_addr().unwrap());
    let notes = notes.clone();
    std::thread::spawn(move || {
        for (number, stream) in (1..).zip(listener.incoming()) {
            let Ok(stream) = stream else { continue };
            let notes = notes.clone();
            let random = Random::new(seed ^ number << 20);
            std::thread::spawn(move || serve(stream, &notes, random, failing));
        }
    });
    url
}

fn serve(stream: TcpStream, notes: &Notes, mut random: Random, failing: u64) {
    let mut stream = BufReader::new(stream);
    while let Ok((_, body)) = read_message(&mut stream) {
        // The last hit of a batch is the newest: what holds for it holds for those before it.
        let last = body.rfind(r#"{"anomality""#).and_then(|at| events::which(&body[at..]));
        if let Some((sender, number)) = last {
            notes.promise(Promised::Delivered { sender, number });
        }
        let status = if random.chance(failing, 100) { "503 Unwell" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
