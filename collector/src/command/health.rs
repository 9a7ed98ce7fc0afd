//! `weir health`: asks the program that runs on this machine how it is.

use std::io::Write;

use clap::Args;

use super::Failure;
use super::data::DataFolder;
use crate::telemetry::{self, Check, CheckState, Report};

const EXAMPLES: &str = "\
Exit codes: 0 every part works, 1 a part has not started or fails, 3 nothing answers.

Examples:
  weir health
  weir health --data /var/lib/weir && echo ready
  weir health --started";

/// Ask the weir that runs with a data folder whether all its parts work
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Health {
    #[command(flatten)]
    data: DataFolder,
    /// Only whether the program has started: exit code 0 also while a part fails, such as an aggregator that is away
    #[arg(long)]
    started: bool,
}

impl Health {
    /// Prints every part; fails unless all work.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let folder = self.data.resolve(None)?;
        let report = telemetry::ask(&folder).map_err(|error| Failure::System(error.to_string()))?;
        writeln!(std::io::stdout().lock(), "{}", text(&report))
            .map_err(|error| Failure::System(format!("standard output: {error}")))?;
        if report.ok || self.started { Ok(()) } else { Err(Failure::Input("not ready".to_owned())) }
    }
}

fn text(report: &Report) -> String {
    let word = if report.ok { "ok" } else { "not ok" };
    std::iter::once(word.to_owned()).chain(report.checks.iter().map(line)).collect::<Vec<_>>().join("\n")
}

fn line(check: &Check) -> String {
    match check.state {
        CheckState::Ok => format!("  {}: ok", check.name),
        CheckState::Starting => format!("  {}: starting", check.name),
        CheckState::Failing => format!("  {}: {}", check.name, check.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_told_with_the_reason_of_a_failure() {
        let health = telemetry::Health::default();
        health.ok("sockets");
        assert_eq!(text(&health.report()), "ok\n  sockets: ok");
        health.failing("store", "the disk is full");
        health.starting("api");
        let told = text(&health.report());
        assert_eq!(told, "not ok\n  api: starting\n  sockets: ok\n  store: the disk is full");
    }
}
