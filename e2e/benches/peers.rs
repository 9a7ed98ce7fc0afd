//! Weir's edge beside nfcapd, sfcapd and nfprofile on the same datagrams, in turn, in one run.
//!
//! `make bench-peers` writes the table to `collector/benches/runs/<date>.md`. Processor time is the sum over all
//! threads of the receiving process, taken by the scheduler's own clock from the first datagram until the
//! sockets are empty and one more cut was made. `ROUNDS` (5) and `ONLY` (cost, drain, probe, memory) shorten it.

#[path = "peers/load.rs"]
mod load;
#[path = "peers/machine.rs"]
mod machine;
#[path = "peers/profile.rs"]
mod profile;
#[path = "peers/receiver.rs"]
mod receiver;
#[path = "peers/table.rs"]
mod table;

use std::io::Write;
use std::time::{Duration, Instant};

use e2e::deadline::wait_for;
use e2e::namespace::Namespace;
use flow_generator::arguments::Protocol;
use rustix::process::Signal;

use load::{BURSTS, Load, PACED, PROTOCOLS, Pace};
use receiver::{Buffer, Kind, Receiver};
use table::Table;

/// A cut every two seconds: Weir's price includes at least one.
const CUT: Duration = Duration::from_millis(2_500);
/// Datagrams of a backlog: what 64 MB hold of full Ethernet frames, the kernel's own share counted.
const BACKLOG: usize = 50_000;
/// Datagrams a second that are tried, in bursts of a millisecond.
const PROBES: [u32; 12] = [10, 20, 30, 40, 60, 80, 100, 150, 200, 250, 300, 400];

/// A chapter of the report, measured in so many rounds.
type Part = fn(usize) -> String;

fn main() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let only = std::env::var("ONLY").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only.split(',').any(|only| only == part);
    let namespace = Namespace::create("peers");
    let bound = machine::ReceiveBound::raise();
    let report = namespace.run(|| {
        let parts = [("cost", cost as Part), ("drain", drain), ("probe", probe), ("memory", memory)];
        let texts = parts.iter().filter(|(name, _)| wanted(name)).map(|(_, part)| part(rounds));
        texts.collect::<Vec<_>>().join("\n")
    });
    drop(bound);
    machine::write_report(&report, only.is_empty());
}

fn say(text: &str) {
    // Progress for who waits; the report does not depend on it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn pass(time: Duration) {
    let start = Instant::now();
    wait_for("time", time * 2 + CUT, String::new, || (start.elapsed() >= time).then_some(()));
}

/// Processor seconds per million flows, by load and protocol.
fn cost(rounds: usize) -> String {
    let mut text = String::new();
    let all: &[Kind] = &[Kind::Weir, Kind::Ranked, Kind::Plain, Kind::Lz4];
    for (pace, kinds) in [(BURSTS, all), (PACED, &[Kind::Weir, Kind::Plain])] {
        let mut table = Table::new(&format!("CPU seconds per million flows, load {}", pace.name));
        for (protocol, name, port) in PROTOCOLS {
            for _ in 0..rounds {
                for kind in kinds.iter().copied() {
                    let (seconds, lost) = priced(kind, protocol, port, pace);
                    say(&format!("load {} {name} {}: {seconds:.4} s, lost {lost}", pace.name, kind.name()));
                    table.add(kind.name(), name, seconds, lost);
                }
            }
        }
        text += &table.text(4);
        text += &table.ratios(Kind::Weir.name(), Kind::Plain.name());
    }
    text + &profile::text(rounds)
}

/// CPU seconds per million flows, and the flows that did not arrive.
fn priced(kind: Kind, protocol: Protocol, port: u16, pace: Pace) -> (f64, u64) {
    let receiver = Receiver::start(kind, protocol, port, Buffer::Large);
    let mut load = Load::new(protocol, port);
    let before = receiver.cpu_ns();
    let (_, flows, _) = load.send_paced(pace);
    receiver.drained();
    pass(CUT);
    let cost = receiver.cpu_ns() - before;
    let lost = flows.saturating_sub(receiver.flows());
    (cost as f64 / 1e9 / (flows as f64 / 1e6), lost)
}

/// Millions of flows a second while a backlog is read.
fn drain(rounds: usize) -> String {
    let mut table = Table::new("Draining a backlog of 50,000 datagrams, million flows a second");
    for (protocol, name, port) in PROTOCOLS {
        for _ in 0..rounds {
            for kind in [Kind::Weir, Kind::Plain, Kind::Lz4] {
                let rate = drained(kind, protocol, port);
                say(&format!("drain {name} {}: {rate:.2} million flows/s", kind.name()));
                table.add(kind.name(), name, rate, 0);
            }
        }
    }
    table.text(2) + &table.ratios(Kind::Weir.name(), Kind::Plain.name())
}

fn drained(kind: Kind, protocol: Protocol, port: u16) -> f64 {
    let receiver = Receiver::start(kind, protocol, port, Buffer::Large);
    let mut load = Load::new(protocol, port);
    // Templates are learned and memory is made before.
    load.send_all(2_000);
    receiver.drained();
    receiver.signal(Signal::STOP);
    let (_, dropped) = receiver.queued().unwrap_or_default();
    let sent = load.send_all(BACKLOG);
    let (_, after) = receiver.queued().unwrap_or_default();
    assert_eq!(after, dropped, "the backlog fits into the buffer of {}", kind.name());
    let start = Instant::now();
    receiver.signal(Signal::CONT);
    while receiver.queued().is_some_and(|(octets, _)| octets > 0) {
        std::hint::spin_loop();
    }
    sent as f64 / start.elapsed().as_secs_f64() / 1e6
}

/// The highest rate at which nothing is lost, by buffer.
fn probe(rounds: usize) -> String {
    let mut text = String::new();
    for buffer in [Buffer::Default, Buffer::Large] {
        let mut table = Table::new(&format!(
            "Highest rate without loss in bursts of a millisecond, thousand datagrams a second, buffer {}",
            buffer.name()
        ));
        for (protocol, name, port) in PROTOCOLS {
            for _ in 0..rounds.min(2) {
                for kind in [Kind::Weir, Kind::Plain] {
                    let rate = highest(kind, protocol, port, buffer);
                    say(&format!("probe {} {name} {}: {rate:.0} kpps", buffer.name(), kind.name()));
                    table.add(kind.name(), name, rate, 0);
                }
            }
        }
        text += &table.text(0);
        text += &table.ratios(Kind::Weir.name(), Kind::Plain.name());
    }
    text
}

/// Steps up until datagrams are dropped, or the generator cannot send faster.
fn highest(kind: Kind, protocol: Protocol, port: u16, buffer: Buffer) -> f64 {
    let receiver = Receiver::start(kind, protocol, port, buffer);
    let mut load = Load::new(protocol, port);
    load.send_all(8);
    receiver.drained();
    let mut best = 0.0;
    for thousands in PROBES {
        let every = Duration::from_millis(1);
        let pace =
            Pace { name: "probe", burst: thousands as usize, every, lasts: Duration::from_millis(1_000) };
        let (datagrams, _, took) = load.send_paced(pace);
        receiver.drained();
        if receiver.queued().is_none_or(|(_, drops)| drops > 0) {
            return best;
        }
        best = datagrams as f64 / took.as_secs_f64() / 1e3;
        if best < 0.97 * f64::from(thousands) {
            return best;
        }
    }
    best
}

/// Largest resident memory at rest, after load B, and after a million flows of a minute, all different.
fn memory(_rounds: usize) -> String {
    let mut table = Table::new("Largest resident memory, MB");
    for kind in [Kind::Weir, Kind::Ranked, Kind::Plain] {
        let mut measure = |state: &str, port: u16, protocol, load: &mut dyn FnMut()| {
            let receiver = Receiver::start(kind, protocol, port, Buffer::Large);
            load();
            receiver.drained();
            pass(CUT);
            table.add(kind.name(), state, receiver.peak_kb() as f64 / 1e3, 0);
        };
        measure("at rest", 2055, Protocol::Netflow5, &mut || {});
        for (protocol, name, port) in PROTOCOLS {
            let mut load = || {
                Load::new(protocol, port).send_paced(BURSTS);
            };
            measure(name, port, protocol, &mut load);
        }
        let million = Pace { lasts: Duration::from_millis(1_700), ..PACED };
        let mut load = || {
            Load::distinct(2055).send_paced(million);
        };
        measure("10^6 distinct flows", 2055, Protocol::Netflow5, &mut load);
    }
    table.text(0)
}
