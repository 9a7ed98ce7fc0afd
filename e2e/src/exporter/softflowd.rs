//! softflowd: NetFlow v5, v9 and IPFIX from captured packets.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::list;
use crate::deadline::wait_for;
use crate::namespace::Namespace;
use crate::program::{Program, output_of};

/// A running softflowd.
#[derive(Debug)]
pub struct Softflowd<'a> {
    namespace: &'a Namespace,
    program: Program,
    control: PathBuf,
}

impl<'a> Softflowd<'a> {
    /// Starts one that watches `interface` and exports with `version` (5, 9, or 10 for IPFIX).
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(
        namespace: &'a Namespace,
        interface: &str,
        version: u8,
        targets: &[SocketAddr],
        folder: &Path,
    ) -> Self {
        let control = folder.join("softflowd.ctl");
        let mut command = namespace.command("softflowd");
        command.args(["-d", "-6", "-i", interface, "-v", &version.to_string(), "-n", &list(targets)]);
        command.arg("-p").arg(folder.join("softflowd.pid")).arg("-c").arg(&control);
        let mut program = Program::start("softflowd", folder, command);
        program.wait_for_line(Duration::from_secs(10), |line| line.contains("Exporting flows").then_some(()));
        let started = Self { namespace, program, control };
        let answers = || started.control.exists().then_some(());
        wait_for("softflowd's control socket", Duration::from_secs(10), || started.program.output(), answers);
        started
    }

    /// Waits until it has seen so many packets, then has it export all flows at once.
    ///
    /// # Panics
    /// When it does not see them within ten seconds.
    pub fn expire_after(&self, packets: u64) {
        let seen = || {
            let statistics = self.control("statistics");
            let line = statistics.lines().find_map(|line| line.strip_prefix("Packets processed:"));
            line.and_then(|count| count.trim().parse::<u64>().ok()).filter(|seen| *seen >= packets)
        };
        let explain = || self.control("statistics");
        wait_for(&format!("{packets} packets at softflowd"), Duration::from_secs(10), explain, seen);
        self.control("expire-all");
    }

    /// Ends it; it exports what it still has.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(self) -> ExitStatus {
        self.control("shutdown");
        self.program.stop()
    }

    fn control(&self, word: &str) -> String {
        let mut command = self.namespace.command("softflowctl");
        command.arg("-c").arg(&self.control).arg(word);
        output_of(command)
    }
}
