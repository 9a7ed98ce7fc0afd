//! The program `weir`: reads its arguments and runs one subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    collector::command::run()
}
