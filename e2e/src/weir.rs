//! A running `weir standalone`, and what its API answers.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::deadline::wait_for;
use crate::namespace::Namespace;
use crate::nfdump::Sums;
use crate::program::{Program, own};

/// How long it may take from a record sent to a number served: a slot, a cut and a commit.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `weir standalone`.
#[derive(Debug)]
pub struct Weir<'a> {
    program: Program,
    namespace: &'a Namespace,
    api: SocketAddr,
}

impl<'a> Weir<'a> {
    /// Starts it in a namespace, on a folder of YAML, with its data in `<folder>/data`; waits until it is ready.
    /// Its ports are the usual ones: the namespace has them all.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn standalone(namespace: &'a Namespace, yaml: &Path, folder: &Path) -> Self {
        Self::standalone_with(namespace, yaml, folder, &[])
    }

    /// The same with further arguments.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn standalone_with(
        namespace: &'a Namespace,
        yaml: &Path,
        folder: &Path,
        arguments: &[&OsStr],
    ) -> Self {
        let mut command = namespace.command(own("weir"));
        command.arg("standalone").arg(yaml).arg("--data").arg(folder.join("data")).args(arguments);
        let mut program = Program::start("weir", folder, command);
        let ready = |line: &str| line.strip_prefix("weir is ready: ").map(str::to_owned);
        let line = program.wait_for_line(Duration::from_secs(20), ready);
        let api = address(&line);
        Self { program, namespace, api }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.program.output()
    }

    /// The memory that it holds now (VmRSS), in bytes.
    ///
    /// # Panics
    /// When it does not run any more.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.program.id());
        let status = fs::read_to_string(path).expect("weir runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        kilobytes.expect("a number of kB") * 1024
    }

    /// The answer to a GET, as JSON.
    ///
    /// # Panics
    /// When the request fails, or is refused.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let text = self.text(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The answer to a GET.
    ///
    /// # Panics
    /// When the request fails, or is refused.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.api);
        let answer = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(fetch(&url))
        };
        let answer = self.namespace.run(answer);
        answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.program.output()))
    }

    /// The sum of a metric over all label sets that contain `label`.
    ///
    /// # Panics
    /// When the request fails.
    #[must_use]
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.text("/metrics");
        let lines =
            text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.map(whole).sum()
    }

    /// The sums of a channel over the last hour, scaled as Weir scales.
    ///
    /// # Panics
    /// When the request fails, or there is no such channel.
    #[must_use]
    pub fn sums(&self, profile: &str, channel: &str) -> Sums {
        let of = |metric: &str| {
            let path =
                format!("/api/v1/profiles/{profile}/series?channels={channel}&metric={metric}&value=sum");
            let answer = self.get(&path);
            let values =
                answer["series"][0]["values"].as_array().unwrap_or_else(|| panic!("{path}: {answer}"));
            values.iter().filter_map(Value::as_f64).map(whole).sum()
        };
        Sums { flows: of("flows"), packets: of("packets"), bytes: of("bytes") }
    }

    /// Waits until a channel's sums are what is expected.
    ///
    /// # Panics
    /// When they are not within twenty seconds: the message says what they are, and what Weir printed.
    pub fn expect(&self, profile: &str, channel: &str, expected: Sums) {
        let explain = || {
            let exporters = self.get("/api/v1/exporters");
            format!("it is {:?}\n{exporters:#}\n{}", self.sums(profile, channel), self.program.output())
        };
        wait_for(&format!("{channel} with {expected:?}"), PATIENCE, explain, || {
            (self.sums(profile, channel) == expected).then_some(())
        });
    }

    /// Waits until a channel has so many flows, packets and bytes, or more.
    ///
    /// # Panics
    /// When it has not within twenty seconds.
    pub fn wait_for(&self, profile: &str, channel: &str, least: Sums) {
        let explain = || format!("it has {:?}\n{}", self.sums(profile, channel), self.program.output());
        wait_for(&format!("{channel} with {least:?} or more"), PATIENCE, explain, || {
            let now = self.sums(profile, channel);
            let enough = now.flows >= least.flows && now.packets >= least.packets && now.bytes >= least.bytes;
            enough.then_some(())
        });
    }

    /// Waits until a stream of this protocol has brought records.
    ///
    /// # Panics
    /// When none has within twenty seconds.
    pub fn wait_for_records(&self, protocol: &str) {
        let explain = || format!("{:#}\n{}", self.get("/api/v1/exporters"), self.program.output());
        wait_for(&format!("records of {protocol}"), PATIENCE, explain, || {
            let answer = self.get("/api/v1/exporters");
            let mut streams = answer["exporters"].as_array()?.iter();
            let brought = |stream: &Value| stream["protocol"] == protocol && stream["records"] != 0;
            streams.any(brought).then_some(())
        });
    }

    /// Ends it as a user would.
    ///
    /// # Panics
    /// When it does not end, or not well.
    pub fn stop(self) {
        let status = self.program.stop();
        assert!(status.success(), "weir ended with {status}");
    }
}

async fn fetch(url: &str) -> Result<String, String> {
    collector::cryptography::provide();
    let answer = reqwest::Client::new().get(url).timeout(Duration::from_secs(10)).send().await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("{status}: {text}"));
    }
    Ok(text)
}

/// A sum of whole numbers far below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "asserted")]
fn whole(value: f64) -> u64 {
    assert!(value >= 0.0 && value.fract() == 0.0 && value < 9e15, "{value} is no count");
    value as u64
}

/// The API's address in `page and API http://ADDRESS, ...`.
fn address(ready: &str) -> SocketAddr {
    let address = ready.split(", ").find_map(|part| part.split_once("http://")?.1.parse().ok());
    address.unwrap_or_else(|| panic!("no address in: {ready}"))
}

/// Writes a FlowCollector with the usual listeners and short slots, and the profile `default/proof` with these
/// channels (name, filter).
///
/// # Panics
/// When the folder cannot be written.
pub fn write_folder(folder: &Path, channels: &[(&str, &str)]) {
    fs::create_dir_all(folder).expect("the test's folder is writable");
    let object = |kind: &str| {
        format!(
            "apiVersion: weir.dev/v1alpha1
kind: {kind}
metadata: {{name: proof}}
spec:
"
        )
    };
    let collector = object("FlowCollector")
        + "  slotLength: 2s
";
    let channels = channels.iter().map(|(name, filter)| {
        format!(
            "    - {{name: {name}, filter: {filter}}}
"
        )
    });
    let profile = object("FlowProfile")
        + "  channels:
" + &channels.collect::<String>();
    fs::write(folder.join("collector.yaml"), collector).expect("the folder is writable");
    fs::write(folder.join("profile.yaml"), profile).expect("the folder is writable");
}
