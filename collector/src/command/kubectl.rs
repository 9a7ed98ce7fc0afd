//! `kubectl weir`: Weir in a cluster, seen with the rights of one's kubeconfig.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tokio::runtime::Runtime;

use super::Failure;
use super::profile::{self, Output};
use super::validate::Validate;
use cluster::Cluster;
use reach::Reached;

mod cluster;
mod forward;
mod reach;
mod rollback;
mod status;
mod token;
mod top;
mod ui;

const EXAMPLES: &str = "\
Flow data are read from the aggregator through a port-forward, with the token of your kubeconfig. Where it holds
none (a client certificate cannot be passed on), a token of the ServiceAccount weir-viewer is asked for.

Examples:
  kubectl weir status -A
  kubectl weir -n flows top zone1-profile
  kubectl weir ui";

/// Show and repair what Weir does in a cluster
#[derive(Debug, Parser)]
#[command(name = "kubectl-weir", bin_name = "kubectl weir", version, max_term_width = 100, after_help = EXAMPLES)]
struct KubectlWeir {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Which cluster, where in it, and as whom.
#[derive(Debug, Args)]
struct Place {
    /// The kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// The namespace [default: the context's]
    #[arg(short, long, global = true, value_name = "NAME")]
    namespace: Option<String>,
    /// Whose token is asked for where the kubeconfig holds none
    #[arg(long, global = true, value_name = "NAMESPACE/NAME", default_value = "weir-system/weir-viewer")]
    viewer: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Status),
    Validate(Validate),
    Profile(ProfileCommand),
    Top(top::Top),
    Rollback(rollback::Rollback),
    Ui(ui::Ui),
}

/// List profiles as an aggregator has them, or show what they hold
#[derive(Debug, Args)]
struct ProfileCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One line a profile: a table on a terminal, else one JSON object a line
    List(Asked),
    /// Everything about one profile, or about all, in the form of `nfsen -l`
    Show {
        /// `name`, `namespace/name` or `live`
        #[arg(value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        asked: Asked,
    },
}

#[derive(Debug, Args)]
struct Asked {
    #[command(flatten)]
    collector: CollectorArgument,
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
}

/// Which FlowCollector is asked.
#[derive(Debug, Args)]
struct CollectorArgument {
    /// The FlowCollector [default: the one that runs the profile, else the only one in the namespace]
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    collector: Option<String>,
}

/// Reads the arguments and runs the subcommand.
pub(super) fn run() -> Result<(), Failure> {
    let KubectlWeir { place, command } = KubectlWeir::parse();
    if let Command::Validate(command) = command {
        return command.run();
    }
    let runtime = runtime()?;
    let cluster = runtime.block_on(Cluster::connect(&place))?;
    match command {
        Command::Status(command) => command.run(&runtime, &cluster),
        Command::Profile(command) => command.run(&runtime, &cluster),
        Command::Top(command) => command.run(&runtime, &cluster),
        Command::Rollback(command) => runtime.block_on(command.run(&cluster)),
        Command::Ui(command) => runtime.block_on(command.run(cluster)),
        Command::Validate(command) => command.run(),
    }
}

/// With threads of its own: connections are forwarded while a command waits for an answer.
fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| Failure::System(format!("cannot start: {error}")))
}

impl ProfileCommand {
    fn run(&self, runtime: &Runtime, cluster: &Cluster) -> Result<(), Failure> {
        let (name, asked) = match &self.what {
            What::List(asked) => (None, asked),
            What::Show { name, asked } => (name.as_deref(), asked),
        };
        let name = name.map(|name| profile::full(name, &cluster.namespace));
        let reached = runtime.block_on(Reached::new(cluster, &asked.collector, name.as_deref()))?;
        let client = reached.client()?;
        profile::print(&match self.what {
            What::List(_) => profile::list(&client, asked.output)?,
            What::Show { .. } => profile::show(&client, name.as_deref(), asked.output)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_subcommand_has_an_explanation() {
        let command = KubectlWeir::command();
        command.clone().debug_assert();
        for subcommand in command.get_subcommands() {
            assert!(subcommand.get_about().is_some(), "{}", subcommand.get_name());
        }
    }

    #[test]
    fn namespace_and_context_may_stand_before_and_behind_the_subcommand() {
        for words in [["-n", "flows", "status"], ["status", "-n", "flows"]] {
            let parsed = KubectlWeir::try_parse_from(["kubectl-weir"].iter().chain(&words)).unwrap();
            assert_eq!(parsed.place.namespace.as_deref(), Some("flows"), "{words:?}");
        }
    }
}
