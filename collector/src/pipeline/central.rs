//! The center: the aggregator, the server in front of it, and the port on which edges deliver.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crds::config::AggregatorConfig;
use crds::fleet::{EdgeReport, Running};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::error;

use super::StartError;
use crate::aggregate::{Aggregator, Reader, ingest};
use crate::serve::{self, Access};
use crate::ship::{SendError, Upstream};
use crate::slot::Ack;
use crate::telemetry::{Health, Metrics};
use crate::tls::{Current, Door};

/// How often health asks how the store is.
const LOOK: Duration = Duration::from_secs(1);

/// What the command line says.
#[derive(Debug)]
pub struct CentralOptions {
    /// Where the store lies.
    pub folder: PathBuf,
    /// Where API and page listen.
    pub api: SocketAddr,
    /// Where edges deliver; none: only this process's own.
    pub ingest: Option<SocketAddr>,
    /// Who may ask.
    pub access: Access,
    /// What `/metrics` tells of this process.
    pub metrics: Metrics,
    /// What `/readyz` tells.
    pub health: Health,
    /// In a cluster: both ports speak TLS with these.
    pub tls: Option<Current>,
}

/// A running aggregator with its server.
#[derive(Debug)]
pub struct Central {
    aggregator: Arc<Aggregator>,
    closing: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// What `/metrics` tells of this process.
    pub metrics: Metrics,
    /// Where API and page listen.
    pub api: SocketAddr,
    /// Where edges deliver.
    pub ingest: Option<SocketAddr>,
}

impl Central {
    /// Opens the store and answers.
    ///
    /// # Errors
    /// When the folder cannot be used or an address is taken.
    pub async fn start(config: &AggregatorConfig, options: CentralOptions) -> Result<Self, StartError> {
        let api = bind(options.api).await?;
        let deliveries = match options.ingest {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        options.health.starting("store");
        let aggregator = Aggregator::open(config, &options.folder)?;
        options.health.ok("store");
        let (closing, closed) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let api_address = local(&api, options.api);
        let ingest_address =
            deliveries.as_ref().zip(options.ingest).map(|(listener, asked)| local(listener, asked));
        let metrics = options.metrics;
        let state = serve::State {
            reader: aggregator.reader(),
            metrics: metrics.clone(),
            health: options.health,
            access: options.access,
            door: options.tls.clone().map_or(Door::Plain, Door::Api),
        };
        serve::check(api_address, &state.access)?;
        if let Access::Token(token) = state.access.clone() {
            tasks.spawn(while_open(closed.clone(), token.follow()));
        }
        tasks.spawn(while_open(closed.clone(), watch_store(state.reader.clone(), state.health.clone())));
        let until = closed_by(closed.clone());
        tasks.spawn(async move {
            if let Err(cause) = serve::run(api, state, until).await {
                error!(%cause, "the API ended");
            }
        });
        if let Some(current) = options.tls.clone() {
            tasks.spawn(while_open(closed.clone(), name(Arc::clone(&aggregator), current)));
        }
        if let Some(listener) = deliveries {
            let ingest = ingest::Options {
                door: options.tls.map_or(Door::Plain, Door::Ingest),
                metrics: metrics.clone(),
                ..ingest::Options::default()
            };
            tasks.spawn(ingest::run(listener, Arc::clone(&aggregator), ingest, closed_by(closed)));
        }
        Ok(Self { aggregator, closing, tasks, metrics, api: api_address, ingest: ingest_address })
    }

    /// The way for an edge of the same process.
    pub fn upstream(&self) -> Arc<LocalUpstream> {
        Arc::new(LocalUpstream(Arc::clone(&self.aggregator)))
    }

    /// Puts profiles and sources into force; returns false when that has to be tried again.
    pub fn reconfigure(&self, config: &AggregatorConfig) -> bool {
        self.aggregator.reconfigure(config).is_ok()
    }

    /// Changes what the aggregator says of itself.
    pub fn run(&self, change: impl FnOnce(&mut Running)) {
        self.aggregator.fleet().run(change);
    }

    /// Waits until a part ends that should run; the process must end then.
    pub async fn died(&mut self) {
        self.tasks.join_next().await;
    }

    /// Ends open requests within five seconds and closes the store.
    pub async fn stop(mut self) {
        self.closing.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        tokio::task::block_in_place(|| self.aggregator.close());
    }
}

async fn closed_by(mut closed: watch::Receiver<bool>) {
    // A sender that is gone closes too.
    let _ = closed.wait_for(|closed| *closed).await;
}

/// Runs a task that never ends by itself.
async fn while_open(closed: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        () = closed_by(closed) => {}
        () = task => {}
    }
}

/// Tells health whether the store takes what comes.
async fn watch_store(reader: Reader, health: Health) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        match reader.trouble() {
            Some(trouble) => health.failing("store", trouble),
            None => health.ok("store"),
        }
    }
}

/// Says which certificate the aggregator shows and whom it trusts, as that changes.
async fn name(aggregator: Arc<Aggregator>, mut current: Current) {
    loop {
        let credentials = current.borrow_and_update().clone();
        if let Some(credentials) = credentials {
            aggregator.fleet().run(|running| _ = credentials.name(running));
        }
        if current.changed().await.is_err() {
            // Nobody renews any more: what there is stays.
            return std::future::pending().await;
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

/// The aggregator of the same process: the same spool, the same ingest, no socket.
#[derive(Debug)]
pub struct LocalUpstream(Arc<Aggregator>);

impl Upstream for LocalUpstream {
    async fn send(&self, blocks: Vec<Vec<u8>>) -> Result<Ack, SendError> {
        self.0.apply_all(blocks).await.map_err(|error| SendError::Refused(error.to_string()))
    }

    async fn provisional(&self, value: Vec<u8>) -> Result<(), SendError> {
        self.0.provisional(&value).map_err(|error| SendError::Refused(error.to_string()))
    }

    async fn known(&self, node: &str) -> Result<Vec<u8>, SendError> {
        Ok(self.0.known(node))
    }

    async fn report(&self, report: &EdgeReport) -> Result<(), SendError> {
        self.0.fleet().hear(report.clone()).map_err(|error| SendError::Refused(error.to_string()))
    }
}
