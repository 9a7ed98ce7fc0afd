//! pmacctd: NetFlow v5, v9 and IPFIX by nfprobe, sFlow by sfprobe.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::deadline::wait_for;
use crate::namespace::Namespace;
use crate::program::Program;

const PATIENCE: Duration = Duration::from_secs(10);

/// What pmacctd exports with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// nfprobe with version 5, 9, or 10 for IPFIX.
    Nfprobe(u8),
    /// sfprobe, one sample in so many packets.
    Sfprobe(u32),
}

/// A running pmacctd; nothing else may live in its namespace.
#[derive(Debug)]
pub struct Pmacctd<'a> {
    namespace: &'a Namespace,
    program: Program,
}

impl<'a> Pmacctd<'a> {
    /// Starts one that watches `interface`; each target gets a plugin of its own. Flows leave after a second or two.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(
        namespace: &'a Namespace,
        interface: &str,
        plugin: Plugin,
        targets: &[SocketAddr],
        folder: &Path,
    ) -> Self {
        let file = folder.join("pmacctd.conf");
        fs::write(&file, configuration(interface, plugin, targets)).expect("the test's folder is writable");
        let mut command = namespace.command("pmacctd");
        command.arg("-f").arg(file);
        let mut program = Program::start("pmacctd", folder, command);
        let exports =
            targets.iter().map(|target| format!("Exporting flows to [{}]:{}", target.ip(), target.port()));
        for words in exports.chain(["link type is".to_owned()]) {
            program.wait_for_line(PATIENCE, |line| line.contains(&words).then_some(()));
        }
        Self { namespace, program }
    }

    /// Ends it and waits for its plugins, which export what they still have and outlive it.
    ///
    /// # Panics
    /// When they do not end.
    pub fn stop(self) {
        self.program.stop();
        let ended = || self.namespace.processes().trim().is_empty().then_some(());
        wait_for("the end of pmacctd's plugins", PATIENCE, || self.namespace.processes(), ended);
    }
}

fn configuration(interface: &str, plugin: Plugin, targets: &[SocketAddr]) -> String {
    let mut text = format!("daemonize: false\npromisc: true\npcap_interface: {interface}\n");
    let name = if matches!(plugin, Plugin::Nfprobe(_)) { "nfprobe" } else { "sfprobe" };
    let plugins: Vec<_> = (0..targets.len()).map(|number| format!("{name}[to{number}]")).collect();
    let mut line = |words: String| writeln!(text, "{words}").expect("a string takes everything");
    line(format!("plugins: {}", plugins.join(", ")));
    for (number, target) in targets.iter().enumerate() {
        line(format!("{name}_receiver[to{number}]: {target}"));
        if name == "nfprobe" {
            line(format!(
                "aggregate[to{number}]: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, in_iface, out_iface"
            ));
        }
    }
    match plugin {
        Plugin::Nfprobe(version) => {
            line(format!("nfprobe_version: {version}"));
            line(
                "nfprobe_timeouts: tcp=2:tcp.rst=1:tcp.fin=1:udp=1:icmp=1:general=1:maxlife=10:expint=1"
                    .to_owned(),
            );
        }
        Plugin::Sfprobe(rate) => {
            line(format!("sampling_rate: {rate}"));
            line("sfprobe_agentip: 198.51.100.2".to_owned());
        }
    }
    text
}
