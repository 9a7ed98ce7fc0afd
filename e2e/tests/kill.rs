//! Edge and aggregator as two processes, each killed with -9 at random points while flows arrive: nothing that was
//! spooled is lost or counted twice, and what a kill cost stands in the ledger.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use collector::slot::{Block, Tally};
use e2e::deadline::wait_for;
use e2e::namespace::Namespace;
use e2e::program::{Program, output_of, own};
use e2e::tap::Tap;
use e2e::weir::write_folder;
use rustix::process::Signal;
use serde_json::Value;

const RATE: u64 = 2_000;
const KILLS: u64 = 8;
const API: SocketAddr = local(8470);
const INGEST: SocketAddr = local(8471);
const TAP: SocketAddr = local(8571);
/// Longest time between a count and its being durable: a cut every 2 s, and what a busy machine adds.
const CUT: Duration = Duration::from_millis(3_500);

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The two processes, and what they are started with.
struct World {
    namespace: Namespace,
    folder: tempfile::TempDir,
    edge: Option<Program>,
    aggregator: Option<Program>,
    /// How long no edge was there, kill by kill.
    gaps: Vec<Duration>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_folder(&folder.path().join("yaml"), &[("all", "any"), ("dns", "port 53")]);
        let namespace = Namespace::create("kill");
        let mut world = Self { namespace, folder, edge: None, aggregator: None, gaps: Vec::new() };
        for role in ["edge", "aggregator"] {
            let mut render = std::process::Command::new(own("weir"));
            render.args(["render", "--only", role]).arg(world.path("yaml"));
            std::fs::write(world.path(&format!("{role}.yaml")), output_of(render)).expect("writable");
        }
        world.start_aggregator();
        world.start_edge();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, role: &str, arguments: &[&str]) -> Program {
        let mut command = self.namespace.command(own("weir"));
        command.arg(role).arg("--config").arg(self.path(&format!("{role}.yaml")));
        command.arg("--data").arg(self.path(&format!("{role}-data"))).args(arguments);
        let mut program = Program::start(role, self.folder.path(), command);
        program.wait_for_line(Duration::from_secs(30), |line| line.contains("is ready").then_some(()));
        program
    }

    fn start_aggregator(&mut self) {
        self.aggregator = Some(self.start("aggregator", &[]));
    }

    fn start_edge(&mut self) {
        let upstream = format!("http://{TAP}");
        self.edge = Some(self.start("edge", &["--aggregator", &upstream, "--name", "edge-1"]));
    }

    /// Dropping a program kills it with -9.
    fn kill_edge(&mut self, down: Duration) {
        let killed = Instant::now();
        self.edge = None;
        pass(down);
        self.start_edge();
        self.gaps.push(killed.elapsed());
    }

    fn kill_aggregator(&mut self, down: Duration) {
        self.aggregator = None;
        pass(down);
        self.start_aggregator();
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("http://{API}{path}");
        let fetch = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                collector::cryptography::provide();
                let answer = reqwest::get(&url).await.expect("the API answers");
                let text = answer.text().await.expect("with text");
                serde_json::from_str(&text).unwrap_or_else(|_| panic!("{url}: {text}"))
            })
        };
        self.namespace.run(fetch)
    }

    /// The sums of a channel over the last hour, by the API.
    fn sums(&self, channel: &str) -> Tally {
        let of = |metric: &str| {
            let path = format!(
                "/api/v1/profiles/default/proof/series?channels={channel}&metric={metric}&value=sum&step=60000"
            );
            let answer = self.get(&path);
            let values =
                answer["series"][0]["values"].as_array().unwrap_or_else(|| panic!("{path}: {answer}"));
            values.iter().filter_map(Value::as_f64).sum::<f64>() as u64
        };
        Tally { flows: of("flows"), packets: of("packets"), bytes: of("bytes") }
    }

    /// A field of all streams together.
    fn ledger(&self, field: &str) -> i64 {
        let answer = self.get("/api/v1/exporters");
        let exporters = answer["exporters"].as_array().unwrap_or_else(|| panic!("{answer}"));
        exporters.iter().filter_map(|exporter| exporter[field].as_i64()).sum()
    }
}

/// Lets time pass: kills come at random moments, which no condition tells.
fn pass(time: Duration) {
    let start = Instant::now();
    wait_for("time", time + Duration::from_secs(5), String::new, || (start.elapsed() >= time).then_some(()));
}

/// A repeatable sequence of numbers below a bound.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

fn generate(namespace: &Namespace, folder: &Path) -> Program {
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "127.0.0.1", "-p", "2055", "--protocol", "netflow5", "--traffic", "uniform"]);
    command.args(["--exporters", "3", "--seed", "11", "--rate", &RATE.to_string()]);
    Program::start("generator", folder, command)
}

/// What the generator printed at its end.
fn sent(mut generator: Program) -> Value {
    generator.signal(Signal::TERM);
    assert!(generator.wait(Duration::from_secs(10)).success(), "{}", generator.output());
    let output = generator.output();
    let json =
        output.find("{\n").map(|at| &output[at..]).unwrap_or_else(|| panic!("no summary in: {output}"));
    serde_json::from_str(json).expect("the summary is JSON")
}

fn counted(blocks: &std::collections::BTreeMap<u64, Block>, channel: &str) -> Tally {
    let mut sum = Tally::default();
    for block in blocks.values() {
        for row in block.additions.iter().flat_map(|addition| &addition.rows) {
            let key = &block.channels[row.channel as usize];
            if key.profile == "default/proof" && key.channel == channel {
                sum.add(&row.counters.all());
            }
        }
    }
    sum
}

#[test]
fn whatever_is_killed_the_aggregator_holds_what_was_spooled_once_and_the_ledger_shows_what_it_cost() {
    let mut world = World::new();
    let tap = Tap::start(&world.namespace, TAP, INGEST);
    let generator = generate(&world.namespace, world.folder.path());
    wait_for("the first flows", Duration::from_secs(20), String::new, || {
        (world.ledger("received") > 0).then_some(())
    });
    let mut random = Random(2_026);
    for kill in 0..KILLS {
        pass(random.millis(300, 4_500));
        let down = random.millis(0, 900);
        if kill % 2 == 0 { world.kill_edge(down) } else { world.kill_aggregator(down) }
    }
    pass(random.millis(1_000, 3_000));
    let sent = sent(generator);
    let flows = sent["flows"].as_i64().expect("a number");
    let log = |world: &World| world.edge.as_ref().map(Program::output).unwrap_or_default();
    wait_for(
        "all that was sent in the ledger",
        Duration::from_secs(40),
        || log(&world),
        || (world.ledger("expected") == flows).then_some(()),
    );
    let edge = world.edge.take().expect("it runs");
    assert!(edge.stop().success());
    compare(&world, &tap, flows);
    // And the same from the disk alone.
    world.kill_aggregator(Duration::ZERO);
    compare(&world, &tap, flows);
}

fn compare(world: &World, tap: &Tap, flows: i64) {
    let blocks = tap.blocks();
    let newest = *blocks.last_key_value().expect("blocks were sent").0;
    assert_eq!(
        blocks.keys().copied().collect::<Vec<_>>(),
        (1..=newest).collect::<Vec<_>>(),
        "every number once"
    );
    let edges = world.get("/api/v1/exporters")["edges"].clone();
    assert_eq!(edges[0]["block"], newest, "{edges}");
    for channel in ["all", "dns"] {
        assert_eq!(world.sums(channel), counted(&blocks, channel), "{channel}");
    }
    let records: u64 =
        blocks.values().flat_map(|block| &block.streams).map(|report| report.counts.records).sum();
    assert_eq!(world.sums("all").flows, records, "what was decoded was counted");
    let missing = world.ledger("missing");
    assert_eq!(
        i64::try_from(records).expect("small") + missing,
        flows,
        "received or missing, each flow is known"
    );
    let away: Duration = world.gaps.iter().map(|gap| *gap + CUT).sum();
    let most = away.as_secs_f64() * RATE as f64 * 1.2;
    let kills = world.gaps.len();
    assert!(
        missing > 0,
        "{flows} flows in {newest} blocks, {kills} kills, and none missing: then they miss in the ledger"
    );
    assert!(missing as f64 <= most, "{missing} missing; at most what came since a cut or while down: {most}");
}
