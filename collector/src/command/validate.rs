//! `weir validate`: says everything that is wrong with YAML files before anything reads them in earnest.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::manifest;

const EXAMPLES: &str = "\
Each problem is one line: file:line:column: path.to.field: what is wrong; what would be right.
Exit code 0: nothing is wrong; 1: something is.

Examples:
  weir validate examples/quickstart        every YAML file in a folder, as standalone reads it
  weir validate collector.yaml p.yaml      files; those of one folder are checked together";

/// Check FlowCollectors, FlowProfiles and ExportTargets: fields, limits, rules, filters, references
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Validate {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Validate {
    /// Prints problems on standard output, notes on standard error.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let report = manifest::validate(&self.paths);
        let failed = |error: std::io::Error| Failure::System(format!("standard output: {error}"));
        let mut out = std::io::stdout().lock();
        for problem in &report.problems {
            writeln!(out, "{problem}").map_err(failed)?;
        }
        for note in &report.notes {
            // Nothing is lost when nobody listens to the notes.
            _ = writeln!(std::io::stderr(), "note: {note}");
        }
        match report.problems.len() {
            0 => writeln!(out, "valid: {} objects in {} files", report.objects, report.files).map_err(failed),
            1 => Err(Failure::Input("1 problem".to_owned())),
            count => Err(Failure::Input(format!("{count} problems"))),
        }
    }
}
