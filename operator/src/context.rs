//! What every reconciliation is given.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kube::Client;
use tokio::sync::watch;

use crate::apply::Applier;
use crate::cache::Cache;
use crate::enroll::Bundle;
use crate::event::Teller;
use crate::facts::Facts;
use crate::fleet::{Fleet, Tls};
use crate::queue::Queue;
use crate::secrets::Secrets;
use crate::telemetry::Metrics;

/// What the command line says of all collectors.
#[derive(Clone, Debug)]
pub struct Options {
    /// `<namespace>.<release>`: the label of everything that is ours.
    pub controller: String,
    /// The image of edges and aggregators.
    pub image: String,
    /// With what an image that a FlowCollector names must begin.
    pub allowed_images: Vec<String>,
    /// Below which folder of a node edges may keep data.
    pub host_path_prefix: String,
    /// Priority classes that a FlowCollector may name.
    pub allowed_priority_classes: Vec<String>,
    /// Where pods ask for certificates: `https://NAME.NAMESPACE.svc:8472`.
    pub enroll: String,
    /// Where an aggregator is reached, with `{name}` and `{namespace}` of its collector.
    pub aggregator: String,
    /// The operator's own version, and that of the image.
    pub version: String,
}

/// Cheap to clone.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "a client and a closure show nothing")]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What the watches have seen.
    pub cache: Cache,
    /// What is to be reconciled.
    pub queue: Queue,
    /// Writes.
    pub applier: Applier,
    /// The aggregators' streams.
    pub fleet: Fleet,
    /// What reconcilers tell each other.
    pub facts: Facts,
    /// What targets' Secrets hold.
    pub secrets: Secrets,
    /// Whether the cluster knows ServiceMonitors.
    pub service_monitors: Arc<AtomicBool>,
    /// What is counted.
    pub metrics: Metrics,
    /// Says to people what happened.
    pub teller: Teller,
    /// The roots that all programs trust.
    pub bundle: watch::Receiver<Bundle>,
    /// With what the operator asks aggregators.
    pub tls: Tls,
    /// What the command line says.
    pub options: Arc<Options>,
}
