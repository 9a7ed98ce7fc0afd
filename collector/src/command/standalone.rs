//! `weir standalone`: an edge and an aggregator in one process, from a folder of YAML.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tracing::{info, warn};

use super::data::DataFolder;
use super::export::ExportArgs;
use super::running::{api_token, started, stop_signal, watch_health};
use super::{Failure, ready};
use crate::manifest::{Change, Watcher};
use crate::pipeline::{Central, CentralOptions, Edge};
use crate::telemetry::{Health, Metrics};

const EXAMPLES: &str = "\
The folder holds the same objects that a cluster takes: one FlowCollector, any number of FlowProfiles and
ExportTargets.
A changed file is in force within a second; a broken one is reported and keeps what it last gave.

Examples:
  weir standalone examples/quickstart
  weir standalone /etc/weir --data /srv/weir
  weir standalone . --listen 192.0.2.10:8470 --token-file token";

/// Collect, aggregate and show in one process, from a folder of YAML
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Standalone {
    /// A folder with one FlowCollector, its FlowProfiles and ExportTargets
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    data: DataFolder,
    /// Where the page and the API listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8470")]
    listen: SocketAddr,
    /// A file with the token that every request must carry; needed for an address that is not loopback
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    export: ExportArgs,
}

impl Standalone {
    /// Runs until SIGTERM or SIGINT.
    pub(super) fn run(self) -> Result<(), Failure> {
        super::running::runtime()?.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), Failure> {
        let (mut watcher, found) = Watcher::open(&self.folder).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::Input(format!("nothing is started:\n{}", lines.join("\n")))
        })?;
        told(&found);
        let rendered = found.rendered;
        let folder = self.data.make(rendered.aggregator.storage_path.as_deref())?;
        let health = Health::default();
        let options = CentralOptions {
            folder: folder.join("store"),
            api: self.listen,
            ingest: None,
            access: api_token(self.token_file.as_deref())?.into(),
            metrics: Metrics::default(),
            health: health.clone(),
            tls: None,
        };
        let mut central =
            Central::start(&rendered.aggregator, options).await.map_err(|error| started(&error))?;
        let name = super::running::host_name();
        let edge = Edge::exporting(
            rendered.edge,
            &folder.join("spool"),
            &name,
            central.upstream(),
            self.export.options(),
        );
        let edge = edge.map_err(|error| started(&error))?;
        let health_task = watch_health(&folder, &health)?;
        health.ok("api");
        ready(&[format!("page and API http://{}", central.api)], edge.listeners());
        let mut check = tokio::time::interval(std::time::Duration::from_secs(1));
        let stop = stop_signal()?;
        tokio::pin!(stop);
        let ended = loop {
            tokio::select! {
                () = &mut stop => break Ok(()),
                () = central.died() => break Err(Failure::System("the API ended unexpectedly".into())),
                change = watcher.next() => {
                    told(&change);
                    renew(&central, &edge, change);
                }
                _ = check.tick() => {
                    let status = edge.status();
                    super::running::report_spool(&health, &status);
                    super::running::measure_spool(&central.metrics, &name, &status);
                    if edge.has_died() {
                        break Err(Failure::System("the edge ended unexpectedly".into()));
                    }
                }
            }
        };
        health_task.abort();
        edge.stop().await;
        central.stop().await;
        ended
    }
}

/// Puts what is new into force.
fn renew(central: &Central, edge: &Edge, change: Change) {
    if !change.renewed {
        return;
    }
    if !central.reconfigure(&change.rendered.aggregator) {
        warn!("the aggregator is too busy to take the change; change the folder again");
    }
    edge.reconfigure(change.rendered.edge);
}

/// Says what is wrong in the folder, and what is worth knowing.
fn told(change: &Change) {
    for problem in &change.problems {
        warn!("{problem}");
    }
    for note in &change.notes {
        info!("{note}");
    }
}
