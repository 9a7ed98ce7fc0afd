//! `weir relay`: sends replicated datagrams in the exporters' names, for edges that may not.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, running};
use crate::export::relay::{Relay as Program, SOCKET};

const EXAMPLES: &str = "\
An ExportTarget with `preserveSource: true` needs a raw socket, which only root with the capability NET_RAW
may have. The relay holds it, so that the edge needs no privilege. Whoever may open its Unix socket (mode
0660) may send datagrams in any name.

Examples:
  weir relay
  weir relay --socket /run/other/relay.sock";

/// Send replicated datagrams with their exporters' addresses, for edges on this machine (needs NET_RAW)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Relay {
    /// The Unix socket on which it listens
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    socket: PathBuf,
}

impl Relay {
    /// Runs until SIGTERM or SIGINT.
    pub(super) fn run(self) -> Result<(), Failure> {
        running::runtime()?.block_on(async move {
            let stop = running::stop_signal()?;
            let relay = Program::open(&self.socket).map_err(|error| Failure::System(error.to_string()))?;
            let relay = std::sync::Arc::new(relay);
            super::ready(&[format!("relay at {}", self.socket.display())], std::iter::empty());
            let serving = std::sync::Arc::clone(&relay);
            let thread = std::thread::Builder::new().name("accept".to_owned());
            let started = thread.spawn(move || serving.serve());
            started.map_err(|error| Failure::System(format!("cannot start a thread: {error}")))?;
            stop.await;
            relay.close();
            Ok(())
        })
    }
}
