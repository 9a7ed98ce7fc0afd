//! What the long-running subcommands share: signals, health, exit codes.

use std::path::Path;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::Failure;
use crate::pipeline::StartError;
use crate::serve::Token;
use crate::ship::Status;
use crate::telemetry::{Health, Metric, Metrics};

/// The runtime of a long-running program.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| Failure::System(format!("cannot start: {error}")))
}

/// Ends with SIGTERM or SIGINT.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::System(format!("signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Answers `weir health` until aborted.
pub(super) fn watch_health(folder: &Path, health: &Health) -> Result<JoinHandle<()>, Failure> {
    let serving = health.serve(folder).map_err(|error| Failure::System(error.to_string()))?;
    Ok(tokio::spawn(serving))
}

/// Tells health how the spool stands.
pub(super) fn report_spool(health: &Health, status: &Status) {
    match &status.trouble {
        Some(trouble) => health.failing("spool", trouble.clone()),
        None => health.ok("spool"),
    }
}

/// Tells a scraper how the spool stands.
pub(super) fn measure_spool(metrics: &Metrics, edge: &str, status: &Status) {
    let mut values = metrics.lock();
    values.set(Metric::SpoolBlocks, &[edge], status.blocks as f64);
    values.set(Metric::SpoolBytes, &[edge], status.bytes as f64);
}

/// The token in a file, when one is named.
pub(super) fn api_token(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    file.map(Token::read).transpose().map_err(|error| Failure::Input(error.to_string()))
}

/// Which exit code a role that did not start ends with.
pub(super) fn started(error: &StartError) -> Failure {
    match error {
        StartError::Plan(_) => Failure::Input(error.to_string()),
        StartError::Serve(_) => Failure::Usage(error.to_string()),
        _ => Failure::System(error.to_string()),
    }
}

/// The machine's name: how an edge is called unless it is told otherwise.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "edge".to_owned() } else { name.to_owned() }
}
