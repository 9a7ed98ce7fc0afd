//! What the same 21 channels cost nfprofile, over the files that nfcapd wrote.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flow_generator::arguments::Protocol;
use flow_generator::traffic::SERVICES;

use crate::load::{BURSTS, Load, PROTOCOLS};
use crate::receiver::{Buffer, Kind, Receiver};
use crate::say;
use crate::table::Table;

/// Linux counts children's time in hundredths of a second.
const TICKS: f64 = 100.0;

/// The table: nfprofile reads what nfcapd has written before, so its price adds to nfcapd's.
pub(crate) fn text(rounds: usize) -> String {
    let mut table = Table::new("nfprofile, 21 channels over nfcapd's files, CPU seconds per million flows");
    for (protocol, name, port) in PROTOCOLS.into_iter().filter(|(p, ..)| *p != Protocol::Sflow) {
        let folder = tempfile::tempdir().expect("a folder");
        let flows = collect(protocol, port, folder.path());
        for _ in 0..rounds {
            let seconds = run(folder.path()) / (flows as f64 / 1e6);
            say(&format!("nfprofile {name}: {seconds:.4} s"));
            table.add("nfprofile, 21 shadow channels", name, seconds, 0);
        }
    }
    table.text(4)
}

/// Fills `folder` with a profile's folders and one file of flows.
fn collect(protocol: Protocol, port: u16, folder: &Path) -> u64 {
    let receiver = Receiver::start(Kind::Plain, protocol, port, Buffer::Large);
    let mut load = Load::new(protocol, port);
    load.send_paced(BURSTS);
    receiver.drained();
    let flows = receiver.flows_kept(Some(&folder.join("flows")));
    for service in &SERVICES {
        let filter =
            if service.port == 0 { "proto icmp".to_owned() } else { format!("port {}", service.port) };
        let (data, stat) = (folder.join("data/zone1"), folder.join("stat/zone1"));
        fs::create_dir_all(data.join(service.channel)).expect("the folder is writable");
        fs::create_dir_all(&stat).expect("the folder is writable");
        fs::write(stat.join(format!("{}-filter.txt", service.channel)), filter).expect("it is writable");
    }
    flows
}

/// CPU seconds of one pass.
fn run(folder: &Path) -> f64 {
    let before = children();
    let mut command = Command::new("nfprofile");
    command.arg("-I").arg("-r").arg(folder.join("flows"));
    command.arg("-p").arg(folder.join("data")).arg("-P").arg(folder.join("stat"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("nfprofile is installed");
    let mut input = child.stdin.take().expect("it is piped");
    for service in &SERVICES {
        writeln!(input, ".#zone1#6#{}#*", service.channel).expect("it reads its channels");
    }
    drop(input);
    assert!(child.wait().expect("it ends").success(), "nfprofile failed");
    children() - before
}

/// Seconds of processor time of the children that have ended.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    let after_name = stat.rsplit_once(") ").expect("a name in brackets").1;
    let fields: Vec<_> = after_name.split(' ').collect();
    let ticks: u64 = fields[13..15].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / TICKS
}
