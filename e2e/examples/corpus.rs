//! Decodes a folder of other projects' captures with `weir decode` and compares with what those projects say
//! that is in them: `corpus DIR`. Every difference is an error: where another
//! program counts something else, the tables below do not compare it, and say so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

/// A record's values by our column's name, as text.
type Row = BTreeMap<&'static str, String>;

/// Payload files without expected values: what makes them readable first.
const SEQUENCES: &[&[&str]] = &[
    &["netflow.v5.dump"],
    &["netflow.v9.template.dump", "netflow.v9.dump"],
    &["netflow.v9.template.flowStartMilliseconds.dump", "netflow.v9.flowStartMilliseconds.dump"],
    &["netflow.v9.sampler_template.dump", "netflow.v9.sampler.dump"],
    &["netflow.v9.mpls-template.dump", "netflow.v9.mpls-data.dump"],
];

#[allow(clippy::print_stdout, reason = "the comparison is what the program is for")]
fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "../shared/corpus".to_owned()));
    if !folder.is_dir() {
        println!("no corpus at {}: nothing to compare (give its folder by CORPUS=DIR)", folder.display());
        return ExitCode::SUCCESS;
    }
    let mut reports = telegraf(&folder.join("telegraf"));
    reports.extend(netgauze(&folder.join("netgauze")));
    reports.extend(fluent(&folder.join("fluent")));
    for report in &reports {
        println!("{:30} {}", report.case, report.said);
        for difference in &report.differences {
            println!("{:30}   {difference}", "");
        }
    }
    let wrong = reports.iter().filter(|report| !report.differences.is_empty()).count();
    println!("{} cases, {wrong} with differences that nothing explains", reports.len());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Report {
    case: String,
    said: String,
    differences: Vec<String>,
}

/// What `weir decode` made of some files.
struct Decoded {
    rows: Vec<Value>,
    options: u64,
    undecodable: Vec<String>,
}

fn decode(files: &[PathBuf]) -> Decoded {
    let me = std::env::current_exe().expect("a running program has a path");
    let weir = me.ancestors().nth(2).expect("examples lie beside programs").join("weir");
    let output = Command::new(&weir).args(["decode", "-o", "json", "--counters"]).args(files).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", weir.display()));
    let lines = |bytes: &[u8]| -> Vec<Value> {
        let text = String::from_utf8_lossy(bytes);
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let counters = lines(&output.stderr).pop().unwrap_or_else(|| panic!("no counters: {output:?}"));
    let streams = counters["streams"].as_array().cloned().unwrap_or_default();
    let undecodable = streams.iter().flat_map(|stream| stream["undecodable"].as_object().cloned());
    Decoded {
        rows: lines(&output.stdout),
        options: streams.iter().filter_map(|stream| stream["options_records"].as_u64()).sum(),
        undecodable: undecodable.flatten().map(|(reason, count)| format!("{reason}: {count}")).collect(),
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Finds for each expected record one of ours that agrees in every column that both know; `others` of ours may
/// be what the other program tells in a form that is not compared.
fn compare(expected: &[Row], decoded: &Decoded, others: usize) -> Vec<String> {
    let differs = |row: &Row, ours: &Value| -> Vec<String> {
        row.iter()
            .filter(|(column, theirs)| text(&ours[**column]) != **theirs)
            .map(|(column, theirs)| format!("{column}: {theirs} expected, {} found", text(&ours[*column])))
            .collect()
    };
    let mut left: Vec<&Value> = decoded.rows.iter().collect();
    let mut differences = Vec::new();
    for row in expected {
        let best =
            left.iter().enumerate().map(|(at, ours)| (differs(row, ours), at)).min_by_key(|(d, _)| d.len());
        match best {
            Some((found, at)) => {
                left.remove(at);
                differences.extend(found);
            }
            None => differences.push(format!("not found: {row:?}")),
        }
    }
    differences.extend(left.iter().skip(others).map(|row| format!("not expected: {row}")));
    differences
}

/// A JSON value as the comparison sees it; nothing where the record has none.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

// Telegraf: line protocol.

fn telegraf(folder: &Path) -> Vec<Report> {
    sorted(folder)
        .iter()
        .filter(|case| case.join("expected.out").is_file())
        .map(|case| telegraf_case(case))
        .collect()
}

fn telegraf_case(folder: &Path) -> Report {
    let case = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files: Vec<_> =
        sorted(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "bin")).collect();
    let decoded = decode(&files);
    let expected = std::fs::read_to_string(folder.join("expected.out")).unwrap_or_default();
    let lines: Vec<(&str, BTreeMap<&str, &str>)> = expected.lines().filter_map(line_protocol).collect();
    let is_flow = |(name, fields): &&(&str, BTreeMap<&str, &str>)| {
        *name == "netflow" && fields.contains_key("protocol")
    };
    let flows: Vec<Row> = lines.iter().filter(is_flow).map(|(_, fields)| telegraf_row(fields)).collect();
    let options = lines.iter().filter(|(name, _)| *name == "netflow_options").count();
    let rest = lines.len() - flows.len() - options;
    let mut differences = compare(&flows, &decoded, rest);
    if options > decoded.options as usize {
        differences.push(format!("{options} options records expected, {} found", decoded.options));
    }
    differences.extend(decoded.undecodable);
    let said = format!("{} flows, {} options records; {rest} other lines not compared", flows.len(), options);
    Report { case, said, differences }
}

/// `name,tags field=value,field="a, b" time`
fn line_protocol(line: &str) -> Option<(&str, BTreeMap<&str, &str>)> {
    let (head, rest) = line.split_once(' ')?;
    let name = head.split(',').next()?;
    let mut fields = BTreeMap::new();
    let (mut from, mut quoted) = (0, false);
    let ends = rest.char_indices().chain([(rest.len(), ' ')]);
    for (at, char) in ends {
        match char {
            '"' => quoted = !quoted,
            ',' | ' ' if !quoted => {
                if let Some((key, value)) = rest[from..at].split_once('=') {
                    fields.insert(key, value.trim_matches('"'));
                }
                from = at + 1;
                if char == ' ' {
                    break;
                }
            }
            _ => {}
        }
    }
    Some((name, fields))
}

fn telegraf_row(fields: &BTreeMap<&str, &str>) -> Row {
    let names = [
        ("src", "src_addr"),
        ("dst", "dst_addr"),
        ("in_bytes", "bytes"),
        ("in_total_bytes", "bytes"),
        ("in_packets", "packets"),
        ("in_total_packets", "packets"),
        ("flow_start_ms", "time_start_ms"),
        ("flow_end_ms", "time_end_ms"),
        ("in_snmp", "in_if"),
        ("out_snmp", "out_if"),
        ("bgp_src_as", "src_as"),
        ("bgp_dst_as", "dst_as"),
        ("next_hop", "next_hop"),
        ("src_mask", "src_mask"),
        ("dst_mask", "dst_mask"),
        ("in_src_mac", "src_mac"),
        ("vlan_src", "src_vlan"),
    ];
    // In sFlow, Telegraf's `in_total_packets` is the sampler's pool of packets and its `in_snmp` the data source,
    // not the sample's packet and input (sFlow v5, flow_sample): not compared.
    let sampled = [
        ("ipv4_total_len", "bytes"),
        ("l2_bytes", "l2_bytes"),
        ("sampling_interval", "sampling_rate"),
        ("ttl", "min_ttl"),
        ("ttl", "max_ttl"),
    ];
    let is_sflow = fields.contains_key("agent_ip");
    let number = |value: &str| value.strip_suffix('u').unwrap_or(value).to_owned();
    let mut row: Row =
        names.iter().filter_map(|(theirs, ours)| Some((*ours, number(fields.get(theirs)?)))).collect();
    if is_sflow {
        row.remove("packets");
        row.remove("in_if");
        row.extend(sampled.iter().filter_map(|(theirs, ours)| Some((*ours, number(fields.get(theirs)?)))));
    }
    let proto = match fields.get("protocol").copied() {
        Some("tcp") => "6",
        Some("udp") => "17",
        Some("icmp") => "1",
        _ => return row,
    };
    row.insert("proto", proto.to_owned());
    if proto != "1" {
        for (theirs, ours) in [("src_port", "src_port"), ("dst_port", "dst_port")] {
            if let Some(value) = fields.get(theirs) {
                row.insert(ours, number(value));
            }
        }
    }
    if let Some(tos) =
        fields.get("src_tos").and_then(|tos| u8::from_str_radix(tos.trim_start_matches("0x"), 16).ok())
    {
        row.insert("ip_tos", tos.to_string());
    }
    if let Some(flags) = fields.get("tcp_flags").filter(|flags| flags.len() == 8) {
        let bits = flags.chars().fold(0_u8, |bits, flag| bits << 1 | u8::from(flag != '.'));
        row.insert("tcp_flags", bits.to_string());
    }
    row
}

// NetGauze: one JSON value a message, fields in the template's order.

fn netgauze(folder: &Path) -> Vec<Report> {
    let (capture, expected) = (folder.join("srv6.pcap"), folder.join("srv6-flow.json"));
    let Ok(expected) = std::fs::read_to_string(expected) else { return vec![] };
    let messages = serde_json::Deserializer::from_str(&expected).into_iter::<Value>().flatten();
    let mut rows = Vec::new();
    let mut options = 0;
    for message in messages {
        for set in message["IPFIX"]["sets"].as_array().into_iter().flatten() {
            for record in set["Data"]["records"].as_array().into_iter().flatten() {
                if record["scope_fields"].as_array().is_some_and(|fields| !fields.is_empty()) {
                    options += 1;
                } else {
                    rows.push(netgauze_row(
                        record["fields"].as_array().map(Vec::as_slice).unwrap_or_default(),
                    ));
                }
            }
        }
    }
    let decoded = decode(&[capture]);
    let mut differences = compare(&rows, &decoded, 0);
    if options != decoded.options {
        differences.push(format!("{options} options records expected, {} found", decoded.options));
    }
    differences.extend(decoded.undecodable);
    vec![Report {
        case: "srv6".into(),
        said: format!("{} flows, {options} options records", rows.len()),
        differences,
    }]
}

fn netgauze_row(fields: &[Value]) -> Row {
    let names = [
        ("packetDeltaCount", "packets"),
        ("octetDeltaCount", "bytes"),
        ("ingressInterface", "in_if"),
        ("egressInterface", "out_if"),
        ("bgpSourceAsNumber", "src_as"),
        ("bgpDestinationAsNumber", "dst_as"),
        ("flowLabelIPv6", "ipv6_flow_label"),
        ("destinationIPv6PrefixLength", "dst_mask"),
        ("sourceIPv6PrefixLength", "src_mask"),
        ("ipClassOfService", "ip_tos"),
        ("ingressVRFID", "vrf_in"),
        ("egressVRFID", "vrf_out"),
        ("minimumTTL", "min_ttl"),
        ("maximumTTL", "max_ttl"),
    ];
    let mut row = Row::new();
    for (element, value) in fields.iter().filter_map(Value::as_object).flatten() {
        let outer_or_inner = |outer, inner, row: &Row| if row.contains_key(outer) { inner } else { outer };
        let column = match element.as_str() {
            "sourceIPv6Address" | "sourceIPv4Address" => outer_or_inner("src_addr", "inner_src_addr", &row),
            "destinationIPv6Address" | "destinationIPv4Address" => {
                outer_or_inner("dst_addr", "inner_dst_addr", &row)
            }
            name => match names.iter().find(|(theirs, _)| *theirs == name) {
                Some((_, ours)) if !row.contains_key(ours) => ours,
                _ => continue,
            },
        };
        row.insert(column, text(value));
    }
    row
}

// fluent-plugin-netflow: payloads alone. They have to be read whole.

fn fluent(folder: &Path) -> Vec<Report> {
    let report = |names: &&[&str]| {
        let files: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
        if !files.iter().all(|file| file.is_file()) {
            return None;
        }
        let decoded = decode(&files);
        let mut differences = decoded.undecodable;
        if decoded.rows.is_empty() && decoded.options == 0 {
            differences.push("no record".to_owned());
        }
        let case = (*names.last()?).to_owned();
        Some(Report {
            case,
            said: format!(
                "{} flows, {} options records, no values to compare",
                decoded.rows.len(),
                decoded.options
            ),
            differences,
        })
    };
    SEQUENCES.iter().filter_map(report).collect()
}
