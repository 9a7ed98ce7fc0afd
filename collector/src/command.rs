//! The command line: one file a subcommand, exit codes in one place.

mod aggregator;
mod client;
mod data;
mod decode;
mod edge;
mod enroll;
mod export;
mod health;
mod hot;
mod kubectl;
mod prepare;
mod profile;
mod relay;
mod render;
mod running;
mod standalone;
mod validate;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use crds::config::Transport;

use crate::telemetry::LogOptions;

/// What a subcommand can end with, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Bad input, or something asked for is not there: 1.
    #[error("{0}")]
    Input(String),
    /// The words of the command line do not go together: 2.
    #[error("{0}")]
    Usage(String),
    /// The system refused: a port, a folder, the network: 3.
    #[error("{0}")]
    System(String),
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::System(_) => ExitCode::from(3),
        }
    }
}

/// Weir collects NetFlow, IPFIX and sFlow at the edge and shows what flows where.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100)]
struct Weir {
    #[command(flatten)]
    logs: LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Standalone(standalone::Standalone),
    Edge(edge::Edge),
    Aggregator(aggregator::Aggregator),
    Decode(decode::Decode),
    Validate(validate::Validate),
    Render(render::Render),
    Profile(profile::ProfileCommand),
    Relay(relay::Relay),
    Health(health::Health),
    Prepare(prepare::Prepare),
}

/// Reads the arguments and runs the subcommand. Under the name `kubectl-weir` the program is kubectl's plugin.
pub fn run() -> ExitCode {
    let called = std::env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or_default();
    // kubectl turns dashes of a plugin's command into underscores of its file.
    if ["kubectl-weir", "kubectl_weir"].contains(&name) {
        return told("kubectl weir", kubectl::run());
    }
    told("weir", dispatch(Weir::parse()))
}

fn told(program: &str, ended: Result<(), Failure>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            #[allow(clippy::print_stderr, reason = "the last word of the program")]
            {
                eprintln!("{program}: {failure}");
            }
            failure.code()
        }
    }
}

fn dispatch(weir: Weir) -> Result<(), Failure> {
    crate::cryptography::provide();
    weir.logs.start().map_err(|error| Failure::Usage(error.to_string()))?;
    match weir.command {
        Command::Decode(command) => command.run(),
        Command::Standalone(command) => command.run(),
        Command::Edge(command) => command.run(),
        Command::Aggregator(command) => command.run(),
        Command::Validate(command) => command.run(),
        Command::Render(command) => command.run(),
        Command::Profile(command) => command.run(),
        Command::Relay(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::Prepare(command) => command.run(),
    }
}

/// The ready line: what can be reached where, on standard output, so that programs can wait for it.
fn ready<'a>(addresses: &[String], listeners: impl Iterator<Item = (&'a str, Transport, SocketAddr)>) {
    use std::io::Write;
    let listeners = listeners.map(|(name, transport, address)| {
        format!("{name} {} port {}", transport.name().to_lowercase(), address.port())
    });
    let all: Vec<String> = addresses.iter().cloned().chain(listeners).collect();
    // Nobody may be reading any more; the program runs all the same.
    drop(writeln!(std::io::stdout(), "weir is ready: {}", all.join(", ")));
}
