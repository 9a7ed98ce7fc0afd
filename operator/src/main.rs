//! `weir-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::command::main()
}
