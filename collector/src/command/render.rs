//! `weir render`: prints the configuration that edges and aggregator get.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Failure;
use crate::manifest;

const EXAMPLES: &str = "\
Prints two YAML documents, the edge's and the aggregator's, with every default filled in.

Examples:
  weir render examples/quickstart
  weir render --only edge examples/quickstart > edge.yaml";

/// Print what edges and aggregator read: the folder's objects with every default filled in
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Render {
    /// A folder with one FlowCollector, its FlowProfiles and ExportTargets
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print one of the two alone, as `weir edge` and `weir aggregator` read it
    #[arg(long, value_name = "ROLE")]
    only: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    Edge,
    Aggregator,
}

impl Render {
    /// Prints both configurations, or everything that is wrong.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (rendered, notes) = manifest::render(&self.folder).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::Input(format!("nothing is rendered:\n{}", lines.join("\n")))
        })?;
        let text =
            |yaml: serde_yaml::Result<String>| yaml.map_err(|error| Failure::System(error.to_string()));
        let edge = text(serde_yaml::to_string(&rendered.edge))?;
        let aggregator = text(serde_yaml::to_string(&rendered.aggregator))?;
        for note in notes {
            // Nothing is lost when nobody listens to the notes.
            _ = writeln!(std::io::stderr(), "note: {note}");
        }
        let printed = match self.only {
            Some(Role::Edge) => edge,
            Some(Role::Aggregator) => aggregator,
            None => {
                format!("# Every edge reads this.\n{edge}---\n# The aggregator reads this.\n{aggregator}")
            }
        };
        std::io::stdout()
            .lock()
            .write_all(printed.as_bytes())
            .map_err(|error| Failure::System(format!("standard output: {error}")))
    }
}
