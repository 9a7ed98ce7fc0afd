//! The fleet as a stream of lines: everything first, then what changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crds::fleet::FleetEvent;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout};

use super::super::Aggregator;
use super::answer::Answer;

/// How often a line comes at the latest.
const ALIVE: Duration = Duration::from_secs(5);
/// How often it is looked who is gone.
const LOOK: Duration = Duration::from_secs(1);

struct Listener {
    aggregator: Arc<Aggregator>,
    events: Receiver<FleetEvent>,
    /// What is to be told before any event.
    first: Option<FleetEvent>,
    told: Instant,
    /// The connection's end.
    ends: Instant,
}

/// An answer that ends when the listener leaves, and at `ends`.
pub(super) fn stream(aggregator: Arc<Aggregator>, ends: Instant) -> Answer {
    let (first, events) = aggregator.fleet().subscribe();
    let listener = Listener { aggregator, events, first: Some(first), told: Instant::now(), ends };
    let lines = futures::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        listener.told = Instant::now();
        let mut line = serde_json::to_vec(&event).ok()?;
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(line))), listener))
    });
    let mut response = Answer::new(StreamBody::new(lines).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

impl Listener {
    async fn next(&mut self) -> Option<FleetEvent> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while Instant::now() < self.ends {
            match timeout(LOOK, self.events.recv()).await {
                Ok(Ok(event)) => return Some(event),
                // Too slow for what came meanwhile: everything again.
                Ok(Err(RecvError::Lagged(_))) => {
                    let (all, events) = self.aggregator.fleet().subscribe();
                    self.events = events;
                    return Some(all);
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => self.aggregator.fleet().forget_gone(),
            }
            if self.told.elapsed() >= ALIVE {
                return Some(FleetEvent::Alive);
            }
        }
        None
    }
}
