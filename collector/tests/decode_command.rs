//! `weir decode` as an operator runs it.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A NetFlow v5 message with `records` records of port 443.
fn netflow5(sequence: u32, records: u16) -> Vec<u8> {
    let mut message = vec![0, 5];
    message.extend(records.to_be_bytes());
    message.extend([0, 0, 39, 16, 0x69, 0x55, 0xb9, 0, 0, 0, 0, 0]);
    message.extend(sequence.to_be_bytes());
    message.extend([0, 0, 0, 0]);
    for _ in 0..records {
        message.extend([192, 0, 2, 1, 198, 51, 100, 2, 0, 0, 0, 0, 0, 1, 0, 2]);
        message.extend([0, 0, 0, 10, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 39, 16, 1, 187, 200, 0, 0, 0x12, 6, 0]);
        message.extend([0; 8]);
    }
    message
}

/// A pcap file of raw IPv4 packets to port 2055 from the given last octet of 192.0.2.0/24.
fn pcap(datagrams: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
    for (host, payload) in datagrams {
        let length = u16::try_from(payload.len() + 28).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, *host, 192, 0, 2, 250, 0x13, 0x88, 8, 7]);
        packet.extend((length - 20).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(payload);
        let length = u32::from(length);
        file.extend([1_767_225_600, 0, length, length].map(u32::to_le_bytes).concat());
        file.extend(packet);
    }
    file
}

fn weir(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("decode").args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    weir(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn sequences_carry_on_from_file_to_file_and_the_counters_tell_the_gap() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "1.pcap", &pcap(&[(1, netflow5(0, 2)), (1, netflow5(2, 1))]));
    let second = write(folder.path(), "2.bin", &netflow5(10, 3));
    let third = write(folder.path(), "3.pcap", &pcap(&[(1, netflow5(8, 1)), (1, b"no flows".to_vec())]));
    let output = run(&["--counters", &first, &second, &third]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).lines().count(), 7);
    let counters: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(counters["records"], 7);
    assert_eq!(counters["capture"]["files"], 3);
    assert_eq!(counters["rejected"]["unknown_version"], 1);
    let streams = counters["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2);
    let of_pcap = streams.iter().find(|stream| stream["exporter"] == "192.0.2.1").unwrap();
    assert_eq!(of_pcap["sequence"]["missing"], 5);
    assert_eq!(of_pcap["exporter_port"], 5000);
}

#[test]
fn exporter_selects_in_captures_and_names_the_sender_of_payload_files() {
    let folder = tempfile::tempdir().unwrap();
    let capture = write(folder.path(), "1.pcap", &pcap(&[(1, netflow5(0, 2)), (2, netflow5(0, 1))]));
    let payload = write(folder.path(), "2.bin", &netflow5(10, 3));
    let output = run(&["--exporter", "192.0.2.2", "--counters", &capture, &payload]);
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.lines().all(|line| line.contains(r#""exporter":"192.0.2.2""#)), "{lines}");
    let counters: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(counters["other_exporter"], 1);
}

#[test]
fn a_damaged_file_ends_in_code_1_and_nothing_else_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = pcap(&[(1, netflow5(0, 2)), (1, netflow5(2, 1))]);
    bytes.truncate(bytes.len() - 1);
    let damaged = write(folder.path(), "damaged.pcap", &bytes);
    let whole = write(folder.path(), "whole.pcap", &pcap(&[(2, netflow5(0, 1))]));
    let absent = folder.path().join("absent.pcap").display().to_string();
    let output = run(&[&damaged, &absent, &whole]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().count(), 3);
    let said = text(&output.stderr);
    assert!(
        said.contains("damaged.pcap: byte 188, after 1 whole packets: the file ends inside a packet"),
        "{said}"
    );
    assert!(said.contains("absent.pcap: No such file"), "{said}");
    assert!(said.contains("2 of 3 files not read to the end"), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<(u8, Vec<u8>)> = (0..2000).map(|at| (1, netflow5(at * 30, 30))).collect();
    let capture = write(folder.path(), "many.pcap", &pcap(&many));
    let mut child = weir(&[&capture]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert!(first.starts_with(r#"{"type":"netflow5""#));
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn from_standard_input_records_appear_before_the_capture_ends() {
    let mut child = weir(&["-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let capture = pcap(&[(1, netflow5(0, 1)), (1, netflow5(1, 1))]);
    let half = capture.len() - 10;
    input.write_all(&capture[..half]).unwrap();
    input.flush().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains(r#""src_port":443"#));
    input.write_all(&capture[half..]).unwrap();
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.lines().count(), 1);
    assert!(child.wait().unwrap().success());
}

#[test]
fn csv_has_one_header_for_all_files_and_a_table_is_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let capture = write(folder.path(), "1.pcap", &pcap(&[(1, netflow5(0, 2))]));
    let csv = text(&run(&["-o", "csv", &capture, &capture]).stdout);
    assert_eq!(csv.lines().filter(|line| line.starts_with("type,")).count(), 1);
    assert!(csv.lines().skip(1).all(|line| line.starts_with("netflow5,1767225600000,192.0.2.1,5000,")));
    let table = text(&run(&["-o", "table", &capture]).stdout);
    assert!(table.contains("192.0.2.1:443  >  198.51.100.2:51200"), "{table}");
}

#[test]
fn what_holds_no_flows_says_so_and_wrong_arguments_end_in_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let capture = write(folder.path(), "1.pcap", &pcap(&[(1, b"no flows".to_vec())]));
    let output = run(&[&capture]);
    assert!(output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.starts_with("0 records of 0 datagrams") && said.contains("1 datagrams of no known version"),
        "{said}"
    );
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["--exporter", "router", &capture]).status.code(), Some(2));
}

#[test]
fn a_filter_picks_flows_and_a_wrong_one_is_shown_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let capture = write(folder.path(), "1.pcap", &pcap(&[(1, netflow5(0, 2)), (2, netflow5(0, 1))]));
    let output = run(&["--filter", "exporter ip 192.0.2.2 and src port 443", "--counters", &capture]);
    assert_eq!(text(&output.stdout).lines().count(), 1);
    let counters: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&counters["records"], &counters["filtered"]), (&1.into(), &2.into()));
    let table = text(&run(&["-o", "table", "--filter", "src host localhost", &capture]).stdout);
    assert_eq!(table, "");
    let wrong = run(&["--filter", "proto tcp and prot 80", &capture]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = text(&wrong.stderr);
    assert!(said.contains("line 1, column 15") && said.ends_with("\n                ^^^^\n"), "{said}");
    assert!(text(&run(&["--filter", "ident router1", &capture]).stderr).contains("exporter ip ADDR"));
}
