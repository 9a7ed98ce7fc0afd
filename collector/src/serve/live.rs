//! `/live`: server-sent events that tell when something new can be read.
//!
//! An event names the slots that changed and carries no values: whoever shows a graph asks for the buckets that
//! it draws. A client that was away, or too slow for the events that wait for it, is told the newest commit with
//! no slots: any of them may have changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use utoipa::ToSchema;
use warp::Reply;
use warp::reply::Response;
use warp::sse::Event;

use super::problem::Problem;
use crate::aggregate::Reader;
use crate::aggregate::view::Tick;
use crate::telemetry::{Metric, Metrics};

/// Streams open at once.
const STREAMS: usize = 64;
/// A comment is sent after so long a silence, so that both sides notice when the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// What browsers wait before they come back, in case the server restarts.
const RETRY: Duration = Duration::from_secs(2);

/// The data of an event `slot`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotEvent {
    /// The commit that can be read now; also the event's id.
    pub commit: u64,
    /// Whether only values of open slots changed, which the next commit replaces.
    pub provisional: bool,
    /// Starts of the slots that changed, Unix ms; empty: any of them.
    pub slots: Vec<u64>,
}

/// The streams that are open.
#[derive(Debug)]
pub(super) struct Streams {
    permits: Arc<Semaphore>,
    closed: watch::Receiver<bool>,
}

/// Counts a stream for as long as it is open.
struct Open {
    metrics: Metrics,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.lock().shift(Metric::LiveStreams, &[], -1.0);
    }
}

impl Streams {
    /// No stream yet; all end once `closed` turns true.
    pub(super) fn new(closed: watch::Receiver<bool>) -> Self {
        Self { permits: Arc::new(Semaphore::new(STREAMS)), closed }
    }

    /// Opens a stream that tells everything after the commit `seen`.
    pub(super) fn open(
        &self,
        reader: &Reader,
        metrics: &Metrics,
        seen: Option<u64>,
    ) -> Result<Response, Problem> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Err(Problem::busy("too many live streams are open; close one, or ask again in a second"));
        };
        metrics.lock().shift(Metric::LiveStreams, &[], 1.0);
        let open = Open { metrics: metrics.clone(), _permit: permit };
        let mut closed = self.closed.clone();
        let end = async move {
            // An error means that the server is gone, which is the same.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        let events = events(BroadcastStream::new(reader.subscribe()), reader.commit(), seen)
            .take_until(Box::pin(end))
            .map(move |event| {
                let _counted = &open;
                Ok::<_, Infallible>(event)
            });
        Ok(warp::sse::reply(warp::sse::keep_alive().interval(KEEP_ALIVE).stream(events)).into_response())
    }
}

/// The id that a returning client sends.
pub(super) fn last_event_id(header: Option<&str>) -> Result<Option<u64>, Problem> {
    let read = |text: &str| {
        text.trim().parse().map_err(|_| {
            let detail =
                format!("Last-Event-ID: {text} is no commit number; send the id of an event, or none");
            Problem::parameter("Last-Event-ID", detail)
        })
    };
    header.filter(|text| !text.is_empty()).map(read).transpose()
}

/// A client that has seen the newest commit waits for the next change; any other is told at once, also one whose
/// number is of a store that is gone.
fn events(
    ticks: impl Stream<Item = Result<Tick, BroadcastStreamRecvError>>,
    newest: u64,
    seen: Option<u64>,
) -> impl Stream<Item = Event> {
    let unseen = (seen != Some(newest)).then(|| SlotEvent { commit: newest, ..SlotEvent::default() });
    let mut told = newest;
    let later = ticks.map(move |tick| {
        // A listener that was too slow skips to what the next tick tells; until then anything may have changed.
        let event = tick.map_or_else(|_| SlotEvent { commit: told, ..SlotEvent::default() }, SlotEvent::from);
        told = event.commit;
        event
    });
    futures::stream::iter(unseen).chain(later).map(|event| server_sent(&event))
}

impl From<Tick> for SlotEvent {
    fn from(tick: Tick) -> Self {
        Self { commit: tick.commit, provisional: tick.provisional, slots: tick.slots }
    }
}

fn server_sent(event: &SlotEvent) -> Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default().event("slot").id(event.commit.to_string()).retry(RETRY).data(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(
        newest: u64,
        seen: Option<u64>,
        ticks: Vec<Result<Tick, BroadcastStreamRecvError>>,
    ) -> Vec<String> {
        let stream = events(futures::stream::iter(ticks), newest, seen);
        stream.map(|event| event.to_string()).collect().await
    }

    #[tokio::test]
    async fn a_returning_client_is_told_at_once_if_anything_came_since() {
        assert_eq!(told(7, Some(7), vec![]).await.len(), 0);
        assert_eq!(told(9, Some(7), vec![]).await.len(), 1);
        assert_eq!(told(7, None, vec![]).await.len(), 1);
        assert_eq!(told(2, Some(7), vec![]).await.len(), 1, "the store was made anew");
    }

    #[tokio::test]
    async fn an_event_has_the_commit_as_its_id_and_names_what_changed() {
        let tick = Tick { commit: 8, provisional: true, slots: vec![10_000] };
        let events = told(7, Some(7), vec![Ok(tick)]).await;
        let data = r#"data:{"commit":8,"provisional":true,"slots":[10000]}"#;
        for line in ["event:slot", "id:8", data] {
            assert!(events[0].lines().any(|found| found == line), "{line} is missing from\n{}", events[0]);
        }
    }

    #[tokio::test]
    async fn a_client_that_was_too_slow_is_told_that_anything_may_have_changed() {
        let tick = Tick { commit: 90, provisional: false, slots: vec![10_000] };
        let events = told(7, Some(7), vec![Err(BroadcastStreamRecvError::Lagged(80)), Ok(tick)]).await;
        assert!(events[0].contains(r#"data:{"commit":7,"provisional":false,"slots":[]}"#), "{}", events[0]);
        assert!(events[1].contains("id:90"), "{}", events[1]);
    }

    #[test]
    fn an_event_id_that_is_no_number_is_refused() {
        assert_eq!(last_event_id(None).unwrap(), None);
        assert_eq!(last_event_id(Some("")).unwrap(), None);
        assert_eq!(last_event_id(Some("12")).unwrap(), Some(12));
        assert!(last_event_id(Some("abc")).unwrap_err().detail.contains("no commit number"));
    }
}
