//! Where an edge finds what its export targets need.

use std::path::PathBuf;

use clap::Args;
use crds::config::target::SECRETS_FOLDER;

use crate::export::{ExportOptions, relay};

/// What export targets need beside the configuration.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The Unix socket of `weir relay`, for ExportTargets with preserveSource
    #[arg(long, value_name = "PATH", default_value = relay::SOCKET)]
    relay_socket: PathBuf,
    /// The folder with the Secrets that ExportTargets name, a file NAMESPACE.SECRET.KEY for each key
    #[arg(long, value_name = "DIR", default_value = SECRETS_FOLDER)]
    target_secrets: PathBuf,
}

impl ExportArgs {
    /// As the edge takes it.
    pub(super) fn options(&self) -> ExportOptions {
        ExportOptions {
            relay: self.relay_socket.clone(),
            secrets: self.target_secrets.clone(),
            ..ExportOptions::default()
        }
    }
}
