//! The edge: one receiving thread, and the task that spools and ships its cuts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crds::config::EdgeConfig;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::StartError;
use super::worker::{QUEUE, Worker};
use crate::ship::{self, Limits, Spool, Status, Upstream};
use crate::socket::{RECEIVE_BUFFER, Receiver};

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    config: watch::Sender<Arc<EdgeConfig>>,
    stop: Arc<AtomicBool>,
    worker: JoinHandle<()>,
    shipping: tokio::task::JoinHandle<()>,
    status: Arc<Mutex<Status>>,
    listeners: Vec<(String, SocketAddr)>,
}

impl Edge {
    /// Opens the listeners and the spool in `folder`, and receives. Called `name`, it ships to `upstream`.
    ///
    /// # Errors
    /// When a port is taken, the folder cannot be used, or the configuration cannot run.
    pub fn start<U: Upstream>(
        config: EdgeConfig,
        folder: &Path,
        name: &str,
        upstream: Arc<U>,
    ) -> Result<Self, StartError> {
        let receiver = Receiver::bind(&config.listeners)?;
        advise(&receiver);
        let listeners = receiver.listeners().map(|(name, address, _)| (name.to_owned(), address)).collect();
        let spool = Spool::open(folder, Limits::default())?;
        let (config, configs) = watch::channel(Arc::new(config));
        let (output, input) = mpsc::channel(QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker::new(name, receiver, &spool.watermarks(), configs, output, Arc::clone(&stop))?;
        let thread = std::thread::Builder::new().name("receive".into());
        let worker = thread.spawn(move || worker.run()).map_err(StartError::Thread)?;
        let status = Arc::new(Mutex::new(Status::default()));
        let shipping = tokio::spawn(ship::run(spool, input, upstream, Arc::clone(&status)));
        Ok(Self { config, stop, worker, shipping, status, listeners })
    }

    /// The listeners' names and addresses.
    pub fn listeners(&self) -> &[(String, SocketAddr)] {
        &self.listeners
    }

    /// Puts profiles and sources into force, with a cut, within a tenth of a second. Listeners stay.
    pub fn reconfigure(&self, config: EdgeConfig) {
        self.config.send_replace(Arc::new(config));
    }

    /// How the spool stands.
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a part has ended that should run: the process must end too.
    pub fn has_died(&self) -> bool {
        self.worker.is_finished() || self.shipping.is_finished()
    }

    /// Stops receiving, cuts once more and ships what is spooled for at most five seconds; the rest stays in
    /// the spool for the next start.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Err(cause) = self.shipping.await {
            warn!(%cause, "the spool ended badly");
        }
        let left = self.status.lock().unwrap_or_else(PoisonError::into_inner).blocks;
        if left > 0 {
            info!(blocks = left, "what was not shipped stays in the spool");
        }
        // It ended before the shipping did: the join only takes its result.
        if self.worker.join().is_err() {
            warn!("the receiving thread ended badly");
        }
    }
}

/// Says when the kernel gave less than was asked for, and what to do.
fn advise(receiver: &Receiver) {
    for (listener, address, buffer) in receiver.listeners() {
        // The kernel doubles what it is asked for, for its own overhead.
        let usable = buffer / 2;
        if usable < RECEIVE_BUFFER {
            warn!(
                listener,
                %address,
                buffer = usable,
                wanted = RECEIVE_BUFFER,
                "small receive buffer: bursts will be lost; raise it with: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"
            );
        }
    }
}
