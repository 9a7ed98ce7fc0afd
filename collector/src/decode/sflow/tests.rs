//! Datagrams built word by word; rows and counts compared.

use crds::config::Protocol as Accepts;
use etherparse::PacketBuilder;

use super::super::{Datagram, Decoder, Limits};
use crate::flow::{Batch, rows, write_json};
use crate::slot::StreamCounts;

mod agents;
mod differential;
mod extended;
mod interfaces;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn tagged(format: u32, body: &[u8]) -> Vec<u8> {
    let mut out = words(&[format, u32::try_from(body.len()).unwrap()]);
    out.extend(body);
    out
}

/// A datagram of agent 192.0.2.10, sub-agent 7.
fn datagram(sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut out = words(&[5, 1, 0xc000_020a, 7, sequence, 1000, u32::try_from(samples.len()).unwrap()]);
    samples.iter().for_each(|sample| out.extend(sample));
    out
}

fn flow(source: u32, rate: u32, input: u32, output: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(records.len()).unwrap();
    let head = words(&[1, source, rate, 1000, 0, input, output, count]);
    tagged(1, &[head, records.concat()].concat())
}

fn raw(protocol: u32, frame_length: u32, stripped: u32, header: &[u8]) -> Vec<u8> {
    let mut body = words(&[protocol, frame_length, stripped, u32::try_from(header.len()).unwrap()]);
    body.extend(header);
    body.resize(body.len().next_multiple_of(4), 0);
    tagged(1, &body)
}

fn frame() -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut out = Vec::new();
    let tcp = link.ipv4([192, 0, 2, 1], [198, 51, 100, 2], 61).tcp(4000, 443, 1, 2).ack(1);
    tcp.write(&mut out, &[0; 1000]).unwrap();
    out.truncate(128);
    out
}

/// Decodes a payload with a new decoder: the rows as JSON, and what the stream counted.
fn decode(payload: &[u8]) -> (Vec<serde_json::Value>, Option<StreamCounts>) {
    let mut decoder = Decoder::new(Limits::default());
    let mut batch = Batch::with_extras();
    let datagram = Datagram {
        listener: 0,
        accepts: Accepts::Auto,
        exporter: [192, 0, 2, 9].into(),
        port: 6000,
        received_ms: 1_767_225_600_000,
        payload,
    };
    decoder.decode(&datagram, &mut batch, &mut |_| panic!("one datagram fits"));
    let mut lines = Vec::new();
    rows::<serde_json::Error>(&batch, &mut |row| {
        let mut line = Vec::new();
        write_json(row, &mut line)?;
        lines.push(serde_json::from_slice(&line)?);
        Ok(())
    })
    .unwrap();
    let counts = decoder.take_reports(&[]).0.pop().map(|report| report.counts);
    (lines, counts)
}

fn one(sample: Vec<u8>) -> serde_json::Value {
    let (mut lines, counts) = decode(&datagram(1, &[sample]));
    assert_eq!(counts.unwrap().undecodable, []);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

/// The record's fields named in `expected` are so; null means absent.
fn assert_has(line: &serde_json::Value, expected: serde_json::Value) {
    let serde_json::Value::Object(expected) = expected else { panic!("fields are given as an object") };
    for (name, value) in expected {
        assert_eq!(line.get(&name).unwrap_or(&serde_json::Value::Null), &value, "{name} in {line}");
    }
}

#[test]
fn a_sampled_frame_becomes_a_row_with_layer_3_bytes_and_the_frames_length() {
    let line = one(flow(3, 512, 3, 4, &[raw(1, 1058, 4, &frame())]));
    assert_has(
        &line,
        serde_json::json!({
            "type": "sflow5", "exporter": "192.0.2.9", "agent": "192.0.2.10", "domain_id": 7,
            "time_start_ms": 1_767_225_600_000_u64, "time_end_ms": 1_767_225_600_000_u64, "time_from": "received",
            "packets": 1, "bytes": 1040, "l2_bytes": 1058, "flows": 1, "sampling_rate": 512,
            "sampling_from": "header", "etype": 2048, "proto": 6, "src_addr": "192.0.2.1",
            "dst_addr": "198.51.100.2", "src_port": 4000, "dst_port": 443, "tcp_flags": 16, "ip_tos": 0,
            "src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02", "min_ttl": 61, "max_ttl": 61,
            "in_if": 3, "out_if": 4, "direction": 0, "in_if_state": null, "icmp_type": null, "src_vlan": null,
        }),
    );
}

#[test]
fn a_missing_ip_length_falls_back_to_the_frame_without_what_was_stripped_and_layer_2() {
    let mut frame = frame();
    frame[16..18].fill(0);
    assert_has(&one(flow(3, 1, 3, 4, &[raw(1, 9018, 4, &frame)])), serde_json::json!({"bytes": 9000}));
    frame[12..14].copy_from_slice(&[0x08, 0x06]);
    let arp = one(flow(3, 1, 3, 4, &[raw(1, 64, 4, &frame)]));
    assert_has(&arp, serde_json::json!({"bytes": 46, "l2_bytes": 64, "etype": 0x0806, "src_addr": null}));
}

#[test]
fn direction_is_that_of_the_interface_that_sampled() {
    let record = [raw(1, 64, 4, &frame())];
    let direction = |source, input, output| one(flow(source, 1, input, output, &record))["direction"].clone();
    assert_eq!(direction(3, 3, 4), 0);
    assert_eq!(direction(4, 3, 4), 1);
    assert_eq!(direction(9, 3, 4), serde_json::Value::Null);
    // Class 2: the source is an entity, not an interface.
    assert_eq!(direction(0x0200_0003, 3, 4), serde_json::Value::Null);
}

#[test]
fn interfaces_that_are_none_say_why() {
    let record = [raw(1, 64, 4, &frame())];
    let line = one(flow(3, 1, 0x3fff_ffff, 0x4000_0102, &record));
    assert_has(
        &line,
        serde_json::json!({
            "in_if": null, "in_if_state": "local", "out_if": null, "out_if_state": "discarded:258",
            "forwarding_status": 128,
        }),
    );
    let line = one(flow(3, 1, 0, 0x8000_0005, &record));
    assert_has(
        &line,
        serde_json::json!({"in_if_state": "unknown", "out_if_state": "multiple:5", "forwarding_status": null}),
    );
}

#[test]
fn an_expanded_sample_has_interfaces_of_32_bits() {
    let head = words(&[1, 0, 0x5000_0001, 100, 1, 0, 0, 0x5000_0001, 1, 258, 1]);
    let line = one(tagged(3, &[head, raw(1, 64, 4, &frame())].concat()));
    assert_has(
        &line,
        serde_json::json!({"in_if": 0x5000_0001, "direction": 0, "out_if_state": "discarded:258", "sampling_rate": 100}),
    );
}

#[test]
fn a_notification_of_a_dropped_packet_is_an_event_without_counters() {
    let head = words(&[1, 0, 3, 0, 3, 0, 258, 1]);
    let line = one(tagged(5, &[head, raw(1, 64, 4, &frame())].concat()));
    assert_has(
        &line,
        serde_json::json!({
            "packets": null, "bytes": null, "l2_bytes": null, "sampling_rate": null, "sampling_from": "none",
            "in_if": 3, "out_if_state": "discarded:258", "forwarding_status": 128, "src_addr": "192.0.2.1",
        }),
    );
    let bare = one(tagged(5, &words(&[1, 0, 3, 0, 3, 0, 258, 1, 1036, 4, 42])));
    assert_has(&bare, serde_json::json!({"in_if": 3, "out_if_state": "discarded:258", "src_addr": null}));
}

#[test]
fn a_rate_of_0_is_no_rate() {
    let line = one(flow(3, 0, 3, 4, &[raw(1, 64, 4, &frame())]));
    assert_has(&line, serde_json::json!({"sampling_rate": null, "sampling_from": "none", "packets": 1}));
}

#[test]
fn the_other_descriptions_of_a_packet_stand_in_for_its_header() {
    let ethernet = tagged(2, &words(&[64, 0x0200_0000, 0x0001_0000, 0x0200_0000, 0x0002_0000, 0x0800]));
    let ipv4 = tagged(3, &words(&[1500, 6, 0xc000_0201, 0xc633_6402, 4000, 443, 2, 184]));
    let expected = serde_json::json!({
        "src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02", "l2_bytes": 64, "bytes": 1500,
        "etype": 2048, "proto": 6, "src_addr": "192.0.2.1", "dst_addr": "198.51.100.2", "src_port": 4000,
        "dst_port": 443, "tcp_flags": 2, "ip_tos": 184,
    });
    assert_has(&one(flow(3, 1, 3, 4, &[ethernet.clone(), ipv4.clone()])), expected.clone());
    assert_has(&one(flow(3, 1, 3, 4, &[ipv4.clone(), ethernet])), expected);
    let addresses = [0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2];
    let ipv6 = tagged(4, &words(&[&[1500, 17][..], &addresses, &[4000, 53, 0, 0]].concat()));
    assert_has(
        &one(flow(3, 1, 3, 4, &[ipv6])),
        serde_json::json!({"etype": 0x86dd, "src_addr": "2001:db8::1", "dst_port": 53, "tcp_flags": null}),
    );
    // A header wins over them, in either order.
    for records in [[ipv4.clone(), raw(1, 1058, 4, &frame())], [raw(1, 1058, 4, &frame()), ipv4]] {
        assert_has(
            &one(flow(3, 1, 3, 4, &records)),
            serde_json::json!({"bytes": 1040, "tcp_flags": 16, "ip_tos": 0, "l2_bytes": 1058}),
        );
    }
}

#[test]
fn samples_of_different_shape_in_one_datagram_keep_their_own_columns() {
    let mut udp = Vec::new();
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let (source, destination) = ("2001:db8::1".parse::<std::net::Ipv6Addr>(), [0x20; 16]);
    link.ipv6(source.unwrap().octets(), destination, 9).udp(1, 2).write(&mut udp, &[0; 9]).unwrap();
    let samples = [
        flow(3, 10, 3, 4, &[raw(1, 1058, 4, &frame())]),
        flow(3, 20, 0, 4, &[raw(1, 75, 4, &udp)]),
        flow(3, 0, 3, 4, &[raw(1, 1058, 4, &frame())]),
    ];
    let (lines, counts) = decode(&datagram(1, &samples));
    assert_eq!(counts.unwrap().records, 3);
    assert_has(
        &lines[0],
        serde_json::json!({"tcp_flags": 16, "ip_flags": 64, "ipv6_flow_label": null, "in_if": 3}),
    );
    assert_has(
        &lines[1],
        serde_json::json!({"tcp_flags": null, "ip_flags": null, "ipv6_flow_label": 0, "in_if": null}),
    );
    assert_has(&lines[1], serde_json::json!({"sampling_rate": 20, "in_if_state": "unknown", "bytes": 57}));
    assert_has(&lines[2], serde_json::json!({"sampling_rate": null, "tcp_flags": 16, "in_if_state": null}));
}

#[test]
fn what_is_no_flow_is_counted_by_reason_and_the_samples_after_it_are_read() {
    let good = flow(3, 1, 3, 4, &[raw(1, 64, 4, &frame())]);
    let mut lying = good.clone();
    // The raw header record's own length.
    lying[8 + 32 + 4 + 3] = 255;
    let samples = [
        tagged(2, &[0; 12]),
        tagged(4, &[0; 16]),
        tagged(4413 << 12 | 1, &[0; 4]),
        lying,
        flow(3, 1, 3, 4, &[]),
        good,
    ];
    let mut payload = datagram(1, &samples);
    payload.extend([0, 0, 0, 0]);
    let (lines, counts) = decode(&payload);
    let counts = counts.unwrap();
    assert_eq!((lines.len(), counts.records, counts.options_records), (1, 1, 2));
    let expected = [("malformed_sample", 1), ("unknown_sample", 2)];
    assert_eq!(counts.undecodable, expected.map(|(reason, count)| (String::from(reason), count)));
    assert!(counts.faults.contains(&(String::from("trailing_bytes"), 1)), "{counts:?}");
    assert_eq!(counts.records_received, 6);
}

#[test]
fn a_datagram_cut_at_any_byte_gives_its_whole_samples_and_counts_the_rest() {
    let sample = flow(3, 1, 3, 4, &[raw(1, 64, 4, &frame()), tagged(1001, &words(&[1, 0, 2, 0]))]);
    let payload = datagram(1, &[sample.clone(), sample.clone(), sample.clone()]);
    for end in 28..payload.len() {
        let (lines, counts) = decode(&payload[..end]);
        let whole = (end - 28) / sample.len();
        let counts = counts.unwrap();
        assert_eq!((lines.len(), counts.records as usize), (whole, whole), "{end} bytes");
        assert_eq!(counts.undecodable, [(String::from("truncated"), 3 - whole as u64)]);
    }
    for end in 0..28 {
        assert_eq!(decode(&payload[..end]).1, None);
    }
}

#[test]
fn more_samples_than_a_batch_has_room_for_pass_on_full_batches() {
    let sample = flow(3, 1, 3, 4, &[tagged(3, &words(&[40, 6, 1, 2, 3, 4, 5, 6]))]);
    let samples = vec![sample; 700];
    let mut decoder = Decoder::new(Limits::default());
    let (mut batch, mut passed) = (Batch::default(), 0);
    for sequence in 0..10 {
        let payload = datagram(sequence, &samples);
        let datagram = Datagram {
            listener: 0,
            accepts: Accepts::SFlow,
            exporter: [192, 0, 2, 9].into(),
            port: 6000,
            received_ms: 0,
            payload: &payload,
        };
        decoder.decode(&datagram, &mut batch, &mut |full| passed += full.len());
    }
    assert_eq!(passed + batch.len(), 7000);
    assert!(passed >= crate::flow::ROWS);
}

#[test]
fn an_agent_is_shown_as_it_is_written() {
    let mut payload = words(&[5, 2, 0x2001_0db8, 0, 0, 1, 7, 1, 1000, 1]);
    payload.extend(flow(3, 1, 3, 4, &[raw(1, 64, 4, &frame())]));
    assert_eq!(decode(&payload).0[0]["agent"], "2001:db8::1");
}
