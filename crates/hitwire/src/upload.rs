//! Bodies of events to a server, one after the other on one connection, with patience for a server that has no room.
//!
//! A body may be sent again when an answer was lost: what the server has had before it recognises.

use crate::api::{ApiError, Body, Client, Connection, FieldError};
use crate::terminal;
use http::Method;
use serde::Deserialize;
use std::time::Duration;

/// A body that a server cannot take now is sent so often in all. Where the server does not say how long to wait, it is a
/// second more each time.
const TRIES: u32 = 8;

/// What the server did with the events of a body.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Taken {
    /// Events that are in the log now.
    pub(crate) accepted: u64,
    /// Events that were there before.
    pub(crate) duplicates: u64,
    /// With `?invalid=skip`: what was not taken.
    #[serde(default)]
    pub(crate) rejected: Vec<FieldError>,
}

/// Sends bodies.
#[derive(Debug)]
pub(crate) struct Uploader {
    client: Client,
    connection: Option<Connection>,
    path: &'static str,
    /// Once something was taken, a server that is not there is one that will be back.
    begun: bool,
}

impl Uploader {
    /// Sends to `path`, with its query.
    pub(crate) fn new(client: Client, path: &'static str) -> Self {
        Uploader { client, connection: None, path, begun: false }
    }

    /// Sends a body; again, when the server has no room, or has gone away after it had taken something. `notice` is told of
    /// each wait.
    pub(crate) async fn send(
        &mut self,
        body: Body,
        mut notice: impl FnMut(String),
    ) -> Result<Taken, ApiError> {
        let mut tried = 1;
        loop {
            let (error, asked) = match self.post(body.clone()).await {
                Ok(taken) => {
                    self.begun = true;
                    return Ok(taken);
                }
                Err(refusal) => refusal,
            };
            let absent = !self.begun && matches!(error, ApiError::Connect { .. });
            if !error.is_passing() || absent || tried == TRIES {
                return Err(error);
            }
            let wait = asked.unwrap_or_else(|| Duration::from_secs(tried.into()));
            let server = terminal::safe(&self.client.server());
            notice(format!("{server} cannot take events now; trying again in {} s", wait.as_secs()));
            tokio::time::sleep(wait).await;
            tried += 1;
        }
    }

    /// One try. A refusal comes with the time that the server asks to wait.
    async fn post(&mut self, body: Body) -> Result<Taken, (ApiError, Option<Duration>)> {
        let connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.client.connect().await.map_err(|error| (error, None))?,
        };
        let connection = self.connection.insert(connection);
        match connection.request(Method::POST, self.path, body).await {
            Ok(answer) => answer.successful(&self.client).map_err(|error| (error, answer.retry_after())),
            Err(error) => {
                self.connection = None;
                Err((error, None))
            }
        }
    }
}
