//! `kubectl weir status`: collectors, nodes, profiles, targets and losses in one view.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Args;
use crds::collector::FlowCollector;
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::runtime::Runtime;

use super::cluster::Cluster;
use super::reach::{Reached, labels};
use super::token::Tokens;
use crate::command::{Failure, profile};
use crate::serve::ExporterList;
use view::{State, view};

mod view;

const EXAMPLES: &str = "\
What got lost is read from the aggregators; without the right to (get on flowcollectors/data) a dash stands there, and
a note says why.

Examples:
  kubectl weir status
  kubectl weir status --all-namespaces";

/// More aggregators are not asked: their losses are dashes.
const ASKED: usize = 20;

/// Show collectors, nodes, profiles, targets and losses
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Status {
    /// Show all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl Status {
    /// Prints the view on standard output, and on standard error why something is not in it.
    pub(super) fn run(&self, runtime: &Runtime, cluster: &Cluster) -> Result<(), Failure> {
        let mut state = runtime.block_on(self.seen(cluster))?;
        if state.collectors.is_empty() {
            let place = if self.all_namespaces { "the cluster" } else { &cluster.namespace };
            return Err(Failure::Input(format!(
                "there is no FlowCollector in {place}: give -n NAMESPACE or -A"
            )));
        }
        let tokens = Tokens::new(cluster.clone());
        for collector in state.collectors.iter().take(ASKED) {
            let (namespace, name) = (collector.namespace().unwrap_or_default(), collector.name_any());
            match exporters(runtime, cluster, &tokens, (&namespace, &name)) {
                Ok(list) => {
                    state.exporters.insert(format!("{namespace}/{name}"), list);
                }
                // Nothing is lost when nobody reads it.
                Err(why) => _ = writeln!(std::io::stderr(), "note: no losses of {namespace}/{name}: {why}"),
            }
        }
        state.now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        profile::print(&view(&state))
    }

    async fn seen(&self, cluster: &Cluster) -> Result<State, Failure> {
        let namespace = (!self.all_namespaces).then_some(cluster.namespace.as_str());
        let edges = labels(None, "edge");
        let (collectors, profiles, targets, pods) = tokio::try_join!(
            cluster.list::<FlowCollector>(namespace, ""),
            cluster.list::<FlowProfile>(namespace, ""),
            cluster.list::<ExportTarget>(namespace, ""),
            cluster.list::<Pod>(namespace, &edges),
        )?;
        Ok(State { collectors, profiles, targets, pods, exporters: BTreeMap::new(), now_ms: 0 })
    }
}

fn exporters(
    runtime: &Runtime,
    cluster: &Cluster,
    tokens: &Tokens,
    (namespace, name): (&str, &str),
) -> Result<ExporterList, Failure> {
    let reached = runtime.block_on(Reached::of(cluster, tokens, namespace, name))?;
    reached.client()?.get("exporters")
}
