//! `weir edge`: receives, counts and ships to an aggregator.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use crds::config::EdgeConfig;
use tracing::{info, warn};

use super::data::DataFolder;
use super::enroll::EnrollArgs;
use super::export::ExportArgs;
use super::hot::{EdgePlan, HotArgs};
use super::running;
use super::{Failure, ready};
use crate::config::{self, ConfigFile};
use crate::pipeline::Edge as Role;
use crate::ship::HttpUpstream;
use crate::telemetry::Health;
use crate::tls::{Current, Expected};

/// In a cluster, for so long the aggregator is asked what it knows, where the disk is another one.
const ASK: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  weir render --only edge examples/quickstart > edge.yaml
  weir edge --config edge.yaml --aggregator http://127.0.0.1:8471 --data /tmp/edge";

/// Receive flows, count them, keep what was counted in a spool until the aggregator has it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Edge {
    /// The configuration that `weir render` prints; profiles and sources follow when the file changes
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    hot: HotArgs,
    #[command(flatten)]
    enroll: EnrollArgs,
    /// The token that Kubernetes gave the pod for the operator, read anew each time; with --enroll
    #[arg(long, value_name = "FILE", requires = "enroll")]
    token_file: Option<PathBuf>,
    /// Where blocks are shipped to: http, or with --enroll https
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8471")]
    aggregator: String,
    /// How the edge is called [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// At the end, ship what is spooled for so many seconds; the rest waits for the next start [default: 5; with
    /// --enroll 50, within the minute that Kubernetes gives a pod]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3_600))]
    drain: Option<u64>,
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    export: ExportArgs,
}

impl Edge {
    /// Runs until SIGTERM or SIGINT.
    pub(super) fn run(self) -> Result<(), Failure> {
        running::runtime()?.block_on(self.receive())
    }

    async fn receive(self) -> Result<(), Failure> {
        let config: EdgeConfig = config::read(&self.config).map_err(|e| Failure::Input(e.to_string()))?;
        let folder = self.data.make(None)?;
        let name = self.name.clone().unwrap_or_else(running::host_name);
        let health = Health::default();
        let expected = Expected::Edge { collector: config.collector.clone(), node: name.clone() };
        let tls = self.enroll.follow(self.token_file.as_deref(), expected, &health)?;
        let upstream = Arc::new(self.upstream(tls.clone())?);
        let mut plan = EdgePlan::open(&self.hot, config, &folder).await?;
        let (wanted, spool, options) = (plan.wanted(), folder.join("spool"), self.export.options());
        let started = if self.enroll.is_given() {
            Role::start_asking(wanted, &spool, &name, upstream, options, ASK).await
        } else {
            Role::exporting(wanted, &spool, &name, upstream, options)
        };
        let edge = started.map_err(|error| running::started(&error))?;
        if let Some(current) = tls {
            edge.follow(current);
        }
        let answering = running::watch_health(&folder, &health)?;
        ready(&[format!("ships to {}", self.aggregator)], edge.listeners());
        let ended = self.until_stopped(&edge, &mut plan, &health).await;
        answering.abort();
        let usual = if self.enroll.is_given() { 50 } else { 5 };
        edge.stop_within(Duration::from_secs(self.drain.unwrap_or(usual))).await;
        ended
    }

    fn upstream(&self, tls: Option<Current>) -> Result<HttpUpstream, Failure> {
        let made = match tls {
            Some(current) => HttpUpstream::secured(&self.aggregator, current),
            None => HttpUpstream::new(&self.aggregator),
        };
        made.map_err(Failure::Usage)
    }

    async fn until_stopped(&self, edge: &Role, plan: &mut EdgePlan, health: &Health) -> Result<(), Failure> {
        let mut file = ConfigFile::new(&self.config);
        let mut check = tokio::time::interval(Duration::from_secs(1));
        let stop = running::stop_signal()?;
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                changed = file.changed() => match changed {
                    Ok(config) => {
                        info!("the configuration changed");
                        plan.fixed = config;
                        edge.reconfigure(plan.wanted());
                    }
                    Err(error) => warn!("{error}; the configuration before goes on"),
                },
                () = plan.changed() => edge.reconfigure(plan.wanted()),
                _ = check.tick() => {
                    running::report_spool(health, &edge.status());
                    if edge.has_died() {
                        return Err(Failure::System("the edge ended unexpectedly".into()));
                    }
                }
            }
        }
    }
}
