//! [`Log`] on slices and the tail.

use super::SqliteStore;
use crate::StoreError;
use crate::sqlite::log::gather::Wanted;
use crate::sqlite::state::running;
use crate::{Answer, Head, Lag, Log, Page, Read, StreamFrom, Touched};
use hitwire_event::Seq;
use std::time::Duration;

impl Log for SqliteStore {
    fn read(&self, read: Read) -> Answer<'_, Page> {
        Box::pin(async move {
            if let Some(page) = self.ground.log.read_memory(&read, Wanted::Streams) {
                return Ok(page);
            }
            self.read_log(move |log| log.read_disk(&read, Wanted::Streams)).await
        })
    }

    fn follow(&self, after: Seq, max_events: usize, max_bytes: usize) -> Answer<'_, Page> {
        Box::pin(async move {
            let read = Read { streams: Vec::new(), after, through: None, max_events, max_bytes };
            if let Some(page) = self.ground.log.read_memory(&read, Wanted::Everything) {
                return Ok(page);
            }
            let turn = self.follow_reads.acquire().await.map_err(|_| StoreError::Closed)?;
            let page = self.read_log(move |log| log.read_disk(&read, Wanted::Everything)).await;
            drop(turn);
            page
        })
    }

    fn head(&self) -> Head {
        Head::of(self.ground.log.watch_head())
    }

    fn touched(&self, after: Seq) -> Touched {
        self.ground.log.touched(after.0)
    }

    fn lag(&self, streams: Vec<StreamFrom>, after: Seq, through: Seq) -> Answer<'_, Lag> {
        Box::pin(self.read_log(move |log| log.count(&streams, after.0, through.0).map(|count| count.lag)))
    }

    fn behind_newest(&self, events: u64) -> Seq {
        let log = &self.ground.log;
        Seq(log.catalog.behind_newest(events, log.head()))
    }

    fn events_after(&self, after: Seq) -> u64 {
        let log = &self.ground.log;
        log.catalog.events_between(after.0, log.head())
    }

    fn position_at(&self, appended_ms: u64) -> Answer<'_, Seq> {
        Box::pin(self.read_log(move |log| log.position_at(appended_ms).map(Seq)))
    }

    fn position_aged(&self, age: Duration) -> Answer<'_, Seq> {
        let ran = self.ground.clock.ran();
        Box::pin(async move {
            let Some(then) = ran.checked_sub(age) else { return Ok(Seq::ZERO) };
            self.read_state(move |connection| running::head_at(connection, then).map(Seq)).await
        })
    }

    fn checkpoint(&self, source: &str) -> Answer<'_, Option<Vec<u8>>> {
        let checkpoint = self.ground.log.checkpoint(source);
        Box::pin(std::future::ready(Ok(checkpoint)))
    }
}
