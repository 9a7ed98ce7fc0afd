//! Weir while it runs: changed and broken files, hostile datagrams, full disks, taken ports.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::deadline::wait_for;
use e2e::namespace::Namespace;
use e2e::nfdump::Sums;
use e2e::program::{output_of, own};
use e2e::weir::{Weir, write_folder};
use serde_json::Value;

const PROOF: &str = "default/proof";

fn generate(namespace: &Namespace, port: u16, protocol: &str, flows: u32) -> Value {
    let mut command = namespace.command(own("flow-generator"));
    let (port, flows) = (port.to_string(), flows.to_string());
    command.args(["-t", "127.0.0.1", "-p", &port, "--protocol", protocol, "--flows", &flows]);
    command.args(["--rate", "2000", "--exporters", "2"]);
    serde_json::from_str(&output_of(command)).expect("the summary is JSON")
}

fn sums(said: &Value) -> Sums {
    let number = |name: &str| said[name].as_u64().unwrap_or(0);
    Sums { flows: number("flows"), packets: number("packets"), bytes: number("bytes") }
}

fn plus(a: Sums, b: Sums) -> Sums {
    Sums { flows: a.flows + b.flows, packets: a.packets + b.packets, bytes: a.bytes + b.bytes }
}

fn wait_for_text(weir: &Weir<'_>, text: &str) {
    wait_for(
        &format!("{text:?} in the log"),
        Duration::from_secs(10),
        || weir.output(),
        || weir.output().contains(text).then_some(()),
    );
}

fn filter_in_force(weir: &Weir<'_>) -> String {
    weir.get(&format!("/api/v1/profiles/{PROOF}"))["channels"][0]["filter"].to_string()
}

#[test]
fn a_changed_filter_is_in_force_at_once_and_the_series_goes_on_with_all_that_was_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("change");
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("one", "port 53"), ("all", "any")]);
    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    let first = generate(&namespace, 9996, "netflow9", 2000);
    weir.expect(PROOF, "one", sums(&first["channels"]["dns"]));

    write_folder(&yaml, &[("one", "port 443"), ("all", "any")]);
    wait_for(
        "the new filter",
        Duration::from_secs(10),
        || weir.output(),
        || filter_in_force(&weir).contains("443").then_some(()),
    );
    wait_for_text(&weir, "a new plan is in force");
    let second = generate(&namespace, 9996, "netflow9", 2000);
    weir.expect(PROOF, "one", plus(sums(&first["channels"]["dns"]), sums(&second["channels"]["https"])));
    weir.expect(PROOF, "all", plus(sums(&first), sums(&second)));
    weir.stop();
}

#[test]
fn a_broken_file_is_named_with_its_place_and_what_it_gave_last_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("broken");
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("one", "port 53")]);
    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    write_folder(&yaml, &[("one", "port 22-25")]);
    wait_for_text(&weir, "profile.yaml:6:");
    wait_for_text(&weir, "port >= 22 and port <= 25");
    let said = generate(&namespace, 2055, "netflow5", 1000);
    weir.expect(PROOF, "one", sums(&said["channels"]["dns"]));
    weir.stop();
}

/// Datagrams that no exporter should send, of every kind, each from an address of its own.
fn hostile(number: u32) -> Vec<u8> {
    let word = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let header = |version: u16, length: u16| {
        let mut bytes = vec![0; 20];
        bytes[..2].copy_from_slice(&version.to_be_bytes());
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[12..16].copy_from_slice(&word);
        bytes
    };
    match number % 8 {
        0 => word.repeat(300),
        1 => header(1, 30),
        2 => header(10_000, 5),
        // A v5 header that promises records which are not there.
        3 => header(5, 30),
        // IPFIX: a template of 10,000 fields, told of and absent.
        4 => [header(10, 24), vec![0, 2, 0, 8, 1, word[3], 0x27, 0x10]].concat(),
        // IPFIX: ever new template ids of one field.
        5 => [header(10, 28), vec![0, 2, 0, 12, 1 | word[0], word[3], 0, 1, 0, 8, 0, 4]].concat(),
        // A v9 set longer than its datagram.
        6 => [header(9, 1), vec![0, 0, 0xff, 0xff]].concat(),
        _ => vec![word[0]; 65_507],
    }
}

fn send_hostile(count: u32) {
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        let socket = UdpSocket::bind(SocketAddr::from(([127, 100 + a, b, c], 0))).expect("loopback is large");
        // The receiver may be behind: what the kernel drops is counted there.
        let _ = socket.send_to(&hostile(number), "127.0.0.1:9996");
    }
}

#[test]
fn spoofed_exporters_and_garbage_are_counted_in_bounded_memory_and_a_named_source_is_undisturbed() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("hostile");
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("mine", "ident peer")]);
    let collector = yaml.join("collector.yaml");
    let text = fs::read_to_string(&collector).expect("just written");
    let source =
        "  sources:\n  - {name: peer, listeners: [netflow], prefixes: [127.0.0.11/32, 127.0.0.12/32]}\n";
    fs::write(&collector, text + source).expect("writable");
    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    let before = generate(&namespace, 2055, "ipfix", 1000);
    namespace.run(|| send_hostile(60_000));
    let after = generate(&namespace, 2055, "ipfix", 1000);
    weir.expect(PROOF, "mine", plus(sums(&before), sums(&after)));

    let answer = weir.get("/api/v1/exporters");
    let listener =
        answer["listeners"].as_array().and_then(|all| all.iter().find(|one| one["listener"] == "any"));
    let listener = listener.expect("the listener is told of");
    let received =
        listener["datagrams"].as_u64().unwrap_or(0) + listener["kernelDrops"].as_u64().unwrap_or(0);
    assert_eq!(received, 60_000, "each datagram is read or said to be dropped: {listener}");
    let rejected: u64 =
        listener["rejected"].as_object().expect("by reason").values().filter_map(Value::as_u64).sum();
    assert!(rejected > 0, "{listener}");
    let channels = weir.get("/api/v1/profiles/live")["channels"].as_array().map_or(0, Vec::len);
    assert!(channels <= 66, "{channels} sources: one named, 64 automatic, other");
    assert!(weir.resident() < 400 << 20, "{} bytes", weir.resident());
    weir.stop();
}

/// A small file system of its own; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path, size: &str) -> Self {
        fs::create_dir_all(folder).expect("the test's folder is writable");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "weir-test"]).arg(folder);
        output_of(command);
        Self(folder)
    }

    /// Fills it to the last page.
    fn fill(&self) {
        let path = self.0.join("filler");
        let mut block = 1 << 20;
        let mut size = 0_u64;
        while block >= 4096 {
            let grown = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, &vec![1; block]));
            size += block as u64;
            if grown.is_err() {
                block /= 2;
            }
            assert!(size < 1 << 30, "a small disk fills");
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_when_there_is_room_again_nothing_that_came_meanwhile_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("fulldisk");
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("all", "any")]);
    let data = folder.path().join("data");
    let disk = SmallDisk::mount(&data, "16m");
    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    let before = generate(&namespace, 2055, "netflow9", 1000);
    weir.expect(PROOF, "all", sums(&before));

    disk.fill();
    let during = generate(&namespace, 2055, "netflow9", 1000);
    let explain = || weir.output();
    wait_for("health that names the disk", Duration::from_secs(15), explain, || {
        let (well, said) = health(&data);
        (!well && said.contains("No space left")).then_some(())
    });
    disk.free();
    wait_for("health", Duration::from_secs(30), explain, || health(&data).0.then_some(()));
    let after = generate(&namespace, 2055, "netflow9", 1000);
    weir.expect(PROOF, "all", plus(sums(&before), plus(sums(&during), sums(&after))));
    weir.stop();
}

/// Whether `weir health` finds everything well, and what it says.
fn health(data: &Path) -> (bool, String) {
    let output =
        Command::new(own("weir")).args(["health", "--data"]).arg(data).output().expect("weir starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Runs `weir standalone` where it cannot start; gives its exit code and what it said.
fn refused(namespace: &Namespace, yaml: &Path, data: &Path) -> (Option<i32>, String) {
    let mut command = namespace.command(own("weir"));
    command.arg("standalone").arg(yaml).arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
    let output = command.output().expect("weir starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_taken_port_a_used_folder_and_an_unwritable_one_end_with_3_and_name_who_or_what_is_in_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("taken");
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("all", "any")]);
    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    let (code, said) = refused(&namespace, &yaml, &folder.path().join("elsewhere"));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("2055 is taken by weir (pid "), "{said}");
    let (code, said) = refused(&namespace, &yaml, &folder.path().join("data"));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("in use by process "), "{said}");
    weir.stop();

    fs::write(folder.path().join("file"), "").expect("writable");
    let (code, said) = refused(&namespace, &yaml, &folder.path().join("file/data"));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("--data"), "{said}");
}
