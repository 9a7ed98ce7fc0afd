//! `weir aggregator`: takes the edges' blocks, keeps series, answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use crds::config::AggregatorConfig;
use tracing::{info, warn};

use super::data::DataFolder;
use super::enroll::EnrollArgs;
use super::hot::{CentralPlan, HotArgs};
use super::running;
use super::{Failure, ready};
use crate::config::{self, ConfigFile};
use crate::pipeline::{Central, CentralOptions};
use crate::serve::{Access, Reviewer};
use crate::telemetry::{Health, Metrics};
use crate::tls::Expected;

/// Between two attempts to put a configuration into force.
const AGAIN: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
Examples:
  weir render --only aggregator examples/quickstart > aggregator.yaml
  weir aggregator --config aggregator.yaml --data /tmp/aggregator";

/// Take the edges' blocks, keep series and top-N, show them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Aggregator {
    /// The configuration that `weir render` prints; profiles and sources follow when the file changes
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    hot: HotArgs,
    /// Where edges deliver their blocks
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8471")]
    ingest: SocketAddr,
    /// Where the page and the API listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8470")]
    listen: SocketAddr,
    #[command(flatten)]
    enroll: EnrollArgs,
    /// A file with the token that every request must carry; needed for an address that is not loopback. With --enroll:
    /// the token that Kubernetes gave the pod for the operator
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Who may ask: whom this server's token lets, or whom Kubernetes lets
    #[arg(long, value_name = "HOW", default_value = "token")]
    access: How,
    #[command(flatten)]
    data: DataFolder,
}

/// Who says who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Whoever has the token of --token-file, or anybody on this machine
    Token,
    /// TokenReview and SubjectAccessReview: get on flowprofiles/data and flowcollectors/data
    Kubernetes,
}

impl Aggregator {
    /// Runs until SIGTERM or SIGINT.
    pub(super) fn run(self) -> Result<(), Failure> {
        running::runtime()?.block_on(self.serve())
    }

    /// A token that Kubernetes gave must not be sent in the clear to another machine.
    async fn rights(
        &self,
        collector: &str,
        token: Option<&Path>,
        metrics: &Metrics,
    ) -> Result<Access, Failure> {
        if self.access == How::Token {
            return running::api_token(token).map(Access::from);
        }
        if !self.enroll.is_given() && !self.listen.ip().is_loopback() {
            let listen = self.listen;
            return Err(Failure::Usage(format!(
                "--access kubernetes on {listen} needs TLS: give --enroll, or an address such as 127.0.0.1:8470"
            )));
        }
        let reviewer = Reviewer::new(collector, metrics.clone()).await;
        let failed = |error| Failure::Usage(format!("--access kubernetes: no API server: {error}"));
        Ok(Access::Kubernetes(Arc::new(reviewer.map_err(failed)?)))
    }

    async fn serve(self) -> Result<(), Failure> {
        let config: AggregatorConfig =
            config::read(&self.config).map_err(|e| Failure::Input(e.to_string()))?;
        let folder = self.data.make(config.storage_path.as_deref())?;
        let health = Health::default();
        let expected = Expected::Aggregator { collector: config.collector.clone() };
        let tls = self.enroll.follow(self.token_file.as_deref(), expected, &health)?;
        let token = self.token_file.as_deref().filter(|_| tls.is_none());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let metrics = Metrics::default();
        let options = CentralOptions {
            folder: folder.join("store"),
            api: self.listen,
            ingest: Some(self.ingest),
            access: self.rights(&config.collector, token, &metrics).await?,
            metrics,
            health: health.clone(),
            tls,
        };
        let mut plan = CentralPlan::open(&self.hot, config, &folder).await?;
        let (config, hot, error) = plan.wanted();
        let mut central = Central::start(&config, options).await.map_err(|error| running::started(&error))?;
        central.run(|running| (running.hot, running.error) = (hot, error));
        health.ok("api");
        let answering = running::watch_health(&folder, &health)?;
        let deliveries = central.ingest.map(|address| format!("edges deliver to {scheme}://{address}"));
        let page = format!("page and API {scheme}://{}", central.api);
        ready(&[Some(page), deliveries].into_iter().flatten().collect::<Vec<_>>(), std::iter::empty());
        let mut file = ConfigFile::new(&self.config);
        let stop = running::stop_signal()?;
        tokio::pin!(stop);
        // A configuration that found no place in the queue is handed over again.
        let mut pending = false;
        let ended = loop {
            tokio::select! {
                () = &mut stop => break Ok(()),
                () = central.died() => break Err(Failure::System("the server ended unexpectedly".into())),
                changed = file.changed() => match changed {
                    Ok(config) => {
                        info!("the configuration changed");
                        plan.fixed = config;
                        pending = !apply(&central, &mut plan);
                    }
                    Err(error) => warn!("{error}; the configuration before goes on"),
                },
                () = plan.changed() => pending = !apply(&central, &mut plan),
                () = tokio::time::sleep(AGAIN), if pending => pending = !apply(&central, &mut plan),
            }
        };
        answering.abort();
        central.stop().await;
        ended
    }
}

/// Puts what is wanted into force and says so; returns whether it is.
fn apply(central: &Central, plan: &mut CentralPlan) -> bool {
    let (config, hot, error) = plan.wanted();
    let applied = central.reconfigure(&config);
    if applied {
        central.run(|running| (running.hot, running.error) = (hot, error));
    }
    applied
}
