//! Where and when it was measured, and the file that it is written to.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use e2e::program::output_of;

const RUNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../collector/benches/runs");

/// Prints the report; a whole one is also kept under its date.
pub(crate) fn write_report(report: &str, whole: bool) {
    let date = said("date", &["--utc", "+%Y-%m-%d"]);
    let text = format!("# Weir beside its peers, {date}\n\n{}\n{report}", facts());
    if whole {
        fs::create_dir_all(RUNS).expect("the repository is writable");
        let path = Path::new(RUNS).join(format!("{date}.md"));
        fs::write(&path, &text).expect("the repository is writable");
    }
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).expect("standard output takes the report");
}

/// The kernel's bound for receive buffers, raised while the bench runs: nfcapd cannot pass it, Weir as root could.
pub(crate) struct ReceiveBound {
    before: String,
}

const RMEM_MAX: &str = "/proc/sys/net/core/rmem_max";

impl ReceiveBound {
    /// Raises it to 64 MB.
    pub(crate) fn raise() -> Self {
        let before = fs::read_to_string(RMEM_MAX).expect("Linux tells it");
        fs::write(RMEM_MAX, "67108864").expect("root may raise it");
        Self { before }
    }
}

impl Drop for ReceiveBound {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = fs::write(RMEM_MAX, self.before.trim());
    }
}

fn facts() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let nfdump = said("nfdump", &["-V"]);
    format!(
        "{} cores of {}, Linux {}, loopback in a namespace of its own; {}; load average at the end {}.\n\
         Eight exporters; v5 30 flows a datagram, v9 and IPFIX about 20 of 20 fields, sFlow 6 samples with their \
         headers. Every figure is the median of interleaved rounds, with its range.\n",
        cpu.lines().filter(|line| line.starts_with("processor")).count(),
        model.map_or("an unnamed processor", |(_, name)| name),
        said("uname", &["-r"]),
        nfdump.split(", tag").next().unwrap_or_default().trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}

fn said(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    output_of(command).trim().to_owned()
}
