//! `flow-generator`: sends flows to a collector and prints what it sent as one JSON object.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use flow_generator::arguments::{Arguments, Plan, PlanError};
use flow_generator::sender::{SendError, Sender};

/// Why nothing, or not everything, could be sent.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Plan(PlanError::Remote(_) | PlanError::Transport) => ExitCode::from(2),
            _ => ExitCode::from(3),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match generate(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when standard error is closed.
            drop(writeln!(io::stderr(), "flow-generator: {failure}"));
            failure.code()
        }
    }
}

async fn generate(arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan::new(arguments)?;
    let mut sender = Sender::open(&plan)?;
    writeln!(io::stderr(), "{plan}")?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    };
    let summary = sender.run(stop).await?;
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &summary).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
