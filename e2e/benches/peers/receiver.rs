//! Who receives: Weir's edge, nfcapd or sfcapd; what each costs and what it got.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::deadline::wait_for;
use e2e::program::{Program, output_of, own};
use flow_generator::arguments::Protocol;
use rustix::process::Signal;

/// The channels of zone1_profile without its `top[]`.
const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

/// What Linux gives each socket without asking (212,992 bytes, its own share counted): it doubles what is set.
const DEFAULT_BUFFER: &str = "  edge: {receiveBuffer: 104Ki}\n";

/// A collector under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `weir edge` with 21 channels, shipping to an aggregator that is not counted.
    Weir,
    /// The same with the quickstart's `top[]`.
    Ranked,
    /// nfcapd, or sfcapd for sFlow, writing uncompressed files.
    Plain,
    /// The same with LZ4.
    Lz4,
}

impl Kind {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weir => "weir edge, 21 channels",
            Self::Ranked => "weir edge, 21 channels with top[]",
            Self::Plain => "nfcapd/sfcapd",
            Self::Lz4 => "nfcapd/sfcapd -y (LZ4)",
        }
    }
}

/// The receive buffers of one comparison: the same for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffer {
    /// What the system gives each socket without asking; Weir has eight of them.
    Default,
    /// 64 MB, as root may have it.
    Large,
}

impl Buffer {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Large => "64 MB",
        }
    }
}

/// A running collector. Dropping it kills it.
pub(crate) struct Receiver {
    kind: Kind,
    program: Program,
    aggregator: Option<Program>,
    folder: tempfile::TempDir,
    port: u16,
}

impl Receiver {
    /// Starts it and waits until it listens on `port`.
    pub(crate) fn start(kind: Kind, protocol: Protocol, port: u16, buffer: Buffer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (program, aggregator) = match kind {
            Kind::Weir | Kind::Ranked => weir(folder.path(), buffer, kind == Kind::Ranked),
            Kind::Plain => (nfcapd(folder.path(), protocol, port, buffer, &[]), None),
            Kind::Lz4 => (nfcapd(folder.path(), protocol, port, buffer, &["-y"]), None),
        };
        let receiver = Self { kind, program, aggregator, folder, port };
        wait_for(
            "a bound port",
            Duration::from_secs(20),
            || receiver.program.output(),
            || receiver.queued().map(drop),
        );
        receiver
    }

    /// Nanoseconds of processor time of all its threads so far.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.program.id())).expect("it runs");
        let times = tasks.flatten().filter_map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        times.sum()
    }

    /// The largest resident memory so far, in kB.
    pub(crate) fn peak_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("Linux tells the peak")
    }

    /// Stops or continues it.
    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Octets that wait in its sockets, and datagrams that these have dropped; none before it listens.
    pub(crate) fn queued(&self) -> Option<(u64, u64)> {
        let port = format!(":{:04X}", self.port);
        let mut sum = None;
        for table in ["udp", "udp6"] {
            let table = fs::read_to_string(format!("/proc/{}/net/{table}", self.program.id())).ok()?;
            for line in table.lines() {
                let words: Vec<_> = line.split_whitespace().collect();
                if words.get(1).is_none_or(|local| !local.ends_with(&port)) {
                    continue;
                }
                let queue = words.get(4).and_then(|queue| queue.split_once(':'));
                let queue = u64::from_str_radix(queue?.1, 16).ok()?;
                let drops = words.last()?.parse::<u64>().ok()?;
                let (queues, all) = sum.unwrap_or((0, 0));
                sum = Some((queues + queue, all + drops));
            }
        }
        sum
    }

    /// Waits until nothing waits in its sockets.
    pub(crate) fn drained(&self) {
        let empty = || self.queued().is_some_and(|(octets, _)| octets == 0).then_some(());
        wait_for("empty sockets", Duration::from_secs(60), || self.program.output(), empty);
    }

    /// Ends it; gives the flows that it has.
    pub(crate) fn flows(self) -> u64 {
        self.flows_kept(None)
    }

    /// The same; nfcapd's folder of files is moved to `keep`.
    pub(crate) fn flows_kept(self, keep: Option<&Path>) -> u64 {
        self.drained();
        self.program.stop();
        if let Some(aggregator) = self.aggregator {
            let flows = aggregated();
            aggregator.stop();
            return flows;
        }
        assert!(matches!(self.kind, Kind::Plain | Kind::Lz4), "Weir has an aggregator");
        let mut files = self.folder.path().join("data");
        if let Some(keep) = keep {
            fs::rename(&files, keep).expect("both lie in the same file system");
            files = keep.to_owned();
        }
        let mut command = Command::new("nfdump");
        command.arg("-I").arg("-R").arg(files);
        let output = output_of(command);
        let flows = output.lines().find_map(|line| line.strip_prefix("Flows:")?.trim().parse().ok());
        flows.unwrap_or_else(|| panic!("nfdump -I told no flows:\n{output}"))
    }
}

fn nfcapd(folder: &Path, protocol: Protocol, port: u16, buffer: Buffer, more: &[&str]) -> Program {
    let data = folder.join("data");
    fs::create_dir_all(&data).expect("the folder is writable");
    let name = if protocol == Protocol::Sflow { "sfcapd" } else { "nfcapd" };
    let mut command = Command::new(name);
    command.arg("-w").arg(data).arg("-p").arg(port.to_string()).args(["-b", "127.0.0.1", "-t", "86400"]);
    if buffer == Buffer::Large {
        command.args(["-B", "64000000"]);
    }
    Program::start(name, folder, {
        command.args(more);
        command
    })
}

fn weir(folder: &Path, buffer: Buffer, ranked: bool) -> (Program, Option<Program>) {
    let yaml = folder.join("yaml");
    fs::create_dir_all(&yaml).expect("the folder is writable");
    for name in ["collector.yaml", "zone1-profile.yaml"] {
        let text = fs::read_to_string(Path::new(QUICKSTART).join(name)).expect("the quickstart is there");
        let without_top = text.split("\n  top:").next().unwrap_or_default().to_owned() + "\n";
        let text = if ranked { text } else { without_top };
        let collector = name == "collector.yaml" && buffer == Buffer::Default;
        let text = text + if collector { DEFAULT_BUFFER } else { "" };
        fs::write(yaml.join(name), text).expect("the folder is writable");
    }
    for role in ["edge", "aggregator"] {
        let mut render = Command::new(own("weir"));
        render.args(["render", "--only", role]).arg(&yaml);
        fs::write(folder.join(format!("{role}.yaml")), output_of(render)).expect("the folder is writable");
    }
    let start = |role: &str, mut command: Command| {
        command.arg(role).arg("--config").arg(folder.join(format!("{role}.yaml")));
        command.arg("--data").arg(folder.join(role));
        let mut program = Program::start(role, folder, command);
        program.wait_for_line(Duration::from_secs(20), |line| line.contains("is ready").then_some(()));
        program
    };
    let aggregator = start("aggregator", Command::new(own("weir")));
    let edge = Command::new(own("weir"));
    (start("edge", edge), Some(aggregator))
}

/// Flow records that the aggregator knows of, once it has all that the stopped edge had.
fn aggregated() -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.expect("a runtime starts").block_on(async {
        let answer = reqwest::get("http://127.0.0.1:8470/api/v1/exporters").await?;
        answer.error_for_status()?.json::<serde_json::Value>().await
    });
    let answer = answer.expect("the API answers");
    let streams = answer["exporters"].as_array().expect("a list of exporters");
    streams.iter().filter_map(|stream| stream["records"].as_u64()).sum()
}
