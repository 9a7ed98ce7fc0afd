//! Weir killed with -9 and started again in the middle of an exporter's stream: streams that go on are read at once,
//! others wait for a fresh template.

use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::deadline::wait_for;
use e2e::exporter::softflowd::Softflowd;
use e2e::namespace::{Namespace, cable};
use e2e::traffic::{client_addresses, converse, fill, server_addresses};
use e2e::weir::{Weir, write_folder};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);
/// More packets than the conversation has, and fewer than conversation and filling together.
const SEEN: u64 = 110;

/// The only stream of a protocol, once `enough` is true of it.
fn stream(weir: &Weir<'_>, protocol: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let find = || {
        let answer = weir.get("/api/v1/exporters");
        let streams = answer["exporters"].as_array()?.iter();
        let own: Vec<&Value> = streams.filter(|stream| stream["protocol"] == protocol).collect();
        assert!(own.len() < 2, "one exporter has one stream: {answer:#}");
        own.first().filter(|stream| enough(stream)).map(|stream| (*stream).clone())
    };
    let explain = || format!("{:#}\n{}", weir.get("/api/v1/exporters"), weir.output());
    wait_for(&format!("a stream of {protocol}"), PATIENCE, explain, find)
}

fn count(stream: &Value, name: &str) -> u64 {
    stream[name].as_u64().unwrap_or_else(|| panic!("no {name} in {stream:#}"))
}

/// The templates of the only stream: number, and whether it was announced before the last start only.
fn templates(weir: &Weir<'_>) -> Vec<(u64, bool)> {
    let answer = weir.get("/api/v1/exporters/facts");
    let templates = answer["streams"][0]["templates"].as_array().cloned().unwrap_or_default();
    templates.iter().map(|t| (count(t, "id"), t["restored"] == true)).collect()
}

fn softflowd_is_read_on(version: u8, protocol: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (exporter, collector) = (Namespace::create("exporter"), Namespace::create("collector"));
    let client = Namespace::create("client");
    cable((&exporter, "exp0"), (&collector, "exp0"));
    exporter.address("exp0", &["198.51.100.2/24"]);
    collector.address("exp0", &["198.51.100.1/24"]);
    cable((&client, "eth0"), (&exporter, "eth0"));
    client.address("eth0", &client_addresses().each_ref().map(String::as_str));
    exporter.address("eth0", &server_addresses().each_ref().map(String::as_str));
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("all", "any")]);

    let weir = Weir::standalone(&collector, &yaml, folder.path());
    let target = ([198, 51, 100, 1], 9996).into();
    let softflowd = Softflowd::start(&exporter, "eth0", version, &[target], folder.path());
    converse(&client, &exporter);
    fill(&client, &exporter);
    softflowd.expire_after(SEEN);
    // Two datagrams make a stream that is remembered.
    converse(&client, &exporter);
    fill(&client, &exporter);
    softflowd.expire_after(2 * SEEN);
    let first = stream(&weir, protocol, |s| count(s, "datagrams") >= 2 && count(s, "records") > 0);
    let known = templates(&weir);
    assert!(!known.is_empty() && known.iter().all(|(_, restored)| !restored), "{known:?}");
    // Dropping it kills it with -9.
    drop(weir);

    let weir = Weir::standalone(&collector, &yaml, folder.path());
    converse(&client, &exporter);
    fill(&client, &exporter);
    softflowd.expire_after(3 * SEEN);
    let more = |s: &Value| count(s, "records") > count(&first, "records");
    let second = stream(&weir, protocol, more);
    // softflowd 1.1 numbers its IPFIX by another unit, which reads as a start now and then: nothing is said of those.
    let names: &[&str] =
        if version == 9 { &["unknownTemplateSets", "restarts"] } else { &["unknownTemplateSets"] };
    for name in names {
        assert_eq!(count(&second, name), count(&first, name), "{name}: {second:#}");
    }
    softflowd.stop();
    weir.stop();
}

#[test]
fn softflowd_s_netflow9_is_read_on_after_a_kill() {
    softflowd_is_read_on(9, "netflow9");
}

#[test]
fn softflowd_s_ipfix_is_read_on_after_a_kill() {
    softflowd_is_read_on(10, "ipfix");
}

/// An exporter of IPFIX whose datagrams are put together here, from one port.
struct Exporter<'a> {
    namespace: &'a Namespace,
    socket: UdpSocket,
}

impl<'a> Exporter<'a> {
    fn new(namespace: &'a Namespace) -> Self {
        let open = || UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
        Self { namespace, socket: namespace.run(open) }
    }

    /// Sends template 256 (protocol, packets), if `template`, and then as many records.
    fn send(&self, sequence: u32, template: bool, records: u16) {
        let mut sets = Vec::new();
        if template {
            sets.extend([0, 2, 0, 16, 1, 0, 0, 2, 0, 4, 0, 1, 0, 2, 0, 4]);
        }
        if records > 0 {
            sets.extend([1, 0]);
            sets.extend((4 + 5 * records).to_be_bytes());
            (0..records).for_each(|_| sets.extend([17, 0, 0, 0, 3]));
        }
        let length = u16::try_from(16 + sets.len()).expect("short");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let seconds = u32::try_from(now).expect("before 2106");
        let mut bytes = vec![0, 10];
        bytes.extend(length.to_be_bytes());
        [seconds, sequence, 7].iter().for_each(|word| bytes.extend(word.to_be_bytes()));
        bytes.extend(sets);
        let sent = self.namespace.run(|| self.socket.send_to(&bytes, "127.0.0.1:9996"));
        assert_eq!(sent.expect("loopback takes it"), bytes.len());
    }
}

/// Weir, started, taught a template and 5 records, and killed.
fn taught(namespace: &Namespace, yaml: &Path, folder: &Path, exporter: &Exporter<'_>) {
    write_folder(yaml, &[("all", "any")]);
    let weir = Weir::standalone(namespace, yaml, folder);
    exporter.send(1000, true, 2);
    exporter.send(1002, false, 3);
    stream(&weir, "ipfix", |s| count(s, "records") == 5);
}

#[test]
fn a_stream_that_goes_on_is_decoded_at_once_and_its_template_is_shown_as_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("goes-on");
    let exporter = Exporter::new(&namespace);
    let yaml = folder.path().join("yaml");
    taught(&namespace, &yaml, folder.path(), &exporter);

    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    exporter.send(1015, false, 4);
    exporter.send(1019, false, 1);
    let now = stream(&weir, "ipfix", |s| count(s, "records") == 10);
    let counts = ["unknownTemplateSets", "missing", "restarts", "templates"].map(|name| count(&now, name));
    assert_eq!(counts, [0, 10, 0, 1], "{now:#}");
    let explain = || format!("{:?}", templates(&weir));
    wait_for("the template, restored", PATIENCE, explain, || {
        (templates(&weir) == [(256, true)]).then_some(())
    });
    exporter.send(1020, true, 0);
    let explain = || format!("{:?}", templates(&weir));
    wait_for("the template, anew", PATIENCE, explain, || (templates(&weir) == [(256, false)]).then_some(()));
    weir.stop();
}

#[test]
fn a_stream_that_starts_anew_waits_for_its_template_and_then_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("anew");
    let exporter = Exporter::new(&namespace);
    let yaml = folder.path().join("yaml");
    taught(&namespace, &yaml, folder.path(), &exporter);

    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    exporter.send(0, false, 4);
    let waits = stream(&weir, "ipfix", |s| count(s, "unknownTemplateSets") == 1);
    assert_eq!((count(&waits, "records"), count(&waits, "restarts")), (5, 1), "{waits:#}");
    exporter.send(4, true, 0);
    stream(&weir, "ipfix", |s| count(s, "records") == 9);
    weir.stop();
}

#[test]
fn a_damaged_file_is_set_aside_and_weir_starts_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("damaged");
    let exporter = Exporter::new(&namespace);
    let yaml = folder.path().join("yaml");
    taught(&namespace, &yaml, folder.path(), &exporter);
    // A graceful end writes the file; a kill leaves the blocks from which it would be made.
    Weir::standalone(&namespace, &yaml, folder.path()).stop();
    let file = find(folder.path(), "watermarks").expect("the spool has its file");
    let mut bytes = std::fs::read(&file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&file, bytes).expect("writable");

    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    assert!(weir.output().contains("set aside"), "{}", weir.output());
    assert!(file.with_extension("damaged").exists() && !file.exists());
    exporter.send(1005, false, 4);
    stream(&weir, "ipfix", |s| count(s, "unknownTemplateSets") == 1);
    exporter.send(1009, true, 0);
    stream(&weir, "ipfix", |s| count(s, "records") == 9);
    weir.stop();
}

/// A file of this name somewhere below a folder.
fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path()).find_map(|path| match path.is_dir() {
        true => find(&path, name),
        false => (path.file_name()? == name).then_some(path),
    })
}
