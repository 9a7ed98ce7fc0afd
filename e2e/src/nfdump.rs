//! nfcapd, sfcapd and nfdump: the second opinion on every number.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::deadline::wait_for;
use crate::namespace::Namespace;
use crate::program::{Program, output_of};

/// Which of the two collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NetFlow and IPFIX.
    Nfcapd,
    /// sFlow.
    Sfcapd,
}

impl Kind {
    /// The program's name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Nfcapd => "nfcapd",
            Self::Sfcapd => "sfcapd",
        }
    }
}

/// Flows, packets and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Flow records, or samples.
    pub flows: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A running nfcapd or sfcapd.
#[derive(Debug)]
pub struct Capture {
    program: Program,
    folder: PathBuf,
    port: u16,
}

/// What one has stored.
#[derive(Debug, Clone)]
pub struct Stored {
    folder: PathBuf,
}

impl Capture {
    /// Starts one on `address` (IPv4), in a namespace, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(kind: Kind, namespace: &Namespace, address: SocketAddr, folder: &Path) -> Self {
        let name = kind.program();
        let stored = folder.join(format!("{name}-{}", address.port()));
        fs::create_dir_all(&stored).expect("the test's folder is writable");
        let mut command = namespace.command(name);
        command.arg("-w").arg(&stored).arg("-p").arg(address.port().to_string());
        command.arg("-b").arg(address.ip().to_string()).args(["-t", "3600", "-B", "8000000"]);
        let program = Program::start(&format!("{name}-{}", address.port()), folder, command);
        let mut capture = Self { program, folder: stored, port: address.port() };
        wait_for(&format!("{name} on {address}"), Duration::from_secs(10), String::new, || {
            capture.program.assert_running();
            capture.queued().map(drop)
        });
        capture
    }

    /// Waits until it has heard of an exporter.
    ///
    /// # Panics
    /// When nothing comes within ten seconds.
    pub fn wait_for_exporter(&mut self) {
        let limit = Duration::from_secs(10);
        self.program
            .wait_for_line(limit, |line| line.to_lowercase().contains("exporter: sysid").then_some(()));
    }

    /// Waits until it has read all that was sent to it.
    ///
    /// # Panics
    /// When it does not within ten seconds.
    pub fn wait_until_drained(&self) {
        let empty = || (self.queued() == Some(0)).then_some(());
        wait_for("an empty socket", Duration::from_secs(10), || self.program.output(), empty);
    }

    /// Octets that wait in its socket; none before it listens.
    fn queued(&self) -> Option<u64> {
        let table = fs::read_to_string(format!("/proc/{}/net/udp", self.program.id())).ok()?;
        let port = format!(":{:04X}", self.port);
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|words| words.get(1).is_some_and(|local| local.ends_with(&port)))?;
        u64::from_str_radix(line.get(4)?.split_once(':')?.1, 16).ok()
    }

    /// Ends it and gives what it stored.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn stop(self) -> Stored {
        // A signal makes it leave without reading what waits.
        self.wait_until_drained();
        self.program.stop();
        Stored { folder: self.folder }
    }
}

impl Stored {
    /// What nfdump counts under a filter; an empty one takes all.
    ///
    /// # Panics
    /// When nfdump fails, or its summary cannot be read.
    #[must_use]
    pub fn sums(&self, filter: &str) -> Sums {
        let mut command = Command::new("nfdump");
        command.arg("-R").arg(&self.folder).args(["-N", "-o", "fmt:%fl"]).arg(filter);
        let output = output_of(command);
        let summary = output.lines().find(|line| line.starts_with("Summary:"));
        let summary = summary.unwrap_or_else(|| panic!("nfdump gave no summary:\n{output}"));
        let number = |label: &str| {
            let text =
                summary.split_once(label).map(|(_, rest)| rest.split(',').next().unwrap_or_default().trim());
            text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {label} in: {summary}"))
        };
        Sums {
            flows: number("total flows:"),
            packets: number("total packets:"),
            bytes: number("total bytes:"),
        }
    }

    /// How many flows nfdump counts under a filter.
    ///
    /// # Errors
    /// What nfdump says of a filter that it refuses.
    ///
    /// # Panics
    /// When nfdump does not start.
    pub fn flows(&self, filter: &str) -> Result<u64, String> {
        let mut command = Command::new("nfdump");
        command.arg("-R").arg(&self.folder).args(["-N", "-o", "fmt:%fl"]).arg(filter);
        let output = command.output().expect("nfdump is installed");
        let said = String::from_utf8_lossy(&output.stdout);
        let count = said.lines().find_map(|line| {
            line.strip_prefix("Summary: total flows: ")?.split(',').next()?.trim().parse().ok()
        });
        count.ok_or_else(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The one file that holds it all.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        let entries = fs::read_dir(&self.folder).expect("the folder is there").flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        assert_eq!(files.len(), 1, "one file in {}: {files:?}", self.folder.display());
        files.remove(0)
    }
}
