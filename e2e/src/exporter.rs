//! Real exporters, as their users start them. Each sends the same to several collectors.

pub mod openvswitch;
pub mod pmacctd;
pub mod softflowd;

use std::net::SocketAddr;
use std::path::Path;

use crate::namespace::Namespace;
use crate::program::output_of;

/// Sends what nfcapd stored in `file` once more, with nfreplay; `version` is 5 or 9.
///
/// # Panics
/// When nfreplay fails.
pub fn nfreplay(namespace: &Namespace, file: &Path, version: u8, target: SocketAddr) {
    let mut command = namespace.command("nfreplay");
    command.arg("-r").arg(file).args(["-v", &version.to_string(), "-d", "1000"]);
    command.args(["-H", &target.ip().to_string(), "-p", &target.port().to_string()]);
    output_of(command);
}

/// Addresses joined by commas, as most exporters take them.
fn list(targets: &[SocketAddr]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
